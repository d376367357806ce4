"""What can go wrong with the database, each told in three beats."""

import asyncio
from collections.abc import Iterable
from typing import Any

from sqlalchemy.exc import DontWrapMixin

from demijohn._lib.text import did_you_mean
from demijohn.db.driver import Frame
from demijohn.db.watching import place
from demijohn.errors import ConfigurationError, DemijohnError, OutsideContext

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
]


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


def unknown(word: str, known: Any) -> str:
    """Return the sentence that names what was probably meant.

    Any: an iterable of names.
    """
    return did_you_mean(word, known)
