"""The clean-up of services: where it runs, what it sees, and who hears of it when it fails."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from demijohn import App, WebSocket, abort, wait
from demijohn.app import UnitCall
from demijohn.errors import ConfigurationError
from demijohn.http import StreamResponse
from demijohn.serving import Timeouts
from demijohn.testing import AsyncClient, CommandRunner, TestClient
from tests.app.calling import call
from tests.serving.running import get, running, until


class Handle:
    """What a sync generator opens, and closes by awaiting."""

    def __init__(self) -> None:
        self.closed = ""
        self.thread = 0
        self.saw: BaseException | None = None

    async def close(self) -> str:
        await asyncio.sleep(0)
        return "closed"


class Older:
    """A service that is cleaned up after the other."""


class Site:
    """An app with a sync generator whose clean-up blocks and waits, and handlers of both kinds that ask for it."""

    def __init__(self) -> None:
        app = self.app = App()
        self.handles: list[Handle] = []
        self.older: list[str] = []
        self.breaks = False
        self.release = threading.Event()
        self.threads: list[int] = []

        def older() -> Iterator[Older]:
            try:
                yield Older()
            finally:
                self.older.append(wait(asyncio.sleep(0, "closed")))

        def handle(older: Older) -> Iterator[Handle]:
            made = Handle()
            self.handles.append(made)
            try:
                yield made
            except BaseException as error:
                made.saw = error
                raise
            finally:
                time.sleep(0)  # on the loop of a test, this raises
                made.thread = threading.get_ident()
                made.closed = wait(made.close())
                if self.breaks:
                    raise OSError("the handle is stuck")

        app.provide(Older, older)
        app.provide(Handle, handle)

        @app.get("/async")
        async def asynchronous(handle: Handle) -> str:
            self.threads.append(threading.get_ident())
            return "answer"

        @app.get("/sync")
        def sync(handle: Handle) -> str:
            return "answer"

        @app.get("/inline", inline=True)
        def inline(handle: Handle) -> str:
            return "answer"

        @app.get("/sticky", thread="sticky")
        def sticky(handle: Handle) -> str:
            self.threads.append(threading.get_ident())
            return "answer"

        @app.get("/stream")
        async def stream(handle: Handle) -> AsyncIterator[str]:
            yield "answer"

        @app.get("/async/fails")
        async def fails(handle: Handle) -> str:
            raise LookupError("x")

        @app.get("/sync/fails")
        def fails_too(handle: Handle) -> str:
            raise LookupError("x")

        @app.get("/async/aborts")
        async def aborts(handle: Handle) -> str:
            abort(409)

        @app.get("/async/slow")
        async def slow(handle: Handle) -> str:
            await asyncio.sleep(3600)
            return "not reached"

        @app.get("/sync/slow")
        def slow_too(handle: Handle) -> str:
            wait(asyncio.sleep(3600))
            return "not reached"

        @app.get("/async/endless")
        async def endless(handle: Handle) -> StreamResponse:
            async def pieces() -> AsyncIterator[bytes]:
                while True:
                    yield b"x" * 1000
                    await asyncio.sleep(0.01)

            return StreamResponse(pieces())

        @app.websocket("/async/socket")
        async def socket(ws: WebSocket, handle: Handle) -> None:
            await ws.accept()
            await ws.send_text("answer")

        @app.websocket("/sync/socket")
        def socket_too(ws: WebSocket, handle: Handle) -> None:
            wait(ws.accept())
            wait(ws.send_text("answer"))

        @app.command()
        async def work(handle: Handle) -> str:
            return "answer"

        @app.command()
        def work_sync(handle: Handle) -> str:
            return "answer"

    def closed(self) -> list[str]:
        """Return how each handle was left."""
        return [handle.closed for handle in self.handles]


@pytest.mark.parametrize("path", ["/async", "/sync", "/inline", "/sticky", "/stream"])
async def test_a_sync_generator_may_block_and_wait_in_its_clean_up(path: str) -> None:
    """It runs in a thread whatever asked for the service, and the older service follows."""
    site = Site()
    async with AsyncClient(site.app) as client:
        assert (await client.get(path)).text == "answer"
    assert (site.closed(), site.older) == (["closed"], ["closed"])
    assert site.handles[0].thread != threading.get_ident()
    if path == "/sticky":
        assert site.handles[0].thread == site.threads[0]


@pytest.mark.parametrize("path", ["/async/fails", "/sync/fails", "/async/aborts"])
async def test_the_clean_up_sees_what_left_the_handler(path: str) -> None:
    """The exception is raised at the `yield`, and nothing of that is a failure of the clean-up."""
    site = Site()
    status = (await call(site.app, "GET", path)).status
    assert status == (409 if path.endswith("aborts") else 500)
    assert (site.closed(), site.older) == (["closed"], ["closed"])
    assert site.handles[0].saw is not None


@pytest.mark.parametrize("path", ["/async/slow", "/sync/slow"])
def test_a_request_that_took_too_long_is_cleaned_up(path: str) -> None:
    """The server cancels the handler; its services are cleaned up, waits included, and 503 is answered."""
    site = Site()
    with running(site.app, timeouts=Timeouts(request=0.2)) as server, server.connect() as client:
        client.send(get(path, host="localhost"))
        assert client.response()[0] == 503
        until(lambda: site.older)
    assert (site.closed(), site.older) == (["closed"], ["closed"])
    assert isinstance(site.handles[0].saw, asyncio.CancelledError)


def test_a_stream_whose_client_left_is_cleaned_up() -> None:
    """When the client leaves in the middle of a stream, its services are cleaned up as at any other end."""
    site = Site()
    with running(site.app) as server:
        with server.connect() as client:
            client.send(get("/async/endless", host="localhost"))
            client.until(b"xxx")
        until(lambda: site.older)
    assert (site.closed(), site.older) == (["closed"], ["closed"])
    assert site.handles[0].saw is None


@pytest.mark.parametrize("path", ["/async/socket", "/sync/socket"])
def test_sockets(path: str) -> None:
    """A socket's services are cleaned up in a thread as well, and a failure is raised in the test."""
    site = Site()
    with TestClient(site.app) as client:
        with client.websocket(path) as socket:
            assert socket.receive() == "answer"
        assert (site.closed(), site.older) == (["closed"], ["closed"])
        site.breaks = True
        with pytest.raises(OSError, match="stuck"), client.websocket(path) as socket:
            assert socket.receive() == "answer"


