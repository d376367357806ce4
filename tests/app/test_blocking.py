"""What blocks the event loop is an error in tests and a warning in development (trap 11 of sync code)."""

import asyncio
import logging
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import pytest

from demijohn import App, Settings, run_in_thread
from demijohn.app.blocking import BlockingCall
from demijohn.testing import TestClient, allow_blocking

PORT = 0


@pytest.fixture(autouse=True, scope="module")
def port() -> Iterator[None]:
    global PORT
    with socket.create_server(("127.0.0.1", 0)) as server:
        PORT = server.getsockname()[1]
        yield


async def sleeps() -> None:
    time.sleep(0.01)


async def sleeps_by_its_name() -> None:
    sleep(0.01)


async def connects() -> None:
    socket.create_connection(("127.0.0.1", PORT)).close()


async def resolves() -> None:
    socket.getaddrinfo("nowhere.invalid", 80)


async def fetches() -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5)


async def starts() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


async def shells() -> None:
    os.system("true")


async def asks() -> None:
    input()


# the interpreter itself audits `sleep` from 3.13 on; before, it is found where it is looked up in its module
AUDITED = pytest.mark.skipif(sys.version_info < (3, 13), reason="sleep is audited from Python 3.13 on")
BLOCKING = [
    (sleeps, r"called time\.sleep\(0\.01\).*await asyncio\.sleep\(0\.01\)"),
    pytest.param(sleeps_by_its_name, r"called time\.sleep\(0\.01\)", marks=AUDITED),
    (connects, r"called socket\.connect.*await run_in_thread"),
    (resolves, r"called socket\.getaddrinfo\('nowhere\.invalid'\)"),
    (fetches, r"called socket\.connect.*httpx\.AsyncClient"),
    (starts, r"called subprocess\.Popen.*await asyncio\.create_subprocess_exec"),
    (shells, r"called os\.system.*await asyncio\.create_subprocess_shell"),
    (asks, r"called input\(\).*await run_in_thread\(input\)"),
]


@pytest.mark.parametrize(("blocks", "said"), BLOCKING)
def test_what_blocks_raises_in_tests(blocks: Any, said: str) -> None:
    """Each known blocker raises in an async handler, naming the line and the one to write."""
    app = App()
    app.get("/")(blocks)
    with TestClient(app) as client, pytest.raises(BlockingCall) as caught:
        client.get("/")
    text = " ".join(str(caught.value).split())
    line = blocks.__code__.co_firstlineno + 1
    assert f"test_blocking.py:{line} in `{blocks.__name__}`" in text
    assert re.search(said, text), text


def test_in_a_thread_everything_may_block() -> None:
    """A `def` handler, `run_in_thread`, an inline one that does not block, and asyncio's own ways are left in peace."""
    app = App()

    @app.get("/def")
    def plain() -> str:
        time.sleep(0.001)
        socket.create_connection(("127.0.0.1", PORT)).close()
        return "def"

    @app.get("/async")
    async def coroutine() -> str:
        await run_in_thread(time.sleep, 0.001)
        time.sleep(0)  # only gives way
        _, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.close()
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        return f"async {await process.wait()}"

    @app.get("/import")
    async def imports() -> str:
        from tests.app import slowly_imported

        return slowly_imported.NAME

    with TestClient(app) as client:
        assert client.get("/def").text == "def"
        assert client.get("/async").text == "async 0"
        assert client.get("/import").text == "slow"


def test_an_inline_handler_may_not_block_either() -> None:
    """`inline=True` runs on the loop, so that it is held to the same."""
    app = App()

    @app.get("/", inline=True)
    def inline() -> str:
        time.sleep(0.001)
        return "x"

    with TestClient(app) as client, pytest.raises(BlockingCall, match=r"time\.sleep"):
        client.get("/")


def blocking_app() -> App:
    app = App()

    @app.get("/")
    async def home() -> str:
        time.sleep(0.001)
        return "x"

    @app.get("/said")
    async def said() -> str:
        time.sleep(0.001)  # demijohn: allow-blocking
        return "y"

    return app


def test_blocking_can_be_allowed() -> None:
    """By a comment on the line, or around a block."""
    with TestClient(blocking_app()) as client:
        assert client.get("/said").text == "y"
        with allow_blocking():
            assert client.get("/").text == "x"
        with pytest.raises(BlockingCall):
            client.get("/")


def test_a_request_that_may_block_allows_no_other_to() -> None:
    """Within a handler the block is that of its request: what runs beside it is held to the rule."""
    app = App()
    inside = asyncio.Event()
    done = asyncio.Event()

    @app.get("/may")
    async def may() -> str:
        with allow_blocking():
            inside.set()
            await done.wait()
            time.sleep(0.001)
        return "x"

    @app.get("/may-not")
    async def may_not() -> str:
        await inside.wait()
        try:
            time.sleep(0.001)
        except BlockingCall:
            return "refused"
        finally:
            done.set()
        return "slept"

    with TestClient(app) as client, ThreadPoolExecutor() as threads:
        first = threads.submit(client.get, "/may")
        assert client.get("/may-not").text == "refused"
        assert first.result(30).text == "x"


@pytest.mark.allow_blocking
def test_blocking_can_be_allowed_for_a_test() -> None:
    """By the marker of the pytest plugin."""
    with TestClient(blocking_app()) as client:
        assert client.get("/").text == "x"


@pytest.fixture
def own_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("env", ["development", "production"])
def test_development_warns_once(
    env: Any, own_loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    """On a loop that no test holds, the line is logged once in development and never in production."""
    from tests.app.calling import call

    app = App(settings=Settings.load({}, files=(), secret_key="0123456789abcdef" * 4, env=env), debug=True)

    @app.get("/")
    async def home() -> str:
        time.sleep(0.001)
        return "x"

    async def main() -> None:
        await app.startup()
        for _ in range(3):
            assert (await call(app, "GET", "/")).body == b"x"
        await app.shutdown()

    caplog.set_level(logging.WARNING, "demijohn.watchdog")
    own_loop.run_until_complete(main())
    told = [message for message in caplog.messages if "called time.sleep(0.001)" in message]
    assert len(told) == (env == "development")
