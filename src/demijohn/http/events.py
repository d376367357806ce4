"""Server-sent events (WHATWG HTML Standard, section 9.2)."""

import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from operator import is_
from typing import Any

from demijohn._lib.stepping import Step
from demijohn.errors import DemijohnError
from demijohn.http.streams import StreamResponse, as_async
from demijohn.schema import to_json
from demijohn.types import HeadersLike

__all__ = ["BadEvent", "EventStreamResponse", "ServerSentEvent"]

_BREAK = re.compile(r"\r\n|\r|\n")
_IN_FIELD = re.compile(r"[\r\n\0]")


class BadEvent(DemijohnError, ValueError):
    """An event with a name or an id that would break out of its line."""

    code = "DJN-322"


_FIXED = frozenset({str, bytes, int, float, bool, type(None)})
"""Data of these types is the same as long as it is the same object."""


class ServerSentEvent:
    """One event for `EventSource` in a browser.

    Args:
        data: Text is sent as it is, line by line; anything else as JSON (Any: what the encoder knows).
        event: The name that the browser listens for; `message` where there is none.
        id: What the browser sends back as `Last-Event-ID` when it connects again.
        retry: Milliseconds that the browser waits before it connects again.
        comment: A line that the browser ignores.

    An event that goes to many streams is encoded once where its data is text or a number: yield the same object in
    each. What could have changed inside is encoded each time.

    Raises:
        BadEvent: A name or an id has line breaks or NUL.

    Example:
        >>> ServerSentEvent("two\\nlines", event="news").encode()
        b'event: news\\ndata: two\\ndata: lines\\n\\n'
    """

    __slots__ = ("_encoded", "comment", "data", "event", "id", "retry")

    def __init__(
        self,
        data: Any = None,
        *,
        event: str | None = None,
        id: str | int | None = None,  # noqa: A002 - the name in the standard
        retry: int | None = None,
        comment: str | None = None,
    ) -> None:
        self.data = data
        self.event = event
        self.id = None if id is None else str(id)
        self.retry = retry
        self.comment = comment
        self._encoded: tuple[tuple[Any, ...], bytes] | None = None
        for what, value in (("event", self.event), ("id", self.id)):
            if value is not None and _IN_FIELD.search(value):
                raise BadEvent(
                    f"An event was given the {what} {value[:80]!r}.",
                    why="A line break or NUL in it would let whoever wrote it send events of their own.",
                    fix=f'Write a plain name:  ServerSentEvent(data, {what}="news")',
                )

    def encode(self) -> bytes:
        """Return the event as it is sent."""
        now = (self.data, self.event, self.id, self.retry, self.comment)
        if self._encoded is not None and all(map(is_, now, self._encoded[0])):
            return self._encoded[1]
        encoded = self._encode()
        self._encoded = (now, encoded) if self.data.__class__ in _FIXED else None
        return encoded

    def _encode(self) -> bytes:
        lines = []
        if self.comment is not None:
            lines += [f": {line}" for line in _BREAK.split(self.comment)]
        if self.event is not None:
            lines.append(f"event: {self.event}")
        if self.id is not None:
            lines.append(f"id: {self.id}")
        if self.retry is not None:
            lines.append(f"retry: {int(self.retry)}")
        if self.data is not None:
            text = self.data if isinstance(self.data, str) else to_json(self.data).decode()
            lines += [f"data: {line}" for line in _BREAK.split(text)]
        return ("\n".join(lines) + "\n\n").encode()

    def __repr__(self) -> str:
        return f"ServerSentEvent({self.data!r}, event={self.event!r}, id={self.id!r})"


class EventStreamResponse(StreamResponse):
    """A stream of events, kept alive while nothing happens.

    Args:
        events: An iterator, async or sync, of `ServerSentEvent`, or of data (Any: text, or
            what the encoder knows as JSON).
        headers: Further headers.
        ping: Seconds without an event after which a comment is sent, so that proxies and dead connections are noticed;
            `None` for never. Those over half a second share a timer, and may come up to a second later.

    The iterator runs in one task from its beginning to its end, as any async generator expects.

    Example:
        async def ticks():
            for number in range(3):
                yield ServerSentEvent({"tick": number}, id=number)

        @app.get("/ticks")
        async def stream():
            return EventStreamResponse(ticks())
    """

    __slots__ = ()

    def __init__(
        self,
        events: AsyncIterable[Any] | Iterable[Any],
        *,
        headers: HeadersLike | None = None,
        ping: float | None = 15.0,
    ) -> None:
        source = as_async(events)
        pieces = _encoded(source) if ping is None else _KeptAlive(source, ping)
        super().__init__(pieces, 200, headers, content_type="text/event-stream")
        # What is wrapped is closed even if the wrapping never began.
        self._source = events
        if "cache-control" not in self.headers:
            self._set_header(b"cache-control", "no-store", "cache-control")
        # Some proxies hold a response back until it is long enough.
        self._set_header(b"x-accel-buffering", "no", "x-accel-buffering")


async def _encoded(events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    try:
        async for event in events:
            yield _bytes_of(event)
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


def _bytes_of(event: Any) -> bytes:
    return (event if isinstance(event, ServerSentEvent) else ServerSentEvent(event)).encode()


class _KeptAlive:
    """Gives a comment whenever nothing comes for a while.

    The source is driven in the task that asks: what belongs to a request (its unit of work, its context) holds in it.
    """

    __slots__ = ("_ping", "_source", "_step")

    def __init__(self, source: AsyncIterator[Any], ping: float) -> None:
        self._source = source
        self._ping = ping
        self._step: Step[Any] | None = None

    def __aiter__(self) -> "_KeptAlive":
        return self

    async def __anext__(self) -> bytes:
        step = self._step
        if step is None:
            step = Step(self._source.__anext__())
        if step.is_done or await step.within(self._ping):
            self._step = None
            return _bytes_of(step.result())
        self._step = step
        return b": ping\n\n"

    async def aclose(self) -> None:
        step, self._step = self._step, None
        if step is not None:
            await step.cancel()
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()
