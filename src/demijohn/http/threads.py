"""Where files are read and sync iterators stepped, apart from the threads of handlers.

A pool for each, so that slow iterators never hold up uploads, nor handlers either.
"""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from demijohn._lib.concurrency import Pool, run_in_thread

__all__ = ["in_file_thread", "in_stream_thread"]

P = ParamSpec("P")
T = TypeVar("T")

# What waits here is bounded by the requests that are served.
_files = Pool("demijohn-files", most_waiting=100_000)
_streams = Pool("demijohn-streams", most_waiting=100_000)


async def in_file_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that reads or writes files in a worker thread."""
    return await run_in_thread(partial(function, *args, **kwargs), _files)


async def in_stream_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of a sync iterator in a worker thread, where `wait` works as in a sync handler."""
    return await run_in_thread(partial(function, *args, **kwargs), _streams)
