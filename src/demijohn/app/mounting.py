"""Foreign apps under a prefix: ASGI as it is, WSGI in a worker thread."""

import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, MutableMapping
from typing import IO, Any
from urllib.parse import quote, unquote

from demijohn._lib.concurrency import Pool, run_in_thread
from demijohn._lib.later import asyncio, inspect, tempfile
from demijohn.app.dispatch import Call
from demijohn.errors import DemijohnError
from demijohn.http import ClientDisconnected, Request, Response, StreamResponse
from demijohn.types import ASGIApp, WSGIApp

__all__ = ["is_asgi", "mounted_call", "mounted_scope"]

_QUEUED = 4
_IN_MEMORY = 256 * 1024
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class BrokenMount(DemijohnError):
    """A mounted app broke the protocol it speaks."""

    code = "DJN-420"


def is_asgi(app: Any) -> bool:
    """Return whether a callable takes `(scope, receive, send)` as a coroutine (Any: it may be any object)."""
    function = app if inspect.isroutine(app) else getattr(app, "__call__", None)  # noqa: B004 - its signature is wanted
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(inspect.unwrap(app))


def mounted_call(app: Any, prefix: str, pool: Pool) -> Call:
    """Return how a request is handed to a foreign app (Any: a WSGI or ASGI callable)."""
    if is_asgi(app):

        async def whole(request: Request) -> Response:
            return await _Bridge(request).run(app, mounted_scope(request, prefix))
    else:

        async def whole(request: Request) -> Response:
            return await _run_wsgi(app, request, prefix, pool)

    return Call(app, whole=whole, is_async=True)


def mounted_scope(request: Any, prefix: str, kind: str = "http") -> dict[str, Any]:
    """Return the ASGI scope for what is mounted at `prefix` (Any: a request or a WebSocket)."""
    root_path = request.root_path + prefix
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version,
        "scheme": request.scheme,
        "path": request.root_path + _decoded(request),
        "raw_path": quote(request.root_path).encode() + request.raw_path,
        "query_string": request.query_string,
        "root_path": root_path,
        "headers": list(request.raw_headers),
        "client": request.client,
        "server": request.server,
        "extensions": {},
        "state": {},
    }
    if kind == "http":
        scope["method"] = request.method
    else:
        scope["subprotocols"] = request.subprotocols
    return scope


