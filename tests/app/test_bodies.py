"""Bodies that are bad in their weight: nested deeper than the limit, or slow to read."""

import gzip
import threading
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import pytest

from demijohn import App, Body, Form, Page, Request
from demijohn.app import Format
from demijohn.errors import MalformedBody
from demijohn.http import Limits, UploadFile
from demijohn.middleware import Security
from tests.app.calling import call

LIMIT = 20


class Event(msgspec.Struct):
    name: str
    data: Any = None


@dataclass
class Tagged:
    tags: dict[str, object]


class Tree(msgspec.Struct):
    children: "list[Tree]" = []


def _app() -> App:
    app = App(security=Security(limits=Limits(json_depth=LIMIT)))

    @app.post("/dict")
    async def plain(body: dict[str, Any]) -> str:
        return "ok"

    @app.post("/any")
    async def anything(body: Annotated[Any, Body()]) -> str:
        return "ok"

    @app.post("/sync")
    def sync(body: Annotated[list[Any], Body()]) -> str:
        return "ok"

    @app.post("/event")
    async def event(body: Event) -> str:
        return "ok"

    @app.post("/tagged")
    async def tagged(body: list[Tagged]) -> str:
        return "ok"

    @app.post("/either")
    async def either(body: Annotated[Event, Body(form=True)]) -> str:
        return "ok"

    @app.post("/tree")
    async def tree(body: Tree) -> str:
        return "ok"

    return app


def _lists(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("path", "before", "after", "outer"),
    [
        ("/dict", b'{"a":', b"}", 1),
        ("/any", b"", b"", 0),
        ("/sync", b"[", b"]", 1),
        ("/event", b'{"name":"x","data":', b"}", 1),
        ("/tagged", b'[{"tags":{"a":', b"}}]", 3),
        ("/either", b'{"name":"x","data":', b"}", 1),
    ],
)
async def test_depth_of_what_has_no_type(path: str, before: bytes, after: bytes, outer: int) -> None:
    """A body whose type leaves a part open may be nested up to the limit, and no deeper."""
    app = _app()
    for more, status in ((0, 200), (1, 400), (10_000, 400)):
        body = before + _lists(LIMIT - outer + more) + after
        response = await call(app, "POST", path, body=body, headers={"content-type": "application/json"})
        assert response.status == status, more
    wide = before + b"[" + b",".join([b"[]"] * 1000) + b"]" + after
    assert (await call(app, "POST", path, body=wide, headers={"content-type": "application/json"})).status == 200


async def test_depth_of_messagepack() -> None:
    """The limit holds for MessagePack as well."""
    value: Any = []
    for _ in range(LIMIT - 1):
        value = [value]
    headers = {"content-type": "application/msgpack"}
    assert (await call(_app(), "POST", "/any", body=msgspec.msgpack.encode(value), headers=headers)).status == 200
    deeper = msgspec.msgpack.encode([value])
    assert (await call(_app(), "POST", "/any", body=deeper, headers=headers)).status == 400


async def test_a_type_that_nests_itself_says_how_deep() -> None:
    """A recursive type is no open one: it is read as deep as the parser goes, and refused with 400 beyond."""
    headers = {"content-type": "application/json"}
    for depth, status in ((100, 200), (100_000, 400)):
        body = b'{"children":[' * depth + b"]}" * depth
        assert (await call(_app(), "POST", "/tree", body=body, headers=headers)).status == status


@pytest.mark.parametrize("kind", ["async", "sync", "form"])
async def test_large_bodies_of_slow_formats_are_read_in_a_thread(kind: str) -> None:
    """What takes a parser in Python long does not hold the event loop; its errors are answered as ever."""
    app = App()
    threads: list[int] = []

    def decode(data: bytes) -> Any:
        threads.append(threading.get_ident())
        if data.startswith(b"!"):
            raise MalformedBody("bad")
        return {"name": data[:1].decode() if data[:1] != b"?" else ["?"]}

    app.formats.add(Format("slow", ["application/slow"], decode=decode))

    if kind == "async":

        @app.post("/")
        async def post(body: Event) -> str:
            return body.name

    elif kind == "sync":

        @app.post("/")
        def post(body: Event) -> str:
            return body.name

    else:

        @app.post("/")
        async def post(body: Annotated[Event, Body(form=True)]) -> str:
            return body.name

    headers = {"content-type": "application/slow"}
    large = 40_000
    assert (await call(app, "POST", "/", body=b"a" * large, headers=headers)).body == b"a"
    assert threads.pop() != threading.get_ident()
    assert (await call(app, "POST", "/", body=b"!" * large, headers=headers)).status == 400
    refused = await call(app, "POST", "/", body=b"?" * large, headers=headers)
    assert refused.status == 422
    assert b'"name"' in refused.body
    threads.clear()
    assert (await call(app, "POST", "/", body=b"abc", headers=headers)).body == b"a"
    if kind != "sync":
        assert threads == [threading.get_ident()]


