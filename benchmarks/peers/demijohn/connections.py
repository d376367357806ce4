"""Open connections in Demijohn: WebSockets that wait, and event streams that are all fed at once every second."""

import asyncio
import time
from collections.abc import AsyncIterator

from demijohn import App, ServerSentEvent, WebSocket

app = App()


class Clock:
    """Wakes everybody once a second."""

    def __init__(self) -> None:
        self.at = 0.0
        self.next: asyncio.Future[None] | None = None

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1)
            waited, self.next = self.next, None
            self.at = time.monotonic()
            if waited is not None:
                waited.set_result(None)

    async def tick(self) -> float:
        if self.next is None:
            self.next = asyncio.get_running_loop().create_future()
        await asyncio.shield(self.next)
        return self.at


clock = Clock()


@app.on_startup
async def begin() -> None:
    clock.task = asyncio.create_task(clock.run())


@app.get("/")
async def home() -> str:
    return "Hello, World!"


@app.get("/ticks")
async def ticks() -> AsyncIterator[ServerSentEvent]:
    while True:
        yield ServerSentEvent(await clock.tick())


@app.websocket("/idle")
async def idle(ws: WebSocket) -> None:
    await ws.accept()
    async for _ in ws:
        pass
