"""Code that calls `sys.exit()` while a request is answered fails its request, and ends no loop."""

import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from demijohn import App, WebSocket, after_response, wait
from demijohn.http import WebSocketDisconnect
from demijohn.testing import TestClient


class Exiting:
    """A service whose clean-up exits."""


class Kept:
    """A service whose clean-up says that it came."""

    cleaned = 0


def make_app() -> App:
    app = App()

    @app.get("/sync")
    def sync() -> str:
        sys.exit(3)

    @app.get("/async")
    async def asynchronous() -> str:
        sys.exit(3)

    @app.get("/waited")
    def waited() -> str:
        async def leave() -> None:
            sys.exit(3)

        wait(leave())
        return "not reached"

    @app.get("/stream")
    async def stream() -> AsyncIterator[bytes]:
        yield b"one"
        sys.exit(3)

    @app.get("/after")
    async def after() -> str:
        after_response(sys.exit)
        return "ok"

    async def make() -> AsyncIterator[Exiting]:
        yield Exiting()
        sys.exit(3)

    async def keep() -> AsyncIterator[Kept]:
        yield Kept()
        Kept.cleaned += 1

    app.provide(Exiting, make, scope="request")
    app.provide(Kept, keep, scope="request")

    @app.get("/clean-up")
    async def clean_up(kept: Kept, service: Exiting) -> str:
        return "ok"

    @app.websocket("/socket")
    async def socket(ws: WebSocket) -> None:
        await ws.accept()
        sys.exit(3)

    @app.get("/well")
    async def well() -> str:
        return "well"

    return app


def ask(app: App, path: str) -> tuple[str, bytes]:
    """Answer one request by WSGI, in a thread: a loop that has ended is told by a time-out and not by a hang."""
    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        told.append(status)

    def run() -> None:
        try:
            body: Iterator[bytes] | list[bytes] = app.wsgi(
                {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": "localhost", "wsgi.input": None},
                start_response,
            )
            told.append(b"".join(body))
        except RuntimeError as error:
            told.append(str(error).encode())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), f"{path} was never answered"
    return told[0], told[1]


@pytest.mark.parametrize("path", ["/sync", "/async", "/waited", "/stream", "/after", "/clean-up"])
def test_an_exit_fails_its_request_alone(path: str) -> None:
    """The request is a 500, or what was sent already; the next one is answered by the same loop."""
    app = make_app()
    status, _ = ask(app, path)
    assert status[:3] == ("200" if path in {"/stream", "/after", "/clean-up"} else "500")
    assert ask(app, "/well") == ("200 OK", b"well")
    app.wsgi.close()


def test_an_exit_keeps_no_other_clean_up_from_its_work() -> None:
    """The older service is cleaned up though the younger one exited."""
    app = make_app()
    before = Kept.cleaned
    ask(app, "/clean-up")
    app.wsgi.close()  # the answer goes out before the clean-up: this waits for it
    assert Kept.cleaned == before + 1


def test_an_exit_closes_its_socket_alone() -> None:
    """The socket is closed as after any other failure, with 1011, and the app goes on."""
    with TestClient(make_app(), raise_server_exceptions=False) as client:
        with client.websocket("/socket") as ws, pytest.raises(WebSocketDisconnect) as caught:
            ws.receive()
        assert caught.value.code == 1011
        assert client.get("/well").text == "well"
