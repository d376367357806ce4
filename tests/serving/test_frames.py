"""WebSocket frames that are many and tiny: the others are served meanwhile, and nothing grows without end."""

import asyncio
import gc
import struct
import threading
import time
from typing import Self

import pytest
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.sync.client import connect

from demijohn import App, Settings, WebSocket
from tests.serving.running import Running, get, running, until

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    """Return a frame of a client, its mask all zeroes."""
    return bytes([opcode | (0x80 if fin else 0), 0x80 | len(data)]) + b"\0\0\0\0" + data


@pytest.fixture
def seen() -> list[int]:
    return []


async def release(websocket: WebSocket) -> None:
    """Wait until the client is known to have broken the protocol: what is sent then meets a socket that is closed."""
    async with asyncio.timeout(30):
        while not websocket._receive.__self__.close_sent:  # type: ignore[attr-defined]
            await asyncio.sleep(0.001)


@pytest.fixture
def server(seen: list[int]):  # type: ignore[no-untyped-def]
    app = App(settings=Settings(), debug=True)

    @app.get("/", inline=True)
    def home() -> str:
        return "x"

    @app.websocket("/ws")
    async def count(websocket: WebSocket) -> None:
        await websocket.accept()
        async for message in websocket:
            seen.append(len(message))
            if message == "end":
                await websocket.send_text("done")
            if message == "wait":
                await release(websocket)
                for _ in range(3):
                    await websocket.send_text("late")
            await asyncio.sleep(0)

    with running(app) as server:
        yield server


class Watch:
    """Notes the most CPU time between two turns of the loop of a server: other programs do not count."""

    def __init__(self, server: Running) -> None:
        self.longest = 0.0
        self.loop = server.loop
        assert self.loop is not None
        self.ended = threading.Event()

    async def _watch(self) -> None:
        last = time.thread_time()
        while not self.ended.is_set():
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest = max(self.longest, now - last)
            last = now

    def __enter__(self) -> Self:
        assert self.loop is not None
        gc.disable()  # it would walk over all that the tests have loaded
        self.future = asyncio.run_coroutine_threadsafe(self._watch(), self.loop)
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.future.result(30)
        gc.enable()


@pytest.mark.parametrize("kind", ["messages", "pings", "fragments"])
def test_a_flood_of_tiny_frames_does_not_hold_the_loop(server: Running, seen: list[int], kind: str) -> None:
    """A quarter of a megabyte of tiny frames is read in portions; each frame is taken, in order."""
    many = 30_000 if kind != "fragments" else 10_000
    tiny = {"messages": frame(1, b"x"), "pings": frame(9), "fragments": frame(0, b"x", fin=False)}[kind]
    data = tiny * many
    if kind == "fragments":
        data = frame(1, b"x", fin=False) + data + frame(0, b"x")
    server.ask(get(host="localhost", extra="Connection: close\r\n"))  # the first one loads what it needs
    with server.connect(60) as client:
        client.send(HANDSHAKE)
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")

        def flood() -> None:
            # All of it lies there when the server looks next.
            server.loop.call_soon_threadsafe(time.sleep, 0.3)
            client.send(data + frame(1, b"end"))

        def read() -> None:
            client.until(b"done")

        threads = [threading.Thread(target=flood), threading.Thread(target=read)]
        answered = 0
        with Watch(server) as watch:
            for thread in threads:
                thread.start()
            while threads[1].is_alive():
                assert server.ask(get(host="localhost", extra="Connection: close\r\n")).endswith(b"x")
                answered += 1
        for thread in threads:
            thread.join(30)
    assert seen == {"messages": [1] * many + [3], "pings": [3], "fragments": [many + 2, 3]}[kind]
    assert answered
    if kind == "messages":
        # A portion takes a tenth of this, and one read of a socket the half.
        assert watch.longest < cost_of(data) / 4


