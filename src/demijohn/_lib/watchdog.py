"""A thread that notices when an event loop is blocked, and names the line that blocks it."""

import linecache
import os
import sys
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Final

from demijohn._lib.later import asyncio, logger_of
from demijohn._lib.source import relative

__all__ = ["Watchdog", "find_blocking_frame", "kind_of"]

logger = logger_of("demijohn.watchdog")

_RUNNERS: Final = (os.path.join("asyncio", "runners.py"), os.path.join("asyncio", "base_events.py"))
"""Below these stands who started the loop, not what runs in it."""
_REMEMBERED: Final = 1000


class Watchdog:
    """Watches one event loop from a thread of its own.

    The loop beats a few times per threshold; when a beat is late, the stack of its thread is looked at and the
    innermost line of the user's code is logged, once for each place. It works with every kind of loop and costs a few
    microseconds a second. A call that keeps the interpreter locked (a large regular expression) cannot be seen into.

    Args:
        loop: The loop that runs in the calling thread.
        threshold: Seconds without a turn of the loop that are worth a warning.
        progress: Returns a number that grows while work is done: a turn that is long because much is done in it is no
            block. It is called in the thread.
    """

    def __init__(
        self, loop: "asyncio.AbstractEventLoop", *, threshold: float, progress: Callable[[], int] = int
    ) -> None:
        self.threshold = threshold
        self._loop = loop
        self._progress = progress
        self._interval = threshold / 3
        self._thread_id = threading.get_ident()
        self._beaten_at = time.monotonic()
        self._handle: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen: set[tuple[str, int]] = set()

    def start(self) -> None:
        """Begin to watch."""
        if self._thread is None:
            self._beat()
            self._thread = threading.Thread(target=self._watch, name="demijohn-watchdog", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _beat(self) -> None:
        self._beaten_at = time.monotonic()
        self._handle = self._loop.call_later(self._interval, self._beat)

    def _watch(self) -> None:
        reported = 0.0
        done, done_at = self._progress(), 0.0
        while True:
            before = time.monotonic()
            if self._stopped.wait(self._interval):
                return
            now = time.monotonic()
            if self._progress() != done:
                done, done_at = self._progress(), now
            beaten = max(self._beaten_at, done_at)
            # A thread that slept too long itself was stopped together with the loop: nobody is to blame.
            is_awake = now - before < self.threshold + self._interval
            if is_awake and now - beaten > self.threshold + self._interval and beaten != reported:
                reported = beaten
                try:
                    self._report(now - beaten)
                except Exception:
                    logger.debug("The blocking line could not be found", exc_info=True)

    def _report(self, late: float) -> None:
        innermost = sys._current_frames().get(self._thread_id)
        if innermost is None:
            return
        frame = find_blocking_frame(innermost)
        if frame is None:
            return
        place = (frame.f_code.co_filename, frame.f_lineno)
        if place in self._seen or len(self._seen) > _REMEMBERED:
            return
        self._seen.add(place)
        line = linecache.getline(*place).strip()
        request = _request_of(innermost)
        logger.warning(
            "The event loop has been blocked for %.0f ms by %s:%d in `%s`%s%s. Nothing else is answered meanwhile: "
            "await it, or make the handler a plain `def` so that it runs in a thread.",
            late * 1000,
            relative(place[0]),
            place[1],
            frame.f_code.co_qualname,
            f" ({request})" if request else "",
            f": {line}" if line else "",
        )


def find_blocking_frame(innermost: FrameType) -> FrameType | None:
    """Return the innermost frame of the user's code, or of a library's where there is none of the user's.

    Returns `None` where only the event loop and the framework are at work.
    """
    library: FrameType | None = None
    frame: FrameType | None = innermost
    while frame is not None and not frame.f_code.co_filename.endswith(_RUNNERS):
        kind = kind_of(frame.f_code)
        if kind == "user":
            return frame
        if kind == "library" and library is None:
            library = frame
        frame = frame.f_back
    return library


_kinds: dict[CodeType, str] = {}


def kind_of(code: CodeType) -> str:
    """Return whose code it is: the `user`'s, a `library`'s, or the `framework`'s and the interpreter's."""
    kind = _kinds.get(code)
    if kind is None:
        from demijohn._lib import tracebacks  # where Python's folders are is asked at the first block, not at the start

        path = os.path.realpath(code.co_filename)
        if code.co_filename.startswith("<") or path.startswith(tracebacks.OWN):
            kind = "framework"
        elif tracebacks.is_library(path):
            kind = "library" if tracebacks.PACKAGES.search(path) and "uvloop" not in path else "framework"
        else:
            kind = "user"
        if len(_kinds) < _REMEMBERED:
            _kinds[code] = kind
    return kind


def _request_of(innermost: FrameType) -> str:
    """Return method and path of the request that the stack belongs to, if it belongs to one."""
    frame: FrameType | None = innermost
    while frame is not None:
        if "request" in frame.f_code.co_varnames:
            request = frame.f_locals.get("request")
            method, path = getattr(request, "method", None), getattr(request, "path", None)
            if isinstance(method, str) and isinstance(path, str):
                return f"{method} {path}"
        frame = frame.f_back
    return ""
