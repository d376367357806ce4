"""What the tests of the sessions room share: an app with a secret, and a browser that keeps cookies."""

from collections.abc import Mapping
from http.cookies import SimpleCookie

import pytest

from demijohn import App, Response, Secret, Settings
from tests.app.calling import call

SECRET = "a7c1f09e5b2d48836e4f0c9b1d75a2e8"
OTHER_SECRET = "0d8e2b5c7f41a39866b2c1d0e9f83a75"


def settings(secret: str = SECRET, *fallbacks: str) -> Settings:
    """Settings with a secret, and older ones."""
    return Settings(secret_key=Secret(secret), secret_key_fallbacks=tuple(map(Secret, fallbacks)))


class Browser:
    """Sends the cookies that it was given, over http or https."""

    def __init__(self, app: App, scheme: str = "http") -> None:
        self.app = app
        self.scheme = scheme
        self.cookies: dict[str, str] = {}
        self.last: Response

    async def get(self, target: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Response:
        """Return the response, and keep its cookies."""
        sent = dict(headers or {})
        if self.cookies and "cookie" not in sent:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = await call(self.app, method, target, headers=sent, scheme=self.scheme)
        self.last = response
        for line in response.headers.getlist("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return response

    async def text(self, target: str) -> str:
        """Return the body of a GET as text."""
        return (await self.get(target)).body.decode()

    @property
    def cookie(self) -> str:
        """The line that set the last cookie, empty for none."""
        return self.last.headers.get("set-cookie", "")


@pytest.fixture
def app() -> App:
    """An app with a secret."""
    return App(settings=settings())


@pytest.fixture
def browser(app: App) -> Browser:
    """A browser that visits the app."""
    return Browser(app)
