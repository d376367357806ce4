"""What databases say where a table or column is missing: the migrations were not applied."""

from typing import Any

__all__ = ["is_schema_missing"]

_STATES = frozenset(("42P01", "42703"))
_NUMBERS = frozenset((1146, 1054))
_WORDS = ("no such table", "no such column", "has no column named")


def is_schema_missing(error: BaseException) -> bool:
    """Return whether an error, or what it came from, says that a table or column is missing."""
    seen: BaseException | None = error
    while seen is not None:
        original: Any = getattr(seen, "orig", None) or seen
        first = original.args[0] if getattr(original, "args", None) else None
        if getattr(original, "sqlstate", None) in _STATES or (isinstance(first, int) and first in _NUMBERS):
            return True
        if any(words in str(original) for words in _WORDS):
            return True
        if str(original).startswith(("ORA-00942", "ORA-00904")):
            return True
        seen = seen.__cause__
    return False
