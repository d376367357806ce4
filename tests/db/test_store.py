"""SQLite: short reads inline, long ones elsewhere, writes in turns, and nothing lost between processes."""

import asyncio
import gc
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from time import thread_time

import pytest

from demijohn.db import LockNotAvailable, StatementTimeout
from demijohn.db.database import Database
from demijohn.db.dialects.store import Store
from demijohn.db.engines import DatabaseTimeouts

SLOW = "with recursive n(x) as (select 1 union all select x + 1 from n where x < {}) select count(*) from n"


async def test_a_short_read_takes_no_thread(sqlite: Database) -> None:
    """A read that is quick starts no reader thread, and no transaction."""
    before = threading.active_count()
    async with sqlite.unit() as unit:
        assert (await sqlite.execute("select 1")).scalar() == 1
        assert not unit.is_begun()
    assert threading.active_count() == before


async def test_a_long_read_stalls_nobody(sqlite: Database) -> None:
    """A statement of hundreds of milliseconds moves to a thread after 5 ms; the loop goes on meanwhile."""

    async def ticks_during(count: int) -> tuple[int, float]:
        """Return how often the loop came round while a read counted, and the CPU seconds of its own thread."""
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        ticker = asyncio.create_task(tick())
        await asyncio.sleep(0)
        async with sqlite.unit():
            began = thread_time()
            assert (await sqlite.execute(SLOW.format(count))).scalar() == count
            spent = thread_time() - began
        ticker.cancel()
        return ticks, spent

    # Rounds of the loop and CPU time of its thread, no wall clock: neighbours on the machine slow both down.
    with closing(sqlite3.connect(":memory:")) as raw:
        began = thread_time()
        raw.execute(SLOW.format(3_000_000)).fetchall()
        inline = thread_time() - began
    ticks, spent = await ticks_during(3_000_000)
    assert ticks > 5
    assert spent < inline / 2, "the loop's thread did the work"


async def test_a_cancelled_read_is_interrupted(sqlite: Database) -> None:
    """A timeout around a long read ends the statement too, and the reader thread is free again."""
    async with sqlite.unit():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await sqlite.execute(SLOW.format(500_000_000))
        assert (await sqlite.execute(SLOW.format(100_000))).scalar() == 100_000


async def test_a_statement_has_a_limit(tmp_path: Path) -> None:
    """A read over the statement timeout is an error, not a thread lost for good."""
    database = Database(f"sqlite:///{tmp_path}/test.db", timeouts=DatabaseTimeouts(statement=0.05))
    async with database.unit():
        with pytest.raises(StatementTimeout) as slow:
            await database.execute(SLOW.format(500_000_000))
    assert "interrupted" in str(slow.value.__cause__)
    await database.dispose()


async def test_readers_cannot_write(tmp_path: Path) -> None:
    """A statement that was taken for a read and writes is refused by SQLite."""
    store = Store(str(tmp_path / "test.db"), asyncio.get_running_loop())
    try:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            store.read("create table t (x)", ())
    finally:
        await store.close()


async def test_writers_take_turns(sqlite: Database) -> None:
    """Fifty units of work that read, modify under a lock and write lose no update."""
    async with sqlite.unit():
        await sqlite.execute("create table counter (n integer)")
        await sqlite.execute("insert into counter values (0)")

    async def add() -> None:
        async with sqlite.unit(), sqlite.transaction():
            n = (await sqlite.execute("select n from counter")).scalar_one()
            await asyncio.sleep(0)
            await sqlite.execute("update counter set n = :n", {"n": n + 1})

    await asyncio.gather(*(add() for _ in range(50)))
    async with sqlite.unit():
        assert (await sqlite.execute("select n from counter")).scalar() == 50


