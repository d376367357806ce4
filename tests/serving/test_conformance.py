"""A handler cannot tell which server it runs under: ours, uvicorn with and without our protocol, Hypercorn, Granian."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

APP = "tests.serving.conformance_app"
SERVERS = {
    "demijohn": (
        f"from demijohn.serving import *; from {APP} import app; serve(app, ServerConfig(bind='127.0.0.1:PORT'))"
    ),
    "demijohn-asyncio": (
        f"from demijohn.serving import *; from {APP} import app; "
        "serve(app, ServerConfig(bind='127.0.0.1:PORT', loop='asyncio'))"
    ),
    "uvicorn": f"import uvicorn; uvicorn.run('{APP}:app', port=PORT, log_level='warning')",
    "uvicorn-with-our-protocol": (
        "import uvicorn; from demijohn.serving import HTTPProtocol; "
        f"uvicorn.run('{APP}:app', port=PORT, log_level='warning', http=HTTPProtocol)"
    ),
    "hypercorn": (
        "import asyncio; from hypercorn.asyncio import serve; from hypercorn.config import Config; "
        f"from {APP} import app; config = Config(); config.bind = ['127.0.0.1:PORT']; asyncio.run(serve(app, config))"
    ),
    "granian": (
        "from granian import Granian; from granian.constants import Interfaces; "
        f"Granian('{APP}:app', address='127.0.0.1', port=PORT, interface=Interfaces.ASGI, workers=1).serve()"
    ),
}
OURS = ("demijohn", "demijohn-asyncio", "uvicorn-with-our-protocol")


class Served:
    """The conformance app under one server."""

    def __init__(self, name: str) -> None:
        self.name = name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.base = f"http://127.0.0.1:{self.port}"
        program = SERVERS[name].replace("PORT", str(self.port))
        if name == "granian":
            program = f"if __name__ == '__main__':\n    {program.replace('; ', chr(10) + '    ')}"
        environment = os.environ | {"SECRET_KEY": "a key for the tests, long enough for every use"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.client = httpx2.Client(base_url=self.base, timeout=30)
        end = time.monotonic() + 60
        while True:
            try:
                self.client.get("/")
                return
            except httpx2.HTTPError:
                assert self.process.poll() is None, f"{name} ended"
                assert time.monotonic() < end, f"{name} does not answer"
                time.sleep(0.05)

    def close(self) -> None:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.client.get(path, **options)


@pytest.fixture(scope="module", params=SERVERS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """The app under each server in turn."""
    served = Served(request.param)
    try:
        yield served
    finally:
        served.close()


@pytest.mark.parametrize(
    "path", ["/current-task", "/timeout", "/task-group", "/cancel", "/locks", "/sync", "/context?word=alone"]
)
def test_asyncio_is_as_it_should_be(served: Served, path: str) -> None:
    """Current task, timeouts, task groups, cancellation, locks, threads: each checks itself in the handler."""
    for _ in range(3):
        response = served.get(path)
        assert (response.status_code, response.text) == (200, "ok"), response.text


def test_context_does_not_leak_between_requests(served: Served) -> None:
    """On one connection and on many, no request sees what another set."""
    for number in range(5):
        assert served.get(f"/context?word=w{number}").text == "ok"
        assert served.get(f"/context?word=w{number}").text == "ok"


def test_start_up_ran_once(served: Served) -> None:
    """The start-up hooks ran before the first request, once."""
    assert served.get("/life").json() == ["started"]


@pytest.mark.parametrize("path", ["/immediate-failure", "/late-failure"])
def test_failures_reach_the_error_handlers(served: Served, path: str) -> None:
    """What a handler raises, at once or after waiting, goes to the error handler of its class."""
    response = served.get(path)
    assert response.status_code == 500
    assert "AssertionError" in response.text


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_537, 1_000_000])
def test_bodies_arrive_whole(served: Served, size: int) -> None:
    """With a length and in chunks, of every size."""
    body = os.urandom(size)

    def pieces() -> Iterator[bytes]:
        for at in range(0, size, 10_000):
            yield body[at : at + 10_000]

    assert served.client.post("/echo", content=body).content == body
    assert served.client.post("/echo", content=pieces()).content == body
    assert served.client.post("/sum", content=pieces()).text == str(size)


def test_a_body_over_the_limit_is_413(served: Served) -> None:
    """The app's limit holds under every server."""
    try:
        assert served.client.post("/echo", content=bytes(3_000_000)).status_code == 413
    except (httpx2.WriteError, httpx2.ReadError):
        assert served.name not in OURS  # some servers reset the connection under the answer


