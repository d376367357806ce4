"""The app under servers of other people: ASGI under three of them, WSGI under two."""

import http.client
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

ROOT = Path(__file__).parents[2]
ASGI = {
    "uvicorn": ["-m", "uvicorn", "tests.interop.site:app", "--port", "{port}", "--log-level", "warning"],
    "hypercorn": ["-m", "hypercorn", "tests.interop.site:app", "--bind", "127.0.0.1:{port}"],
    "granian": ["-m", "granian", "--interface", "asgi", "--port", "{port}", "tests.interop.site:app"],
    "demijohn": ["-m", "demijohn", "serve", "tests/interop/site.py", "--port", "{port}", "--ignore-checks"],
}
WSGI = {
    "gunicorn": ["-m", "gunicorn", "tests.interop.site:wsgi", "--bind", "127.0.0.1:{port}", "--threads", "4"],
    "wsgiref": [
        "-c",
        (
            "from wsgiref.simple_server import make_server; from tests.interop.site import wsgi; "
            "make_server('127.0.0.1', {port}, wsgi).serve_forever()"
        ),
    ],
}


@pytest.fixture
def base(request: pytest.FixtureRequest, free_port: int) -> Iterator[str]:
    arguments = [part.replace("{port}", str(free_port)) for part in request.param]
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{free_port}"
    try:
        for _ in range(150):
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except urllib.error.HTTPError:
                raise
            except OSError:
                assert process.poll() is None, process.communicate()[0].decode()
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def get(url: str, *, body: bytes | None = None) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"} if body is not None else {}
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=15) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def check_http(base: str) -> None:
    status, body = get(base)
    assert (status, json.loads(body)["started"]) == (200, 1)
    assert get(f"{base}/items", body=b'{"name": "x", "price": 1.5}') == (201, b'{"name":"x","price":1.5}')
    status, body = get(f"{base}/items", body=b'{"name": 3}')
    assert (status, len(json.loads(body)["errors"])) == (422, 2)
    assert get(f"{base}/size", body=b"x" * 1_000_000) == (200, b'{"size":1000000}')
    assert get(f"{base}/stream") == (200, b"".join(b"%d\n" % number for number in range(50)))
    assert json.loads(get(f"{base}/task/caf%C3%A9")[1]) == {"task": True, "path": "/task/café", "name": "café"}
    status, body = get(f"{base}/boom")
    assert status == 500
    assert b"42" not in body
    assert get(f"{base}/nothing")[0] == 404


def check_exits(base: str) -> None:
    """Whatever a handler raises, the worker that answered goes on."""
    worker = get(f"{base}/process")
    for what in ("exit", "interrupt", "generator", "cancelled"):
        assert get(f"{base}/raises/{what}")[0] == 500
        try:
            assert get(f"{base}/raises-late/{what}") == (200, b"one")  # wsgiref says no length, and tells no more
        except (OSError, http.client.HTTPException):
            pass  # cut, as it has to be
        assert get(f"{base}/process") == worker


@pytest.mark.parametrize("base", ASGI.values(), ids=ASGI.keys(), indirect=True)
def test_asgi(base: str) -> None:
    """Requests, bodies, streams, tasks and WebSockets behave alike under every server."""
    check_http(base)
    check_exits(base)
    with connect(base.replace("http", "ws") + "/echo", origin=Origin(base)) as socket:
        socket.send("hello")
        assert socket.recv(timeout=5) == "HELLO"


@pytest.mark.parametrize("base", WSGI.values(), ids=WSGI.keys(), indirect=True)
def test_wsgi(base: str) -> None:
    """The WSGI face answers as the ASGI one does."""
    check_http(base)
    check_exits(base)
