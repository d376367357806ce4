"""Single values: how each type is read from JSON and from the text of a form or query."""

import math
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec

from demijohn._lib.translation import gettext_lazy as _

__all__ = ["SCALARS", "Scalar", "decimal_is_sane", "parse_bool", "parse_float", "parse_int"]

_TRUE = frozenset({"true", "1", "on", "yes", "t", "y"})
_FALSE = frozenset({"false", "0", "off", "no", "f", "n"})
_SPACE_FOR_PLUS = re.compile(r"(.*\d\d:\d\d\S*) (\d\d:?\d\d)").fullmatch
_MAX_DIGITS = 400


def parse_int(text: str) -> int:
    """Read an integer: ASCII digits with an optional sign, spaces around it."""
    text = text.strip()
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isdecimal() and digits.isascii()) or len(digits) > _MAX_DIGITS:
        raise ValueError(text)
    return int(text)


def parse_float(text: str) -> float:
    """Read a finite number; `nan`, `inf` and underscores are refused."""
    value = float(text)
    if not math.isfinite(value) or "_" in text or not text.isascii():
        raise ValueError(text)
    return value


def parse_bool(text: str) -> bool:
    """Read what people and check boxes send: true/false, 1/0, on/off, yes/no, in any case."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(text)


def _parse_decimal(text: str) -> Decimal:
    if "_" in text or not text.isascii() or len(text) > _MAX_DIGITS * 2:
        raise ValueError(text)
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(text) from None
    if not decimal_is_sane(value):
        raise ValueError(text)
    return value


def decimal_is_sane(value: Decimal) -> bool:
    """Return whether a decimal is a number that ordinary arithmetic can bear (no NaN, no 1E+999999)."""
    return value.is_finite() and -_MAX_DIGITS <= value.adjusted() <= _MAX_DIGITS


def _parse_datetime(text: str) -> datetime:
    text = text.strip()
    if (match := _SPACE_FOR_PLUS(text)) is not None:
        # `+` in a query that was not escaped arrives as a space.
        text = f"{match[1]}+{match[2]}"
    if not text.isascii() or not text[:1].isdigit():
        raise ValueError(text)
    return datetime.fromisoformat(text)


def _parse_time(text: str) -> time:
    text = text.strip()
    if not text.isascii():
        raise ValueError(text)
    return time.fromisoformat(text)


def _parse_date(text: str) -> date:
    return msgspec.convert(text.strip(), date)


def _parse_timedelta(text: str) -> timedelta:
    return msgspec.convert(text.strip(), timedelta, strict=False)


def _parse_uuid(text: str) -> UUID:
    return msgspec.convert(text.strip(), UUID)


def _parse_bytes(text: str) -> bytes:
    return msgspec.convert(text, bytes)


def _json_float(value: Any) -> float:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(value)
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    raise TypeError


def _json_decimal(value: Any) -> Decimal:
    found = value if isinstance(value, Decimal) else msgspec.convert(value, Decimal)
    if not decimal_is_sane(found):
        raise ValueError(value)
    return found


def _json_str(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError


def _json_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError


def _json_int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TypeError


class Scalar:
    """How one type is read: its family of constraints, its wording, its two readers.

    A reader raises `TypeError` for the wrong kind of value and `ValueError` for a text that cannot be read.
    """

    __slots__ = ("expected", "family", "from_json", "from_text", "kinds", "tp")

    def __init__(
        self,
        tp: Any,
        family: str,
        expected: str,
        *,
        kinds: tuple[type, ...],
        from_text: Callable[[str], Any],
        from_json: Callable[[Any], Any] | None = None,
    ) -> None:
        self.tp = tp
        self.family = family
        self.expected = expected
        self.kinds = kinds
        self.from_text = from_text
        self.from_json: Callable[[Any], Any] = from_json or self._convert

    def _convert(self, value: Any) -> Any:
        if not isinstance(value, self.kinds) or isinstance(value, bool):
            raise TypeError
        return msgspec.convert(value, self.tp)


def enum_scalar(tp: type[Enum]) -> Scalar:
    """Return how a member of an enumeration is read: by its value."""
    by_text = {str(member.value): member for member in tp}

    def from_text(text: str) -> Any:
        found = by_text.get(text)
        if found is None and (found := by_text.get(text.strip())) is None:
            found = _by_hook(tp, text)
        return found

    def from_json(value: Any) -> Any:
        if isinstance(value, tp):
            return value
        return _by_hook(tp, value)

    return Scalar(tp, "choice", ", ".join(by_text), kinds=(str, int), from_text=from_text, from_json=from_json)


def _by_hook(tp: type[Enum], value: Any) -> Any:
    # Booleans and floats equal integers in Python, and are not the same on the wire.
    if any(member.value == value and type(member.value) is type(value) for member in tp):
        return tp(value)
    if tp._missing_.__func__ is not Enum._missing_.__func__ and type(value) in (str, int):  # type: ignore[attr-defined]
        return tp(value)
    raise ValueError(value)


def literal_scalar(tp: Any, values: tuple[Any, ...]) -> Scalar:
    """Return how one of the values of a `Literal` is read."""
    by_text = {str(value): value for value in values if value is not None}

    def from_text(text: str) -> Any:
        if text in by_text:
            return by_text[text]
        stripped = text.strip()
        if stripped in by_text:
            return by_text[stripped]
        raise ValueError(text)

    def from_json(value: Any) -> Any:
        for allowed in values:
            if allowed == value and type(allowed) is type(value):
                return allowed
        raise ValueError(value)

    return Scalar(
        tp,
        "choice",
        ", ".join(map(str, values)),
        kinds=(str, int, type(None)),
        from_text=from_text,
        from_json=from_json,
    )


SCALARS: dict[Any, Scalar] = {
    scalar.tp: scalar
    for scalar in (
        Scalar(str, "text", _("a string"), kinds=(str,), from_text=str, from_json=_json_str),
        Scalar(int, "number", _("an integer"), kinds=(int,), from_text=parse_int, from_json=_json_int),
        Scalar(float, "number", _("a number"), kinds=(int, float), from_text=parse_float, from_json=_json_float),
        Scalar(bool, "flag", _("true or false"), kinds=(bool,), from_text=parse_bool, from_json=_json_bool),
        Scalar(
            Decimal,
            "number",
            _("a decimal number"),
            kinds=(str, int, float, Decimal),
            from_text=_parse_decimal,
            from_json=_json_decimal,
        ),
        Scalar(
            datetime,
            "moment",
            _("a date and time, as in 2026-01-31T12:00:00Z"),
            kinds=(str, datetime),
            from_text=_parse_datetime,
        ),
        Scalar(date, "moment", _("a date, as in 2026-01-31"), kinds=(str, date), from_text=_parse_date),
        Scalar(time, "moment", _("a time, as in 12:30:00"), kinds=(str, time), from_text=_parse_time),
        Scalar(timedelta, "moment", _("a duration, as in PT90M"), kinds=(str, timedelta), from_text=_parse_timedelta),
        Scalar(UUID, "other", _("a UUID"), kinds=(str, UUID), from_text=_parse_uuid),
        Scalar(bytes, "bytes", _("base64"), kinds=(str, bytes), from_text=_parse_bytes),
        Scalar(bytearray, "bytes", _("base64"), kinds=(str, bytearray), from_text=_parse_bytes),
    )
}
