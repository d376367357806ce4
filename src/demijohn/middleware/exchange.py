"""What this room notes about one request while it is answered."""

from collections.abc import Callable
from typing import Any, TypeAlias

from demijohn.errors import DemijohnError
from demijohn.http import Response

__all__ = ["Exchange", "Finisher", "TooLate", "before_sending", "exchange_of", "fields_of", "keep_private"]

Finisher: TypeAlias = Callable[[Response], None]
"""Gets the complete response, an error's too, before its first byte is sent."""


class TooLate(DemijohnError):
    """Something wanted to change the head of a response that was sent already."""

    code = "DJN-742"


class Exchange:
    """Notes on one request, made when the first is needed; most have none.

    The runner of a route looks at `request._exchange` once, at the end: where it is not `None`, `finish` puts on the
    response what was promised during the request.
    """

    __slots__ = (
        "cross_origin",
        "csrf_secret",
        "csrf_token",
        "finishers",
        "forwarded",
        "nonce",
        "private",
        "request_id",
        "security",
        "sent",
        "uncompressed",
        "variants",
    )

    def __init__(self) -> None:
        self.finishers: list[Finisher] = []
        self.sent = False
        self.private = False
        """Whether the response depends on who asks, so that no shared cache may keep it."""
        self.uncompressed = False
        self.forwarded = False
        """Whether a trusted proxy's word was taken for scheme, host and client."""
        self.cross_origin = False
        """Whether CORS allows the origin to send this request."""
        self.nonce: str | None = None
        self.request_id: str | None = None
        self.csrf_secret: bytes | None = None
        self.csrf_token: str | None = None
        self.security: Any = None
        """The security headers of the route where they differ from the app's (Any: defined above this file)."""
        self.variants: tuple[str, ...] = ()
        """Request headers that the private response depends on."""

    def finish(self, response: Response) -> Response:
        """Put on the response what was promised, and return it."""
        self.sent = True
        for finisher in self.finishers:
            finisher(response)
        if self.private:
            make_private(response, self.variants)
        return response


def exchange_of(request: Any) -> Exchange:
    """Return the notes on a request, made where there are none.

    Takes `Any`: a request or a WebSocket, either has the slot.
    """
    found: Exchange | None = request._exchange
    if found is None:
        found = request._exchange = Exchange()
    return found


def fields_of(request: Any) -> dict[bytes, bytes]:
    """Return the header fields by name, made once for all that read them.

    Takes `Any`: a request or a WebSocket. A field that came more than once has its values joined by a comma, so that a
    check never sees just one of two.
    """
    headers = request.headers
    index: dict[bytes, bytes] | None = headers._index
    return headers._by_name() if index is None else index


def before_sending(request: Any, finisher: Finisher) -> None:
    """Have a function change the head of the response to this request.

    Takes a request or a WebSocket (Any: either). The function gets the complete response, that of an error too, after
    all hooks and the commit; it may set headers and cookies, and must not fail.

    Raises:
        TooLate: The response was sent already.
    """
    exchange = exchange_of(request)
    if exchange.sent:
        raise TooLate(
            f"A change of the response to {request.path} was asked for after its head had been sent.",
            why="Headers and cookies go out before the body; a stream writes its body after them.",
            fix="Ask for it before the response is returned: above the `return`, not inside of the generator.",
        )
    exchange.finishers.append(finisher)


def keep_private(request: Any, *variants: str) -> None:
    """Note that the answer depends on who asks: no shared cache will keep it.

    Whoever reads the session, the user or a per-client token calls this. A response that says nothing about caching
    gets `Cache-Control: private, no-cache`; one that the route's decorator made public is made private.

    Args:
        request: The request (Any: or WebSocket).
        variants: The request headers that it depends on, for `Vary`; `Cookie` where none is named.
    """
    exchange = exchange_of(request)
    exchange.private = True
    for name in variants or ("Cookie",):
        if name not in exchange.variants:
            exchange.variants = (*exchange.variants, name)


def make_private(response: Response, variants: tuple[str, ...]) -> None:
    """Say in the headers of a response that shared caches must not keep it."""
    # On the lines themselves: this runs for every answer that a session or a user has to do with.
    lines = response._headers
    if lines is None:
        lines = response._headers = []
    names = {name for name, _ in lines}
    if b"cache-control" not in names:
        lines.append((b"cache-control", b"private, no-cache"))
    if b"vary" in names:
        response.headers.add_vary(*variants)
    elif variants:
        lines.append((b"vary", ", ".join(variants).encode("ascii")))
