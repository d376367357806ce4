"""One event loop in one background thread: where the app lives while tests run."""

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import Context
from typing import Any, Self, TypeVar

from demijohn.app.blocking import forbid_blocking
from demijohn.errors import DemijohnError

__all__ = ["Portal", "TaskRunner", "WrongThread", "shared_portal"]

T = TypeVar("T")


class WrongThread(DemijohnError):
    """Sync code of the tests was used on the loop that it would wait for."""

    code = "DJN-620"


class Portal:
    """A loop in a thread of its own, and the way into it for sync code.

    Example:
        >>> import asyncio
        >>> with Portal() as portal:
        ...     portal.run(asyncio.sleep(0, "done"))
        'done'
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0
        self.at_close: list[Callable[[asyncio.AbstractEventLoop], Coroutine[Any, Any, None]]] = []
        """Coroutine functions of the loop that run before it ends."""
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, started at the first call; a forked process gets its own."""
        with self._lock:
            if self._loop is None or self._process != os.getpid():
                started = threading.Event()
                loop = self._loop = asyncio.new_event_loop()
                loop.call_soon(started.set)
                forbid_blocking(loop)
                self._process = os.getpid()
                self._thread = threading.Thread(target=_turn, args=(loop,), name="demijohn-testing", daemon=True)
                self._thread.start()
                started.wait()
            return self._loop

    def is_here(self) -> bool:
        """Return whether the calling thread is the one that the loop runs in."""
        return self._thread is not None and self._thread.ident == threading.get_ident()

    def run(self, awaitable: Awaitable[T], *, context: Context | None = None) -> T:
        """Await on the loop, in a task of its own, and return or raise the outcome.

        Raises:
            WrongThread: The loop runs in the calling thread.
        """
        future: Future[T] = Future()
        if self.is_here():
            if isinstance(awaitable, Coroutine):
                awaitable.close()
            raise WrongThread(
                "The sync test client, or something else that waits for the loop, was used on the loop itself.",
                why="An async test runs on the loop that the app runs on; waiting there would stop both.",
                fix="Take `async_client` in an async test and `await` it, or make the test a plain `def`.",
            )
        loop = self.loop
        task: list[asyncio.Task[None]] = []

        def start() -> None:
            task.append(loop.create_task(_settle(awaitable, future), context=context))

        loop.call_soon_threadsafe(start)
        try:
            return future.result()
        except KeyboardInterrupt:
            if task and not future.done():
                loop.call_soon_threadsafe(task[0].cancel)
            raise

    @contextmanager
    def enter(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Enter an async context manager on the loop, for a sync `with` block."""

        async def within() -> AsyncGenerator[T]:
            async with manager as value:
                yield value

        # One task enters and leaves, as async context managers may expect.
        runner = TaskRunner(self)
        steps = within()
        try:
            value = runner.run(anext(steps))
            try:
                yield value
            except BaseException as error:
                try:
                    runner.run(steps.athrow(error))
                except StopAsyncIteration:
                    return
                raise
            runner.run(anext(steps, None))
        finally:
            runner.close()

    def close(self) -> None:
        """Run what is due at the end, cancel the rest, and end the loop and its thread."""
        if self._loop is not None and self._process == os.getpid():
            for function in self.at_close:
                self.run(function(self._loop))
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None or self._process != os.getpid() or not thread.is_alive():
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


class TaskRunner:
    """One task on the loop that runs one awaitable after the other.

    What they set in their context stays for the next, and `asyncio.current_task()` is the same: a fixture and the test
    that uses it are one.
    """

    def __init__(self, portal: Portal, *, context: Context | None = None) -> None:
        self._portal = portal
        self._queue: asyncio.Queue[tuple[Awaitable[Any], Future[Any]] | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._context = Context() if context is None else context

    def run(self, awaitable: Awaitable[T]) -> T:
        """Await in the task, and return or raise the outcome.

        Raises:
            WrongThread: The loop runs in the calling thread.
        """
        future: Future[T] = Future()
        if self._portal.is_here():
            return self._portal.run(awaitable)  # raises
        loop = self._portal.loop

        def submit() -> None:
            if self._task is None:
                self._task = loop.create_task(self._serve(), context=self._context)
            self._queue.put_nowait((awaitable, future))

        loop.call_soon_threadsafe(submit)
        try:
            return future.result()
        except KeyboardInterrupt:
            if self._task is not None and not future.done():
                loop.call_soon_threadsafe(self._task.cancel)
            raise

    def close(self) -> None:
        """End the task."""
        if self._task is not None:
            self._portal.loop.call_soon_threadsafe(self._queue.put_nowait, None)
            self._task = None

    async def _serve(self) -> None:
        while True:
            try:
                wanted = await self._queue.get()
            except asyncio.CancelledError:
                _forget_cancelling()
                continue
            if wanted is None:
                return
            await _settle(*wanted)
            _forget_cancelling()


async def _settle(awaitable: Awaitable[T], future: "Future[T]") -> None:
    """Await and put the outcome into the future, whatever it is: a test may raise what would end a loop."""
    try:
        result = await awaitable
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


def _forget_cancelling() -> None:
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


_shared: Portal | None = None
_making = threading.Lock()


def shared_portal() -> Portal:
    """Return the portal of this process: the clients and the plugin use one loop."""
    global _shared
    with _making:
        if _shared is None:
            _shared = Portal()
            atexit.register(_shared.close)
        return _shared
