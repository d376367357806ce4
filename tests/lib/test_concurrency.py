"""Threads with a servant: one hop, context both ways, `wait` in the caller's task."""

import asyncio
import contextvars
import threading

import pytest

from demijohn._lib.concurrency import Pool, PoolFull, run_in_thread, wait_in_thread

variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)


async def test_context_travels_both_ways() -> None:
    """What the thread sets is seen by what it waits for, and by the caller afterwards; and the other way round."""

    async def inner() -> int:
        seen = variable.get()
        variable.set(6)
        await asyncio.sleep(0)
        return seen

    def work() -> tuple[int, int]:
        variable.set(5)
        seen = wait_in_thread(inner())
        after = variable.get()
        variable.set(7)
        return seen, after

    assert await run_in_thread(work, Pool("test")) == (5, 6)
    assert variable.get() == 7


async def test_cancelling_the_caller_cancels_what_the_thread_waits_for() -> None:
    """The awaitable is cancelled, the thread sees it, and the caller's task ends as cancelled."""
    waiting, seen = threading.Event(), threading.Event()

    async def endless() -> None:
        waiting.set()
        await asyncio.Event().wait()

    def work() -> None:
        try:
            wait_in_thread(endless())
        except asyncio.CancelledError:
            seen.set()
            raise

    task = asyncio.create_task(run_in_thread(work, Pool("test")))
    await asyncio.to_thread(waiting.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen.is_set()


async def test_a_timeout_reaches_into_the_thread() -> None:
    """`asyncio.timeout` around the call ends what the thread waits for, as a TimeoutError outside."""

    def work() -> None:
        wait_in_thread(asyncio.sleep(60))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run_in_thread(work, Pool("test"))


async def test_a_cancelled_thread_may_not_wait_again() -> None:
    """A thread whose caller has gone gets CancelledError at its next `wait`, and does no more work for it."""
    go, ended = threading.Event(), threading.Event()
    outcome: list[BaseException] = []

    def work() -> None:
        go.wait(5)
        try:
            wait_in_thread(asyncio.sleep(0))
        except BaseException as error:
            outcome.append(error)
        ended.set()

    pool = Pool("test", size=1)
    task = asyncio.create_task(run_in_thread(work, pool))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await asyncio.to_thread(ended.wait, 5)
    assert isinstance(outcome[0], asyncio.CancelledError)
    assert await run_in_thread(lambda: 1, pool) == 1


async def test_a_full_pool_refuses() -> None:
    """When all threads are busy and as many calls wait as allowed, the next one is refused at once."""
    release = threading.Event()
    pool = Pool("test", size=1, most_waiting=1)
    first = asyncio.create_task(run_in_thread(lambda: release.wait(5), pool))
    while not pool.running:
        await asyncio.sleep(0)
    second = asyncio.create_task(run_in_thread(lambda: 2, pool))
    await asyncio.sleep(0)
    with pytest.raises(PoolFull, match="All 1 threads"):
        await run_in_thread(lambda: 3, pool)
    release.set()
    assert await second == 2
    await first


async def test_many_calls_and_errors() -> None:
    """Results and exceptions arrive where they belong, also when many calls share the pool."""
    pool = Pool("test", size=4, most_waiting=1000)

    def work(number: int) -> int:
        if number % 7 == 0:
            raise ValueError(number)
        return wait_in_thread(double(number))

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    results = await asyncio.gather(
        *(run_in_thread(lambda number=number: work(number), pool) for number in range(200)),  # type: ignore[misc]
        return_exceptions=True,
    )
    for number, result in enumerate(results):
        if number % 7 == 0:
            assert isinstance(result, ValueError)
            assert result.args == (number,)
        else:
            assert result == 2 * number


async def test_a_call_takes_a_free_thread_while_others_are_held() -> None:
    """A thread that is about to take one call is not taken for the thread of the next, which would wait behind it."""
    for _ in range(300):
        pool = Pool("test", size=4)
        both = threading.Barrier(2)

        async def hop(pool: Pool = pool, both: threading.Barrier = both) -> None:
            await run_in_thread(lambda: None, pool)
            await run_in_thread(lambda: both.wait(60), pool)  # breaks where the two are not in threads at once

        await asyncio.gather(hop(), hop())
        assert pool.waiting == 0
        pool.close()
