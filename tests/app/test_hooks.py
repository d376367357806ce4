"""Hooks, error handlers and functions of the start-up ask for services as handlers do."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest

from demijohn import App, Blueprint, Depends, Header, Request, Response, WebSocket, abort, current, wait
from demijohn.errors import ConfigurationError
from demijohn.testing import SocketRefused, TestClient
from tests.app.calling import call


class Clock:
    def __init__(self) -> None:
        self.made_by = threading.get_ident()


class Log:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines


def _app() -> tuple[App, list[str]]:
    app, lines = App(), []

    async def log(request: Request) -> AsyncIterator[Log]:
        try:
            yield Log(lines)
        finally:
            lines.append(f"closed {request.path}")

    app.provide(Log, log)
    app.provide(Clock)
    return app, lines


@pytest.mark.parametrize("kind", ["async", "sync", "inline"])
async def test_hooks_get_services(kind: str) -> None:
    """A hook gets a service by its annotation, the same as the handler's; async factories serve sync hooks too."""
    app, lines = _app()
    seen: list[Any] = []

    if kind == "async":

        @app.before_request
        async def before(log: Log, clock: Clock) -> None:
            seen.extend([log, clock])

        @app.after_request
        async def after(response: Response, log: Log) -> None:
            seen.append(log)
            response.headers["x-after"] = "yes"

    else:

        @app.before_request(inline=kind == "inline")
        def before(log: Log, clock: Clock) -> None:
            seen.extend([log, clock, threading.get_ident()])

        @app.after_request(inline=kind == "inline")
        def after(response: Response, log: Log) -> None:
            seen.append(log)
            response.headers["x-after"] = "yes"

    @app.get("/")
    async def home(log: Log, clock: Clock) -> str:
        seen.extend([log, clock])
        return "x"

    response = await call(app, "GET", "/")
    assert response.headers["x-after"] == "yes"
    logs = {id(one) for one in seen if isinstance(one, Log)}
    clocks = {id(one) for one in seen if isinstance(one, Clock)}
    assert len(logs) == len(clocks) == 1
    assert sum(isinstance(one, Log) for one in seen) == 3
    assert lines == ["closed /"]
    threads = [one for one in seen if isinstance(one, int)]
    assert all((one == threading.get_ident()) is (kind == "inline") for one in threads)


async def test_sync_hook_shares_the_hop_of_the_handler() -> None:
    """A sync hook whose services are sync runs in the handler's thread, its services made there."""
    app, _ = _app()
    threads: list[int] = []

    @app.before_request
    def before(clock: Clock) -> None:
        threads.extend([threading.get_ident(), clock.made_by])

    @app.get("/")
    def home() -> str:
        threads.append(threading.get_ident())
        return "x"

    await call(app, "GET", "/")
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


async def test_order_and_defaults_of_the_usual_parameters() -> None:
    """Request, response and error are told by type where they have one, by place otherwise; a default is kept."""
    app = App()
    seen: list[Any] = []

    @app.before_request
    async def bare(req) -> None:  # type: ignore[no-untyped-def]
        seen.append(req.path)

    @app.before_request
    async def with_default(request: Request, limit: int = 7) -> None:
        seen.append(limit)

    @app.after_request
    async def swapped(response: Response, request: Request) -> None:
        seen.append((response.status, request.path))

    @app.after_request
    async def by_place(first, second) -> None:  # type: ignore[no-untyped-def]
        seen.append((type(first), type(second)))

    @app.after_request
    async def any_number(*values: Any) -> None:
        seen.append(len(values))

    @app.teardown_request
    async def ended(exception: BaseException | None = None) -> None:
        seen.append(exception)

    @app.get("/")
    async def home() -> str:
        return "x"

    await call(app, "GET", "/")
    assert seen == ["/", 7, 2, (Request, Response), (200, "/"), None]


async def test_hook_reads_from_the_request_where_it_says_so() -> None:
    """A marker binds from the request, and what is wrong there is a 422; a dependency is called."""
    app = App()

    def account(x_key: Annotated[int, Header()]) -> int:
        return x_key * 2

    @app.before_request
    async def check(number: Annotated[int, Depends(account)], x_key: Annotated[int, Header()]) -> None:
        current.g.sum = number + x_key

    @app.get("/")
    async def home() -> dict[str, int]:
        return {"sum": current.g.sum}

    assert (await call(app, "GET", "/", headers={"x-key": "2"})).body == b'{"sum":6}'
    refused = await call(app, "GET", "/", headers={"x-key": "two"})
    assert refused.status == 422
    assert b"x-key" in refused.body


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_error_handlers_get_services(kind: str) -> None:
    """An error handler gets services; a sync one runs in a thread, where `wait` works."""
    app, lines = _app()

    async def write(log: Log, text: str) -> None:
        log.lines.append(text)

    if kind == "async":

        @app.errorhandler(KeyError)
        async def handle(error: KeyError, log: Log) -> tuple[str, int]:
            await write(log, f"handled {error}")
            return "gone", 410

    else:

        @app.errorhandler(KeyError)
        def handle(request: Request, error: KeyError, log: Log) -> tuple[str, int]:
            wait(write(log, f"handled {error}"))
            return "gone", 410

    @app.errorhandler(404)
    def missing(log: Log) -> str:
        return str(threading.get_ident())

    @app.get("/")
    async def home() -> str:
        raise KeyError("x")

    assert (await call(app, "GET", "/")).status == 410
    assert lines == ["handled 'x'", "closed /"]
    response = await call(app, "GET", "/nowhere")
    assert response.status == 404
    assert response.body != str(threading.get_ident()).encode()


