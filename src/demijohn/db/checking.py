"""The constraints of fields, held when objects are written: one compiled check per model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Computed, inspect
from sqlalchemy.orm import Session

from demijohn._lib.sentinels import MISSING
from demijohn.db.declarative import Declarative
from demijohn.db.descriptions import describe, typed
from demijohn.db.storage import UTCDateTime
from demijohn.errors import FieldError, ValidationFailed
from demijohn.schema import Field, converter, field_error
from demijohn.schema.rules import Rule, rules_of

__all__ = ["check_rows", "check_session", "unchecked"]

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

    __slots__ = ("changed", "fields", "new", "readers", "required")

    def __init__(self, model: type[Declarative]) -> None:
        self.fields: dict[str, Field] = {}
        self.required: list[str] = []
        for name, field in describe(model).items():
            attribute = model.__mapper__.column_attrs.get(name)
            column = None if attribute is None else attribute.columns[0]
            if isinstance(column, Column) and not isinstance(column.server_default, Computed):
                if isinstance(column.type, UTCDateTime):
                    field = field.replace(timezone=True)
                self.fields[name] = field
                # What a relation fills in is known only while the flush runs, and the database holds it.
                if field.required and "key_of" not in field.extra and not column.foreign_keys:
                    self.required.append(name)
        self.readers: dict[str, Callable[[Any], Any]] = {}
        self.new = _compile(self.fields, self.required)
        self.changed = _compile(self.fields, [])

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
            if _is_expression(value):
                continue
            read = self.readers.get(name)
            if read is None:
                read = self.readers[name] = converter(typed(field), place=place)
            try:
                read(value)
            except ValidationFailed as failed:
                found += failed.errors
        return found


def _may_be_none(field: Field) -> bool:
    # A default stands for None in an INSERT; the database has the last word.
    return field.nullable or not field.required or "key_of" in field.extra


def _is_expression(value: Any) -> bool:
    return hasattr(value, "__clause_element__") or hasattr(value, "_execute_on_connection") or hasattr(value, "compare")


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
