"""Whatever class of exception the code of a request raises, it fails that request, and nothing else.

`sys.exit()` would end the loop, `GeneratorExit` a worker of gunicorn, `CancelledError` look like a request that was
cancelled. `tests/serving/test_conformance.py` and `tests/interop` ask the same of real servers.
"""

import asyncio
import contextvars
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest

from demijohn import App, Blueprint, Depends, Request, Response, WebSocket, after_response, after_this_request, wait
from demijohn.http import WebSocketDisconnect
from demijohn.testing import TestClient
from tests.app.calling import call


class Fatal(BaseException):
    """What is no `Exception`, and none of Python's own."""


def cancelled() -> BaseException:
    return asyncio.CancelledError("a child was cancelled")


RAISED: dict[str, Callable[[], BaseException]] = {
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "generator": GeneratorExit,
    "cancelled": cancelled,
    "stop": StopIteration,
    "stop-async": StopAsyncIteration,
    "group": lambda: BaseExceptionGroup("several", [Fatal(), GeneratorExit()]),
    "fatal": Fatal,
}
BEFORE = ("async", "sync", "inline", "waited", "before", "before-sync", "after", "after-sync", "middleware")
BEFORE += ("service", "service-sync", "dependency", "this", "error-handler", "first-item", "first-item-sync", "child")
BEHIND = ("stream", "stream-sync", "after-response", "clean-up", "clean-up-sync", "teardown")


class Exiting:
    """A service whose clean-up raises."""


class Kept:
    """A service whose clean-up says that it came."""


def make_app() -> App:
    """An app of which the query says what is raised, and the path where."""
    app = App()
    app.cleaned = 0  # type: ignore[attr-defined]

    def what(request: Request) -> BaseException:
        return RAISED[request.query["what"]]()

    @app.before_request
    async def before(request: Request) -> None:
        if request.path == "/before":
            raise what(request)

    @app.before_request
    def before_sync(request: Request) -> None:
        if request.path == "/before-sync":
            raise what(request)

    @app.after_request
    async def after(request: Request, response: Response) -> None:
        if request.path == "/after":
            raise what(request)

    @app.after_request
    def after_sync(request: Request, response: Response) -> None:
        if request.path == "/after-sync":
            raise what(request)

    @app.teardown_request
    async def teardown(request: Request, error: BaseException | None) -> None:
        if request.path == "/teardown":
            raise what(request)

    @app.get("/async")
    async def asynchronous(request: Request) -> str:
        raise what(request)

    @app.get("/sync")
    def sync(request: Request) -> str:
        raise what(request)

    @app.get("/inline", inline=True)
    def inline(request: Request) -> str:
        raise what(request)

    @app.get("/waited")
    def waited(request: Request) -> str:
        async def leave() -> None:
            raise what(request)

        wait(leave())
        return "not reached"

    @app.get("/child")
    async def child(request: Request) -> str:
        """What a child is cancelled with comes to whoever awaits it; what else it raises, too."""

        async def work() -> None:
            if request.query["what"] in ("exit", "interrupt", "generator"):
                raise Fatal  # asyncio itself ends the loop by the first two, and closes who awaits by the third
            raise what(request)

        await asyncio.create_task(work())
        return "not reached"

    async def made(request: Request) -> int:
        raise what(request)

    def made_sync(request: Request) -> str:
        raise what(request)

    @app.get("/service")
    async def service(number: Annotated[int, Depends(made)]) -> str:
        return "not reached"

    @app.get("/service-sync")
    async def service_sync(text: Annotated[str, Depends(made_sync)]) -> str:
        return "not reached"

    @app.get("/dependency")
    def dependency(text: Annotated[str, Depends(made_sync)], number: Annotated[int, Depends(made)]) -> str:
        return "not reached"

    @app.get("/this")
    async def this(request: Request) -> str:
        def change(response: Response) -> None:
            raise what(request)

        after_this_request(change)
        return "not kept"

    @app.errorhandler(LookupError)
    async def of_lookup(request: Request, error: LookupError) -> str:
        raise what(request)

    @app.get("/error-handler")
    async def error_handler() -> str:
        raise LookupError

    @app.get("/first-item")
    async def first_item(request: Request) -> AsyncIterator[bytes]:
        raise what(request)
        yield b""

    @app.get("/first-item-sync")
    def first_item_sync(request: Request) -> Iterator[bytes]:
        raise what(request)
        yield b""

    @app.get("/stream")
    async def stream(request: Request) -> AsyncIterator[bytes]:
        yield b"one"
        raise what(request)

    @app.get("/stream-sync")
    def stream_sync(request: Request) -> Iterator[bytes]:
        yield b"one"
        raise what(request)

    @app.get("/after-response")
    async def behind(request: Request) -> str:
        def later() -> None:
            raise what(request)

        after_response(later)
        return "one"

    async def make(request: Request) -> AsyncIterator[Exiting]:
        yield Exiting()
        raise what(request)

    def make_sync(request: Request) -> Iterator[str]:
        yield "one"
        raise what(request)

    async def keep() -> AsyncIterator[Kept]:
        try:
            yield Kept()
        finally:
            app.cleaned += 1  # type: ignore[attr-defined]

    app.provide(Exiting, make)
    app.provide(Kept, keep)

    @app.get("/clean-up")
    async def clean_up(kept: Kept, service: Exiting) -> str:
        return "one"

    @app.get("/clean-up-sync")
    async def clean_up_sync(kept: Kept, text: Annotated[str, Depends(make_sync)]) -> str:
        return text

    @app.get("/teardown")
    async def torn_down(kept: Kept) -> str:
        return "one"

    @app.websocket("/socket")
    async def socket(ws: WebSocket) -> None:
        await ws.accept()
        raise what(ws)  # type: ignore[arg-type]

    @app.websocket("/socket-sync")
    def socket_sync(ws: WebSocket) -> None:
        wait(ws.accept())
        raise what(ws)  # type: ignore[arg-type]

    @app.get("/well")
    async def well() -> str:
        return "well"

    inner = Blueprint("inner")

    @inner.middleware
    async def around(request: Request, following: Any) -> Any:
        raise what(request)

    @inner.get("/middleware")
    async def in_middleware() -> str:
        return "not reached"

    app.include(inner)
    return app


