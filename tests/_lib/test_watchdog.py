"""The watchdog names the line that blocks an event loop, once, and nobody else."""

import asyncio
import logging
import sys
import time
from typing import Any

import pytest
import uvloop

from demijohn._lib.watchdog import Watchdog, find_blocking_frame


class FakeRequest:
    method = "GET"
    path = "/slow"


async def blocks(request: FakeRequest) -> None:
    time.sleep(1.0)  # the line that is named


def run(main: Any, loop_factory: Any) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_blocking_line_is_named_once(loop_factory: Any, caplog: pytest.LogCaptureFixture) -> None:
    """File, line, function, request and the line itself are logged, the first time that place blocks."""

    async def main() -> None:
        watchdog = Watchdog(asyncio.get_running_loop(), threshold=0.4)
        watchdog.start()
        await asyncio.sleep(0.05)
        for _ in range(2):
            await blocks(FakeRequest())
            await asyncio.sleep(0.1)
        watchdog.stop()

    run(main, loop_factory)
    messages = [record.getMessage() for record in caplog.records if record.name == "demijohn.watchdog"]
    assert len(messages) == 1
    number = blocks.__code__.co_firstlineno + 1
    assert f"test_watchdog.py:{number} in `blocks` (GET /slow): time.sleep(1.0)" in messages[0]


def test_a_loop_that_turns_is_left_in_peace(caplog: pytest.LogCaptureFixture) -> None:
    """Many short steps, and waiting itself, are no blocking."""

    async def main() -> None:
        watchdog = Watchdog(asyncio.get_running_loop(), threshold=0.4)
        watchdog.start()
        for _ in range(20):
            time.sleep(0.01)
            await asyncio.sleep(0)
        await asyncio.sleep(0.8)
        watchdog.stop()

    run(main, asyncio.new_event_loop)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_frames_of_the_user_come_first() -> None:
    """From inside a library the caller in the user's code is found; from the framework alone, nothing."""
    import json

    found = []

    class Odd:
        pass

    def default(value: object) -> str:
        found.append(find_blocking_frame(sys._getframe().f_back))  # type: ignore[arg-type]
        return ""

    json.dumps({"a": Odd()}, default=default)
    assert found[0].f_code is test_frames_of_the_user_come_first.__code__
