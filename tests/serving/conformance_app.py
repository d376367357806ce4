"""An app whose handlers check how they are run; several servers serve it in `test_conformance.py`."""

import asyncio
import contextvars
import os
import traceback
from collections.abc import AsyncIterator

from demijohn import App, Request, Response, StreamResponse, after_response, wait
from demijohn.app.context import find_unit
from demijohn.http import WebSocket
from demijohn.middleware import Security

app = App(__name__, security=Security(allowed_hosts=["*"], https=False))
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
events: list[str] = []
LIFE: list[str] = []


@app.on_startup
async def begin() -> None:
    LIFE.append("started")
    variable.set("from the start-up")


@app.errorhandler(AssertionError)
def failed(error: AssertionError) -> tuple[str, int]:
    return "".join(traceback.format_exception(error)), 500


@app.get("/")
async def home() -> str:
    return "Hello, World!"


@app.get("/life")
async def life() -> list[str]:
    return LIFE


@app.get("/current-task")
async def current_task() -> str:
    """The handler runs in a task of its own, the same before and after it waited."""
    task = asyncio.current_task()
    assert task is not None
    assert asyncio.get_running_loop() is task.get_loop()
    assert task in asyncio.all_tasks()
    await asyncio.sleep(0)
    assert asyncio.current_task() is task
    await asyncio.sleep(0.001)
    assert asyncio.current_task() is task
    assert task.cancelling() == 0
    return "ok"


@app.get("/timeout")
async def timeout() -> str:
    """`asyncio.timeout` and `wait_for` end what takes too long and nothing else, before the first await too."""
    async with asyncio.timeout(5):
        pass
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)
    except TimeoutError:
        pass
    else:
        raise AssertionError("no timeout")
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0.01)
    except TimeoutError:
        pass
    else:
        raise AssertionError("no timeout")
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    async with asyncio.timeout(5) as scope:
        await asyncio.sleep(0)
    assert not scope.expired()
    return "ok"


@app.get("/task-group")
async def task_group() -> str:
    """A task group waits for its tasks, and one that fails ends the others."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(0.001, number)) for number in range(5)]
    assert [task.result() for task in tasks] == [0, 1, 2, 3, 4]
    ended: list[int] = []

    async def member(number: int) -> None:
        try:
            await asyncio.sleep(5)
        finally:
            ended.append(number)

    async def breaks() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(member(number))
            group.create_task(breaks())
    except* ValueError:
        pass
    assert sorted(ended) == [0, 1, 2]
    assert await asyncio.gather(asyncio.sleep(0, "a"), asyncio.sleep(0, "b")) == ["a", "b"]
    return "ok"


@app.get("/context")
async def context(word: str) -> str:
    """A variable that a request sets is its own: it is seen by its tasks and by no other request."""
    assert variable.get() != word
    token = variable.set(word)
    await asyncio.sleep(0.001)
    assert variable.get() == word

    async def child() -> str:
        seen = variable.get()
        variable.set("of the child")
        return seen

    assert await asyncio.create_task(child()) == word
    assert variable.get() == word
    variable.reset(token)
    variable.set(word)
    return "ok"


@app.get("/cancel")
async def cancel() -> str:
    """A task that is cancelled ends, its cleaning up included."""
    cleaned = []

    async def work() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            cleaned.append(True)
            raise

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    assert (await asyncio.gather(task, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    assert cleaned == [True]
    return "ok"


@app.get("/locks")
async def locks() -> str:
    """Locks, conditions, queues and events of asyncio work across requests and tasks."""
    lock, queue = asyncio.Lock(), asyncio.Queue[int](1)
    order = []

    async def producer() -> None:
        for number in range(5):
            await queue.put(number)

    async def holder(number: int) -> None:
        async with lock:
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*[holder(number) for number in range(3)])
    assert order == [0, 1, 2]
    task = asyncio.create_task(producer())
    assert [await queue.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    await task
    return "ok"


@app.get("/immediate-failure")
async def immediate_failure() -> str:
    raise AssertionError("at once")


@app.get("/late-failure")
async def late_failure() -> str:
    await asyncio.sleep(0)
    raise AssertionError("later")


class Fatal(BaseException):
    """What is no `Exception`, and none of Python's own."""


async def raise_it(what: str) -> None:
    """Raise something of one of the classes that are no `Exception`, or close to none."""
    if what == "cancelled-child":
        child = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        child.cancel()
        await child
    if what == "cancels-itself":
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
    raise {
        "cancelled": asyncio.CancelledError,
        "exit": SystemExit,
        "interrupt": KeyboardInterrupt,
        "generator": GeneratorExit,
        "stop": StopIteration,
        "group": BaseExceptionGroup("several", [Fatal()]),
    }[what]


