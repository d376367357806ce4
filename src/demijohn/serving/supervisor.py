"""Several serving processes, and one that watches them: replaces the dead, reloads in turn, and ends them together."""

import logging
import multiprocessing
import os
import random
import selectors
import signal
import socket
import sys
import time
from collections import deque
from multiprocessing.connection import Connection as Pipe
from types import FrameType
from typing import Any, Final

from demijohn.errors import ConfigurationError
from demijohn.serving.config import ServerConfig
from demijohn.serving.sockets import describe, open_sockets, remove_unix_sockets
from demijohn.serving.worker import BROKEN, FAILED, HEARTBEAT, READY, RECYCLE, Worker

__all__ = ["Supervisor"]

logger = logging.getLogger("demijohn.server")

_SHORT_LIFE: Final = 10.0
"""A worker that ended earlier than this may have ended by itself: its successor waits."""
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_KILL_AFTER: Final = 3.0
"""What a worker gets beyond its grace, for the shutdown of the app."""
_FOR_WORKERS: Final = (signal.SIGTERM,)


class Supervisor:
    """Runs the workers of one server.

    Signals: SIGTERM and SIGINT end all (a second one hurries), SIGHUP reloads the app in one worker after the other,
    SIGTTIN and SIGTTOU add and remove a worker.

    Args:
        target: An app, or a loader that imports one (Any: either). Only a loader can be reloaded.
        config: The configuration of the server.
    """

    def __init__(self, target: Any, config: ServerConfig) -> None:
        method = config.start_method
        if method == "auto":
            method = "fork" if sys.platform == "linux" else "spawn"
        if method == "spawn" and hasattr(target, "handle"):
            raise ConfigurationError(
                "Workers that are spawned were asked for an app object.",
                why="A fresh process has to import the app by itself; an object cannot be sent to it.",
                fix="Pass a function of a module that returns the app:  serve(load, ServerConfig(workers=4))",
                code="DJN-508",
            )
        self._target = target
        self._config = config
        self._context: Any = multiprocessing.get_context(method)
        self._is_forking = method == "fork"
        self._selector = selectors.DefaultSelector()
        self._slots: list[_Slot] = []
        self._rolling: deque[_Slot] = deque()
        self._sockets: list[socket.socket] = []
        self._signals: list[int] = []
        self._was_ready = False
        self._exit_code: int | None = None
        self._ends_at: float | None = None

    def run(self) -> int:
        """Serve until a signal ends it, and return the exit code."""
        self._sockets = open_sockets(self._config)
        waking, self._waker = os.pipe()
        for end in (waking, self._waker):
            os.set_blocking(end, False)
        self._selector.register(waking, selectors.EVENT_READ, None)
        before = self._take_signals()
        try:
            self._slots += [_Slot(index) for index in range(self._config.workers)]
            # The first goes ahead: an app that cannot be loaded says so once, not once for each worker.
            self._slots[0].current = self._start(self._slots[0])
            while not self._is_over():
                self._turn(waking)
        finally:
            for process in self._processes():
                process.kill()
            self._give_back_signals(before)
            self._selector.close()
            os.close(waking)
            os.close(self._waker)
            for sock in [*self._sockets, *(sock for slot in self._slots for sock in slot.sockets or ())]:
                sock.close()
            remove_unix_sockets(self._config)
        return self._exit_code or 0

    # -- signals ------------------------------------------------------------------------------------------------------

    def _take_signals(self) -> dict[int, Any]:
        names = ("SIGTERM", "SIGINT", "SIGHUP", "SIGTTIN", "SIGTTOU")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        before: dict[int, Any] = {number: signal.signal(number, self._note_signal) for number in numbers}
        self._waker_before = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        return before

    def _give_back_signals(self, before: dict[int, Any]) -> None:
        signal.set_wakeup_fd(self._waker_before)
        for number, handler in before.items():
            signal.signal(number, handler)

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _obey(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._end(0)
        elif number == signal.SIGHUP:
            logger.info("Reloading, one worker after the other")
            self._rolling.extend(slot for slot in self._slots if slot not in self._rolling)
        elif number == signal.SIGTTIN:
            slot = _Slot(len(self._slots))
            self._slots.append(slot)
            slot.current = self._start(slot)
        elif number == signal.SIGTTOU and len(self._slots) > 1:
            slot = self._slots.pop()
            for process in slot.processes():
                process.end(self._patience())

    def _end(self, code: int) -> None:
        """End all workers; asked for a second time, do not wait for them."""
        now = time.monotonic()
        if self._ends_at is None:
            self._exit_code = code
            self._ends_at = now + self._patience()
            logger.info("Ending")
        else:
            self._ends_at = min(self._ends_at, now + 2.0)
        for process in self._processes():
            process.end(self._ends_at - now)

    def _patience(self) -> float:
        timeouts = self._config.timeouts
        return timeouts.grace + timeouts.stream_grace + _KILL_AFTER

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _processes(self) -> "list[_Process]":
        return [process for slot in self._slots for process in slot.processes()] + self._leaving()

    def _leaving(self) -> "list[_Process]":
        keys = [key.data for key in self._selector.get_map().values()]
        known = {process for slot in self._slots for process in slot.processes()}
        found: list[_Process] = []
        for each in keys:
            if isinstance(each, _Process) and each not in known and each not in found:
                found.append(each)
        return found

    def _is_over(self) -> bool:
        return self._ends_at is not None and not self._processes()

    def _turn(self, waking: int) -> None:
        for key, _ in self._selector.select(self._until_next()):
            if key.fd == waking:
                try:
                    os.read(waking, 4096)
                except BlockingIOError:
                    pass
            elif isinstance(key.data, _Process):
                self._hear(key.data, key.fd)
        while self._signals:
            self._obey(self._signals.pop(0))
        now = time.monotonic()
        for process in self._processes():
            reason = process.overdue(now, self._config)
            if reason:
                logger.error("Worker %d is killed: %s", process.pid, reason)
                process.kill()
        if self._ends_at is None and self._was_ready:
            for slot in self._slots:
                if slot.current is None and slot.successor is None and now >= slot.starts_at:
                    slot.current = self._start(slot)
            self._roll()

    def _until_next(self) -> float:
        now = time.monotonic()
        if not self._was_ready:
            return 1.0
        waits = [slot.starts_at - now for slot in self._slots if slot.current is None and slot.successor is None]
        return max(0.0, min([1.0, *waits]))

    def _start(self, slot: "_Slot") -> "_Process":
        process = _Process(self._context)
        if slot.sockets is None:
            shared = self._config.reuse_port and slot.index > 0
            slot.sockets = open_sockets(self._config) if shared else self._sockets
        sockets = slot.sockets
        if self._is_forking:
            others = [key.fd for key in self._selector.get_map().values()]
            others += [each.alive.fileno() for each in self._processes() if not each.alive.closed]
            others.append(self._waker)
            if isinstance(self._selector, selectors.EpollSelector):
                others.append(self._selector.fileno())
        else:
            others = []
        process.start(self._target, self._config, sockets, others if self._is_forking else None)
        self._selector.register(process.channel, selectors.EVENT_READ, process)
        self._selector.register(process.sentinel, selectors.EVENT_READ, process)
        return process

    def _hear(self, process: "_Process", fd: int) -> None:
        if process.is_buried:
            return
        if fd == process.sentinel:
            self._bury(process)
            return
        try:
            messages = os.read(fd, 4096)
        except OSError:
            messages = b""
        if not messages:
            self._selector.unregister(fd)
            return
        for message in (messages[index : index + 1] for index in range(len(messages))):
            if message == READY:
                self._ready(process)
            elif message == HEARTBEAT:
                process.heard_at = time.monotonic()
            elif message == RECYCLE:
                self._rolling.extend(
                    slot for slot in self._slots if slot.current is process and slot not in self._rolling
                )
            elif message == FAILED:
                process.has_failed = True

    def _ready(self, process: "_Process") -> None:
        if not self._was_ready:
            self._was_ready = True
            scheme = "http" if self._config.tls is None else "https"
            urls = ", ".join(describe(sock, scheme=scheme) for sock in self._sockets)
            logger.info("Serving at %s with %d workers", urls, len(self._slots))
        process.ready_at = process.heard_at = time.monotonic()
        logger.info("Worker %d is ready", process.pid)
        for slot in self._slots:
            if slot.successor is process:
                old, slot.current, slot.successor = slot.current, process, None
                if old is not None:
                    old.end(self._patience())

    def _bury(self, process: "_Process") -> None:
        """Note the end of a worker, and plan for its successor."""
        for fd in (process.channel.fileno(), process.sentinel):
            try:
                self._selector.unregister(fd)
            except (KeyError, ValueError):
                pass
        code = process.bury()
        now = time.monotonic()
        for slot in self._slots:
            if slot.successor is process:
                slot.successor = None
                self._rolling.clear()
                if self._ends_at is None:
                    logger.error("The new worker could not be started; the old ones keep serving")
            elif slot.current is process:
                slot.current = None
                if self._ends_at is not None:
                    continue
                if not self._was_ready:
                    if code != BROKEN and not process.has_failed:
                        logger.error("The first worker ended before it was ready (exit code %s)", code)
                    self._end(BROKEN)
                else:
                    self._plan(slot, process, code, now)

    def _plan(self, slot: "_Slot", process: "_Process", code: int | None, now: float) -> None:
        if process.is_ending:
            slot.starts_at = now
            return
        lived = 0.0 if process.ready_at is None else now - process.ready_at
        slot.failures = 0 if lived > _SHORT_LIFE else slot.failures + 1
        pause = 0.0 if not slot.failures else min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (slot.failures - 1))
        if pause > _FIRST_PAUSE:
            pause *= random.uniform(0.9, 1.1)  # noqa: S311 - so that workers do not crash in step
        slot.starts_at = now + pause
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        again = f"in {pause:.1f} s" if pause else "now"
        logger.error("Worker %d ended (%s); a new one is started %s", process.pid, how, again)

    def _roll(self) -> None:
        """Replace the next worker whose turn it is; the old one serves until the new one is ready."""
        if any(slot.successor is not None for slot in self._slots):
            return
        while self._rolling:
            slot = self._rolling.popleft()
            if slot in self._slots and slot.current is not None:
                slot.successor = self._start(slot)
                return


