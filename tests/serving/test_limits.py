"""Clients that are slow, silent, many or greedy (`Timeouts`, `Capacity`)."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest

from demijohn.http import Request, Response, StreamResponse
from demijohn.serving import Capacity, ServerConfig, Timeouts
from tests.serving.running import get, post, running, small_app, until

QUICK = Timeouts(headers=0.3, body=0.6, body_grace=0.3, keep_alive=0.3, send=0.5, linger=0.3)


def test_a_silent_connection_is_closed() -> None:
    """A connection on which nothing ever comes is closed, without a word, after the time for headers."""
    with running(timeouts=QUICK) as server, server.connect() as client:
        start = time.monotonic()
        assert client.rest() == b""
        assert 0.2 < time.monotonic() - start < 20


def test_slow_headers_are_answered_with_408() -> None:
    """Headers that drip in, a byte at a time, are over their time however steadily they come."""
    with running(timeouts=QUICK) as server, server.connect() as client:
        stop = threading.Event()

        def drip() -> None:
            try:
                for byte in b"GET / HTTP/1.1\r\nX: " + b"a" * 1000:
                    client.send(bytes([byte]))
                    if stop.wait(0.02):
                        return
            except OSError:
                return

        thread = threading.Thread(target=drip)
        thread.start()
        data = client.rest()
        stop.set()
        thread.join()
    assert data.startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed() -> None:
    """A kept connection is closed after its idle time; one that is used goes on."""
    with running(timeouts=Timeouts(keep_alive=2.5)) as server, server.connect() as client:
        for _ in range(4):
            client.send(get())
            assert client.response()[0] == 200
            time.sleep(0.8)
        assert client.rest() == b""


def test_a_slow_small_body_never_reaches_the_handler() -> None:
    """The handler of a small body starts when the body is whole; until then a slow client holds nothing but itself."""
    with running(timeouts=QUICK) as server, server.connect() as client:
        client.send(post("/echo", bytes(1000))[:-500])
        data = client.rest()
        assert data.startswith(b"HTTP/1.1 408 ")
        assert server.app.events == ["startup"]


def test_a_slow_large_body_is_a_408_for_the_handler() -> None:
    """A handler that waits for a body slower than the rate is told so, and its 408 goes to the client."""
    with running(timeouts=QUICK) as server, server.connect() as client:
        client.send(post("/count", bytes(200_000))[:300])
        assert client.rest().startswith(b"HTTP/1.1 408 ")


def test_a_handler_that_waits_for_something_else_does_not_make_the_body_slow() -> None:
    """Only the time spent waiting for the client counts."""
    app = small_app()

    @app.on("/late")
    async def late(request: Request) -> Response:
        await asyncio.sleep(3.0)
        return Response(b"%d" % len(await request.body()))

    with running(app, timeouts=Timeouts(body=2.0, body_grace=1.5)) as server, server.connect() as client:
        client.send(post("/late", bytes(300_000)))
        assert client.response()[2] == b"300000"


def test_too_many_requests_at_once_are_refused_quickly() -> None:
    """Over the limit the answer is 503 with Retry-After, at once, and the connection stays usable."""
    app = small_app()
    release = threading.Event()

    @app.on("/hold")
    async def hold(request: Request) -> Response:
        while not release.is_set():
            await asyncio.sleep(0.01)
        return Response(b"held")

    with running(app, capacity=Capacity(requests=3)) as server:
        holders = [server.connect() for _ in range(3)]
        for holder in holders:
            holder.send(get("/hold"))
        server.until_active(3)
        with server.connect() as client:
            client.send(get())
            status, headers, _ = client.response()  # while the others are held
            assert (status, headers["retry-after"]) == (503, "1")
            release.set()
            for holder in holders:
                assert holder.response()[2] == b"held"
                holder.sock.close()
            server.until_active(0)
            client.send(get())
            assert client.response()[0] == 200


def test_too_many_connections_close_the_oldest_idle_one() -> None:
    """A new connection takes the place of the one that has idled longest; where all are busy it is refused."""
    app = small_app()
    release = threading.Event()

    @app.on("/hold")
    async def hold(request: Request) -> Response:
        while not release.is_set():
            await asyncio.sleep(0.01)
        return Response(b"held")

    with running(app, capacity=Capacity(connections=3)) as server:
        clients = [server.connect() for _ in range(3)]
        for client in clients:
            client.send(get())
            assert client.response()[0] == 200
            server.until_tick()  # the clock of the server is coarse
        fourth = server.connect()
        fourth.send(get("/hold"))
        assert clients[0].rest() == b""
        for client in clients[1:]:
            client.send(get("/hold"))
        server.until_active(3)
        refused = server.ask(b"")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in refused
        release.set()
        for client in (fourth, *clients[1:]):
            assert client.response()[2] == b"held"
        for client in (fourth, *clients):
            client.sock.close()


def test_a_handler_over_its_time_is_cancelled() -> None:
    """With a limit for requests, a handler that takes longer is cancelled and the client gets 503."""
    app = small_app()
    ended: list[str] = []

    @app.on("/forever")
    async def forever(request: Request) -> Response:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cleaned up")
        return Response(b"never")

    with running(app, timeouts=Timeouts(request=0.3)) as server:
        data = server.ask(get("/forever"))
        assert data.startswith(b"HTTP/1.1 503 ")
        assert ended == ["cleaned up"]
        assert server.ask(get("/slow", extra="Connection: close\r\n")).endswith(b"slow")


@pytest.mark.parametrize("size", [1001, 100_000])
def test_the_servers_own_limit_for_bodies(size: int) -> None:
    """Over the hard limit the answer is 413 without the handler, by the announced length or by what comes."""
    with running(capacity=Capacity(body_size=1000)) as server:
        data = server.ask(f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
        assert data.startswith(b"HTTP/1.1 413 ")
        for _ in range(4):
            data = server.ask(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            assert data.startswith(b"HTTP/1.1 413 ")
        assert server.app.events == ["startup"]
        chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        data = server.ask(chunked % (size, bytes(size)))
        assert data.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_does_not_read_is_cut() -> None:
    """A large response to a client that takes nothing of it is given up after the send timeout."""
    app = small_app()

    @app.on("/large")
    async def large(request: Request) -> Response:
        return Response(bytes(20_000_000))

    with running(app, timeouts=QUICK) as server, server.connect() as client:
        client.send(get("/large"))
        until(lambda: "ended /large" in app.events)
        until(lambda: not server.call(lambda: list(server.hub.connections)))


def test_what_waits_is_not_what_a_client_took() -> None:
    """The piece of a stream that made the server wait counts as unread until it is read: nobody gets a second time for
    it."""
    app = small_app()
    size = 16_000_000

    @app.on("/stream")
    async def stream(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield bytes(size)
            yield b"end"

        return StreamResponse(pieces())

    with running(app) as server, server.connect() as client:
        client.send(get("/stream"))
        (connection,) = server.call(lambda: list(server.hub.connections))
        until(lambda: server.call(lambda: connection.is_write_paused))
        waiting = server.settle(connection.transport.get_write_buffer_size)
        taken = server.call(lambda: connection._mark + connection._written - waiting)
        assert -10 < taken < size - waiting + 1000  # the chunk has a few bytes around it


def test_a_client_that_reads_slowly_but_steadily_gets_all() -> None:
    """Progress counts: a reader above the rate is not cut, however long the whole takes."""
    app = small_app()

    @app.on("/large")
    async def large(request: Request) -> Response:
        return Response(bytes(8_000_000))

    with running(app, timeouts=Timeouts(send=2.0)) as server, server.connect() as client:
        client.send(get("/large"))
        head = client.until(b"\r\n\r\n")
        assert b"content-length: 8000000" in head
        size = len(client.buffer)
        client.buffer = b""
        start = time.monotonic()
        while size < 8_000_000:
            data = client.sock.recv(200_000)
            assert data, f"cut after {size} bytes"
            size += len(data)
            time.sleep(0.08)
        assert time.monotonic() - start > 2.5


def test_capacity_is_a_plain_value() -> None:
    """The configuration is frozen and has room for what is left out."""
    config = ServerConfig(bind=("127.0.0.1:0", "unix:/tmp/x"))
    assert config.binds == ("127.0.0.1:0", "unix:/tmp/x")
    with pytest.raises(AttributeError):
        config.workers = 2  # type: ignore[misc]
