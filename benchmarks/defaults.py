"""What the safe defaults cost: the four workloads with all guards and headers, and without any, in one process."""

import asyncio
import json
import sys
from collections.abc import Callable
from statistics import median
from time import process_time

import msgspec

__all__ = ["report"]

_ROUNDS = 15
_CALLS = 4000
_HEAD = [(b"host", b"127.0.0.1"), (b"user-agent", b"wrk"), (b"accept", b"*/*")]


class User(msgspec.Struct):
    id: int
    q: str


class Item(msgspec.Struct):
    name: str
    price: float
    quantity: int


def _app(*, protected: bool) -> object:
    from demijohn import App

    app = App(static=None)
    app.protect()
    if not protected:
        app.guards.clear()

    @app.get("/")
    async def plain() -> str:
        return "Hello, World!"

    @app.get("/json")
    async def data() -> dict[str, object]:
        return {"message": "Hello, World!", "ok": True, "count": 3}

    @app.get("/users/{id}")
    async def param(id: int, q: str) -> User:
        return User(id=id, q=q)

    @app.post("/items")
    async def post(item: Item) -> Item:
        return item

    return app


async def _cost(app: object, method: str, path: str, query: bytes, body: bytes) -> float:
    """CPU microseconds of one request from the router to the response."""
    from demijohn import Request

    handle: Callable[..., object] = app.handle  # type: ignore[attr-defined]
    head = [*_HEAD, (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))] if body else _HEAD
    raw_path = path.encode()
    start = process_time()
    for _ in range(_CALLS):
        request = Request(method, path, raw_path, query, head)
        request.app = app
        request._body = body
        await handle(request, _send)  # type: ignore[misc]
    return (process_time() - start) / _CALLS * 1e6


def _send(response: object) -> None:
    return None


async def _measure() -> dict[str, float]:
    body = json.dumps({"name": "A demijohn", "price": 24.5, "quantity": 3}).encode()
    asked = {
        "plain": ("GET", "/", b"", b""),
        "json": ("GET", "/json", b"", b""),
        "param": ("GET", "/users/42", b"q=abc", b""),
        "post": ("POST", "/items", b"", body),
    }
    protected, bare = _app(protected=True), _app(protected=False)
    found: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(_ROUNDS):
        for name, request in asked.items():
            found[name].append(await _cost(protected, *request) - await _cost(bare, *request))
    return {name: median(values) for name, values in found.items()}


def report() -> str:
    """Measure, and tell it in a sentence."""
    costs = asyncio.run(_measure())
    return "The guards take " + ", ".join(f"{cost:.1f} µs ({name})" for name, cost in costs.items()) + " of a request."


if __name__ == "__main__":
    sys.stdout.write(report() + "\n")
