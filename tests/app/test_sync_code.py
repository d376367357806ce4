"""The traps of sync code in an async framework, each answered.

1. One slow kind of work starves all: `one_slow_route_cannot_take_every_thread`, `a_full_pool_answers_503_at_once`,
   `files_and_streams_have_threads_of_their_own`, `long_waits_name_who_holds_the_threads`,
   `a_sticky_route_is_bounded_by_its_threads`.
2. Threads and connections wait for each other: `clean_up_needs_no_thread`, `letting_go_waits_for_no_handler`.
3. The bound of the wrong resource: `threads_and_connections_are_bounded_apart`.
4. The cost of a hop: `hooks_dependencies_and_handler_share_one_hop`, `only_what_never_blocks_is_called_trivial`,
   `an_inline_handler_that_blocks_is_told_to_take_a_thread`, `inline_handlers_of_an_app_are_watched`,
   `development_names_the_handlers_that_need_no_thread`.
5. Context that does not come back: `context_variables_come_back_from_the_thread`.
6. Layers with tasks of their own: `middleware_runs_in_the_task_of_the_handler`.
7. Threads that cannot be cancelled: `a_cancelled_handler_keeps_its_thread_until_it_ends`,
   `a_cancelled_handler_can_see_it`, and `tests/lib/test_concurrency.py`.
8. Async services from sync code: `async_services_serve_sync_handlers`, `what_comes_after_runs_where_it_was_given`.
9. Libraries bound to a thread: `what_belongs_to_a_thread_stays_in_one`, and the `sticky` tests.
10. Sync generators: `sync_generators_end_cleanly`.
11. Blocking on the loop: `tests/app/test_blocking.py`, `tests/_lib/test_watchdog.py`.
12. Computing: `long_computations_go_to_another_process`.
13. Sync or async decided wrongly: `sync_or_async_is_decided_below_partials_and_decorators`,
    `a_hidden_coroutine_is_told`.
"""

import asyncio
import contextvars
import functools
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest

from demijohn import (
    App,
    Depends,
    Request,
    Settings,
    after_response,
    after_this_request,
    run_in_process,
    run_in_thread,
    wait,
)
from demijohn.app.inlining import Trial
from demijohn.app.offloading import NotSendable
from demijohn.errors import ConfigurationError
from demijohn.http import StreamResponse
from tests.app.calling import call
from tests.app.offloaded import factors, process

number: contextvars.ContextVar[int] = contextvars.ContextVar("number", default=0)


def small_app(threads: int) -> App:
    return App(settings=Settings.load({}, files=(), threads=threads))


