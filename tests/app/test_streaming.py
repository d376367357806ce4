"""Generators as handlers: the form that suits what they yield, errors before the first item, and always an end."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Annotated, Any

import msgspec
import pytest

from demijohn import App, Header, Request, Response, ServerSentEvent, StreamResponse, abort, current, html
from demijohn.app.formats import Format
from demijohn.app.streaming import items_of, streamer_of
from demijohn.http import Markup
from demijohn.testing import AsyncClient
from tests.app.calling import call


class Row(msgspec.Struct):
    id: int
    name: str


@pytest.fixture
def app() -> App:
    return App(static=None)


async def ask(app: App, target: str = "/", **options: Any) -> Response:
    return await call(app, "GET", target, read=True, **options)


async def follow(app: App, target: str, look: Callable[[StreamResponse], Awaitable[None]]) -> None:
    """Ask, and look at the stream while the request is open, as a transport does."""
    request = Request("GET", target, target.encode(), b"", [(b"host", b"localhost")])
    request.app = app
    request._body = b""

    def send(response: Response) -> Awaitable[None]:
        assert isinstance(response, StreamResponse)
        return look(response)

    await app.handle(request, send)


async def test_events_are_all_a_user_writes(app: App) -> None:
    """A generator that says that it yields events is a stream of them, the last id a parameter like any other."""

    @app.get("/")
    async def ticks(last_event_id: Annotated[int, Header()] = 0) -> AsyncIterator[ServerSentEvent]:
        for number in range(last_event_id + 1, last_event_id + 3):
            yield ServerSentEvent({"tick": number}, id=number)

    response = await ask(app, headers={"last-event-id": "7"})
    assert response.content_type == "text/event-stream; charset=utf-8"
    assert response.body == b'id: 8\ndata: {"tick":8}\n\nid: 9\ndata: {"tick":9}\n\n'
    assert response.headers["cache-control"] == "no-store"
    assert (await ask(app, headers={"last-event-id": "x"})).status == 422


async def test_without_an_annotation_the_first_item_tells(app: App) -> None:
    """Events, text, markup, bytes and data need no word; nothing at all is an empty stream."""

    def handler(path: str, *items: Any) -> None:
        @app.get(path + "/async", name=path + "async")
        async def in_async() -> Any:
            for item in items:
                yield item

        @app.get(path + "/sync", name=path + "sync")
        def in_sync() -> Any:
            yield from items

    handler("/events", ServerSentEvent("a"), ServerSentEvent("b"))
    handler("/text", "a", "b")
    handler("/markup", html("<b>{}</b>", "<"), html("<i>"))
    handler("/bytes", b"a", b"b")
    handler("/data", {"a": 1}, Row(1, "x"))
    handler("/nothing")
    expected = {
        "/events": ("text/event-stream; charset=utf-8", b"data: a\n\ndata: b\n\n"),
        "/text": ("text/plain; charset=utf-8", b"ab"),
        "/markup": ("text/html; charset=utf-8", b"<b>&lt;</b><i>"),
        "/bytes": ("application/octet-stream", b"ab"),
        "/data": ("application/jsonl", b'{"a":1}\n{"id":1,"name":"x"}\n'),
        "/nothing": ("application/octet-stream", b""),
    }
    for path, (kind, body) in expected.items():
        for way in ("/async", "/sync"):
            response = await ask(app, path + way)
            assert (response.content_type, response.body) == (kind, body), path + way


async def test_rows_in_each_format(app: App) -> None:
    """One generator is JSON, JSON lines, CSV or events as the client likes; what cannot be streamed is read first."""

    @app.get("/rows", formats=["json", "jsonl", "csv", "events", "xml"])
    async def rows(n: int = 2) -> AsyncGenerator[Row, None]:
        for number in range(n):
            yield Row(number, "=x")

    assert json.loads((await ask(app, "/rows")).body) == [{"id": 0, "name": "=x"}, {"id": 1, "name": "=x"}]
    assert json.loads((await ask(app, "/rows?n=0")).body) == []
    lines = await ask(app, "/rows", headers={"accept": "application/x-ndjson"})
    assert lines.content_type == "application/jsonl"
    assert lines.body == b'{"id":0,"name":"=x"}\n{"id":1,"name":"=x"}\n'
    assert lines.headers["vary"] == "accept"
    assert (await ask(app, "/rows.csv")).body == b"id,name\r\n0,'=x\r\n1,'=x\r\n"
    events = await ask(app, "/rows", headers={"accept": "text/event-stream"})
    assert events.body == b'data: {"id":0,"name":"=x"}\n\ndata: {"id":1,"name":"=x"}\n\n'
    xml = await ask(app, "/rows.xml")
    assert b"<id>0</id>" in xml.body
    assert (await ask(app, "/rows", headers={"accept": "image/png"})).status == 406


async def test_events_as_lines(app: App) -> None:
    """Where events are asked for as JSON lines, their data is written."""

    @app.get("/", formats=["events", "jsonl"])
    def events() -> Iterator[ServerSentEvent]:
        yield ServerSentEvent({"a": 1}, id=1)

    assert (await ask(app, "/?format=jsonl")).body == b'{"a":1}\n'
    assert (await ask(app)).body == b'id: 1\ndata: {"a":1}\n\n'


async def test_lists_are_written_and_lines_are_read(app: App) -> None:
    """Without a generator the formats work too, and JSON lines are a body like any other."""

    @app.post("/rows", formats=["jsonl", "events"])
    async def rows(rows: list[Row]) -> list[Row]:
        return rows

    body = b'{"id":1,"name":"a"}\n\n{"id":2,"name":"b"}\r\n'
    headers = {"content-type": "application/x-ndjson"}
    answer = await call(app, "POST", "/rows", body=body, headers=headers)
    assert answer.body == b'{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n'
    bad = await call(app, "POST", "/rows", body=b'{"id":1,"name":"a"}\n{"id":"x"}\n', headers=headers)
    assert bad.status == 422
    assert len(json.loads(bad.body)["errors"]) == 2
    broken = await call(app, "POST", "/rows", body=b'{"id":1,\n"name":"a"}\n', headers=headers)
    assert broken.status == 400
    assert (await call(app, "POST", "/rows.events", body=b"[]")).body == b""


async def test_own_formats_stream(app: App) -> None:
    """`encode_item` is all that a format needs for generators."""
    app.formats.add(Format("lines", ["text/x-lines"], encode=repr, encode_item=lambda item: f"{item}\n".encode()))  # type: ignore[arg-type]

    @app.get("/", formats=["lines"])
    def words() -> Iterator[str]:
        yield from ("one", "two")

    response = await ask(app)
    assert response.body == b"one\ntwo\n"
    assert response.content_type == "text/x-lines; charset=utf-8"


async def test_what_fails_before_the_first_item_is_an_ordinary_error(app: App) -> None:
    """Before anything was sent, 404 is 404: for events too, where a browser would otherwise come back for ever."""

    @app.get("/{kind}")
    async def stream(kind: str) -> AsyncIterator[ServerSentEvent]:
        await asyncio.sleep(0.01)
        if kind == "gone":
            abort(404)
        yield ServerSentEvent("here")

    @app.get("/sync/{kind}")
    def in_sync(kind: str) -> Iterator[Row]:
        if kind == "gone":
            abort(404)
        yield Row(1, "a")

    assert (await ask(app, "/gone")).status == 404
    assert (await ask(app, "/there")).status == 200
    assert (await ask(app, "/sync/gone")).status == 404
    assert (await ask(app, "/sync/there")).status == 200


async def test_the_head_does_not_wait_for_a_quiet_stream(app: App) -> None:
    """Where it is known what is yielded the head goes out soon, and the comments begin."""
    gate = asyncio.Event()

    @app.get("/")
    async def quiet() -> AsyncIterator[ServerSentEvent]:
        await gate.wait()
        yield ServerSentEvent("at last")

    async with AsyncClient(app) as client, client.stream("GET", "/") as response:
        assert response.status_code == 200
        gate.set()
        assert await response.aread() == b"data: at last\n\n"


async def test_a_response_that_is_replaced_begins_no_generator(app: App) -> None:
    """Where a hook answers something else, nothing of the generator has run."""
    begun: list[str] = []

    @app.get("/")
    async def stream() -> AsyncIterator[ServerSentEvent]:
        begun.append("stream")
        yield ServerSentEvent("never sent")

    @app.after_request
    async def replace(response: Response) -> Response:
        return Response("instead")

    assert (await ask(app)).body == b"instead"
    assert begun == []


async def test_one_task_and_context(app: App) -> None:
    """A stream of events with its comments runs in the request's own task and context, whatever it waits for."""
    tasks: list[Any] = []

    @app.get("/")
    async def stream() -> AsyncIterator[ServerSentEvent]:
        for _ in range(3):
            tasks.append((asyncio.current_task(), current.request.path))
            yield ServerSentEvent("x")
            await asyncio.sleep(0.001)

    await ask(app)
    assert tasks == [(asyncio.current_task(), "/")] * 3


