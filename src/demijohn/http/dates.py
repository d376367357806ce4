"""Dates in header fields (RFC 9110, section 5.6.7), without the locale and without `email`."""

import re
from datetime import UTC, datetime

__all__ = ["format_http_date", "parse_http_date"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERS = {month.lower(): number for number, month in enumerate(_MONTHS, 1)}
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMS = (
    re.compile(
        rf"[A-Za-z]{{3}}, (?P<day>\d\d) (?P<month>[A-Za-z]{{3}}) (?P<year>\d{{4}}) {_TIME} (?:GMT|UTC)", re.ASCII
    ),
    re.compile(rf"[A-Za-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[A-Za-z]{{3}})-(?P<year>\d\d) {_TIME} GMT", re.ASCII),
    re.compile(rf"[A-Za-z]{{3}} (?P<month>[A-Za-z]{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})", re.ASCII),
)


def format_http_date(when: datetime | float) -> str:
    """Write a moment as `Sun, 06 Nov 1994 08:49:37 GMT`.

    Args:
        when: An aware datetime, a naive one that is taken as UTC, or seconds since 1970.
    """
    if not isinstance(when, datetime):
        when = datetime.fromtimestamp(when, UTC)
    elif when.tzinfo is not None:
        when = when.astimezone(UTC)
    return (
        f"{_DAYS[when.weekday()]}, {when.day:02} {_MONTHS[when.month - 1]} {when.year:04} "
        f"{when.hour:02}:{when.minute:02}:{when.second:02} GMT"
    )


def parse_http_date(text: str) -> datetime | None:
    """Read a date in any of the three forms that RFC 9110 lists.

    `None` for anything else.

    The result is aware and in UTC. A year of two digits that seems more than 50 years ahead is of the past.
    """
    for form in _FORMS:
        found = form.fullmatch(text.strip(" \t"))
        if found is None:
            continue
        month = _NUMBERS.get(found["month"].lower())
        if month is None:
            return None
        year = int(found["year"])
        if len(found["year"]) == 2:
            now = datetime.now(UTC).year
            year += now // 100 * 100
            if year > now + 50:
                year -= 100
        try:
            return datetime(
                year,
                month,
                int(found["day"]),
                int(found["hour"]),
                int(found["minute"]),
                min(int(found["second"]), 59),  # a leap second is the one before it
                tzinfo=UTC,
            )
        except ValueError:
            return None
    return None
