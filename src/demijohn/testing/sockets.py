"""WebSockets in tests: straight into the app, or over a real socket, sync or async."""

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from contextlib import AsyncExitStack
from contextvars import Context
from types import TracebackType
from typing import Any, Protocol, Self

import httpx2

from demijohn.errors import DemijohnError
from demijohn.http import WebSocketDisconnect
from demijohn.schema import to_json
from demijohn.testing.home import Home, home_of
from demijohn.testing.portal import TaskRunner
from demijohn.testing.transport import scope_of

__all__ = ["AppWire", "AsyncSocketSession", "LiveWire", "SocketRefused", "SocketSession", "Wire"]

_PATIENCE = 10.0
_LAST_WORDS = 5.0


class SocketRefused(Exception):
    """The app answered the handshake of a WebSocket with an ordinary response.

    Args:
        response: That response; 403 where the app closed the socket without one.
    """

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        super().__init__(f"The WebSocket was refused with {response.status_code}: {response.text[:200]}")


class Wire(Protocol):
    """How messages of ASGI get to an app and back (Any: by the specification)."""

    subprotocol: str | None
    headers: list[tuple[bytes, bytes]]

    async def open(self) -> None: ...
    async def send(self, message: dict[str, Any], /) -> None: ...
    async def receive(self) -> MutableMapping[str, Any]: ...
    async def close(self, code: int, reason: str, /) -> None: ...


class AppWire:
    """Straight into an app (Any: any ASGI app)."""

    def __init__(
        self,
        app: Any,
        url: httpx2.URL,
        *,
        headers: list[tuple[bytes, bytes]],
        subprotocols: Sequence[str],
        client: tuple[str, int],
        raise_server_exceptions: bool,
    ) -> None:
        self._app = app
        self._home: Home = home_of(app)
        self._raises = raise_server_exceptions
        self._failures: list[BaseException] = []
        self._scope = {
            **scope_of(url, headers, client),
            "type": "websocket",
            "scheme": {"http": "ws", "https": "wss"}.get(url.scheme, url.scheme),
            "subprotocols": list(subprotocols),
            "extensions": {"websocket.http.response": {}},
            "demijohn.failures": self._failures,
        }
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._closing: MutableMapping[str, Any] | None = None
        self.subprotocol: str | None = None
        self.headers: list[tuple[bytes, bytes]] = []

    async def open(self) -> None:
        await self._home.hold()
        try:
            await self._home.call(self._open)
        except BaseException:
            await self._home.let_go()
            raise

    async def _open(self) -> None:
        self._to_app.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())
        message = await self._from_app.get()
        kind = message["type"]
        if kind == "websocket.accept":
            self.subprotocol = message.get("subprotocol")
            self.headers = list(message.get("headers", ()))
            return
        status, headers, body = 403, [], b""
        if kind == "websocket.http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
            while True:
                message = await self._from_app.get()
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    break
        await asyncio.wait({self._task}, timeout=_LAST_WORDS)
        self._raise_failure()
        raise SocketRefused(httpx2.Response(status, headers=headers, content=body))

    async def send(self, message: dict[str, Any], /) -> None:
        async def put() -> None:
            self._to_app.put_nowait(message)

        await self._home.call(put)

    async def receive(self) -> MutableMapping[str, Any]:
        if self._closing is None:
            message = await self._home.call(self._from_app.get)
            if message["type"] != "websocket.close":
                return message
            self._closing = message
        await self._home.call(self._finish)
        return self._closing

    async def close(self, code: int, reason: str, /) -> None:
        async def leave() -> None:
            self._to_app.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            await self._finish()

        try:
            await self._home.call(leave)
        finally:
            await self._home.let_go()

    async def _finish(self) -> None:
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_LAST_WORDS)
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failures and self._raises:
            raise self._failures.pop(0)

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._to_app.get, self._take)
        except WebSocketDisconnect:
            pass
        except BaseException as error:
            if error not in self._failures:
                self._failures.append(error)
            self._from_app.put_nowait({"type": "websocket.close", "code": 1011, "reason": ""})
        else:
            self._from_app.put_nowait({"type": "websocket.close", "code": 1000, "reason": ""})

    async def _take(self, message: MutableMapping[str, Any]) -> None:
        self._from_app.put_nowait(message)