@app.get("/raises/{what}")
async def raises(what: str) -> str:
    await raise_it(what)
    return "not reached"


@app.get("/raises-sync/{what}")
def raises_sync(what: str) -> str:
    wait(raise_it(what))
    return "not reached"


RELEASE: list[asyncio.Event] = []


async def note_end(unit: object, error: BaseException | None) -> None:
    """Note the end of a unit of work, as a database would."""
    if isinstance(unit, Request) and unit.path.startswith("/outlives"):
        events.append("committed" if error is None else "rolled back")


app.before_send.append(note_end)


async def be_long(kind: str) -> None:
    released = asyncio.Event()
    RELEASE.append(released)
    events.append(f"{kind} began")
    await released.wait()
    events.append(f"{kind} wrote")


@app.get("/outlives/async")
async def outlives() -> str:
    """Takes until `/release` is asked for."""
    await be_long("async")
    return "ok"


@app.get("/outlives/sync")
def outlives_sync() -> str:
    wait(be_long("sync"))
    return "ok"


@app.get("/release")
async def release() -> str:
    while RELEASE:
        RELEASE.pop().set()
    return "ok"


@app.route("/listens", methods=["GET", "POST"])
async def listens(request: Request) -> str:
    """Ends when its client has left."""
    size = len(await request.body())
    events.append(f"listens {request.method} {size}")
    while not request.is_disconnected():
        await asyncio.sleep(0.01)
    events.append(f"left {request.method}")
    return "ok"


@app.get("/sync")
def sync() -> str:
    """A plain function runs in a thread, and may wait for what is asynchronous in the request's own task."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise AssertionError("on the loop")

    async def inner() -> str:
        await asyncio.sleep(0)
        return "ok"

    return wait(inner())


@app.post("/echo")
async def echo(request: Request) -> Response:
    return Response(await request.body(), content_type="application/octet-stream")


@app.post("/sum")
async def total(request: Request) -> str:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return str(size)


@app.get("/request")
async def about(request: Request) -> dict[str, object]:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query_string.decode(),
        "host": request.host,
        "scheme": request.scheme,
        "header": request.headers.get("x-word"),
        "twice": request.headers.getlist("x-twice"),
        "client": request.client is not None and request.client[0],
        "version": request.http_version,
    }


@app.get("/tree/{rest:path}")
async def tree(rest: str, request: Request) -> dict[str, str]:
    return {"rest": rest, "raw": request.raw_path.decode()}


@app.get("/numbers")
async def numbers() -> Response:
    async def produce() -> AsyncIterator[bytes]:
        for number in range(5):
            yield f"{number}\n".encode()
            await asyncio.sleep(0.001)

    return StreamResponse(produce(), content_type="text/plain")


@app.get("/endless")
async def endless() -> Response:
    async def produce() -> AsyncIterator[bytes]:
        try:
            yield b"begun\n"
            while True:
                await asyncio.sleep(0.05)
                yield b"more\n"
        finally:
            events.append("endless ended")

    return StreamResponse(produce(), content_type="text/plain")


@app.get("/broken")
async def broken() -> Response:
    async def produce() -> AsyncIterator[bytes]:
        yield b"first\n"
        await asyncio.sleep(0.01)
        raise RuntimeError("broken in the middle")

    return StreamResponse(produce(), content_type="text/plain")


@app.get("/events")
async def told() -> list[str]:
    return events


@app.get("/cookies")
async def cookies() -> Response:
    response = Response("x")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/nothing", status=204)
async def nothing() -> None:
    return None


@app.get("/not-modified")
async def not_modified() -> Response:
    return Response(b"", 304, {"ETag": '"x"'})


@app.get("/after")
async def after() -> str:
    async def later() -> None:
        await asyncio.sleep(0.01)
        events.append("after the response")

    after_response(later)
    return "ok"


@app.websocket("/chat")
async def chat() -> None:
    socket = find_unit()
    assert isinstance(socket, WebSocket)
    await socket.accept()
    task = asyncio.current_task()
    async with asyncio.timeout(5):
        while (text := await socket.receive_text()) != "bye":
            assert asyncio.current_task() is task
            await socket.send_text(f"{text} {socket.path}")
    await socket.close(4000)


@app.get("/pid")
async def pid() -> str:
    return str(os.getpid())
