"""The one-file examples in Chromium and by their API."""

import json
import re
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect


def test_hello(serve: Callable[[str], str]) -> None:
    """The smallest app answers text and JSON."""
    url = serve("hello.py")
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"Hello, World!"
    with urllib.request.urlopen(f"{url}/hello/ann?shout=yes") as response:
        assert json.load(response) == {"hello": "ANN"}


@pytest.mark.browser
def test_hello_in_a_browser(serve: Callable[[str], str], page: Page) -> None:
    """A browser shows the text as text, and the JSON of a name that would be markup."""
    url = serve("hello.py")
    page.goto(url)
    expect(page.locator("body")).to_have_text("Hello, World!")
    answer = page.goto(f"{url}/hello/<b>ann")
    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"hello": "<b>ann"}
    assert page.locator("b").count() == 0
    page.close()


@pytest.mark.browser
def test_todo(serve: Callable[[str], str], page: Page) -> None:
    """To-dos are added, escaped, ticked off and deleted by htmx; the filter stays in the session."""
    url = serve("todo.py")
    page.goto(url)
    page.evaluate("window.stays = true")
    for title in ("Buy <b>bread</b>", "Feed the cat"):
        page.get_by_label("What is to be done?").fill(title)
        page.get_by_role("button", name="Add").click()
        expect(page.locator("li").last).to_contain_text(title)
        expect(page.get_by_label("What is to be done?")).to_have_value("")
    page.get_by_role("button", name="Done: Buy").click()
    expect(page.locator("li .done")).to_have_text("Buy <b>bread</b>")
    expect(page.get_by_text("1 of 2 left")).to_be_visible()
    page.get_by_role("link", name="Open").click()
    expect(page.locator("li")).to_have_text([re.compile("Feed the cat")])
    assert page.evaluate("window.stays")
    page.reload()
    expect(page.locator("li")).to_have_count(1)
    page.get_by_role("button", name="Delete: Feed").click()
    expect(page.locator("li")).to_have_text("Nothing here.")
    page.get_by_role("link", name="All").click()
    expect(page.locator("li .done")).to_have_count(1)
    assert page.locator("li").first.evaluate("element => getComputedStyle(element).listStyleType") == "none"
    page.set_viewport_size({"width": 390, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    with urllib.request.urlopen(f"{url}/api/todos?done=true") as response:
        assert json.load(response) == [{"id": 1, "title": "Buy <b>bread</b>", "done": True}]


@pytest.mark.browser
def test_todo_without_scripts(serve: Callable[[str], str], browser: Browser) -> None:
    """The same page works without scripts: forms are sent, messages flashed, the way back is a redirect."""
    url = serve("todo.py")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    page.get_by_label("What is to be done?").fill("Wind the clock")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("Added")
    expect(page.locator("li")).to_contain_text(["Wind the clock"])
    page.get_by_role("button", name="Done: Wind").click()
    expect(page.locator("li .done")).to_have_count(1)
    page.get_by_role("link", name="Open").click()
    expect(page.locator("li")).to_have_text("Nothing here.")
    page.goto(f"{url}/nowhere")
    expect(page.get_by_role("heading")).to_have_text("Not here")
    context.close()
