"""What databases say where a table or column is missing: the migrations were not applied."""

import sqlite3
from typing import Any

from sqlalchemy.exc import DontWrapMixin

from demijohn.errors import DemijohnError

__all__ = ["SchemaMissing", "is_schema_missing"]

_STATES = frozenset(("42P01", "42703"))
_NUMBERS = frozenset((1146, 1054))
_WORDS = ("no such table", "no such column", "has no column named")


class SchemaMissing(DontWrapMixin, DemijohnError):
    """A statement names a table or column that the database does not have."""

    code = "DJN-860"

    def __init__(self, alias: str, cause: BaseException) -> None:
        database = "" if alias == "default" else f" --database {alias}"
        super().__init__(
            f"The database {alias!r} lacks what a statement names: {_said(cause)}",
            why="The migration that makes it was not applied here, or not written yet; or the name is misspelt.",
            fix=f"demijohn migrate{database}   (first, where the models are newer: demijohn makemigrations{database})",
        )


def is_schema_missing(error: BaseException) -> bool:
    """Return whether an error, or what it came from, says that a table or column is missing."""
    seen: BaseException | None = error
    while seen is not None:
        original: Any = getattr(seen, "orig", None) or seen
        first = original.args[0] if getattr(original, "args", None) else None
        if getattr(original, "sqlstate", None) in _STATES or (isinstance(first, int) and first in _NUMBERS):
            return True
        if isinstance(original, sqlite3.Error) and any(words in str(original) for words in _WORDS):
            return True
        if str(original).startswith(("ORA-00942", "ORA-00904")):
            return True
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return False


def _said(error: BaseException) -> str:
    """Return what the server said, without what drivers put before it."""
    original: Any = getattr(error, "orig", None) or error
    arguments: tuple[Any, ...] = getattr(original, "args", ())
    text = str(arguments[1]) if len(arguments) > 1 and isinstance(arguments[0], int) else str(original)
    if text.startswith("<class "):
        text = text.partition(">: ")[2]
    return f"{text.splitlines()[0].rstrip('.')}." if text else type(original).__name__
