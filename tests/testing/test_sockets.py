"""WebSockets of the test clients: straight into the app and over a socket."""

import asyncio

import pytest

from demijohn import App
from demijohn.errors import DemijohnError
from demijohn.http import WebSocket, WebSocketDisconnect
from demijohn.testing import AsyncClient, SocketRefused, TestClient
from demijohn.types import Receive, Scope, Send


async def sockets(scope: Scope, receive: Receive, send: Send) -> None:
    """Echo text and bytes; refuse, close and fail where asked to."""
    if scope["type"] != "websocket":
        return
    assert (await receive())["type"] == "websocket.connect"
    path = scope["path"]
    if path == "/refuse":
        await send({"type": "websocket.close", "code": 1008})
        return
    if path == "/deny":
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"Who ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"are you?"})
        return
    if path == "/fail":
        raise ZeroDivisionError("before it was accepted")
    offered = scope["subprotocols"]
    chosen = "chat" if "chat" in offered else None
    cookie = dict(scope["headers"]).get(b"cookie", b"")
    origin = dict(scope["headers"]).get(b"origin", b"")
    headers = [(b"x-cookie", cookie), (b"x-origin", origin)]
    await send({"type": "websocket.accept", "subprotocol": chosen, "headers": headers})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            sockets_left.append(message["code"])
            return
        text = message.get("text")
        if text == "close":
            await send({"type": "websocket.close", "code": 4001, "reason": "as you wish"})
            return
        if text == "fail":
            raise ZeroDivisionError("in the middle")
        if text is None:
            await send({"type": "websocket.send", "bytes": message["bytes"][::-1]})
        else:
            await send({"type": "websocket.send", "text": text})


sockets_left: list[int] = []


def test_messages_go_both_ways() -> None:
    """Text, bytes and JSON are sent and received; leaving the block tells the app."""
    sockets_left.clear()
    with TestClient(sockets) as client, client.websocket("/ws") as ws:
        ws.send_text("hello")
        assert ws.receive_text() == "hello"
        ws.send_bytes(b"abc")
        assert ws.receive_bytes() == b"cba"
        ws.send_json({"a": [1, 2]})
        assert ws.receive_json() == {"a": [1, 2]}
        ws.send_text("x")
        with pytest.raises(AssertionError, match="expected bytes"):
            ws.receive_bytes()
        ws.send_bytes(b"x")
        with pytest.raises(AssertionError, match="expected text"):
            ws.receive_text()
    assert sockets_left == [1000]


async def test_async_messages_go_both_ways() -> None:
    """The async session is the same, awaited."""
    async with AsyncClient(sockets) as client, client.websocket("/ws") as ws:
        await ws.send_text("hello")
        assert await ws.receive_text() == "hello"
        await ws.send_bytes(b"abc")
        assert await ws.receive_bytes() == b"cba"
        await ws.send_json([1])
        assert await ws.receive_json() == [1]


def test_the_handshake() -> None:
    """Subprotocols, headers, cookies and the origin of the site go with the handshake."""
    with TestClient(sockets, cookies={"a": "1"}) as client:
        with client.websocket("/ws", subprotocols=["chat", "other"]) as ws:
            assert ws.subprotocol == "chat"
            assert ws.headers["x-cookie"] == "a=1"
            assert ws.headers["x-origin"] == "http://localhost"
        with client.websocket("/ws", headers={"origin": "https://evil.example"}) as ws:
            assert ws.subprotocol is None
            assert ws.headers["x-origin"] == "https://evil.example"


def test_a_socket_that_is_refused() -> None:
    """A refusal is raised with the response that the app gave, or 403."""
    with TestClient(sockets) as client:
        with pytest.raises(SocketRefused) as caught, client.websocket("/refuse"):
            pass
        assert caught.value.response.status_code == 403
        with pytest.raises(SocketRefused, match=r"401: Who are you\?") as caught, client.websocket("/deny"):
            pass
        assert caught.value.response.headers["content-type"] == "text/plain"


