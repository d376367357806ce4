"""A walk through the error pages of ten classic mistakes, in Chromium, with the console used in each."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

EXAMPLES = Path(__file__).parents[2] / "examples" / "broken"

# the path: the class, a part of the message, what is typed into the console, what it answers
MISTAKES = {
    "missing-key": ("KeyError", "plum", "await asyncio.sleep(0, name)", "'plum'"),
    "not-awaited": ("TypeError", "coroutine", "await load_price('apple')", "3"),
    "no-return": ("", "return", "1 + 1", "2"),
    "misspelled": ("NameError", "quantitty", "quantity", "3"),
    "none": ("AttributeError", "title", "fruit is None", "True"),
    "bad-json": ("RuntimeError", "could not be read", "type(error).__name__", "'RuntimeError'"),
    "recursion": ("RecursionError", "recursion", "names", "['apple']"),
    "group": ("ExceptionGroup", "unhandled errors", "len(error.exceptions)", "2"),
    "sync": ("ZeroDivisionError", "by zero", "factor", "0"),
    "configuration": ("ConfigurationError", "added twice", "await load_price('pear')", "4"),
}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, str]]:
    """The example with its console on: its URL and the PIN."""
    command = [sys.executable, "-m", "demijohn", "run", "app.py", "--console", "--port", "0", "--no-reload"]
    with subprocess.Popen(
        command, cwd=EXAMPLES, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        pin = url = ""
        for line in process.stdout:
            if found := re.search(r"PIN: \D*(\d{3}-\d{3}-\d{3})", line):
                pin = found[1]
            if found := re.search(r"Serving at (http://\S+)", line):
                url = found[1]
                break
        yield url, pin
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page, light and dark, whose scripts and policy have to stay free of errors."""
    page = browser.new_page(color_scheme=request.param)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Security Policy" in message.text else None)
    yield page
    page.close()
    assert errors == []


@pytest.mark.browser
@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(served: tuple[str, str], page: Page, name: str) -> None:
    """The page names the mistake; its console answers after the PIN; nothing is wider than a phone."""
    url, pin = served
    kind, message, code, answer = MISTAKES[name]
    page.goto(f"{url}/{name}")
    expect(page.locator("header .kind")).to_contain_text(kind)
    expect(page.locator("header h1")).to_contain_text(message)
    for console in page.locator(".frame[open] .console:visible").all()[:1]:
        console.locator("input").fill(pin)
        console.locator("input").press("Enter")
        console.locator("textarea").fill(code)
        console.locator("textarea").press("Enter")
        expect(console.locator(".past")).to_contain_text(answer)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.browser
def test_keyboard(served: tuple[str, str], page: Page) -> None:
    """`j` goes to the next frame, Enter unfolds and folds it."""
    page.goto(f"{served[0]}/missing-key")
    page.keyboard.press("j")
    first = page.locator(".frame > summary").first
    assert page.evaluate("document.activeElement.parentElement.className").startswith("frame")
    before = page.evaluate("document.activeElement.parentElement.open")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open") is not before
    expect(first).to_be_attached()
