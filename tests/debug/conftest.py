"""An app that fails, the calls of its error page, and the permission to have a console."""

import re
from collections.abc import Iterator

import pytest

from demijohn import App, Settings
from demijohn.debug import Grant, find_grant, grant_console, revoke_console
from demijohn.testing import TestClient

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ORIGIN = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
PREFIX = "/__demijohn__/debug"


def make_app(*, debug: bool = True, env: str = "development", **settings: object) -> App:
    """An app with a handler that fails two calls deep."""
    app = App(settings=Settings.load({}, files=(), env=env, **settings), debug=debug)

    def inner(item: str, password: str) -> int:
        prices = {"apple": 3}
        return prices[item] * 2

    @app.get("/fail")
    async def fail(item: str = "pear") -> str:
        hunter = "hunter"
        return str(inner(item, hunter + "2"))

    return app


class Pages:
    """A failing app, its page, and what its page can call."""

    def __init__(self, app: App, *, path: str = "/fail") -> None:
        self.app = app
        self.client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        self.text = self.client.get(path, headers=HTML).text
        self.token = self.data("token")
        self.trace = self.data("trace")

    def data(self, name: str) -> str:
        """What an attribute of the body holds."""
        found = re.search(rf'<body[^>]* data-{name}="([^"]*)"', self.text)
        return found[1] if found else ""

    def frame(self, function: str) -> int:
        """The number of a frame's console."""
        found = re.search(rf'class="console" data-frame="(\d+)" data-name="[^"]*{function}"', self.text)
        assert found is not None
        return int(found[1])

    def call(self, name: str, /, *, headers: dict[str, str] | None = None, **data: object):
        """Call the debugger as the page does."""
        body = {"token": self.token, "trace": self.trace, **data}
        return self.client.post(f"{PREFIX}/{name}", json=body, headers=ORIGIN if headers is None else headers)


@pytest.fixture
def grant() -> Iterator[Grant]:
    """The console is on."""
    yield grant_console(hosts=["127.0.0.1"])
    revoke_console()
    assert find_grant() is None


@pytest.fixture
def pages(grant: Grant) -> Pages:
    """A page with consoles, still locked."""
    return Pages(make_app())


@pytest.fixture
def unlocked(pages: Pages, grant: Grant) -> Pages:
    """A page with consoles, unlocked."""
    assert pages.call("unlock", pin=grant.pin).status_code == 200
    return pages
