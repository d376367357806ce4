"""Reads run in autocommit; BEGIN is sent at the first statement that writes or locks.

SQLAlchemy believes that a transaction began when its session first used the connection. The dialects of this package
send nothing at that time: each statement is classified just before it runs, and the first one that writes makes the
connection begin. A commit or rollback of a unit of work that only read costs nothing.
"""

import re
from typing import Any, Protocol

from demijohn.db.watching import Watch, current_watch

__all__ = ["DeferredBegin", "Deferring", "is_write"]

_COMMENTS = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*", re.DOTALL)
_READ = re.compile(
    r"(?:select|with|values|show|explain|describe|desc|table)\b|pragma\s+[\w.]+\s*(?:$|\(|;)", re.IGNORECASE
)
_WRITES_WITHIN = re.compile(
    # A statement that reads as a whole, and writes or locks by a part of it. A match inside of a string only costs a
    # BEGIN.
    r"\b(?:insert|update|delete|merge|replace\s+into|into\s+\w+\s+from)\b|\bfor\s+(?:no\s+key\s+|key\s+)?(?:update|share)\b"
    r"|\block\s+in\s+share\s+mode\b|\bpg_(?:try_)?advisory_xact_lock|\bset_config\s*\(",
    re.IGNORECASE,
)
_KNOWN_LIMIT = 2000
_known: dict[str, bool] = {}


def is_write(statement: str) -> bool:
    """Return whether a statement writes or locks, so that it needs a transaction.

    In doubt it does: an unneeded BEGIN costs a round trip, a missing one costs atomicity. What is known is kept,
    bounded.
    """
    known = _known.get(statement)
    if known is None:
        start = _COMMENTS.match(statement)
        position = start.end() if start else 0
        known = _READ.match(statement, position) is None or _WRITES_WITHIN.search(statement, position) is not None
        if len(_known) >= _KNOWN_LIMIT:
            _known.clear()
        _known[statement] = known
    return known


class Deferring(Protocol):
    """A driver connection (in SQLAlchemy's async shape) that begins when it is told."""

    def is_begun(self) -> bool:
        """Return whether BEGIN was sent and neither COMMIT nor ROLLBACK since."""
        ...

    def begin_now(self, *, isolation: str | None = None, read_only: bool = False) -> None:
        """Send BEGIN, unless it was sent before."""


class DeferredBegin:
    """Mixed into a dialect: begins just before the first statement that writes.

    Arguments are those of SQLAlchemy's `Dialect` (Any: its own signature leaves them open).
    """

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        watch = self._begin_for(cursor, statement, context)
        super().do_execute(cursor, statement, parameters, context)  # type: ignore[misc]
        if watch is not None:
            watch.ended(statement)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        watch = self._begin_for(cursor, statement, context)
        super().do_execute_no_params(cursor, statement, context)  # type: ignore[misc]
        if watch is not None:
            watch.ended(statement)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        watch = self._begin_for(cursor, statement, context)
        super().do_executemany(cursor, statement, parameters, context)  # type: ignore[misc]
        if watch is not None:
            watch.ended(statement)

    def do_begin(self, dbapi_connection: Any) -> None:
        """Send nothing: the first write does."""

    def _begin_for(self, cursor: Any, statement: str, context: Any) -> Watch | None:
        connection = cursor._adapt_connection
        if not connection.is_begun() and (is_write(statement) or _locks(context)):
            connection.begin_now()
        watch = current_watch.get()
        if watch is not None:
            watch.started()
        return watch


def _locks(context: Any) -> bool:
    compiled = None if context is None else context.compiled
    return compiled is not None and getattr(compiled.statement, "_for_update_arg", None) is not None