async def test_pieces_are_gathered_while_nothing_waits(app: App) -> None:
    """Twenty thousand rows are a few dozen pieces; others get their turn meanwhile."""

    @app.get("/async")
    async def rows() -> AsyncIterator[Row]:
        for number in range(20_000):
            yield Row(number, "x")

    @app.get("/sync")
    def rows_in_thread() -> Iterator[Row]:
        for number in range(20_000):
            yield Row(number, "x")

    async def look(response: StreamResponse) -> None:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        pieces = [piece async for piece in response.body_iterator]
        counting.cancel()
        assert sum(piece.count(b"\n") for piece in pieces) == 20_000
        assert 3 < len(pieces) < 60
        assert turns > 10

    for path in ("/async", "/sync"):
        await follow(app, path, look)


async def test_nothing_waits_for_company(app: App) -> None:
    """An item goes out when the next one lets wait, from async and sync generators alike."""
    gate = threading.Event()
    opened = asyncio.Event()

    @app.get("/async")
    async def tokens() -> AsyncIterator[str]:
        yield "one "
        yield "two "
        await opened.wait()
        yield "three"

    @app.get("/sync")
    def tokens_in_thread() -> Iterator[str]:
        yield "one "
        yield "two "
        gate.wait(60)
        yield "three"

    async def look(response: StreamResponse) -> None:
        seen = b""
        start = time.monotonic()
        async for piece in response.body_iterator:
            seen += piece
            if seen == b"one two ":
                assert time.monotonic() - start < 30
                opened.set()
                gate.set()
        assert seen == b"one two three"

    await follow(app, "/async", look)
    gate.clear()
    await follow(app, "/sync", look)


