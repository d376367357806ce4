"""Open connections in Demijohn: WebSockets that wait, and event streams that are all fed at once every second."""

import asyncio
import time
from collections.abc import AsyncIterator

from demijohn import App, ServerSentEvent, WebSocket

app = App()


class Clock:
    """Wakes everybody once a second."""

    def __init__(self) -> None:
        self.event = ServerSentEvent(0.0)
        self.next = asyncio.Event()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1)
            waited, self.next = self.next, asyncio.Event()
            self.event = ServerSentEvent(time.monotonic())
            waited.set()

    async def tick(self) -> ServerSentEvent:
        await self.next.wait()
        return self.event


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
        yield await clock.tick()


@app.websocket("/idle")
async def idle(ws: WebSocket) -> None:
    await ws.accept()
    async for _ in ws:
        pass
