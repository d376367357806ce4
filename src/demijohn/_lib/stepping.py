"""Driving an awaitable by hand, in the task that asks: up to its first wait, for a while, or to its end.

What `asyncio.wait_for` cannot do without a task of its own: come back after a while and go on later, with nothing
cancelled in between. The awaitable sees one task and one context all the time, so that timeouts, a unit of work and
whatever else belongs to the task hold for it.
"""

import types
import weakref
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

from demijohn._lib.later import asyncio

__all__ = ["Step"]

T = TypeVar("T")

_COARSE = 1.0
"""Seconds: longer waits share one timer for each loop that ticks so often, and end up to so much later."""


class Step(Generic[T]):
    """An awaitable that has been driven up to its first wait.

    Args:
        awaitable: What is driven; nobody else may await it.

    Example:
        ```python notest
        step = Step(anext(events))
        while not await step.within(15):
            print("nothing yet")
        event = step.result()
        ```
    """

    __slots__ = ("_steps", "_value", "_waiting", "error", "is_done")

    is_done: bool
    """Whether it has ended, well or not."""
    error: BaseException | None
    """What it raised."""

    def __init__(self, awaitable: Awaitable[T]) -> None:
        self._steps: Generator[Any, Any, T] = awaitable.__await__()
        self.error = None
        self._value: Any = None
        self._waiting: Any = None
        self.is_done = False
        self._send(None)

    def result(self) -> T:
        """Return what came of it, or raise what it raised."""
        if self.error is not None:
            raise self.error
        value: T = self._value
        return value

    async def within(self, seconds: float | None) -> bool:
        """Drive it on, for at most so many seconds, and return whether it has ended.

        When the task is cancelled meanwhile, what the awaitable waits for is cancelled, as if it were awaited.
        """
        if not self.is_done:
            await self._drive(seconds)
        return self.is_done

    async def cancel(self) -> None:
        """End it where it waits, as cancelling its task would."""
        if self.is_done:
            return
        waiting = self._waiting
        if not (_is_future(waiting) and waiting.cancel()):
            self._throw(asyncio.CancelledError())
        await self._drive(None)
        self.error = None

    @types.coroutine
    def _drive(self, seconds: float | None) -> Generator[Any, Any, None]:
        until = None if seconds is None else asyncio.get_running_loop().time() + seconds
        while not self.is_done:
            waiting = self._waiting
            if not _is_future(waiting) or until is None:
                # A bare turn of the loop, a mark for whoever drives this task, or a wait without an end.
                if waiting is not None and until is None and _is_future(waiting):
                    waiting._asyncio_future_blocking = True
                try:
                    answer = yield waiting
                except BaseException as error:
                    self._throw(error)
                else:
                    self._send(answer)
            elif waiting.done():
                self._send(None)
            else:
                left = until - asyncio.get_running_loop().time()
                if left <= 0:
                    return
                try:
                    yield from _turn(waiting, left)
                except BaseException as error:
                    if isinstance(error, asyncio.CancelledError) and not waiting.done() and waiting.cancel():
                        until = None  # it ends when what it waits for has ended
                    else:
                        self._throw(error)

    def _send(self, answer: Any) -> None:
        try:
            self._waiting = self._steps.send(answer)
        except StopIteration as done:
            self._value, self.is_done = done.value, True
        except BaseException as error:
            self.error, self.is_done = error, True

    def _throw(self, error: BaseException) -> None:
        try:
            self._waiting = self._steps.throw(error)
        except StopIteration as done:
            self._value, self.is_done = done.value, True
        except BaseException as raised:
            self.error, self.is_done = raised, True


def _turn(waiting: "asyncio.Future[Any]", seconds: float) -> Generator[Any, Any, None]:
    """Wait until a future is done or the time is over; the future itself is left alone."""
    loop = asyncio.get_running_loop()
    turn = loop.create_future()

    def wake(_: Any = None) -> None:
        if not turn.done():
            turn.set_result(None)

    # The task is not to wait for this future, but for ours.
    waiting._asyncio_future_blocking = False
    waiting.add_done_callback(wake)
    waits: _Waits | None = None
    timer: asyncio.TimerHandle | None = None
    if seconds > _COARSE / 2:
        waits = _waits_of(loop)
        waits.begin(wake, seconds, loop)
    else:
        timer = loop.call_later(seconds, wake)
    try:
        yield from turn.__await__()
    finally:
        if waits is not None:
            waits.end(wake)
        if timer is not None:
            timer.cancel()
        if not waiting.done():
            waiting.remove_done_callback(wake)


class _Waits:
    """The long waits of one loop: thousands of streams that are kept alive need one timer, not one for each event."""

    __slots__ = ("_ends", "_is_ticking")

    def __init__(self) -> None:
        self._ends: dict[Callable[[], None], float] = {}
        self._is_ticking = False

    def begin(self, wake: Callable[[], None], seconds: float, loop: "asyncio.AbstractEventLoop") -> None:
        self._ends[wake] = loop.time() + seconds
        if not self._is_ticking:
            self._is_ticking = True
            loop.call_later(_COARSE, self._tick)

    def end(self, wake: Callable[[], None]) -> None:
        self._ends.pop(wake, None)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for wake in [wake for wake, end in self._ends.items() if end <= now]:
            del self._ends[wake]
            wake()
        self._is_ticking = bool(self._ends)
        if self._is_ticking:
            loop.call_later(_COARSE, self._tick)


_all_waits: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Waits]" = weakref.WeakKeyDictionary()


def _waits_of(loop: "asyncio.AbstractEventLoop") -> _Waits:
    waits = _all_waits.get(loop)
    if waits is None:
        waits = _all_waits[loop] = _Waits()
    return waits


def _is_future(thing: Any) -> bool:
    """Return whether a task can wait for a thing (asyncio's own test)."""
    return getattr(thing, "_asyncio_future_blocking", None) is not None
