"""JSON, MessagePack and YAML are read into types, with every error at once."""

import dataclasses
import enum
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, TypedDict, TypeVar

import attrs
import msgspec
import pytest

from demijohn.errors import BadRequest, ConfigurationError, ContentTooLarge, MalformedBody, ValidationFailed
from demijohn.schema import Field, convert, json_decoder, msgpack_decoder, register_decoder, to_msgpack, yaml_decoder

T = TypeVar("T")
UserId = NewType("UserId", int)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(msgspec.Struct):
    city: Annotated[str, Field(min_length=2)]
    zip: str | None = None


class Item(msgspec.Struct, rename="camel"):
    full_name: Annotated[str, Field(max_length=5, pattern="[a-z]+")]
    price: Decimal
    quantity: Annotated[int, msgspec.Meta(ge=1)] = 1
    colour: Colour = Colour.RED
    address: Address | None = None
    tags: list[Annotated[str, Field(max_length=3)]] = []


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Dog(msgspec.Struct, tag="dog"):
    tricks: list[str]


class Page(msgspec.Struct, Generic[T]):
    items: list[T]
    next: "Page[T] | None" = None


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    a: int = 0


class Row(msgspec.Struct, array_like=True):
    a: int
    b: str = ""


@dataclasses.dataclass
class Point:
    x: Annotated[int, Field(ge=0)]
    y: int = 0
    names: list[str] = dataclasses.field(default_factory=list)


@attrs.define
class Box:
    width: int = attrs.field(validator=attrs.validators.gt(0))
    _depth: int = 3


class Options(TypedDict):
    size: Annotated[int, Field(le=9)]
    note: NotRequired[str]


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Even(msgspec.Struct):
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("Must be even.")


def errors_of(tp: Any, data: bytes) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationFailed) as caught:
        json_decoder(tp)(data)
    return [(error.place, error.code) for error in caught.value.errors]


def test_right_input_is_read_at_once() -> None:
    """What is right comes out typed, defaults filled in."""
    read = json_decoder(Item)
    item = read(b'{"fullName":"cup","price":"1.50","address":{"city":"Rome"}}')
    assert item == Item("cup", Decimal("1.50"), address=Address("Rome"))


def test_every_error_is_reported_with_its_place_code_and_message() -> None:
    """Nine mistakes give nine errors, by the names on the wire, below the place given."""
    read = json_decoder(Item, place=("body",))
    data = (
        b'{"fullName":"ABCDEFG","price":"NaN","quantity":0,"colour":"x",'
        b'"address":{"city":"x","zip":3},"tags":["aaaa",3]}'
    )
    with pytest.raises(ValidationFailed) as caught:
        read(data)
    assert caught.value.errors == [
        (("body", "fullName"), "max_length", "At most 5 characters allowed."),
        (("body", "fullName"), "pattern", "This does not have the expected form."),
        (("body", "price"), "format", "This is not a decimal number."),
        (("body", "quantity"), "ge", "Must be at least 1."),
        (("body", "colour"), "choice", "Choose one of red, blue."),
        (("body", "address", "city"), "min_length", "At least 2 characters needed."),
        (("body", "address", "zip"), "type", "Expected a string."),
        (("body", "tags", 0), "max_length", "At most 3 characters allowed."),
        (("body", "tags", 1), "type", "Expected a string."),
    ]


def test_what_is_missing_is_named() -> None:
    """Each required field that is absent is an error of its own."""
    assert errors_of(Item, b"{}") == [(("fullName",), "missing"), (("price",), "missing")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a":',
        b"nope",
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'"\\ud800"',
        b"NaN",
    ],
)
@pytest.mark.parametrize("tp", [Any, Item, int, list[Item], Options])
def test_what_is_not_json_is_a_bad_request(tp: Any, data: bytes) -> None:
    """Broken, truncated, not UTF-8 or too deep: 400, whatever was wanted."""
    with pytest.raises(MalformedBody) as caught:
        json_decoder(tp)(data)
    assert isinstance(caught.value, BadRequest)
    assert caught.value.status == 400


def test_a_recursive_type_that_is_too_deep_is_a_bad_request() -> None:
    """Depth that msgspec or the walk cannot follow is refused, not crashed on."""
    deep = b'{"items":[],"next":' * 30_000 + b"null" + b"}" * 30_000
    with pytest.raises(MalformedBody):
        json_decoder(Page[int])(deep)
    wrong = b'{"items":["x"],"next":' * 300 + b"null" + b"}" * 300
    with pytest.raises((MalformedBody, ValidationFailed)):
        json_decoder(Page[int])(wrong)


