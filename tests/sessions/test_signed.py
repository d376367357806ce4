"""Signed cookies: readable, and proof against change."""

import time
from datetime import timedelta

import msgspec
import pytest

from demijohn import App, Request, Response
from demijohn.sessions import SignedCookie

from .conftest import OTHER_SECRET, SECRET, Browser, settings


class Choice(msgspec.Struct):
    """What tests keep in a cookie."""

    theme: str
    size: int = 1


THEME = SignedCookie("theme", Choice, max_age=timedelta(days=30), httponly=False)


def choosing(app: App) -> None:
    """Add `/set`, `/get` and `/forget`."""

    @app.get("/set")
    async def choose(request: Request) -> Response:
        response = Response("set")
        THEME.set(request, response, value=Choice("dark", 2))
        return response

    @app.get("/get")
    async def show(request: Request) -> str:
        found = THEME.find(request)
        return f"{found.theme} {found.size}" if found is not None else "none"

    @app.get("/forget")
    async def forget(request: Request) -> Response:
        response = Response("gone")
        THEME.delete(request, response)
        return response


async def test_typed_value_comes_back(app: App, browser: Browser) -> None:
    """A value of the type is set, found and forgotten; the answer that read it is private."""
    choosing(app)
    assert await browser.text("/get") == "none"
    await browser.get("/set")
    assert "Max-Age=2592000" in browser.cookie
    assert "httponly" not in browser.cookie.lower()
    response = await browser.get("/get")
    assert response.body == b"dark 2"
    assert "cookie" in response.headers["vary"].lower()
    await browser.get("/forget")
    assert browser.cookies == {}


async def test_changed_and_foreign_values_are_none(app: App, browser: Browser) -> None:
    """A value that was changed, signed by another secret or for another cookie counts as none."""
    choosing(app)
    await browser.get("/set")
    good = browser.cookies["theme"]
    for bad in (good[:-1], good[1:], good.replace(".", ",", 1), "x", "", '{"theme":"dark"}'):
        assert (await browser.get("/get", {"cookie": f"theme={bad}"})).body == b"none", bad
    other = Browser(App(settings=settings(OTHER_SECRET)))
    choosing(other.app)
    other.cookies = dict(browser.cookies)
    assert await other.text("/get") == "none"
    rotated = Browser(App(settings=settings(OTHER_SECRET, SECRET)))
    choosing(rotated.app)
    rotated.cookies = dict(browser.cookies)
    assert await rotated.text("/get") == "dark 2"


async def test_old_values_and_other_types_are_none(app: App, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value beyond its age, or of another shape, counts as none."""
    choosing(app)
    numbers = SignedCookie("theme", int)

    @app.get("/number")
    async def number(request: Request) -> str:
        return str(numbers.find(request, "default"))

    await browser.get("/set")
    assert await browser.text("/number") == "default"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31 * 86_400)
    assert await browser.text("/get") == "none"
