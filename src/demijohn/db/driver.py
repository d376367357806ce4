"""Steps a coroutine, and moves it into a greenlet when the database is first needed.

Until then a generator passes every future that the coroutine yields up to the task, for less than a microsecond. The
first database call yields a marker; from there on the coroutine is stepped inside a greenlet, where plain attribute
access may wait for the database: a relation that was not loaded loads itself, also in a template or an encoder that
the coroutine calls.

The greenlets follow the protocol of `sqlalchemy.util.greenlet_spawn`, so SQLAlchemy's own async engine works inside
of them. There is one difference: the parent is set anew before each switch, so that a greenlet which was made within
the first, eager step of a task (`asyncio.eager_task_factory`) returns to the greenlet that resumes it and not to the
one that happened to make it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from threading import get_ident
from types import coroutine as generator_coroutine
from typing import Any, Final, NoReturn, Protocol, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet

from demijohn._lib.concurrency import find_servant, wait_in_thread

__all__ = ["Frame", "drive", "enter", "is_inside", "run_in_greenlet", "spawn", "work"]

T = TypeVar("T")
current_task = asyncio.current_task


class _Marker:
    """What a coroutine yields to ask for the greenlet; a task that is not driven would refuse it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<ENTER>"


_ENTER: Final = _Marker()


class Frame:
    """Who runs the code.

    That is the task (or the thread), whether it is driven, and whether it is inside of its greenlet.
    """

    # What stands here is set by few: a request that asks no database makes one of these, and no more.
    task: asyncio.Task[Any] | None = None
    thread = 0
    driven = False
    inside = False
    resumed = False
    """Whether it is a script or a test, which is driven one awaited coroutine at a time."""

    def wants_fresh(self) -> bool:
        """Return whether others write between its statements: requests that a test makes."""
        return self.resumed or not self.driven

    def is_owner(self) -> bool:
        """Return whether the calling task or thread is the one that this frame belongs to."""
        try:
            task = current_task()
        except RuntimeError:  # no loop runs here: a worker thread or a script
            return self.thread == get_ident()
        return task is self.task if task is not None else self.thread == get_ident()


class _Greenlet(greenlet):  # type: ignore[misc]  # greenlet has no types
    """A greenlet that `sqlalchemy.util.await_` accepts, and that runs one function after the other."""

    __sqlalchemy_greenlet_provider__ = True


class _Outcome:
    """What a function that ran in a greenlet came to."""

    __slots__ = ("error", "value")

    def __init__(self, value: Any, error: BaseException | None) -> None:
        self.value = value
        self.error = error

    def take(self) -> Any:
        """Return the value, or raise the error."""
        error = self.error
        if error is None:
            return self.value
        try:
            raise error
        finally:
            del error, self.error


class _Idle(threading.local):
    """The greenlets of a thread that wait for their next function: making one costs twenty times what a switch does."""

    limit = 64

    def __init__(self) -> None:
        self.greenlets: list[_Greenlet] = []

    def take(self, parent: Any) -> _Greenlet:
        """Return a greenlet that returns to `parent`, in the same context."""
        taken = self.greenlets.pop() if self.greenlets else _Greenlet(_work)
        taken.parent = parent
        taken.gr_context = parent.gr_context
        return taken

    def give_back(self, given: _Greenlet) -> None:
        """Keep a greenlet whose function has ended."""
        given.gr_context = None
        if len(self.greenlets) < self.limit:
            self.greenlets.append(given)


_idle = _Idle()


def _work(function: Callable[..., Any], arguments: tuple[Any, ...]) -> NoReturn:
    """Run functions, each handed over by the switch that begins it, until the greenlet is dropped."""
    here: Any = getcurrent()
    while True:
        try:
            outcome = _Outcome(function(*arguments), None)
        except GreenletExit:
            raise
        except BaseException as error:
            outcome = _Outcome(None, error)
        del function, arguments
        function, arguments = here.parent.switch(outcome)
        del outcome


class _Passing:
    """Carries a future that the coroutine yielded out of the greenlet, to be yielded to the task."""

    __slots__ = ("future",)

    def __init__(self) -> None:
        self.future: Any = None