async def test_teardown_gets_services_that_are_cleaned_up() -> None:
    """A tear-down hook may ask for a service after those of the request were closed; its own is closed as well."""
    app, lines = _app()

    @app.teardown_request
    def ended(error: BaseException | None, log: Log) -> None:
        log.lines.append(f"ended {type(error).__name__}")

    @app.get("/")
    async def home(log: Log) -> str:
        abort(418)

    await call(app, "GET", "/")
    assert lines == ["closed /", "ended HTTPError", "closed /"]


async def test_middleware_gets_services() -> None:
    """Middleware may ask for services beside the request and what follows."""
    app, lines = _app()

    @app.middleware
    async def around(request: Request, next: Callable[..., Any], log: Log) -> Response:
        log.lines.append("in")
        response: Response = await next(request)
        log.lines.append("out")
        return response

    @app.get("/")
    async def home() -> str:
        return "x"

    await call(app, "GET", "/")
    assert lines == ["in", "out", "closed /"]


async def test_one_blueprint_in_two_apps() -> None:
    """Hooks and error handlers of a blueprint use the services and the outer handlers of the app that runs them."""
    feature = Blueprint("feature")

    @feature.after_request
    async def stamp(response: Response, name: Annotated[str, Depends(lambda request: request.app.title)]) -> None:
        response.headers["x-app"] = name

    @feature.get("/")
    async def home() -> str:
        raise LookupError

    apps = []
    for title in ("one", "two"):
        app = App()
        app.title = title  # type: ignore[attr-defined]
        app.include(feature)
        app.add_error_handler(LookupError, lambda error, title=title: (title, 409))
        app.freeze()
        apps.append(app)
    for app, title in zip(apps, ("one", "two"), strict=True):
        response = await call(app, "GET", "/")
        assert (response.status, response.body, response.headers["x-app"]) == (409, title.encode(), title)


def test_sockets_run_hooks_with_services() -> None:
    """A before-hook of a WebSocket gets services, and refuses the handshake with what it returns."""
    app, lines = _app()

    @app.before_request
    def check(connection: Request | WebSocket, clock: Clock) -> Any:
        if connection.query.get("key") != "right":
            return "no", 403
        lines.append(type(connection).__name__)
        return None

    @app.websocket("/")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")

    with TestClient(app) as client:
        with client.websocket("/?key=right") as socket:
            assert socket.receive() == "hello"
        with pytest.raises(SocketRefused, match="403: no"), client.websocket("/"):
            pass
    assert lines == ["WebSocket"]


def test_start_and_end_get_services() -> None:
    """Functions of the start-up and shutdown get the app and services, in a unit of work that is cleaned up."""
    app = App()
    lines: list[str] = []

    def log() -> Iterator[Log]:
        yield Log(lines)
        lines.append("closed")

    app.provide(Log, log)

    @app.on_startup
    async def up(application, log: Log) -> None:  # type: ignore[no-untyped-def]
        log.lines.append(f"up {application is app is current.app}")

    @app.on_startup
    def up_too(application: App, log: Log) -> None:
        async def write() -> None:
            log.lines.append(f"up too {application is app}")

        wait(write())

    @app.on_shutdown
    async def down(log: Log) -> None:
        log.lines.append("down")

    with TestClient(app):
        assert lines == ["up True", "closed", "up too True", "closed"]
    assert lines[4:] == ["down", "closed"]


def _before(clock: Clock) -> None: ...
def _after(response: Response, text: dict[str, int]) -> None: ...
def _many(one, two, three) -> None: ...  # type: ignore[no-untyped-def]
def _body(file: Annotated[bytes, "x"]) -> None: ...


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda app: app.before_request(_before), "parameter `clock: Clock` of _before"),
        (lambda app: app.after_request(_after), "`text: dict"),
        (lambda app: app.middleware(_many), "`three`"),
        (lambda app: app.errorhandler(404)(_before), "an error handler"),
        (lambda app: app.teardown_request(_body), "`file: bytes`"),
    ],
)
def test_what_a_hook_cannot_be_given_is_found_at_start_up(declare: Callable[[App], Any], said: str) -> None:
    """A parameter of a hook that nothing fills is told when the app is built, with the line to write."""
    app = App()
    declare(app)
    with pytest.raises(ConfigurationError, match=said) as caught:
        app.freeze()
    assert caught.value.code == "DJN-217"


def test_start_up_refuses_what_nothing_provides() -> None:
    """A start-up function that asks for a type that nothing provides keeps the app from starting, by name."""
    app = App()

    @app.on_startup
    async def up(app: App, clock: Clock) -> None: ...

    with pytest.raises(ConfigurationError, match="clock: Clock"), TestClient(app):
        pass
