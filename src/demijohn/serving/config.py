"""What a server can be told: where to listen, how many workers, how much and how long."""

from typing import TypeAlias

import msgspec

from demijohn.errors import ConfigurationError

__all__ = ["TLS", "Capacity", "Recycling", "ServerConfig", "Timeouts"]

KiB = 1024
MiB = 1024 * KiB

Bind: TypeAlias = str | tuple[str, ...]
"""One address or several: `127.0.0.1:8000`, `[::1]:8000`, `unix:/run/app.sock`, `fd:3`, `systemd`."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long a client, a handler or a worker may take, in seconds.

    `None` switches a limit off where it is allowed.
    """

    headers: float = 10.0
    """From the first byte of a request (or the connection) to the end of its headers. Over it: 408, or just closed."""
    body: float = 30.0
    """From the headers to the end of a body that the server collects before the handler starts (64 KiB)."""
    body_grace: float = 10.0
    """Waiting for a body of any size: after this long it must have come at `body_rate` on average. Over it: 408."""
    body_rate: float = 500.0
    """Bytes per second that a body, or a client that reads a response, has to keep up."""
    keep_alive: float = 75.0
    """An idle connection is kept this long: more than the 60 seconds of the usual proxies and balancers."""
    request: float | None = None
    """From the start of the handler to its response. Over it the handler is cancelled and the answer is 503."""
    send: float = 60.0
    """A client that does not read: its connection is cut after this long."""
    linger: float = 5.0
    """After an early answer, the rest of the request is thrown away this long, so that the answer arrives."""
    grace: float = 30.0
    """At shutdown, requests in flight may take this long to finish."""
    stream_grace: float = 1.0
    """At shutdown, event streams and WebSockets may take this long to say good-bye by themselves."""
    startup: float = 60.0
    """A worker has to be ready within this time."""
    hang: float | None = 30.0
    """A worker whose event loop has not turned for this long is killed and replaced."""


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """How much one worker takes on at once. Sizes are bytes."""

    requests: int = 1024
    """Requests that are being answered at once; open streams do not count. Over it: 503 with `Retry-After`."""
    connections: int = 8192
    """Open connections, WebSockets included. Over it the oldest idle one is closed, or the new one refused with 503."""
    header_size: int = 16 * KiB
    """All headers of a request together. Over it: 431."""
    header_count: int = 100
    """Header lines of a request. Over it: 431."""
    target_size: int = 8 * KiB
    """The request target (path and query). Over it: 414."""
    body_size: int | None = None
    """A hard limit for every body, whatever a route allows. Over it: 413. The app's own limits come below."""
    backlog: int = 2048
    """Connections that wait in the kernel to be accepted."""
    message_size: int = 16 * MiB
    """One WebSocket message; the app's own limit comes below."""


class TLS(msgspec.Struct, frozen=True, kw_only=True):
    """Certificate and key for https. Most sites leave this to a proxy in front."""

    certificate: str
    """Path of the certificate chain, PEM."""
    key: str | None = None
    """Path of the private key, PEM; `None` where the certificate file holds it."""
    password: str | None = None
    """Of the private key."""
    client_ca: str | None = None
    """Path of the authorities that client certificates must come from; `None` asks clients for none."""
    ciphers: str | None = None
    """In OpenSSL's notation; `None` for its defaults."""

    def __repr__(self) -> str:
        return f"TLS(certificate={self.certificate!r}, key={self.key!r})"


class Recycling(msgspec.Struct, frozen=True, kw_only=True):
    """When a worker is replaced by a fresh one, without losing a request."""

    max_requests: int | None = None
    """After so many requests, plus up to a tenth at random so that workers do not all go at once."""
    max_rss: int | None = None
    """When it holds more resident memory than this, in bytes."""


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a server can be told.

    The defaults serve on the loopback address, port 8000, with one worker.

    Example:
        >>> ServerConfig(bind="0.0.0.0:80", workers=4).binds
        ('0.0.0.0:80',)
    """

    bind: Bind = "127.0.0.1:8000"
    workers: int = 1
    """Processes. One is served in this process, without a supervisor, unless `supervised` says otherwise."""
    supervised: bool | None = None
    """Keep a supervisor even for one worker: it replaces a dead one and reloads at SIGHUP."""
    start_method: str = "auto"
    """How workers come to be: `fork`, `spawn`, or `auto` (fork on Linux). Spawned ones import everything afresh."""
    capacity: Capacity = Capacity()
    timeouts: Timeouts = Timeouts()
    recycling: Recycling = Recycling()
    tls: TLS | None = None
    root_path: str = ""
    """The prefix under which a proxy shows the app; it is taken off where the proxy leaves it on."""
    access_log: bool = False
    """Log one line for each response (`demijohn.access`)."""
    http2: bool = False
    """Speak HTTP/2 as well, by uvicorn's own implementation (the extra `http2`), through the app's ASGI side."""
    compress_websockets: bool = True
    """Offer permessage-deflate (RFC 7692)."""
    ping_interval: float | None = 20.0
    """Seconds between the pings that keep WebSockets alive; the client has as long to answer."""
    reuse_port: bool = False
    """Give each worker a listening socket of its own (`SO_REUSEPORT`) instead of a shared one."""
    unix_mode: int = 0o660
    """Permissions of Unix sockets."""
    loop: str = "auto"
    """`auto` (uvloop where there is one), `uvloop` or `asyncio`."""
    block_warning: float | None = 1.0
    """Log where the event loop is blocked once it has not turned for this many seconds; `None` never."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigurationError(
                f"A server was asked for with workers={self.workers}.",
                why="At least one process has to serve.",
                fix="Write:  ServerConfig(workers=1)",
                code="DJN-503",
            )
        if self.root_path and (not self.root_path.startswith("/") or self.root_path.endswith("/")):
            raise ConfigurationError(
                f"The root path {self.root_path!r} was given.",
                why="It begins with a slash and does not end with one.",
                fix=f'Write:  ServerConfig(root_path="/{self.root_path.strip("/")}")',
                code="DJN-503",
            )
        if self.start_method not in ("auto", "fork", "spawn"):
            raise ConfigurationError(
                f"The start method {self.start_method!r} was asked for.",
                why="Known are 'auto', 'fork' and 'spawn'.",
                fix='Write:  ServerConfig(start_method="auto")',
                code="DJN-503",
            )
        if self.loop not in ("auto", "uvloop", "asyncio"):
            raise ConfigurationError(
                f"The event loop {self.loop!r} was asked for.",
                why="Known are 'auto', 'uvloop' and 'asyncio'.",
                fix='Write:  ServerConfig(loop="auto")',
                code="DJN-503",
            )

    @property
    def binds(self) -> tuple[str, ...]:
        """The addresses, always as a tuple."""
        return (self.bind,) if isinstance(self.bind, str) else self.bind

    @property
    def is_supervised(self) -> bool:
        """Whether workers run below a supervisor."""
        return self.workers > 1 if self.supervised is None else self.supervised
