"""Limits on the size of a body and on the time of a handler."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from demijohn._lib.later import asyncio
from demijohn.errors import BadRequest, ConfigurationError, ContentTooLarge, ServiceUnavailable
from demijohn.http import Limits, Request, Response
from demijohn.middleware.exchange import fields_of
from demijohn.middleware.marks import Next, mark
from demijohn.middleware.rates import parse_rates

__all__ = ["BodyLimitGuard", "Timeout", "body_limit", "message_limit", "parse_size"]

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"b": 1, "": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}


class BodyLimitGuard:
    """Answers 413 to a body that is announced as too large, before it is read.

    A body that is not announced is stopped by `Request.body` when it passes the same limit.

    Args:
        limits: The limits of the routes that it is compiled into; they become those of the request.
        default: Whether these are the limits that each request has anyway, so that nothing needs to be set.
    """

    __slots__ = ("_default", "_short", "limits")

    name = "body_limit"
    for_mounts = True

    def __init__(self, limits: Limits, *, default: bool = False) -> None:
        self.limits = limits
        self._default = default
        self._short = len(str(limits.body))
        """A number with less digits than this is below the limit."""

    def applies(self, methods: frozenset[str]) -> bool:
        """GET, HEAD and the handshake of a socket have no body that anyone reads."""
        return not methods <= {"GET", "HEAD", "WEBSOCKET"}

    def __call__(self, request: Request) -> None:
        """Let the request pass, or refuse it.

        Raises:
            ContentTooLarge: `Content-Length` is over the limit.
            BadRequest: `Content-Length` is no number, or came twice.
        """
        self.check(request, fields_of(request))

    def check(self, request: Request, fields: Mapping[bytes, bytes]) -> None:
        """Do the same with the header fields by name, as the runner of a route has them."""
        if not self._default:
            request.limits = self.limits
        length = fields.get(b"content-length")
        if length is None or (len(length) < self._short and length.isdigit()):
            return
        # int() of bytes takes signs, spaces and underscores; a length is digits (RFC 9110, section 8.6).
        if not length.isdigit() or len(length) > 18:
            raise BadRequest("Content-Length is no number.")
        if int(length) > self.limits.body:
            raise ContentTooLarge(
                f"The body has {int(length)} bytes; at most {self.limits.body} are taken here.",
                extensions={"limit": self.limits.body},
            )


class _MessageLimit:
    """Gives a socket limits of its own."""

    __slots__ = ("_changes",)

    name = "message_limit"

    def __init__(self, changes: dict[str, Any]) -> None:
        self._changes = changes

    def applies(self, methods: frozenset[str]) -> bool:
        """Sockets alone have messages."""
        return "WEBSOCKET" in methods

    def __call__(self, socket: Any) -> None:
        """Set the limits (Any: a WebSocket)."""
        socket.limits = msgspec.structs.replace(socket.limits, **self._changes)


def message_limit(size: int | str | None = None, *, rate: str | None = None) -> Callable[[F], F]:
    """Limit the messages that a WebSocket may send.

    Args:
        size: Bytes of one message, or text with a unit: `"64 KiB"`. Over it the socket is closed with 1009.
        rate: How many in which time, of each socket: `"20/second"`. So many may come at once, then as many as that
            time lets follow evenly. Over it the socket is closed with 1008.

    Raises:
        ConfigurationError: The size or rate cannot be read (`DJN-744`).

    Example:
        ```python notest
        @app.websocket("/chat")
        @message_limit("16 KiB", rate="10/second")
        async def chat(ws: WebSocket): ...
        ```
    """
    changes: dict[str, Any] = {}
    if size is not None:
        changes["message_size"] = parse_size(size)
    if rate is not None:
        first = parse_rates(rate)[0]
        changes["message_rate"] = (first.quota, first.window)

    def decorate(function: F) -> F:
        mark(function).guards.append(_MessageLimit(changes))
        return function

    return decorate


def body_limit(size: int | str, *, time: float | None = None) -> Callable[[F], F]:
    """Let a handler take a larger (or smaller) body than the app's limit.

    Args:
        size: Bytes, or text with a unit: `"50 MB"`, `"512 KiB"`.
        time: How many seconds the body may take to arrive; the app's limit where it is not given.

    Raises:
        ConfigurationError: The size cannot be read (`DJN-744`).

    Example:
        ```python notest
        @app.post("/videos")
        @body_limit("2 GB", time=600)
        async def upload(video: UploadFile): ...
        ```
    """
    most = parse_size(size)

    def decorate(function: F) -> F:
        limits = Limits(body=most, file_size=most)
        if time is not None:
            limits = msgspec.structs.replace(limits, body_time=time)
        marks = mark(function)
        marks.exempt.add("body_limit")
        marks.guards.append(BodyLimitGuard(limits))
        return function

    return decorate


def parse_size(size: int | str, /) -> int:
    """Read a size: a number of bytes, or text with a unit.

    `"1.5 MB"` is 1,500,000 bytes, `"1 MiB"` 1,048,576.

    Raises:
        ConfigurationError: It is no size (`DJN-744`).
    """
    if isinstance(size, str):
        text = size.strip().lower()
        number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
        unit = text[len(number) :].strip()
        try:
            value = float(number) * _UNITS[unit]
        except (KeyError, ValueError):
            value = -1.0
    else:
        value = float(size)
    if not 0 <= value < 2**63:
        raise ConfigurationError(
            f"{size!r} is no size.",
            why="A size is a number of bytes, or a number with B, KB, MB, GB, KiB, MiB or GiB.",
            fix='Write:  @body_limit("50 MB")',
            code="DJN-744",
        )
    return int(value)


class Timeout:
    """Ends a handler that takes too long, with 503 and `Retry-After`.

    The handler is cancelled where it awaits; a `def` handler gets the exception in its next `wait`.

    Args:
        seconds: The time from here to the complete response; a stream's body is not counted.
        retry_after: Seconds after which the client may try again.

    Raises:
        ConfigurationError: The time is not positive (`DJN-744`).
    """

    __slots__ = ("_retry_after", "_seconds")

    def __init__(self, seconds: float, *, retry_after: int = 5) -> None:
        if not seconds > 0:
            raise ConfigurationError(
                f"A timeout of {seconds!r} seconds was asked for.",
                why="It would end every request before it began.",
                fix="Write a positive number:  Timeout(10)",
                code="DJN-744",
            )
        self._seconds = seconds
        self._retry_after = retry_after

    async def __call__(self, request: Request, next: Next) -> Response:  # noqa: A002 - the field's term
        """Await the rest of the way, at most that long.

        Raises:
            ServiceUnavailable: It took too long.
        """
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                return await next(request)
        except TimeoutError:
            if not limit.expired():
                raise
            raise ServiceUnavailable(
                "The answer took too long.", headers=[("retry-after", str(self._retry_after))]
            ) from None
