"""Dates, numbers, amounts and lists by language and time zone."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from demijohn import App, Page
from demijohn.i18n import (
    Translations,
    format_currency,
    format_date,
    format_datetime,
    format_decimal,
    format_list,
    format_percent,
    format_relative,
    format_time,
    format_timedelta,
    parse_date,
    parse_decimal,
    timezone,
    to_local,
)
from demijohn.testing import TestClient

Make = Callable[..., tuple[App, Translations]]
NOON = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
THIN = "\u202f"
HARD = "\u00a0"


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("en", ["Jan 31, 2026", f"11:30{THIN}PM", "1,234.5", "25%", "€12.50", "3 hours", "3 hours ago", "a, b, and c"]),
        (
            "de",
            [
                "31.01.2026",
                "23:30",
                "1.234,5",
                f"25{HARD}%",
                f"12,50{HARD}€",
                "3 Stunden",
                "vor 3 Stunden",
                "a, b und c",
            ],
        ),
        ("ar", ["31‏/01‏/2026", "11:30 م", "1,234.5", "25%", None, "3 ساعات", "قبل 3 ساعات", "a وb وc"]),
    ],
)
def test_formats_follow_the_language(make_app: Make, tag: str, shown: list[str | None]) -> None:
    """The functions write as the present language does, without being told which it is."""
    _app, battery = make_app()
    with battery.language(tag):
        found = [
            format_date(NOON),
            format_time(NOON),
            format_decimal(1234.5),
            format_percent(0.25),
            format_currency(Decimal("12.5"), "EUR"),
            format_timedelta(timedelta(hours=3)),
            format_relative(NOON, now=NOON + timedelta(hours=3)),
            format_list(["a", "b", "c"]),
        ]
    for text, wanted in zip(found, shown, strict=True):
        assert wanted is None or text == wanted


def test_moments_are_shown_in_the_present_time_zone() -> None:
    """A date and time moves to the zone, its date may be the next day; a date and a time of day stay as they are."""
    with timezone("Asia/Tokyo"):
        assert format_datetime(NOON, "yyyy-MM-dd HH:mm") == "2026-02-01 08:30"
        assert format_date(NOON, "yyyy-MM-dd") == "2026-02-01"
        assert format_date(date(2026, 1, 31), "yyyy-MM-dd") == "2026-01-31"
        assert format_time(time(8, 5), "HH:mm") == "08:05"
        assert format_time(NOON, "HH:mm zzzz") == "08:30 Japan Standard Time"
        assert to_local(NOON.replace(tzinfo=None)) == NOON
    with timezone("Europe/Berlin"):
        assert format_datetime(datetime(2026, 7, 1, 12, tzinfo=UTC), "HH:mm") == "14:00"


def test_what_people_type_is_read_back() -> None:
    """Numbers and dates are read as the language writes them, and refused where they are not."""
    assert parse_decimal("1.234,5", locale="de") == Decimal("1234.5")
    assert parse_date("31.01.2026", locale="de") == date(2026, 1, 31)
    for text in ("1.23,5", "", "eins", "1,2,3"):
        with pytest.raises(ValueError, match=r"."):
            parse_decimal(text, locale="de")
    with pytest.raises(ValueError, match=r"."):
        parse_date("heute", locale="de")


def test_templates_have_them_as_filters(make_app: Make, tmp_path: Path) -> None:
    """Each function is a filter of the same name, which sees the language and the zone of the request."""
    app, battery = make_app()
    (tmp_path / "page.html").write_text(
        "{{ moment|format_datetime('short') }}|{{ 0.5|format_percent }}|{{ 3|format_currency('USD') }}|{{ ['<', 'b']|format_list }}"
    )
    app.template_folder = tmp_path

    @battery.timezone_selector
    def zone() -> str:
        return "Europe/Berlin"

    @app.get("/")
    async def page() -> Page:
        return Page("page.html", moment=NOON)

    with TestClient(app) as client:
        text = client.get("/", headers={"accept-language": "de"}).text
    assert text == f"01.02.26, 00:30|50{HARD}%|3,00{HARD}$|&lt; und b"
