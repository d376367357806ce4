"""Bodies that are produced while they are sent: framing, flow, and every way they may end."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from demijohn.http import Request, Response, StreamResponse
from tests.serving.running import PATIENCE, Client, Running, SmallApp, get, running, small_app, until


def streaming_app() -> SmallApp:
    """An app with streams that end in different ways; what happens to them is in its events."""
    app = small_app()

    def add(path: str, produce: Any, **options: Any) -> None:
        async def handler(request: Request) -> Response:
            return StreamResponse(watched(path, produce()), **options)

        app.handlers[path] = handler

    async def watched(path: str, source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for piece in source:
                yield piece
        except asyncio.CancelledError:
            app.events.append(f"cancelled {path}")
            raise
        finally:
            app.events.append(f"closed {path}")

    async def breaks() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.sleep(0.01)
        raise RuntimeError("broken in the middle")

    async def endless() -> AsyncIterator[bytes]:
        yield b"data: begun\n\n"
        await asyncio.sleep(3600)

    async def flood() -> AsyncIterator[bytes]:
        while True:
            app.events.append("piece")
            yield bytes(65536)

    async def ten() -> AsyncIterator[bytes]:
        yield b"01234"
        yield b"56789"

    add("/breaks", breaks)
    add("/endless", endless, content_type="text/event-stream")
    add("/flood", flood)
    add("/ten", ten, headers={"Content-Length": "10"})
    add("/short", ten, headers={"Content-Length": "11"})
    add("/long", ten, headers={"Content-Length": "9"})
    add("/plain", ten)
    return app


@pytest.fixture
def streams() -> Any:
    """A server with the streaming app."""
    with running(streaming_app()) as server:
        yield server


def test_a_stream_is_chunked_in_http_1_1(streams: Running) -> None:
    """Without a length the pieces are chunks, and the connection stays."""
    with streams.connect() as client:
        client.send(get("/plain"))
        assert client.until(b"\r\n\r\n").endswith(b"transfer-encoding: chunked\r\n\r\n")
        assert client.until(b"0\r\n\r\n") == b"5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"
        client.send(get())
        assert client.response()[2] == b"Hello, World!"


def test_a_stream_ends_with_the_connection_in_http_1_0(streams: Running) -> None:
    """HTTP/1.0 knows no chunks: the body is all that comes until the end."""
    data = streams.ask(get("/plain", version="1.0", extra="Connection: keep-alive\r\n"))
    head, _, body = data.partition(b"\r\n\r\n")
    assert body == b"0123456789"
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head


def test_a_stream_of_known_length_is_not_chunked(streams: Running) -> None:
    """A stream that says its length is sent by it, in both versions."""
    for version in ("1.1", "1.0"):
        with streams.connect() as client:
            client.send(get("/ten", version=version))
            head = client.until(b"\r\n\r\n")
            assert b"content-length: 10\r\n" in head
            assert b"transfer-encoding" not in head
            assert client.until(b"9") == b"0123456789"


@pytest.mark.parametrize("path", ["/short", "/long"])
def test_a_stream_that_breaks_its_promise_is_cut(streams: Running, path: str) -> None:
    """A stream that is shorter or longer than its length ends the connection, and sends no byte too many."""
    data = streams.ask(get(path) + get())
    body = data.partition(b"\r\n\r\n")[2]
    assert body in (b"0123456789", b"01234")
    until(lambda: f"closed {path}" in streams.app.events)


def test_a_stream_that_fails_is_cut_so_that_the_client_sees_it(
    streams: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """No terminator follows a failure, the connection ends, and one error is logged."""
    data = streams.ask(get("/breaks") + get())
    assert data.endswith(b"5\r\nfirst\r\n")
    assert b"Hello" not in data
    until(lambda: [record.exc_info[0] for record in caplog.records if record.exc_info] == [RuntimeError])
    until(lambda: "closed /breaks" in streams.app.events)


def test_a_failing_stream_without_chunks_is_reset(streams: Running) -> None:
    """Where only the end of the connection ends the body, a reset says that it is not whole."""
    with streams.connect() as client:
        client.send(get("/breaks", version="1.0"))
        with pytest.raises(ConnectionResetError):
            _drain(client)


def _drain(client: Client) -> None:
    while client.sock.recv(65536):
        pass


def test_a_stream_ends_when_the_client_leaves(streams: Running) -> None:
    """The iterator is cancelled where it waits and closed, and the request ends as any other."""
    with streams.connect() as client:
        client.send(get("/endless"))
        client.until(b"begun")
    until(lambda: "ended /endless" in streams.app.events)
    assert streams.app.events[1:] == ["cancelled /endless", "closed /endless", "ended /endless"]


def test_a_producer_waits_for_its_client(streams: Running) -> None:
    """To a client that does not read, a stream stops after a few pieces; it goes on when the client reads again."""
    with streams.connect() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(get("/flood"))
        until(lambda: "piece" in streams.app.events)
        before = streams.settle(lambda: len(streams.app.events))
        assert before < 200
        size = 0
        while size < 20_000_000:
            size += len(client.sock.recv(1 << 20))
        assert len(streams.app.events) > before + 100
    until(lambda: "closed /flood" in streams.app.events)


def test_a_producer_that_never_waits_hears_that_its_client_is_gone(streams: Running) -> None:
    """Between the loss of a connection and the word of it a stream gives the loop its turn: nothing hangs."""
    app = streams.app

    async def produce() -> AsyncIterator[bytes]:
        try:
            yield b"begun"
            (connection,) = streams.hub.connections
            connection.transport.abort()
            while True:
                yield b"more"
        finally:
            app.events.append("closed /lost")

    async def handler(request: Request) -> Response:
        return StreamResponse(produce())

    app.handlers["/lost"] = handler
    streams.ask(get("/lost"))
    until(lambda: "closed /lost" in app.events)
    assert streams.ask(get(extra="Connection: close\r\n")).endswith(b"Hello, World!")


def test_head_of_a_stream_closes_it_unread(streams: Running) -> None:
    """HEAD asks nothing of the iterator, and yet it is closed."""
    app = streams.app
    closed = threading.Event()

    class Source:
        def __aiter__(self) -> "Source":
            return self

        async def __anext__(self) -> bytes:
            raise AssertionError("not to be read")

        async def aclose(self) -> None:
            closed.set()

    async def handler(request: Request) -> Response:
        return StreamResponse(Source())

    app.handlers["/source"] = handler
    with streams.connect() as client:
        client.send(b"HEAD /source HTTP/1.1\r\nHost: a\r\n\r\n" + get())
        assert client.response(head_only=True)[0] == 200
        assert client.response()[2] == b"Hello, World!"
    assert closed.wait(PATIENCE)


def test_body_and_stream_may_flow_at_once() -> None:
    """A handler that answers while it reads gets what comes in, piece by piece."""
    app = small_app()

    @app.on("/upper")
    async def upper(request: Request) -> Response:
        async def produce() -> AsyncIterator[bytes]:
            async for piece in request.stream():
                yield piece.upper()

        return StreamResponse(produce())

    with running(app) as server, server.connect() as client:
        client.send(b"POST /upper HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert client.until(b"ABC\r\n").endswith(b"\r\n\r\n3\r\nABC\r\n")
        client.send(b"3\r\ndef\r\n")
        assert client.until(b"DEF\r\n") == b"3\r\nDEF\r\n"
        client.send(b"0\r\n\r\n" + get())
        assert client.until(b"0\r\n\r\n") == b"0\r\n\r\n"
        assert client.response()[2] == b"Hello, World!"


def test_cleaning_up_a_stream_is_not_interrupted(streams: Running) -> None:
    """A generator that cleans up slowly after its client left gets the time for it."""
    cleaned = threading.Event()

    async def produce() -> AsyncIterator[bytes]:
        try:
            yield b"x"
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.1)
            cleaned.set()

    async def handler(request: Request) -> Response:
        return StreamResponse(produce())

    streams.app.handlers["/slowly"] = handler
    with streams.connect() as client:
        client.send(get("/slowly"))
        client.until(b"x\r\n")
    assert cleaned.wait(PATIENCE)
