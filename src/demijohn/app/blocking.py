"""Calls that block, made on the event loop by the code of a request: an error in tests, a warning in development.

It listens to what the interpreter audits, so that no function is replaced and `from time import sleep` is seen as well.
Python before 3.13 audits no `sleep`: there it is replaced in `time`, and seen where it is called as `time.sleep`.
What the framework, asyncio, an import or a debugger does is nobody's mistake.
"""

import linecache
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from types import FrameType
from typing import Any, Final
from weakref import WeakKeyDictionary

from demijohn._lib.later import asyncio
from demijohn._lib.source import relative
from demijohn._lib.watchdog import kind_of
from demijohn.app.context import find_unit
from demijohn.errors import DemijohnError
from demijohn.http import Connection

__all__ = ["BlockingCall", "allow_blocking", "forbid_blocking", "warn_of_blocking"]

logger = logging.getLogger("demijohn.watchdog")

ALLOWED: Final = "demijohn: allow-blocking"
"""A comment with this, on the line of the call, lets it block."""

_OWN: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_OTHERS: Final = (_OWN, os.path.dirname(asyncio.__file__) + os.sep, "<demijohn", "<frozen importlib")
_DEBUGGERS: Final = ("pdb.py", "bdb.py", "pydevd", "debugpy", "IPython", "_pytest")
_HTTP: Final = ("requests", "urllib3", "urllib", "http")


class BlockingCall(DemijohnError):
    """A call that blocks was made on the event loop by the code of a request."""

    code = "DJN-421"


_loops: "WeakKeyDictionary[asyncio.AbstractEventLoop, Callable[[BlockingCall], None]]" = WeakKeyDictionary()
_allowing = 0
_lock = threading.Lock()
_is_allowed: ContextVar[bool] = ContextVar("demijohn_allow_blocking", default=False)
_listens = False
_warned: set[str] = set()


def forbid_blocking(loop: "asyncio.AbstractEventLoop") -> None:
    """Let what blocks raise `BlockingCall` on this loop, as tests do."""
    _listen(loop, _refuse)


def warn_of_blocking(loop: "asyncio.AbstractEventLoop") -> None:
    """Log what blocks on this loop, once for each line, unless it raises there already."""
    if loop not in _loops:
        _listen(loop, _warn)


@contextmanager
def allow_blocking() -> Iterator[None]:
    """Let calls block within a `with` block.

    In a request these are its own calls alone, in a test those of the whole app.
    """
    global _allowing
    if isinstance(find_unit(), Connection):
        token = _is_allowed.set(True)
        try:
            yield
        finally:
            _is_allowed.reset(token)
        return
    # A test asks in another thread and context than the app answers in.
    with _lock:
        _allowing += 1
    try:
        yield
    finally:
        with _lock:
            _allowing -= 1


def _listen(loop: "asyncio.AbstractEventLoop", tell: Callable[[BlockingCall], None]) -> None:
    global _listens
    _loops[loop] = tell
    if not _listens:
        _listens = True
        sys.addaudithook(_audit)
        if sys.version_info < (3, 13):
            # Only later versions audit it.
            _replace_sleep()


def _replace_sleep() -> None:
    sleep = time.sleep

    def audited(seconds: float, /) -> None:
        _judge("time.sleep", (seconds,), sys._getframe(1))
        sleep(seconds)

    time.sleep = audited  # type: ignore[assignment]  # of `SupportsIndex` it takes what the first did


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _BLOCKING:
        _judge(event, arguments, sys._getframe(1))


def _judge(event: str, arguments: tuple[Any, ...], caller: FrameType) -> None:
    if _allowing or _is_allowed.get():
        return
    loop = asyncio._get_running_loop()
    tell = None if loop is None else _loops.get(loop)
    if tell is None or not isinstance(find_unit(), Connection):
        return
    told = _BLOCKING[event](arguments)
    found = None if told is None else _user_of(caller)
    if told is None or found is None:
        return
    frame, speaks_http = found
    call, fix = told
    if speaks_http and event.startswith("socket."):
        fix = "response = await client.get(...), with an httpx.AsyncClient as client,"
    place = (frame.f_code.co_filename, frame.f_lineno)
    line = linecache.getline(*place)
    if ALLOWED in line:
        return
    if tell is _refuse and event == "socket.connect":
        arguments[0].close()  # whoever made it expects no other error than its own
    tell(
        BlockingCall(
            f"{relative(place[0])}:{place[1]} in `{frame.f_code.co_qualname}` called {call} on the event loop: "
            f"{line.strip()}",
            why="Nothing else is answered until it returns.",
            fix=f"Write:  {fix}   or make the handler a plain `def`, which runs in a thread.",
        )
    )


def _user_of(frame: FrameType | None) -> tuple[FrameType, bool] | None:
    """Return the innermost frame of the user's code, and whether it speaks HTTP; nothing where others are to blame."""
    speaks_http = False
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_OTHERS) or any(one in name for one in _DEBUGGERS):
            return None
        if kind_of(frame.f_code) == "user":
            return None if _is_imported(frame) else (frame, speaks_http)
        speaks_http = speaks_http or str(frame.f_globals.get("__name__", "")).partition(".")[0] in _HTTP
        frame = frame.f_back
    return None


def _is_imported(frame: FrameType | None) -> bool:
    """Return whether code runs since its module is imported just now: once, and not for each request."""
    while frame is not None and not frame.f_code.co_filename.startswith("<demijohn"):
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _refuse(problem: BlockingCall) -> None:
    raise problem


def _warn(problem: BlockingCall) -> None:
    message = str(problem)
    if message not in _warned and len(_warned) < 1000:
        _warned.add(message)
        logger.warning("%s", message)


def _sleep(arguments: tuple[Any, ...]) -> tuple[str, str] | None:
    seconds = arguments[0]
    return (f"time.sleep({seconds!r})", f"await asyncio.sleep({seconds!r})") if seconds else None


def _connect(arguments: tuple[Any, ...]) -> tuple[str, str] | None:
    sock, address = arguments[:2]
    if sock.gettimeout() == 0:
        return None
    return f"socket.connect({address!r})", "await run_in_thread(function, ...)"


def _resolve(arguments: tuple[Any, ...]) -> tuple[str, str] | None:
    host = arguments[0]
    host = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    try:
        if host and host != "localhost":
            ip_address(host)
    except ValueError:
        return f"socket.getaddrinfo({host!r})", "await run_in_thread(function, ...)"
    return None


def _process(arguments: tuple[Any, ...]) -> tuple[str, str]:
    return f"subprocess.Popen({arguments[0]!r})", "process = await asyncio.create_subprocess_exec(...)"


def _system(arguments: tuple[Any, ...]) -> tuple[str, str]:
    return f"os.system({arguments[0]!r})", "process = await asyncio.create_subprocess_shell(...)"


def _input(_arguments: tuple[Any, ...]) -> tuple[str, str]:
    return "input()", "await run_in_thread(input)"


_BLOCKING: Final[dict[str, Callable[[tuple[Any, ...]], tuple[str, str] | None]]] = {
    "time.sleep": _sleep,
    "socket.connect": _connect,
    "socket.getaddrinfo": _resolve,
    "subprocess.Popen": _process,
    "os.system": _system,
    "builtins.input": _input,
}