@generator_coroutine
def enter() -> Generator[Any, Any, None]:
    """Ask the driver of this task to go on inside of the greenlet.

    Only a driven coroutine may await this.
    """
    yield _ENTER


def is_inside() -> bool:
    """Return whether plain, synchronous code may wait for the database here."""
    return getattr(getcurrent(), "__sqlalchemy_greenlet_provider__", False)


@generator_coroutine
def drive(coroutine: Coroutine[Any, Any, T], frame: Frame) -> Generator[Any, Any, T]:
    """Run `coroutine` to its end in the present task.

    It is awaited as any other coroutine.
    """
    frame.task = current_task()
    if not frame.driven:
        frame.driven = True
    try:
        yielded = coroutine.send(None)
        while yielded is not _ENTER:
            try:
                value = yield yielded
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                yielded = coroutine.throw(error)
            else:
                yielded = coroutine.send(value)
    except StopIteration as stop:
        return cast("T", stop.value)
    passing = _Passing()
    frame.inside = True
    try:
        return cast("T", (yield from _switching(_rest, (coroutine, passing), passing)))
    finally:
        frame.inside = frame.driven = False


def _rest(coroutine: Coroutine[Any, Any, T], passing: _Passing) -> T:
    """Run in the greenlet: step the coroutine and hand what it yields to the parent."""
    here: Any = getcurrent()
    try:
        yielded = coroutine.send(None)
        while True:
            passing.future = yielded
            try:
                value = here.parent.switch(passing)
            except BaseException as error:
                yielded = coroutine.throw(error)
            else:
                yielded = coroutine.send(value)
    except StopIteration as stop:
        return cast("T", stop.value)


def _switching(
    function: Callable[..., Any], arguments: tuple[Any, ...], passing: _Passing | None
) -> Generator[Any, Any, Any]:
    """Run a function in a greenlet, from a generator: await what it asks for, and return its outcome."""
    inner = _idle.take(getcurrent())
    wanted = inner.switch(function, arguments)
    while type(wanted) is not _Outcome:
        try:
            if passing is not None and wanted is passing:
                value = yield passing.future
            else:
                value = yield from wanted.__await__()
        except BaseException as error:
            inner.parent = getcurrent()
            wanted = inner.throw(type(error), error, error.__traceback__)
        else:
            inner.parent = getcurrent()
            wanted = inner.switch(value)
    _idle.give_back(inner)
    return wanted.take()


@generator_coroutine
def spawn(function: Callable[..., T], /, *arguments: Any) -> Generator[Any, Any, T]:
    """Run a plain function that waits for the database.

    It gets a greenlet of its own; this is for tasks that nobody drives.
    """
    return cast("T", (yield from _switching(function, arguments, None)))


class Framed(Protocol):
    """A scope: what knows who runs the code."""

    @property
    def frame(self) -> Frame: ...


async def work(scope: Framed, function: Callable[..., T], /, *arguments: Any) -> T:
    """Run a plain function that waits for the database.

    It runs in the greenlet of the driven task, else in one of its own.

    Arguments are passed on (Any: those of any function).
    """
    frame = scope.frame
    if frame.driven and frame.task is current_task():
        if not frame.inside:
            await enter()
            return function(*arguments)
        if is_inside():
            return function(*arguments)
        # A coroutine that plain code inside of the greenlet waits for: it runs outside, and gets a greenlet of its own.
    return await spawn(function, *arguments)


def run_in_greenlet(function: Callable[[], T], wait: Callable[[Awaitable[Any]], Any] | None = None) -> T:
    """Run a plain function, in a thread or script, that may wait anywhere.

    Args:
        function: What to run.
        wait: Awaits for this thread; the thread's servant by default.

    Raises:
        RuntimeError: There is no `wait` and this thread has no servant.
    """
    if wait is None:
        if find_servant() is None:
            raise RuntimeError("This thread has no servant that could wait for it.")
        wait = wait_in_thread
    inner = _idle.take(getcurrent())
    wanted: Any = inner.switch(function, ())
    while type(wanted) is not _Outcome:
        try:
            value = wait(wanted)
        except BaseException as error:
            wanted = inner.throw(type(error), error, error.__traceback__)
        else:
            wanted = inner.switch(value)
    _idle.give_back(inner)
    return cast("T", wanted.take())
