"""A name for each request, in the response, in logs and from one service to the next."""

import itertools
import os
from typing import Any

from demijohn.http import Request, Response
from demijohn.middleware.exchange import before_sending, exchange_of
from demijohn.middleware.marks import Next
from demijohn.middleware.proxies import TrustedProxies

__all__ = ["RequestID", "last_name", "request_id"]

_LETTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.=+/:")
_MOST = 128


class _Names:
    """Names that no other process makes: 64 random bits and a counter."""

    __slots__ = ("_count", "_prefix")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._prefix = os.urandom(8).hex()
        self._count = itertools.count(1)

    def next(self) -> str:
        return f"{self._prefix}-{next(self._count):08x}"


_names = _Names()
if hasattr(os, "register_at_fork"):
    # Workers that were forked would count on from the same place.
    os.register_at_fork(after_in_child=_names.renew)


def request_id(request: Any) -> str:
    """Return the name of a request, given where there is none yet.

    Takes `Any`: a request or a WebSocket.
    """
    exchange = exchange_of(request)
    name = exchange.request_id
    if name is None:
        name = exchange.request_id = _names.next()
    return name


def last_name(request: Any) -> str:
    """Return the name of a request that is over, made up where nobody has asked for one before.

    Takes `Any`: a request or a WebSocket.
    """
    exchange = request._exchange
    return _names.next() if exchange is None or exchange.request_id is None else exchange.request_id


class RequestID:
    """Names each request, and says the name in the response.

    The name that comes with a request is kept only if a trusted proxy sent it and it is at most 128 letters, digits and
    `-_.=+/:`; anyone else could write another's name, or a line break, into the logs.

    Args:
        header: The header that carries the name, in both directions.
        trusted: The proxies whose names are kept.
    """

    __slots__ = ("_header", "_trusted", "header")

    def __init__(self, *, header: str = "X-Request-ID", trusted: TrustedProxies | None = None) -> None:
        self.header = header
        self._header = header.lower().encode("ascii")
        self._trusted = trusted

    async def __call__(self, request: Request, next: Next) -> Response:  # noqa: A002 - the field's term
        """Name the request, and have the name said."""
        exchange = exchange_of(request)
        name = exchange.request_id or self._incoming(request) or _names.next()
        exchange.request_id = name
        before_sending(request, lambda response: response.headers.__setitem__(self.header, name))
        return await next(request)

    def _incoming(self, request: Request) -> str | None:
        if self._trusted is None:
            return None
        exchange = exchange_of(request)
        if not exchange.forwarded:
            client = request.client
            if not self._trusted.trusts(None if client is None else client[0]):
                return None
        found = [value for name, value in request.raw_headers if name == self._header]
        if len(found) != 1 or not 0 < len(found[0]) <= _MOST:
            return None
        text = found[0].decode("latin-1")
        return text if _LETTERS.issuperset(text) else None
