"""The app that other people's servers serve in these tests."""

import asyncio
import os
from collections.abc import AsyncIterator

import msgspec

from demijohn import App, Request, StreamResponse, current
from demijohn.http import WebSocket

app = App()
state = {"started": 0}


class Item(msgspec.Struct):
    name: str
    price: float


@app.on_startup
async def start() -> None:
    state["started"] += 1


@app.get("/")
def home() -> dict[str, object]:
    return {"started": state["started"], "pid": os.getpid()}


@app.post("/items", status=201)
async def items(item: Item) -> Item:
    return item


@app.post("/size")
async def size(request: Request) -> dict[str, int]:
    return {"size": len(await request.body())}


@app.get("/stream")
async def stream() -> StreamResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(50):
            yield b"%d\n" % number
            await asyncio.sleep(0)

    return StreamResponse(pieces(), content_type="text/plain")


@app.get("/task/{name}")
async def task(name: str) -> dict[str, object]:
    """Current task, timeouts, task groups and the request, as any ASGI app has them."""
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        inner = group.create_task(asyncio.sleep(0, current.request.path))
    return {"task": asyncio.current_task() is not None, "path": inner.result(), "name": name}


@app.get("/boom")
async def boom() -> str:
    raise ValueError("the secret is 42")


@app.get("/raises/{what}")
def raises(what: str) -> str:
    """Raise what would end the worker of a server that hears of it."""
    raise {
        "exit": SystemExit,
        "interrupt": KeyboardInterrupt,
        "generator": GeneratorExit,
        "cancelled": asyncio.CancelledError,
    }[what]


@app.get("/raises-late/{what}")
async def raises_late(what: str) -> StreamResponse:
    """Raise the same in the middle of a stream."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(0)
        raises(what)

    return StreamResponse(pieces(), content_type="text/plain")


@app.get("/process")
async def process() -> int:
    return os.getpid()


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for message in socket:
        if isinstance(message, str):
            await socket.send_text(message.upper())


wsgi = app.wsgi
