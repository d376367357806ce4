"""Forms and queries send text; `convert(..., text=True)` reads it as people mean it."""

import enum
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from demijohn.errors import ValidationFailed
from demijohn.schema import Field, convert


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Address(msgspec.Struct):
    city: Annotated[str, Field(min_length=2)]
    number: int | None = None


class Line(msgspec.Struct):
    name: str
    count: int = 1


class Order(msgspec.Struct):
    title: str
    count: int = 1
    price: Decimal | None = None
    gift: bool = False
    note: str | None = None
    tags: list[str] = []
    sizes: set[Size] = set()
    address: Address | None = None
    lines: list[Line] = []


class MultiDict(dict[str, list[str]]):
    """As the query and the form of a request: `[]` gives one value, `getlist` all."""

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(key)[-1]

    def getlist(self, key: str) -> list[str]:
        return super().get(key, [])


@pytest.mark.parametrize(
    ("text", "tp", "value"),
    [
        (" 3 ", int, 3),
        ("+3", int, 3),
        ("-3", int, -3),
        ("1.5", float, 1.5),
        ("1e3", float, 1000.0),
        ("on", bool, True),
        ("Yes", bool, True),
        ("1", bool, True),
        ("TRUE", bool, True),
        ("off", bool, False),
        ("0", bool, False),
        (" 1.50 ", Decimal, Decimal("1.50")),
        ("2026-01-31", date, date(2026, 1, 31)),
        ("2026-01-31T10:30", datetime, datetime(2026, 1, 31, 10, 30)),
        ("2026-01-31T10:30:00Z", datetime, datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ("2026-01-31T10:30:00 02:00", datetime, datetime(2026, 1, 31, 10, 30, tzinfo=timezone(timedelta(hours=2)))),
        ("10:30", time, time(10, 30)),
        ("PT90S", timedelta, timedelta(seconds=90)),
        ("1", Size, Size.SMALL),
        ("2", Literal[1, 2], 2),
        ("", str, ""),
        (" a ", str, " a "),
        ("", str | None, ""),
        ("", int | None, None),
        ("", Literal["", "a"], ""),
        ("3", int | str, 3),
        ("a", int | str, "a"),
        ("a", str | int, "a"),
        ("3", str | int, 3),
        ("1", bool | int, True),
        ("12345678123456781234567812345678", UUID, UUID("12345678123456781234567812345678")),
        ("a", list[str], ["a"]),
        (["1", "", " 2"], list[int], [1, 2]),
        (["a", "b"], tuple[str, ...], ("a", "b")),
        (["1", "a"], tuple[int, str], (1, "a")),
        ("", list[int], []),
    ],
)
def test_text_is_read_as_people_mean_it(text: Any, tp: Any, value: Any) -> None:
    """Numbers are trimmed, check boxes are booleans, ISO dates and what browsers send are dates."""
    found = convert(text, tp, text=True)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "tp", "code"),
    [
        ("x", int, "type"),
        ("1.0", int, "type"),
        ("1_000", int, "type"),
        ("١", int, "type"),
        ("9" * 5000, int, "type"),
        ("0x10", int, "type"),
        ("nan", float, "type"),
        ("inf", float, "type"),
        ("1_0.5", float, "type"),
        ("maybe", bool, "type"),
        ("NaN", Decimal, "format"),
        ("1E+99999", Decimal, "format"),
        ("31.01.2026", date, "format"),
        ("yesterday", datetime, "format"),
        ("10", UUID, "format"),
        ("3", Size, "choice"),
        ("", int, "missing"),
        (" ", Size, "missing"),
        ("x", int | bool, "type"),
        ("0", Annotated[int, Field(ge=1)], "ge"),
        ("0", Annotated[int, Field(ge=1)] | None, "ge"),
    ],
)
def test_text_that_means_nothing_is_an_error(text: str, tp: Any, code: str) -> None:
    """Each mistake has its code, and blanks that are needed are missing."""
    with pytest.raises(ValidationFailed) as caught:
        convert(text, tp, text=True, place=("query", "x"))
    assert [(error.place, error.code) for error in caught.value.errors] == [(("query", "x"), code)]


def test_a_form_fills_a_class() -> None:
    """Blanks are defaults or None, repeated keys are lists, dots and brackets reach inside."""
    form = MultiDict(
        {
            "title": [""],
            "count": [" "],
            "price": [""],
            "gift": ["off", "on"],
            "note": [""],
            "tags": ["a", "b"],
            "sizes": ["1", "2", ""],
            "address.city": ["Rome"],
            "address[number]": [""],
            "lines[1].name": ["second"],
            "lines[0][name]": ["first"],
            "lines[0][count]": ["3"],
            "lines[999999999999][name]": ["last"],
            "unknown": ["x"],
        }
    )
    assert convert(form, Order, text=True) == Order(
        title="",
        gift=True,
        note="",
        tags=["a", "b"],
        sizes={Size.SMALL, Size.LARGE},
        address=Address("Rome"),
        lines=[Line("first", 3), Line("second"), Line("last")],
    )


def test_every_error_of_a_form_is_reported() -> None:
    """The places are those of the class, however the names were written."""
    form = MultiDict({"count": ["x"], "tags": ["a"], "sizes": ["9"], "address.city": ["R"], "lines[0].count": ["?"]})
    with pytest.raises(ValidationFailed) as caught:
        convert(form, Order, text=True, place=("form",))
    assert [(error.place, error.code) for error in caught.value.errors] == [
        (("form", "title"), "missing"),
        (("form", "count"), "type"),
        (("form", "sizes", 0), "choice"),
        (("form", "address", "city"), "min_length"),
        (("form", "lines", 0, "name"), "missing"),
        (("form", "lines", 0, "count"), "type"),
    ]


def test_plain_dicts_are_forms_too() -> None:
    """A dict of strings, or of lists of strings, is read like the form it stands for."""
    assert convert({"name": "x", "count": ["1", "2"]}, Line, text=True) == Line("x", 2)
    assert convert({"a": "1", "b": ["2", "3"]}, dict[str, int], text=True) == {"a": 1, "b": 3}
    assert convert({"b": ["2", "3"]}, dict[str, list[int]], text=True) == {"b": [2, 3]}


def test_names_nested_without_end_are_not_followed() -> None:
    """A name of a thousand parts is a name like any other."""
    name = "a" + ".a" * 1000
    assert convert({name: ["1"]}, dict[str, Any], text=True) == {name: ["1"]}
    with pytest.raises(ValidationFailed):
        convert({name: ["1"]}, Order, text=True)


def test_a_tagged_union_from_a_form() -> None:
    """The tag is a field of the form."""

    class Card(msgspec.Struct, tag="card"):
        number: str

    class Bill(msgspec.Struct, tag="bill"):
        days: int = 30

    assert convert({"type": ["bill"], "days": ["14"]}, Card | Bill, text=True) == Bill(14)
    with pytest.raises(ValidationFailed) as caught:
        convert({"type": ["card"]}, Card | Bill, text=True)
    assert caught.value.errors[0].place == ("number",)
