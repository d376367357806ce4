"""Behind a proxy: what it says about the client, over TCP and Unix sockets, for pages and WebSockets."""

import socket
from pathlib import Path

import pytest
from websockets.sync.client import connect, unix_connect

from demijohn import App, Request, Settings, WebSocket
from demijohn.serving import ServerConfig
from tests.serving.running import Client, Running, get, running

SAID = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n"


def _app(*trusted: str) -> App:
    app = App(settings=Settings(trusted_proxies=trusted, allowed_hosts=("example.org", "localhost")), debug=True)

    @app.get("/about")
    async def about(request: Request) -> str:
        return f"{request.client[0] if request.client else None} {request.url}"

    @app.websocket("/ws")
    async def seen(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"{websocket.client[0] if websocket.client else None} {websocket.url}")

    return app


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [
        (("127.0.0.1",), b"203.0.113.7 https://example.org/about"),
        (("192.0.2.1", "unix"), b"127.0.0.1 http://example.org/about"),
        ((), b"127.0.0.1 http://example.org/about"),
    ],
)
def test_only_trusted_peers_are_believed(trusted: tuple[str, ...], expected: bytes) -> None:
    """The same request has another client and scheme, depending on who passes it on; the host stays that of `Host`."""
    with running(_app(*trusted)) as server, server.connect() as client:
        for _ in range(2):
            client.send(get("/about", extra=SAID))
            assert client.response()[2] == expected


def test_a_proxy_on_a_unix_socket(tmp_path: Path) -> None:
    """Whoever connects over a Unix socket is believed where `unix` is trusted, WebSockets included."""
    path = tmp_path / "app.sock"
    server = Running(_app("unix"), ServerConfig(bind=f"unix:{path}")).start()
    try:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5)
        sock.connect(str(path))
        with Client(sock) as client:
            client.send(get("/about"))
            assert client.response()[2] == b"None http://example.org/about"
            client.send(get("/about", extra=SAID))
            assert client.response()[2] == b"203.0.113.7 https://example.org/about"
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "Origin": "https://localhost"}
        with unix_connect(str(path), "ws://localhost/ws", additional_headers=headers) as ours:
            assert ours.recv() == "203.0.113.7 wss://localhost/ws"
    finally:
        server.stop()


def test_websockets_behind_a_proxy() -> None:
    """A socket has the client and the scheme that the trusted proxy tells."""
    headers = {"X-Forwarded-For": "1.2.3.4, 203.0.113.7", "X-Forwarded-Proto": "https"}
    with running(_app("127.0.0.1")) as server:
        headers["Origin"] = f"https://localhost:{server.port}"
        with connect(f"ws://localhost:{server.port}/ws", additional_headers=headers) as ours:
            assert ours.recv() == f"203.0.113.7 wss://localhost:{server.port}/ws"


def test_the_root_path_is_taken_off_where_the_proxy_leaves_it_on() -> None:
    """Both kinds of proxies work: those that strip the prefix and those that do not."""
    with running(root_path="/shop") as server, server.connect() as client:
        for path in ("/shop/about", "/about"):
            client.send(get(path))
            lines = client.response()[2].split(b"\n")
            assert (lines[1], lines[5]) == (b"/about", b"/shop")
        client.send(get("/shopping"))
        assert client.response()[0] == 404
        client.send(get("/shop"))
        assert client.response()[2] == b"Hello, World!"