@pytest.mark.parametrize("number", [b"1e999", b"1" * 5000])
def test_a_number_out_of_range_is_an_error_of_the_input(number: bytes) -> None:
    """Numbers that no type can hold are refused."""
    assert errors_of(Item, b'{"fullName":' + number + b"}")[0][1] == "range"


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "1E+99999", "1E-99999"])
def test_a_decimal_is_a_sane_number(text: str) -> None:
    """NaN, infinities and exponents that would eat the memory are no decimals."""
    assert errors_of(Decimal, b'"%s"' % text.encode()) == [((), "format")]
    assert errors_of(list[Decimal | None], b'[null,"%s"]' % text.encode()) == [((1,), "format")]


def test_tagged_unions_tell_which_tag_was_meant() -> None:
    """The errors inside are those of the tagged type; a wrong tag lists the right ones."""
    read = json_decoder(list[Cat | Dog])
    assert read(b'[{"type":"cat","lives":9},{"type":"dog","tricks":[]}]') == [Cat(9), Dog([])]
    assert errors_of(list[Cat | Dog], b'[{"type":"cat"},{"type":"cow"},{}, 3]') == [
        ((0, "lives"), "missing"),
        ((1, "type"), "choice"),
        ((2, "type"), "missing"),
        ((3,), "type"),
    ]


def test_unions_that_msgspec_does_not_know_are_read_too() -> None:
    """Several types that are written as strings: the first that fits, a plain string last where it stands last."""
    read = json_decoder(list[datetime | uuid.UUID | int])
    when = datetime(2026, 1, 1, tzinfo=UTC)
    assert read(b'["2026-01-01T00:00:00Z", 3]') == [when, 3]
    assert errors_of(datetime | uuid.UUID | int, b'"x"') == [((), "type")]
    assert json_decoder(dict[str, Point | Box])(b'{"a":{"x":1},"b":{"width":2}}') == {"a": Point(1), "b": Box(2)}


def test_generic_and_recursive_classes() -> None:
    """A generic class is read with its arguments, to any depth."""
    assert json_decoder(Page[int])(b'{"items":[1],"next":{"items":[2]}}') == Page([1], Page([2]))
    assert errors_of(Page[int], b'{"items":["a"],"next":{"items":[1,"b"]}}') == [
        (("items", 0), "type"),
        (("next", "items", 1), "type"),
    ]


@pytest.mark.parametrize(
    ("tp", "data", "place", "code"),
    [
        (Closed, b'{"a":1,"b":2}', ("b",), "unknown"),
        (Row, b'["x"]', (0,), "type"),
        (Point, b'{"x":-1}', ("x",), "ge"),
        (Point, b'{"x":1,"names":[1]}', ("names", 0), "type"),
        (Box, b'{"width":"1"}', ("width",), "type"),
        (Options, b'{"size":10}', ("size",), "le"),
        (Options, b'{"note":"x"}', ("size",), "missing"),
        (Pair, b"[]", ("left",), "missing"),
        (Even, b'{"number":3}', (), "value"),
        (list[Even], b'[{"number":2},{"number":3}]', (1,), "value"),
        (Literal["a", 1], b'"b"', (), "choice"),
        (Literal[1], b"true", (), "choice"),
        (UserId, b'"x"', (), "type"),
        (date, b'"2026-02-30"', (), "format"),
        (time, b'"25:00:00"', (), "format"),
        (timedelta, b'"x"', (), "format"),
        (uuid.UUID, b'"x"', (), "format"),
        (bytes, b'"x"', (), "format"),
        (bool, b"1", (), "type"),
        (int, b"true", (), "type"),
        (int, b"1.0", (), "type"),
        (float, b'"1"', (), "type"),
        (str, b"1", (), "type"),
        (None, b"1", (), "type"),
        (int | str, b"[]", (), "type"),
        (tuple[int, str], b"[1]", (), "length"),
        (tuple[int, ...], b'["x"]', (0,), "type"),
        (set[int], b"{}", (), "type"),
        (dict[str, int], b'{"a":"b"}', ("a",), "type"),
        (dict[int, int], b'{"x":1}', ("x",), "type"),
        (Sequence[int], b'["x"]', (0,), "type"),
        (Mapping[str, int], b'{"x":[]}', ("x",), "type"),
        (Annotated[list[int], Field(min_length=1)], b"[]", (), "min_length"),
        (Annotated[datetime, Field(timezone=True)], b'"2026-01-01T00:00:00"', (), "timezone"),
        (Annotated[datetime, Field(timezone=False)], b'"2026-01-01T00:00:00Z"', (), "no_timezone"),
        (Annotated[datetime, Field(ge=datetime(2026, 1, 1, tzinfo=UTC))], b'"2026-01-01T00:00:00"', (), "ge"),
        (Annotated[float, Field(multiple_of=0.1)], b"0.25", (), "multiple_of"),
        (Annotated[Decimal, Field(decimal_places=2)], b"1.005", (), "decimal_places"),
        (Annotated[Decimal, Field(decimal_places=0)], b'"0.5"', (), "decimal_places"),
        (Annotated[str, Field(format="email")], b'"a@b"', (), "format"),
        (Annotated[str, Field(choices=["a", "b"])], b'"c"', (), "choice"),
        (Annotated[list[str], Field(choices=["a", "b"])], b'["a","c"]', (1,), "choice"),
        (Annotated[int, Field(check=lambda n: n != 3)], b"3", (), "value"),
        (Annotated[int | None, Field(gt=3)], b"3", (), "gt"),
        (Annotated[int | str, Field(lt=3)], b"3", (), "lt"),
    ],
)
def test_one_mistake_gives_one_error(tp: Any, data: bytes, place: tuple[str | int, ...], code: str) -> None:
    """Each kind of type names its mistake by a stable code."""
    assert errors_of(tp, data) == [(place, code)] or (tp is Row and errors_of(tp, data) == [(("a",), code)])


