"""Whatever a client sends, binding answers with a value or a 4xx, never with a 500."""

import dataclasses
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from urllib.parse import quote, quote_plus, urlencode
from uuid import UUID

import msgspec
import pydantic
from hypothesis import example, given, settings
from hypothesis import strategies as st

from demijohn import App, Body, Cookie, Form, Header, Path, Query, Request, Response
from demijohn.http import UploadFile
from demijohn.schema import Field


class Colour(Enum):
    RED = "red"


class Item(msgspec.Struct):
    name: Annotated[str, Field(min_length=1, pattern="[a-z]+", format="slug")]
    price: Annotated[Decimal, Field(ge=0, multiple_of=Decimal("0.01"))] = Decimal(0)
    tags: list[Annotated[int, Field(lt=9)]] = []
    inner: "Item | None" = None
    when: datetime | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: dict[str, float] = dataclasses.field(default_factory=dict)


class Model(pydantic.BaseModel):
    n: int
    word: Literal["a", "b"] = "a"


async def query(
    number: int | None,
    ratio: float | None,
    flag: bool | None,
    price: Decimal | None,
    day: date | None,
    at: datetime | None,
    clock: time | None,
    lasts: timedelta | None,
    key: UUID | None,
    colour: Colour | None,
    word: Literal["a", "b"] | None,
    data: bytes | None,
    either: int | date | str | None,
    numbers: Annotated[list[int], Query(max_length=2)] = [],  # noqa: B006
    bound: Annotated[int, Query(ge=1, multiple_of=3)] = 3,
) -> None: ...


async def whole(
    item: Annotated[Item, Query()],
    x_number: Annotated[int, Header()] = 0,
    sid: Annotated[UUID | None, Cookie()] = None,
) -> None: ...


async def struct(item: Item) -> None: ...
async def several(points: list[Point], item: Annotated[Item | None, Body()] = None) -> None: ...
async def model(model: Model | None) -> None: ...
async def union(thing: Item | list[int] | str) -> None: ...
async def text(thing: Annotated[str, Body()]) -> None: ...
async def form(item: Annotated[Item, Form()], flag: Annotated[bool, Form()], photo: UploadFile | None) -> None: ...
async def either(item: Annotated[Item, Body(form=True, exclude=["price"])]) -> None: ...
def in_thread(number: Annotated[int, Path(ge=1)], word: str, point: Point) -> None: ...


app = App()
app.get("/query")(query)
app.get("/whole")(whole)
for handler in (struct, several, model, union, text, form, either):
    app.post(f"/{handler.__name__}")(handler)
app.put("/path/{number}/{word:path}")(in_thread)

PATHS = ["/struct", "/several", "/model", "/union", "/text", "/form", "/either"]
NAMES = [*query.__annotations__, "name", "tags", "inner.name", "inner[when]", "when", "photo", "flag"]
values = st.sampled_from(
    [
        "",
        " ",
        "0",
        "-1",
        "3",
        "9" * 30,
        "1e9",
        "nan",
        "1E+9999",
        "2026-01-31",
        "2026-13-01",
        "10:30",
        "PT1S",
        "red",
        "a",
        "on",
        "P9999999999D",
        "9999-12-31T23:59:59+99:99",
        "0001-01-01T00:00:00+14:00",
        "\x00",
        "\ud7ff",
        "٣",
        "eA==",
        "{}",
        "null",
    ]
) | st.text(max_size=8)
kinds = st.sampled_from(
    [
        None,
        "application/json",
        "application/json;charset=utf-16",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/msgpack",
        "application/yaml",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "",
        "\xff/\x00",
        "*/*",
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | values, inner, max_size=4),
    max_leaves=10,
)


async def status_of(method: str, path: str, query: bytes, headers: dict[str, str], body: bytes) -> int:
    """The status that a request is answered with; a path that no route has is 404."""
    raw = [(b"host", b"localhost")]
    raw += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    request = Request(method, path, quote(path).encode(), query, raw)
    request.app = app
    request._body = body
    answers: list[Response] = []
    await app.handle(request, answers.append)
    return answers[0].status


def check(status: int) -> None:
    assert status < 400 or status in (400, 404, 413, 415, 422), status


@settings(max_examples=400, deadline=None)
@given(
    fields=st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=6),
    path=st.sampled_from(["/query", "/whole"]),
    header=values,
)
@example(fields=[("numbers", "1"), ("numbers", "2"), ("numbers", "3")], path="/query", header="")
async def test_any_query_header_and_cookie(fields: list[tuple[str, str]], path: str, header: str) -> None:
    """Texts that look like every type, under every name."""
    headers = {"x-number": header, "cookie": f"sid={header}"}
    check(await status_of("GET", path, urlencode(fields, errors="replace").encode(), headers, b""))


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=30), path=st.sampled_from(["/query", "/whole"]))
async def test_any_bytes_as_query(raw: bytes, path: str) -> None:
    """Bytes that are no query at all."""
    check(await status_of("GET", path, b"number=" + raw, {}, b""))


@settings(max_examples=400, deadline=None)
@given(value=json_values, kind=kinds, path=st.sampled_from(PATHS), pack=st.booleans())
async def test_any_data_as_body(value: Any, kind: str | None, path: str, pack: bool) -> None:
    """Data of every shape, under every content type."""
    try:
        body = msgspec.msgpack.encode(value) if pack else msgspec.json.encode(value)
    except (OverflowError, UnicodeEncodeError, msgspec.MsgspecError):
        return
    check(await status_of("POST", path, b"", {} if kind is None else {"content-type": kind}, body))


@settings(max_examples=400, deadline=None)
@given(body=st.binary(max_size=60), kind=kinds, path=st.sampled_from(PATHS), cut=st.integers(0, 40))
@example(body=b"[" * 20_000, kind="application/json", path="/union", cut=0)
@example(body=b"\x91" * 20_000, kind="application/msgpack", path="/union", cut=0)
@example(body=b"[" * 5_000, kind="application/yaml", path="/union", cut=0)
async def test_any_bytes_as_body(body: bytes, kind: str | None, path: str, cut: int) -> None:
    """Bytes that are no data at all, and data that ends too early."""
    headers = {} if kind is None else {"content-type": kind}
    check(await status_of("POST", path, b"", headers, body))
    whole = b'{"name":"abc","price":"1.50","tags":[1,2],"inner":{"name":"x"}}'
    check(await status_of("POST", path, b"", headers, whole[:cut]))


@settings(max_examples=300, deadline=None)
@given(
    fields=st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=6), path=st.sampled_from(["/form", "/either"])
)
async def test_any_form(fields: list[tuple[str, str]], path: str) -> None:
    """Forms with every kind of text under every name."""
    body = "&".join(f"{quote_plus(name)}={quote_plus(value, errors='replace')}" for name, value in fields).encode()
    check(await status_of("POST", path, b"", {"content-type": "application/x-www-form-urlencoded"}, body))


@settings(max_examples=100, deadline=None)
@given(number=values, word=values, value=json_values)
async def test_any_path(number: str, word: str, value: Any) -> None:
    """Segments of every kind, for a handler in a thread."""
    try:
        body = msgspec.json.encode(value)
    except (OverflowError, UnicodeEncodeError):
        return
    check(await status_of("PUT", f"/path/{number}/{word}", b"", {}, body))
