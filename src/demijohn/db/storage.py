"""How Python types are stored: the same value comes back on every backend."""

import enum
import re
import secrets
import time
from dataclasses import is_dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, is_typeddict
from uuid import UUID

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Enum,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.dialects import mysql, oracle, postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from demijohn.db.faults import QueryError
from demijohn.schema import register_format

if TYPE_CHECKING:
    from sqlalchemy.sql.type_api import _BindProcessorType, _ResultProcessorType

__all__ = [
    "DecimalType",
    "IntEnumType",
    "TypedJSON",
    "UTCDateTime",
    "enum_type",
    "is_storage_key",
    "now",
    "type_for",
    "uuid7",
]

UTC = UTC


def now() -> datetime:
    """Return the present moment, aware and in UTC."""
    return datetime.now(UTC)


_STORAGE_KEY = re.compile(r"[\w-][\w .()+@-]*(?:/[\w-][\w .()+@-]*)*")


def is_storage_key(text: str) -> bool:
    """Return whether a text names a file in a storage: `covers/2026/moby.jpg`.

    It is a relative path of plain names, none of which begins with a dot, so that it leads nowhere else.
    """
    return len(text) <= 255 and _STORAGE_KEY.fullmatch(text) is not None and not text.endswith((" ", "."))


register_format("storage-key", is_storage_key)

_last_uuid7 = 0