async def test_a_failure_loses_nothing_of_before(app: App) -> None:
    """What was yielded is sent, then the stream breaks off."""

    @app.get("/async")
    async def rows() -> AsyncIterator[Row]:
        yield Row(1, "a")
        yield Row(2, "b")
        raise ZeroDivisionError

    @app.get("/sync")
    def rows_in_thread() -> Iterator[Row]:
        yield Row(1, "a")
        yield Row(2, "b")
        raise ZeroDivisionError

    async def look(response: StreamResponse) -> None:
        seen = b""
        try:
            async for piece in response.body_iterator:
                seen += piece
        finally:
            assert seen.count(b"\n") == 2

    for path in ("/async", "/sync"):
        with pytest.raises(ZeroDivisionError):
            await follow(app, path, look)


async def test_a_client_that_leaves_ends_the_generator(app: App) -> None:
    """In each form, wherever it waits."""
    ended: list[str] = []

    @app.get("/{kind}")
    async def stream(kind: str) -> Any:
        try:
            yield ServerSentEvent("x") if kind == "events" else {"x": 1}
            await asyncio.sleep(60)
        finally:
            ended.append(kind)

    async with AsyncClient(app) as client:
        for kind in ("events", "lines"):
            async with client.stream("GET", f"/{kind}") as response:
                assert await anext(response.aiter_raw())
    assert ended == ["events", "lines"]


@pytest.mark.parametrize(
    ("tp", "name"),
    [
        (AsyncIterator[ServerSentEvent], "EventStreamResponse"),
        (AsyncIterator[ServerSentEvent | Row], "EventStreamResponse"),
        (Iterator[Row], "_lines"),
        (AsyncGenerator[dict[str, int], None], "_lines"),
        (Iterator[str], "_text"),
        (Iterator[Markup], "_html"),
        (Iterator[bytes], "StreamResponse"),
        (Iterator[Any], None),
        (Iterator, None),
        (list[Row], "none"),
    ],
)
def test_annotations(tp: Any, name: str | None) -> None:
    """The annotation decides; a list is no stream."""

    def handler() -> Any: ...

    handler.__annotations__["return"] = tp
    yielded = items_of(handler)
    assert (yielded is None) == (name == "none")
    if yielded is not None:
        streamer = streamer_of(yielded)
        assert getattr(streamer, "__name__", None) == name