class _Bridge:
    """Between a request here and an ASGI app that runs in a task of its own, with a few pieces of its body in
    between.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED)
        self._start: MutableMapping[str, Any] | None = None
        self._whole: bytes | None = None
        self._ready = asyncio.Event()
        self._gone = asyncio.Event()
        self._body_read = False
        self._stream: AsyncIterator[bytes] | None = None

    async def run(self, app: ASGIApp, scope: dict[str, Any]) -> Response:
        task = asyncio.ensure_future(app(scope, self._receive, self._send))
        task.add_done_callback(lambda _task: self._ready.set())
        try:
            await self._ready.wait()
        except BaseException:
            self._gone.set()
            task.cancel()
            raise
        if self._start is None:
            await task  # raises what the app raised
            raise BrokenMount(
                f"The app mounted at {scope['root_path']!r} ended without a response.",
                why="An ASGI app sends `http.response.start` and a body.",
                fix="Look at its handler for this path.",
            )
        headers = [(name.lower(), value) for name, value in self._start.get("headers", ())]
        try:
            _checked(headers, scope["root_path"])
        except BrokenMount:
            self._gone.set()
            task.cancel()
            raise
        if self._whole is not None:
            await task
            return _response(self._start["status"], headers, self._whole)
        stream = StreamResponse(self._drain(task), self._start["status"], content_type=None)
        stream._headers = headers
        return stream

    async def _receive(self) -> MutableMapping[str, Any]:
        if self._body_read:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        if self._stream is None:
            self._stream = self._request.stream()
        try:
            piece = await anext(self._stream, None)
        except ClientDisconnected:
            self._body_read = True
            self._gone.set()
            return {"type": "http.disconnect"}
        if piece is None:
            self._body_read = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.request", "body": piece, "more_body": True}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body" or self._gone.is_set():
            return
        body: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        if not self._ready.is_set():
            if not more:
                self._whole = body
                self._ready.set()
                return
            self._ready.set()
        if body:
            await self._pieces.put(body)
        if not more:
            await self._pieces.put(None)

    async def _drain(self, task: "asyncio.Future[None]") -> AsyncIterator[bytes]:
        try:
            while True:
                getter: asyncio.Future[bytes | None] = asyncio.ensure_future(self._pieces.get())
                both: set[asyncio.Future[Any]] = {getter, task}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if not getter.done() and self._pieces.empty():
                    getter.cancel()
                    await task
                    raise BrokenMount(
                        "A mounted app ended in the middle of its body.",
                        why="The last piece has `more_body` false.",
                        fix="Look at the app's handler for this path.",
                    )
                piece = await getter
                if piece is None:
                    break
                yield piece
            await task
        finally:
            self._gone.set()
            if not task.done():
                task.cancel()


def _checked(headers: list[tuple[bytes, bytes]], place: str) -> None:
    """Refuse headers of a foreign app that would not stay within their lines."""
    for name, value in headers:
        if _CONTROL.search(value) is not None or _NAME.fullmatch(name) is None:
            raise BrokenMount(
                f"The app mounted at {place!r} sent the header {name[:80]!r} with the value {value[:80]!r}.",
                why="A name is a token, and a value has no control characters: they would become lines of their own.",
                fix="Quote or drop what comes from a client before it becomes a header.",
            )


def _response(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Response:
    response = Response(body, status)
    response._headers = headers
    return response


# -- WSGI ---------------------------------------------------------------------------------------------------------


async def _run_wsgi(app: WSGIApp, request: Request, prefix: str, pool: Pool) -> Response:
    source: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)
    endings = request.ending
    if endings is None:
        endings = request.ending = []
    endings.append(source.close)
    size = 0
    async for piece in request.stream():
        size += len(piece)
        source.write(piece)
    source.seek(0)
    environ = _environ(request, prefix, source, size)
    return await run_in_thread(lambda: _call_wsgi(app, environ), pool)


def _environ(request: Request, prefix: str, source: IO[bytes], size: int) -> dict[str, Any]:
    path = _decoded(request)[len(prefix) :]
    server, port = request.server or ("localhost", None)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": _wsgi_text(request.root_path + prefix),
        "PATH_INFO": _wsgi_text(path),
        "QUERY_STRING": request.query_string.decode("latin-1"),
        "SERVER_NAME": str(server),
        "SERVER_PORT": str(port if port is not None else request.port),
        "SERVER_PROTOCOL": f"HTTP/{request.http_version}",
        "REQUEST_URI": (quote(request.root_path).encode() + request.raw_path).decode("latin-1"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": source,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(size),
    }
    if request.client is not None:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = request.client[0], str(request.client[1])
    for name, value in request.raw_headers:
        text = value.decode("latin-1")
        if name == b"content-type":
            environ["CONTENT_TYPE"] = text
        elif name not in (b"content-length", b"transfer-encoding"):
            # A name with an underscore would become the same variable as one with a hyphen, and could forge it.
            if b"_" in name:
                continue
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def _decoded(request: Any) -> str:
    """Return the path as other frameworks expect it: with encoded slashes decoded, too (Any: request or WebSocket)."""
    path: str = request.path
    return unquote(request.raw_path.decode("latin-1")) if "%2F" in path else path


def _wsgi_text(path: str) -> str:
    return path.encode().decode("latin-1")


def _call_wsgi(app: WSGIApp, environ: dict[str, Any]) -> Response:
    started: list[Any] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info is not None and started and written:
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        started[:] = [status, headers]
        return written.append

    result = app(environ, start_response)
    try:
        iterator = iter(result)
        first = next(iterator, None)
        while first == b"":
            first = next(iterator, None)
        if not started:
            raise BrokenMount(
                f"The WSGI app mounted at {environ['SCRIPT_NAME']!r} never called `start_response`.",
                why="A WSGI app calls it before its first piece of body (PEP 3333).",
                fix="Look at its handler for this path.",
            )
        status = int(started[0].split(None, 1)[0])
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in started[1]]
        _checked(headers, environ["SCRIPT_NAME"])
        if first is None or isinstance(result, list | tuple) or _is_short(headers):
            pieces = [*written, *([first] if first is not None else []), *iterator]
            _close(result)
            return _response(status, headers, b"".join(pieces))
    except BaseException:
        _close(result)
        raise
    stream = StreamResponse(_Rest(written, first, iterator, result), status, content_type=None)
    stream._headers = headers
    return stream


class _Rest:
    """What is left of a WSGI body, closed as the specification wants."""

    def __init__(self, written: list[bytes], first: bytes, rest: Iterator[bytes], result: Iterable[bytes]) -> None:
        self._pieces = self._all(written, first, rest)
        self._result = result

    @staticmethod
    def _all(written: list[bytes], first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
        yield from written
        yield first
        yield from rest

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        _close(self._result)


def _is_short(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the body has a known end that is not worth a stream."""
    for name, value in headers:
        if name == b"content-length":
            return value.isdigit() and int(value) <= _IN_MEMORY
    return False


def _close(result: Any) -> None:
    if hasattr(result, "close"):
        result.close()
