"""`app.context()`: the app for a script."""

import asyncio

import pytest

from demijohn import App, current, wait
from demijohn.errors import OutsideContext


def test_sync_context_gives_wait_a_loop() -> None:
    """Start-up runs, `wait` works in the script's thread, in one task, and shutdown runs at the end."""
    app = App()
    order: list[str] = []
    app.on_startup(lambda: order.append("up"))
    app.on_shutdown(lambda: order.append("down"))
    tasks: list[object] = []

    async def work() -> int:
        tasks.append(asyncio.current_task())
        return 1

    with app.context():
        assert current.app is app
        assert wait(work()) == 1
        assert wait(work()) == 1
        assert order == ["up"]
    assert order == ["up", "down"]
    assert tasks[0] is tasks[1]
    with pytest.raises(OutsideContext):
        _ = current.app


async def test_async_context() -> None:
    """The async form uses the running loop and the present task."""
    app = App()
    async with app.context():
        assert current.app is app
        with pytest.raises(OutsideContext, match="async with"), app.context():
            pass


def test_errors_of_the_script_roll_back_and_rise() -> None:
    """An exception in the block reaches the unit's end, and the caller, unchanged."""
    app = App()
    ends: list[BaseException | None] = []

    async def finish(unit: object, error: BaseException | None) -> None:
        ends.append(error)

    app.before_send.append(finish)
    failure = ValueError("x")
    with pytest.raises(ValueError, match="x"), app.context():
        raise failure
    assert ends == [failure]


def test_a_failing_start_up_rises() -> None:
    """The script sees why the app could not start."""
    app = App()

    async def fail() -> None:
        raise OSError("no disk")

    app.on_startup(fail)
    with pytest.raises(OSError, match="no disk"), app.context():
        pass
