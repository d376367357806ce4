"""The constraints of fields, held when objects are written: one compiled check per model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from operator import itemgetter
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import BigInteger, Column, Computed, Integer, SmallInteger, inspect
from sqlalchemy.orm import Session
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import TypeEngine

from demijohn._lib.sentinels import MISSING
from demijohn._lib.translation import gettext_noop as _
from demijohn.db.declarative import Declarative
from demijohn.db.descriptions import describe, typed
from demijohn.db.storage import DecimalType, UTCDateTime
from demijohn.errors import FieldError, ValidationFailed
from demijohn.schema import MESSAGES, Field, converter, field_error
from demijohn.schema.rules import Rule, rules_of

__all__ = ["check_rows", "check_session", "check_types", "is_expression", "unchecked"]

MESSAGES.setdefault("characters", _("This holds characters that cannot be stored."))
_FAMILIES: dict[type, str] = {
    str: "text",
    bytes: "bytes",
    int: "number",
    float: "number",
    Decimal: "number",
    date: "moment",
    datetime: "moment",
    time: "moment",
    timedelta: "other",
    bool: "flag",
    UUID: "other",
}


class _Checker:
    """The compiled check of one model."""

    __slots__ = ("changed", "fields", "kinds", "new", "readers", "required", "types")

    def __init__(self, model: type[Declarative]) -> None:
        self.fields: dict[str, Field] = {}
        self.required: list[str] = []
        for name, field in describe(model).items():
            attribute = model.__mapper__.column_attrs.get(name)
            column = None if attribute is None else attribute.columns[0]
            if isinstance(column, Column) and not isinstance(column.server_default, Computed):
                self.fields[name] = field = _bounded(field, column.type)
                # What a relation fills in is known only while the flush runs, and the database holds it.
                if field.required and "key_of" not in field.extra and not column.foreign_keys:
                    self.required.append(name)
        self.readers: dict[str, Callable[[Any], Any]] = {}
        self.new = _compile(self.fields, self.required)
        self.changed = _compile(self.fields, [])
        self.types = _compile({name: _bare(field) for name, field in self.fields.items()}, [])
        self.kinds = {name: field.type for name, field in self.fields.items() if _is_exact(field.type)}

    def type_errors(self, values: Mapping[str, Any]) -> list[FieldError]:
        """Return the errors of values whose type the database would not keep as it is."""
        found: list[FieldError] = []
        for name, value in values.items():
            field = self.fields.get(name)
            tp = None if field is None else field.type
            if field is None or value is None or not isinstance(tp, type) or tp not in _FAMILIES:
                continue
            if isinstance(value, tp) or is_expression(value) or (tp in _NUMBERS and isinstance(value, _NUMBERS[tp])):
                continue
            try:
                converter(tp, place=("body", name))(value)
            except ValidationFailed as failed:
                found += failed.errors
        return found

    def columns_hold(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether rows of the same names hold exact types, looked at column by column; in doubt it says no."""
        for name in rows[0] if rows else ():
            if name not in self.fields:
                continue
            kind = self.kinds.get(name)
            values = list(map(itemgetter(name), rows))
            found = set(map(type, values))
            found.discard(type(None))
            if kind is None or not found <= {kind}:
                return False
            if kind is str and found:
                text = "".join(values if None not in values else filter(None, values))
                if not text.isascii() or "\0" in text:  # half a pair could find its other half in the next value
                    return False
        return True

    def errors(self, values: Mapping[str, Any], *, complete: bool) -> list[FieldError]:
        """Return every error of the values."""
        found: list[FieldError] = []
        for name, field in self.fields.items():
            value = values.get(name, MISSING)
            place = ("body", name)
            if value is None or value is MISSING:
                if (complete and name in self.required) or (value is None and not _may_be_none(field)):
                    found.append(field_error(place, "missing"))
                continue
            if is_expression(value):
                continue
            if isinstance(value, str) and not _is_storable(value):
                found.append(field_error(place, "characters"))
                continue
            read = self.readers.get(name)
            if read is None:
                read = self.readers[name] = converter(typed(field), place=place)
            try:
                read(value)
            except ValidationFailed as failed:
                found += failed.errors
        return found


def _bounded(field: Field, kind: TypeEngine[Any]) -> Field:
    """Return a field with the bounds of its column, which servers hold in their own ways or not at all."""
    if isinstance(kind, UTCDateTime):
        return field.replace(timezone=True)
    if isinstance(kind, DecimalType) and field.type is Decimal:
        most = Decimal(10) ** (kind.precision - kind.scale)
        return field.replace(
            lt=most if field.lt is None and field.le is None else field.lt,
            gt=-most if field.gt is None and field.ge is None else field.gt,
        )
    if isinstance(kind, Integer) and field.type is int:
        most_bits = 63 if isinstance(kind, BigInteger) else 15 if isinstance(kind, SmallInteger) else 31
        return field.replace(
            le=2**most_bits - 1 if field.lt is None and field.le is None else field.le,
            ge=-(2**most_bits) if field.gt is None and field.ge is None else field.ge,
        )
    return field


def _bare(field: Field) -> Field:
    return Field(type=field.type, name=field.name)


_NUMBERS: dict[type, tuple[type, ...]] = {float: (int, Decimal), Decimal: (int, float)}


