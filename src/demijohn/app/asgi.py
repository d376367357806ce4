"""The ASGI face: one connection scope in, one request, socket or lifespan out (ASGI 3)."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote, unquote

from demijohn._lib.later import asyncio, logger_of
from demijohn._lib.paths import PATH_SAFE, decode_path
from demijohn.http import ClientDisconnected, Request, Response, StreamResponse
from demijohn.types import Receive, Scope, Send

__all__ = ["answer_http", "read_path", "request_from", "run_lifespan"]

logger = logger_of("demijohn.app")


def read_path(scope: Scope) -> tuple[str, bytes, str]:
    """Return of a scope: the path that is routed, the same encoded, and the path that the app is mounted at.

    Raises:
        ValueError: The path is not UTF-8, or contains a NUL.
    """
    path: str = scope["path"]
    raw_path: bytes | None = scope.get("raw_path")
    root_path: str = scope.get("root_path", "").rstrip("/")
    # What encoded slashes were is in the raw path alone; it is believed unless somebody in between changed the path.
    if raw_path and b"%" in raw_path and unquote(raw_path.decode("latin-1")) == path:
        path = decode_path(raw_path)
    elif "\0" in path:
        raise ValueError("The path contains a NUL.")
    if root_path and path.startswith(root_path):
        rest = path[len(root_path) :]
        if not rest or rest[0] == "/":
            path = rest or "/"
            quoted_root = quote(root_path).encode()
            if raw_path and raw_path.startswith(quoted_root):
                raw_path = raw_path[len(quoted_root) :] or b"/"
    return path, raw_path or quote(path, safe=PATH_SAFE).encode(), root_path


def request_from(scope: Scope, receive: Receive, app: Any) -> Request:
    """Make the request of an HTTP scope (Any: the app lives above).

    Raises:
        ValueError: The path is not UTF-8, or contains a NUL.
    """
    path, raw_path, root_path = read_path(scope)
    request = Request(
        scope["method"],
        path,
        raw_path,
        scope.get("query_string", b""),
        scope["headers"] if isinstance(scope["headers"], list) else [(name, value) for name, value in scope["headers"]],
    )
    request.scheme = scope.get("scheme", "http")
    request.http_version = scope.get("http_version", "1.1")
    request.root_path = root_path
    client, server = scope.get("client"), scope.get("server")
    request.client = None if client is None else (client[0], client[1])
    request.server = None if server is None else (server[0], server[1])
    request.app = app
    request.scope = scope if isinstance(scope, dict) else dict(scope)
    return request


class _Exchange:
    """One HTTP exchange over ASGI: reads the body, writes the response, and notices when the client leaves."""

    __slots__ = ("_gone", "_loop", "_receive", "_request", "_send", "_streaming", "_watcher", "_whole", "started")

    def __init__(self, request: Request, receive: Receive, send: Send) -> None:
        self._request = request
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._streaming: asyncio.Task[Any] | None = None
        self._watcher: asyncio.Future[None] | None = None
        self._whole = False
        self._gone = False
        self.started = False

    async def read(self) -> bytes:
        """Return the next part of the body, and `b""` at its end."""
        while not self._whole:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone = self._request._disconnected = True
                raise ClientDisconnected("The client left before its body was complete.")
            self._whole = not message.get("more_body", False)
            body: bytes = message.get("body", b"")
            if body:
                return body
        return b""

    def look(self) -> None:
        """Watch from now on whether the client leaves, once nothing more of its body can come; from any thread."""
        if self._watcher is None and (self._whole or _is_bodyless(self._request)):
            self._whole = True
            self._loop.call_soon_threadsafe(self._begin_watching)

    def _begin_watching(self) -> None:
        if self._watcher is None:
            self._watcher = asyncio.ensure_future(self._watch())

    def end(self) -> None:
        """Stop watching: the request is over."""
        if self._watcher is not None:
            self._watcher.cancel()

    async def write(self, response: Response) -> None:
        request = self._request
        method = request.method
        headers = response.header_lines(method=method, defaults=request.app.default_headers)
        self.started = True
        start: MutableMapping[str, Any] = {
            "type": "http.response.start",
            "status": response.status,
            "headers": headers,
        }
        if not isinstance(response, StreamResponse) or method == "HEAD" or response.is_bodyless:
            body = b"" if method == "HEAD" or response.is_bodyless else response.body
            if isinstance(response, StreamResponse):
                await response.aclose()
            await self._send(start)
            await self._send({"type": "http.response.body", "body": body})
            return
        await self._stream(start, response)

    async def _stream(self, start: MutableMapping[str, Any], response: StreamResponse) -> None:
        """Send a stream; it ends when the client leaves."""
        if self._request._disconnected:
            await response.aclose()
            return
        task = self._streaming = asyncio.current_task()
        self._begin_watching()
        try:
            await self._send(start)
            async for chunk in response.body_iterator:
                if chunk:
                    await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            if not self._gone or task is None:
                raise
            task.uncancel()
        except OSError:
            self._request._disconnected = True
        finally:
            self._streaming = None
            self.end()
            await response.aclose()

    async def _watch(self) -> None:
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    break
        except Exception:
            logger.debug("The server failed while waiting for the client to leave", exc_info=True)
        self._gone = self._request._disconnected = True
        if self._streaming is not None:
            self._streaming.cancel()


async def answer_http(app: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request (Any: the app lives above)."""
    try:
        request = request_from(scope, receive, app)
    except ValueError as error:
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": str(error).encode()})
        return
    exchange = _Exchange(request, receive, send)
    request._receiver = exchange.read
    request._look = exchange.look
    try:
        await app.handle(request, exchange.write)
    except Exception:
        if exchange.started:
            raise
        logger.exception("%s %s failed outside of its handler", request.method, request.path)
        await exchange.write(Response(b"Internal Server Error", 500, content_type="text/plain; charset=utf-8"))
    finally:
        exchange.end()


def _is_bodyless(request: Request) -> bool:
    """Return whether the head says that no body follows; HTTP/2 may send one unannounced."""
    headers = request.headers
    return (
        request.http_version in ("1.0", "1.1")
        and headers.get("content-length", "0") == "0"
        and "transfer-encoding" not in headers
    )


async def run_lifespan(
    startup: Callable[[], Awaitable[None]], shutdown: Callable[[], Awaitable[None]], receive: Receive, send: Send
) -> None:
    """Follow the lifespan protocol; a failing start-up is told to the server with its reason."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await startup()
            except BaseException as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                raise
            await send({"type": "lifespan.startup.complete"})
        else:
            try:
                await shutdown()
            except BaseException as error:
                await send({"type": "lifespan.shutdown.failed", "message": str(error)})
                raise
            await send({"type": "lifespan.shutdown.complete"})
            return
