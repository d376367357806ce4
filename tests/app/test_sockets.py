"""WebSockets of an app: typed messages, close codes, limits of each socket, the same guards, hooks and services."""

from typing import Annotated

import msgspec
import pytest

from demijohn import App, Depends, Request, WebSocket, abort
from demijohn.http import Connection, WebSocketDisconnect
from demijohn.middleware import MemoryRateLimitStore, message_limit, rate_limit
from demijohn.testing import SocketRefused, TestClient


class Move(msgspec.Struct):
    x: int
    y: Annotated[int, msgspec.Meta(ge=0)]


@pytest.fixture
def app() -> App:
    return App(static=None)


def closing(client: TestClient, path: str, *messages: str | bytes) -> tuple[int, str, list[str | bytes]]:
    """Send messages; how the app closes the socket, and what it sent before."""
    with client.websocket(path) as ws:
        for message in messages:
            if isinstance(message, str):
                ws.send_text(message)
            else:
                ws.send_bytes(message)
        answers: list[str | bytes] = []
        while True:
            try:
                answers.append(ws.receive())
            except WebSocketDisconnect as closed:
                return closed.code, closed.reason, answers


def test_typed_messages(app: App) -> None:
    """Each message is of the type; what is none closes with 1007, and nothing of ours has failed."""

    @app.websocket("/game")
    async def game(ws: WebSocket) -> None:
        await ws.accept()
        async for move in ws.iter_json(Move):
            await ws.send_json({"sum": move.x + move.y})

    with TestClient(app) as client:
        with client.websocket("/game") as ws:
            ws.send_text('{"x":1,"y":2}')
            ws.send_bytes(b'{"x":2,"y":2}')
            assert [ws.receive_json(), ws.receive_json()] == [{"sum": 3}, {"sum": 4}]
        for bad in ('{"x":1,"y":-2}', '{"x":"1"}', "[", b"\xff"):
            code, reason, answers = closing(client, "/game", '{"x":0,"y":0}', bad)
            assert (code, answers) == (1007, ['{"sum":0}'])
            assert reason


def test_codes_of_what_a_handler_raises(app: App) -> None:
    """An error for the client closes with 1003 or 1008, one of the server with 1011."""

    @app.websocket("/{what}")
    async def handler(ws: WebSocket, what: str) -> None:
        await ws.accept()
        if what == "text":
            await ws.receive_text()
        elif what == "forbidden":
            await ws.receive()
            abort(403, "Not yours")
        else:
            raise ZeroDivisionError

    with TestClient(app, raise_server_exceptions=False) as client:
        assert closing(client, "/text", b"bytes")[0] == 1003
        assert closing(client, "/forbidden", "x")[:2] == (1008, "Not yours")
        assert closing(client, "/other")[0] == 1011


def test_limits_of_each_socket(app: App) -> None:
    """Too large is 1009, too often 1008; each socket has a count of its own, and time refills it."""

    @app.websocket("/chat")
    @message_limit("1 KiB", rate="5/minute")
    async def chat(ws: WebSocket) -> None:
        await ws.accept()
        async for message in ws:
            await ws.send_text(str(len(message)))

    @app.websocket("/open")
    async def unlimited(ws: WebSocket) -> None:
        await ws.accept()
        async for message in ws:
            await ws.send_text(str(len(message)))

    with TestClient(app) as client:
        assert closing(client, "/chat", "x" * 1024, "ü" * 600) == (1009, "message too big", ["1024"])
        for _ in range(2):
            code, reason, answers = closing(client, "/chat", *["x"] * 6)
            assert (code, reason, len(answers)) == (1008, "too many messages", 5)
        with client.websocket("/open") as ws:
            for _ in range(50):
                ws.send_text("x")
            assert [ws.receive() for _ in range(50)] == ["1"] * 50
        with client.websocket("/chat") as ws:
            for _ in range(5):
                ws.send_text("x")
            assert [ws.receive() for _ in range(5)] == ["1"] * 5


def test_a_bucket_refills() -> None:
    """So many at once, then as many as the time lets follow."""
    ws = WebSocket({"type": "websocket", "path": "/", "headers": []}, receive=None, send=None)  # type: ignore[arg-type]
    assert [ws._has_room(2, 1.0) for _ in range(3)] == [True, True, False]
    ws._room_at -= 0.5
    assert ws._has_room(2, 1.0)
    assert not ws._has_room(2, 1.0)


def test_handshakes_are_guarded(app: App) -> None:
    """A foreign origin, a foreign host and too many handshakes are refused; hooks and services work."""
    app.rate_limits = MemoryRateLimitStore()
    seen: list[str] = []

    def who(request: Connection) -> str:
        return request.query.get("name", "nobody")

    @app.before_request
    def note(request: Request) -> None:
        seen.append(request.path)

    @app.websocket("/ws")
    @rate_limit("3/minute")
    async def handler(ws: WebSocket, name: Annotated[str, Depends(who)]) -> None:
        await ws.accept("v2" if "v2" in ws.subprotocols else None)
        await ws.send_text(name)

    with TestClient(app) as client:
        with client.websocket("/ws?name=ann", subprotocols=["v1", "v2"]) as ws:
            assert ws.receive() == "ann"
            assert ws.subprotocol == "v2"
        with (
            pytest.raises(SocketRefused) as caught,
            client.websocket("/ws", headers={"origin": "https://evil.example"}),
        ):
            pass
        assert caught.value.response.status_code == 403
        with pytest.raises(SocketRefused) as caught, client.websocket("/ws", headers={"host": "evil.example"}):
            pass
        assert caught.value.response.status_code == 400
        for _ in range(2):
            with client.websocket("/ws"):
                pass
        with pytest.raises(SocketRefused) as caught, client.websocket("/ws"):
            pass
        assert caught.value.response.status_code == 429
    assert seen[0] == "/ws"
