"""One process that serves: loads the app, starts its server, obeys signals, and tells its supervisor how it is."""

import asyncio
import gc
import logging
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from demijohn._lib.watchdog import Watchdog
from demijohn.app import Settings
from demijohn.app.logs import set_up_logging
from demijohn.serving.broken import describe_error
from demijohn.serving.config import ServerConfig
from demijohn.serving.server import Server
from demijohn.serving.websockets import load_websockets

__all__ = [
    "BROKEN",
    "FAILED",
    "HEARTBEAT",
    "MODULES",
    "READY",
    "RECYCLE",
    "Loader",
    "Worker",
    "load",
    "loop_factory",
    "run_server",
]

logger = logging.getLogger("demijohn.server")

Loader: TypeAlias = Callable[[], Any]
"""Imports and returns the app (Any: the server knows no more of it than `ServedApp`)."""

BROKEN: Final = 3
"""The exit code of a process whose app could not be loaded or started."""

# What a worker writes into its pipe.
READY: Final = b"R"
HEARTBEAT: Final = b"H"
RECYCLE: Final = b"C"
FAILED: Final = b"F"
MODULES: Final = b"M"
"""Followed by the names of the loaded modules and a line feed."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def load(target: Any) -> Any:
    """Return the app: the target itself, or what it returns when it is a loader (Any: either)."""
    if hasattr(target, "handle"):
        return target
    return target()


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop of that name; `auto` is uvloop where there is one."""
    if name != "asyncio":
        try:
            import uvloop
        except ImportError:
            if name == "uvloop":
                raise
        else:
            factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
            return factory
    return asyncio.new_event_loop


class Worker:
    """What runs in a serving process.

    Args:
        target: An app, or a loader that returns one (Any: either).
        config: The configuration of the server.
        sockets: The listening sockets.
        channel: The file descriptor of the pipe to the supervisor, if there is one.
        alive: A file descriptor that ends when the supervisor does.
    """

    def __init__(
        self,
        target: Any,
        config: ServerConfig,
        *,
        sockets: Sequence[socket.socket] | None = None,
        channel: int | None = None,
        alive: int | None = None,
    ) -> None:
        self._target = target
        self._config = config
        self._sockets = None if sockets is None else list(sockets)
        self._channel = channel
        self._alive = alive
        self._signals = 0
        self._is_recycling = False
        self._stop: asyncio.Event | None = None
        self._server: Server | None = None
        limit = config.recycling.max_requests
        self._max_requests = None if limit is None else limit + random.randint(0, max(1, limit // 10))  # noqa: S311

    def run(self, show_error: Callable[[BaseException], Any] | None = None) -> int:
        """Serve until a signal ends it, and return the exit code.

        Args:
            show_error: Makes an app that is served where the real one cannot be loaded or started (Any: an app).
        """
        with asyncio.Runner(loop_factory=loop_factory(self._config.loop)) as runner:
            return runner.run(self._serve(show_error))

    async def _serve(self, show_error: Callable[[BaseException], Any] | None) -> int:
        loop = asyncio.get_running_loop()
        self._stop = stop = asyncio.Event()
        self._listen_to_signals(loop)
        try:
            app = load(self._target)
            settings = getattr(app, "settings", None)
            if isinstance(settings, Settings):
                set_up_logging(settings)
            server = await self._begin(app)
        except (Exception, SystemExit) as error:
            if show_error is None:
                report(error)
                self._tell(FAILED)
                return BROKEN
            server = await self._begin(show_error(error))
        if self._alive is not None:
            loop.add_reader(self._alive, self._orphaned)
        watchdog = None
        if self._config.block_warning is not None:
            watchdog = Watchdog(loop, threshold=self._config.block_warning, progress=self._done)
            watchdog.start()
        if self._channel is None:
            logger.info("Serving at %s", ", ".join(server.urls))
        # What was made until now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        self._tell(READY)
        if getattr(server.app, "serves_websockets", True):
            # Off the loop, and off the way to the first answer.
            threading.Thread(target=load_websockets, name="demijohn-loading").start()
        if show_error is not None:
            self._tell(MODULES + ",".join(sorted(sys.modules)).encode("utf-8", "replace") + b"\n")
        beating = loop.create_task(self._beat())
        try:
            await stop.wait()
        finally:
            beating.cancel()
            if self._alive is not None:
                loop.remove_reader(self._alive)
            await server.stop()
            if watchdog is not None:
                watchdog.stop()
        return 0

    async def _begin(self, app: Any) -> Server:
        self._server = server = Server(app, self._config)
        await server.start(sockets=self._sockets)
        return server

    def _listen_to_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        is_supervised = self._channel is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            if is_supervised and number == signal.SIGINT:
                # Ctrl-C reaches the whole group; the supervisor decides what it means.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                continue
            try:
                loop.add_signal_handler(number, self._end)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._end))
        if is_supervised and hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _end(self) -> None:
        """Take a signal: the first ends gracefully, the second hurries."""
        self._signals += 1
        if self._stop is not None:
            self._stop.set()
        if self._signals > 1 and self._server is not None:
            self._server.hurry()

    def _orphaned(self) -> None:
        """Note that the supervisor is gone, which nobody else would."""
        if self._alive is not None:
            asyncio.get_running_loop().remove_reader(self._alive)
        logger.warning("The supervisor is gone; ending")
        self._end()

    async def _beat(self) -> None:
        """Tell the supervisor that the loop turns, and when it is time for a fresh worker."""
        while True:
            await asyncio.sleep(1.0)
            self._tell(HEARTBEAT)
            if not self._is_recycling and self._is_worn():
                self._is_recycling = True
                if self._channel is None:
                    self._end()
                else:
                    self._tell(RECYCLE)

    def _done(self) -> int:
        """Return a number that grows with what is done."""
        hub = None if self._server is None else self._server.hub
        return 0 if hub is None else hub.served + hub.accepted

    def _is_worn(self) -> bool:
        hub = None if self._server is None else self._server.hub
        if hub is None:
            return False
        if self._max_requests is not None and hub.served >= self._max_requests:
            logger.info("Worker %d has served %d requests", os.getpid(), hub.served)
            return True
        limit = self._config.recycling.max_rss
        if limit is not None and resident_memory() > limit:
            logger.info("Worker %d holds %d MiB", os.getpid(), resident_memory() // 1024**2)
            return True
        return False

    def _tell(self, message: bytes) -> None:
        if self._channel is not None:
            try:
                os.write(self._channel, message)
            except OSError:
                pass


def resident_memory() -> int:
    """Return the resident memory of this process in bytes; 0 where it cannot be told."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def report(error: BaseException) -> None:
    """Log why an app could not be started, without the framework's own frames."""
    logger.error("The app could not be started.\n%s", describe_error(error))


def run_server(target: Any, config: ServerConfig) -> int:
    """Serve in this process, without a supervisor, and return the exit code (Any: an app or a loader)."""
    return Worker(target, config).run()