def _is_storable(text: str) -> bool:
    """Return whether every database can keep a text: PostgreSQL has no NUL, and UTF-8 no half of a pair."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_exact(tp: Any) -> bool:
    return isinstance(tp, type) and (tp in _FAMILIES or issubclass(tp, Enum))


def _may_be_none(field: Field) -> bool:
    # A default stands for None in an INSERT; the database has the last word.
    return field.nullable or not field.required or "key_of" in field.extra


def is_expression(value: Any) -> bool:
    """Return whether a value is an expression of SQL, which the database computes (Any: any value)."""
    return isinstance(value, ClauseElement) or hasattr(value, "__clause_element__")


def _compile(fields: Mapping[str, Field], required: Sequence[str]) -> Callable[[Mapping[str, Any]], bool]:
    """Return a function of straight code that says whether plain values are right; in doubt it says no."""
    names: dict[str, Any] = {}
    lines = ["def check(values):", "    get = values.get"]
    for index, (name, field) in enumerate(fields.items()):
        lines.append(f"    v = get({name!r})")
        if name in required:
            lines.append("    if v is None: return False")
        tests = _tests(field, index, names)
        if tests is None:
            continue
        lines.append(f"    if v is not None and not ({tests}): return False")
    lines.append("    return True")
    exec(compile("\n".join(lines), "<demijohn check>", "exec"), names)  # noqa: S102 - our own source
    check: Callable[[Mapping[str, Any]], bool] = names["check"]
    return check


def _tests(field: Field, index: int, names: dict[str, Any]) -> str | None:
    tp = field.type
    if not isinstance(tp, type):
        return None if tp is Any else "False"
    names[f"t{index}"] = tp
    tests = [f"v.__class__ is t{index}"]
    if tp in _FAMILIES:
        for number, rule in enumerate(rules_of(field, _FAMILIES[tp])):
            tests.append(_source(rule, f"k{index}_{number}", names))
        if tp is str:
            names["storable"] = _is_storable
            tests.append("(v.isascii() and '\\0' not in v or storable(v))")
    elif not issubclass(tp, Enum):
        return f"isinstance(v, t{index})"
    return " and ".join(tests)


def _source(rule: Rule, constant: str, names: dict[str, Any]) -> str:
    names[constant] = rule.constant
    words = rule.source.replace("max", "\1").replace("x", "\0").replace("k", constant)
    return f"({words})".replace("\0", "v").replace("\1", "max")


_checkers: WeakKeyDictionary[type, _Checker] = WeakKeyDictionary()


def _checker(model: type[Declarative]) -> _Checker:
    known = _checkers.get(model)
    if known is None:
        known = _checkers[model] = _Checker(model)
    return known


def check_session(session: Session) -> None:
    """Check what a flush is about to write.

    New objects are checked whole, others where they were changed.

    Raises:
        ValidationFailed: With every error of every object.
    """
    errors: list[FieldError] = []
    for instance in session.new:
        if isinstance(instance, Declarative):
            checker = _checker(type(instance))
            if not _holds(checker.new, instance.__dict__):
                errors += checker.errors(instance.__dict__, complete=True)
    for instance in session.dirty:
        if isinstance(instance, Declarative):
            changed = inspect(instance).committed_state
            values = {name: instance.__dict__[name] for name in changed if name in instance.__dict__}
            checker = _checker(type(instance))
            if values and not _holds(checker.changed, values):
                errors += checker.errors(values, complete=False)
    if errors:
        raise ValidationFailed(errors)


def _holds(check: Callable[[Mapping[str, Any]], bool], values: Mapping[str, Any]) -> bool:
    try:
        return check(values)
    except (TypeError, ValueError, ArithmeticError):
        return False


def check_types(model: type[Declarative], rows: Sequence[Mapping[str, Any]], *, are_alike: bool = False) -> None:
    """Check the types of the values of mappings, and nothing else.

    Args:
        model: The model that they are rows of.
        rows: The values by field.
        are_alike: All have the same names.

    Raises:
        ValidationFailed: A value is of another kind than its column.
    """
    checker = _checker(model)
    if are_alike and checker.columns_hold(rows):
        return
    with suppress(TypeError, ValueError, ArithmeticError):
        if all(map(checker.types, rows)):
            return
    errors: list[FieldError] = []
    for index, row in enumerate(rows):
        if not _holds(checker.types, row):
            found = checker.type_errors(row)
            if len(rows) > 1:
                found = [error._replace(place=("body", index, *error.place[1:])) for error in found]
            errors += found
    if errors:
        raise ValidationFailed(errors)


def check_rows(model: type[Declarative], rows: Sequence[Mapping[str, Any]], *, complete: bool = False) -> None:
    """Check the values of mappings.

    Args:
        model: The model that they are rows of.
        rows: The values by field.
        complete: They are new rows, so that what is required has to be there.

    Raises:
        ValidationFailed: With every error; places begin with `body` and, of many rows, the number of the row.
    """
    checker = _checker(model)
    check = checker.new if complete else checker.changed
    errors: list[FieldError] = []
    for index, row in enumerate(rows):
        if not _holds(check, row):
            found = checker.errors(row, complete=complete)
            if len(rows) > 1:
                found = [error._replace(place=("body", index, *error.place[1:])) for error in found]
            errors += found
    if errors:
        raise ValidationFailed(errors)


@contextmanager
def unchecked(session: Session) -> Iterator[None]:
    """Write without checking constraints within the block."""
    before = session.info.get("demijohn_unchecked", False)
    session.info["demijohn_unchecked"] = True
    try:
        yield
    finally:
        session.info["demijohn_unchecked"] = before
