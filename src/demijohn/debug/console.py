"""The console: code run in the place of a frame, on the app's loop, where `await` works."""

import ast
import asyncio
import contextlib
import contextvars
import inspect
import io
import signal
import sys
import threading
import time
import traceback
from collections.abc import Coroutine, Generator, Iterator
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final, TextIO, TypeVar, cast

import msgspec

from demijohn.app import current
from demijohn.app.context import find_unit
from demijohn.debug.redaction import redact, shown, text_of

__all__ = ["Outcome", "TooLong", "make_namespace", "run_code"]

T = TypeVar("T")

LIMIT: Final = 10.0
"""Seconds that one input may take."""
_MOST_OUTPUT: Final = 20_000
_MOST_CODE: Final = 20_000
_FLAGS: Final = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class TooLong(BaseException):
    """An input ran longer than its limit."""


class Outcome(msgspec.Struct):
    """What an input gave: what was printed, the value of its last expression, or how it failed."""

    output: str = ""
    result: str = ""
    error: str = ""
    seconds: float = 0.0


def make_namespace(frame: FrameType, app: Any, error: BaseException) -> dict[str, Any]:
    """Return a copy of what a frame sees, with what the app offers to shells (Any: the app, and variables).

    Assignments change the copy, never the frame: the code that failed is over.
    """
    names: dict[str, Any] = {"asyncio": asyncio, "current": current, "app": app}
    for offer in app.shell_names.values():
        names.update(offer())
    return {**names, **frame.f_globals, **frame.f_locals, "error": error, "__name__": "__console__"}


async def run_code(
    code: str, names: dict[str, Any], *, app: Any, context: contextvars.Context | None = None, limit: float = LIMIT
) -> Outcome:
    """Run code and return what it gave; it never raises.

    It runs in a task of its own, in a copy of the context in which the request failed, and in a unit of work that is
    rolled back at the end, unless the code commits by itself (Any: variables, and the app).

    Args:
        code: One or more lines; the value of a last expression is shown.
        names: The variables, which assignments change.
        app: The app.
        context: Where the exception passed the boundary of its request.
        limit: Seconds after which it is interrupted, blocking calls included.
    """
    started = time.perf_counter()
    outcome = Outcome()
    if len(code) > _MOST_CODE:
        return Outcome(error=f"That is too long: {len(code):,} characters, where {_MOST_CODE:,} are taken.")
    printed = _Printed()
    work = _work(code, names, printed, app, limit)
    for driver in app.drivers:
        work = driver.drive(work)
    copied = context.copy() if context is not None else contextvars.copy_context()
    task = asyncio.get_running_loop().create_task(_within(work, limit), context=copied, name="demijohn-console")
    try:
        value, failed = await task
        if failed is not None:
            raise failed
        if value is not None:
            outcome.result = shown(value, limit=4000)
            names["_"] = value
    except TooLong:
        outcome.error = (
            f"Interrupted after {limit:g} seconds. Code that blocks stops every request: run it in a thread,\n"
            "    await asyncio.to_thread(function, argument)"
        )
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and not task.done():
            raise
        outcome.error = _told(error)
    outcome.output = redact(printed.getvalue())
    outcome.seconds = time.perf_counter() - started
    return outcome


async def _within(work: Coroutine[Any, Any, T], limit: float) -> tuple[T | None, BaseException | None]:
    """Return the value, or what was raised: a `SystemExit` that left the task would end the server."""
    timer = asyncio.timeout(limit)
    try:
        async with timer:
            return await work, None
    except TimeoutError as error:
        return None, TooLong() if timer.expired() else error
    except BaseException as error:
        return None, error


async def _work(code: str, names: dict[str, Any], printed: "_Printed", app: Any, limit: float) -> Any:
    token = _output.set(printed)
    try:
        with _captured():
            return await _Stepped(_evaluate(code, names), limit)
    finally:
        _output.reset(token)
        # Nothing that was written stays, unless the code committed it.
        unit = find_unit()
        for finish in app.before_send:
            await finish(unit, _Over())


class _Over(Exception):
    """Tells the batteries to roll back."""


async def _evaluate(code: str, names: dict[str, Any]) -> Any:
    tree = ast.parse(code, "<console>")
    last: ast.Expression | None = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(cast("ast.Expr", tree.body.pop()).value)
    if tree.body:
        await _run(compile(tree, "<console>", "exec", _FLAGS), names)
    if last is None:
        return None
    return await _run(compile(last, "<console>", "eval", _FLAGS), names)


async def _run(code: Any, names: dict[str, Any]) -> Any:
    result = eval(code, names)  # noqa: S307 - this is what a console is for; `rules` says who has one
    if code.co_flags & inspect.CO_COROUTINE:
        return await result
    return result


def _told(error: BaseException) -> str:
    """Return an exception as Python prints it, from the first line of the input."""
    if isinstance(error, SyntaxError) and error.filename == "<console>":
        return "".join(traceback.format_exception_only(error)).rstrip()
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != "<console>":
        trace = trace.tb_next
    lines = traceback.format_exception(type(error), error, trace) if trace is not None else None
    text = "".join(lines or traceback.format_exception_only(error)).rstrip()
    return redact(text_of(text))[:_MOST_OUTPUT]


# -- interrupting what blocks -----------------------------------------------------------------------------------------


class _Stepped:
    """Awaits a coroutine, and interrupts each of its steps that keeps the loop for longer than the limit.

    A signal does it, since nothing else stops a call that blocks; signals reach the main thread alone. In another
    thread only code that awaits is stopped.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], limit: float) -> None:
        self._coroutine = coroutine
        self._limit = limit
        self._can_interrupt = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()

    def __await__(self) -> Generator[Any, Any, Any]:
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            try:
                with self._watched():
                    waiting = self._coroutine.send(sent) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration as stop:
                return stop.value
            sent = thrown = None
            try:
                sent = yield waiting
            except BaseException as error:
                thrown = error

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        if not self._can_interrupt:
            yield
            return
        before = signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, self._limit)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise TooLong


# -- what is printed --------------------------------------------------------------------------------------------------


class _Printed(io.StringIO):
    """Keeps what is printed, up to a limit."""

    def write(self, text: str, /) -> int:
        room = _MOST_OUTPUT - self.tell()
        if room > 0:
            super().write(text if len(text) <= room else f"{text[:room]}\n… more was printed")
        return len(text)


_output: ContextVar[_Printed | None] = ContextVar("demijohn_console_output", default=None)


class _Switch:
    """Stands for `sys.stdout` while a console runs: what other tasks print goes where it always went."""

    def __init__(self, usual: TextIO) -> None:
        self._usual = usual

    def write(self, text: str) -> int:
        return (_output.get() or self._usual).write(text)

    def flush(self) -> None:
        self._usual.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._usual, name)


_running = 0


@contextlib.contextmanager
def _captured() -> Iterator[None]:
    global _running
    if not _running:
        sys.stdout = cast("TextIO", _Switch(sys.stdout))
    _running += 1
    try:
        yield
    finally:
        _running -= 1
        if not _running and isinstance(sys.stdout, _Switch):
            sys.stdout = sys.stdout._usual
