"""How a server ends: nothing in flight is lost, and nothing that stays open can hold it up."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from demijohn.http import Request, Response, StreamResponse
from demijohn.serving import Timeouts
from tests.serving.running import PATIENCE, SmallApp, get, running, small_app, until


def app_with_streams() -> SmallApp:
    """An app with an event stream that heeds the drain, one that does not, and a long download."""
    app = small_app()

    @app.on("/polite")
    async def polite(request: Request) -> Response:
        async def produce() -> AsyncIterator[bytes]:
            yield b"data: hello\n\n"
            while not app.draining:
                await asyncio.sleep(0.01)
            yield b"data: bye\n\n"

        return StreamResponse(produce(), content_type="text/event-stream")

    @app.on("/deaf")
    async def deaf(request: Request) -> Response:
        async def produce() -> AsyncIterator[bytes]:
            yield b"data: hello\n\n"
            await asyncio.sleep(3600)

        return StreamResponse(produce(), content_type="text/event-stream; charset=utf-8")

    @app.on("/download")
    async def download(request: Request) -> Response:
        async def produce() -> AsyncIterator[bytes]:
            for _ in range(10):
                yield b"0123456789"
                await asyncio.sleep(0.05)

        return StreamResponse(produce())

    @app.on("/held")
    async def held(request: Request) -> Response:
        while not app.draining:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        return Response(b"held")

    @app.on("/stuck")
    async def stuck(request: Request) -> Response:
        await asyncio.sleep(3600)
        return Response(b"never")

    return app


def test_a_request_in_flight_is_answered() -> None:
    """What was asked before the stop is answered; the response says that the connection ends."""
    with running(app_with_streams()) as server, server.connect() as busy, server.connect() as idle:
        idle.send(get())
        assert idle.response()[0] == 200
        busy.send(get("/held"))
        server.until_active(1)
        port = server.port
        server.begin_stop()
        assert idle.rest() == b""
        status, headers, body = busy.response()
        assert (status, body, headers["connection"]) == (200, b"held", "close")
        server.join()
        with pytest.raises(ConnectionRefusedError):
            server.connect_to(port)
    assert server.app.events[-2:] == ["ended /held", "shutdown"]


def test_streams_end_whole_and_do_not_hold_it_up() -> None:
    """Event streams are told, and ended with their terminator if they do not listen; a download is finished."""
    timeouts = Timeouts(stream_grace=2.0, grace=120)
    with running(app_with_streams(), timeouts=timeouts) as server:
        with server.connect() as polite, server.connect() as deaf, server.connect() as download:
            for client, path in ((polite, "/polite"), (deaf, "/deaf"), (download, "/download")):
                client.send(get(path))
                client.until(b"\r\n\r\n")
            deaf.until(b"hello\n\n\r\n")
            server.begin_stop()
            assert polite.rest().endswith(b"data: bye\n\n\r\n0\r\n\r\n")
            assert deaf.rest() == b"0\r\n\r\n"
            assert download.rest().endswith(b"0123456789\r\n0\r\n\r\n")
            server.join()


def test_what_is_over_the_grace_is_cut() -> None:
    """A handler that does not end is cancelled after the grace, and its client gets 503 or the end."""
    with running(app_with_streams(), timeouts=Timeouts(grace=0.3, stream_grace=0.1)) as server:
        with server.connect() as client:
            client.send(get("/stuck"))
            server.until_active(1)
            server.begin_stop()
            data = client.rest()
            assert data == b"" or data.startswith(b"HTTP/1.1 503 ")
            server.join()


def test_hurrying_ends_the_wait() -> None:
    """`hurry` makes a stop that waits go on at once."""
    with running(app_with_streams(), timeouts=Timeouts(grace=120)) as server:
        with server.connect() as client:
            client.send(get("/stuck"))
            server.until_active(1)
            server.begin_stop()
            until(lambda: server.app.draining)
            server.call(server.server.hurry)
            server.join()


def test_websockets_are_told_1001() -> None:
    """An open WebSocket is closed as going away, and its handler hears of it."""
    with running(timeouts=Timeouts(stream_grace=0.2)) as server:
        with connect(f"ws://127.0.0.1:{server.port}/ws") as socket:
            socket.send("hello")
            assert socket.recv() == "HELLO"
            server.begin_stop()
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=PATIENCE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
        server.join()
    assert "socket closed 1001" in server.app.events


def test_a_pipelined_request_behind_the_last_one_is_not_begun() -> None:
    """After the stop began, the request in flight is the last of its connection."""
    with running(app_with_streams()) as server, server.connect() as client:
        client.send(get("/held") + get("/about"))
        server.until_active(1)
        server.begin_stop()
        assert client.rest().count(b"HTTP/1.1 200 OK") == 1


def test_stopping_under_load_loses_nothing() -> None:
    """Every request that was sent whole on a connection the server took is answered, or its connection ends unanswered
    only where it had been idle."""
    with running() as server:
        port = server.port
        failures: list[object] = []
        answered = [0]

        def client() -> None:
            try:
                while True:
                    with server.connect_to(port) as connection:
                        connection.send(get("/slow", extra="Connection: close\r\n"))
                        data = connection.rest()
                        if data.endswith(b"slow"):
                            answered[0] += 1
                        elif data:
                            failures.append(data)
            except ConnectionRefusedError:
                return
            except (ConnectionResetError, BrokenPipeError):
                return  # it was still in the queue of the socket when that was closed

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        until(lambda: answered[0] >= 16)
        server.begin_stop()
        for thread in threads:
            thread.join()
        server.join()
        assert failures == []