def uuid7() -> UUID:
    """Return a UUID of version 7 (RFC 9562).

    Random, and in the order in which this process made them.
    """
    global _last_uuid7
    stamp = time.time_ns()
    moment, fraction = divmod(stamp, 1_000_000)
    # 48 bits of milliseconds, 12 bits of their fraction; a clock that stands still or runs back is counted up.
    value = (moment << 12) | (fraction * 4096 // 1_000_000)
    value = _last_uuid7 = max(value, _last_uuid7 + 1)
    high, low = value >> 12, value & 0xFFF
    return UUID(int=(high << 80) | (0x7 << 76) | (low << 64) | (0b10 << 62) | secrets.randbits(62))


_ZONED = frozenset(("postgresql", "oracle"))
"""The databases that take moments with their zone."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept and returned in UTC with microseconds."""

    impl = DateTime
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(timezone=True)

    @property
    def python_type(self) -> type[Any]:
        return datetime

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        if dialect.name == "oracle":
            return dialect.type_descriptor(oracle.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if not isinstance(value, datetime):
            raise QueryError(
                f"{value!r} was given for a date and time.",
                why="A column of datetimes takes aware datetimes only.",
                fix="datetime(2026, 1, 31, tzinfo=UTC)",
            )
        if value.tzinfo is None:
            raise QueryError(
                f"The datetime {value.isoformat()} has no time zone.",
                why="Every moment is stored in UTC, and without a zone nobody knows which moment this is.",
                fix="Make it aware: `value.replace(tzinfo=UTC)`, or take `demijohn.db.now()` for the present.",
            )
        value = value.astimezone(UTC)
        return value if dialect.name in _ZONED else value.replace(tzinfo=None)

    def bind_processor(self, dialect: Dialect) -> "_BindProcessorType[datetime] | None":
        """Return what each value of a parameter goes through: one function, short for what is in UTC already."""
        write = self.impl_instance.dialect_impl(dialect).bind_processor(dialect)
        keeps_zone = dialect.name in _ZONED
        convert = self.process_bind_param

        def process(value: Any) -> Any:
            if type(value) is datetime and value.tzinfo is UTC:
                made: Any = value if keeps_zone else value.replace(tzinfo=None)
            else:
                made = convert(value, dialect)
            return made if write is None else write(made)

        return process

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is UTC:
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> "_ResultProcessorType[datetime]":
        """Return what each value of a result goes through: one function instead of three (Any: of the driver)."""
        read = self.impl_instance.dialect_impl(dialect).result_processor(dialect, coltype)

        def process(value: Any) -> datetime | None:
            if value is None:
                return None
            made: datetime | None = value if read is None else read(value)
            if made is None:
                return None
            zone = made.tzinfo
            if zone is None:
                return made.replace(tzinfo=UTC)
            return made if zone is UTC else made.astimezone(UTC)

        if read is None:
            process.leaves_utc = True  # type: ignore[attr-defined]  # the fast path asks before it calls
        return process


class DecimalType(TypeDecorator[Decimal]):
    """A decimal of fixed scale.

    SQLite keeps 15 digits; more are refused rather than rounded.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int = 15, scale: int = 2) -> None:
        super().__init__(precision=precision, scale=scale, asdecimal=True)
        self.precision = precision
        self.scale = scale
        self._step = Decimal(1).scaleb(-scale)

    @property
    def python_type(self) -> type[Any]:
        return Decimal

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Numeric(self.precision, self.scale, asdecimal=False))
        return dialect.type_descriptor(Numeric(self.precision, self.scale))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        digits = Decimal(value) if isinstance(value, int | str) else value
        if isinstance(digits, Decimal) and len(digits.normalize().as_tuple().digits) > 15:
            raise QueryError(
                f"The decimal {value} has more than 15 digits.",
                why="SQLite keeps numbers as binary floats and would change it.",
                fix="Use PostgreSQL or MariaDB for such amounts, or a column of text.",
            )
        return float(digits)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        try:
            return Decimal(repr(value)).quantize(self._step, ROUND_HALF_EVEN)
        except InvalidOperation:
            return Decimal(repr(value))


class TypedJSON(TypeDecorator[Any]):
    """JSON that is read into a Struct, dataclass or typed collection.

    It is checked on the way in and out.
    """

    impl = JSON
    cache_ok = True

    def __init__(self, tp: Any) -> None:
        super().__init__(none_as_null=True)
        self.tp = tp

    @property
    def python_type(self) -> type[Any]:
        return self.tp if isinstance(self.tp, type) else object

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        return self.impl_instance.coerce_compared_value(op, value)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else msgspec.to_builtins(value, str_keys=True)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if value is None or self.tp is Any:
            return value
        return msgspec.convert(value, self.tp)


def enum_type(cls: type[enum.Enum]) -> Enum:
    """Return the type of a string enumeration.

    It is stored by its values, and held by a CHECK.
    """
    values = [str(member.value) for member in cls]
    return Enum(
        cls,
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=max(20, *map(len, values)),
        values_callable=lambda members: [str(member.value) for member in members],
        name=None,
    )


class IntEnumType(TypeDecorator[Any]):
    """An enumeration of integers, stored as such."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, cls: type[enum.Enum]) -> None:
        numbers = [int(member.value) for member in cls]
        super().__init__()
        self.cls = cls
        self.wide = max(map(abs, numbers)) > 32767

    @property
    def python_type(self) -> type[Any]:
        return self.cls

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if self.wide else SmallInteger())

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        try:
            return int(self.cls(value).value)
        except ValueError:
            raise QueryError(
                f"{value!r} is no {self.cls.__name__}.",
                why=f"Its values are {', '.join(str(member.value) for member in self.cls)}.",
                fix=f"{self.cls.__name__}.{next(iter(self.cls)).name}",
            ) from None

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self.cls(value)


BIG_KEY = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
"""The type of integer keys: 64 bits, and the row id on SQLite."""
_NO_LENGTH = String().with_variant(mysql.VARCHAR(255), "mysql", "mariadb").with_variant(oracle.VARCHAR2(255), "oracle")
_LONG_TEXT = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_LONG_BYTES = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


class _Duration(TypeDecorator[timedelta]):
    """A time span, in microseconds where the server has no type for it."""

    impl = BigInteger
    cache_ok = True

    @property
    def python_type(self) -> type[Any]:
        return timedelta

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in {"postgresql", "oracle"}:
            return dialect.type_descriptor(Interval())
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> Any:
        if value is None or dialect.name in {"postgresql", "oracle"}:
            return value
        return value // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> timedelta | None:
        return timedelta(microseconds=value) if isinstance(value, int) else value


def type_for(
    tp: Any,
    *,
    max_length: int | None = None,
    text: bool = False,
    big: bool = False,
    digits: tuple[int, int] | None = None,
) -> TypeEngine[Any] | None:
    """Return the column type for a Python type, or None where there is none.

    Any: an annotation may be anything.
    """
    if isinstance(tp, type):
        if issubclass(tp, enum.Enum):
            members = list(tp)
            whole = bool(members) and all(type(member.value) is int for member in members)
            return IntEnumType(tp) if whole else enum_type(tp)
        if tp is str:
            if text:
                return _LONG_TEXT
            return _NO_LENGTH if max_length is None else String(max_length)
        if tp is Decimal:
            return DecimalType(*(digits or (15, 2)))
        if tp is int:
            return BigInteger() if big else Integer()
        for python, sql in _SIMPLE:
            if tp is python:
                return sql
        if issubclass(tp, str | int | float) and not issubclass(tp, bool):
            return None
        return TypedJSON(tp) if _is_data(tp) else None
    origin = get_origin(tp)
    if tp is Any or origin in {dict, list, tuple, set, frozenset}:
        return TypedJSON(tp)
    if origin in {Union, UnionType} and all(
        _is_data(part) or get_origin(part) in {dict, list} for part in get_args(tp)
    ):
        return TypedJSON(tp)
    return None


def _is_data(tp: Any) -> bool:
    """Return whether JSON is the way to store a class: Structs, dataclasses, TypedDicts, dict and list."""
    if not isinstance(tp, type):
        return False
    return tp in {dict, list} or issubclass(tp, msgspec.Struct) or is_dataclass(tp) or is_typeddict(tp)


_SIMPLE: list[tuple[type, TypeEngine[Any]]] = [
    (bool, Boolean()),
    (float, Double()),
    (datetime, UTCDateTime()),
    (date, Date()),
    (clock_time, Time().with_variant(mysql.TIME(fsp=6), "mysql", "mariadb")),
    (timedelta, _Duration()),
    (UUID, Uuid()),
    (bytes, _LONG_BYTES),
]
