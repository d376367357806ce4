"""The WSGI face (PEP 3333): the app's loop in a thread of its own, each request one task on it."""

import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from queue import Queue
from typing import Any
from urllib.parse import quote

from demijohn._lib.concurrency import Pool, run_in_thread
from demijohn._lib.later import asyncio, logger_of
from demijohn.http import Request, Response, StreamResponse

__all__ = ["WSGIFace"]

logger = logger_of("demijohn.app")

_AT_ONCE = 64 * 1024
_QUEUED = 8


class WSGIFace:
    """An app as a WSGI callable. Its loop starts with the first request of a process and ends with the process."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._process = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._readers = Pool("demijohn-wsgi-input", most_waiting=1000)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> "Iterator[bytes] | list[bytes]":
        """Answer one request."""
        loop = self._running_loop()
        request = self._request(environ)
        answer = _Answer(loop)
        future = asyncio.run_coroutine_threadsafe(self._run(request, answer), loop)
        answer.ready.wait()
        response = answer.response
        if response is None:
            future.result()  # raises
            raise RuntimeError("The app ended without a response.")
        start_response(_status(response.status), self._headers(request, response))
        if isinstance(response, StreamResponse) and answer.pieces is not None:
            return _Pieces(answer, future)
        return [] if request.method == "HEAD" or response.is_bodyless else [response.body]

    def close(self) -> None:
        """Run the shutdown of the app and end its loop."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None or self._process != os.getpid():
            return
        asyncio.run_coroutine_threadsafe(self._app.shutdown(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join(5)
        loop.close()

    async def _run(self, request: Request, answer: "_Answer") -> None:
        try:
            await self._app.handle(request, answer.send)
        finally:
            answer.ready.set()

    def _running_loop(self) -> "asyncio.AbstractEventLoop":
        loop = self._loop
        if loop is not None and self._process == os.getpid():
            return loop
        with self._lock:
            if self._loop is None or self._process != os.getpid():
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_turn, args=(loop,), name="demijohn-wsgi", daemon=True)
                self._thread.start()
                asyncio.run_coroutine_threadsafe(self._app.startup(), loop).result()
                self._loop, self._process = loop, os.getpid()
                atexit.register(self.close)
            return self._loop

    def _request(self, environ: dict[str, Any]) -> Request:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace") or "/"
        headers: list[tuple[bytes, bytes]] = []
        for key, value in environ.items():
            if key.startswith("HTTP_"):
                headers.append((key[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1")))
        for key, name in (("CONTENT_TYPE", b"content-type"), ("CONTENT_LENGTH", b"content-length")):
            if environ.get(key):
                headers.append((name, environ[key].encode("latin-1")))
        request = Request(
            environ["REQUEST_METHOD"].upper(),
            path,
            quote(path, safe="/:@!$&'()*+,;=~-._").encode(),
            environ.get("QUERY_STRING", "").encode("latin-1"),
            headers,
        )
        request.scheme = environ.get("wsgi.url_scheme", "http")
        request.http_version = environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2]
        request.root_path = environ.get("SCRIPT_NAME", "").encode("latin-1").decode("utf-8", "replace").rstrip("/")
        request.server = (environ.get("SERVER_NAME", "localhost"), int(environ.get("SERVER_PORT") or 80))
        if environ.get("REMOTE_ADDR"):
            request.client = (environ["REMOTE_ADDR"], int(environ.get("REMOTE_PORT") or 0))
        request.app = self._app
        self._give_body(request, environ)
        return request

    def _give_body(self, request: Request, environ: dict[str, Any]) -> None:
        source = environ["wsgi.input"]
        announced = environ.get("CONTENT_LENGTH") or ""
        if announced.isdigit():
            left = int(announced)
            if left <= _AT_ONCE:
                request._body = source.read(left) if left else b""
                return
        elif environ.get("wsgi.input_terminated"):
            left = -1
        else:
            request._body = b""
            return

        async def read() -> bytes:
            nonlocal left
            size = _AT_ONCE if left < 0 else min(left, _AT_ONCE)
            if not size:
                return b""
            piece = await run_in_thread(lambda: source.read(size), self._readers)
            if left > 0:
                left -= len(piece)
            return bytes(piece)

        request._receiver = read

    def _headers(self, request: Request, response: Response) -> list[tuple[str, str]]:
        lines = response.header_lines(method=request.method, defaults=self._app.default_headers)
        # Hop-by-hop headers belong to the server (PEP 3333).
        return [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in lines
            if name not in (b"connection", b"transfer-encoding", b"keep-alive", b"upgrade")
        ]


class _Answer:
    """Where the loop leaves a response for the thread that waits for it."""

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self.loop = loop
        self.ready = threading.Event()
        self.response: Response | None = None
        self.pieces: Queue[bytes | BaseException | None] | None = None
        self.room: asyncio.Semaphore | None = None
        self.gone = False

    def send(self, response: Response) -> Awaitable[None] | None:
        self.response = response
        if not isinstance(response, StreamResponse):
            self.ready.set()
            return None
        self.pieces = Queue()
        self.room = asyncio.Semaphore(_QUEUED)
        self.ready.set()
        return self._stream(response, self.pieces, self.room)

    async def _stream(
        self, response: StreamResponse, pieces: "Queue[bytes | BaseException | None]", room: "asyncio.Semaphore"
    ) -> None:
        try:
            async for piece in response.body_iterator:
                await room.acquire()
                if self.gone:
                    break
                pieces.put(piece)
            pieces.put(None)
        except Exception as error:
            pieces.put(error)
            raise
        except BaseException as error:
            # Raised as it is, it would end the worker of the WSGI server.
            failure = RuntimeError(f"The code of a stream raised {type(error).__name__}.")
            failure.__cause__ = error
            pieces.put(failure)
            raise
        finally:
            await response.aclose()


class _Pieces:
    """The body of a stream, taken piece by piece by the WSGI server."""

    def __init__(self, answer: _Answer, future: Any) -> None:
        self._answer = answer
        self._future = future

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        answer = self._answer
        if answer.pieces is None or answer.room is None:
            raise StopIteration
        piece = answer.pieces.get()
        if piece is None:
            raise StopIteration
        if isinstance(piece, BaseException):
            raise piece
        answer.loop.call_soon_threadsafe(answer.room.release)
        return piece

    def close(self) -> None:
        """The server is done with it, or the client is gone."""
        answer = self._answer
        answer.gone = True
        if answer.room is not None and not self._future.done():
            answer.loop.call_soon_threadsafe(answer.room.release)


def _turn(loop: "asyncio.AbstractEventLoop") -> None:
    """Run a loop until it is stopped; a task of its own that exits ends no other request."""
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            logger.error("A task raised %s", type(error).__name__, exc_info=error)
        else:
            return


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"
