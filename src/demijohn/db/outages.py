"""When a database does not answer as it should: clients get 503 with Retry-After, the log gets the reason.

What drivers and servers say differs; what they mean is one of five things, each with a class of its own.
"""

import logging
import sqlite3
from collections.abc import Iterable
from time import monotonic
from typing import Any, NoReturn

from sqlalchemy.exc import DBAPIError, DontWrapMixin

from demijohn.db.missing import SchemaMissing, is_schema_missing
from demijohn.db.watching import place
from demijohn.errors import DemijohnError, ServiceUnavailable

__all__ = [
    "ConnectionLost",
    "LockNotAvailable",
    "OutcomeUnknown",
    "PoolExhausted",
    "StatementTimeout",
    "Unreachable",
    "is_deadlock",
    "is_lost_race",
    "is_stale",
    "pool_is_empty",
    "raise_told",
    "told",
    "unreachable",
]

_log = logging.getLogger("demijohn.db")
_AGAIN = [("retry-after", "1")]


class PoolExhausted(ServiceUnavailable):
    """503: no connection was free in time; the log names who holds them."""


class Unreachable(ServiceUnavailable):
    """503: no connection could be made; the log says why."""


class ConnectionLost(ServiceUnavailable):
    """503: the connection went within a transaction, whose work is undone as a whole."""


class LockNotAvailable(ServiceUnavailable):
    """503: somebody else held a lock for too long, or `nowait` was asked for."""


class StatementTimeout(ServiceUnavailable):
    """503: a statement took longer than it may."""


class OutcomeUnknown(DontWrapMixin, DemijohnError):
    """The connection went while the commit was under way."""

    code = "DJN-855"

    def __init__(self) -> None:
        super().__init__(
            "The connection to the database was lost while it committed.",
            why="Nobody knows whether the work is there: the server may have committed it before it went.",
            fix="Look before it is done again; a unique key that the client chooses makes a repetition harmless.",
        )


def pool_is_empty(alias: str, connections: int, holders: Iterable[Any]) -> PoolExhausted:
    """Return the 503 for a full pool, and log who holds the connections.

    Holders are units of work (Any: they are made above this module).
    """
    now = monotonic()
    held = sorted(((now - unit.since, unit.scope.label or "a script") for unit in holders), reverse=True)
    names = "; ".join(f"{label} for {age:.1f} s" for age, label in held[:10]) or "nobody that is known"
    _note(
        f"full {id(holders)}",
        f"All {connections} connections of the database {alias!r} are in use (DJN-807). Held by: {names}",
    )
    return PoolExhausted("The database is busy.", headers=_AGAIN)


def unreachable(alias: str, error: BaseException) -> Unreachable:
    """Return the 503 for a connection that could not be made, and log the reason."""
    cause = getattr(error, "orig", None) or error
    text = str(cause) or type(cause).__name__
    _note(f"away {alias}", f"The database {alias!r} cannot be reached (DJN-853): {text}")
    return Unreachable("The database cannot be reached.", headers=_AGAIN)


def told(error: Exception, *, alias: str, label: str, committing: bool = False) -> Exception:
    """Return what to raise instead of a driver's error: the same one, unless it means an outage or a missing table.

    Args:
        error: What SQLAlchemy or a driver raised.
        alias: The database.
        label: What runs, for the log.
        committing: It came from COMMIT.
    """
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        if committing:
            return OutcomeUnknown()
        _note(f"lost {alias}", f"{label}: the connection to the database {alias!r} was lost (DJN-854): {error.orig}")
        return ConnectionLost("The connection to the database was lost.", headers=_AGAIN)
    kind = _kind(error)
    if kind == "lock":
        _note(
            f"lock {label}", f"{label}: a lock of the database {alias!r} was not free (DJN-856) at {place()}: {error}"
        )
        return LockNotAvailable("Something else is being written there.", headers=_AGAIN)
    if kind == "time":
        _note(f"time {label}", f"{label}: a statement took too long (DJN-857) at {place()}: {error}")
        return StatementTimeout("The database took too long.", headers=_AGAIN)
    if isinstance(error, DBAPIError) and is_schema_missing(error):
        return SchemaMissing(alias, error)
    return error


_LOCKS: set[Any] = {"55P03", 1205, 3572}
_TIMES: set[Any] = {"57014", 1969, 3024}
_DEADLOCKS: set[Any] = {"40001", "40P01", 1213}


def _codes(error: BaseException) -> set[Any]:
    original: Any = getattr(error, "orig", None) or error
    first = original.args[0] if getattr(original, "args", None) else None
    return {getattr(original, "sqlstate", None), first if isinstance(first, int) else None} - {None}


def _kind(error: BaseException) -> str:
    original: Any = getattr(error, "orig", None) or error
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF
    found = _codes(error)
    text = str(original)
    if code == sqlite3.SQLITE_BUSY or found & _LOCKS or text.startswith(("ORA-00054", "ORA-30006")):
        return "lock"
    if code == sqlite3.SQLITE_INTERRUPT or found & _TIMES:
        return "time"
    return ""


def is_deadlock(error: BaseException) -> bool:
    """Return whether the server ended a transaction for the sake of another, so that it may succeed at once."""
    original: Any = getattr(error, "orig", None) or error
    return bool(_codes(error) & _DEADLOCKS) or str(original).startswith(("ORA-08177", "ORA-00060"))


def is_lost_race(error: BaseException) -> bool:
    """Return whether an error means that the same transaction may succeed if it is run again."""
    if isinstance(error, LockNotAvailable):
        return True
    return is_deadlock(error) or _kind(error) == "lock"


def is_stale(error: BaseException) -> bool:
    """Return whether a table has changed since the server prepared the statement; prepared anew it may run."""
    return type(getattr(error, "orig", None)).__name__ == "InvalidCachedStatementError"


def raise_told(error: BaseException, better: BaseException) -> NoReturn:
    """Raise an error in the place of another, which becomes its cause; the same one is raised as it was."""
    if better is error:
        raise error
    raise better from error


_SECONDS = 1.0
_noted: dict[str, tuple[float, int]] = {}


def _note(key: str, text: str) -> None:
    """Log an outage once a second: a busy site has thousands of them."""
    now = monotonic()
    before, held_back = _noted.get(key, (0.0, 0))
    if before and now - before < _SECONDS:
        _noted[key] = (before, held_back + 1)
        return
    if len(_noted) > 1000:
        _noted.clear()
    _noted[key] = (now, 0)
    _log.error("%s%s", text, f" ({held_back} more of these since)" if held_back else "")
