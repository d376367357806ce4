"""pydantic's models validate themselves, and their errors come out as ours."""

import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest

from demijohn.errors import MalformedBody, ValidationFailed
from demijohn.schema import convert, json_decoder


class Kind(Enum):
    A = "a"


class Inner(pydantic.BaseModel):
    n: int


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    a: int = pydantic.Field(ge=1)
    b: Annotated[str, pydantic.Field(min_length=3)] = "bbb"
    kind: Kind = Kind.A
    lit: Literal["x"] = "x"
    price: Decimal = Decimal(1)
    at: datetime | None = None
    tags: list[int] = []
    inner: Inner | None = None

    @pydantic.field_validator("b")
    @classmethod
    def no_bad(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("no bad words")
        return value


@pydantic.dataclasses.dataclass
class Checked:
    a: Annotated[int, pydantic.Field(ge=1)]


class Wrapper(msgspec.Struct):
    model: Model
    checked: Checked | None = None


def errors_of(tp: Any, data: bytes) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationFailed) as caught:
        json_decoder(tp, place=("body",))(data)
    return [(error.place, error.code) for error in caught.value.errors]


def test_all_errors_of_a_model_are_ours() -> None:
    """Each error has our place and our code, and a sentence that ends."""
    data = b'{"a":0,"b":"x","kind":"z","lit":"y","price":"p","at":"x","tags":["q"],"inner":{},"more":1}'
    assert errors_of(Model, data) == [
        (("body", "a"), "ge"),
        (("body", "b"), "min_length"),
        (("body", "kind"), "choice"),
        (("body", "lit"), "choice"),
        (("body", "price"), "format"),
        (("body", "at"), "format"),
        (("body", "tags", 0), "type"),
        (("body", "inner", "n"), "missing"),
        (("body", "more"), "unknown"),
    ]
    with pytest.raises(ValidationFailed) as caught:
        json_decoder(Model)(b'{"a":1,"b":"bad"}')
    assert caught.value.errors == [(("b",), "value", "no bad words.")]


def test_what_is_not_json_is_a_bad_request() -> None:
    """Broken bodies are 400 for a model too."""
    for data in (b"", b"{", b'{"a":"\xff"}', b"[" * 10_000):
        with pytest.raises(MalformedBody):
            json_decoder(Model)(data)


def test_models_inside_of_other_types() -> None:
    """A model may stand in a list, a dict or a Struct, and a pydantic dataclass is validated by pydantic."""
    assert json_decoder(list[Inner])(b'[{"n":"3"}]') == [Inner(n=3)]
    assert errors_of(list[Inner], b'[{"n":"x"},{"n":1},{}]') == [
        (("body", 0, "n"), "type"),
        (("body", 2, "n"), "missing"),
    ]
    assert errors_of(Wrapper, b'{"model":{"a":0},"checked":{"a":0}}') == [
        (("body", "model", "a"), "ge"),
        (("body", "checked", "a"), "ge"),
    ]
    assert errors_of(Checked, b'{"a":0}') == [(("body", "a"), "ge")]
    assert json_decoder(dict[str, Inner | int])(b'{"a":{"n":1},"b":2}') == {"a": Inner(n=1), "b": 2}


def test_a_model_from_a_form() -> None:
    """Blanks are left out, lists are gathered, names reach inside."""
    form = {"a": ["1"], "b": "", "price": "", "tags": ["1", "2"], "inner.n": "3"}
    with pytest.raises(ValidationFailed) as caught:
        convert(form, Model, text=True)
    assert [error.code for error in caught.value.errors] == ["min_length"]
    assert convert(form | {"b": "bbb"}, Model, text=True) == Model(a=1, tags=[1, 2], inner=Inner(n=3))


def test_pydantic_is_never_imported() -> None:
    """Reading and writing other types loads nothing but msgspec."""
    code = (
        "import sys\n"
        "from demijohn.schema import json_decoder, to_json, fields_of\n"
        "import msgspec\n"
        "class A(msgspec.Struct):\n    a: int\n"
        "json_decoder(A)(b'{\"a\":1}'); to_json([A(1)]); fields_of(A)\n"
        "bad = {'pydantic', 'attrs', 'attr', 'numpy', 'yaml'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