class LiveWire:
    """Over a real socket, by the `websockets` package."""

    def __init__(self, url: httpx2.URL, *, headers: list[tuple[bytes, bytes]], subprotocols: Sequence[str]) -> None:
        scheme = {"http": "ws", "https": "wss"}.get(url.scheme, url.scheme)
        self._url = str(url.copy_with(scheme=scheme))
        self._origin: str | None = None
        self._agent: str | None = None
        self._headers: list[tuple[str, str]] = []
        for raw_name, raw_value in headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name == "origin":
                self._origin = value
            elif name == "user-agent":
                self._agent = value
            elif name not in ("host", "accept-encoding", "connection"):
                self._headers.append((name, value))
        self._subprotocols = list(subprotocols)
        self._connection: Any = None  # of the websockets package, which loads when it is used
        self._stack = AsyncExitStack()
        self.subprotocol: str | None = None
        self.headers: list[tuple[bytes, bytes]] = []

    async def open(self) -> None:
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidStatus

        connecting = connect(
            self._url,
            origin=self._origin,  # type: ignore[arg-type]  # a NewType of str
            additional_headers=self._headers,
            user_agent_header=self._agent,
            subprotocols=self._subprotocols or None,  # type: ignore[arg-type]  # a NewType of str
            proxy=None,
        )
        try:
            self._connection = await self._stack.enter_async_context(connecting)
        except InvalidStatus as error:
            answer = error.response
            pairs = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.raw_items()]
            content = bytes(answer.body or b"")
            raise SocketRefused(httpx2.Response(answer.status_code, headers=pairs, content=content)) from None
        self.subprotocol = self._connection.subprotocol
        answered = self._connection.response.headers.raw_items()
        self.headers = [(name.encode(), value.encode("latin-1")) for name, value in answered]

    async def send(self, message: dict[str, Any], /) -> None:
        await self._connection.send(message.get("text") if message.get("text") is not None else message["bytes"])

    async def receive(self) -> MutableMapping[str, Any]:
        from websockets.exceptions import ConnectionClosed

        try:
            data = await self._connection.recv()
        except ConnectionClosed:
            code, reason = self._connection.close_code, self._connection.close_reason
            return {"type": "websocket.close", "code": code or 1006, "reason": reason or ""}
        return {"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data}

    async def close(self, code: int, reason: str, /) -> None:
        await self._connection.close(code, reason)
        await self._stack.aclose()


class AsyncSocketSession:
    """An open WebSocket, from the client's side; made by `AsyncClient.websocket`.

    Example::

        async with client.websocket("/echo") as ws:
            await ws.send_text("hello")
            assert await ws.receive_text() == "hello"
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._state = "new"

    async def __aenter__(self) -> Self:
        await self._wire.open()
        self._state = "open"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._state == "open":
            try:
                await self.close()
            except BaseException:
                if error is None:
                    raise

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the app chose."""
        return self._wire.subprotocol

    @property
    def headers(self) -> httpx2.Headers:
        """The headers of the app's answer to the handshake."""
        return httpx2.Headers(self._wire.headers)

    async def send_text(self, text: str) -> None:
        """Send a text message."""
        await self._send({"type": "websocket.receive", "text": text})

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        await self._send({"type": "websocket.receive", "bytes": data})

    async def send_json(self, value: object) -> None:
        """Send a value as JSON, in a text message."""
        await self.send_text(to_json(value).decode())

    async def receive(self, *, timeout: float | None = _PATIENCE) -> str | bytes:
        """Wait for the next message.

        Args:
            timeout: Seconds to wait; None waits for ever.

        Raises:
            TimeoutError: None came in time.
            WebSocketDisconnect: The app has closed the socket; `code` and `reason` are what it said.
        """
        self._check("receive")
        try:
            message = await asyncio.wait_for(self._wire.receive(), timeout)
        except TimeoutError:
            raise TimeoutError(f"The app sent no message within {timeout} s.") from None
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message.get("code") or 1000, message.get("reason") or "")
        text: str | None = message.get("text")
        data: bytes = message.get("bytes") or b""
        return data if text is None else text

    async def receive_text(self, *, timeout: float | None = _PATIENCE) -> str:
        """Wait for a text message.

        Raises as `receive`, and AssertionError for a binary one.
        """
        message = await self.receive(timeout=timeout)
        if not isinstance(message, str):
            raise AssertionError(f"expected text, got {message!r}")
        return message

    async def receive_bytes(self, *, timeout: float | None = _PATIENCE) -> bytes:
        """Wait for a binary message.

        Raises as `receive`, and AssertionError for text.
        """
        message = await self.receive(timeout=timeout)
        if not isinstance(message, bytes):
            raise AssertionError(f"expected bytes, got {message!r}")
        return message

    async def receive_json(self, *, timeout: float | None = _PATIENCE) -> Any:
        """Wait for a message and read it as JSON.

        Raises as `receive`. Any: whatever it says.
        """
        import json

        return json.loads(await self.receive(timeout=timeout))

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        while True:
            try:
                message = await self.receive(timeout=None)
            except WebSocketDisconnect:
                return
            yield message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket, and wait until the app has noticed."""
        if self._state == "open":
            self._state = "closed"
            await self._wire.close(code, reason)

    async def _send(self, message: dict[str, Any]) -> None:
        self._check("send")
        await self._wire.send(message)

    def _check(self, what: str) -> None:
        if self._state != "open":
            raise DemijohnError(
                f"{what} was called on a WebSocket that is {'closed' if self._state == 'closed' else 'not open yet'}.",
                why="A session is open inside of its `with` block.",
                fix='Write:  with client.websocket("/ws") as ws: ...   (in an async test: async with)',
                code="DJN-623",
            )


class SocketSession:
    """An open WebSocket, from the client's side, for sync tests.

    Made by `TestClient.websocket`.

    Example::

        with client.websocket("/echo") as ws:
            ws.send_text("hello")
            assert ws.receive_text() == "hello"
    """

    def __init__(self, session: AsyncSocketSession, *, runner: TaskRunner) -> None:
        self._session = session
        self._runner = runner

    def __enter__(self) -> Self:
        try:
            self._runner.run(self._session.__aenter__())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._session.__aexit__(kind, error, trace))
        finally:
            self._runner.close()

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the app chose."""
        return self._session.subprotocol

    @property
    def headers(self) -> httpx2.Headers:
        """The headers of the app's answer to the handshake."""
        return self._session.headers

    def send_text(self, text: str) -> None:
        """Send a text message."""
        self._runner.run(self._session.send_text(text))

    def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        self._runner.run(self._session.send_bytes(data))

    def send_json(self, value: object) -> None:
        """Send a value as JSON, in a text message."""
        self._runner.run(self._session.send_json(value))

    def receive(self, *, timeout: float | None = _PATIENCE) -> str | bytes:
        """Wait for the next message.

        Args:
            timeout: Seconds to wait; None waits for ever.

        Raises:
            TimeoutError: None came in time.
            WebSocketDisconnect: The app has closed the socket; `code` and `reason` are what it said.
        """
        return self._runner.run(self._session.receive(timeout=timeout))

    def receive_text(self, *, timeout: float | None = _PATIENCE) -> str:
        """Wait for a text message.

        Raises as `receive`, and AssertionError for a binary one.
        """
        return self._runner.run(self._session.receive_text(timeout=timeout))

    def receive_bytes(self, *, timeout: float | None = _PATIENCE) -> bytes:
        """Wait for a binary message.

        Raises as `receive`, and AssertionError for text.
        """
        return self._runner.run(self._session.receive_bytes(timeout=timeout))

    def receive_json(self, *, timeout: float | None = _PATIENCE) -> Any:
        """Wait for a message and read it as JSON.

        Raises as `receive`. Any: whatever it says.
        """
        return self._runner.run(self._session.receive_json(timeout=timeout))

    def __iter__(self) -> Iterator[str | bytes]:
        while True:
            try:
                message = self.receive(timeout=None)
            except WebSocketDisconnect:
                return
            yield message

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket, and wait until the app has noticed."""
        self._runner.run(self._session.close(code, reason))
