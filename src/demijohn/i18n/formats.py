"""Dates, times, numbers, amounts and lists as the present language writes them."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from babel import Locale, dates, lists, numbers

from demijohn.i18n.locales import parse_locale
from demijohn.i18n.present import get_locale, get_timezone

__all__ = [
    "format_currency",
    "format_date",
    "format_datetime",
    "format_decimal",
    "format_list",
    "format_percent",
    "format_relative",
    "format_time",
    "format_timedelta",
    "parse_date",
    "parse_decimal",
    "to_local",
]

Number: TypeAlias = int | float | Decimal
Unit: TypeAlias = Literal["year", "month", "week", "day", "hour", "minute", "second"]


def to_local(value: datetime) -> datetime:
    """Return a date and time in the present time zone.

    One without an offset is taken for UTC.
    """
    return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).astimezone(get_timezone())


def format_date(value: date | datetime | None = None, format: str = "medium", *, locale: str | None = None) -> str:
    """Return a date, today's where none is given.

    Args:
        value: A date, or a date and time, whose date in the present time zone is meant.
        format: `short`, `medium`, `long`, `full`, or a pattern of the CLDR: `"d. MMMM"`.
        locale: Another language than the present one.

    Example:
        >>> format_date(date(2026, 1, 31), "long", locale="de")
        '31. Januar 2026'
    """
    if value is None:
        value = datetime.now(UTC)
    if isinstance(value, datetime):
        value = to_local(value).date()
    return dates.format_date(value, format, locale=_locale(locale))


def format_datetime(value: datetime | None = None, format: str = "medium", *, locale: str | None = None) -> str:
    """Return a date and time in the present time zone; see `format_date`.

    Now is meant where none is given.

    Example:
        >>> format_datetime(datetime(2026, 1, 31, 12, tzinfo=UTC), "short", locale="de")
        '31.01.26, 12:00'
    """
    return dates.format_datetime(to_local(value or datetime.now(UTC)), format, locale=_locale(locale))


def format_time(value: datetime | time | None = None, format: str = "short", *, locale: str | None = None) -> str:
    """Return a time of day; see `format_date`.

    A date and time is moved to the present time zone, a time is shown as it is.
    """
    if isinstance(value, time):
        return dates.format_time(value, format, locale=_locale(locale))
    local = to_local(value or datetime.now(UTC))
    return dates.format_time(local, format, tzinfo=_zone(local), locale=_locale(locale))


def format_timedelta(
    value: timedelta, *, granularity: Unit = "second", threshold: float = 0.85, locale: str | None = None
) -> str:
    """Return a duration in its largest unit: `3 hours`.

    Args:
        value: The duration.
        granularity: The smallest unit that is told.
        threshold: From which part of a unit on the next larger one is told.
        locale: Another language than the present one.
    """
    return dates.format_timedelta(value, granularity=granularity, threshold=threshold, locale=_locale(locale))


def format_relative(
    value: datetime, *, now: datetime | None = None, granularity: Unit = "second", locale: str | None = None
) -> str:
    """Return how long ago something was, or in how long it will be.

    Example:
        >>> moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
        >>> format_relative(moment, now=moment + timedelta(hours=3), locale="de")
        'vor 3 Stunden'
    """
    moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    distance = moment - (now or datetime.now(UTC))
    return dates.format_timedelta(distance, granularity=granularity, add_direction=True, locale=_locale(locale))


def format_decimal(value: Number, format: str | None = None, *, locale: str | None = None) -> str:
    """Return a number.

    Example:
        >>> format_decimal(1234567.891, locale="de"), format_decimal(1234567.891, locale="en")
        ('1.234.567,891', '1,234,567.891')
    """
    return numbers.format_decimal(value, format, locale=_locale(locale))


def format_percent(value: Number, format: str | None = None, *, locale: str | None = None) -> str:
    """Return a share as percent: `0.25` is 25 %."""
    return numbers.format_percent(value, format, locale=_locale(locale))


def format_currency(value: Number, currency: str, *, format: str | None = None, locale: str | None = None) -> str:
    """Return an amount of money, with the digits that its currency has.

    Example:
        >>> format_currency(Decimal("1099.5"), "EUR", locale="en")
        '€1,099.50'
    """
    return numbers.format_currency(value, currency, format, locale=_locale(locale))


def format_list(
    items: Iterable[object], style: Literal["and", "or", "unit"] = "and", *, locale: str | None = None
) -> str:
    """Return a list as a sentence has it.

    Example:
        >>> format_list(["a", "b", "c"], locale="en"), format_list(["a", "b"], "or", locale="de")
        ('a, b, and c', 'a oder b')
    """
    kind: Literal["standard", "or", "unit"] = "standard" if style == "and" else style
    return lists.format_list([str(item) for item in items], style=kind, locale=_locale(locale))


def parse_decimal(text: str, *, locale: str | None = None) -> Decimal:
    """Read a number as the present language writes it.

    Raises:
        ValueError: It is none, or its groups are not those of the language.

    Example:
        >>> parse_decimal("1.234,5", locale="de")
        Decimal('1234.5')
    """
    return numbers.parse_decimal(text, locale=_locale(locale), strict=True)


def parse_date(
    text: str, format: Literal["short", "medium", "long", "full"] = "medium", *, locale: str | None = None
) -> date:
    """Read a date as the present language writes it in numbers.

    Raises:
        ValueError: It is none.

    Example:
        >>> parse_date("31.01.2026", locale="de")
        datetime.date(2026, 1, 31)
    """
    return dates.parse_date(text, locale=_locale(locale), format=format)


def filters() -> dict[str, Callable[..., Any]]:
    """Return what templates have as filters, by the names of the functions."""
    functions: tuple[Callable[..., Any], ...] = (
        format_currency,
        format_date,
        format_datetime,
        format_decimal,
        format_list,
        format_percent,
        format_relative,
        format_time,
        format_timedelta,
        to_local,
    )
    return {function.__name__: function for function in functions}


def _locale(given: str | None) -> Locale:
    return get_locale() if given is None else parse_locale(given)


def _zone(value: datetime) -> tzinfo:
    return value.tzinfo or UTC
