"""The one-file examples in Chromium and by their API."""

import json
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect


def test_hello(serve: Callable[[str], str]) -> None:
    """The smallest app answers text and JSON."""
    url = serve("hello.py")
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"Hello, World!"
    with urllib.request.urlopen(f"{url}/hello/ann?shout=yes") as response:
        assert json.load(response) == {"hello": "ANN"}


@pytest.mark.browser
def test_todo(serve: Callable[[str], str], page: Page) -> None:
    """To-dos are added, escaped, ticked off and listed as JSON; the styles arrive, the console is clean."""
    url = serve("todo.py")
    page.goto(url)
    page.get_by_label("What is to be done?").fill("Buy <b>bread</b>")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("li")).to_have_count(1)
    expect(page.locator("li")).to_contain_text("Buy <b>bread</b>")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("li .done")).to_have_count(1)
    assert page.locator("li").evaluate("element => getComputedStyle(element).listStyleType") == "none"
    with urllib.request.urlopen(f"{url}/api/todos?done=true") as response:
        assert json.load(response) == [{"id": 1, "title": "Buy <b>bread</b>", "done": True}]
    page.close()