@pytest.mark.parametrize(
    ("tp", "data", "value"),
    [
        (Row, b'[1,"b"]', Row(1, "b")),
        (Point, b'{"x":1}', Point(1)),
        (Box, b'{"width":1,"_depth":2}', Box(1, 2)),
        (Options, b'{"size":9,"other":1}', {"size": 9}),
        (Pair, b"[1]", Pair(1)),
        (dict[int, Literal["a"]], b'{"1":"a"}', {1: "a"}),
        (frozenset[int], b"[1,1]", frozenset({1})),
        (tuple[int, str], b'[1,"a"]', (1, "a")),
        (bytes, b'"eA=="', b"x"),
        (timedelta, b'"PT90S"', timedelta(seconds=90)),
        (Annotated[float, Field(multiple_of=0.1)], b"0.3", 0.3),
        (Annotated[Address | None, Field(label="Home")], b"null", None),
        (Colour | None, b'"blue"', Colour.BLUE),
    ],
)
def test_each_kind_of_type_is_read(tp: Any, data: bytes, value: Any) -> None:
    """Structs, dataclasses, attrs, TypedDicts, NamedTuples, collections and scalars."""
    assert json_decoder(tp)(data) == value


def test_all_errors_of_a_check_are_found_in_valid_types() -> None:
    """Constraints that msgspec does not know are held after the fast path, all of them."""
    assert errors_of(list[Point], b'[{"x":-1},{"x":1},{"x":-2}]') == [((0, "x"), "ge"), ((2, "x"), "ge")]


class Node(msgspec.Struct):
    weight: Annotated[int, Field(ge=0)]
    left: "Node | None" = None
    more: "list[Node]" = []


def test_constraints_hold_at_any_depth_of_a_class_that_contains_itself() -> None:
    """The compiled check of a recursive class calls itself."""
    assert json_decoder(Node)(b'{"weight":1,"left":{"weight":2,"more":[{"weight":3}]}}').weight == 1
    assert errors_of(Node, b'{"weight":1,"left":{"weight":2,"more":[{"weight":3},{"weight":-3}]}}') == [
        (("left", "more", 1, "weight"), "ge")
    ]


def test_a_hundred_errors_are_enough() -> None:
    """An answer does not outgrow its question."""
    assert len(errors_of(list[int], b"[" + b'"x",' * 5000 + b"1]")) == 100


