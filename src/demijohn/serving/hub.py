"""What the connections of one server share: the app, the caches, the counts and the clock."""

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence
from time import perf_counter
from typing import Any, Final, Protocol

from demijohn.app.logs import find_handler
from demijohn.http import Request
from demijohn.serving.config import ServerConfig
from demijohn.serving.head import HeadReader
from demijohn.serving.overload import Overload
from demijohn.serving.writer import Writer

__all__ = ["Hub", "ServedApp", "logger"]

logger = logging.getLogger("demijohn.server")
access_logger = logging.getLogger("demijohn.access")


class ServedApp(Protocol):
    """What the server needs of an app; `demijohn.App` is one.

    It may also have `default_headers` (pairs of bytes), `startup` and `shutdown` (coroutine functions), `drain`
    (a function that tells streams to end), `serves_websockets` (whether to load what those need ahead), and be an ASGI
    app, for WebSockets and HTTP/2.
    """

    @property
    def handle(self) -> Callable[[Request, Any], Coroutine[Any, Any, None]]:
        """Return the coroutine that answers a request and calls `send` once (Any: `send` may return an awaitable)."""
        raise NotImplementedError


_OTHER_FILES: Final = 64
"""Open files that are left to the app: databases, logs, templates."""


def _files_allowed() -> int:
    """Return how many files this process may have open."""
    try:
        import resource
    except ImportError:  # Windows
        return 1 << 30
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 30 if allowed == resource.RLIM_INFINITY else max(allowed, 2 * _OTHER_FILES)


class Hub:
    """The middle of one server in one process.

    Attributes are plain, since every request reads some of them.
    """

    def __init__(
        self,
        app: Any,
        config: ServerConfig,
        loop: asyncio.AbstractEventLoop,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        timeouts, capacity = config.timeouts, config.capacity
        self.app = app
        self.handle: Callable[[Request, Any], Coroutine[Any, Any, None]] = app.handle
        self.config = config
        self.timeouts = timeouts
        self.capacity = capacity
        self.loop = loop
        self.reader = HeadReader(
            header_size=capacity.header_size,
            header_count=capacity.header_count,
            target_size=capacity.target_size,
            root_path=config.root_path,
        )
        self.writer = Writer(getattr(app, "default_headers", []))
        self.connections: set[Any] = set()
        """Connections that speak HTTP/1.1 (Any: uvicorn counts its own among them where it is the server)."""
        self.tasks: set[asyncio.Task[Any]] = set()
        self.sockets: set[Any] = set()
        """The WebSocket connections; their class is uvicorn's."""
        self.upgrade: Callable[[Any, Request, bytes], None] | None = None
        """Takes over a connection that wants to be a WebSocket, with its request and the bytes behind that."""
        self.upgrade_http2: Callable[[Any, bytes], None] | None = None
        """Takes over a connection that speaks HTTP/2 in the clear."""
        self.access_log = config.access_log
        self.log_handler = find_handler() if config.access_log else None
        self.active = 0
        """Requests whose handler has begun and has not answered."""
        self.overload = Overload(sockets, sharers=1 if config.reuse_port else config.workers)
        self.accepted = 0
        """Connections that were accepted, ever."""
        self.served = 0
        """Requests that a handler answered, ever."""
        self.refused = 0
        """Requests that were refused by the server itself, ever."""
        self.is_draining = False
        self.is_plain = True
        """Whether responses may take the short way: connections stay."""
        self.max_active = capacity.requests
        self.max_connections = min(capacity.connections, _files_allowed() - _OTHER_FILES)
        self.keep_alive = timeouts.keep_alive
        self.clock = loop.time()
        """The time of the loop as of the last tick; good to half a second."""
        self.idle_until = self.clock + self.keep_alive
        """When a connection that is idle now is closed."""
        smallest = min(
            (
                value
                for value in (
                    timeouts.headers,
                    timeouts.body,
                    timeouts.body_grace,
                    timeouts.keep_alive,
                    timeouts.send,
                    timeouts.linger,
                    timeouts.request,
                )
                if value
            ),
            default=1.0,
        )
        self.interval = max(0.02, min(0.5, smallest / 4))
        self._timer: asyncio.TimerHandle | None = None
        self.on_tick: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to tick."""
        if self._timer is None:
            self._tick()

    def stop(self) -> None:
        """Stop ticking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.log_handler is not None:
            self.log_handler.write_out()

    def _tick(self) -> None:
        now = self.clock = self.loop.time()
        self.idle_until = now + self.keep_alive
        interval = self.overload.tick(now, answered=self.served, interval=self.interval)
        self.max_active = -1 if self.overload.is_there else self.capacity.requests
        self._timer = self.loop.call_later(interval, self._tick)
        self.writer.tick()
        if self.log_handler is not None:
            self.log_handler.write_out()
        # A copy: what runs out of time leaves the set.
        for connection in [each for each in self.connections if each.deadline <= now]:
            try:
                connection.expire(now)
            except Exception:
                logger.exception("A connection could not be ended")
                connection.abort()
        if self.on_tick is not None:
            self.on_tick()

    def admits(self) -> bool:
        """Return whether one more request may begin; asked only where the simple count says no."""
        return self.active < self.capacity.requests and self.overload.admits()

    def make_room(self) -> bool:
        """Return whether one more connection fits, after closing the idle one that has waited longest if need be."""
        if len(self.connections) + len(self.sockets) < self.max_connections:
            return True
        idle = [each for each in self.connections if each.is_idle]
        if not idle:
            return False
        min(idle, key=lambda each: each.deadline).close()
        return True

    def log_access(self, request: Request | None, status: int, size: int, *, heard_at: float) -> None:
        """Log one line for a response."""
        if request is None:
            return
        handler = self.log_handler
        if handler is not None and handler.add_access(request, status, size, seconds=perf_counter() - heard_at):
            return
        client = request.client
        query = request.query_string.decode("latin-1")
        access_logger.info(
            '%s "%s %s%s" %d %s %.1fms',
            client[0] if client else "-",
            request.method,
            request.raw_path.decode("latin-1"),
            f"?{query}" if query else "",
            status,
            size if size >= 0 else "-",
            (perf_counter() - heard_at) * 1000,
        )

    def drain(self) -> None:
        """Let each connection answer what is asked already, and no more."""
        self.is_draining = True
        self.is_plain = False
        for connection in list(self.connections):
            connection.end()

    def close_idle(self, *, fresh: bool) -> None:
        """Close connections on which nothing is asked; `fresh` ones, whose first request may be on its way, too."""
        for connection in [each for each in self.connections if each.is_idle]:
            if fresh or not connection.is_fresh:
                connection.close()

    def report(self, task: "asyncio.Task[Any]", request: Request, *, answered: bool) -> None:
        """Log what a request's task ended with, unless all is well."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            when = "after its response had begun" if answered else "without a response"
            logger.error("%s %s failed %s", request.method, request.path, when, exc_info=error)
        elif not answered and not task.cancelled():
            logger.error("%s %s ended without a response", request.method, request.path)
