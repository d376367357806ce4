"""An awaitable driven by hand sees one task, keeps its place when the time is over, and is cancelled as if awaited."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from demijohn._lib.stepping import Step


async def test_what_does_not_wait_is_done_at_once() -> None:
    """A coroutine without a wait ends in the constructor, well or not."""

    async def value() -> int:
        return 3

    async def failure() -> int:
        raise KeyError("x")

    assert Step(value()).result() == 3
    step = Step(failure())
    assert step.is_done
    with pytest.raises(KeyError):
        step.result()


async def test_time_over_cancels_nothing() -> None:
    """`within` comes back, and the next call goes on where the first one was; all in the same task."""
    tasks = set()

    async def slow() -> str:
        tasks.add(asyncio.current_task())
        await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        tasks.add(asyncio.current_task())
        return "there"

    step = Step(slow())
    times = 0
    while not await step.within(0.01):
        times += 1
    assert step.result() == "there"
    assert times >= 2
    assert tasks == {asyncio.current_task()}


async def test_cancelling_the_task_cancels_what_is_waited_for() -> None:
    """A child task that is waited for gets its cancellation, may clean up, and only then the awaitable ends."""
    order: list[str] = []

    async def child() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            order.append("child")

    async def parent() -> None:
        try:
            await asyncio.create_task(child())
        finally:
            order.append("parent")

    async def whole(seconds: float | None) -> None:
        step = Step(parent())
        await step.within(seconds)
        step.result()

    for seconds in (30.0, None):
        order.clear()
        task = asyncio.create_task(whole(seconds))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert order == ["child", "parent"]


async def test_timeouts_inside_hold() -> None:
    """`asyncio.timeout` in the awaitable ends its wait, and the task is left as it was."""

    async def impatient() -> str:
        try:
            async with asyncio.timeout(0.02):
                await asyncio.sleep(60)
        except TimeoutError:
            return "over"
        return "never"

    step = Step(impatient())
    assert await step.within(5)
    assert step.result() == "over"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_cancel_ends_it_where_it_waits() -> None:
    """Its clean-up runs, whatever it waits for."""
    cleaned: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append("numbers")

    source = numbers()
    assert Step(source.__anext__()).result() == 1
    step = Step(source.__anext__())
    assert not await step.within(0.01)
    await step.cancel()
    assert cleaned == ["numbers"]
    await step.cancel()  # a second time does nothing


async def test_long_waits_share_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of waits take one timer of the loop; each ends when its own time is over, and goes on afterwards."""
    loop = asyncio.get_running_loop()
    timers: list[float] = []
    begin = loop.call_later
    monkeypatch.setattr(loop, "call_later", lambda seconds, *rest: (timers.append(seconds), begin(seconds, *rest))[1])
    gate = asyncio.Event()
    steps = [Step(gate.wait()) for _ in range(1000)]
    short, long = steps[:500], steps[500:]
    waits = [asyncio.create_task(step.within(1.0)) for step in short]
    others = [asyncio.create_task(step.within(60.0)) for step in long]
    assert not any(await asyncio.gather(*waits))
    assert not any(task.done() for task in others)
    gate.set()
    assert all(await asyncio.gather(*others, *[step.within(60.0) for step in short]))
    assert len(timers) < 10
