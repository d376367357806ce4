"""When a database does not answer as it should: clients get 503, nothing is lost, nothing is doubled, and it heals."""

import asyncio
import faulthandler
import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, perf_counter

import msgspec
import pytest
from sqlalchemy.exc import DBAPIError

from demijohn import App
from demijohn.db import (
    ConnectionLost,
    Database,
    DatabaseTimeouts,
    LockNotAvailable,
    Mapped,
    Model,
    OutcomeUnknown,
    StatementTimeout,
    Unreachable,
    column,
)
from demijohn.db.outages import told
from demijohn.testing import LiveServer
from tests.app.calling import call
from tests.db.conftest import BACKENDS, url_of
from tests.db.servers import OwnServer


class Base(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Entry(Base):
    number: Mapped[int] = column(unique=True)
    half: Mapped[str] = column(max_length=10, default="first")


FULL = bool(os.environ.get("DEMIJOHN_TEST_FULL"))
"""Whether faults are repeated as often as promised: ten restarts, 10,000 aborts, 200 kills. It takes some minutes."""
RESTARTS, ABORTS, KILLS = (10, 10_000, 200) if FULL else (2, 120, 6)


@pytest.fixture(autouse=True)
def patience() -> None:
    """Let a repeated fault take longer than the five minutes after which a test counts as hanging."""
    if FULL:
        faulthandler.cancel_dump_traceback_later()


SERVERS = [
    pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.slow]),
    pytest.param("mariadb", marks=[pytest.mark.mariadb, pytest.mark.slow]),
]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    """A server that the test may crash."""
    server = OwnServer(request.param)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def entries(database: Database) -> AsyncIterator[Database]:
    """A database with the table of entries."""
    async with database.unit():
        await database.drop_all(Base)
        await database.create_all(Base)
    yield database
    async with database.unit():
        await database.drop_all(Base)


async def ready(database: Database) -> None:
    """Wait until a server takes statements."""
    for _ in range(200):
        try:
            async with database.unit():
                await database.execute("select 1")
            return
        except Unreachable:
            await asyncio.sleep(0.05)
    raise AssertionError("the server takes no statement")


async def test_a_server_that_restarts_in_mid_traffic(server: OwnServer) -> None:
    """R13: of writes and reads during crashes those that were answered 200 are there once, the others are 503."""
    database = Database(server.url, connections=5, timeouts=DatabaseTimeouts(checkout=5))
    await ready(database)
    async with database.unit():
        await database.create_all(Base)
    app = App()
    app.use(database)

    @app.post("/{number:int}")
    async def write(number: int) -> int:
        await Entry.create(number=number)
        return number

    @app.get("/")
    async def read() -> int:
        return await Entry.query().count()

    numbers = iter(range(1_000_000))
    answers: dict[int, int] = {}
    reads: Counter[int] = Counter()
    good: list[float] = []
    going = True

    async def writer() -> None:
        while going:
            number = next(numbers)
            answers[number] = (await call(app, "POST", f"/{number}")).status
            if answers[number] == 200:
                good.append(monotonic())
            await asyncio.sleep(0.005)

    async def reader() -> None:
        while going:
            reads[(await call(app, "GET", "/")).status] += 1
            await asyncio.sleep(0.005)

    tasks = [asyncio.create_task(one()) for one in (writer, writer, writer, reader)]
    opened: list[float] = []
    for _ in range(RESTARTS):
        await asyncio.sleep(0.4)
        await server.restart()
        opened.append(monotonic())
    await ready(database)
    await asyncio.sleep(0.6)
    going = False
    await asyncio.gather(*tasks)
    async with database.unit():
        there = Counter(await Entry.query().scalars(Entry.number).all())
    assert set(there.values()) == {1}, "a write was doubled"
    acknowledged = {number for number, status in answers.items() if status == 200}
    assert acknowledged <= set(there), "a write that was answered 200 is lost"
    # One that was committing when the server went is an error of its own: nobody knows.
    assert {status for number, status in answers.items() if number not in there} <= {503, 500}
    assert set(reads) <= {200, 503}
    assert 503 in answers.values(), "the crash was not noticed, so nothing was tested"
    assert sum(status == 500 for status in answers.values()) <= RESTARTS * 3
    for moment in opened:
        assert any(moment <= one <= moment + 3 for one in good), "it did not heal soon after the port opened"
    await database.dispose()


