"""The driver: a coroutine that enters a greenlet is in every other way a coroutine like any other."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from contextvars import ContextVar
from time import perf_counter
from typing import Any

import pytest
from greenlet import getcurrent
from sqlalchemy.util.concurrency import await_

from demijohn._lib.concurrency import Pool, run_in_thread
from demijohn.db.driver import Frame, _idle, drive, enter, is_inside, run_in_greenlet, spawn

variable: ContextVar[str] = ContextVar("variable", default="none")


async def driven(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine as a handler runs."""
    return await drive(coroutine, Frame())


def implicit(value: str) -> str:
    """What a template or an attribute does: wait for the loop in plain code."""
    return await_(_later(value))


async def _later(value: str) -> str:
    await asyncio.sleep(0)
    return value


async def test_a_coroutine_that_never_enters_is_not_touched() -> None:
    """Without a database call the result, the futures and the task are those of the coroutine itself."""

    async def handler() -> tuple[str, bool]:
        value = await _later("plain")
        return value, is_inside()

    assert await driven(handler()) == ("plain", False)


async def test_after_entering_plain_code_may_wait() -> None:
    """After the marker the rest of the coroutine runs inside, before and after further awaits."""

    async def handler() -> list[object]:
        seen: list[object] = [is_inside()]
        await enter()
        seen.append(is_inside())
        seen.append(implicit("first"))
        seen.append(await _later("second"))
        seen.append(implicit("third"))
        return seen

    assert await driven(handler()) == [False, True, "first", "second", "third"]


@pytest.mark.parametrize("inside", [False, True])
async def test_exceptions_pass_with_their_traceback(inside: bool) -> None:
    """What the coroutine raises arrives outside, and what it awaits may fail inside of it."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("inner")

    async def handler() -> str:
        if inside:
            await enter()
        with contextlib.suppress(LookupError):
            await fail()
        raise ValueError("outer")

    with pytest.raises(ValueError, match="outer") as caught:
        await driven(handler())
    assert any(entry.name == "handler" for entry in caught.traceback)


@pytest.mark.parametrize("inside", [False, True])
async def test_timeouts_hold(inside: bool) -> None:
    """`asyncio.timeout` ends a wait, explicit or implicit, and the coroutine may go on."""

    async def forever() -> None:
        await asyncio.Event().wait()

    async def handler() -> list[str]:
        seen = []
        if inside:
            await enter()
        try:
            async with asyncio.timeout(0.01):
                await forever()
        except TimeoutError:
            seen.append("explicit")
        if inside:
            try:
                async with asyncio.timeout(0.01):
                    await_(forever())
            except TimeoutError:
                seen.append("implicit")
        return seen

    assert await driven(handler()) == (["explicit", "implicit"] if inside else ["explicit"])


@pytest.mark.parametrize("inside", [False, True])
async def test_cancellation_reaches_the_handler(inside: bool) -> None:
    """Cancelling the task raises in the coroutine, whose clean-up may await."""
    seen: list[str] = []
    started = asyncio.Event()

    async def handler() -> None:
        if inside:
            await enter()
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            seen.append(await _later("cleaned"))
            if inside:
                seen.append(implicit("implicitly"))

    task = asyncio.create_task(driven(handler()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == (["cleaned", "implicitly"] if inside else ["cleaned"])


async def test_task_groups_hold() -> None:
    """Children run beside the driven parent, outside of its greenlet, and a failing one cancels the others."""

    async def child(number: int) -> tuple[int, bool]:
        await asyncio.sleep(0)
        return number, is_inside()

    async def handler() -> list[tuple[int, bool]]:
        await enter()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(child(number)) for number in range(3)]
        assert implicit("still inside") == "still inside"
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(_fail())
                group.create_task(asyncio.Event().wait())
        return [task.result() for task in tasks]

    async def _fail() -> None:
        raise ValueError

    assert await driven(handler()) == [(0, False), (1, False), (2, False)]


async def test_context_variables_and_the_current_task_hold() -> None:
    """Variables set inside are seen outside and the other way round; tokens reset; the task is the same."""

    async def handler() -> None:
        token = variable.set("before")
        task = asyncio.current_task()
        await enter()
        assert variable.get() == "before"
        assert implicit("x") == "x"
        assert asyncio.current_task() is task
        variable.reset(token)
        variable.set("inside")

    variable.set("outside")
    await driven(handler())
    assert variable.get() == "inside"


async def test_async_generators_and_threads_hold() -> None:
    """Async generators, `to_thread` and nested drivers work within the greenlet."""

    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    async def nested() -> str:
        await enter()
        return implicit("nested")

    async def handler() -> list[object]:
        await enter()
        found: list[object] = [number async for number in numbers()]
        found.append(await asyncio.to_thread(threading.get_ident) != threading.get_ident())
        found.append(await driven(nested()))
        found.append(implicit("after"))
        return found

    assert await driven(handler()) == [0, 1, 2, True, "nested", "after"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_eager_tasks_made_inside_return_to_where_they_are_resumed() -> None:
    """A child whose eager first step ran in the parent's greenlet may use one of its own, and go on later."""

    def waits() -> str:
        return implicit("one") + implicit("two")

    async def child() -> str:
        return await spawn(waits)

    async def handler() -> list[str]:
        await enter()
        loop = asyncio.get_running_loop()
        tasks = [asyncio.eager_task_factory(loop, child()) for _ in range(5)]
        own = implicit("mine")
        return [own, *[await task for task in tasks]]

    assert await driven(handler()) == ["mine", *["onetwo"] * 5]


