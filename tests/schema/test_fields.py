"""The description of a field is read from every kind of class."""

import dataclasses
import enum
from datetime import date
from typing import Annotated, Any, Generic, NamedTuple, NotRequired, TypedDict, TypeVar

import annotated_types
import attrs
import msgspec
import pydantic
import pytest

from demijohn._lib.sentinels import MISSING
from demijohn.errors import ConfigurationError, ValidationFailed
from demijohn.schema import (
    Field,
    convert,
    field_of,
    fields_of,
    has_fields,
    register_format,
    register_reader,
)

T = TypeVar("T")
Title = Annotated[str, Field(label="Title", max_length=40, help="Shown in lists")]


class AStruct(msgspec.Struct, rename="camel"):
    the_title: Title
    count: int | None = None
    tags: list[str] = []


@dataclasses.dataclass
class ADataclass:
    the_title: Title
    count: int | None = None
    tags: list[str] = dataclasses.field(default_factory=list)


@attrs.define
class AnAttrs:
    the_title: Title
    count: int | None = None
    tags: list[str] = attrs.field(factory=list)


class ATypedDict(TypedDict):
    the_title: Title
    count: NotRequired[int | None]
    tags: NotRequired[list[str]]


class ATuple(NamedTuple):
    the_title: Title
    count: int | None = None
    tags: list[str] = []


class AModel(pydantic.BaseModel):
    the_title: str = pydantic.Field(title="Title", max_length=40, description="Shown in lists")
    count: int | None = None
    tags: list[str] = pydantic.Field(default_factory=list)


@pytest.mark.parametrize("cls", [AStruct, ADataclass, AnAttrs, ATypedDict, ATuple, AModel])
def test_every_kind_of_class_has_the_same_fields(cls: Any) -> None:
    """Names, labels, bounds, types and defaults are the same, whatever the class is made with."""
    fields = fields_of(cls)
    assert list(fields) == ["the_title", "count", "tags"]
    title, count, tags = fields.values()
    assert (title.label, title.max_length, title.help) == ("Title", 40, "Shown in lists")
    assert (title.name, title.type, title.required, title.nullable) == ("the_title", str, True, False)
    assert (count.type, count.required, count.nullable) == (int | None, False, True)
    assert not tags.required
    assert title.alias == ("theTitle" if cls is AStruct else "the_title")
    assert has_fields(cls)


def test_generic_classes_have_fields_of_their_arguments() -> None:
    """`Page[int]` has fields of `int`, through bases too."""

    @dataclasses.dataclass
    class Base(Generic[T]):
        one: T

    @dataclasses.dataclass
    class Child(Base[list[T]], Generic[T]):
        two: Annotated[T, Field(label="Two")]

    assert [field.type for field in fields_of(Child[int]).values()] == [list[int], int]


def test_what_has_no_fields_is_refused() -> None:
    """DJN-015 names the line to write."""
    assert not has_fields(int)
    with pytest.raises(ConfigurationError, match="register_reader") as caught:
        fields_of(int)
    assert caught.value.code == "DJN-015"


def test_a_battery_registers_a_reader() -> None:
    """Classes of other kinds join by a base class."""

    class Model:
        pass

    class Post(Model):
        pass

    register_reader(Model, lambda cls: {"id": Field(name=cls.__name__)})
    assert fields_of(Post)["id"].name == "Post"
    assert has_fields(Post)


def test_constraints_of_all_dialects_are_merged() -> None:
    """`Field`, `msgspec.Meta` and annotated_types stand side by side; the last word wins."""
    found = field_of(
        Annotated[
            int,
            msgspec.Meta(ge=1, title="Old", description="Helps", examples=[3]),
            annotated_types.Lt(9),
            annotated_types.Interval(ge=2),
            Field(label="New", le=8),
        ],
        name="n",
        default=4,
    )
    assert (found.ge, found.lt, found.le, found.label, found.help, found.examples) == (2, 9, 8, "New", "Helps", (3,))
    assert (found.default, found.required) == (4, False)


