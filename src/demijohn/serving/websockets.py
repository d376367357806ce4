"""WebSockets and HTTP/2: connections that are handed to uvicorn's protocols, loaded when the first one comes."""

from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any

from demijohn.errors import ConfigurationError
from demijohn.http import Request

if TYPE_CHECKING:
    from demijohn.serving.connection import Connection
    from demijohn.serving.hub import Hub

__all__ = ["install_http2", "install_upgrade", "load_websockets"]


_PORTION = 4 * 1024
"""Bytes that are read before looking at the time."""
_MOMENT = 0.005
"""Seconds that one read of one client may take from the others."""
_FRAGMENTS = 16 * 1024
_BAD_HANDSHAKE = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class _Foreign:
    """uvicorn's configuration and state for one hub, made when they are first needed."""

    def __init__(self, hub: "Hub", config: Any = None, server_state: Any = None) -> None:
        self._hub = hub
        self._config = config
        self._state = server_state

    def ready(self) -> tuple[Any, Any]:
        """Return the configuration and the state (Any: uvicorn's)."""
        if self._config is None:
            from uvicorn.config import Config
            from uvicorn.server import ServerState

            ours = self._hub.config
            config = Config(
                self._hub.app,
                interface="asgi3",
                lifespan="off",
                log_config=None,
                proxy_headers=False,
                server_header=False,
                root_path=ours.root_path,
                ws_max_size=ours.capacity.message_size,
                ws_ping_interval=ours.ping_interval,
                ws_ping_timeout=ours.ping_interval,
                ws_per_message_deflate=ours.compress_websockets,
                timeout_keep_alive=int(ours.timeouts.keep_alive),
                http="zttp" if ours.http2 else "h11",
                http2=ours.http2,
            )
            config.load()
            state = ServerState()
            state.connections = self._hub.sockets
            state.tasks = self._hub.tasks
            self._config, self._state = config, state
        return self._config, self._state


def install_upgrade(hub: "Hub", *, config: Any = None, server_state: Any = None) -> None:
    """Let connections of a hub become WebSockets (Any: uvicorn's own objects where it is the server)."""
    foreign = _Foreign(hub, config, server_state)

    def upgrade(connection: "Connection", request: Request, data: bytes) -> None:
        config, state = foreign.ready()
        protocol = _websocket_class()(config=config, server_state=state, app_state={}, _loop=hub.loop)
        protocol.connection_made(connection.transport)
        protocol.client, protocol.server = request.client, request.server
        protocol.scheme = "wss" if request.scheme == "https" else "ws"
        connection.hand_over(protocol, _head_of(request))
        if data:
            protocol.data_received(data)

    hub.upgrade = upgrade


def install_http2(hub: "Hub") -> None:
    """Let connections of a hub speak HTTP/2.

    Raises:
        ConfigurationError: uvicorn's implementation needs a package that is not installed.
    """
    try:
        from uvicorn.protocols.http.zttp_h2_impl import ZttpH2Protocol
    except ImportError as error:
        raise ConfigurationError(
            "HTTP/2 was asked for, and the package 'zttp' is not installed.",
            why="uvicorn's implementation of HTTP/2 is built on it.",
            fix='Install it:  pip install "demijohn[http2]"     or leave it out:  ServerConfig(http2=False)',
            code="DJN-505",
        ) from error
    foreign = _Foreign(hub)

    def upgrade(connection: "Connection", data: bytes) -> None:
        config, state = foreign.ready()
        protocol: Any = ZttpH2Protocol(config=config, server_state=state, app_state={}, _loop=hub.loop)
        protocol.connection_made(connection.transport)
        connection.hand_over(protocol, data)

    hub.upgrade_http2 = upgrade


