"""Converters: what a parameter of a path may be, and its value as Python sees it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from demijohn._lib.sentinels import MISSING, Missing

__all__ = ["CONVERTERS", "Converter", "IntConverter", "PathConverter", "StrConverter", "parse_arguments"]

T = TypeVar("T")


class Converter(Generic[T]):
    """How the text of a path parameter becomes a value and back.

    Subclass it for your own, and make it known by `app.add_converter`.

    `regex`, where it is set, must match the whole text, before `convert` is asked. `weight` orders converters that
    meet at the same place: the smaller one is tried first. With `spans_segments` the value may contain slashes.
    The text is decoded already, and never empty, `.` or `..`.

    Example:
        >>> class Hex(Converter[int]):
        ...     regex = "[0-9a-f]+"
        ...
        ...     def convert(self, text):
        ...         return int(text, 16)
        ...
        ...     def format(self, value):
        ...         return f"{value:x}"
        >>> Hex().convert("ff")
        255
    """

    regex: ClassVar[str] = ""
    weight: ClassVar[int] = 40
    spans_segments: ClassVar[bool] = False

    @property
    def key(self) -> Hashable:
        """What tells converters apart.

        Two with equal keys match the same texts, and share a place in the tree.
        """
        return id(self)

    def convert(self, text: str) -> T:
        """Return the value of the text.

        Raises:
            ValueError: The text is not one of ours: the route does not match, and the next one is tried.
        """
        raise NotImplementedError

    def format(self, value: T) -> str:
        """Return the text of a value, not percent-encoded; `url_for` encodes it.

        Raises:
            ValueError, TypeError: The value has no text here.
        """
        return str(value)

    def matcher(self) -> Callable[[str], T | Missing]:
        """Return the function that the router calls: the value, or `MISSING` for no match.

        It is `convert`, behind the regular expression if there is one. An exception costs more than the rest of a
        match, so the converters of the house answer without one.
        """
        convert = self.convert
        matches = re.compile(self.regex).fullmatch if self.regex else None

        def match(text: str) -> T | Missing:
            if matches is not None and matches(text) is None:
                return MISSING
            try:
                return convert(text)
            except ValueError:
                return MISSING

        return match


class StrConverter(Converter[str]):
    """Any text of one segment; `str(min=2, max=20)` or `str(length=2)` bound its length."""

    weight = 90

    def __init__(self, *, min: int = 1, max: int | None = None, length: int | None = None) -> None:  # noqa: A002
        self.shortest = min if length is None else length
        self.longest = max if length is None else length

    def convert(self, text: str) -> str:
        if len(text) < self.shortest or (self.longest is not None and len(text) > self.longest):
            raise ValueError(text)
        return text

    def format(self, value: object) -> str:
        return plain_text(value)

    @property
    def takes_all(self) -> bool:
        """True for the bare `str`, which the tree takes by itself."""
        return self.shortest <= 1 and self.longest is None and type(self) is StrConverter


def plain_text(value: object) -> str:
    """Return the text of a value that has an obvious one.

    Raises:
        TypeError: It has none: `<Post object at 0x...>` is in nobody's URL.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal, UUID)):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if value is None or isinstance(value, (bytes, bytearray)) or type(value).__str__ is object.__str__:
        raise TypeError(f"{value!r} has no obvious text")
    return str(value)


class _Text(Converter[str]):
    def convert(self, text: str) -> str:
        return text

    def format(self, value: object) -> str:
        return plain_text(value)


class PathConverter(_Text):
    """Any text, slashes included; what comes before and after it in the pattern must still fit."""

    weight = 100
    spans_segments = True

    def matcher(self) -> Callable[[str], str | Missing]:
        return self.convert


class IntConverter(Converter[int]):
    """A whole number in ASCII digits; `int(min=1, max=9)` bounds it."""

    weight = 20

    def __init__(self, *, min: int | None = None, max: int | None = None) -> None:  # noqa: A002
        self.least = min
        self.most = max

    def convert(self, text: str) -> int:
        if not text.isascii() or not (text.isdecimal() or (text[:1] == "-" and text[1:].isdecimal())):
            raise ValueError(text)
        value = int(text)
        if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
            raise ValueError(text)
        return value

    @property
    def takes_all(self) -> bool:
        """True for the bare `int`, which the tree reads by itself."""
        return self.least is None and self.most is None and type(self) is IntConverter

    def format(self, value: object) -> str:
        if isinstance(value, (bool, float)):
            raise TypeError(f"{value!r} is not an int")
        return str(int(value))  # type: ignore[call-overload]  # whatever int() refuses is a TypeError of ours too


