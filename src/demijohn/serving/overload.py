"""Noticing that more requests come than can be answered, and refusing some while that lasts.

Left alone, what waits is answered in the order of arrival, each later than the one before, until every answer comes
when its client has long gone. Refusing costs a fraction of answering, so those who are let in are answered in time.
"""

import logging
import socket
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Final

__all__ = ["Overload"]

logger = logging.getLogger("demijohn.server")

_CROWD: Final = 64
"""Fewer than so many waiting connections are no overload, however slow the handlers."""
_TOO_LONG: Final = 0.5
"""Seconds that a new connection may wait to be accepted before some are refused,"""
_SHORT: Final = 0.1
"""and what it has to come down to before all are let in again."""

_LATE: Final = 0.25
"""A tick that comes later than this many seconds means a turn of the loop with too much in it;"""
_LATE_TICKS: Final = 3
"""so many of them in a row are an overload,"""
_LASTING: Final = 20
"""and so many punctual ones are its end."""
_TURN: Final = 0.1
"""In an overload each turn of the loop begins requests for so many seconds,"""
_ALWAYS: Final = 32
"""and at least so many: a few slow requests are no overload."""

_OFTEN: Final = 0.05
_SILENCE: Final = 30.0
"""Seconds between two warnings."""
# Where struct tcp_info of Linux has tcpi_unacked: for a listening socket, how many connections wait to be accepted.
_UNACKED_AT: Final = 24
_CAN_COUNT: Final = sys.platform == "linux" and hasattr(socket, "TCP_INFO")


class Overload:
    """Watches one server; asked at each tick, and at each request only while there is an overload.

    Args:
        sockets: The listening sockets.
        sharers: How many processes accept from them.
    """

    def __init__(self, sockets: Sequence[socket.socket] = (), *, sharers: int = 1) -> None:
        self._sockets = [sock for sock in sockets if sock.family in (socket.AF_INET, socket.AF_INET6)]
        self._sharers = sharers
        self._answered = 0
        self._asked_at = perf_counter()
        self._waiting = 0
        self._rate = 0.0
        self._due: float | None = None
        self._silent_until = 0.0
        self._late = 0
        self._is_crowded = False
        self._is_slow = False
        self._turn_began = 0.0
        self._turn_admitted = 0

    @property
    def is_there(self) -> bool:
        """Whether requests have to ask to be admitted."""
        return self._is_crowded or self._is_slow

    def tick(self, now: float, *, answered: int, interval: float) -> float:
        """Measure, and return the seconds until the next tick is wanted.

        Args:
            now: The time of the event loop.
            answered: How many requests were answered so far, not counting the refused.
            interval: What the server would wait without an overload.
        """
        was_there = self.is_there
        self._measure_turns(now)
        self._measure_queue(answered)
        if self.is_there and not was_there and now >= self._silent_until:
            self._silent_until = now + _SILENCE
            logger.warning("More requests come than can be answered; some are refused with 503")
        if self.is_there or self._waiting >= _CROWD:
            interval = min(interval, _OFTEN)
        self._due = now + interval
        return interval

    def _measure_turns(self, now: float) -> None:
        allowed = _LATE / 4 if self._is_slow else _LATE
        if self._due is not None and now - self._due > allowed:
            self._late = min(_LASTING, self._late + 1)
        elif self._late:
            self._late -= 1
        if not self._is_slow and self._late >= _LATE_TICKS:
            self._is_slow, self._late = True, _LASTING
        elif self._is_slow and not self._late:
            self._is_slow = False
        self._turn_began = perf_counter()
        self._turn_admitted = 0

    def _measure_queue(self, answered: int) -> None:
        at = perf_counter()
        rate = (answered - self._answered) * self._sharers / max(at - self._asked_at, 0.001)
        self._answered, self._asked_at = answered, at
        waiting, before = sum(map(count_waiting, self._sockets)), self._waiting
        self._waiting = waiting
        if self._is_crowded:
            self._is_crowded = waiting > _CROWD / 4 and waiting > _SHORT * self._rate
        elif waiting >= _CROWD and before >= _CROWD:
            # There was enough to do all the time, so that this is what can be done.
            self._rate = rate
            self._is_crowded = waiting > _TOO_LONG * rate

    def admits(self) -> bool:
        """Return whether one more request may begin; asked only while there is an overload."""
        if self._is_crowded:
            return False
        self._turn_admitted += 1
        return self._turn_admitted <= _ALWAYS or perf_counter() - self._turn_began < _TURN


def count_waiting(sock: socket.socket) -> int:
    """Return how many connections wait to be accepted; 0 where the system does not tell."""
    if not _CAN_COUNT:
        return 0
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED_AT + 4)
    except (OSError, ValueError):
        return 0
    return int.from_bytes(info[_UNACKED_AT : _UNACKED_AT + 4], sys.byteorder) if len(info) >= _UNACKED_AT + 4 else 0
