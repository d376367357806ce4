"""Counts the statements of a unit of work, and finds those that repeat, with the line that made them."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from types import FrameType
from typing import NamedTuple

import sqlalchemy

import demijohn
from demijohn._lib.source import relative

__all__ = ["Statement", "Watch", "current_watch", "everywhere", "max_queries", "place", "queries_so_far", "watching"]

_OURS = tuple(os.path.dirname(os.path.abspath(str(module.__file__))) + os.sep for module in (demijohn, sqlalchemy, os))
_SAVEPOINTS = ("SAVEPOINT ", "RELEASE SAVEPOINT ", "ROLLBACK TO SAVEPOINT ")


def place() -> str:
    """Return `file:line` of the nearest frame of the user's code.

    Frames of ours, of SQLAlchemy and of the standard library are passed over.
    """
    last = sys._getframe(1)
    frame: FrameType | None = last
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((*_OURS, "<")) or name == "<template>":
            return f"{relative(name)}:{frame.f_lineno}"
        last = frame
        frame = frame.f_back
    return f"{relative(last.f_code.co_filename)}:{last.f_lineno}"


class Statement(NamedTuple):
    """A statement that ran.

    Its text, the line that made it, and how long it took in seconds.
    """

    text: str
    place: str
    seconds: float


class Watch:
    """The statements of one unit of work, for the development server and for tests.

    Attributes:
        statements: In the order in which they ran, bounded; `count` goes on.
    """

    __slots__ = ("_outer", "_started", "count", "statements")
    limit = 1000

    def __init__(self, outer: "Watch | None" = None) -> None:
        self._outer = outer
        self.count = 0
        self.statements: list[Statement] = []
        self._started = 0.0

    def started(self) -> None:
        """Note that a statement starts."""
        self._started = perf_counter()

    def ended(self, text: str) -> None:
        """Note that a statement ended; savepoints, which a test has around its units of work, do not count."""
        if text.startswith(_SAVEPOINTS):
            return
        self._note(Statement(text, place(), perf_counter() - self._started))

    def _note(self, statement: Statement) -> None:
        self.count += 1
        if len(self.statements) < self.limit:
            self.statements.append(statement)
        if self._outer is not None:
            self._outer._note(statement)  # a request within the block of a test

    def repeats(self) -> list[tuple[Statement, int]]:
        """Return the statements that ran more than once from the same line.

        Most often first.
        """
        counted: Counter[tuple[str, str]] = Counter((one.text, one.place) for one in self.statements)
        first = {(one.text, one.place): one for one in reversed(self.statements)}
        return [(first[key], count) for key, count in counted.most_common() if count > 1]

    def report(self) -> str:
        """Return a text that lists the statements, with repeats marked."""
        times = {(one.text, one.place): count for one, count in self.repeats()}
        lines = []
        for one in self.statements:
            count = times.pop((one.text, one.place), None)
            mark = f"  (x{count})" if count else ""
            lines.append(f"{one.place}: {' '.join(one.text.split())}{mark}")
        return "\n".join(lines)


current_watch: ContextVar[Watch | None] = ContextVar("demijohn_db_watch", default=None)


def queries_so_far() -> list[dict[str, object]]:
    """Return the statements of the running request as rows of a panel, repeats marked."""
    watch = current_watch.get()
    if watch is None:
        return []
    times = {(one.text, one.place): count for one, count in watch.repeats()}
    return [
        {
            "ms": round(one.seconds * 1000, 3),
            "line": one.place,
            "statement": " ".join(one.text.split()),
            "repeated": f"{count} times" if (count := times.get((one.text, one.place))) else "",
        }
        for one in watch.statements
    ]


everywhere: list[Watch] = []
"""Watches of tests: requests have contexts of their own, which what a test sets does not reach."""


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch the statements of the block, those of its child tasks and of all requests meanwhile included."""
    watch = Watch()
    token = current_watch.set(watch)
    everywhere.append(watch)
    try:
        yield watch
    finally:
        everywhere.remove(watch)
        current_watch.reset(token)


@contextmanager
def max_queries(limit: int) -> Iterator[Watch]:
    """Fail if the block runs more than `limit` statements.

    They are listed with their lines.

    Raises:
        AssertionError: There were more.

    Example:
        with max_queries(3):
            await client.get("/posts")
    """
    with watching() as watch:
        yield watch
    if watch.count > limit:
        raise AssertionError(f"{watch.count} statements ran, at most {limit} were expected:\n{watch.report()}")