def cost_of(data: bytes) -> float:
    """Return the CPU time that reading frames takes here at least."""
    protocol = ServerProtocol(state=State.OPEN, max_size=None)
    start = time.thread_time()
    protocol.receive_data(data)
    assert protocol.events_received()
    return time.thread_time() - start


def test_fragments_without_end_are_refused(server: Running) -> None:
    """A message of ever more empty fragments is ended with 1009: its bytes never reach the limit of size."""
    with server.connect(30) as client:
        client.send(HANDSHAKE)
        client.until(b"\r\n\r\n")
        try:
            client.send(frame(1, b"", fin=False))
            for _ in range(20):
                client.send(frame(0, b"", fin=False) * 1000)
        except OSError:
            pass  # it was closed on us
        answer = b""
        try:
            while piece := client.sock.recv(4096):
                answer += piece
        except OSError:
            pass
        assert struct.pack("!H", 1009) in answer


def test_large_messages_pass(server: Running, seen: list[int]) -> None:
    """Messages far larger than a portion arrive whole, one after the other."""
    with connect(f"ws://localhost:{server.port}/ws", origin=f"http://localhost:{server.port}") as ours:
        for _ in range(5):
            ours.send("y" * 900_000)
        ours.send("end")
        assert ours.recv() == "done"
    assert seen == [900_000] * 5 + [3]


def test_a_refused_handshake_is_no_error(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    """A handshake that the app refuses with a response is answered with it, and nothing is logged as a failure."""
    with server.connect() as client:
        client.send(HANDSHAKE.replace(b"/ws", b"/nowhere"))
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    until(lambda: not server.call(lambda: list(server.hub.connections)))
    assert "without completing handshake" not in caplog.text


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (b"\xff\xff", 1002),
        (frame(3), 1002),
        (frame(1, b"\xb1"), 1007),
        (frame(9, b"x", fin=False), 1002),
        (b"\x81\xff" + struct.pack(">Q", 2**62) + b"\0\0\0\0", 1009),
        (b"\x81\x01x", 1002),
        (frame(1, b"\xb1") + frame(8, struct.pack(">H", 1000)), 1000),  # closed before the text was looked at
    ],
    ids=["bits", "opcode", "text", "ping", "size", "mask", "text and close"],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_broken_frames_are_answered_with_their_code(
    server: Running, caplog: pytest.LogCaptureFixture, *, broken: bytes, code: int, at_once: bool
) -> None:
    """Also those that come with the handshake, before it is answered: no failure of ours, and the server goes on."""
    with server.connect() as client:
        client.send(HANDSHAKE + (broken if at_once else b""))
        client.until(b"\r\n\r\n")
        if not at_once:
            client.send(broken)
        rest = client.rest()
    at = rest.find(b"\x88")
    assert at >= 0, rest
    assert struct.unpack(">H", rest[at + 2 : at + 4])[0] == code
    assert [record for record in caplog.records if record.name == "asyncio"] == []
    with server.connect() as client:
        client.send(get(host="localhost"))
        assert client.response()[0] == 200


def test_what_comes_before_the_handshake_is_answered_waits(server: Running, seen: list[int]) -> None:
    """Frames of an impatient client are read in their order once the app has accepted."""
    with server.connect() as client:
        client.send(HANDSHAKE + frame(1, b"a") + frame(1, b"bb") + frame(9, b"?"))
        client.send(frame(1, b"end"))
        assert b"done" in client.until(b"done")
    assert seen == [1, 2, 3]


def test_an_app_that_sends_to_whom_broke_the_protocol_has_not_failed(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """It meets a client that has left, as after any other end, and nothing is logged as a failure."""
    with server.connect() as client:
        client.send(HANDSHAKE + frame(1, b"wait") + frame(1, b"\xb1"))
        assert b"\x88\x02\x03\xef" in client.rest()  # 1007
    until(lambda: not server.hub.sockets and not server.hub.tasks)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