@pytest.mark.parametrize(
    ("body", "kind", "status", "text"),
    [
        ("é".encode(), "text/plain", 200, "é"),
        ("é".encode(), "text/plain; charset=UTF-8", 200, "é"),
        ("é".encode("latin-1"), "text/plain; charset=iso-8859-1", 200, "é"),
        ("é".encode("utf-16"), "text/plain; charset=utf-16", 200, "é"),
        ("é".encode("latin-1"), "text/plain", 400, None),
        (b"a", "text/plain; charset=utf-16", 400, None),
        (b"a", "text/plain; charset=klingon", 415, None),
        (b"a", "text/plain; charset=rot13", 415, None),
    ],
)
async def test_text_is_read_by_its_charset(body: bytes, kind: str, status: int, text: str | None) -> None:
    """A body of plain text is decoded by the charset that it names; a wrong or unknown one is a 4xx."""
    app = App()

    @app.post("/")
    async def post(body: Annotated[str, Body()]) -> str:
        return body

    response = await call(app, "POST", "/", body=body, headers={"content-type": kind})
    assert response.status == status
    if text is not None:
        assert response.body.decode() == text


@pytest.mark.parametrize("kind", ["list", "mapping", "tuple", "page"])
async def test_long_answers_in_slow_formats_are_written_in_a_thread(kind: str) -> None:
    """Writing many rows as CSV or XML does not hold the event loop; a few are written at once."""
    app = App()
    threads: list[int] = []

    def encode(value: Any) -> bytes:
        threads.append(threading.get_ident())
        rows = value["rows"] if isinstance(value, dict) else value
        return b"%d" % len(rows)

    app.formats.add(Format("slow", ["application/slow"], encode=encode))

    @app.get("/{many:int}", formats=["json", "slow"])
    async def rows(many: int) -> Any:
        rows = list(range(many))
        return {
            "list": rows,
            "mapping": {"rows": rows},
            "tuple": (rows, 201, {"x-more": "1"}),
            "page": Page("rows.html", rows=rows),
        }[kind]

    for many in (3, 5000):
        threads.clear()
        response = await call(app, "GET", f"/{many}", headers={"accept": "application/slow"})
        assert response.body == b"%d" % many
        assert response.status == (201 if kind == "tuple" else 200)
        assert "accept" in response.headers["vary"].lower()
        assert (threads == [threading.get_ident()]) is (many == 3)
    threads.clear()
    assert (await call(app, "GET", "/5000.json")).content_type == "application/json"
    assert threads == []


FORMS = "application/x-www-form-urlencoded, multipart/form-data"
ROWS = "text/csv, application/jsonl"


