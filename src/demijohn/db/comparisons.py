"""What a field may be compared with by a keyword of a filter: a wrong kind of value is an error, never silence."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import RelationshipProperty

from demijohn.db.checking import is_expression
from demijohn.db.declarative import Declarative
from demijohn.db.descriptions import describe
from demijohn.db.faults import QueryError
from demijohn.db.naming import attribute_of
from demijohn.db.shapes import PLAIN, Equal
from demijohn.db.storage import UTCDateTime

__all__ = ["equal", "quick_fields"]

_TAKEN: Final[Mapping[type, tuple[type, ...]]] = {
    str: (str,),
    bytes: (bytes, bytearray, memoryview),
    int: (int,),
    float: (float, int, Decimal),
    Decimal: (Decimal, int, float),
    bool: (bool,),
    datetime: (datetime,),
    date: (date,),
    time: (time,),
    timedelta: (timedelta,),
    UUID: (UUID,),
}
_WORDS: Final[Mapping[type, str]] = {
    str: "a text",
    bytes: "bytes",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    bool: "True or False",
    datetime: "a datetime with its time zone",
    date: "a date",
    time: "a time",
    timedelta: "a timedelta",
    UUID: "a UUID",
}
_EXAMPLES: Final[Mapping[type, str]] = {
    str: '"text"',
    bytes: 'b"bytes"',
    int: "1",
    float: "1.5",
    Decimal: 'Decimal("1.50")',
    bool: "True",
    datetime: "datetime(2026, 1, 31, tzinfo=UTC)",
    date: "date(2026, 1, 31)",
    time: "time(12, 30)",
    timedelta: "timedelta(days=1)",
    UUID: 'UUID("...")',
}
_QUICK = "__demijohn_quick__"


def equal(model: type[Declarative], name: str, value: Any) -> Any:
    """Return `field == value`, made of SQLAlchemy's expressions now, or later where it is plain.

    Any: a value of the field's type or an expression.

    Raises:
        QueryError: The model has no such field, or the field can never hold such a value.
    """
    kind = type(value)
    if kind in quick_fields(model).get(name, ()):
        return Equal(model, name, value)
    attribute = attribute_of(model, name)
    if value is not None and not is_expression(value):
        _check(model, name, value)
    if kind in PLAIN and name in model.__mapper__.column_attrs:
        return Equal(model, name, value)
    return attribute == value


def quick_fields(model: type[Declarative]) -> Mapping[str, frozenset[type]]:
    """Return the types of which every value may be compared with a field, by the names of fields of plain types."""
    known: Mapping[str, frozenset[type]] | None = model.__dict__.get(_QUICK)
    if known is not None:
        return known
    found: dict[str, frozenset[type]] = {}
    columns = model.__mapper__.column_attrs
    for name, field in describe(model).items():
        if name in columns and isinstance(field.type, type) and field.type in _TAKEN:
            taken = {*_TAKEN[field.type], type(None)} & PLAIN
            if field.type is not datetime:  # which has to be looked at
                found[name] = frozenset(taken)
    type.__setattr__(model, _QUICK, found)
    return found


def _check(model: type[Declarative], name: str, value: Any) -> None:
    """Refuse a value that a field can never hold."""
    link = model.__mapper__.relationships.get(name)
    if link is not None:
        _check_related(model, link, value)
        return
    field = describe(model).get(name)
    if field is None or not isinstance(field.type, type):
        return
    if issubclass(field.type, Enum):
        members = list(field.type)
        if not any(value is one or value == one.value or value == str(one.value) for one in members):
            words = "one of " + ", ".join(str(one) for one in members)
            raise _wrong(model, name, value, words, str(members[0]) if members else "...")
        return
    taken = _TAKEN.get(field.type)
    if taken is None:
        return
    if not isinstance(value, taken) or (field.type is date and isinstance(value, datetime)):
        raise _wrong(model, name, value, _WORDS[field.type], _EXAMPLES[field.type])
    if isinstance(value, datetime) and value.tzinfo is None:
        column = model.__mapper__.column_attrs[name].columns[0]
        if isinstance(column.type, UTCDateTime):
            raise QueryError(
                f"{model.__name__}.{name} was compared with {value.isoformat()}, which has no time zone.",
                why="Every moment is stored in UTC, and without a zone nobody knows which moment this is.",
                fix="Make it aware: `value.replace(tzinfo=UTC)`, or take `demijohn.db.now()` for the present.",
            )


def _check_related(model: type[Declarative], link: RelationshipProperty[Any], value: Any) -> None:
    target = link.mapper.class_
    if link.uselist:
        raise QueryError(
            f"{model.__name__}.{link.key} was compared with {_shown(value)}, and it is a relation to many.",
            why="A collection equals no value; it has an object in it, or it has not.",
            fix=f"{model.__name__}.where({model.__name__}.{link.key}.contains(obj)), or `.any(...)` with criteria",
        )
    if not isinstance(value, target):
        keys = [model.__mapper__.get_property_by_column(column).key for column in link.local_columns]
        by_key = f", or `{keys[0]}=...` for its key" if len(keys) == 1 and link.direction.name == "MANYTOONE" else ""
        raise QueryError(
            f"{model.__name__}.{link.key} was compared with {_shown(value)}, and it takes {target.__name__} or None.",
            why="A relation is compared with the object that it leads to.",
            fix=f"{model.__name__}.where({link.key}=obj){by_key}",
        )


def _wrong(model: type[Declarative], name: str, value: Any, words: str, example: str) -> QueryError:
    many = isinstance(value, (list, tuple, set, frozenset))
    return QueryError(
        f"{model.__name__}.{name} was compared with {_shown(value)}, and it takes {words}.",
        why="Keywords compare a field with one value."
        if many
        else "No row can hold such a value: the filter would find nothing, or what the database makes of it.",
        fix=f"{model.__name__}.where({model.__name__}.{name}.in_([...]))"
        if many
        else f"{model.__name__}.where({name}={example})",
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
