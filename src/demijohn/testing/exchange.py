"""One request to an app without a socket: the server's side of ASGI, with streams as they are produced."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextvars import Context
from typing import Any

__all__ = ["Exchange"]

_MOST_WAITING = 16
_LAST_WORDS = 5.0


class Exchange:
    """Runs an app for one request and hands over what it sends, as it sends it.

    The app gets a context of its own, as under a server: nothing that a test sets in its own reaches a handler.

    Args:
        app: Any ASGI app.
        scope: The scope of the request.
        body: The parts of the body.
    """

    def __init__(self, app: Any, scope: dict[str, Any], body: AsyncIterator[bytes]) -> None:
        self._app = app
        self._scope = scope
        self._body: AsyncIterator[bytes] | None = body
        self._next: bytes | None = None
        self._left = asyncio.Event()
        self._started = asyncio.Event()
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._is_whole = False
        self.is_broken = False
        """An exception ended the response behind its head: it belongs where the body is read."""
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.failures: list[BaseException] = []
        scope["demijohn.failures"] = self.failures

    async def start(self) -> None:
        """Start the app, and return when the head of the response is there.

        Where the whole response is there, wait for what the app does after it, too.
        """
        loop = asyncio.get_running_loop()
        task = self._task = loop.create_task(self._run(), context=Context())
        started = asyncio.ensure_future(self._started.wait())
        try:
            await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._left.set()  # the client leaves, which cancels no handler
            raise
        finally:
            started.cancel()
        if self._is_whole:
            await asyncio.wait({task})

    @property
    def outlived(self) -> asyncio.Task[None] | None:
        """What goes on though the client has left."""
        return self._task if self._left.is_set() and self._task is not None and not self._task.done() else None

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the parts of the response's body."""
        while True:
            part = await self._parts.get()
            if part is None:
                break
            yield part
        await self.end()

    async def end(self) -> None:
        """Leave: the app is told that the client has gone, and is given some time to notice."""
        self._left.set()
        while not self._parts.empty():
            self._parts.get_nowait()
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task}, timeout=_LAST_WORDS)

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
            if not self.status:
                raise RuntimeError("The app ended without a response.")
        except ConnectionAbortedError:
            pass
        except BaseException as error:  # this task is the app's alone: nothing of it may reach the loop of the tests
            if error not in self.failures:
                self.failures.append(error)
            self.is_broken = bool(self.status)
            if not self.status:
                self.status = 500
                self.headers = [(b"content-type", b"text/plain; charset=utf-8")]
                self._parts.put_nowait(b"Internal Server Error")
        finally:
            self._started.set()
            if not self._is_whole:
                self._is_whole = True
                while self._parts.full():  # only a client that has left reads no more
                    self._parts.get_nowait()
                self._parts.put_nowait(None)

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            part = self._next if self._next is not None else await anext(self._body, b"")
            self._next = await anext(self._body, None)
            if self._next is None:
                self._body = None
            return {"type": "http.request", "body": part, "more_body": self._next is not None}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if self._left.is_set() and not self._is_whole:
            raise ConnectionAbortedError("The client has left.")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
            self._started.set()
        elif message["type"] == "http.response.body":
            part = message.get("body", b"")
            if part and self._scope["method"] != "HEAD":
                await self._put(bytes(part))
            if not message.get("more_body", False):
                self._is_whole = True
                await self._put(None)

    async def _put(self, part: bytes | None) -> None:
        """Wait for room, unless the client leaves."""
        if not self._parts.full():
            self._parts.put_nowait(part)
            return
        putting = asyncio.ensure_future(self._parts.put(part))
        leaving = asyncio.ensure_future(self._left.wait())
        try:
            await asyncio.wait({putting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not putting.done():
                putting.cancel()
        if self._left.is_set() and part is not None:
            raise ConnectionAbortedError("The client has left.")