def _of_each_kind() -> App:
    app = App()

    @app.post("/object")
    async def of_object(body: Event) -> str:
        return "ok"

    @app.post("/sync")
    def of_object_in_a_thread(body: Event) -> str:
        return "ok"

    @app.post("/text")
    async def of_text(body: Annotated[str, Body()]) -> str:
        return "ok"

    @app.post("/limited")
    async def of_limited(body: Annotated[Event, Body(include=["name"])]) -> str:
        return "ok"

    @app.post("/parts")
    async def of_parts(name: Annotated[str, Body()], count: Annotated[int, Body()] = 1) -> str:
        return "ok"

    @app.post("/either")
    async def of_either(body: Annotated[Event, Body(form=True)]) -> str:
        return "ok"

    @app.post("/form")
    async def of_form(body: Annotated[Event, Form()]) -> str:
        return "ok"

    @app.post("/file")
    async def of_file(photo: UploadFile) -> str:
        return "ok"

    @app.post("/json")
    async def by_hand(request: Request) -> str:
        await request.json()
        return "ok"

    @app.post("/typed")
    async def by_hand_typed(request: Request) -> str:
        await request.json(Event)
        return "ok"

    @app.post("/words")
    async def text_by_hand(request: Request) -> str:
        return await request.text()

    @app.post("/raw")
    async def raw(body: Annotated[bytes, Body()]) -> int:
        return len(body)

    return app


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "application/protobuf", "nonsense"])
@pytest.mark.parametrize(
    ("path", "accepted"),
    [
        ("object", "application/json, application/xml, application/yaml, application/msgpack"),
        (
            "text",
            f"text/plain, application/json, application/xml, {ROWS}, application/yaml, application/msgpack",
        ),
        ("limited", "application/json, application/xml, application/yaml, application/msgpack"),
        ("parts", "application/json, application/xml, application/yaml, application/msgpack"),
        ("either", f"application/json, application/xml, application/yaml, application/msgpack, {FORMS}"),
        ("form", FORMS),
        ("file", FORMS),
        ("json", "application/json"),
        ("typed", "application/json"),
    ],
)
async def test_another_type_is_415_with_what_is_possible(path: str, accepted: str, kind: str) -> None:
    """Wherever a body is read, one of another type is told which are read there: in words, as a list, as a header."""
    response = await call(_of_each_kind(), "POST", f"/{path}", body=b"\x1f\x8b\x08", headers={"content-type": kind})
    assert response.status == 415
    assert response.headers["accept"] == response.headers["accept-post"] == accepted
    problem = msgspec.json.decode(response.body)
    assert problem["accepted"] == accepted.split(", ")
    assert kind in problem["detail"]
    assert accepted in problem["detail"]


@pytest.mark.parametrize("kind", ["application/msgpack", "application/xml", "text/plain", "application/x-ndjson"])
async def test_json_by_hand_is_json_by_its_name(kind: str) -> None:
    """`request.json()` takes JSON of any name, and what has no name, but not JSON that calls itself something else."""
    app = _of_each_kind()
    for path in ("/json", "/typed"):
        refused = await call(app, "POST", path, body=b'{"name": "a"}', headers={"content-type": kind})
        assert (refused.status, refused.headers["accept"]) == (415, "application/json")
        for good in ("application/json; charset=utf-8", "application/vnd.api+json", "text/json", "Application/JSON"):
            headers = {"content-type": good}
            assert (await call(app, "POST", path, body=b'{"name": "a"}', headers=headers)).status == 200
        assert (await call(app, "POST", path, body=b'{"name": "a"}')).status == 200


@pytest.mark.parametrize(
    "path", ["object", "sync", "text", "limited", "parts", "either", "form", "json", "typed", "words"]
)
async def test_a_packed_body_is_415(path: str) -> None:
    """Nothing is unpacked: a body in gzip is told so by `Accept-Encoding`, and not taken for broken JSON or text."""
    app = _of_each_kind()
    kind = {"form": "application/x-www-form-urlencoded", "words": "text/plain"}.get(path, "application/json")
    plain = {"form": b"name=a", "words": b"a", "text": b'"a"'}.get(path, b'{"name": "a"}')
    headers = {"content-type": kind, "content-encoding": "gzip"}
    response = await call(app, "POST", f"/{path}", body=gzip.compress(plain), headers=headers)
    assert (response.status, response.headers["accept-encoding"]) == (415, "identity")
    assert b"packed by gzip" in response.body
    # What could be read all the same is not: it only looks as if it were plain.
    readable = await call(app, "POST", f"/{path}", body=plain, headers=headers)
    assert (readable.status, readable.headers["accept-encoding"]) == (415, "identity")
    if path in ("words", "text"):
        latin = headers | {"content-type": "text/plain; charset=latin-1"}
        assert (await call(app, "POST", f"/{path}", body=gzip.compress(plain), headers=latin)).status == 415
    whole = await call(app, "POST", f"/{path}", body=plain, headers=headers | {"content-encoding": "identity"})
    assert whole.status == 200
    if path == "object":
        packed = gzip.compress(msgspec.msgpack.encode({"name": "a"}))
        headers = {"content-type": "application/msgpack", "content-encoding": "gzip"}
        assert (await call(app, "POST", "/object", body=packed, headers=headers)).status == 415
        # Who asks for bytes gets them as they came.
        assert (await call(app, "POST", "/raw", body=packed, headers=headers)).body == b"%d" % len(packed)
