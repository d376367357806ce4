"""The column types that migrations write, by plain names: they outlive the classes of the models.

A migration says `kinds.DateTime()` and not the class of a model or an enumeration, which may be gone when it runs.
"""

from typing import Any

from sqlalchemy import BigInteger, Interval, LargeBinary, String, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from demijohn.db.storage import BIG_KEY, DecimalType, TypedJSON, UTCDateTime, type_for

__all__ = ["JSON", "BigKey", "Binary", "DateTime", "Decimal", "Duration", "LongText", "Name"]

DateTime = UTCDateTime
"""An aware moment, in UTC, with microseconds."""
Decimal = DecimalType
"""`Decimal(15, 2)`: digits in all, and behind the point."""


def JSON() -> TypeEngine[Any]:  # noqa: N802 - it stands where a type stands
    """Return the type of JSON: JSONB on PostgreSQL."""
    return TypedJSON(Any)


def BigKey() -> TypeEngine[Any]:  # noqa: N802
    """Return the type of integer keys: 64 bits, and the row id on SQLite."""
    return BIG_KEY


def LongText() -> TypeEngine[Any]:  # noqa: N802
    """Return the type of text without a limit."""
    found = type_for(str, text=True)
    return found if found is not None else Text()


def Name() -> TypeEngine[Any]:  # noqa: N802
    """Return the type of a `str` without `max_length`: 255 characters where a limit has to be."""
    found = type_for(str)
    return found if found is not None else String()


def Binary() -> TypeEngine[Any]:  # noqa: N802
    """Return the type of bytes without a limit."""
    found = type_for(bytes)
    return found if found is not None else LargeBinary()


class Duration(TypeDecorator[Any]):
    """A time span: INTERVAL where the server has it, microseconds elsewhere."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in {"postgresql", "oracle"}:
            return dialect.type_descriptor(Interval())
        return dialect.type_descriptor(BigInteger())
