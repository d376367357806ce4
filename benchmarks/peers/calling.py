"""What the database peers share: calls are asked for by lines on stdin, and each is answered with its CPU seconds."""

import asyncio
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

URL = os.environ["BENCH_URL"]
"""`sqlite:///path` or `postgresql://...`."""
IS_SQLITE = URL.startswith("sqlite")
PATH = URL.removeprefix("sqlite:///")
MOMENT = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)


def rows(count: int) -> list[dict[str, Any]]:
    """Rows to insert."""
    return [
        {
            "title": f"Title {number}",
            "slug": f"slug-{number}",
            "body": "Some words. " * 10,
            "published": number % 2 == 0,
            "stars": number % 6,
            "created_at": MOMENT,
        }
        for number in range(1, count + 1)
    ]


def key(turn: int) -> int:
    """The key of the row to ask for."""
    return turn * 7 % 1000 + 1


def shown(row: Any) -> list[Any]:
    """What a peer has to have of a row, to see that it did the work."""
    get = row.__getitem__ if isinstance(row, dict) else lambda name: getattr(row, name)
    moment = get("created_at")
    assert moment == MOMENT, moment
    return [get("id"), get("title"), get("slug"), len(get("body")), bool(get("published")), get("stars")]


async def answer(workloads: dict[str, Callable[[int], Any]]) -> None:
    """Run what the lines on stdin ask for: the name of a workload and how often."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        name, count = line.split()
        work = workloads[name]
        started = time.process_time()
        given = work(int(count))
        if inspect.isawaitable(given):
            given = await given
        spent = time.process_time() - started
        print(json.dumps({"seconds": spent, "answer": given}), flush=True)


def run(main: Callable[[], Any]) -> None:
    """Run an async peer on uvloop."""
    import uvloop

    asyncio.run(main(), loop_factory=uvloop.new_event_loop)
