"""What slow clients ask of Demijohn: a page, a body, a download of 50 MB and events without an end."""

from collections.abc import AsyncIterator
from typing import Annotated

from demijohn import App, Body, ServerSentEvent
from demijohn.http import Limits
from demijohn.middleware import Security

app = App(security=Security(limits=Limits(body=2_000_000)))
begun = [0]


@app.get("/")
async def home() -> str:
    return "Hello, World!"


@app.post("/body")
async def body(data: Annotated[bytes, Body()]) -> str:
    begun[0] += 1
    return "read"


@app.get("/begun")
async def count() -> int:
    return begun[0]


@app.get("/large")
async def large() -> AsyncIterator[bytes]:
    for _ in range(800):
        yield bytes(65536)


@app.get("/events")
async def events() -> AsyncIterator[ServerSentEvent]:
    event = ServerSentEvent("x" * 1000)
    while True:
        yield event
