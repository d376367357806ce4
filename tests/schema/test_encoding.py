"""Values are written as JSON, MessagePack, YAML and plain data."""

import collections
import dataclasses
import enum
import ipaddress
import json
import pathlib
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import msgspec
import pydantic
import pytest

from demijohn.errors import ConfigurationError
from demijohn.schema import (
    NotEncodable,
    json_decoder,
    msgpack_decoder,
    register_encoder,
    to_builtins,
    to_json,
    to_msgpack,
    to_yaml,
)


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


class Colour(enum.Enum):
    RED = "red"


class Level(enum.Enum):
    HIGH = 1.5


class Point(msgspec.Struct):
    x: int


@dataclasses.dataclass
class Data:
    x: Any


@attrs.define
class Attrs:
    x: int


class Model(pydantic.BaseModel):
    the_x: int = pydantic.Field(alias="x")
    at: date = date(2026, 1, 31)


class Scalar:
    """As numpy's scalars are: with a dtype and `item()`."""

    dtype = "int64"

    def item(self) -> int:
        return 7


class Proxy(collections.abc.Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        return 1

    def __iter__(self) -> Any:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Text("a<b"), "a<b"),
        (Number(3), 3),
        (Real(1.5), 1.5),
        (Colour.RED, "red"),
        (Level.HIGH, 1.5),
        (Point(1), {"x": 1}),
        (Data(Point(1)), {"x": {"x": 1}}),
        (Attrs(1), {"x": 1}),
        (Model(x=1), {"x": 1, "at": "2026-01-31"}),
        ([Model(x=1)], [{"x": 1, "at": "2026-01-31"}]),
        (Decimal("1.50"), "1.50"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00Z"),
        (timedelta(seconds=90), "PT90S"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({1, 2}, [1, 2]),
        (collections.deque([1]), [1]),
        (range(2), [0, 1]),
        ({"a": 1}.values(), [1]),
        (Proxy(), {"a": 1}),
        (collections.OrderedDict(a=1), {"a": 1}),
        ({Colour.RED: 1, 2: 3}, {"red": 1, "2": 3}),
        (b"x", "eA=="),
        (pathlib.Path("/a/b"), "/a/b"),
        (ipaddress.ip_address("::1"), "::1"),
        (Fraction(1, 3), "1/3"),
        (Scalar(), 7),
        (None, None),
    ],
)
def test_what_is_written(value: Any, plain: Any) -> None:
    """Every kind of value has one plain form, the same in JSON, MessagePack and YAML."""
    assert json.loads(to_json(value)) == plain
    assert to_builtins(value) == plain


def test_formats_agree() -> None:
    """What is written can be read again."""
    value = {"a": [1, Text("b")], "c": Point(3)}
    assert json_decoder(dict[str, Any])(to_json(value)) == {"a": [1, "b"], "c": {"x": 3}}
    assert msgpack_decoder(dict[str, Any])(to_msgpack(value)) == {"a": [1, "b"], "c": {"x": 3}}
    pytest.importorskip("yaml")
    assert to_yaml(value) == b"a:\n- 1\n- b\nc:\n  x: 3\n"


def test_numbers_that_json_lacks() -> None:
    """NaN and infinities become null, as in a browser's JSON.stringify."""
    assert to_json([float("nan"), float("inf")]) == b"[null,null]"


def test_indent() -> None:
    """`indent` is for people."""
    assert to_json({"a": 1}, indent=2) == b'{\n  "a": 1\n}'


def test_an_encoder_of_ones_own() -> None:
    """A registered encoder serves the class and those below it, at once, and may return anything encodable."""

    class Celsius:
        degrees = 21

    class Exact(Celsius):
        degrees = 22

    with pytest.raises(NotEncodable, match=r"(?s)Celsius.*register_encoder.*DJN-014"):
        to_json([Celsius()])
    register_encoder(Celsius, lambda value: Point(value.degrees))
    assert to_json([Celsius(), Exact()]) == b'[{"x":21},{"x":22}]'
    with pytest.raises(ConfigurationError, match="DJN-013"):
        register_encoder(Point, lambda value: value.x)


def test_what_nobody_knows_to_write_is_told() -> None:
    """Generators, functions and objects are no data."""
    for value in (object(), (n for n in [1]), print):
        with pytest.raises(NotEncodable):
            to_json(value)


def test_the_cache_of_writers_is_bounded() -> None:
    """Classes that are made at run time do not pile up."""
    from demijohn.schema.encoding import _writer

    assert _writer.cache_info().maxsize is not None
    for _ in range(3):
        cls = type("Made", (str,), {})
        assert to_json(cls("x")) == b'"x"'
