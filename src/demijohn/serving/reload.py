"""The development server: one process keeps the socket, one serves, one watches the files.

The process that keeps the socket has loaded the framework but never the app, and forks the serving one from itself: a
reload costs the import of the app and nothing else. While it lasts, connections wait in the socket.
"""

import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

from demijohn.serving.broken import BrokenApp, describe_error
from demijohn.serving.config import ServerConfig
from demijohn.serving.sockets import describe, open_sockets, remove_unix_sockets
from demijohn.serving.watching import watch_files
from demijohn.serving.websockets import load_websockets
from demijohn.serving.worker import MODULES, READY, Worker, load

__all__ = ["DevelopmentServer"]

logger = logging.getLogger("demijohn.server")

_PATIENCE: Final = 0.3
"""How long an old process may hold up the new one; after that both run for a moment."""
_KILL_AFTER: Final = 3.0
_FOR_CHILDREN: Final = (signal.SIGTERM, signal.SIGINT)


class DevelopmentServer:
    """Serves one app for its developer, and starts it anew whenever a file changes.

    Args:
        loader: Imports and returns the app (Any: the app).
        config: The configuration of the server.
        watch: Folders and files to watch; the working directory by default.
        suffixes: Files with these endings count.
        show_error: Makes the app that is served while the real one cannot be loaded (Any: an app for the server).
        warm: Called in the lasting process with the names of the modules that the app has loaded, to load those that
            never change, so that the next reload need not.
    """

    def __init__(
        self,
        loader: Callable[[], Any],
        config: ServerConfig,
        *,
        watch: Sequence[str | Path] = (),
        suffixes: Sequence[str] = (".py",),
        show_error: Callable[[BaseException], Any] | None = None,
        warm: Callable[[list[str]], None] | None = None,
    ) -> None:
        self._loader = loader
        self._config = config
        self._paths = [Path(path).resolve() for path in watch] or [Path.cwd()]
        self._suffixes = tuple(suffixes)
        self._show_error = show_error or BrokenApp
        self._warm = warm
        self._sockets: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._child = 0
        self._leaving: dict[int, float] = {}
        self._watcher = 0
        self._channel = -1
        self._held: dict[int, int] = {}
        """The pipes by whose end a serving process notices that this one is gone."""
        self._news = b""
        self._changes = -1
        self._changed = b""
        self._asked_at = 0.0

    def run(self) -> int:
        """Serve until Ctrl-C, and return the exit code."""
        self._sockets = open_sockets(self._config)
        scheme = "http" if self._config.tls is None else "https"
        for sock in self._sockets:
            logger.info("Serving at %s", describe(sock, scheme=scheme))
        waking, self._waker = os.pipe()
        for end in (waking, self._waker):
            os.set_blocking(end, False)
        self._selector.register(waking, selectors.EVENT_READ)
        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP]
        before = {number: signal.signal(number, self._note_signal) for number in numbers}
        waker_before = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        try:
            self._start()
            self._watch()
            return self._loop(waking)
        finally:
            for pid in (self._child, self._watcher, *self._leaving):
                if pid:
                    _end(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
            signal.set_wakeup_fd(waker_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            for sock in self._sockets:
                sock.close()
            remove_unix_sockets(self._config)

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _loop(self, waking: int) -> int:
        ends_at: float | None = None
        while True:
            for key, _ in self._selector.select(0.5 if self._leaving or ends_at else None):
                if key.fd == waking:
                    os.read(waking, 4096)
                elif key.fd == self._channel:
                    self._hear()
                elif key.fd == self._changes and ends_at is None:
                    self._note_changes()
            while self._signals:
                number = self._signals.pop(0)
                if number == signal.SIGHUP:
                    self._restart("SIGHUP")
                elif number in (signal.SIGINT, signal.SIGTERM):
                    if ends_at is not None:
                        return 130 if number == signal.SIGINT else 0
                    ends_at = time.monotonic() + _KILL_AFTER
                    if self._child:
                        _end(self._child, signal.SIGTERM)
            self._reap(is_ending=ends_at is not None)
            now = time.monotonic()
            for pid, until in self._leaving.items():
                if now >= until:
                    _end(pid, signal.SIGKILL)
            if ends_at is not None and (not self._child or now >= ends_at):
                return 0

    # -- the serving process ------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Fork a serving process."""
        channel, told = os.pipe()
        alive, held = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal between the fork and the first line of the child would be noted by a list that nobody reads.
        signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_CHILDREN)
        pid = os.fork()
        if not pid:
            try:
                code = self._serve(told, alive, [channel, held])
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 1
            except BaseException:
                logger.exception("The serving process failed")
                code = 1
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FOR_CHILDREN)
        os.close(told)
        os.close(alive)
        self._child = pid
        self._held[pid] = held
        self._channel = channel
        self._news = b""
        os.set_blocking(channel, False)
        self._selector.register(channel, selectors.EVENT_READ)

    def _serve(self, told: int, alive: int, others: list[int]) -> int:
        """Be the serving process."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FOR_CHILDREN)
        self._selector.close()
        for fd in (*others, *self._held.values(), self._changes, self._waker):
            if fd >= 0:
                os.close(fd)
        worker = Worker(self._load, self._config, sockets=self._sockets, channel=told, alive=alive)
        return worker.run(self._show)

    def _load(self) -> Any:
        return load(self._loader)

    def _show(self, error: BaseException) -> Any:
        print(f"\n{describe_error(error)}\n", file=sys.stderr, flush=True)
        logger.error("The app cannot be loaded; waiting for the mend")
        return self._show_error(error)

    def _hear(self) -> None:
        """Read what the serving process says: when it is ready, and which modules it has loaded."""
        try:
            data = os.read(self._channel, 65536)
        except BlockingIOError:
            return
        if not data:
            self._drop_channel()
            return
        self._news += data
        while self._news:
            if not self._news.startswith(MODULES):
                if self._news.startswith(READY) and self._asked_at:
                    logger.info("Reloaded in %.0f ms", (time.monotonic() - self._asked_at) * 1000)
                    self._asked_at = 0.0
                self._news = self._news[1:]
                # Here, where it lasts; and only now, so that the first answer need not wait for it.
                load_websockets()
                continue
            names, newline, rest = self._news[1:].partition(b"\n")
            if not newline:
                return
            self._news = rest
            if self._warm is not None:
                try:
                    self._warm(names.decode().split(","))
                except Exception:
                    logger.debug("Modules could not be loaded ahead", exc_info=True)

    def _drop_channel(self) -> None:
        if self._channel >= 0:
            self._selector.unregister(self._channel)
            os.close(self._channel)
            self._channel = -1

    def _reap(self, *, is_ending: bool) -> None:
        """Collect processes that ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in self._held:
                os.close(self._held.pop(pid))
            if pid == self._child:
                self._child = 0
                self._drop_channel()
                if not is_ending:
                    how = _how(status)
                    logger.error("The serving process ended (%s); it starts again when a file changes", how)
            elif pid == self._watcher:
                self._watcher = 0
                if not is_ending:
                    logger.error("Files are no longer watched (%s)", _how(status))
                self._selector.unregister(self._changes)
                os.close(self._changes)
                self._changes = -1
            else:
                self._leaving.pop(pid, None)

    def _restart(self, why: str) -> None:
        logger.info("%s changed, reloading", why)
        self._asked_at = time.monotonic()
        old = self._child
        self._child = 0
        self._drop_channel()
        if old:
            _end(old, signal.SIGTERM)
            self._leaving[old] = time.monotonic() + _KILL_AFTER
            until = time.monotonic() + _PATIENCE
            pause = 0.001
            while old in self._leaving and time.monotonic() < until:
                time.sleep(pause)
                pause = min(0.01, pause * 2)
                self._reap(is_ending=False)
        self._start()

    # -- the watching process -----------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Fork the process that watches the files."""
        changes, told = os.pipe()
        pid = os.fork()
        if not pid:
            code = 1
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                self._selector.close()
                for sock in self._sockets:
                    os.close(sock.fileno())
                for fd in (changes, self._waker, self._channel, *self._held.values()):
                    if fd >= 0:
                        os.close(fd)
                watch_files(self._paths, self._suffixes, told)
                code = 0
            except BaseException:
                logger.exception("Watching files failed")
            finally:
                os._exit(code)
        os.close(told)
        os.set_blocking(changes, False)
        self._watcher = pid
        self._changes = changes
        self._selector.register(changes, selectors.EVENT_READ)

    def _note_changes(self) -> None:
        try:
            self._changed += os.read(self._changes, 65536)
        except BlockingIOError:
            return
        lines, newline, self._changed = self._changed.rpartition(b"\n")
        if newline:
            names = [os.path.relpath(os.fsdecode(line)) for line in dict.fromkeys(lines.split(b"\n")) if line]
            self._restart(", ".join(names[:3]) + (" and more" if len(names) > 3 else ""))


def _end(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