async def test_the_writer_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who waits too long for the turn gets 503, and the log says who has it."""
    database = Database(f"sqlite:///{tmp_path}/test.db", timeouts=DatabaseTimeouts(lock=0.05))

    async def other() -> None:
        async with database.unit("POST /slow"):
            await database.execute("create table t (x)")
            await asyncio.sleep(0.2)

    task = asyncio.create_task(other())
    await asyncio.sleep(0.05)
    with pytest.raises(LockNotAvailable) as busy:
        async with database.unit("POST /quick"):
            await database.execute("create table u (x)")
    assert ("retry-after", "1") in busy.value.headers
    assert "POST /slow writes" in caplog.text
    assert "POST /quick: a lock" in caplog.text
    await task
    await database.dispose()


async def test_a_cancelled_writer_passes_the_turn_on(sqlite: Database) -> None:
    """A unit of work that is cancelled while it writes is rolled back, and the next one writes at once."""
    async with sqlite.unit():
        await sqlite.execute("create table t (x)")
    written = asyncio.Event()

    async def doomed() -> None:
        async with sqlite.unit():
            await sqlite.execute("insert into t values (1)")
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(doomed())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with sqlite.unit():
        await sqlite.execute("insert into t values (2)")
        assert (await sqlite.execute("select x from t")).scalars().all() == [2]


async def test_aborts_at_random_moments_leave_nothing_open(sqlite: Database) -> None:
    """Each of many cancelled units is there whole or not at all, and the turn is free after them."""
    async with sqlite.unit():
        await sqlite.execute("create table pair (n integer, half integer)")

    async def both(n: int) -> None:
        async with sqlite.unit():
            await sqlite.execute("insert into pair values (:n, 1)", {"n": n})
            await sqlite.execute("insert into pair values (:n, 2)", {"n": n})

    for n in range(150):
        task = asyncio.create_task(both(n))
        for _ in range(n % 13):
            await asyncio.sleep(0)
        if n % 3 == 0:
            await asyncio.sleep(n % 7 / 5000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with sqlite.unit() as unit:
        halves = (await sqlite.execute("select count(*) from pair group by n")).scalars().all()
        assert set(halves) <= {2}
        await sqlite.execute("delete from pair")
        assert unit.is_begun()


async def test_streamed_rows_come_in_parts(sqlite: Database) -> None:
    """A streamed statement reads on a thread of its own while other statements of the unit go on."""

    def stream(session: object) -> list[int]:
        result = sqlite.session.connection().execution_options(yield_per=100).exec_driver_sql(
            "with recursive n(x) as (select 1 union all select x + 1 from n where x < 1000) select x from n"
        )  # fmt: skip
        seen = []
        for part in result.scalars().partitions(100):
            seen.append(len(part))
            assert sqlite.session.connection().exec_driver_sql("select 1").scalar() == 1
        return seen

    async with sqlite.unit():
        assert await sqlite.run_sync(stream) == [100] * 10


WRITER = """
import asyncio, sys
from demijohn.db.database import Database

async def main():
    database = Database(sys.argv[1])
    async def write(worker):
        for turn in range(20):
            async with database.unit():
                await database.execute("insert into ledger values (:p, :w, :t)", {"p": int(sys.argv[2]), "w": worker,
                "t": turn})
    await asyncio.gather(*(write(worker) for worker in range(8)))
    await database.dispose()

asyncio.run(main())
"""


async def test_four_processes_with_eight_writers_each(sqlite: Database, tmp_path: Path) -> None:
    """Four processes with eight writers each on one file: no write fails, none is lost, none is doubled."""
    async with sqlite.unit():
        await sqlite.execute("create table ledger (process integer, worker integer, turn integer)")
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, f"sqlite:///{tmp_path}/test.db", str(number)])
        for number in range(4)
    ]
    codes = [await asyncio.to_thread(process.wait, 120) for process in processes]
    assert codes == [0] * 4
    async with sqlite.unit():
        total = (await sqlite.execute("select count(*) from ledger")).scalar()
        distinct = (await sqlite.execute("select count(*) from (select distinct * from ledger)")).scalar()
    assert (total, distinct) == (640, 640)


async def test_a_temporary_database_is_one_database() -> None:
    """`sqlite://` keeps units of work apart as a file does, and its file is gone after the database."""
    database = Database("sqlite://")
    path = Path(str(database.plan.url.database))
    async with database.unit():
        await database.execute("create table t (x)")
        async with database.independent():
            assert (await database.execute("select count(*) from sqlite_master")).scalar() == 0
    async with database.unit():
        assert (await database.execute("select count(*) from sqlite_master")).scalar() == 1
    await database.dispose()
    assert path.exists()
    del database
    gc.collect()
    assert not path.exists()
