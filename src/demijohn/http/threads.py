"""Where files are read and sync iterators stepped, apart from the threads of handlers.

A pool for each, so that slow iterators never hold up uploads, nor handlers either.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from demijohn._lib.concurrency import Pool, leased, run_in_thread

__all__ = ["in_file_thread", "in_stream_thread", "surround_streams"]

P = ParamSpec("P")
T = TypeVar("T")

# What waits here is bounded by the requests that are served.
_files = Pool("demijohn-files", most_waiting=100_000)
_streams = Pool("demijohn-streams", most_waiting=100_000)


async def in_file_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that reads or writes files in a worker thread."""
    return await run_in_thread(partial(function, *args, **kwargs), _files)


async def in_stream_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of a sync iterator in a worker thread, where all works as in a sync handler."""
    return await run_in_thread(_surround(partial(function, *args, **kwargs)), leased(_streams))


def surround_streams(surround: Callable[[Callable[[], Any]], Callable[[], Any]]) -> None:
    """Set what is put around calls in the threads of streams (Any: whatever they return)."""
    global _surround
    _surround = surround


def _as_it_is(function: Callable[[], Any], /) -> Callable[[], Any]:
    return function


_surround: Callable[[Callable[[], Any]], Callable[[], Any]] = _as_it_is