async def test_a_server_that_is_down(server: OwnServer, caplog: pytest.LogCaptureFixture) -> None:
    """Who finds no server gets 503 with Retry-After at once; the log says why, once a second, without the password."""
    server.kill()
    url = server.url.replace("@", ":geheim@", 1)
    database = Database(url)
    app = App()
    app.use(database)

    @app.get("/")
    async def read() -> int:
        return await Entry.query().count()

    began = perf_counter()
    with caplog.at_level(logging.ERROR, "demijohn.db"):
        answers = [await call(app, "GET", "/") for _ in range(5)]
    took = perf_counter() - began
    assert took < 20
    assert {answer.status for answer in answers} == {503}
    assert answers[0].headers["retry-after"] == "1"
    assert b"geheim" not in answers[0].body
    assert "cannot be reached (DJN-853)" in caplog.text
    assert "geheim" not in caplog.text
    assert len(caplog.records) <= 1 + took
    server.start()
    healthy = Database(server.url)
    await ready(healthy)
    await healthy.dispose()
    await database.dispose()


async def test_a_lock_that_is_held(entries: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """R14: who waits for a lock longer than the limit gets 503, and the next one goes on once it is free."""
    url = url_of(entries.backend, tmp_path)
    waiting = Database(url, timeouts=DatabaseTimeouts(lock=1))
    async with entries.unit():
        await Entry.create(number=1)
    held = asyncio.Event()
    release = asyncio.Event()

    async def hold() -> None:
        async with entries.unit("POST /slow"), entries.transaction():
            await Entry.where(number=1).for_update().one()
            held.set()
            await release.wait()

    task = asyncio.create_task(hold())
    await held.wait()
    began = perf_counter()
    with pytest.raises(LockNotAvailable) as busy:
        async with waiting.unit("POST /late"):
            await Entry.where(number=1).update(half="late")
    assert 0.5 < perf_counter() - began < 4
    assert ("retry-after", "1") in busy.value.headers
    assert "POST /late: a lock" in caplog.text
    release.set()
    await task
    async with waiting.unit():
        assert await Entry.where(number=1).update(half="late") == 1
    await waiting.dispose()


async def test_nowait_is_told_alike(entries: Database) -> None:
    """`for_update(nowait=True)` on a locked row is a `LockNotAvailable` on every server."""
    if entries.backend == "sqlite":
        pytest.skip("SQLite has one writer and no locks of rows")
    async with entries.unit():
        await Entry.create(number=1)

    async def other() -> None:
        with pytest.raises(LockNotAvailable):
            async with entries.unit():
                await Entry.where(number=1).for_update(nowait=True).one()

    async with entries.unit():
        await Entry.where(number=1).for_update().one()
        await asyncio.create_task(other())


async def test_a_statement_that_takes_too_long(backend: str, tmp_path: Path) -> None:
    """R14: a statement over the limit is 503, and the connection serves the next one."""
    database = Database(url_of(backend, tmp_path), connections=1, timeouts=DatabaseTimeouts(statement=0.3))
    slow = {
        "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n where i < 500000000) "
        "select count(*) from n",
        "postgresql": "select pg_sleep(5)",
        "mariadb": "select sleep(5)",
    }[backend]
    began = perf_counter()
    with pytest.raises(StatementTimeout):
        async with database.unit():
            await database.execute(slow)
    assert perf_counter() - began < 3
    async with database.unit():
        assert (await database.execute("select 1")).scalar() == 1
    await database.dispose()


_LIMITS = {
    "postgresql": "select setting::int / 1000.0 from pg_settings where name in "
    "('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') order by name desc",
    "mariadb": "select @@max_statement_time union all select @@innodb_lock_wait_timeout",
}


@pytest.mark.parametrize("backend", BACKENDS[1:])
@pytest.mark.parametrize(
    ("timeouts", "served", "scripted"),
    [
        (DatabaseTimeouts(), {"statement": 5, "lock": 2, "idle": 10}, {"statement": 0, "lock": 2, "idle": 0}),
        (
            DatabaseTimeouts(statement=30, lock=7, idle=0),
            {"statement": 30, "lock": 7, "idle": 0},
            {"statement": 30, "lock": 7, "idle": 0},
        ),
    ],
    ids=["by default", "as set"],
)
async def test_the_limits_of_pages_and_of_scripts(
    backend: str, tmp_path: Path, timeouts: DatabaseTimeouts, served: dict[str, int], scripted: dict[str, int]
) -> None:
    """Five seconds for a statement and ten of doing nothing are for requests alone; what was set holds everywhere."""
    app = App()
    database = app.use(Database(url_of(backend, tmp_path), timeouts=timeouts))
    names = ["statement", "lock", "idle"] if backend == "postgresql" else ["statement", "lock"]

    async def limits() -> dict[str, int]:
        found = (await database.execute(_LIMITS[backend])).scalars().all()
        return dict(zip(names, map(int, found), strict=True))

    app.get("/limits")(limits)
    async with app.context():
        assert await limits() == {name: scripted[name] for name in names}
    await app.startup()
    assert msgspec.json.decode((await call(app, "GET", "/limits")).body) == {name: served[name] for name in names}
    await app.shutdown()


async def test_a_long_report_on_sqlite(tmp_path: Path) -> None:
    """A statement of a page is ended after five seconds, one of a script is not, as SQLite has no such setting."""
    app = App()
    database = app.use(Database(f"sqlite:///{tmp_path}/test.db"))

    async def limits(*, serves: bool) -> tuple[float, float]:
        await app.startup(serves=serves)
        store = database.resources()[0].store
        assert store is not None
        found = store.statement_timeout, store.busy_timeout
        await app.shutdown()
        return found

    assert await limits(serves=True) == (5, 5)
    assert await limits(serves=False) == (0, 5)


async def test_a_full_pool(backend: str, tmp_path: Path) -> None:
    """R14: 503 while the pool is empty, and nobody waits once it is not; no connection is left over."""
    if backend == "sqlite":
        pytest.skip("readers of SQLite share their connections")
    database = Database(url_of(backend, tmp_path), connections=2, timeouts=DatabaseTimeouts(checkout=0.1))
    app = App()
    app.use(database)
    release = asyncio.Event()

    @app.get("/slow")
    async def slow() -> str:
        async with database.transaction():
            await database.execute("select 1")
            await release.wait()
        return "done"

    @app.get("/quick")
    async def quick() -> str:
        await database.execute("select 1")
        return "done"

    holders = [asyncio.create_task(call(app, "GET", "/slow")) for _ in range(2)]
    await asyncio.sleep(0.2)
    refused = await asyncio.gather(*(call(app, "GET", "/quick") for _ in range(20)))
    assert {answer.status for answer in refused} == {503}
    assert refused[0].headers["retry-after"] == "1"
    release.set()
    assert [answer.status for answer in await asyncio.gather(*holders)] == [200, 200]
    assert (await call(app, "GET", "/quick")).status == 200
    assert len(database.holders) == 0
    await database.dispose()


async def test_clients_that_leave(entries: Database) -> None:
    """R15: a client that goes at any moment, the commit included, leaves whole pairs and no open transaction."""
    app = App()
    app.use(entries)

    @app.post("/{number:int}")
    async def pair(number: int) -> str:
        await Entry.create(number=2 * number)
        await asyncio.sleep(0)
        await Entry.create(number=2 * number + 1, half="second")
        return "done"

    answered: set[int] = set()

    async with LiveServer(app) as server:

        async def visit(number: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"POST /{number} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n".encode())
            try:
                async with asyncio.timeout(random.uniform(0, 0.03) if number % 5 else 10):
                    line = await reader.readline()
                    if b" 200 " in line:
                        answered.add(number)
            except (TimeoutError, OSError):
                pass
            finally:
                writer.transport.abort()

        for start in range(0, ABORTS, 8):
            await asyncio.gather(*(visit(number) for number in range(start, start + 8)))
        await asyncio.sleep(0.3)
        async with entries.unit():
            rows = Counter(number // 2 for number in await Entry.query().scalars(Entry.number).all())
        assert set(rows.values()) == {2}, "half of a pair is there"
        assert answered <= set(rows), "what was answered is not there"
        assert len(entries.holders) == 0
    if entries.backend == "postgresql":
        async with entries.unit():
            idle = "select count(*) from pg_stat_activity where state like 'idle in%' and datname = current_database()"
            assert (await entries.execute(idle)).scalar() == 0
    await app.shutdown()


async def test_a_connection_that_goes_is_told(database: Database) -> None:
    """Within a transaction it is a 503 that may be done again; during the commit nobody knows."""
    gone = DBAPIError("COMMIT", {}, Exception("gone"), connection_invalidated=True)
    assert isinstance(told(gone, alias="default", label="POST /"), ConnectionLost)
    unknown = told(gone, alias="default", label="POST /", committing=True)
    assert isinstance(unknown, OutcomeUnknown)
    assert "Nobody knows" in str(unknown)
    other = DBAPIError("SELECT", {}, Exception("syntax"))
    assert told(other, alias="default", label="GET /") is other


async def test_a_lost_race_is_run_again_where_nothing_is_lost(entries: Database) -> None:
    """The first statement of a unit that a server ended for the sake of another runs again; a later one does not."""
    if entries.backend == "sqlite":
        pytest.skip("writers of SQLite take turns")
    async with entries.unit():
        await Entry.bulk_create([{"number": number} for number in range(2)])
    both = asyncio.Barrier(2)

    async def cross(first: int, second: int) -> None:
        async with entries.transaction():
            await Entry.where(number=first).update(half=f"by {first}")
            if both.n_waiting < 2 and not both.broken:
                try:
                    async with asyncio.timeout(1):
                        await both.wait()
                except (TimeoutError, asyncio.BrokenBarrierError):
                    pass
            await Entry.where(number=second).update(half=f"by {first}")

    async def task(first: int, second: int) -> None:
        async with entries.unit():
            await entries.retry(lambda: cross(first, second))

    await asyncio.gather(task(0, 1), task(1, 0))  # a deadlock, which `retry` resolves
    async with entries.unit():
        assert len(set(await Entry.query().scalars(Entry.half).all())) == 1


KILLED = """
import asyncio, sys
from demijohn.db import Database
from tests.db.test_outages import Entry

async def main():
    database = Database(sys.argv[1])
    number = int(sys.argv[2])
    while True:
        async with database.unit():
            await Entry.create(number=number)
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
        number += 1

asyncio.run(main())
"""


async def test_a_process_that_is_killed_while_it_commits(entries: Database, tmp_path: Path) -> None:
    """R17: after kill -9 in the middle of commits the data is whole, and everything acknowledged is in it."""
    url = url_of(entries.backend, tmp_path)
    acknowledged: list[int] = []
    for round_ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, url, str(round_ * 100_000)],
            stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."},
            bufsize=0,  # `communicate` would not see what `readline` had read ahead
        )  # fmt: skip
        assert process.stdout is not None
        acknowledged.append(int(process.stdout.readline()))
        await asyncio.sleep(random.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=30)
        acknowledged += [int(line) for line in rest.split(b"\n")[:-1]]
    async with entries.unit():
        there = await Entry.query().order_by("number").scalars(Entry.number).all()
    assert set(acknowledged) <= set(there)
    assert len(there) <= len(acknowledged) + KILLS
    assert len(there) == len(set(there))
    if entries.backend == "sqlite":
        with closing(sqlite3.connect(tmp_path / "test.db")) as raw:
            assert raw.execute("pragma integrity_check").fetchall() == [("ok",)]
