"""The flow of bytes between a connection and its client: who waits for whom, and for how long."""

import asyncio
from collections.abc import Callable
from typing import Final

from demijohn.serving.hub import Hub

__all__ = ["BODY", "BY_BODY", "BY_OUTPUT", "BY_PIPELINE", "CLOSED", "HEAD", "IDLE", "LINGER", "NEVER", "RUN", "Flow"]

# What a connection is doing. IDLE is false, so that the commonest question costs least.
IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2
RUN: Final = 3
LINGER: Final = 4
CLOSED: Final = 5

NEVER: Final = float("inf")

# Why reading is paused; each reason is lifted by itself.
BY_BODY: Final = 1
BY_PIPELINE: Final = 2
BY_OUTPUT: Final = 4


class Flow(asyncio.Protocol):
    """A connection as its transport sees it: paused or flowing, in either direction."""

    __slots__ = (
        "_buffer",
        "_drain",
        "_mark",
        "_mark_at",
        "_pauses",
        "_phase",
        "_plain",
        "_write",
        "_written",
        "deadline",
        "hub",
        "is_write_paused",
        "loop",
        "transport",
    )

    transport: asyncio.Transport
    _write: Callable[[bytes], None]

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.loop = hub.loop
        self.deadline = NEVER
        self.is_write_paused = False
        self._phase = IDLE
        self._plain = False
        self._buffer = b""
        self._pauses = 0
        self._drain: asyncio.Future[None] | None = None
        self._written = 0
        self._mark_at = 0.0
        self._mark = 0

    def abort(self) -> None:
        """Close the connection at once, whatever was not sent."""
        self.transport.abort()

    async def drain(self) -> None:
        """Wait until the client has read enough of what was written."""
        while self.is_write_paused:
            if self._drain is None:
                self._drain = self.loop.create_future()
            await asyncio.shield(self._drain)

    def pause_writing(self) -> None:
        """Stop producing: the client reads too slowly."""
        self.is_write_paused = True
        self._plain = False
        self._mark_output(self.hub.clock)
        self.deadline = min(self.deadline, self._mark_at + self.hub.timeouts.send)
        if self._has_no_body:
            self._pause(BY_OUTPUT)

    def resume_writing(self) -> None:
        """Go on producing."""
        self.is_write_paused = False
        self._unpause(BY_OUTPUT)
        self._wake()
        if self._phase == HEAD and self._buffer:
            self.loop.call_soon(self._resume)

    def _wake(self) -> None:
        drain, self._drain = self._drain, None
        if drain is not None and not drain.done():
            drain.set_result(None)

    def pause_reading(self) -> None:
        """Take no more of the body for now."""
        self._pause(BY_BODY)

    def resume_reading(self) -> None:
        """Take more of the body."""
        self._unpause(BY_BODY)

    def _pause(self, reason: int) -> None:
        if not self._pauses and self._phase != CLOSED:
            self.transport.pause_reading()
        self._pauses |= reason

    def _unpause(self, reason: int) -> None:
        if self._pauses & reason:
            self._pauses &= ~reason
            if not self._pauses and self._phase != CLOSED:
                self.transport.resume_reading()

    def write_continue(self) -> None:
        """Tell the client that its body is wanted."""
        raise NotImplementedError

    def expect_body(self) -> None:
        """Note that a handler waits for more of its body."""
        raise NotImplementedError

    @property
    def _has_no_body(self) -> bool:
        """Whether no body is being read."""
        raise NotImplementedError

    def _resume(self) -> None:
        """Go on with what was read before."""
        raise NotImplementedError

    def _mark_output(self, now: float) -> None:
        self._mark_at = now
        self._mark = self.transport.get_write_buffer_size()
        self._written = 0

    def _is_reading(self, now: float) -> bool:
        """Return whether the client took enough of what was written since the mark, and set a new mark."""
        taken = self._mark + self._written - self.transport.get_write_buffer_size()
        enough = taken >= self.hub.timeouts.body_rate * (now - self._mark_at)
        self._mark_output(now)
        return enough

    def _expire_output(self, now: float) -> None:
        """Give a client that still reads more time, and cut one that does not."""
        if not self.transport.get_write_buffer_size():
            self.abort()
        elif not self._mark_at:
            self._mark_output(now)
            self.deadline = now + self.hub.timeouts.send
        elif self._is_reading(now):
            self.deadline = now + self.hub.timeouts.send
        else:
            self.abort()
