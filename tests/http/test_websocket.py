"""A socket says what it cannot do, and a client that leaves is no mistake."""

import asyncio
from typing import Any

import msgspec
import pytest

from demijohn.errors import BadRequest, MalformedBody, ValidationFailed
from demijohn.http import BadHeader, Limits, Response, SocketState, WebSocket, WebSocketDisconnect

CONNECT = {"type": "websocket.connect"}
LEFT = {"type": "websocket.disconnect", "code": 1001, "reason": "away"}


class Move(msgspec.Struct):
    """A message of a game."""

    x: int
    y: int


def text(content: str) -> dict[str, Any]:
    """A message of text from the client."""
    return {"type": "websocket.receive", "text": content}


def make(*messages: dict[str, Any], **scope: Any) -> tuple[WebSocket, list[dict[str, Any]]]:
    """Build a socket whose client sends these messages, and the list of what it is sent."""
    waiting = [CONNECT, *messages]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"type": "websocket", "path": "/ws", "raw_path": b"/ws", "query_string": b"a=1", "headers": [], **scope}
    return WebSocket(given, receive=receive, send=send), sent


async def test_a_conversation() -> None:
    """Accepted, messages both ways, ended by the client without an error."""
    ws, sent = make(text("one"), {"type": "websocket.receive", "bytes": b"two"}, LEFT)
    assert ws.state == "connecting"
    assert ws.query["a"] == "1"
    await ws.accept(headers={"X-A": "1"})
    got = [message async for message in ws]
    assert got == ["one", b"two"]
    assert ws.state == "closed"
    assert ws.is_disconnected()
    assert sent == [{"type": "websocket.accept", "subprotocol": None, "headers": [(b"x-a", b"1")]}]


async def test_all_kinds_of_messages_go_out() -> None:
    """Text, bytes and JSON, which knows the types that the encoder knows."""
    ws, sent = make()
    await ws.accept()
    await ws.send_text("a")
    await ws.send_bytes(b"b")
    await ws.send_json(Move(1, 2))
    await ws.send_json([1], binary=True)
    await ws.close(4000, "é" * 100)
    assert [message.get("text", message.get("bytes")) for message in sent[1:5]] == ["a", b"b", '{"x":1,"y":2}', b"[1]"]
    assert sent[5]["code"] == 4000
    assert len(sent[5]["reason"].encode()) <= 123
    await ws.close()
    assert len(sent) == 6


async def test_typed_messages_are_validated() -> None:
    """JSON into a type, with all errors; what is no JSON is a client's mistake."""
    ws, _ = make(text('{"x":1,"y":2}'), text('{"x":"a"}'), text("{"), text("[1]"), text("x"), text("a"))
    await ws.accept()
    assert await ws.receive_json(Move) == Move(1, 2)
    with pytest.raises(ValidationFailed) as caught:
        await ws.receive_json(Move)
    assert len(caught.value.errors) == 2
    with pytest.raises(MalformedBody):
        await ws.receive_json()
    assert await ws.receive_json() == [1]
    with pytest.raises(BadRequest):
        await ws.receive_bytes()
    assert await ws.receive_text() == "a"


async def test_the_wrong_state_is_explained() -> None:
    """Each call says what has to come first."""
    ws, _ = make(text("a"))
    for call in (ws.receive, lambda: ws.send_text("a"), lambda: ws.send_bytes(b"a")):
        with pytest.raises(SocketState, match=r"await ws.accept\(\)"):
            await call()
    await ws.accept()
    with pytest.raises(SocketState, match="DJN-308"):
        await ws.accept()
    with pytest.raises(SocketState):
        await ws.deny()
    await ws.close()
    with pytest.raises(SocketState):
        await ws.send_text("a")
    with pytest.raises(SocketState):
        await ws.receive()


async def test_a_client_that_left_ends_every_call() -> None:
    """With its code and reason, again and again."""
    ws, _ = make(LEFT)
    await ws.accept()
    for call in (ws.receive, ws.receive, lambda: ws.send_text("a")):
        with pytest.raises(WebSocketDisconnect) as caught:
            await call()
        assert (caught.value.code, caught.value.reason) == (1001, "away")


async def test_a_server_that_cannot_send_means_that_the_client_left() -> None:
    """OSError from the server, as ASGI has it, is a disconnect."""

    async def receive() -> dict[str, Any]:
        return dict(CONNECT)

    async def send(message: Any) -> None:
        raise OSError

    ws = WebSocket({"type": "websocket", "path": "/", "headers": []}, receive=receive, send=send)
    with pytest.raises(WebSocketDisconnect):
        await ws.accept()
    await ws.close()


async def test_a_message_over_the_limit_closes_the_socket() -> None:
    """1009, counted in bytes."""
    for message in (text("x" * 11), text("é" * 6), {"type": "websocket.receive", "bytes": b"x" * 11}):
        ws, sent = make(message)
        ws.limits = Limits(message_size=10)
        await ws.accept()
        with pytest.raises(WebSocketDisconnect) as caught:
            await ws.receive()
        assert caught.value.code == 1009
        assert sent[-1]["code"] == 1009
    ws, _ = make(text("é" * 5), text("x" * 10))
    ws.limits = Limits(message_size=10)
    await ws.accept()
    assert [await ws.receive(), await ws.receive()] == ["é" * 5, "x" * 10]


async def test_a_socket_may_be_denied() -> None:
    """With a response where the server can, with a close otherwise."""
    ws, sent = make(extensions={"websocket.http.response": {}})
    await ws.deny(Response("no", 401))
    assert [message["type"] for message in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert sent[0]["status"] == 401
    ws, sent = make()
    await ws.deny(Response("no", 401))
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]


async def test_subprotocols_are_those_of_the_client() -> None:
    """Another one is refused, as browsers would."""
    ws, _ = make(subprotocols=["chat"])
    with pytest.raises(SocketState):
        await ws.accept("game")
    await ws.accept("chat")
    assert ws.subprotocol == "chat"


async def test_headers_and_codes_are_checked() -> None:
    """Nothing breaks out of the handshake, and no code that may not be sent."""
    ws, _ = make()
    with pytest.raises(BadHeader):
        await ws.accept(headers={"X-A": "a\r\nb"})
    assert ws.state == "connecting"
    for code in (999, 1004, 1005, 1006, 1015, 2999, 5000):
        with pytest.raises(SocketState):
            await ws.close(code)


async def test_two_tasks_may_send() -> None:
    """Nothing is lost when messages go out from several tasks."""
    ws, sent = make()
    await ws.accept()
    await asyncio.gather(*[ws.send_text(str(number)) for number in range(20)])
    assert {message["text"] for message in sent[1:]} == {str(number) for number in range(20)}