async def test_eager_tasks_are_driven_too() -> None:
    """A driven coroutine may start eagerly, as the server starts a request."""

    async def handler() -> str:
        await enter()
        return implicit("eager")

    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        task = asyncio.Task(driven(handler()), loop=loop, eager_start=True)
    else:
        task = loop.create_task(driven(handler()))
    assert await task == "eager"


async def test_many_at_once_stay_apart() -> None:
    """A thousand driven tasks with five implicit waits each give each its own."""

    async def handler(number: int) -> list[str]:
        await enter()
        return [implicit(f"{number}-{turn}") for turn in range(5)]

    results = await asyncio.gather(*(driven(handler(number)) for number in range(1000)))
    assert results == [[f"{number}-{turn}" for turn in range(5)] for number in range(1000)]


async def test_greenlets_are_used_again_and_remember_nothing() -> None:
    """The next coroutine runs in the greenlet of the one before: in its own context, whatever became of that one."""
    seen: list[Any] = []

    async def handler(number: int) -> str:
        before = variable.get()
        await enter()
        seen.append(getcurrent())
        variable.set(str(number))
        implicit("wait")
        if number % 3 == 1:
            raise LookupError(number)
        if number % 3 == 2:
            await asyncio.sleep(10)
        return before

    for number in range(9):
        task = asyncio.create_task(driven(handler(number)))
        await asyncio.sleep(0.001)
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert result == "none" or isinstance(result, LookupError | asyncio.CancelledError)
    assert len(set(map(id, seen))) == 1
    assert seen[0].gr_context is None
    assert await asyncio.gather(*(driven(handler(0)) for _ in range(200))) == ["none"] * 200
    assert len(_idle.greenlets) <= _idle.limit


async def test_closing_a_driven_coroutine_cleans_up() -> None:
    """A driven coroutine that is closed half way runs its `finally`, outside and inside of the greenlet."""
    seen: list[str] = []

    async def handler(inside: bool) -> None:
        try:
            if inside:
                await enter()
            await asyncio.Event().wait()
        finally:
            seen.append("inside" if inside else "outside")

    for inside in (False, True):
        coroutine = driven(handler(inside))
        coroutine.send(None)
        coroutine.close()
    assert seen == ["outside", "inside"]


async def test_a_thread_waits_through_its_servant() -> None:
    """A plain function in a worker thread may wait anywhere; the servant awaits in its own task."""
    task = asyncio.current_task()

    async def which() -> bool:
        await asyncio.sleep(0)
        return asyncio.current_task() is task

    def handler() -> list[object]:
        return [implicit("thread"), await_(which()), is_inside()]

    pool = Pool("driver-test", size=1)
    try:
        assert await run_in_thread(lambda: run_in_greenlet(handler), pool) == ["thread", True, True]
    finally:
        pool.close()


def test_a_thread_without_a_servant_is_told() -> None:
    """Outside of a worker thread there is nobody who could wait."""
    with pytest.raises(RuntimeError, match="no servant"):
        run_in_greenlet(lambda: None)


async def test_unused_it_costs_little() -> None:
    """A coroutine that is driven and never enters pays a few microseconds at the most, on any machine of today."""

    async def handler() -> None:
        return None

    async def plain() -> None:
        return await handler()

    def cost(make: Any) -> float:
        start = perf_counter()
        for _ in range(2000):
            try:
                make().send(None)
            except StopIteration:
                pass
        return (perf_counter() - start) / 2000

    frame = Frame()
    best = min(cost(lambda: _through(handler(), frame)) - cost(plain) for _ in range(5))
    assert best < 10e-6


async def _through(coroutine: Coroutine[Any, Any, Any], frame: Frame) -> Any:
    return await drive(coroutine, frame)