@pytest.mark.parametrize("path", ["/async", "/sync", "/stream"])
def test_a_clean_up_that_fails_changes_no_answer_and_is_raised_in_tests(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and told with the name of its service; the others are cleaned up all the same."""
    site = Site()
    site.breaks = True
    told: list[BaseException] = []
    site.app.failure_listeners.append(lambda _, error: told.append(error))
    with TestClient(site.app) as client, pytest.raises(OSError, match="the handle is stuck") as caught:
        client.get(path)
    assert "the service Handle (tests/app/test_clean_up.py:" in caught.value.__notes__[0]
    assert any(
        record.name == "demijohn.app" and record.getMessage().startswith("Cleaning up Handle (tests/app/test_clean")
        for record in caplog.records
    )
    with TestClient(site.app, raise_server_exceptions=False) as client:
        assert client.get(path).text == "answer"
    assert (len(told), site.older) == (2, ["closed", "closed"])


async def test_a_reporter_that_fails_keeps_no_service_from_its_clean_up(caplog: pytest.LogCaptureFixture) -> None:
    """What a listener to failures raises is logged with its name; the other listeners and clean-ups have their turn."""
    site = Site()
    site.breaks = True
    told: list[BaseException] = []

    def report(connection: Any, error: BaseException) -> None:
        raise ConnectionError("the reporter is down")

    site.app.failure_listeners += [report, lambda _, error: told.append(error)]
    for _ in range(2):
        assert (await call(site.app, "GET", "/async")).body == b"answer"
    assert (len(told), site.older) == (2, ["closed", "closed"])
    assert "A listener to failures, " in caplog.text
    assert "report" in caplog.text
    assert (await call(site.app, "GET", "/async/fails")).status == 500
    assert any(isinstance(error, LookupError) for error in told)


async def test_one_exception_raised_again_and_again_gathers_no_notes() -> None:
    """A factory that raises one and the same object says once where that came from."""
    app, failure = App(), OSError("always the same")

    def older() -> Iterator[Older]:
        yield Older()
        raise failure

    app.provide(Older, older)

    @app.get("/")
    async def home(older: Older) -> str:
        return "answer"

    for _ in range(3):
        assert (await call(app, "GET", "/")).body == b"answer"
    assert len(failure.__notes__) == 1


async def test_a_stream_that_cannot_be_closed_is_a_500_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """A generator that fails before its first item, and again when it is closed, is answered by the error handlers."""
    app = App()

    class Broken:
        def __aiter__(self) -> "Broken":
            return self

        async def __anext__(self) -> bytes:
            raise LookupError("the first item")

        async def aclose(self) -> None:
            raise OSError("the end")

    @app.errorhandler(LookupError)
    async def lookup(error: LookupError) -> tuple[str, int]:
        return "nothing there", 410

    @app.get("/")
    async def home() -> AsyncIterator[bytes]:
        return Broken()  # type: ignore[return-value]

    answer = await call(app, "GET", "/")
    assert (answer.status, answer.body) == (410, b"nothing there")
    assert "Closing the stream of GET / failed" in caplog.text


async def test_the_first_failure_of_a_request_is_the_one_that_is_raised() -> None:
    """A handler that fails is told by what it raised, not by what came of it in the clean-up."""
    site = Site()
    site.breaks = True
    async with AsyncClient(site.app) as client:
        with pytest.raises(LookupError):
            await client.get("/async/fails")
    assert site.older == ["closed"]


@pytest.mark.parametrize("name", ["work", "work-sync"])
def test_commands(name: str) -> None:
    """A command's services are cleaned up in a thread; a failure there is the failure of the command."""
    site = Site()
    runner = CommandRunner(site.app)
    assert runner(name).output == "answer\n"
    assert (site.closed(), site.older) == (["closed"], ["closed"])
    site.breaks = True
    with pytest.raises(OSError, match="stuck"):
        runner(name)
    assert site.older == ["closed", "closed"]


async def test_scripts(caplog: pytest.LogCaptureFixture) -> None:
    """The end of `app.context()` raises what a clean-up raised, once all is done, unless the block raised already."""
    site = Site()

    async def work(handle: Handle) -> None: ...

    use = UnitCall(work, site.app.services)

    async def failing() -> None:
        async with site.app.context() as unit:
            await use(unit, {})
            raise LookupError

    async with site.app.context() as unit:
        await use(unit, {})
    assert (site.closed(), site.older) == (["closed"], ["closed"])
    site.breaks = True
    with pytest.raises(OSError, match="stuck"):
        async with site.app.context() as unit:
            await use(unit, {})
    assert site.older == ["closed", "closed"]
    assert caplog.text == ""  # who is told by the exception is not told twice
    with pytest.raises(LookupError):
        await failing()
    assert "Cleaning up Handle (" in caplog.text
    assert site.older == ["closed", "closed", "closed"]
    assert isinstance(site.handles[-1].saw, LookupError)


def test_scripts_of_sync_code() -> None:
    """The same by a plain `with`, whose loop runs in another thread."""
    site = Site()

    def work(handle: Handle) -> None: ...

    use = UnitCall(work, site.app.services)
    with site.app.context() as unit:
        wait(use(unit, {}))
    assert (site.closed(), site.older) == (["closed"], ["closed"])
    site.breaks = True
    with pytest.raises(OSError, match="stuck"), site.app.context() as unit:
        wait(use(unit, {}))


async def test_a_service_of_the_app_is_cleaned_up_in_a_thread_too() -> None:
    """At the shutdown, where it may wait; what fails there is raised, after the other services were cleaned up."""
    app = App()
    log: list[Any] = []

    def first() -> Iterator[Older]:
        yield Older()
        log.append(wait(asyncio.sleep(0, threading.get_ident())))

    def second(older: Older) -> Iterator[Handle]:
        yield Handle()
        raise OSError("stuck")

    app.provide(Older, first, scope="app")
    app.provide(Handle, second, scope="app")

    @app.get("/")
    async def home(handle: Handle) -> str:
        return "answer"

    await app.startup()
    assert (await call(app, "GET", "/")).body == b"answer"
    with pytest.raises(OSError, match="stuck"):
        await app.shutdown()
    assert len(log) == 1
    assert log[0] != threading.get_ident()
    await app.startup()
    await app.shutdown()


async def test_a_cancelled_clean_up_keeps_no_other_from_its_turn() -> None:
    """When the task is cancelled while one service is cleaned up, the older ones still are; then it ends cancelled."""
    app = App()
    log: list[str] = []
    began = asyncio.Event()

    async def older() -> AsyncIterator[Older]:
        yield Older()
        await asyncio.sleep(0)
        log.append("older")

    async def handle(older: Older) -> AsyncIterator[Handle]:
        yield Handle()
        began.set()
        await asyncio.sleep(3600)

    app.provide(Older, older)
    app.provide(Handle, handle)

    @app.teardown_request
    async def teardown(error: BaseException | None) -> None:
        log.append("teardown")

    @app.get("/")
    async def home(handle: Handle) -> str:
        return "answer"

    task = asyncio.create_task(call(app, "GET", "/"))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["older", "teardown"]


async def test_a_sync_factory_may_not_wait_on_the_loop() -> None:
    """Before its `yield` it runs where the async handler does, where waiting is refused with what to write."""
    app = App()

    def handle() -> Iterator[Handle]:
        wait(asyncio.sleep(0))
        yield Handle()

    app.provide(Handle, handle)

    @app.get("/")
    async def home(handle: Handle) -> str:
        return "not reached"

    @app.get("/sync")
    def sync(handle: Handle) -> str:
        return "answer"

    async with AsyncClient(app) as client:
        with pytest.raises(Exception, match="on the event loop") as caught:
            await client.get("/")
        assert getattr(caught.value, "code", "") == "DJN-402"
        assert (await client.get("/sync")).text == "answer"


async def test_a_factory_that_yields_twice_is_told_to_tests(caplog: pytest.LogCaptureFixture) -> None:
    """The answer stands, the generator is closed, and the mistake has its code."""
    app = App()
    closed: list[str] = []

    def handle() -> Iterator[Handle]:
        try:
            yield Handle()
            yield Handle()
        finally:
            closed.append("closed")

    app.provide(Handle, handle)

    @app.get("/")
    async def home(handle: Handle) -> str:
        return "answer"

    with caplog.at_level(logging.ERROR):
        async with AsyncClient(app) as client:
            with pytest.raises(ConfigurationError) as caught:
                await client.get("/")
    assert (caught.value.code, closed) == ("DJN-216", ["closed"])
