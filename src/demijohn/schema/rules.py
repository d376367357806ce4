"""Constraints of a field as small tests, each with its code and its source text."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from demijohn._lib.translation import ngettext_lazy
from demijohn.errors import ConfigurationError, FieldError
from demijohn.schema.field import Field
from demijohn.schema.formats import find_format, name_of_format
from demijohn.schema.messages import field_error

__all__ = ["Rule", "rules_of", "unit_of"]

# What is tested, with the value as `x` and the bound as `k`: both the slow walk and the compiled check come from here.
_SOURCES = {
    "min_length": "len(x) >= k",
    "max_length": "len(x) <= k",
    "gt": "x > k",
    "ge": "x >= k",
    "lt": "x < k",
    "le": "x <= k",
    "multiple_of": "k(x)",
    "decimal_places": "k(x)",
    "pattern": "k(x) is not None",
    "choice": "k(x)",
    "format": "k(x)",
    "timezone": "x.tzinfo is not None",
    "no_timezone": "x.tzinfo is None",
    "value": "k(x)",
    "range": "k(x)",
}
_TESTS: dict[str, Callable[[Any, Any], Any]] = {
    code: eval(f"lambda x, k: {source}")  # noqa: S307 - the constant texts above
    for code, source in _SOURCES.items()
}

_UNITS: dict[str, Callable[[int], str]] = {
    "text": lambda limit: ngettext_lazy("character", "characters", limit),
    "bytes": lambda limit: ngettext_lazy("byte", "bytes", limit),
    "collection": lambda limit: ngettext_lazy("item", "items", limit),
}
_LENGTH = ("min_length", "max_length")
_ORDER = ("gt", "ge", "lt", "le")


class Rule:
    """One constraint: `holds(value)` says whether it is kept, `error(place)` what to tell."""

    __slots__ = ("code", "constant", "source", "values")

    def __init__(self, code: str, constant: Any, **values: Any) -> None:
        self.code = code
        self.constant = constant
        self.values = values
        self.source = _SOURCES[code]

    def holds(self, value: Any) -> bool:
        try:
            return bool(_TESTS[self.code](value, self.constant))
        except (TypeError, ArithmeticError):  # a naive time beside an aware one, a signalling number
            return False
        except ValueError:
            if self.code == "value":
                raise
            return False

    def test_of(self, value: str, constant: str) -> str:
        """Return the source of the test, with these two names in it."""
        return re.sub(r"\b[xk]\b", lambda found: value if found[0] == "x" else constant, self.source)

    def error(self, place: tuple[str | int, ...]) -> FieldError:
        return field_error(place, self.code, **self.values)


def rules_of(field: Field, family: str) -> list[Rule]:
    """Return the rules of a description that make sense for a family of types.

    Families are `text`, `bytes`, `number`, `moment` (dates and times), `collection`, `flag` and `other`.
    """
    rules: list[Rule] = []
    if family in _UNITS:
        for code in _LENGTH:
            limit = getattr(field, code)
            if limit is not None:
                rules.append(Rule(code, limit, limit=limit, unit=unit_of(family, limit)))
    if family in ("number", "moment"):
        for code in _ORDER:
            limit = getattr(field, code)
            if limit is not None:
                rules.append(Rule(code, limit, limit=limit))
    if family == "number" and field.multiple_of is not None:
        rules.append(Rule("multiple_of", _multiple(field.multiple_of), limit=field.multiple_of))
    if family == "number" and field.decimal_places is not None:
        places = field.decimal_places
        unit = ngettext_lazy("decimal place", "decimal places", places)
        rules.append(Rule("decimal_places", _fitting(places), limit=places, unit=unit))
    if family == "moment" and field.timezone is not None:
        rules.append(Rule("timezone" if field.timezone else "no_timezone", None))
    if family == "text":
        if field.pattern is not None:
            rules.append(Rule("pattern", re.compile(field.pattern).fullmatch))
        if field.format is not None and (check := find_format(field.format)) is not None:
            rules.append(Rule("format", check, expected=name_of_format(field.format)))
    if field.choices is not None and family != "collection":
        allowed = [value for value, _ in field.choices]
        shown = ", ".join(map(str, allowed))
        rules.append(Rule("choice", _member(allowed), choices=shown))
    if field.check is not None:
        rules.append(Rule("value", field.check))
    return rules


def refuse_misplaced(field: Field, families: set[str], tp: Any) -> None:
    """Raise `ConfigurationError` for a constraint that no type in `families` can keep (DJN-010)."""
    wanted = [
        (_LENGTH, set(_UNITS), "a string, bytes or collection"),
        (_ORDER, {"number", "moment"}, "a number, date or time"),
        (("multiple_of", "decimal_places"), {"number"}, "a number"),
        (("timezone",), {"moment"}, "a date and time"),
        (("pattern",), {"text"}, "a string"),
    ]
    if "other" in families:  # a type of someone else's may well have a length or an order
        return
    for names, fitting, wording in wanted:
        for name in names:
            if getattr(field, name) is not None and not families & fitting:
                raise ConfigurationError(
                    f"Field({name}={getattr(field, name)!r}) stands on {tp!r}.",
                    why=f"`{name}` is a constraint of {wording}.",
                    fix=f"Remove `{name}`, or put it on the part of the type that it is meant for.",
                    code="DJN-010",
                )


def unit_of(family: str, limit: int) -> str:
    """Return what the length of a family of types is counted in, in the form for a number."""
    return _UNITS[family](limit)


def _multiple(step: Any) -> Callable[[Any], bool]:
    def is_multiple(value: Any) -> bool:
        if isinstance(value, float) or isinstance(step, float):
            quotient = float(value) / float(step)
            return bool(abs(quotient - round(quotient)) <= 1e-9 * max(1.0, abs(quotient)))
        return bool(value % step == 0)

    return is_multiple


def _fitting(places: int) -> Callable[[Any], bool]:
    def has_no_more(value: Any) -> bool:
        exponent = Decimal(str(value)).as_tuple().exponent
        if isinstance(exponent, str) or exponent >= -places:
            return True
        normal = Decimal(str(value)).normalize().as_tuple().exponent  # 2.500 has one place
        return isinstance(normal, str) or normal >= -places

    return has_no_more


def _member(allowed: list[Any]) -> Callable[[Any], bool]:
    try:
        return frozenset(allowed).__contains__
    except TypeError:
        return allowed.__contains__