async def condition(holds: Callable[[], object]) -> None:
    """Wait until a condition holds, for as long as a crowded machine may take."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.001)


async def test_one_slow_route_cannot_take_every_thread() -> None:
    """With `threads=1` on the slow route, the other one still finds a thread (trap 1)."""
    app = small_app(2)
    release = threading.Event()

    @app.get("/slow", threads=1)
    def slow() -> str:
        release.wait(10)
        return "slow"

    @app.get("/quick")
    def quick() -> str:
        return "quick"

    waiting = [asyncio.create_task(call(app, "GET", "/slow")) for _ in range(5)]
    while not app.pool.running:
        await asyncio.sleep(0.001)
    assert (await asyncio.wait_for(call(app, "GET", "/quick"), 5)).body == b"quick"
    release.set()
    assert [response.body for response in await asyncio.gather(*waiting)] == [b"slow"] * 5


async def test_files_and_streams_have_threads_of_their_own(tmp_path: Any) -> None:
    """Handlers that hold every thread do not stop a file or a sync generator from being sent (trap 1)."""
    from demijohn.http import FileResponse, StreamResponse

    app = small_app(1)
    release = threading.Event()
    file = tmp_path / "x.txt"
    file.write_text("file")

    @app.get("/slow")
    def slow() -> str:
        release.wait(10)
        return "slow"

    @app.get("/file")
    async def send() -> FileResponse:
        return FileResponse(file)

    @app.get("/stream")
    async def stream() -> StreamResponse:
        def pieces() -> Iterator[bytes]:
            yield b"a"
            yield b"b"

        return StreamResponse(pieces())

    held = asyncio.create_task(call(app, "GET", "/slow"))
    while not app.pool.running:
        await asyncio.sleep(0.001)
    assert (await asyncio.wait_for(call(app, "GET", "/file", read=True), 5)).body == b"file"
    assert (await asyncio.wait_for(call(app, "GET", "/stream", read=True), 5)).body == b"ab"
    release.set()
    await held


async def test_a_full_pool_answers_503_at_once() -> None:
    """When the threads and the queue are full, the next request is refused with Retry-After, not kept (trap 1)."""
    app = small_app(1)
    release = threading.Event()

    @app.get("/")
    def slow() -> str:
        release.wait(10)
        return "x"

    waiting = [asyncio.create_task(call(app, "GET", "/"))]
    while not app.pool.running:  # in the thread already, no longer in the queue
        await asyncio.sleep(0.001)
    waiting += [asyncio.create_task(call(app, "GET", "/")) for _ in range(2)]
    while app.pool.waiting < 2:
        await asyncio.sleep(0.001)
    refused = await call(app, "GET", "/")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    release.set()
    assert [response.status for response in await asyncio.gather(*waiting)] == [200, 200, 200]


async def test_long_waits_name_who_holds_the_threads(caplog: pytest.LogCaptureFixture) -> None:
    """A call that waited over a second is logged with the routes that held the threads (trap 1)."""
    app = small_app(1)
    caplog.set_level(logging.WARNING, "demijohn.threads")

    @app.get("/report/{name}")
    def report(name: str) -> str:
        time.sleep(1.1 if name == "big" else 0)
        return name

    await asyncio.gather(call(app, "GET", "/report/big"), call(app, "GET", "/report/small"))
    assert "GET /report/{name} waited 1." in caplog.text


async def test_clean_up_needs_no_thread() -> None:
    """A service is cleaned up while every thread is busy: nothing needs a thread to let go (trap 2)."""
    app = small_app(1)
    release = threading.Event()
    closed: list[str] = []

    class Session:
        pass

    async def session() -> Any:
        yield Session()
        closed.append("closed")

    app.provide(Session, session)

    @app.get("/slow")
    def slow() -> str:
        release.wait(10)
        return "slow"

    @app.get("/async")
    async def other(session: Session) -> str:
        return "other"

    held = asyncio.create_task(call(app, "GET", "/slow"))
    while not app.pool.running:
        await asyncio.sleep(0.001)
    assert (await asyncio.wait_for(call(app, "GET", "/async"), 5)).body == b"other"
    assert closed == ["closed"]
    release.set()
    await held


async def test_hooks_dependencies_and_handler_share_one_hop() -> None:
    """Sync hooks and the sync handler run in the same thread, one after the other (trap 4)."""
    app = App()
    threads: list[int] = []

    @app.before_request
    def before() -> None:
        threads.append(threading.get_ident())

    @app.get("/")
    def home() -> str:
        threads.append(threading.get_ident())
        return "x"

    await call(app, "GET", "/")
    assert threads[0] == threads[1] != threading.get_ident()


async def test_context_variables_come_back_from_the_thread() -> None:
    """What a sync handler sets is seen by the async hook after it (trap 5), also through `run_in_thread`."""
    app = App()
    seen: list[int] = []

    @app.get("/")
    def home() -> str:
        number.set(7)
        return "x"

    @app.after_request
    async def after(response: Any) -> None:
        seen.append(number.get())
        await run_in_thread(number.set, 8)
        seen.append(number.get())

    await call(app, "GET", "/")
    assert seen == [7, 8]


async def test_middleware_runs_in_the_task_of_the_handler() -> None:
    """No layer starts a task, so context set inside is seen outside (trap 6)."""
    app = App()
    tasks: list[Any] = []

    @app.middleware
    async def around(request: Request, following: Any) -> Any:
        tasks.append(asyncio.current_task())
        response = await following(request)
        tasks.append(number.get())
        return response

    @app.get("/")
    async def home() -> str:
        tasks.append(asyncio.current_task())
        number.set(9)
        return "x"

    await call(app, "GET", "/")
    assert tasks == [asyncio.current_task(), asyncio.current_task(), 9]


async def test_a_cancelled_handler_keeps_its_thread_until_it_ends() -> None:
    """Cancelling does not stop a thread: it counts as busy until it really ends (trap 7)."""
    app = small_app(1)
    release = threading.Event()

    @app.get("/")
    def slow() -> str:
        release.wait(10)
        return "x"

    task = asyncio.create_task(call(app, "GET", "/"))
    while not app.pool.running:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert app.pool.running == 1
    release.set()
    while app.pool.running:
        await asyncio.sleep(0.001)


async def test_async_services_serve_sync_handlers() -> None:
    """`wait` runs on the app's own loop, in the request's task: no second loop (trap 8)."""
    app = App()
    loops: list[Any] = []

    async def work() -> int:
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return 5

    @app.get("/")
    def home() -> dict[str, int]:
        return {"a": wait(work()), "b": wait(work())}

    assert (await call(app, "GET", "/")).body == b'{"a":5,"b":5}'
    assert loops == [asyncio.get_running_loop()] * 2


async def test_sync_generators_end_cleanly() -> None:
    """A sync generator as a body is stepped in a thread, and its end crosses the thread unharmed (trap 10)."""
    app = App()
    where: list[int] = []

    @app.get("/")
    def numbers() -> Iterator[str]:
        for item in range(3):
            where.append(threading.get_ident())
            yield str(item)

    assert (await call(app, "GET", "/", read=True)).body == b"012"
    assert threading.get_ident() not in where


async def test_long_computations_go_to_another_process() -> None:
    """`run_in_process` computes elsewhere; what cannot be sent says what to write (trap 12)."""
    app = App()

    @app.get("/factors/{value:int}")
    async def show(value: int) -> dict[str, object]:
        return {"factors": await run_in_process(factors, value), "here": await run_in_process(process) == os.getpid()}

    await app.startup()
    try:
        assert (await call(app, "GET", "/factors/12")).body == b'{"factors":[1,2,3,4,6,12],"here":false}'
        with pytest.raises(NotSendable, match="top of a module"):
            await run_in_process(lambda: 1)
    finally:
        await app.shutdown()


async def test_sync_or_async_is_decided_below_partials_and_decorators() -> None:
    """A partial of an async function, and a callable object, are taken for what they are (trap 13)."""
    app = App()

    async def greet(greeting: str, name: str) -> str:
        return f"{greeting}, {name}!"

    class Greeter:
        async def __call__(self, name: str) -> str:
            return f"Hi, {name}!"

    def plain(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    app.get("/partial", name="partial")(functools.partial(greet, "Hello"))
    app.get("/object", name="object")(Greeter())
    app.get("/wrapped", name="wrapped")(plain(functools.partial(greet, "Ahoy")))
    assert (await call(app, "GET", "/partial?name=Ann")).body == b"Hello, Ann!"
    assert (await call(app, "GET", "/object?name=Ann")).body == b"Hi, Ann!"
    assert (await call(app, "GET", "/wrapped?name=Ann")).body == b"Ahoy, Ann!"


async def test_threads_and_connections_are_bounded_apart() -> None:
    """A service that only so many may hold is bounded by its own gate, not by the threads of the handlers (trap 3)."""
    app = small_app(4)
    gate = asyncio.Semaphore(1)
    most, held = 0, 0

    class Connection:
        pass

    async def connection() -> AsyncIterator[Connection]:
        nonlocal held, most
        async with gate:
            held += 1
            most = max(most, held)
            yield Connection()
            held -= 1

    app.provide(Connection, connection)
    threads: set[int] = set()

    @app.get("/")
    def handler(connection: Connection) -> str:
        threads.add(threading.get_ident())
        wait(asyncio.sleep(0.01))
        return "x"

    answers = await asyncio.gather(*(call(app, "GET", "/") for _ in range(16)))
    # Those that wait for the gate hold no thread: more wait than there are threads and places in their queue.
    assert [answer.status for answer in answers] == [200] * 16
    assert (most, held) == (1, 0)


async def test_what_belongs_to_a_thread_stays_in_one() -> None:
    """Sync services, sync dependencies and the handler share a thread, as libraries bound to threads need (trap 9)."""
    app = App()
    local = threading.local()

    class Client:
        def __init__(self) -> None:
            local.made = self

    app.provide(Client)

    def dependency() -> bool:
        return hasattr(local, "hooked")

    @app.before_request
    def hook() -> None:
        local.hooked = True

    @app.get("/")
    def handler(client: Client, hooked: Annotated[bool, Depends(dependency)]) -> dict[str, bool]:
        return {"same": local.made is client, "hooked": hooked and local.hooked}

    assert (await call(app, "GET", "/")).body == b'{"same":true,"hooked":true}'


def threads_seen(app: App) -> dict[str, int]:
    """Put sync code around every place of a request; return which thread each of them ran in."""
    seen: dict[str, int] = {}

    def note(place: str) -> None:
        seen[place] = threading.get_ident()

    class Client:
        pass

    def client() -> Iterator[Client]:
        note("service")
        yield Client()
        note("clean-up")

    app.provide(Client, client)

    @app.before_request
    def before() -> None:
        note("before")

    @app.after_request
    def after(response: Any) -> None:
        note("after")

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        note("teardown")

    def handler(client: Client) -> Any:
        note("handler")
        after_this_request(lambda response: note("after this"))
        after_response(lambda: note("after response"))
        wait(asyncio.sleep(0))

        def pieces() -> Iterator[bytes]:
            note("stream")
            yield b"x"

        return StreamResponse(pieces())

    app.get("/any")(handler)
    app.get("/sticky", name="sticky", thread="sticky")(handler)
    return seen


async def test_a_sticky_route_keeps_one_thread() -> None:
    """With `thread="sticky"`, hooks, services, handler, stream and clean-up share a thread of their own (trap 9)."""
    app = small_app(2)
    seen = threads_seen(app)
    assert (await call(app, "GET", "/sticky", read=True)).body == b"x"
    places = {"before", "service", "handler", "after", "after this", "stream", "after response", "clean-up", "teardown"}
    assert seen.keys() == places
    assert len(set(seen.values())) == 1
    assert seen["handler"] != threading.get_ident()
    await condition(lambda: not app.pool.running)  # the thread goes back
    seen.clear()
    assert (await call(app, "GET", "/any", read=True)).body == b"x"
    assert seen.keys() == places
    assert len(set(seen.values())) > 1
    assert threading.get_ident() not in seen.values()


async def test_a_sticky_thread_serves_what_it_waits_for() -> None:
    """While a sticky thread waits, it does what the awaited code wants done in it: no request waits for itself.

    So libraries bound to a thread work from an `async def` too.
    """
    app = small_app(1)
    here: list[int] = []

    async def deeper(level: int) -> int:
        await run_in_thread(note, level)
        return level

    def note(level: int) -> None:
        here.append(threading.get_ident())
        if level:
            assert wait(deeper(level - 1)) == level - 1

    @app.get("/def", thread="sticky")
    def handler() -> str:
        note(3)
        return "x"

    @app.get("/async", thread="sticky")
    async def coroutine() -> str:
        await asyncio.gather(deeper(2), deeper(1), deeper(0))
        return "y"

    @app.get("/thrice", thread="sticky")
    async def one_after_the_other() -> list[int]:
        return [await run_in_thread(threading.get_ident) for _ in range(3)]

    assert (await asyncio.wait_for(call(app, "GET", "/def"), 20)).body == b"x"
    assert (await asyncio.wait_for(call(app, "GET", "/async"), 20)).body == b"y"
    # The pool has one thread, and both used no other.
    assert len(here) == 4 + 6
    assert len(set(here)) == 1
    assert (await call(app, "GET", "/thrice")).body == str([here[0]] * 3).replace(" ", "").encode()


async def test_another_loop_in_a_sticky_thread_takes_other_threads() -> None:
    """`asyncio.run` in a sticky handler does not wait for the thread that it is run in (trap 9)."""
    app = small_app(2)

    async def inner() -> int:
        return await run_in_thread(threading.get_ident)

    @app.get("/", thread="sticky")
    def handler() -> bool:
        return asyncio.run(inner()) != threading.get_ident()

    assert (await asyncio.wait_for(call(app, "GET", "/"), 20)).body == b"true"


async def test_a_sticky_thread_is_given_back_whatever_happens() -> None:
    """A sticky request that fails, or is cancelled while its thread is busy or waits, lets the thread go."""
    app = small_app(1)
    release, began = threading.Event(), threading.Event()

    @app.get("/fail", thread="sticky")
    def fail() -> str:
        raise ValueError

    @app.get("/busy", thread="sticky", threads=1)
    def busy() -> str:
        began.set()
        release.wait(10)
        return "x"

    @app.get("/waiting", thread="sticky")
    def waiting() -> str:
        began.set()
        wait(asyncio.sleep(60))
        return "x"

    @app.get("/quick")
    def quick() -> str:
        return "quick"

    assert (await call(app, "GET", "/fail")).status == 500
    for path in ("/busy", "/waiting"):
        began.clear()
        task = asyncio.create_task(call(app, "GET", path))
        await condition(began.is_set)
        assert app.pool.holders()[0].startswith(f"GET {path} for ")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        await condition(lambda: not app.pool.running)
    assert (await call(app, "GET", "/quick")).body == b"quick"


async def test_a_sticky_route_is_bounded_by_its_threads() -> None:
    """`threads=1` on a sticky route bounds the requests that hold a thread, so another route finds one (traps 1, 9)."""
    app = small_app(2)
    release = threading.Event()

    @app.before_request
    def before() -> None:
        """It takes the thread before the handler could."""

    @app.get("/slow", thread="sticky", threads=1)
    async def slow() -> str:
        await run_in_thread(release.wait, 10)
        return "slow"

    @app.get("/quick")
    def quick() -> str:
        return "quick"

    waiting = [asyncio.create_task(call(app, "GET", "/slow")) for _ in range(3)]
    await condition(lambda: app.pool.running == 1)
    assert (await asyncio.wait_for(call(app, "GET", "/quick"), 20)).body == b"quick"
    release.set()
    assert [response.body for response in await asyncio.gather(*waiting)] == [b"slow"] * 3


def test_a_thread_that_cannot_be_sticky_is_refused() -> None:
    """Neither another word than "sticky" nor an inline handler passes the start-up."""
    for options in ({"thread": "stiky"}, {"thread": "sticky", "inline": True}):
        app = App()
        app.get("/", **options)(lambda: "x")  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="thread='sti"):
            app.freeze()


async def test_letting_go_waits_for_no_handler() -> None:
    """Sync clean-up, hooks and error handlers run while handlers hold every thread and wait for just that (trap 2).

    Three requests and two threads share one connection: the second holds its thread until the first has let go.
    """
    app = small_app(2)
    connection = threading.Lock()

    class Connection:
        pass

    def connect() -> Iterator[Connection]:
        with connection:
            yield Connection()

    app.provide(Connection, connect)

    @app.after_request
    def after(response: Any) -> None:
        """Needs a thread while the connection is held."""

    @app.errorhandler(ValueError)
    def invalid(error: ValueError) -> tuple[str, int]:
        return "invalid", 400

    @app.get("/")
    def home(connection: Connection, request: Request) -> str:
        if request.query.get("fail"):
            raise ValueError
        wait(asyncio.sleep(0.01))
        return "x"

    paths = ["/", "/?fail=1"] * 3
    answers = await asyncio.wait_for(asyncio.gather(*(call(app, "GET", path) for path in paths)), 25)
    assert [answer.status for answer in answers] == [200, 400] * 3


async def test_what_comes_after_runs_where_it_was_given() -> None:
    """A function given by a `def` handler may block and `wait`; one given by an `async def` runs in its task."""
    app = App()
    seen: dict[str, object] = {}

    async def value() -> int:
        return 7

    @app.get("/def")
    def sync_handler() -> str:
        after_this_request(lambda response: seen.update(this=wait(value()), thread=threading.get_ident()))
        after_response(lambda: seen.update(response=wait(value())))
        after_response(lambda: value())  # awaited, though a plain function returns it
        return "x"

    @app.get("/async")
    async def async_handler() -> str:
        after_response(lambda: seen.update(task=asyncio.current_task()))
        return "x"

    assert (await call(app, "GET", "/def")).status == 200
    assert (seen["this"], seen["response"]) == (7, 7)
    assert seen["thread"] != threading.get_ident()
    assert (await call(app, "GET", "/async")).status == 200
    assert seen["task"] is asyncio.current_task()


def test_only_what_never_blocks_is_called_trivial() -> None:
    """A handler is said to need no thread after many quick calls; never if it waited or was slow once (trap 4)."""
    trial = Trial("home (app.py:7)", '@app.get("/"', inline=False)
    said = [trial.note(0.00002) for _ in range(200)]
    assert [text for text in said if text] == [said[49]]
    assert said[49] == (
        "home (app.py:7) took 20 us in each of its last 50 calls and never waited; the way to its thread and back "
        'costs more. If it never blocks, write:  @app.get("/", inline=True)'
    )
    for slow in ({"seconds": 0.02}, {"seconds": 0.00002, "has_waited": True}):
        trial = Trial("home", '@app.get("/"', inline=False)
        trial.note(**slow)  # type: ignore[arg-type]
        assert not any(trial.note(0.00002) for _ in range(200))
    trial = Trial("home", '@app.get("/"', inline=False)
    assert not any(trial.note(0.00002 if number % 40 else 0.001) for number in range(200))


def test_an_inline_handler_that_blocks_is_told_to_take_a_thread() -> None:
    """More than a few long calls on the loop are told, once, with the line to write (trap 4)."""
    trial = Trial("report (app.py:9)", '@app.get("/report"', inline=True)
    said = [trial.note(seconds) for seconds in (0.5, 0.00001, 0.05, 0.05, 0.025, 0.05)]
    assert [text for text in said if text] == [said[4]]
    assert said[4] == (
        "report (app.py:9) runs on the event loop, and 4 of its calls took over 10 ms (this one 25 ms), in which "
        'nothing else was answered. Let it have a thread:  @app.get("/report")'
    )


@pytest.mark.allow_blocking
@pytest.mark.parametrize("has_parameters", [False, True])
async def test_inline_handlers_of_an_app_are_watched(has_parameters: bool, caplog: pytest.LogCaptureFixture) -> None:
    """One without parameters, which is called by itself, is told like any other (trap 4)."""
    caplog.set_level(logging.INFO, "demijohn.threads")
    app = App(settings=Settings.load({}, files=(), secret_key="0123456789abcdef" * 4, env="development"), debug=True)

    def bare() -> str:
        time.sleep(0.015)
        return "x"

    def taking(request: Request) -> str:
        return bare()

    app.get("/", name="slow", inline=True)(taking if has_parameters else bare)
    for _ in range(6):
        assert (await call(app, "GET", "/")).body == b"x"
    (told,) = caplog.messages
    assert "runs on the event loop, and 4 of its calls took over 10 ms" in told


@pytest.mark.parametrize("production", [False, True])
async def test_development_names_the_handlers_that_need_no_thread(
    production: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Trivial handlers are named once each, three at most, and never in production or behind hooks (trap 4)."""
    caplog.set_level(logging.INFO, "demijohn.threads")
    key = "0123456789abcdef" * 4
    for _ in range(20):  # a crowded machine may make every handler look slow
        app = App(
            settings=Settings.load({}, files=(), secret_key=key, env="production" if production else "development"),
            debug=True,
        )
        for name in "abcde":
            app.get(f"/{name}", name=name)(lambda: "x")
        for name in "abcde":
            for _ in range(120):
                await call(app, "GET", f"/{name}")
        if production or len(caplog.messages) >= 3:
            break
    lines = [message.partition("write:  ")[2] for message in caplog.messages]
    if production:
        assert lines == []
    else:
        assert set(lines) <= {f'@app.get("/{name}", inline=True)' for name in "abcde"}
        assert lines


async def test_a_cancelled_handler_can_see_it() -> None:
    """A long loop in a thread asks whether the client has left, and ends by itself (trap 7)."""
    app = small_app(1)
    turns = 0
    requests: list[Request] = []

    @app.get("/")
    def slow(request: Request) -> str:
        nonlocal turns
        requests.append(request)
        while not request.is_disconnected():
            turns += 1
            time.sleep(0.001)
        return "x"

    task = asyncio.create_task(call(app, "GET", "/"))
    await condition(lambda: turns > 3)
    requests[0]._disconnected = True  # as a transport does
    assert (await task).body == b"x"


async def test_a_hidden_coroutine_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A plain function that returns a coroutine is named, with the line to write, in a thread and inline (trap 13)."""
    app = App()

    async def later() -> str:
        await asyncio.sleep(0)
        return "later"

    app.get("/thread", name="thread")(lambda: later())
    app.get("/inline", name="inline", inline=True)(lambda: later())
    for path in ("/thread", "/inline"):
        caplog.clear()
        assert (await call(app, "GET", path)).status == 500
        assert "Write `return await ...` in an `async def`, or `return wait(...)` in a plain `def`." in caplog.text
