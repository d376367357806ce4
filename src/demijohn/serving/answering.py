"""Writing responses: whole ones at once, streams piece by piece, and the answers of the server itself."""

import asyncio
import socket
import struct
from typing import Any, Final

from demijohn.http import Request, Response, StreamResponse
from demijohn.serving.body import IncomingBody
from demijohn.serving.flow import CLOSED, HEAD, IDLE, LINGER, RUN, Flow
from demijohn.serving.hub import Hub, logger
from demijohn.serving.refusal import refusal_bytes
from demijohn.serving.writer import BODYLESS, Framing

__all__ = ["Answering"]

_COPIED: Final = 64 * 1024
"""A body below this size is copied behind its head; a larger one is written by itself."""
_SHORT: Final = 1024
_LENGTHS: Final = [b"%d\r\n\r\n" % size for size in range(_SHORT)]
"""The ends of heads, ready for short bodies."""


class Answering(Flow):
    """A connection as its requests see it: each is answered once."""

    __slots__ = (
        "_close",
        "_framing",
        "_heads",
        "_heard_at",
        "_incoming",
        "_is_new",
        "_left",
        "_started_at",
        "_task",
        "_usual",
        "is_ended_well",
        "is_stopped",
        "request",
        "response",
        "streaming",
    )

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._heads = hub.writer.heads
        self._usual = hub.writer.usual
        self.request: Request | None = None
        self.response: Response | None = None
        self._started_at = 0.0
        self._heard_at = 0.0
        self.streaming: asyncio.Task[Any] | None = None
        self.is_stopped = False
        self.is_ended_well = False
        self._task: asyncio.Task[Any] | None = None
        self._incoming: IncomingBody | None = None
        self._close = False
        self._is_new = True
        self._framing: Framing = "length"
        self._left = 0

    def send(self, response: Response) -> Any:
        """Write a response; returns an awaitable where that takes time, as a stream does.

        (Any: `None` or an awaitable; the runner awaits what is not `None`.)

        Raises:
            RuntimeError: The request has been answered already.
        """
        body = response.body
        if self._plain and body and response._headers is None:
            head = self._usual.get(response.content_type) if response.status == 200 else None
            if head is None:
                head = self._heads[response.status, response.content_type]
            size = len(body)
            if head and size < _COPIED:
                self._plain = False
                length = _LENGTHS[size] if size < _SHORT else b"%d\r\n\r\n" % size
                self._write(b"".join((head, length, body)))
                hub = self.hub
                hub.served += 1
                if hub.access_log:
                    hub.log_access(self.request, response.status, size, heard_at=self._heard_at)
                self.request = None
                self.deadline = hub.idle_until
                if self._task is not None:
                    self._task = None
                    hub.active -= 1
                if self._buffer:
                    self._phase = HEAD
                    self.loop.call_soon(self._resume)
                else:
                    self._phase = IDLE
                return None
        return self._send(response)

    def _send(self, response: Response) -> Any:
        """Write a response in any of its forms (Any: as `send`)."""
        request = self.request
        is_stream = isinstance(response, StreamResponse)
        if self._phase != RUN or request is None or self.response is not None:
            if self._phase != CLOSED:
                raise RuntimeError("A request was answered twice.")
            self._release()
            return response.aclose() if isinstance(response, StreamResponse) else None
        hub = self.hub
        method, status = request.method, response.status
        if not 200 <= status <= 599:
            raise ValueError(f"A response has the status {status}, which none can have.")
        incoming = self._incoming
        close = self._close or hub.is_draining
        body = response.body
        length = len(body)
        framing: Framing = "length"
        if status in BODYLESS:
            framing, body = "none", b""
        elif is_stream:
            length = announced_length(response)
            framing = "length" if length >= 0 else "chunked" if self._is_new else "close"
        elif method == "HEAD":
            length = length or max(0, announced_length(response))
        if framing == "close":
            close = True
        if incoming is not None and not incoming.is_complete and not is_stream:
            close = True
        self._close = close
        head = hub.writer.head(
            response,
            framing="none" if framing == "close" else framing,
            length=length,
            connection=b"close" if close else b"" if self._is_new else b"keep-alive",
        )
        self.response = response
        if isinstance(response, StreamResponse):
            if method == "HEAD" or status in BODYLESS:
                self._write(head)
                self._finish(0)
                return response.aclose()
            self._release()
            self._framing = framing
            self._left = length
            self.is_stopped = self.is_ended_well = False
            self._write(head)
            return self._send_stream(response)
        if method == "HEAD" or not body:
            self._write(head)
        elif len(body) < _COPIED:
            self._write(head + body)
        else:
            self._write(head)
            self._write(body)
        self._finish(len(body))
        return None

    def _finish(self, size: int) -> None:
        """Make ready for the next request, or close."""
        hub = self.hub
        hub.served += 1
        if hub.access_log and self.response is not None:
            hub.log_access(self.request, self.response.status, size, heard_at=self._heard_at)
        self.request = self.response = None
        self._release()
        incoming, self._incoming = self._incoming, None
        unread = False
        if incoming is not None:
            unread = not incoming.is_complete
            incoming.lose()
            incoming.discard()
        if self._phase != RUN:
            return
        if unread or self._close or hub.is_draining:
            self._shut(linger=unread)
            return
        self.deadline = hub.clock + hub.keep_alive
        if self._buffer:
            self._phase = HEAD
            self.loop.call_soon(self._resume)
        else:
            self._phase = IDLE

    def _shut(self, *, linger: bool) -> None:
        """Close, but not before the client had time to read: an early reset would destroy the answer on its way."""
        self._buffer = b""
        self._phase = LINGER
        self.deadline = self.hub.clock + self.hub.timeouts.linger
        if not linger:
            self.transport.close()
            return
        self._pauses = 0
        try:
            self.transport.resume_reading()
            if self.transport.can_write_eof():
                self.transport.write_eof()
        except (RuntimeError, OSError):
            self.transport.close()

    def refuse(self, status: int, reason: str, *, extra: bytes = b"") -> None:
        """Answer a request that no handler gets, and close."""
        hub = self.hub
        hub.refused += 1
        logger.debug("Refused with %d: %s", status, reason)
        self._write(refusal_bytes(status, reason, date=hub.writer.date_line, extra=extra))
        self._shut(linger=True)

    def _overloaded(self) -> None:
        incoming = self._incoming
        close = self._close or (incoming is not None and not incoming.is_complete)
        hub = self.hub
        hub.refused += 1
        self._close = close
        text = refusal_bytes(
            503,
            "There are too many requests at the moment.",
            date=hub.writer.date_line,
            close=close,
            extra=b"retry-after: 1\r\n",
        )
        self._write(text)
        self._finish(0)
        hub.served -= 1

    def fail(self, status: int) -> None:
        """Answer a request whose handler did not."""
        if self._phase == RUN and self.response is None:
            reason = "The server could not answer this." if status == 500 else "The server is busy or going down."
            extra = b"" if status == 500 else b"retry-after: 1\r\n"
            self._write(refusal_bytes(status, reason, date=self.hub.writer.date_line, extra=extra))
            self._close = True
            self._finish(0)

    def write_continue(self) -> None:
        """Tell the client that its body is wanted (RFC 9110, 10.1.1)."""
        if self._phase == RUN and self.response is None and self._is_new:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _release(self) -> None:
        """Count the request as answered."""
        if self._task is not None:
            self._task = None
            self.hub.active -= 1

    async def _send_stream(self, response: StreamResponse) -> None:
        """Send the pieces of a stream as the client takes them; its iterator is closed in every case.

        When the client leaves, or the server goes, the iterator is cancelled where it waits, and this returns as if all
        had been sent. What the iterator itself raises cuts the connection and goes on upwards.
        """
        task = self.streaming = asyncio.current_task()
        complete = False
        try:
            async for piece in response.body_iterator:
                if self.is_stopped:
                    break
                self._write_piece(piece)
                if self.is_write_paused:
                    await self.drain()
                elif self.transport.is_closing():
                    # That the client is gone comes by a later turn of the loop, which a producer that never waits
                    # would hold up for ever.
                    await asyncio.sleep(0)
            else:
                complete = True
        except asyncio.CancelledError:
            if not self.is_stopped or task is None:
                raise
            task.uncancel()
        finally:
            # From here on a client that leaves stops nothing any more.
            self.streaming = None
            try:
                await response.aclose()
            finally:
                self._end_stream(complete=complete)

    def _write_piece(self, piece: bytes) -> None:
        """Write one piece of a stream.

        Raises:
            ValueError: The stream is longer than its `Content-Length`.
        """
        size = len(piece)
        # Before it is written: the writing may find that the client reads too slowly, and begin to count anew.
        self._written += size
        if self._framing == "chunked":
            if size < _COPIED:
                self._write(b"%x\r\n%b\r\n" % (size, piece))
            else:
                self._write(b"%x\r\n" % size)
                self._write(piece)
                self._write(b"\r\n")
        else:
            if self._framing == "length":
                if size > self._left:
                    raise ValueError("A stream is longer than its Content-Length.")
                self._left -= size
            self._write(piece)

    def _end_stream(self, *, complete: bool) -> None:
        """End a stream as it has to be: with its terminator, or cut so that nobody takes it for whole."""
        if self._phase != RUN:
            self._finish(-1)
            return
        if (complete or self.is_ended_well) and (self._framing != "length" or not self._left):
            if self._framing == "chunked":
                self._write(b"0\r\n\r\n")
            self._finish(-1)
            return
        if complete:
            logger.error("A stream ended %d bytes before its Content-Length", self._left)
        self._close = True
        if self._framing == "close":
            # Only a reset tells a client without length or chunks that something is missing.
            sock = self.transport.get_extra_info("socket")
            if sock is not None:
                try:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                except OSError:
                    pass
            self.transport.abort()
        self._finish(-1)

    def stop_stream(self, *, well: bool = False) -> None:
        """End the stream that is being sent; `well` gives it its terminator."""
        task = self.streaming
        if task is not None and not self.is_stopped:
            self.is_stopped = True
            self.is_ended_well = well
            task.cancel()

    @property
    def is_endless(self) -> bool:
        """Whether an event stream is being sent, which ends only when it is told to."""
        response = self.response
        return (
            self.streaming is not None
            and response is not None
            and (response.content_type or "").startswith("text/event-stream")
        )

    @property
    def _has_no_body(self) -> bool:
        return self._incoming is None


def announced_length(response: Response) -> int:
    """Return the `Content-Length` that a response sets itself, or -1."""
    for name, value in response._headers or ():
        if name == b"content-length":
            return int(value)
    return -1
