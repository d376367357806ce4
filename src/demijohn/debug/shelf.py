"""The last failures, kept for the console and for pages that are opened later: five at most, for ten minutes."""

import asyncio
import contextvars
import secrets
import time
from types import TracebackType
from typing import Any, Final

from demijohn.debug.page import Action, Panel
from demijohn.debug.report import Report

__all__ = ["Kept", "Shelf"]

_MOST: Final = 5
_SECONDS: Final = 600.0


class Kept:
    """One failure: what is told of it and, where there is a console, its frames.

    Frames hold whatever their variables hold, connections and locks included, so that they are kept for a console only.
    """

    __slots__ = ("actions", "at", "context", "error", "name", "namespaces", "panels", "report", "steps")

    def __init__(self, report: Report, *, panels: list[Panel], actions: list[Action]) -> None:
        self.name = secrets.token_urlsafe(16)
        self.at = time.monotonic()
        self.report = report
        self.panels = panels
        self.actions = actions
        self.error: BaseException | None = None
        self.steps: list[TracebackType] = []
        self.context: contextvars.Context | None = None
        self.namespaces: dict[int, dict[str, Any]] = {}


class Shelf:
    """Keeps failures by name."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, kept: Kept) -> None:
        """Keep a failure; the oldest of more than five is dropped."""
        self.sweep()
        self._kept[kept.name] = kept
        while len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]
        if self._timer is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._timer = loop.call_later(_SECONDS, self._tick)

    def find(self, name: object) -> Kept | None:
        """Return a failure by its name, or None where it was never here or is gone."""
        self.sweep()
        return self._kept.get(name) if isinstance(name, str) else None

    def sweep(self) -> None:
        """Drop what is older than ten minutes."""
        oldest = time.monotonic() - _SECONDS
        for name in [name for name, kept in self._kept.items() if kept.at < oldest]:
            del self._kept[name]

    def clear(self) -> None:
        """Drop everything, and the frames with it."""
        self._kept.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        self.sweep()
        if self._kept:
            self._timer = asyncio.get_running_loop().call_later(_SECONDS / 10, self._tick)
