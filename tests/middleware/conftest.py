"""Requests for the tests of this room, as a transport builds them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from demijohn._lib.keys import KeyRing
from demijohn.http import Request, Response
from demijohn.middleware import Next

SECRET = "a7c1f09e5b2d48836e4f0c9b1d75a2e8"
KEYS = KeyRing(SECRET)

HeadersGiven = Mapping[str, str] | Iterable[tuple[str, str | bytes]]


def build(
    method: str = "GET",
    path: str = "/",
    headers: HeadersGiven = (),
    *,
    scheme: str = "https",
    host: str | None = "example.org",
    client: tuple[str, int] | None = ("192.0.2.7", 4711),
    body: bytes | None = None,
    **app: Any,
) -> Request:
    """Build a request; keyword arguments beyond those of a request are attributes of its app."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    raw = [(b"host", host.encode("latin-1"))] if host is not None else []
    raw += [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode("latin-1")) for name, value in pairs
    ]
    bare, _, query = path.partition("?")
    request = Request(method, bare, bare.encode(), query.encode(), raw)
    request.scheme = scheme
    request.client = client
    request.app = SimpleNamespace(**app)
    if body is not None:
        request._body = body
    return request


def finish(request: Request, response: Response | None = None) -> Response:
    """Do what the runner of a route does right before it sends."""
    response = Response("ok") if response is None else response
    return response if request._exchange is None else request._exchange.finish(response)


def handler(response: Response | None = None) -> Next:
    """Return the rest of the way: a handler that answers this."""

    async def answer(request: Request) -> Response:
        return Response("ok") if response is None else response

    return answer


def cookie_of(response: Response, name: str) -> str | None:
    """Return the value of a cookie that a response sets."""
    for line in response.headers.getlist("set-cookie"):
        key, _, rest = line.partition("=")
        if key == name:
            return rest.partition(";")[0]
    return None


async def settle(result: Awaitable[None] | None) -> None:
    """Await what a guard returned, where it returned something."""
    if result is not None:
        await result


@pytest.fixture
def clock() -> "Clock":
    """A clock that stands still until it is told otherwise."""
    return Clock()


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


Factory = Callable[..., Request]