class _Float(Converter[float]):
    regex = r"-?[0-9]+(?:\.[0-9]+)?"
    weight = 30

    def convert(self, text: str) -> float:
        value = float(text)
        if math.isinf(value):
            raise ValueError(text)
        return value

    def format(self, value: object) -> str:
        number = float(value)  # type: ignore[arg-type]  # what float() refuses is a TypeError of ours too
        if not math.isfinite(number):
            raise ValueError(f"{value!r} is not a finite number")
        return format(Decimal(repr(number)), "f")


class _Decimal(Converter[Decimal]):
    regex = r"-?[0-9]+(?:\.[0-9]+)?"
    weight = 30

    def convert(self, text: str) -> Decimal:
        return Decimal(text)

    def format(self, value: object) -> str:
        try:
            number = Decimal(value)  # type: ignore[arg-type]  # what Decimal() refuses is a TypeError of ours too
        except InvalidOperation:
            raise ValueError(f"{value!r} is not a number") from None
        if not number.is_finite():
            raise ValueError(f"{value!r} is not a finite number")
        return format(number, "f")


class _UUID(Converter[UUID]):
    regex = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
    weight = 20

    def convert(self, text: str) -> UUID:
        return UUID(text)

    def format(self, value: object) -> str:
        return str(value if isinstance(value, UUID) else UUID(plain_text(value)))


class _Date(Converter[date]):
    weight = 20

    def matcher(self) -> Callable[[str], date | Missing]:
        # Python reads more forms than this one, all shorter or with the dashes elsewhere.
        def match(text: str) -> date | Missing:
            if len(text) == 10 and text[4] == text[7] == "-" and text.isascii():
                try:
                    return date.fromisoformat(text)
                except ValueError:
                    pass
            return MISSING

        return match

    def convert(self, text: str) -> date:
        return date.fromisoformat(text)

    def format(self, value: object) -> str:
        if isinstance(value, datetime) or not isinstance(value, date):
            value = date.fromisoformat(plain_text(value))
        return value.isoformat()


class _Time(Converter[time]):
    regex = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    weight = 20

    def convert(self, text: str) -> time:
        return time.fromisoformat(text)

    def format(self, value: object) -> str:
        moment = value if isinstance(value, time) else time.fromisoformat(plain_text(value))
        if moment.tzinfo is not None:
            raise ValueError(f"{value!r} has a time zone, a time in a path has none")
        return moment.isoformat()


class _Datetime(Converter[datetime]):
    regex = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
    weight = 20

    def convert(self, text: str) -> datetime:
        return _utc(datetime.fromisoformat(text))

    def format(self, value: object) -> str:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(plain_text(value))
        return _utc(moment).replace(tzinfo=None).isoformat() + "Z"


def _utc(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(moment) from None


class _Slug(_Text):
    regex = "[A-Za-z0-9_-]+"
    weight = 60

    def matcher(self) -> Callable[[str], str | Missing]:
        return _texts(re.compile(self.regex).fullmatch)


def _texts(accepts: Callable[[str], object]) -> Callable[[str], str | Missing]:
    def match(text: str) -> str | Missing:
        return text if accepts(text) else MISSING

    return match


class _Any(_Text):
    weight = 10

    def __init__(self, *words: str) -> None:
        if not words:
            raise TypeError("any() takes at least one word")
        self.words = frozenset(words)

    def matcher(self) -> Callable[[str], str | Missing]:
        return _texts(self.words.__contains__)


class _Regex(_Text):
    weight = 50

    def __init__(self, expression: str) -> None:
        self.expression = re.compile(expression)

    def matcher(self) -> Callable[[str], str | Missing]:
        return _texts(self.expression.fullmatch)


CONVERTERS: Mapping[str, Callable[..., Converter[Any]]] = {
    "any": _Any,
    "date": _Date,
    "datetime": _Datetime,
    "decimal": _Decimal,
    "float": _Float,
    "int": IntConverter,
    "path": PathConverter,
    "regex": _Regex,
    "slug": _Slug,
    "str": StrConverter,
    "time": _Time,
    "uuid": _UUID,
}
"""The converters that every router knows (Any: each makes another type)."""


def parse_arguments(converter: str, text: str | None) -> tuple[list[str], dict[str, int | str]]:
    """Read the arguments of a converter: `a, b` are words, `min=1` is a keyword; `regex` takes its text as it is."""
    if text is None:
        return [], {}
    if converter == "regex":
        return [text], {}
    words: list[str] = []
    options: dict[str, int | str] = {}
    for piece in text.split(","):
        left, equals, right = piece.strip().partition("=")
        if equals:
            value = right.strip()
            try:
                options[left.strip()] = int(value)
            except ValueError:
                options[left.strip()] = value
        elif left:
            words.append(left)
    return words, options
