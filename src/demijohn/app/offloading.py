"""Work that would hold up the event loop: to a thread where it blocks, to a process where it computes."""

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, Self, TypeVar

from demijohn._lib.concurrency import Pool, leased
from demijohn._lib.concurrency import run_in_thread as run
from demijohn._lib.later import asyncio
from demijohn.app.context import find_unit
from demijohn.errors import DemijohnError

__all__ = ["NotSendable", "Processes", "run_in_process", "run_in_thread"]

P = ParamSpec("P")
T = TypeVar("T")

_threads = Pool("demijohn-offload", most_waiting=100_000)


class NotSendable(DemijohnError):
    """A function or value cannot be sent to another process."""

    code = "DJN-406"


async def run_in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a blocking function in a thread, with the context of the caller.

    `wait` works in it. The threads are others than those of plain `def` handlers, so neither starves the other; a route
    with `thread="sticky"` has one for both.

    Example:
        >>> import asyncio, time
        >>> asyncio.run(run_in_thread(sum, [1, 2, 3]))
        6
    """
    return await run(partial(function, *args, **kwargs), leased(_threads), label=getattr(function, "__qualname__", ""))


async def run_in_process(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that computes for long in another process.

    The app keeps a few. The function and all values have to be picklable: a function of a module, not a lambda or an
    inner function.

    Raises:
        NotSendable: The function or a value cannot be sent.
    """
    unit = find_unit()
    if unit is None:
        with Processes() as processes:
            return await processes.run(partial(function, *args, **kwargs))
    processes = unit.app.processes
    return await processes.run(partial(function, *args, **kwargs))  # type: ignore[no-any-return]


class Processes:
    """A few processes, started when the first is needed and ended with the app.

    Args:
        size: How many; as many as there are cores where it is not given.
    """

    def __init__(self, size: int | None = None) -> None:
        self._size = size
        self._executor: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    async def run(self, call: "partial[T]") -> T:
        """Call in one of the processes.

        Raises:
            NotSendable: The function or a value cannot be sent.
        """
        import pickle

        try:
            pickle.dumps(call)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise NotSendable(
                f"`run_in_process` got {getattr(call.func, '__qualname__', call.func)!r}: {error}",
                why="What another process shall do is sent there, and this cannot be pickled.",
                fix="Pass a function at the top of a module, and plain values; or use `run_in_thread`.",
            ) from None
        if self._executor is None:
            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context

            # Not by fork: threads and loops of this process would be copied half alive.
            self._executor = ProcessPoolExecutor(self._size, mp_context=get_context("spawn"))
        result: T = await asyncio.get_running_loop().run_in_executor(self._executor, call)
        return result

    def close(self) -> None:
        """End the processes; what they still do is not waited for."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)
