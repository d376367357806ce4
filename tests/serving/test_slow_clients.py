"""Slow and greedy clients by slowhttptest: they get their time and no more, and others do not notice them."""

import http.client
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from demijohn import App
from demijohn.http import Request, Response, StreamResponse
from demijohn.serving import Timeouts
from tests.serving.running import Running, SmallApp, running, small_app

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("slowhttptest") is None, reason="slowhttptest is not installed (scripts/servers)"),
]

CLIENTS = 300
MiB = 1024 * 1024


def memory() -> int:
    """The bytes that this process, server included, has in memory."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


@contextmanager
def attack(server: Running, path: str, *options: str, seconds: int) -> Iterator[None]:
    """Run slowhttptest against a path of the server."""
    command = ["slowhttptest", *options, "-c", str(CLIENTS), "-r", "150", "-l", str(seconds), "-p", "20"]
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
            connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=10)
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

    def check(self, server: Running) -> None:
        """All were answered, and soon."""
        assert self.failed == []
        assert len(self.times) > 20
        # 150 ms is the aim on a quiet machine; here others may be at work.
        assert sorted(self.times)[int(len(self.times) * 0.95)] < 1.0


def connections(server: Running) -> int:
    """How many connections are open."""
    return int(server.call(lambda: len(server.server.hub.connections)))


def most(server: Running, seconds: float) -> tuple[int, int]:
    """The most connections and bytes of memory while time passes."""
    end = time.monotonic() + seconds
    found = [(0, 0)]
    while time.monotonic() < end:
        found.append((connections(server), memory()))
        time.sleep(0.25)
    return max(count for count, _ in found), max(size for _, size in found)


def test_slow_heads() -> None:
    """R01: heads that drip in are closed when their time is over, and cost little memory."""
    with running(timeouts=Timeouts(headers=5.0)) as server:
        before = memory()
        with Others(server) as others, attack(server, "/", "-H", "-i", "2", "-x", "8", seconds=14):
            count, size = most(server, 4)
            time.sleep(8)
            left = connections(server)
        others.check(server)
    assert count > CLIENTS * 0.7
    assert left < count / 3
    assert size - before < 40 * MiB


def test_slow_bodies() -> None:
    """R02: bodies that drip in are refused by 408, and no handler was begun for them."""
    app = small_app()
    begun: list[str] = []

    @app.on("/body")
    async def body(request: Request) -> Response:
        begun.append(request.method)
        return Response(b"read")

    with running(app, timeouts=Timeouts(body_grace=4.0)) as server:
        before = memory()
        options = ("-B", "-i", "1", "-x", "4", "-s", "50000")
        with Others(server) as others, attack(server, "/body", *options, seconds=13):
            count, size = most(server, 4)
            time.sleep(7)
            left = connections(server)
        others.check(server)
    assert count > CLIENTS * 0.7
    assert left < count / 3
    assert "POST" not in begun  # the tool itself looks by GET whether the server is there
    assert size - before < 40 * MiB


def large_app() -> SmallApp:
    """An app whose answers are large."""
    app = small_app()

    @app.on("/large")
    async def large(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                for _ in range(800):
                    yield bytes(65536)
            finally:
                app.events.append("closed /large")

        return StreamResponse(pieces())

    return app


def test_slow_readers() -> None:
    """R03: each client that reads slowly costs a bounded amount, and is cut when it takes nothing for too long."""
    app = large_app()
    with running(app, timeouts=Timeouts(send=4.0)) as server:
        before = memory()
        options = ("-X", "-w", "512", "-y", "1024", "-n", "60", "-z", "16", "-k", "1")
        with Others(server) as others, attack(server, "/large", *options, seconds=14):
            count, size = most(server, 5)
            time.sleep(7)
            left = connections(server)
        others.check(server)
    assert count > CLIENTS * 0.7
    assert left < count / 3
    assert size - before < CLIENTS * 320 * 1024
    assert app.events.count("closed /large") > CLIENTS * 0.7


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
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
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
        before = memory()
        with Others(server) as others:
            threads = [threading.Thread(target=send, args=(server.port,)) for _ in range(50)]
            for thread in threads:
                thread.start()
            _, size = most(server, 3)
            for thread in threads:
                thread.join()
    # The fifty share this process with the server: that others are answered is enough here.
    assert others.failed == []
    assert others.times
    # A client that writes on after the refusal may see a reset in its place.
    assert set(statuses) <= {413, 0}
    assert 413 in statuses
    assert size - before < 200 * MiB
