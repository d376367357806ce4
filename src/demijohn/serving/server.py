"""One server in a running event loop."""

import asyncio
import logging
import os
import socket
import ssl
from types import TracebackType
from typing import Any, Final, Self

from demijohn.errors import ConfigurationError, DemijohnError
from demijohn.serving.config import TLS, ServerConfig
from demijohn.serving.connection import Connection
from demijohn.serving.hub import Hub
from demijohn.serving.sockets import describe, open_sockets, remove_unix_sockets
from demijohn.serving.websockets import install_http2, install_upgrade

__all__ = ["Server"]

logger = logging.getLogger("demijohn.server")

_ON_ITS_WAY: Final = 0.01
"""Seconds in which a request that a client has sent is surely here."""


class Server:
    """A server for one app, in the event loop that runs.

    It can be embedded in any program: several may live in one process, and each may take port 0 and tell the one
    that it got.

    Args:
        app: A `demijohn.App`, or anything with `handle(request, send)` (Any: floors below know no app).
        config: Where to listen and within which limits; `workers` has no meaning here.

    Example::

        async with Server(app, ServerConfig(bind="127.0.0.1:0")) as server:
            print(server.url)
            await asyncio.sleep(3600)
    """

    def __init__(self, app: Any, config: ServerConfig | None = None) -> None:
        self.app = app
        self.config = ServerConfig() if config is None else config
        self.sockets: list[socket.socket] = []
        self.hub: Hub | None = None
        self._owns_sockets = False
        self._servers: list[asyncio.AbstractServer] = []
        self._ended: asyncio.Event | None = None
        self._hurry: asyncio.Event | None = None

    async def start(self, *, sockets: list[socket.socket] | None = None, lifespan: bool = True) -> None:
        """Start the app, then listen.

        Args:
            sockets: Listening sockets that are open already; those of the configuration are opened otherwise.
            lifespan: Run the start-up and the shutdown of the app.

        Raises:
            CannotListen: An address cannot be listened on.
            DemijohnError: It runs already.
        """
        if self.hub is not None:
            raise DemijohnError(
                "A server was started twice.",
                why="It is running already.",
                fix="Make a second one:  Server(app, ServerConfig(bind='127.0.0.1:0'))",
                code="DJN-506",
            )
        loop = asyncio.get_running_loop()
        config = self.config
        context = None if config.tls is None else make_context(config.tls, http2=config.http2)
        self._owns_sockets = sockets is None
        self.sockets = open_sockets(config) if sockets is None else sockets
        self._lifespan = lifespan
        try:
            startup = getattr(self.app, "startup", None)
            if lifespan and startup is not None:
                await startup()
            self.hub = hub = Hub(self.app, config, loop, self.sockets)
            if callable(self.app):
                install_upgrade(hub)
                if config.http2:
                    install_http2(hub)
            hub.start()
            for sock in self.sockets:
                self._servers.append(await _listen(loop, sock, hub, context, config))
        except BaseException:
            self.hub = None
            for server in self._servers:
                server.close()
            self._servers = []
            if self._owns_sockets:
                self._close_sockets()
            raise

    @property
    def port(self) -> int:
        """The TCP port of the first address.

        Raises:
            DemijohnError: The server is not running, or listens on no TCP address.
        """
        for sock in self.sockets:
            name = sock.getsockname()
            if isinstance(name, tuple):
                return int(name[1])
        raise DemijohnError(
            "A server was asked for its port, and it listens on none.",
            why="It is not started yet, or uses a Unix socket.",
            fix="Start it first:  await server.start()",
            code="DJN-506",
        )

    @property
    def urls(self) -> list[str]:
        """The URLs it listens on; `unix:/path` for Unix sockets."""
        scheme = "http" if self.config.tls is None else "https"
        return [describe(sock, scheme=scheme) for sock in self.sockets]

    @property
    def url(self) -> str:
        """The first of its URLs."""
        return self.urls[0]

    def hurry(self) -> None:
        """Make a `stop` that is going on wait for nothing any more."""
        if self._hurry is not None:
            self._hurry.set()

    async def stop(self, *, grace: float | None = None) -> None:
        """Accept nothing new, tell streams, finish what is in flight, and shut down.

        Args:
            grace: Seconds for requests in flight; those of the configuration otherwise. Streams and WebSockets never
                hold it up longer than `timeouts.stream_grace`.
        """
        hub = self.hub
        if hub is None:
            return
        timeouts = self.config.timeouts
        loop = asyncio.get_running_loop()
        end = loop.time() + (timeouts.grace if grace is None else grace)
        self._hurry = asyncio.Event()
        for server in self._servers:
            server.close()
        self._close_sockets()
        drain = getattr(self.app, "drain", None)
        if drain is not None:
            drain()
        hub.drain()
        # What reached this machine before the end is still read.
        await asyncio.sleep(_ON_ITS_WAY)
        hub.close_idle(fresh=False)
        await self._wait(min(end, loop.time() + timeouts.stream_grace), endless_only=True)
        for connection in list(hub.connections):
            if connection.is_endless:
                connection.stop_stream(well=True)
        for protocol in list(hub.sockets):
            protocol.shutdown()
        hub.close_idle(fresh=True)
        await self._wait(end, endless_only=False)
        await self._cut(hub)
        hub.stop()
        self.hub = None
        self._servers = []
        shutdown = getattr(self.app, "shutdown", None)
        if self._lifespan and shutdown is not None:
            await shutdown()

    async def _wait(self, end: float, *, endless_only: bool) -> None:
        """Wait until nothing is left that is worth waiting for, or the time is over."""
        hub, hurry = self.hub, self._hurry
        if hub is None or hurry is None:
            return
        loop = asyncio.get_running_loop()
        pause = 0.002
        while not hurry.is_set() and loop.time() < end:
            if endless_only:
                is_done = not hub.sockets and not any(
                    each.is_endless or (each.is_idle and each.is_fresh) for each in hub.connections
                )
            else:
                is_done = not hub.connections and not hub.sockets and not hub.tasks
            if is_done:
                return
            try:
                await asyncio.wait_for(hurry.wait(), pause)
            except TimeoutError:
                pause = min(0.05, pause * 1.5)

    async def _cut(self, hub: Hub) -> None:
        """End what is still there: the time for it is over."""
        tasks = [task for task in hub.tasks if not task.done()]
        if tasks:
            logger.warning("%d request(s) were cut at shutdown", len(tasks))
            for connection in list(hub.connections):
                connection.stop_stream()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)
        for each in [*hub.connections, *hub.sockets]:
            each.transport.abort()
        # One turn for `connection_lost`.
        await asyncio.sleep(0)

    def _close_sockets(self) -> None:
        for sock in self.sockets:
            sock.close()
        if self._owns_sockets:
            remove_unix_sockets(self.config)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()


