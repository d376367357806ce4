"""WebSockets (RFC 6455), on any transport that speaks the messages of ASGI."""

from collections.abc import AsyncIterator, Callable, MutableMapping
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, overload

from demijohn.errors import BadRequest, DemijohnError
from demijohn.http.connection import Connection
from demijohn.http.headers import Raw, encode_lines
from demijohn.http.request import read_json
from demijohn.schema import json_decoder, to_json
from demijohn.types import HeadersLike, Receive, Scope, Send

if TYPE_CHECKING:
    from demijohn.http.response import Response

__all__ = ["SocketState", "WebSocket", "WebSocketDisconnect"]

T = TypeVar("T")
State = Literal["connecting", "open", "closed"]
Message = MutableMapping[str, Any]


class WebSocketDisconnect(Exception):
    """The socket is closed: the client left, or a message of its was refused.

    Args:
        code: As in RFC 6455, section 7.4; 1005 where the client gave none, 1006 where it just vanished.
        reason: What it said.
    """

    def __init__(self, code: int = 1005, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"closed with {code}" + (f": {reason}" if reason else ""))


class SocketState(DemijohnError):
    """Something was asked of a socket that it cannot do now."""

    code = "DJN-308"


class WebSocket(Connection):
    """A WebSocket: accept it, then send and receive.

    Args:
        scope: Of ASGI, or what a transport makes like it.
        receive: Gives the next message.
        send: Takes a message.

    Example:
        @app.websocket("/echo")
        async def echo(ws: WebSocket):
            await ws.accept()
            async for message in ws:
                await ws.send_text(f"You said {message!r}")
    """

    __slots__ = ("_close_code", "_receive", "_room", "_room_at", "_send", "_state", "subprotocol", "subprotocols")

    method: ClassVar[str] = "GET"
    subprotocols: list[str]
    """What the client offers, the most wanted first."""
    subprotocol: str | None
    """What was agreed on, after `accept`."""

    _lazy: ClassVar[dict[str, Callable[[Any], Any]]] = Connection._lazy | {"subprotocol": lambda self: None}

    def __init__(self, scope: Scope, *, receive: Receive, send: Send) -> None:
        headers: Raw = scope["headers"] if isinstance(scope["headers"], list) else list(scope["headers"])
        path: str = scope["path"]
        super().__init__(path, scope.get("raw_path") or b"", scope.get("query_string") or b"", headers)
        self.scheme = scope.get("scheme", "ws")
        self.http_version = scope.get("http_version", "1.1")
        self.root_path = scope.get("root_path", "")
        self.client = _pair(scope.get("client"))
        self.server = _pair(scope.get("server"))
        self.scope = scope
        self.subprotocols = list(scope.get("subprotocols") or ())
        self._receive = receive
        self._send = send
        self._state: State = "connecting"
        self._close_code: tuple[int, str] | None = None
        self._room: float | None = None
        self._room_at = 0.0

    @property
    def state(self) -> State:
        """`connecting` before it is accepted, `open`, or `closed`."""
        return self._state

    async def accept(self, subprotocol: str | None = None, *, headers: HeadersLike = ()) -> None:
        """Accept the socket.

        Args:
            subprotocol: One of those that the client offers.
            headers: Further headers of the answer, cookies among them.

        Raises:
            SocketState: It was accepted or closed before, or the client did not offer the subprotocol.
            BadHeader: A header would break out of its line.
            WebSocketDisconnect: The client has left.
        """
        if self._state != "connecting":
            raise self._wrong("accept() was called", "it can be accepted once, before anything else")
        if subprotocol is not None and subprotocol not in self.subprotocols:
            raise SocketState(
                f"accept() was given the subprotocol {subprotocol!r}.",
                why=f"The client offers {self.subprotocols or 'none'}, and browsers refuse any other.",
                fix='Choose among them:  await ws.accept("chat" if "chat" in ws.subprotocols else None)',
            )
        lines = encode_lines(headers)
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise self._left(message)
        self.subprotocol = subprotocol
        self._state = "open"
        await self._give({"type": "websocket.accept", "subprotocol": subprotocol, "headers": lines})

    async def deny(self, response: "Response | None" = None) -> None:
        """Refuse the socket with an ordinary response, or with 403.

        Where the server cannot send a response to a handshake the client gets 403 in any case.

        Raises:
            SocketState: It was accepted or closed before.
        """
        if self._state != "connecting":
            raise self._wrong("deny() was called", "it can be refused only before it is accepted")
        self._state = "closed"
        scope = self.scope
        extensions = (scope.get("extensions") or {}) if scope is not None else {}
        if response is None or "websocket.http.response" not in extensions:
            await self._give({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        start = {
            "type": "websocket.http.response.start",
            "status": response.status,
            "headers": response.header_lines(),
        }
        await self._give(start)
        await self._give({"type": "websocket.http.response.body", "body": response.body})

    async def receive(self) -> str | bytes:
        """Wait for a message, text or bytes.

        Raises:
            WebSocketDisconnect: The client has left, its message is over `limits.message_size` (code 1009), or it sends
                more than `limits.message_rate` allows (code 1008).
            SocketState: The socket was not accepted, or closed by this side.
        """
        if self._state != "open":
            if self._close_code is not None:
                raise WebSocketDisconnect(*self._close_code)
            raise self._wrong("A message was waited for", "messages come while it is open")
        message = await self._receive()
        kind = message["type"]
        if kind == "websocket.disconnect":
            raise self._left(message)
        if kind != "websocket.receive":
            raise SocketState(f"The server gave the message {kind!r}.", why="It is none of an open socket.")
        text: str | None = message.get("text")
        data: str | bytes = text if text is not None else message.get("bytes") or b""
        limit = self.limits.message_size
        # A character is four bytes at most: most texts need not be encoded to know.
        if len(data) > limit or (
            text is not None and len(text) * 4 > limit and not text.isascii() and len(text.encode()) > limit
        ):
            raise await self._shut(1009, "message too big")
        if self.limits.message_rate is not None and not self._has_room(*self.limits.message_rate):
            raise await self._shut(1008, "too many messages")
        return data

    def _has_room(self, quota: int, window: float) -> bool:
        """Count a message in a bucket that holds the quota and refills evenly."""
        now = monotonic()
        room = quota if self._room is None else min(quota, self._room + (now - self._room_at) * quota / window)
        allowed = room >= 1
        self._room, self._room_at = room - allowed, now
        return allowed

    async def _shut(self, code: int, reason: str) -> WebSocketDisconnect:
        await self.close(code, reason)
        self._close_code = (code, reason)
        return WebSocketDisconnect(code, reason)

    async def receive_text(self) -> str:
        """Wait for a message of text.

        Raises:
            BadRequest: It is bytes.
            WebSocketDisconnect: The client has left.
        """
        message = await self.receive()
        if isinstance(message, str):
            return message
        raise BadRequest("A message of text is expected.")

    async def receive_bytes(self) -> bytes:
        """Wait for a message of bytes.

        Raises:
            BadRequest: It is text.
            WebSocketDisconnect: The client has left.
        """
        message = await self.receive()
        if isinstance(message, bytes):
            return message
        raise BadRequest("A message of bytes is expected.")

    @overload
    async def receive_json(self) -> Any: ...
    @overload
    async def receive_json(self, type: type[T]) -> T: ...
    async def receive_json(self, type: type[T] | None = None) -> T | Any:  # noqa: A002 - what it will be
        """Wait for a message that is JSON, text or bytes.

        Args:
            type: What it is to be; it is validated. Without it the value is whatever JSON holds.

        Raises:
            MalformedBody: It is no JSON, or nested too deep.
            ValidationFailed: It is not of that type; all errors are in it.
            WebSocketDisconnect: The client has left.

        Example:
            move = await ws.receive_json(Move)
        """
        message = await self.receive()
        if type is not None:
            return json_decoder(type)(message.encode() if isinstance(message, str) else message)
        return read_json(message, what="The message", depth=self.limits.json_depth)

    async def iter_json(self, type: type[T]) -> AsyncIterator[T]:  # noqa: A002 - what each will be
        """Iterate over messages that are JSON of a type, until the client leaves.

        What is none closes the socket with 1007, as long as the handler lets the exception pass.

        Raises:
            MalformedBody: A message is no JSON.
            ValidationFailed: A message is not of that type; all errors are in it.

        Example:
            async for move in ws.iter_json(Move):
                await ws.send_json(board.after(move))
        """
        decode = json_decoder(type)
        async for message in self:
            yield decode(message.encode() if isinstance(message, str) else message)

    async def send_text(self, text: str) -> None:
        """Send text.

        Raises:
            WebSocketDisconnect: The client has left.
            SocketState: The socket was not accepted, or closed by this side.
        """
        self._check_open("Text was sent")
        await self._give({"type": "websocket.send", "text": text})

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            WebSocketDisconnect: The client has left.
            SocketState: The socket was not accepted, or closed by this side.
        """
        self._check_open("Bytes were sent")
        await self._give({"type": "websocket.send", "bytes": data})

    async def send_json(self, value: Any, *, binary: bool = False) -> None:
        """Send a value as JSON (Any: what the encoder knows).

        It goes as text unless `binary` is asked for.

        Raises:
            WebSocketDisconnect: The client has left.
            SocketState: The socket was not accepted, or closed by this side.
        """
        data = to_json(value)
        if binary:
            await self.send_bytes(data)
        else:
            await self.send_text(data.decode())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket.

        One that is closed already stays so, and one that was not accepted is refused.

        Args:
            code: 1000, 1001 to 1014 as in RFC 6455, or 3000 to 4999 for your own.
            reason: At most 123 bytes of UTF-8; what is longer is cut.

        Raises:
            SocketState: The code is none that may be sent.
        """
        if not (code in (1000, 1001, 1002, 1003) or 1007 <= code <= 1014 or 3000 <= code <= 4999):
            raise SocketState(
                f"close() was given the code {code}.",
                why="Sent are 1000 to 1003, 1007 to 1014 and, for your own, 3000 to 4999 (RFC 6455, section 7.4).",
                fix="Write one of them:  await ws.close(4000, reason)",
            )
        if self._state == "closed":
            return
        self._state = "closed"
        reason = reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore")
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
            self._disconnected = True

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Iterate over the messages until the client leaves."""
        try:
            while True:
                yield await self.receive()
        except WebSocketDisconnect:
            return

    def _check_open(self, what: str) -> None:
        if self._state == "open":
            return
        if self._close_code is not None:
            raise WebSocketDisconnect(*self._close_code)
        raise self._wrong(what, "messages go out while it is open")

    def _wrong(self, what: str, why: str) -> SocketState:
        fix = "Call it first:  await ws.accept()" if self._state == "connecting" else "Stop after close()."
        return SocketState(f"{what} on a socket that is {self._state}.", why=f"{why[0].upper()}{why[1:]}.", fix=fix)

    def _left(self, message: Message) -> WebSocketDisconnect:
        self._state = "closed"
        self._disconnected = True
        code, reason = message.get("code", 1005), message.get("reason") or ""
        self._close_code = (code, reason)
        return WebSocketDisconnect(code, reason)

    async def _give(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:
            # As ASGI has it: the client is gone.
            raise self._left({"code": 1006}) from None

    def __repr__(self) -> str:
        return f"<WebSocket {self.path} {self._state}>"


def _pair(value: Any) -> tuple[str, Any] | None:
    return None if value is None else (value[0], value[1])