def test_a_socket_that_the_app_closes() -> None:
    """The code and reason of the app are raised, each time one asks; iteration just ends."""
    with TestClient(sockets) as client:
        with client.websocket("/ws") as ws:
            ws.send_text("close")
            for _ in range(2):
                with pytest.raises(WebSocketDisconnect) as caught:
                    ws.receive()
                assert (caught.value.code, caught.value.reason) == (4001, "as you wish")
        with client.websocket("/ws") as ws:
            ws.send_text("one")
            ws.send_text("close")
            assert list(ws) == ["one"]


def test_failures_of_a_socket_surface() -> None:
    """What the app raises is raised in the test, or is a closed socket where the test wants that."""
    with TestClient(sockets) as client:
        with pytest.raises(ZeroDivisionError, match="before"), client.websocket("/fail"):
            pass
        with client.websocket("/ws") as ws:
            ws.send_text("fail")
            with pytest.raises(ZeroDivisionError, match="middle"):
                ws.receive()
        with pytest.raises(ZeroDivisionError, match="middle"), client.websocket("/ws") as ws:
            ws.send_text("fail")
    with TestClient(sockets, raise_server_exceptions=False) as client, client.websocket("/ws") as ws:
        ws.send_text("fail")
        with pytest.raises(WebSocketDisconnect) as caught:
            ws.receive()
        assert caught.value.code == 1011


def test_waiting_has_an_end() -> None:
    """A message that does not come is a TimeoutError, not a test that hangs."""
    with TestClient(sockets) as client, client.websocket("/ws") as ws:
        with pytest.raises(TimeoutError, match="no message within"):
            ws.receive(timeout=0.01)
        ws.send_text("still open")
        assert ws.receive() == "still open"


def test_a_session_is_open_inside_of_its_block() -> None:
    """Before and after it, the session says what to write."""
    with TestClient(sockets) as client:
        session = client.websocket("/ws")
        with pytest.raises(DemijohnError, match="DJN-623"):
            session.send_text("early")
        with client.websocket("/ws") as ws:
            ws.close(4000, "done")
            with pytest.raises(DemijohnError, match="closed"):
                ws.send_text("late")
    assert sockets_left[-1] == 4000


def test_over_a_real_socket() -> None:
    """A live client opens real WebSockets, with the same session and the same exceptions."""
    sockets_left.clear()
    with TestClient(sockets, live=True) as client:
        with client.websocket("/ws", subprotocols=["chat"], headers={"x-extra": "1"}) as ws:
            assert ws.subprotocol == "chat"
            assert ws.headers["x-origin"] == str(client.base_url).rstrip("/")
            ws.send_text("hello")
            assert ws.receive_text() == "hello"
            ws.send_bytes(b"abc")
            assert ws.receive_bytes() == b"cba"
            ws.send_text("close")
            with pytest.raises(WebSocketDisconnect) as caught:
                ws.receive()
            assert (caught.value.code, caught.value.reason) == (4001, "as you wish")
        with pytest.raises(SocketRefused) as refused, client.websocket("/refuse"):
            pass
        assert refused.value.response.status_code == 403
    assert sockets_left == []


def test_sockets_of_an_app() -> None:
    """Handlers of an app serve sockets; what they raise surfaces, and a path that is nowhere is a refusal."""
    app = App()

    @app.websocket("/rooms/{room}")
    async def talk(socket: WebSocket, room: str) -> None:
        await socket.accept()
        async for message in socket:
            if message == "fail":
                raise ZeroDivisionError("in the room")
            await socket.send_text(f"{room}: {message}")

    with TestClient(app) as client:
        with client.websocket("/rooms/a") as ws:
            ws.send_text("hello")
            assert ws.receive_text() == "a: hello"
            ws.send_text("fail")
            with pytest.raises(ZeroDivisionError, match="in the room"):
                ws.receive()
        with pytest.raises(SocketRefused) as refused, client.websocket("/nowhere"):
            pass
        assert refused.value.response.status_code == 404
    with TestClient(app, live=True) as client, client.websocket("/rooms/b") as ws:
        ws.send_text("hello")
        assert ws.receive_text() == "b: hello"


async def test_several_sockets_at_once() -> None:
    """Sessions of one client are apart."""
    async with AsyncClient(sockets) as client:

        async def talk(name: str) -> str | bytes:
            async with client.websocket("/ws") as ws:
                await ws.send_text(name)
                return await ws.receive()

        assert await asyncio.gather(*map(talk, "abc")) == ["a", "b", "c"]