def test_annotated_types_are_held() -> None:
    """Constraints in the style of annotated_types are checked without that package being asked."""
    lengths = Annotated[str, annotated_types.Len(2, 3)]
    assert convert("abc", lengths) == "abc"
    for wrong in ("a", "abcd"):
        with pytest.raises(ValidationFailed):
            convert(wrong, lengths)
    with pytest.raises(ValidationFailed):
        convert("Ab", Annotated[str, annotated_types.Predicate(str.islower)])


def test_a_label_is_made_from_the_name() -> None:
    """A field that says no label still has a title."""
    assert Field(name="author_id").title == "Author"
    assert Field(name="created_at").title == "Created at"
    assert Field(name="x", label="Y").title == "Y"


def test_choices_in_four_forms() -> None:
    """Values, pairs, a mapping or an Enum become pairs of value and label."""

    class Colour(enum.Enum):
        DARK_RED = "r"

    assert Field(choices=["a"]).choices == (("a", "a"),)
    assert Field(choices=[(1, "One")]).choices == ((1, "One"),)
    assert Field(choices={1: "One"}).choices == ((1, "One"),)
    assert Field(choices=Colour).choices == ((Colour.DARK_RED, "Dark red"),)


def test_a_field_is_immutable_hashable_and_short_to_read() -> None:
    """Fields may be shared, kept in `Annotated` and printed."""
    field = Field(max_length=3, default=[])
    assert hash(field) == hash(Field(max_length=3, default=[]))
    assert repr(field) == "Field(max_length=3, default=[])"
    assert field.replace(label="x") == Field(max_length=3, default=[], label="x")
    with pytest.raises(AttributeError):
        field.max_length = 4  # type: ignore[misc]
    assert Field().default is MISSING


GOOD = {
    "email": ["a@b.co", "o'neil+x@sub.example.com", "ü@bücher.example"],
    "url": ["http://a", "https://a.b/c?d#e", "https://u:p@a:80/", "http://[::1]:8000/", "https://bücher.example/"],
    "slug": ["a", "a-b-1"],
    "hostname": ["a", "a.b-c.de", "localhost"],
    "ipv4": ["1.2.3.4", "255.255.255.255"],
    "ipv6": ["::1", "2001:db8::1"],
    "color": ["#00ffAA"],
}
BAD = {
    "email": ["a", "a@b", "a b@c.de", "a@-b.co", ".a@b.co", "a@b..co", "a@b.co\n", "x" * 65 + "@b.co"],
    "url": [
        "a",
        "ftp://a",
        "http://",
        "http:///x",
        "http://a b",
        "http://a:99999",
        "http://[::1",
        "http://a\n",
        "js:a",
    ],
    "slug": ["", "A", "a--b", "-a", "a_b"],
    "hostname": ["", "-a", "a..b", "a b", "x" * 64],
    "ipv4": ["1.2.3", "256.1.1.1", "01.2.3.4"],
    "ipv6": ["1.2.3.4", ":::", "fe80::1%eth0"],
    "color": ["#fff", "red"],
}


@pytest.mark.parametrize("name", GOOD)
def test_formats(name: str) -> None:
    """The formats that are checked say yes and no where people expect it."""
    tp = Annotated[str, Field(format=name)]
    for text in GOOD[name]:
        assert convert(text, tp) == text
    for text in BAD[name]:
        with pytest.raises(ValidationFailed):
            convert(text, tp)


def test_a_format_of_ones_own_and_one_that_is_only_drawn() -> None:
    """A registered format is checked; any other describes the input."""
    register_format("plate", str.isupper)
    with pytest.raises(ValidationFailed):
        convert("x", Annotated[str, Field(format="plate")])
    assert convert("x", Annotated[str, Field(format="password")]) == "x"


def test_a_check_speaks_for_itself() -> None:
    """The ValueError of a `check` is the message; False gives the plain one."""

    def weekday(value: date) -> bool:
        if value.weekday() > 4:
            raise ValueError("Choose a working day.")
        return value.year > 2000

    tp = Annotated[date, Field(check=weekday)]
    assert convert("2026-01-05", tp) == date(2026, 1, 5)
    messages = []
    for text in ("2026-01-04", "1999-01-04"):
        with pytest.raises(ValidationFailed) as caught:
            convert(text, tp)
        messages.append(caught.value.errors[0].message)
    assert messages == ["Choose a working day.", "This value is not allowed."]
