"""Slow and greedy clients by slowhttptest: they get their time and no more, and others are answered meanwhile.

How soon those are answered depends on what else the machine does: `scripts/bench --slow` measures that.
"""

import http.client
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Self

import pytest

from demijohn import App, Body
from demijohn.http import Request, Response, StreamResponse
from demijohn.serving import Timeouts
from tests.serving.running import Running, SmallApp, running, small_app, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("slowhttptest") is None, reason="slowhttptest is not installed (scripts/servers)"),
]

HEADS = 1000
BODIES = READERS = 500
MiB = 1024 * 1024


def memory() -> int:
    """The bytes that this process, server included, has in memory."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


@contextmanager
def attack(server: Running, path: str, *options: str, clients: int) -> Iterator[None]:
    """Run slowhttptest against a path of the server, until the test has seen what it wants."""
    command = ["slowhttptest", *options, "-c", str(clients), "-r", "200", "-l", "240", "-p", "60"]
    with subprocess.Popen(
        [*command, "-u", f"http://127.0.0.1:{server.port}{path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()


class Others:
    """Who asks at the same time, twenty times a second, and how long they waited."""

    def __init__(self, server: Running) -> None:
        self.times: list[float] = []
        self.failed: list[str] = []
        self._server = server
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(0.05):
            connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=60)
            start = time.monotonic()
            try:
                connection.request("GET", "/")
                if connection.getresponse().read() != b"Hello, World!":
                    self.failed.append("another answer")
            except OSError as error:
                self.failed.append(repr(error))
            finally:
                connection.close()
            self.times.append(time.monotonic() - start)

    def check(self) -> None:
        """All were answered, most of them while a slow client had a small part of its time."""
        assert self.failed == []
        assert len(self.times) > 20
        assert sorted(self.times)[len(self.times) // 2] < 1.0


def connections(server: Running) -> int:
    """How many connections are open."""
    return int(server.call(lambda: len(server.server.hub.connections)))


class Crowd:
    """The open connections of a server and its memory, watched while slow clients come and go."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._before = memory()
        self.most = 0
        self.grown = 0

    def look(self) -> int:
        """Return how many are open now."""
        count = connections(self._server)
        self.most = max(self.most, count)
        self.grown = max(self.grown, memory() - self._before)
        time.sleep(0.1)
        return count

    def comes_and_goes(self, clients: int) -> None:
        """Wait until a crowd of clients is there at once, and then until all of them were sent away."""
        until(lambda: self.look() > clients * 0.25, seconds=90)
        until(lambda: self.look() < clients * 0.05, seconds=90)


def test_slow_heads() -> None:
    """R01: a thousand heads that drip in are closed when their time is over, and cost little memory."""
    with running(timeouts=Timeouts(headers=10.0)) as server:
        crowd = Crowd(server)
        with Others(server) as others, attack(server, "/", "-H", "-i", "5", "-x", "8", clients=HEADS):
            crowd.comes_and_goes(HEADS)
        others.check()
    assert crowd.grown < 40 * MiB


def test_slow_bodies() -> None:
    """R02: bodies of a megabyte that come a byte a second are refused, and no handler was begun for them."""
    app = App(static=None)
    begun: list[str] = []

    @app.get("/")
    async def home() -> str:
        return "Hello, World!"

    @app.post("/body")
    async def body(data: Annotated[bytes, Body()]) -> str:
        begun.append("body")
        return "read"

    with running(app, timeouts=Timeouts(body_grace=10.0)) as server:
        crowd = Crowd(server)
        options = ("-B", "-i", "1", "-x", "1", "-s", "1000000", "-f", "application/octet-stream")
        with Others(server) as others, attack(server, "/body", *options, clients=BODIES):
            crowd.comes_and_goes(BODIES)
        others.check()
    assert begun == []
    assert crowd.grown < 40 * MiB


def large_app() -> SmallApp:
    """An app whose answers are large, and one whose answers never end."""
    app = small_app()

    def streams(path: str, piece: bytes, count: int, **options: str) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                for _ in range(count):
                    yield piece
            finally:
                app.events.append(f"closed {path}")

        @app.on(path)
        async def stream(request: Request) -> Response:
            return StreamResponse(pieces(), **options)

    streams("/large", bytes(65536), 800)
    streams("/events", b"data: " + b"x" * 1000 + b"\n\n", 1 << 30, content_type="text/event-stream")
    return app


@pytest.mark.parametrize("path", ["/large", "/events"])
def test_slow_readers(path: str) -> None:
    """R03: each client that reads slowly costs a bounded amount, and is cut when it takes nothing for too long."""
    app = large_app()
    with running(app, timeouts=Timeouts(send=10.0)) as server:
        crowd = Crowd(server)
        options = ("-X", "-w", "2048", "-y", "4096", "-n", "60", "-z", "16", "-k", "1")
        with Others(server) as others, attack(server, path, *options, clients=READERS):
            crowd.comes_and_goes(READERS)
        others.check()
    assert crowd.grown < READERS * 320 * 1024
    assert app.events.count(f"closed {path}") > READERS * 0.6


def test_huge_bodies() -> None:
    """R04: fifty bodies of no announced end, at once, are each refused at the limit; little of them is in memory."""
    app = App(static=None)

    @app.get("/")
    async def home() -> str:
        return "Hello, World!"

    @app.post("/upload")
    async def upload(request: Request) -> int:
        return len(await request.body())

    statuses: list[int] = []

    def send(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=120) as client:
            client.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(400):
                    client.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
            except OSError:
                pass
            try:
                statuses.append(int(client.recv(12)[9:12] or b"0"))
            except OSError:
                statuses.append(0)

    with running(app) as server:
        crowd = Crowd(server)
        with Others(server) as others:
            threads = [threading.Thread(target=send, args=(server.port,)) for _ in range(50)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                crowd.look()
    # The fifty share this process with the server: that others are answered is enough here.
    assert others.failed == []
    assert others.times
    # A client that writes on after the refusal may see a reset in its place.
    assert set(statuses) <= {413, 0}
    assert 413 in statuses
    assert crowd.grown < 200 * MiB