class _Slot:
    """The place of one worker, which outlives it."""

    __slots__ = ("current", "failures", "index", "sockets", "starts_at", "successor")

    def __init__(self, index: int) -> None:
        self.index = index
        self.sockets: list[socket.socket] | None = None
        self.current: _Process | None = None
        self.successor: _Process | None = None
        self.failures = 0
        self.starts_at = 0.0

    def processes(self) -> "list[_Process]":
        return [process for process in (self.current, self.successor) if process is not None]


class _Process:
    """One worker as its supervisor sees it."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._process: Any = None
        self._ends_at: float | None = None
        self.started_at = time.monotonic()
        self.ready_at: float | None = None
        self.heard_at = self.started_at
        self.has_failed = False
        self.is_buried = False
        self.pid = 0
        self.channel: Pipe[Any, Any]
        self.alive: Pipe[Any, Any]

    def start(self, target: Any, config: ServerConfig, sockets: list[socket.socket], others: list[int] | None) -> None:
        """Start it; `others` are the descriptors that a forked process must not keep."""
        channel, told = self._context.Pipe(duplex=False)
        watched, alive = self._context.Pipe(duplex=False)
        if others is not None:
            others = [*others, channel.fileno(), alive.fileno()]
        arguments = (target, config, sockets, told, watched, others)
        self._process = self._context.Process(target=_work, args=arguments, name="demijohn-worker")
        if others is not None:
            # A signal between the fork and the first line of the worker would be noted by a list that nobody reads.
            signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_WORKERS)
        try:
            self._process.start()
        finally:
            if others is not None:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _FOR_WORKERS)
        told.close()
        watched.close()
        self.channel, self.alive = channel, alive
        self.pid = self._process.pid
        self.sentinel: int = self._process.sentinel

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end."""
        return self._ends_at is not None

    def end(self, patience: float) -> None:
        """Tell it to end; it is killed when it has not in time."""
        ends_at = time.monotonic() + patience
        self._ends_at = ends_at if self._ends_at is None else min(self._ends_at, ends_at)
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        if self._process.exitcode is None:
            self._process.kill()

    def overdue(self, now: float, config: ServerConfig) -> str:
        """Return why it has to be killed, or nothing."""
        timeouts = config.timeouts
        if self._ends_at is not None:
            return "it did not end in time" if now >= self._ends_at else ""
        if self.ready_at is None:
            return "it did not get ready in time" if now - self.started_at > timeouts.startup else ""
        if timeouts.hang is not None and now - self.heard_at > timeouts.hang:
            return f"its event loop has not turned for {timeouts.hang:.0f} s"
        return ""

    def bury(self) -> int | None:
        """Collect what is left of it, and return its exit code."""
        self.is_buried = True
        self._process.join()
        code: int | None = self._process.exitcode
        self._process.close()
        self.channel.close()
        self.alive.close()
        return code


def _work(
    target: Any, config: ServerConfig, sockets: list[socket.socket], told: Any, watched: Any, others: list[int] | None
) -> None:
    """Be a worker; runs in the new process."""
    if others is not None:
        signal.set_wakeup_fd(-1)
        for name in ("SIGTERM", "SIGTTIN", "SIGTTOU", "SIGINT"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FOR_WORKERS)
        # Pipes of the others: a worker that held them would keep them from noticing the end of the supervisor.
        for fd in others:
            try:
                os.close(fd)
            except OSError:
                pass
    for sock in sockets:
        sock.setblocking(False)
    worker = Worker(target, config, sockets=sockets, channel=told.fileno(), alive=watched.fileno())
    sys.exit(worker.run())
