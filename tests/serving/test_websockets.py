"""WebSockets: from the upgrade to uvicorn's protocol, below root paths too."""

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from demijohn.serving import Capacity
from tests.serving.running import PATIENCE, Running, get, running


def test_messages_go_both_ways(any_server: Running) -> None:
    """A WebSocket is opened, echoes, and closes; the server serves HTTP beside it."""
    with connect(f"ws://127.0.0.1:{any_server.port}/chat?room=1") as socket:
        for word in ("one", "two", "x" * 100_000):
            socket.send(word)
            assert socket.recv() == word.upper()
        assert any_server.ask(get(extra="Connection: close\r\n")).endswith(b"Hello, World!")
    assert "socket /chat 127.0.0.1 ws" in any_server.app.events


def test_frames_behind_the_handshake_are_not_lost(any_server: Running) -> None:
    """What a client sends together with its handshake is read by the WebSocket."""
    handshake = (
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    masked = b"\x81\x82\x00\x00\x00\x00hi"
    with any_server.connect() as client:
        client.send(handshake + masked)
        head = client.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        assert client.until(b"HI") == b"\x81\x02HI"


def test_a_bad_handshake_is_refused(any_server: Running) -> None:
    """A handshake without its key is a client error, and no connection is left over."""
    data = any_server.ask(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert data.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("extra", ["Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n", f"X: {'x' * 9000}\r\n"])
def test_a_handshake_that_cannot_be_read_is_refused(extra: str) -> None:
    """A handshake with a body or an endless line is a 400 at once, and holds no connection."""
    with running() as server:
        data = server.ask(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + extra.encode() + b"\r\nhi"
        )
        assert data.startswith(b"HTTP/1.1 400 ")


def test_an_upgrade_that_is_no_get_is_a_plain_request(any_server: Running) -> None:
    """Only GET can become a WebSocket."""
    with any_server.connect() as client:
        client.send(
            b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Content-Length: 2\r\n\r\nhi"
        )
        assert client.response()[2] == b"hi"


def test_the_root_path_reaches_the_scope() -> None:
    """The app sees its path once below the root, whether or not the proxy took the prefix off."""
    with running(root_path="/shop") as server:
        for path in ("/shop/ws", "/ws"):
            with connect(f"ws://127.0.0.1:{server.port}{path}") as socket:
                socket.send("x")
                assert socket.recv() == "X"
        events = [event for event in server.app.events if event.startswith("socket /")]
        assert events == ["socket /shop/ws 127.0.0.1 ws"] * 2


def test_a_message_over_the_limit_closes_the_socket() -> None:
    """A message that is too large ends the WebSocket with 1009."""
    with running(capacity=Capacity(message_size=1000)) as server:
        with connect(f"ws://127.0.0.1:{server.port}/ws") as socket:
            socket.send("x" * 2000)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=PATIENCE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009


def test_sockets_count_as_connections() -> None:
    """Open WebSockets take the room of connections."""
    with running(capacity=Capacity(connections=1)) as server:
        with connect(f"ws://127.0.0.1:{server.port}/ws"):
            assert server.ask(b"").startswith(b"HTTP/1.1 503 ")