def test_an_error_in_the_code_of_a_class_is_not_hidden() -> None:
    """Only ValueError and TypeError speak to the client; anything else is a defect and stays one."""

    class Broken(msgspec.Struct):
        a: int

        def __post_init__(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        json_decoder(Broken)(b'{"a":1}')


def test_a_type_of_ones_own() -> None:
    """A registered decoder reads the type everywhere, and its ValueError is the message."""

    class Money:
        def __init__(self, text: str) -> None:
            amount, _, self.currency = text.partition(" ")
            if not self.currency:
                raise ValueError("Write an amount and a currency.")
            self.amount = Decimal(amount)

    with pytest.raises(ConfigurationError, match="DJN-012"):
        json_decoder(list[Money])
    register_decoder(Money, lambda value: Money(str(value)))
    assert json_decoder(list[Money | None])(b'["3 EUR", null]')[0].currency == "EUR"
    with pytest.raises(ValidationFailed) as caught:
        json_decoder(list[Money])(b'["3", "4", "5 EUR"]')
    assert caught.value.errors == [
        ((0,), "value", "Write an amount and a currency."),
        ((1,), "value", "Write an amount and a currency."),
    ]
    assert convert("3 EUR", Money, text=True).amount == 3


def test_types_that_cannot_be_read_are_told_when_the_decoder_is_made() -> None:
    """Mistakes of the developer come up at start-up, with a code and the line to write."""

    class Unknown:
        pass

    with pytest.raises(ConfigurationError, match=r"register_decoder\(.*Unknown.*DJN-012"):
        json_decoder(list[Unknown])
    with pytest.raises(ConfigurationError, match="DJN-010"):
        json_decoder(Annotated[str, Field(ge=1)])
    with pytest.raises(ConfigurationError, match="DJN-010"):
        json_decoder(Annotated[str, msgspec.Meta(ge=1)])
    with pytest.raises(ConfigurationError, match="DJN-010"):
        Field(pattern="(")
    with pytest.raises(ConfigurationError, match="DJN-010"):
        Field(min_length=3, max_length=2)
    with pytest.raises(ConfigurationError, match="DJN-013"):
        register_decoder(Address, lambda value: Address(value))


def test_an_annotation_that_cannot_be_found_is_told() -> None:
    """A name that is only imported for the checker is an error with its place."""
    namespace: dict[str, Any] = {"msgspec": msgspec}
    exec("class Lost(msgspec.Struct):\n    a: 'Nowhere'\n", namespace)
    with pytest.raises(ConfigurationError, match=r"Lost.*Nowhere[\s\S]*DJN-011"):
        json_decoder(namespace["Lost"])


def test_plain_data_is_converted_with_the_same_errors() -> None:
    """`convert` takes what Python holds, instances and dates included."""
    when = datetime(2026, 1, 1)
    assert convert({"x": 1}, Point) == Point(1)
    assert convert([Point(1), {"x": 2}], list[Point]) == [Point(1), Point(2)]
    assert convert({"a": when}, dict[str, datetime]) == {"a": when}
    assert convert(3, Any) == 3
    with pytest.raises(ValidationFailed):
        convert({"x": -1}, Point)
    with pytest.raises(ValidationFailed):
        convert(object(), int)


def test_messagepack_is_read_with_the_same_errors() -> None:
    """The twin of `json_decoder`."""
    read = msgpack_decoder(Point, place=("body",))
    assert read(to_msgpack({"x": 1})) == Point(1)
    with pytest.raises(ValidationFailed) as caught:
        read(to_msgpack({"x": -1, "y": "a"}))
    assert [error.place for error in caught.value.errors] == [("body", "x"), ("body", "y")]
    with pytest.raises(MalformedBody):
        read(b"\xc1")


def test_deep_yaml_is_refused_before_it_is_loaded() -> None:
    """A document of brackets is refused: libyaml's loader would use up the stack and end the process."""
    pytest.importorskip("yaml")
    with pytest.raises(MalformedBody, match="nested too deeply"):
        yaml_decoder(list[object])(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize(
    "data",
    [b"- a\n" * 60_000, b"[" + b"a," * 25_000 + b"]", b"{" + b"a: 1, " * 12_000 + b"}", b"--- \n" * 50_000],
)
def test_yaml_that_would_take_seconds_is_refused(data: bytes) -> None:
    """Many values, or a large document, are 413: PyYAML needs seconds for what arrives in milliseconds."""
    pytest.importorskip("yaml")
    with pytest.raises(ContentTooLarge):
        yaml_decoder(object)(data)


@pytest.mark.parametrize(
    "word", ["1:" * 20_000 + "1", "1" * 100_000, "0x" + "f" * 9000, "2001-12-14t21:59:43.10-05:0" + "0" * 100_000]
)
def test_a_long_word_of_yaml_is_text(word: str) -> None:
    """No number to the base of sixty and no moment is computed of a word that nobody would write as one."""
    pytest.importorskip("yaml")
    assert yaml_decoder(object)(word.encode()) == word


@pytest.mark.parametrize("data", [b"!!timestamp x", b"!!bool x", b"!!int 1:1:1", b"!!float x", b"!!set {a}", b"!x a"])
def test_yaml_with_a_tag_is_refused(data: bytes) -> None:
    """A tag that forces a type upon any text is malformed, and never an error of the server."""
    pytest.importorskip("yaml")
    with pytest.raises(MalformedBody, match="tags"):
        yaml_decoder(object)(data)


def test_yaml_is_read_without_tags_and_aliases() -> None:
    """YAML is data here: no Python objects, and no document that blows up."""
    pytest.importorskip("yaml")
    read = yaml_decoder(Point)
    assert read(b"x: 1\nnames: [a]") == Point(1, names=["a"])
    with pytest.raises(ValidationFailed):
        read(b"x: a")
    for broken in (b"x: [", b"x: &a 1\ny: *a", b"!!python/object:os.system x", b"\xff\xfe\x00"):
        with pytest.raises(MalformedBody):
            read(broken)
