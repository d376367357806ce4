"""A server in a thread with an event loop of its own, a small app to serve, and a client that speaks raw bytes."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Self

import uvloop

from demijohn.errors import HTTPError
from demijohn.http import Limits, Request, Response, StreamResponse
from demijohn.serving import Server, ServerConfig
from demijohn.serving.hub import Hub

Handler = Callable[[Request], Awaitable[Response]]

PATIENCE = 30.0
"""Seconds that a test waits for what must come: the machine may be busy with other things."""


class SmallApp:
    """As much of an app as the server needs: handlers by path."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.default_headers = [(b"x-content-type-options", b"nosniff")]
        self.events: list[str] = []
        self.draining = False

    def on(self, path: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self.handlers[path] = handler
            return handler

        return register

    def handle(self, request: Request, send: Any) -> Any:
        request.limits = Limits(body=10_000_000)
        return self._run(request, send)

    async def _run(self, request: Request, send: Any) -> None:
        handler = self.handlers.get(request.path)
        try:
            response = Response(b"nothing here", 404) if handler is None else await handler(request)
        except HTTPError as error:
            response = Response(str(error).encode(), error.status, content_type="text/plain; charset=utf-8")
        done = send(response)
        if done is not None:
            await done
        self.events.append(f"ended {request.path}")

    async def startup(self) -> None:
        self.events.append("startup")

    async def shutdown(self) -> None:
        self.events.append("shutdown")

    def drain(self) -> None:
        self.draining = True
        self.events.append("drain")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        self.events.append(f"socket {scope['path']} {scope['client'][0]} {scope['scheme']}")
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"].upper()})
        self.events.append(f"socket closed {message['code']}")


def small_app() -> SmallApp:
    """Return an app with the handlers that most tests ask for."""
    app = SmallApp()

    @app.on("/")
    async def home(request: Request) -> Response:
        return Response(b"Hello, World!", content_type="text/plain; charset=utf-8")

    @app.on("/echo")
    async def echo(request: Request) -> Response:
        return Response(await request.body() or b"-", content_type="application/octet-stream")

    @app.on("/slow")
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.2)
        return Response(b"slow")

    @app.on("/count")
    async def count(request: Request) -> Response:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
        return Response(b"%d" % size)

    @app.on("/about")
    async def about(request: Request) -> Response:
        lines = [
            request.method,
            request.path,
            request.query_string.decode(),
            request.host,
            request.scheme,
            request.root_path,
            str(request.client[0] if request.client else None),
            request.http_version,
        ]
        return Response("\n".join(lines).encode())

    @app.on("/numbers")
    async def numbers(request: Request) -> Response:
        async def produce() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d\n" % number
                await asyncio.sleep(0)

        return StreamResponse(produce(), content_type="text/plain")

    return app


class Running:
    """A server that runs in a thread."""

    def __init__(self, app: Any, config: ServerConfig, loop_factory: Any = uvloop.new_event_loop) -> None:
        self.app = app
        self.server = Server(app, config)
        self._loop_factory = loop_factory
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._loop_factory) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        await self.server.start()
        self._ready.set()
        await self._stop.wait()
        await self.server.stop()

    def start(self) -> "Running":
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        if self._error is not None:
            raise self._error
        return self

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a function in the loop and return its result."""

        async def run() -> Any:
            return function()

        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE)

    def begin_stop(self) -> None:
        assert self.loop is not None
        assert self._stop is not None
        self.loop.call_soon_threadsafe(self._stop.set)

    def join(self, timeout: float = PATIENCE) -> None:
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "the server hangs"
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        if self._thread.is_alive():
            self.begin_stop()
        self.join()

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def hub(self) -> Hub:
        """The connections and tasks of the server."""
        assert self.server.hub is not None
        return self.server.hub

    def until_active(self, count: int) -> None:
        """Wait until so many requests are being answered."""
        until(lambda: self.call(lambda: self.hub.active) == count)

    def until_tick(self) -> None:
        """Wait until the clock that the deadlines are compared with has moved on."""
        before = self.call(lambda: self.hub.clock)
        until(lambda: self.call(lambda: self.hub.clock) > before)

    def settle(self, read: Callable[[], int]) -> int:
        """Wait until a figure has stood still for ten turns of the server's loop in a row, and return it."""
        found, equal = self.call(read), 0

        def is_still() -> bool:
            nonlocal found, equal
            now = self.call(read)
            found, equal = now, equal + 1 if now == found else 0
            time.sleep(0.02)
            return equal == 10

        until(is_still)
        return int(found)

    def connect(self, timeout: float = PATIENCE) -> "Client":
        return Client(socket.create_connection(("127.0.0.1", self.port), timeout))

    def connect_to(self, port: int) -> "Client":
        return Client(socket.create_connection(("127.0.0.1", port), PATIENCE))

    def ask(self, data: bytes) -> bytes:
        """Send bytes on a new connection and return all that comes until it is closed."""
        with self.connect() as client:
            client.send(data)
            return client.rest()


class Client:
    """A raw connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def _more(self) -> bool:
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def rest(self) -> bytes:
        """Return what comes until the server closes."""
        while self._more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def until(self, mark: bytes) -> bytes:
        """Return what comes, up to and including a mark."""
        while mark not in self.buffer:
            if not self._more():
                raise AssertionError(f"closed before {mark!r}: {self.buffer!r}")
        data, _, self.buffer = self.buffer.partition(mark)
        return data + mark

    def response(self, *, head_only: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Read one response: status, headers, body."""
        head = self.until(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {}
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(": ")
                assert name not in headers, f"{name} twice"
                headers[name] = value
        if head_only or status in (204, 304) or status < 200:
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size = int(self.until(b"\r\n"), 16)
                while len(self.buffer) < size + 2:
                    assert self._more(), "closed inside of a chunk"
                body += self.buffer[:size]
                self.buffer = self.buffer[size + 2 :]
                if not size:
                    return status, headers, body
        if "content-length" in headers:
            size = int(headers["content-length"])
            while len(self.buffer) < size:
                assert self._more(), "closed inside of a body"
            body, self.buffer = self.buffer[:size], self.buffer[size:]
            return status, headers, body
        return status, headers, self.rest()

    @property
    def is_closed(self) -> bool:
        """Whether the server has closed; waits for it up to the timeout."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def until(condition: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.01)


def get(path: str = "/", *, host: str = "example.org", extra: str = "", version: str = "1.1") -> bytes:
    """Return the bytes of a GET request."""
    return f"GET {path} HTTP/{version}\r\nHost: {host}\r\n{extra}\r\n".encode("latin-1")


def post(path: str, body: bytes, *, extra: str = "") -> bytes:
    """Return the bytes of a POST request with a Content-Length."""
    head = f"POST {path} HTTP/1.1\r\nHost: example.org\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode("latin-1") + body


@contextlib.contextmanager
def running(app: Any = None, loop_factory: Any = uvloop.new_event_loop, **config: Any) -> Iterator[Running]:
    """Serve an app (the small one by default) on a free port."""
    server = Running(app or small_app(), ServerConfig(bind="127.0.0.1:0", **config), loop_factory).start()
    try:
        yield server
    finally:
        server.stop()