def ask(app: App, target: str) -> tuple[str, bytes]:
    """Answer one request by WSGI, in a thread: a loop that has ended is told by a time-out and not by a hang."""
    told: list[Any] = []
    path, _, query = target.partition("?")

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        told.append(status)

    def run() -> None:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "HTTP_HOST": "localhost"}
        try:
            body: Iterator[bytes] | list[bytes] = app.wsgi({**environ, "wsgi.input": None}, start_response)
            told.append(b"".join(body))
        except RuntimeError as error:
            told.append(str(error).encode())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), f"{target} was never answered"
    return told[0], told[1]


@pytest.mark.parametrize("what", RAISED)
@pytest.mark.parametrize("where", BEFORE)
async def test_whatever_is_raised_before_the_answer_is_a_500(
    where: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is answered 500 and the failure logged; its task is not cancelled."""
    app = make_app()
    answer = await call(app, "GET", f"/{where}?what={what}")
    assert answer.status == 500
    assert any(record.exc_info for record in caplog.records if record.levelno >= logging.ERROR)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


@pytest.mark.parametrize("what", RAISED)
@pytest.mark.parametrize("where", [*BEFORE, *BEHIND])
def test_a_failure_of_any_class_is_that_of_its_request_alone(where: str, what: str) -> None:
    """Under WSGI no exception reaches the worker but an ordinary one, and the loop goes on."""
    app = make_app()
    status, body = ask(app, f"/{where}?what={what}")
    assert status[:3] == ("200" if where in BEHIND else "500")
    if where in BEHIND and "stream" not in where:
        assert body == b"one"
    assert ask(app, "/well") == ("200 OK", b"well")
    app.wsgi.close()
    assert app.cleaned == (where in ("clean-up", "clean-up-sync", "teardown"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("what", RAISED)
@pytest.mark.parametrize("where", BEHIND)
def test_what_fails_behind_the_answer_is_told_to_tests(where: str, what: str) -> None:
    """The client raises it, after everything else was cleaned up; the answer stands for one that does not."""
    app = make_app()
    with TestClient(app) as client:
        with pytest.raises(BaseException) as caught:
            _ = client.get(f"/{where}?what={what}").content
        assert isinstance(caught.value, RuntimeError | type(RAISED[what]()))
    with TestClient(app, raise_server_exceptions=False) as client:
        if "stream" not in where:
            assert client.get(f"/{where}?what={what}").text == "one"
        assert client.get("/well").text == "well"


@pytest.mark.parametrize("what", RAISED)
@pytest.mark.parametrize("path", ["/socket", "/socket-sync"])
def test_a_socket_is_closed_alone(path: str, what: str) -> None:
    """The socket is closed as after any other failure, with 1011, and the app goes on."""
    with TestClient(make_app(), raise_server_exceptions=False) as client:
        with client.websocket(f"{path}?what={what}") as ws, pytest.raises(WebSocketDisconnect) as caught:
            ws.receive()
        assert caught.value.code == 1011
        assert client.get("/well").text == "well"


def test_a_task_that_exits_ends_no_loop_of_wsgi() -> None:
    """A task that code leaves behind and that exits is logged; the loop of the WSGI face goes on."""
    app = make_app()

    async def leave() -> None:
        sys.exit(3)

    @app.get("/leave")
    async def leaving() -> str:
        app.left = asyncio.create_task(leave())  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "left"

    assert ask(app, "/leave") == ("200 OK", b"left")
    assert ask(app, "/well") == ("200 OK", b"well")
    app.wsgi.close()
    assert isinstance(app.left.exception(), SystemExit)  # type: ignore[attr-defined]


async def test_a_request_whose_task_is_cancelled_ends_cancelled() -> None:
    """Nothing is answered in the place of a cancellation from outside; the services are cleaned up."""
    app = make_app()
    began = asyncio.Event()

    @app.get("/slow")
    async def slow(kept: Kept) -> str:
        began.set()
        await asyncio.sleep(3600)
        return "not reached"

    task = asyncio.create_task(call(app, "GET", "/slow"))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert app.cleaned == 1  # type: ignore[attr-defined]


async def test_a_coroutine_that_is_closed_is_answered_nothing() -> None:
    """Closing the coroutine of a request from outside, as the end of a loop does, is no failure of its code."""
    app = App()
    seen: list[BaseException] = []
    app.failure_listeners.append(lambda _, error: seen.append(error))
    sent: list[Response] = []

    @app.get("/")
    async def slow() -> str:
        await asyncio.sleep(3600)
        return "not reached"

    request = Request("GET", "/", b"/", b"", [(b"host", b"localhost")])
    request.app = app
    coroutine = app.handle(request, sent.append)

    contextvars.copy_context().run(coroutine.send, None)
    coroutine.close()
    assert (sent, seen) == ([], [])