async def _listen(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    hub: Hub,
    context: ssl.SSLContext | None,
    config: ServerConfig,
) -> asyncio.AbstractServer:
    def connect() -> Connection:
        return Connection(hub)

    backlog = config.capacity.backlog
    if hasattr(socket, "AF_UNIX") and sock.family == socket.AF_UNIX:
        return await loop.create_unix_server(connect, sock=sock, ssl=context, backlog=backlog)
    return await loop.create_server(connect, sock=sock, ssl=context, backlog=backlog)


def make_context(tls: TLS, *, http2: bool = False) -> ssl.SSLContext:
    """Return the TLS context of a configuration: TLS 1.2 and newer, with ALPN.

    Raises:
        ConfigurationError: Certificate or key cannot be read, or do not fit.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key, tls.password)
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        if tls.ciphers is not None:
            context.set_ciphers(tls.ciphers)
    except (OSError, ssl.SSLError) as error:
        missing = [path for path in (tls.certificate, tls.key, tls.client_ca) if path and not os.path.exists(path)]
        reason = f"{error.strerror} ({', '.join(missing)})" if missing else str(error)
        raise ConfigurationError(
            f"The TLS certificate or key cannot be used: {reason}",
            why="The files have to exist, be PEM, be readable by this user, and belong together.",
            fix='Write:  TLS(certificate="/etc/ssl/site.pem", key="/etc/ssl/site.key")',
            code="DJN-507",
        ) from error
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    return context
