"""A thread with a queue that works for one event loop, for the calls of sqlite3 that may block."""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

__all__ = ["Worker"]

T = TypeVar("T")
_Job = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Worker:
    """One daemon thread; calls run in the order in which they were given.

    A call that was cancelled while it ran still runs to its end, and the next one waits for it.
    """

    __slots__ = ("_loop", "_queue", "_thread", "name")

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self._loop = loop
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None

    def run(self, function: Callable[..., T], /, *arguments: Any) -> "asyncio.Future[T]":
        """Queue a call and return the future of its outcome; called on the loop.

        Arguments are passed on as they are (Any: those of any function).
        """
        if self._thread is None:
            self._thread = Thread(target=self._work, name=self.name, daemon=True)
            self._thread.start()
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((future, function, arguments))
        return future

    def close(self) -> None:
        """Let the thread end after what is queued; returns at once."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread = None

    def join(self, timeout: float) -> None:
        """End the thread and wait for it, at most `timeout` seconds."""
        thread = self._thread
        self.close()
        if thread is not None:
            thread.join(timeout)

    def _work(self) -> None:
        while True:
            job = self._queue.get()
            if job is None:
                return
            future, function, arguments = job
            try:
                result, error = function(*arguments), None
            except BaseException as caught:
                result, error = None, caught
            try:
                self._loop.call_soon_threadsafe(_deliver, future, result, error)
            except RuntimeError:  # the loop was closed: nobody is left to tell
                pass
            del job, future, function, arguments, result, error


def _deliver(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():  # the waiter was cancelled
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration):
        future.set_exception(RuntimeError(f"A call in a thread raised {error!r}."))
    else:
        future.set_exception(error)
