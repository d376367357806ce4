"""The walk that gathers all errors agrees with msgspec about what is right."""

import enum
import uuid
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demijohn.errors import MalformedBody, ValidationFailed
from demijohn.schema import convert, json_decoder
from demijohn.schema.decoding import _Reader


class Shade(enum.IntEnum):
    LIGHT = 1
    DARK = 2


class Word(enum.Enum):
    A = "a"
    B = "b"


class Leaf(msgspec.Struct):
    a: int
    b: str = "x"


class Open(msgspec.Struct, rename={"left": "a", "right": "b"}):
    left: "Open | int"
    right: list[Leaf] = []


class Closed(msgspec.Struct, forbid_unknown_fields=True, tag="c", tag_field="b"):
    a: float | None = None


class Other(msgspec.Struct, tag="o", tag_field="b"):
    a: bool


class Row(msgspec.Struct, array_like=True):
    a: int
    b: Word = Word.A


class Loose(TypedDict, total=False):
    a: int
    b: list[str]


class Pair(NamedTuple):
    a: int
    b: str = "b"


TYPES: list[Any] = [
    int,
    float,
    str,
    bool,
    None,
    bytes,
    uuid.UUID,
    date,
    time,
    datetime,
    timedelta,
    Shade,
    Word,
    Literal["a", "b"],
    Literal[1, 2],
    Leaf,
    Open,
    Closed | Other,
    Other,
    Row,
    Loose,
    Pair,
    int | str | None,
    float | list[int],
    Leaf | None,
    list[Leaf],
    dict[str, int],
    dict[int, Leaf],
    tuple[int, str],
    tuple[Word, ...],
    set[str],
    list[Any],
    Annotated[str, msgspec.Meta(min_length=1, max_length=2, pattern="a")],
    Annotated[int, msgspec.Meta(ge=-1, lt=2, multiple_of=1)],
    Annotated[list[int], msgspec.Meta(max_length=1)],
]
texts = st.sampled_from(
    [
        "",
        "a",
        "b",
        "ab",
        "1",
        "x" * 3,
        "2026-01-31",
        "12:00:00",
        "2026-01-31T12:00:00Z",
        "P1D",
        "c",
        "o",
        "eA==",
        str(uuid.UUID(int=3)),
    ]
) | st.text(max_size=3)
keys = st.sampled_from(["a", "b", "1", "type"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("tp", TYPES, ids=str)
@settings(max_examples=150, deadline=None)
@given(value=values)
def test_the_walk_and_msgspec_agree(tp: Any, value: Any) -> None:
    """What msgspec reads, the walk reads to the same value; what it refuses, the walk has an error for."""
    data = msgspec.json.encode(value)
    raw = msgspec.json.decode(data)
    reader = _Reader(tp)
    try:
        expected = msgspec.json.decode(data, type=tp)
    except msgspec.ValidationError:
        with pytest.raises(ValidationFailed):
            reader.walk(raw, ())
    else:
        assert reader.walk(raw, ()) == expected


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=40), tp=st.sampled_from([*TYPES, Decimal, Any]))
def test_any_bytes_are_read_or_refused(tp: Any, data: bytes) -> None:
    """Whatever comes is a value or an error for the client, never anything else."""
    with suppress(MalformedBody, ValidationFailed):
        json_decoder(tp)(data)


flat = st.dictionaries(st.text(alphabet="ab.[]01", max_size=6), texts | st.lists(texts, max_size=3), max_size=4)


@settings(max_examples=300, deadline=None)
@given(
    source=flat, tp=st.sampled_from([Leaf, Open, Closed, Loose, dict[str, int], dict[str, Any], dict[str, list[int]]])
)
def test_any_form_is_read_or_refused(source: dict[str, Any], tp: Any) -> None:
    """Whatever names and texts a form sends, the answer is a value or a 422."""
    with suppress(ValidationFailed):
        convert(source, tp, text=True)


@settings(max_examples=300, deadline=None)
@given(text=texts | st.text(max_size=12), tp=st.sampled_from([tp for tp in [*TYPES, Decimal] if tp is not None]))
def test_any_text_is_read_or_refused(text: str, tp: Any) -> None:
    """Whatever text a query sends, the answer is a value or a 422."""
    with suppress(ValidationFailed):
        convert(text, tp, text=True)