@cache
def _websocket_class() -> Any:
    """Return our form of uvicorn's class.

    It says 1001 (going away) when the server goes, reads no frame before the handshake is answered, and reads what one
    client sends at once in portions: a quarter of a megabyte of tiny frames takes half a second to read.
    """
    from uvicorn.protocols.utils import ClientDisconnected
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    class WebSocketProtocol(WebSocketsSansIOProtocol):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.held = b""
            self.is_due = False
            self.is_closed_by_app = False

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            if self.held or (self.handshake_initiated and not self.handshake_complete):
                self.held += data
                self.transport.pause_reading()
                return
            self.take(data)
            if not self.handshake_initiated and not self.transport.is_closing():
                # The head came whole, and was not understood: it has a body, or a line too long for this parser.
                self.handshake_complete = self.close_sent = True
                self.transport.write(_BAD_HANDSHAKE)
                self.transport.close()

        def take(self, data: bytes) -> None:
            """Read for a moment; what is left has to wait for the others, and for the app to take its messages."""
            if len(data) <= _PORTION:
                super().data_received(data)
                return
            until = monotonic() + _MOMENT  # uvloop does not move its own clock within one turn
            place = 0
            while place < len(data) and not self.transport.is_closing():
                if place and monotonic() > until:
                    self.held = data[place:]
                    self.transport.pause_reading()
                    self.go_on()
                    return
                super().data_received(data[place : place + _PORTION])
                place += _PORTION

        def go_on(self) -> None:
            if self.held and self.handshake_complete and self.queue.empty() and not self.is_due:
                self.is_due = True
                self.loop.call_soon(self.take_held)

        def take_held(self) -> None:
            self.is_due = False
            data, self.held = self.held, b""
            if self.transport.is_closing():
                return
            self.take(data)
            if not self.held and not self.read_paused:
                self.transport.resume_reading()

        def handle_cont(self, event: Any) -> None:
            super().handle_cont(event)
            if len(self.frames) > _FRAGMENTS and not self.close_sent:
                # The size of a message is bounded by its bytes, and fragments may have none.
                self.conn.fail(1009, "There are too many fragments.")
                self.handle_parser_exception()

        def send_receive_event_to_app(self) -> None:
            """Hand a message over as uvicorn does; that a client's text is none is no failure to be logged."""
            if self.curr_msg_data_type == "text" and not self.close_sent:
                data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
                try:
                    text = bytes(data).decode()
                except UnicodeDecodeError:
                    self.frames = []
                    self.conn.fail(1007)  # sends nothing where a close frame came behind it already
                    self.handle_parser_exception()
                    return
                self.frames = []
                self.queue.put_nowait({"type": "websocket.receive", "text": text})
                if not self.read_paused:
                    self.read_paused = True
                    self.transport.pause_reading()
                return
            super().send_receive_event_to_app()

        async def receive(self) -> Any:
            message = await super().receive()
            if self.held and not self.transport.is_closing():
                self.transport.pause_reading()
                self.go_on()
            return message

        async def send(self, message: Any) -> None:
            if self.close_sent and not self.is_closed_by_app and self.initial_response is None:
                # Closed for what the client sent, or since the server goes: the app could not know.
                raise ClientDisconnected
            if message["type"] == "websocket.close":
                self.is_closed_by_app = True
            await super().send(message)
            self.go_on()
            if self.initial_response is not None and self.close_sent:
                # Refused with a response, which uvicorn would take for no answer at all.
                self.handshake_complete = True

        def shutdown(self) -> None:
            self.stop_keepalive()
            if not self.handshake_complete:
                self.send_500_response()
            elif not self.close_sent:
                self.close_sent = True
                self.queue.put_nowait({"type": "websocket.disconnect", "code": 1001})
                self.conn.send_close(1001)
                self.transport.write(b"".join(self.conn.data_to_send()))
            if self.close_timer is not None:
                self.close_timer.cancel()
                self.close_timer = None
            self.transport.close()

    return WebSocketProtocol


def _head_of(request: Request) -> bytes:
    """Write the head of a request again: root path and absolute targets are settled in it."""
    query = b"?" + request.query_string if request.query_string else b""
    lines = [b"%b: %b\r\n" % pair for pair in request.raw_headers]
    return b"GET %b%b HTTP/1.1\r\n%b\r\n" % (request.raw_path, query, b"".join(lines))


def load_websockets() -> None:
    """Load what the first WebSocket would have to wait for."""
    _websocket_class()
