"""What can go wrong with the database, each told in three beats."""

import asyncio
import logging
import sqlite3
from collections.abc import Iterable
from time import monotonic
from typing import Any

from sqlalchemy.exc import DontWrapMixin

from demijohn._lib.text import did_you_mean
from demijohn._lib.translation import gettext
from demijohn.db.driver import Frame
from demijohn.db.watching import place
from demijohn.errors import ConfigurationError, DemijohnError, OutsideContext, ServiceUnavailable

__all__ = [
    "AlreadyBegun",
    "ModelError",
    "NoDatabase",
    "NoUnit",
    "NotInside",
    "NotLoaded",
    "OtherTask",
    "QueryError",
    "TransactionLost",
    "is_lost_race",
    "pool_is_empty",
]

_log = logging.getLogger("demijohn.db")


class NoUnit(OutsideContext):
    """A query ran where no request, command, task or script has opened a unit of work."""

    code = "DJN-800"

    def __init__(self) -> None:
        super().__init__(
            "A query was made outside of any unit of work.",
            why="Queries belong to a request, a command, a task or a script, which commits or rolls back when it ends.",
            fix="In a script: `async with app.context():`, or `async with db.unit():` without an app.",
        )


class NoDatabase(DemijohnError):
    """A model names a database that is not there."""

    code = "DJN-809"

    def __init__(self, model: str, alias: str, *, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(
            f"The model {model} lives in the database {alias!r}, which is not open here.{did_you_mean(alias, names)}",
            why=f"Open are: {', '.join(map(repr, names)) or 'none'}.",
            fix=f'app.use(Database("sqlite:///{alias}.db", alias={alias!r}))',
        )


class OtherTask(DontWrapMixin, DemijohnError):
    """A unit of work was used by a task or thread other than its own."""

    code = "DJN-801"

    def __init__(self, frame: Frame, label: str) -> None:
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        here = "a thread or callback" if task is None else f"the task {task.get_name()!r}"
        owner = "a thread" if frame.task is None else f"the task {frame.task.get_name()!r}"
        super().__init__(
            f"The unit of work of {label or owner} was used by {here}, but it belongs to {owner}.",
            why="One connection can answer only one of them at a time, and one transaction cannot be half another's.",
            fix="Give the child a unit of its own: `async with db.unit():` inside of it.",
        )


class TransactionLost(DemijohnError):
    """An error that was caught had rolled the transaction back."""

    code = "DJN-802"

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            f"The transaction was rolled back earlier by an error that was caught: {cause.__class__.__name__}.",
            why="What was written before that error is gone, and going on as if it were there would lose it silently.",
            fix="Put what may fail into a block of its own: `async with db.transaction():`, and catch around the "
            "block.",
        )
        self.__cause__ = cause


class NotLoaded(DontWrapMixin, DemijohnError):
    """A relation or column was read that the query did not load.

    It cannot be loaded where it was read.
    """

    code = "DJN-803"


class NotInside(NotLoaded):
    """A statement ran in plain code that is not driven."""

    def __init__(self) -> None:
        super().__init__(
            f"A statement was needed at {place()}, where nothing can wait for the database.",
            why="Plain code may use the database in handlers, commands, tasks and under `db.run(...)`, which drive it.",
            fix="Await the query, load what is needed ahead, or run the code by `await db.run_sync(function)`.",
        )


class QueryError(DontWrapMixin, DemijohnError):
    """A query that cannot mean anything.

    It names a field that is not there, or holds a value of another kind.
    """

    code = "DJN-804"


class ModelError(ConfigurationError):
    """A model that cannot be mapped as it is written."""

    code = "DJN-805"


class AlreadyBegun(DemijohnError):
    """A transaction block asked for something that only the outermost can have."""

    code = "DJN-806"

    def __init__(self, option: str) -> None:
        super().__init__(
            f"`transaction({option}=...)` was entered within a transaction that had begun already.",
            why="Inside of a transaction a block is a savepoint: it has no isolation and no durability of its own.",
            fix="Open it before the first write of the unit of work, or use `async with db.independent():`.",
        )


def pool_is_empty(alias: str, connections: int, holders: Iterable[Any]) -> ServiceUnavailable:
    """Return the 503 for a full pool, and log who holds the connections.

    Holders are units of work (Any: they are made above this module).
    """
    now = monotonic()
    held = sorted(((now - unit.since, unit.scope.label or "a script") for unit in holders), reverse=True)
    names = "; ".join(f"{label} for {age:.1f} s" for age, label in held[:10]) or "nobody that is known"
    _log.error("All %d connections of the database %r are in use (DJN-807). Held by: %s", connections, alias, names)
    return ServiceUnavailable(gettext("The database is busy."), headers=[("retry-after", "1")])


def unknown(word: str, known: Any) -> str:
    """Return the sentence that names what was probably meant.

    Any: an iterable of names.
    """
    return did_you_mean(word, known)


_RACES = {"40001", "40P01"}
_RACE_NUMBERS = {1213, 1205}


def is_lost_race(error: BaseException) -> bool:
    """Return whether an error means that the same transaction may succeed if it is run again."""
    original = getattr(error, "orig", None)
    if original is None:
        return False
    if getattr(original, "sqlstate", None) in _RACES:
        return True
    if getattr(original, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
        return True
    first = original.args[0] if getattr(original, "args", None) else None
    return first in _RACE_NUMBERS or str(original).startswith(("ORA-08177", "ORA-00060"))
