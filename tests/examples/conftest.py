"""Examples are served as a user serves them, and looked at in a real browser."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

EXAMPLES = Path(__file__).parents[2] / "examples"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def serving(port: int) -> Iterator[Callable[[str], str]]:
    """Give a function that serves an example by `demijohn run` and returns its URL."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(name: str) -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", "demijohn", "run", name, "--port", str(port), "--no-reload"],
            cwd=EXAMPLES,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        processes.append(process)
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(url, timeout=5).close()
                return url
            except urllib.error.HTTPError as error:
                error.close()
                return url
            except OSError:
                assert process.poll() is None, f"{name} has ended"
                time.sleep(0.1)
        raise AssertionError(f"{name} did not answer")

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)


@pytest.fixture
def serve(free_port: int) -> Iterator[Callable[[str], str]]:
    """Serve an example for one test."""
    yield from serving(free_port)


@pytest.fixture(scope="module")
def module_serve() -> Iterator[Callable[[str], str]]:
    """Serve an example for all tests of a module."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    yield from serving(port)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["DEMIJOHN_TEST_CHROMIUM"], args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose console has to stay free of errors."""
    page = browser.new_page()
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # A browser asks for an icon by itself; a small site has none.
        if message.type == "error" and not str(message.location.get("url", "")).endswith("/favicon.ico"):
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []
