"""The transports of the clients: from httpx2 straight into the app, without a socket."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self, cast
from urllib.parse import unquote

import httpx2

from demijohn.testing.exchange import Exchange
from demijohn.testing.home import Home, home_of
from demijohn.testing.portal import Portal, WrongThread

__all__ = ["AppTransport", "AsyncAppTransport", "scope_of"]

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def scope_of(url: httpx2.URL, headers: list[tuple[bytes, bytes]], client: tuple[str, int]) -> dict[str, Any]:
    """Return what a scope of HTTP and of a WebSocket have in common (ASGI 3; Any: by the specification)."""
    raw_path = url.raw_path.partition(b"?")[0]
    return {
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": url.scheme,
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in headers],
        "client": client,
        "server": (url.host, url.port or _PORTS.get(url.scheme)),
        "state": {},
    }


class _Way:
    """The way into one app (Any: any ASGI app)."""

    def __init__(self, app: Any, *, client: tuple[str, int], raise_server_exceptions: bool) -> None:
        self.app = app
        self.home: Home = home_of(app)
        self.raise_server_exceptions = raise_server_exceptions
        self._client = client
        self._holds = False

    async def hold(self) -> None:
        """Start the app, if this is the first that needs it."""
        if not self._holds or not self.home.is_running:
            await self.home.hold()
            self._holds = True

    async def let_go(self) -> None:
        """Stop the app, if this was the last that needed it."""
        if self._holds:
            self._holds = False
            await self.home.let_go()

    async def start(self, request: httpx2.Request, body: AsyncIterator[bytes]) -> Exchange:
        """Start an exchange; on the loop of the app."""
        scope = {
            "type": "http",
            "method": request.method,
            "extensions": {},
            **scope_of(request.url, request.headers.raw, self._client),
        }
        exchange = Exchange(self.app, scope, body)
        timeout = request.extensions.get("timeout", {}).get("read")
        try:
            await asyncio.wait_for(exchange.start(), timeout)
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"No response within {timeout} s.", request=request) from error
        finally:
            self.home.keep(exchange.outlived)
        if exchange.failures and self.raise_server_exceptions and not exchange.is_broken:
            raise exchange.failures[0]
        return exchange

    async def next_part(self, exchange: Exchange, parts: AsyncIterator[bytes]) -> bytes | None:
        """Return the next part of a response, or None at its end; on the loop of the app."""
        part = await anext(parts, None)
        if part is None and exchange.failures and self.raise_server_exceptions:
            raise exchange.failures[0]
        return part


class AppTransport(httpx2.BaseTransport):
    """Hands the requests of a sync client to an app that runs in the portal's thread (Any: any ASGI app)."""

    def __init__(
        self, app: Any, *, portal: Portal, client: tuple[str, int], raise_server_exceptions: bool = True
    ) -> None:
        self.way = _Way(app, client=client, raise_server_exceptions=raise_server_exceptions)
        self.portal = portal

    def __enter__(self) -> Self:
        self.hold()
        return self

    def hold(self) -> None:
        """Start the app, if this is the first that needs it."""
        loop = self.way.home.loop
        if loop is not None and loop.is_running() and _running_loop() is loop:
            raise WrongThread(
                "The sync test client was used on the loop that the app runs on.",
                why="Waiting there for the app would stop both.",
                fix="Take `async_client` in an async test and `await` it, or make the test a plain `def`.",
            )
        self.portal.run(self.way.hold())

    def close(self) -> None:
        """Stop the app, if this was the last that needed it."""
        self.portal.run(self.way.let_go())

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        self.hold()
        body = list(cast("httpx2.SyncByteStream", request.stream))
        way = self.way
        exchange = self.portal.run(way.home.call(lambda: way.start(request, _listed(body))))
        return _response(exchange, _Stream(self, exchange))


class _Stream(httpx2.SyncByteStream):
    def __init__(self, transport: AppTransport, exchange: Exchange) -> None:
        self._transport = transport
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        portal, way, exchange = self._transport.portal, self._transport.way, self._exchange
        parts = exchange.parts()
        while True:
            part = portal.run(way.home.call(lambda: way.next_part(exchange, parts)))
            if part is None:
                return
            yield part

    def close(self) -> None:
        self._transport.portal.run(self._transport.way.home.call(self._exchange.end))


class AsyncAppTransport(httpx2.AsyncBaseTransport):
    """Hands the requests of an async client to an app, on the same loop or on another (Any: any ASGI app)."""

    def __init__(self, app: Any, *, client: tuple[str, int], raise_server_exceptions: bool = True) -> None:
        self.way = _Way(app, client=client, raise_server_exceptions=raise_server_exceptions)

    async def __aenter__(self) -> Self:
        await self.way.hold()
        return self

    async def aclose(self) -> None:
        """Stop the app, if this was the last that needed it."""
        await self.way.let_go()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        way = self.way
        await way.hold()
        body = aiter(cast("httpx2.AsyncByteStream", request.stream))
        if way.home.loop is not asyncio.get_running_loop():
            body = _listed([part async for part in body])
        exchange = await way.home.call(lambda: way.start(request, body))
        return _response(exchange, _AsyncStream(way, exchange))


class _AsyncStream(httpx2.AsyncByteStream):
    def __init__(self, way: _Way, exchange: Exchange) -> None:
        self._way = way
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        way, exchange = self._way, self._exchange
        parts = exchange.parts()
        while True:
            part = await way.home.call(lambda: way.next_part(exchange, parts))
            if part is None:
                return
            yield part

    async def aclose(self) -> None:
        await self._way.home.call(self._exchange.end)


def _response(exchange: Exchange, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream) -> httpx2.Response:
    return httpx2.Response(
        exchange.status, headers=exchange.headers, stream=stream, extensions={"http_version": b"HTTP/1.1"}
    )


async def _listed(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