def test_the_request_is_told_as_it_came(served: Served) -> None:
    """Method, path, query, host, headers and client are the same under every server."""
    found = served.get(
        "/request?a=1&b=%20",
        headers=[("host", "shop.example"), ("x-word", b"caf\xe9"), ("x-twice", "1"), ("x-twice", "2")],
    ).json()
    assert found == {
        "method": "GET",
        "path": "/request",
        "query": "a=1&b=%20",
        "host": "shop.example",
        "scheme": "http",
        "header": "caf\xe9",
        "twice": ["1", "2"],
        "client": "127.0.0.1",
        "version": "1.1",
    }


def test_paths_are_decoded_once(served: Served) -> None:
    """A percent sign that was coded stays one."""
    assert served.get("/tree/a%20b/c%2525/%C3%A9").json()["rest"] == "a b/c%25/\xe9"


def test_responses_without_body(served: Served) -> None:
    """HEAD, 204 and 304 have no body, and the connection goes on."""
    head = served.client.head("/")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "13")
    for path, status in (("/nothing", 204), ("/not-modified", 304)):
        response = served.get(path)
        assert (response.status_code, response.content) == (status, b"")
    assert served.get("/").text == "Hello, World!"


def test_cookies_are_lines_of_their_own(served: Served) -> None:
    """Two cookies are two header lines."""
    assert len(served.get("/cookies").headers.get_list("set-cookie")) == 2


def test_streams_come_piece_by_piece(served: Served) -> None:
    """The pieces arrive in order, and whole."""
    assert served.get("/numbers").text == "0\n1\n2\n3\n4\n"


def test_a_stream_that_breaks_is_not_taken_for_whole(served: Served) -> None:
    """The client sees that the body was cut."""
    with pytest.raises(httpx2.RemoteProtocolError), served.client.stream("GET", "/broken") as response:
        response.read()


def test_a_stream_ends_when_the_client_leaves(served: Served) -> None:
    """The generator is closed, its cleaning up included."""
    before = served.get("/events").json().count("endless ended")
    with served.client.stream("GET", "/endless") as response:
        assert next(response.iter_bytes()).startswith(b"begun")
    end = time.monotonic() + 30
    while served.get("/events").json().count("endless ended") == before:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("path", ["raises", "raises-sync"])
@pytest.mark.parametrize(
    "what",
    ["cancelled-child", "cancelled", "cancels-itself", "exit", "interrupt", "generator", "stop", "group"],
)
def test_whatever_is_raised_is_a_500(served: Served, path: str, what: str) -> None:
    """A failure of any class is answered, and the process that answers next is the same."""
    before = served.get("/pid").text
    assert served.get(f"/{path}/{what}").status_code == 500
    assert served.get("/pid").text == before


def told(served: Served, what: str, *, times: int = 1) -> bool:
    """Wait until the app has noted something so often."""
    end = time.monotonic() + 30
    while served.get("/events").json().count(what) < times:
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return True


def leave_after(served: Served, request: bytes, mark: str) -> None:
    """Send a request, and leave once its handler has begun."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
        client.sendall(request)
        assert told(served, mark)


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_client_that_leaves_cancels_no_handler(served: Served, kind: str) -> None:
    """The handler goes on to its end, and its unit of work is committed as a whole."""
    commits = served.get("/events").json().count("committed")
    leave_after(served, b"GET /outlives/%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % kind.encode(), f"{kind} began")
    assert served.get("/release").text == "ok"
    assert told(served, f"{kind} wrote")
    assert told(served, "committed", times=commits + 1)
    assert "rolled back" not in served.get("/events").json()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_handler_may_ask_whether_its_client_has_left(served: Served, method: str) -> None:
    """`is_disconnected` comes to know it under every server."""
    head = f"{method} /listens HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\n"
    head += "Content-Length: 3\r\n\r\nabc" if method == "POST" else "\r\n"
    leave_after(served, head.encode(), f"listens {method} {3 if method == 'POST' else 0}")
    assert told(served, f"left {method}")


def test_work_after_the_response_is_done(served: Served) -> None:
    """What was put off until after the response runs, and does not keep the client waiting."""
    assert served.get("/after").text == "ok"
    end = time.monotonic() + 30
    while "after the response" not in served.get("/events").json():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_websockets(served: Served) -> None:
    """Messages go both ways, and the close code of the app arrives."""
    with connect(f"ws://127.0.0.1:{served.port}/chat", origin=Origin(served.base)) as chat:
        chat.send("hello")
        assert chat.recv() == "hello /chat"
        chat.send("bye")
        with pytest.raises(ConnectionClosed) as closed:
            chat.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4000


def test_many_clients_at_once(served: Served) -> None:
    """Requests of many connections do not get each other's answers."""
    from concurrent.futures import ThreadPoolExecutor

    def ask(number: int) -> bool:
        with httpx2.Client(base_url=served.base, timeout=30) as client:
            bodies = [f"{number} {turn}".encode() for turn in range(10)]
            return all(client.post("/echo", content=body).content == body for body in bodies)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(16)))
