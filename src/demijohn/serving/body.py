"""The body of a request that is handed over while it arrives."""

import asyncio
from collections import deque
from typing import Final

from demijohn.errors import ContentTooLarge, RequestTimeout
from demijohn.http import ClientDisconnected
from demijohn.serving.chunks import ChunkDecoder
from demijohn.serving.flow import Flow

__all__ = ["IncomingBody"]

_HIGH_WATER: Final = 64 * 1024
_LOW_WATER: Final = 16 * 1024


class IncomingBody:
    """Takes the bytes of one body off the wire, and gives them to whoever calls `receive`.

    Reading from the socket stops while nobody takes what has arrived.
    """

    __slots__ = (
        "_buffered",
        "_chunks",
        "_connection",
        "_decoder",
        "_error",
        "_expects",
        "_left",
        "_limit",
        "_paused",
        "_waiter",
        "asked_at",
        "is_complete",
        "received",
        "waited",
    )

    def __init__(self, connection: Flow, *, length: int, limit: int | None, expects: bool) -> None:
        self._connection = connection
        self._left = length
        self._decoder = ChunkDecoder() if length < 0 else None
        self._limit = limit
        self._expects = expects
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._paused = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.is_complete = False
        self.received = 0
        self.asked_at: float | None = None
        """When the one who waits began to wait."""
        self.waited = 0.0
        """Seconds that were spent waiting before."""

    @property
    def is_failed(self) -> bool:
        """Whether whoever reads gets an error."""
        return self._error is not None

    def feed(self, data: bytes) -> bytes:
        """Take bytes off the wire and return those behind the end of the body.

        Raises:
            Refusal: The chunks are malformed.
        """
        self._expects = False
        decoder = self._decoder
        if decoder is None:
            rest = b""
            if len(data) > self._left:
                data, rest = data[: self._left], data[self._left :]
            self._left -= len(data)
            self.is_complete = not self._left
        else:
            data, rest = decoder.feed(data)
            self.is_complete = decoder.is_done
        if data:
            self.received += len(data)
            if self._limit is not None and self.received > self._limit:
                self.is_complete = False
                self.fail(ContentTooLarge(f"The body is over {self._limit} bytes."))
                return b""
            self._chunks.append(data)
            self._buffered += len(data)
            if self._buffered > _HIGH_WATER and not self._paused and not self.is_complete:
                self._paused = True
                self._connection.pause_reading()
        if data or self.is_complete:
            self._wake()
        return rest

    def fail(self, error: Exception) -> None:
        """Let whoever reads, now or later, see this error instead of more bytes."""
        if self._error is None and not self.is_complete:
            self._error = error
            self._wake()

    def lose(self) -> None:
        """Note that the client left."""
        self.fail(ClientDisconnected("The client left before the body was complete."))

    def time_out(self) -> None:
        """Note that the client was too slow."""
        self.fail(RequestTimeout("The body came too slowly."))

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def time_waited(self, now: float) -> float:
        """Return the seconds spent waiting so far, this wait included."""
        return self.waited + (now - self.asked_at if self.asked_at is not None else 0.0)

    async def receive(self) -> bytes:
        """Return the next bytes of the body, or nothing at its end.

        Raises:
            ClientDisconnected: The client left before the end.
            ContentTooLarge: It is over the server's limit.
            RequestTimeout: It came too slowly.
            RuntimeError: Two tasks read at once.
        """
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self.is_complete:
                return b""
            if self._waiter is not None:
                raise RuntimeError("The body is read by two tasks at once; read it in one and hand it on.")
            if self._expects:
                self._expects = False
                self._connection.write_continue()
            connection = self._connection
            self._waiter = connection.loop.create_future()
            self.asked_at = connection.hub.clock
            connection.expect_body()
            try:
                await self._waiter
            finally:
                self._waiter = None
                self.waited = self.time_waited(connection.hub.clock)
                self.asked_at = None
        chunk = self._chunks.popleft()
        self._buffered -= len(chunk)
        if self._paused and self._buffered <= _LOW_WATER:
            self._paused = False
            self._connection.resume_reading()
        return chunk

    def discard(self) -> None:
        """Drop what has arrived and was not read."""
        self._chunks.clear()
        self._buffered = 0
        if self._paused:
            self._paused = False
            self._connection.resume_reading()
