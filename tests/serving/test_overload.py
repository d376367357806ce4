"""More requests than can be answered: some are refused, so that the others are answered in time."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from demijohn.http import Request, Response
from demijohn.serving import overload
from demijohn.serving.overload import Overload, count_waiting
from tests.serving.running import get, running, small_app


class World:
    """A clock and a queue that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waiting = 0
        self.answered = 0
        with socket.socket() as sock:
            self.overload = Overload([sock])

    def tick(self, after: float, *, answered: int = 0, waiting: int = 0) -> float:
        self.now += after
        self.answered += answered
        self.waiting = waiting
        return self.overload.tick(self.now, answered=self.answered, interval=0.5)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which nothing happens by itself."""
    world = World()
    monkeypatch.setattr(overload, "perf_counter", lambda: world.now)
    monkeypatch.setattr(overload, "count_waiting", lambda sock: world.waiting)
    world.tick(0.5)
    return world


def test_a_burst_that_is_answered_soon_is_no_overload(world: World) -> None:
    """Many connections at once make the server look more often; what is gone at the second look was no overload."""
    assert world.tick(0.5, waiting=500) == 0.05
    assert not world.overload.is_there
    assert world.tick(0.05, answered=450, waiting=50) == 0.5
    assert not world.overload.is_there


def test_a_queue_that_stays_is_an_overload_until_it_is_short(world: World) -> None:
    """With more waiting than half a second's work, requests are refused until a tenth of a second's work is left."""
    world.tick(0.5, waiting=500)
    world.tick(0.05, answered=10, waiting=600)  # 200 in a second: three seconds to wait
    assert world.overload.is_there
    assert not world.overload.admits()
    assert world.tick(0.05, waiting=100) == 0.05
    assert not world.overload.admits()
    assert world.tick(0.05, waiting=20) == 0.5
    assert not world.overload.is_there


def test_a_few_that_wait_for_slow_handlers_are_no_overload(world: World) -> None:
    """Sixty clients of a handler that blocks are let wait: it is slow, not crowded."""
    for _ in range(10):
        world.tick(0.5, answered=1, waiting=60)
        assert not world.overload.is_there


def test_turns_that_are_too_long_are_an_overload(world: World) -> None:
    """Kept connections that all ask at once: each turn of the loop begins what fits, and no less than a few."""
    for _ in range(2):
        world.tick(2.0)
        assert not world.overload.is_there
    world.tick(2.0)
    assert world.overload.is_there
    assert [world.overload.admits() for _ in range(40)] == [True] * 40
    world.now += 0.2
    assert not world.overload.admits()
    world.tick(0.05)
    world.now += 5
    assert [world.overload.admits() for _ in range(40)] == [True] * 32 + [False] * 8
    for _ in range(30):
        world.tick(0.05)
    assert not world.overload.is_there


def test_one_that_blocks_is_no_overload(world: World) -> None:
    """A turn that is long now and then, with punctual ones between, refuses nobody."""
    for _ in range(10):
        world.tick(3.0)
        world.tick(0.5)
        assert not world.overload.is_there


@pytest.mark.skipif(not overload._CAN_COUNT, reason="the system does not tell")
def test_waiting_connections_are_counted() -> None:
    """The kernel tells how many connections wait to be accepted."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        assert count_waiting(server) == 0
        clients = [socket.create_connection(server.getsockname()) for _ in range(7)]
        assert count_waiting(server) == 7
        server.accept()[0].close()
        assert count_waiting(server) == 6
        for client in clients:
            client.close()
    with socket.socket(socket.AF_UNIX) as other:
        assert count_waiting(other) == 0


@pytest.mark.skipif(not overload._CAN_COUNT, reason="the system does not tell")
def test_a_flood_is_partly_refused_and_soon_over() -> None:
    """Of a flood that would take four seconds, those who are refused hear so early, and then all is as before."""
    app = small_app()

    @app.on("/work")
    async def work(request: Request) -> Response:
        time.sleep(0.01)
        return Response(b"done")

    answers: list[bytes] = []
    with running(app) as server:

        def client() -> None:
            answers.append(server.ask(get("/work", extra="Connection: close\r\n"))[:12])

        threads = list(_started(client, 400))
        for thread in threads:
            thread.join()
        served, refused = answers.count(b"HTTP/1.1 200"), answers.count(b"HTTP/1.1 503")
        assert served + refused == 400
        assert served >= 3  # on a busy machine most of them hear that it is busy
        assert refused >= 10
        end = time.monotonic() + 30
        while not server.ask(get(extra="Connection: close\r\n")).startswith(b"HTTP/1.1 200"):
            assert time.monotonic() < end
            time.sleep(0.05)


def _started(target: object, count: int) -> Iterator[threading.Thread]:
    for _ in range(count):
        thread = threading.Thread(target=target)  # type: ignore[arg-type]
        thread.start()
        yield thread
