"""The nineteen traps of an async SQLAlchemy: each is answered, on every backend where it is one.

Two have files of their own: 2.14, the isolation of tests (`test_pinning.py`), and 2.17, greenlets (`test_driver.py`).
"""

import asyncio
import gc
import logging
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from demijohn import App, StreamResponse
from demijohn.db import (
    Database,
    DatabaseTimeouts,
    Mapped,
    Model,
    NotLoaded,
    OtherTask,
    TransactionLost,
    UniqueViolation,
    column,
    max_queries,
    on_change,
)
from demijohn.db.missing import SchemaMissing
from demijohn.errors import ServiceUnavailable
from tests.app.calling import call
from tests.db.blog import Base, Post, Tag, fill
from tests.db.conftest import url_of


@pytest.fixture
async def filled(blog: Database) -> Database:
    """The blog with ten posts."""
    await blog.run(fill())
    return blog


def checked_out(database: Database) -> int:
    """How many connections of the pool are in use."""
    pool: Any = database.engine.pool
    return int(pool.checkedout())


async def test_2_1_lazy_loading(filled: Database) -> None:
    """Relations load in handlers and in what they call, one query for all; elsewhere the message names the line."""
    app = App()
    app.use(filled)

    @app.get("/")
    async def home() -> Any:
        posts = await Post.query().order_by("id").all()
        with max_queries(1):
            return [post.author.display_name for post in posts]

    assert (await call(app, "GET", "/")).body == b'["Ann","Bob","Ann","Bob","Ann","Bob","Ann","Bob","Ann","Bob"]'
    async with filled.unit():
        post = (await Post.query().all())[0]
        with pytest.raises(NotLoaded, match=r"Post\.author .*test_traps\.py"):
            repr(post.author)


async def test_2_2_session_scope(filled: Database) -> None:
    """No connection before the first statement; it is back before the first byte, and a stream holds none."""
    app = App()
    app.use(filled)
    seen: list[tuple[str, int]] = []

    @app.get("/idle")
    async def idle() -> str:
        seen.append(("idle", checked_out(filled)))
        return ""

    @app.get("/stream")
    async def stream() -> Any:
        await Post.query().count()
        seen.append(("handler", checked_out(filled)))

        async def lines() -> AsyncIterator[bytes]:
            seen.append(("stream", checked_out(filled)))
            yield b"x"

        return StreamResponse(lines())

    await call(app, "GET", "/idle")
    await call(app, "GET", "/stream", read=True)
    assert seen == [("idle", 0), ("handler", 1), ("stream", 0)]


async def test_2_3_one_session_per_task(filled: Database) -> None:
    """`gather` over one unit fails at once and for every child, with both named, instead of at random."""

    async def main() -> list[Any]:
        await Post.query().count()
        return await asyncio.gather(*(Post.query().count() for _ in range(3)), return_exceptions=True)

    results = await filled.run(main(), label="GET /gather")
    assert [type(result) for result in results] == [OtherTask] * 3
    assert "GET /gather" in str(results[0])


async def test_2_4_pool_exhaustion(backend: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who gets no connection in time is answered 503 with Retry-After, and the log names who holds them."""
    if backend == "sqlite":
        pytest.skip("readers of SQLite share their connections; its writers take turns, which test_store.py holds")
    timeouts = DatabaseTimeouts(checkout=0.2)
    database = Database(url_of(backend, tmp_path), connections=2, timeouts=timeouts)
    release = asyncio.Event()

    async def hold(number: int) -> None:
        async with database.unit(f"GET /slow/{number}"), database.transaction():
            await database.execute("select 1")
            await release.wait()

    holders = [asyncio.create_task(hold(number)) for number in range(2)]
    await asyncio.sleep(0.1)
    with caplog.at_level(logging.ERROR, "demijohn.db"):
        start = perf_counter()
        with pytest.raises(ServiceUnavailable) as busy:
            async with database.unit():
                await database.execute("select 1")
    assert perf_counter() - start < 2
    assert ("retry-after", "1") in busy.value.headers
    assert "GET /slow/0 for 0." in caplog.text
    assert "GET /slow/1 for 0." in caplog.text
    release.set()
    await asyncio.gather(*holders)
    async with database.unit():
        assert (await database.execute("select 1")).scalar() == 1
    await database.dispose()


async def test_2_5_cancellation(filled: Database) -> None:
    """Cancelled at any moment, a unit gives its connection back and leaves nothing half done."""

    async def work(number: int) -> None:
        async with filled.unit():
            await Tag.create(name=f"first {number}")
            await Tag.create(name=f"second {number}")

    for number in range(40):
        task = asyncio.create_task(work(number))
        for _ in range(number % 17):
            await asyncio.sleep(0)
        if number % 2:
            await asyncio.sleep(number / 8000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with filled.unit():
        names = await Tag.where(Tag.name.contains(" ")).scalars(Tag.name).all()
    firsts = {name.partition(" ")[2] for name in names if name.startswith("first")}
    seconds = {name.partition(" ")[2] for name in names if name.startswith("second")}
    assert firsts == seconds
    assert checked_out(filled) == 0


async def test_2_6_expiry(filled: Database) -> None:
    """Objects stay readable after a commit; a lock and `reload` read fresh values."""
    async with filled.unit():
        async with filled.transaction():
            tag = await Tag.create(name="before")
        assert tag.name == "before"
        async with filled.independent():
            await Tag.where(id=tag.id).update(name="after")
        assert (await Tag.where(id=tag.id).for_update().one()).name == "after"
        async with filled.transaction():
            await tag.reload()
        assert tag.name == "after"
    assert tag.name == "after"


async def test_2_7_server_defaults(database: Database) -> None:
    """What the server fills in is there after `create`, without another await, with RETURNING and without."""

    class Here(Model, isolated=True):
        pass

    class Filled(Here):
        __tablename__ = "trap_filled"
        name: Mapped[str] = column(max_length=10)
        state: Mapped[str] = column(max_length=10, server_default="new")
        twice: Mapped[int] = column(generated="id_base * 2")
        id_base: Mapped[int] = column(default=4)

    async with database.unit():
        await database.drop_all(Here)
        await database.create_all(Here)
        made = await Filled.create(name="x")  # type: ignore[call-arg]
        assert (made.state, made.twice) == ("new", 8)
        made.id_base = 5
        await made.save()
        assert made.twice == 10
        await database.drop_all(Here)


async def test_2_8_autoflush(filled: Database) -> None:
    """A refused object that waits in the session is told by its field when a query flushes it, and by nothing else."""
    async with filled.unit():
        filled.session.add(Tag(name="sql"))
        with pytest.raises(UniqueViolation) as taken:
            await Post.query().count()
        assert taken.value.errors[0].place == ("body", "name")
        assert await Post.query().count() == 10


async def test_2_9_a_failed_flush(filled: Database) -> None:
    """An error that is caught does not poison the unit; what it undid is never forgotten silently."""
    async with filled.unit():
        with pytest.raises(UniqueViolation):
            await Tag.create(name="sql")
        await Tag.create(name="after")
    async with filled.unit():
        assert await Tag.where(name="after").exists()
    with pytest.raises(TransactionLost):
        async with filled.unit():
            await Tag.create(name="lost")
            with pytest.raises(UniqueViolation):
                await Tag.create(name="sql")
            await Tag.create(name="unsaid")
    async with filled.unit():
        assert await Tag.where(Tag.name.in_(["lost", "unsaid"])).count() == 0
        _tag, made = await Tag.get_or_create(name="sql")
        assert not made


def test_2_10_migrations_can_name_everything() -> None:
    """No constraint of a model is without a name, so that each can be changed later (migrations test the rest)."""
    for table in Base.metadata.tables.values():
        for constraint in (*table.constraints, *table.indexes):
            assert constraint.name is not None, (table.name, constraint)


async def test_2_11_sqlite_locking(sqlite: Database) -> None:
    """A transaction that reads and then writes does not fail because another wrote meanwhile; locks are not lost."""
    async with sqlite.unit():
        await sqlite.create_all(Base)
        await Tag.create(name="n")

    async def read_then_write(number: int) -> None:
        async with sqlite.unit():
            await Tag.query().count()
            await asyncio.sleep(0.001 * (number % 3))
            await Tag.create(name=f"n{number}")

    await asyncio.gather(*(read_then_write(number) for number in range(30)))
    async with sqlite.unit():
        assert await Tag.query().count() == 31
        assert (await sqlite.execute("pragma journal_mode")).scalar() == "wal"
        assert (await sqlite.execute("pragma foreign_keys")).scalar() == 1


@pytest.mark.postgresql
async def test_2_12_pgbouncer(tmp_path: Path) -> None:
    """Behind a transaction pooler no prepared statement outlives its transaction, and none shares a name."""
    database = Database(url_of("postgresql", tmp_path), pooler="pgbouncer")
    assert isinstance(database.engine.pool, NullPool)
    async with database.unit():
        for _ in range(3):
            await database.execute("select count(*) from pg_class")
        names = (await database.execute("select name from pg_prepared_statements")).scalars().all()
        assert all(name.startswith("__demijohn_") for name in names)
    async with database.unit():
        await database.create_all(Base)
        await Tag.create(name="through")
        await database.drop_all(Base)
    await database.dispose()


@pytest.mark.postgresql
async def test_2_13_stale_statements(tmp_path: Path) -> None:
    """A migration under a running process costs no read: the statement is prepared anew and runs."""
    database = Database(url_of("postgresql", tmp_path), connections=1)
    other = Database(url_of("postgresql", tmp_path), connections=1)
    async with other.unit():
        await other.execute("drop table if exists trap_stale")
        await other.execute("create table trap_stale (a varchar(10))")
        await other.execute("insert into trap_stale values ('x')")
    for size in (20, 30):
        async with database.unit():
            assert (await database.execute("select * from trap_stale")).first() == ("x",)
        async with other.unit():
            await other.execute(f"alter table trap_stale alter column a type varchar({size})")
    async with database.unit():
        assert (await database.execute("select * from trap_stale")).first() == ("x",)
        await database.execute("drop table trap_stale")
    await database.dispose()
    await other.dispose()


def test_2_15_loops(tmp_path: Path) -> None:
    """One `Database` serves several event loops, one after the other: each has an engine of its own."""
    database = Database(f"sqlite:///{tmp_path}/test.db")

    async def main(number: int) -> int:
        async with database.unit():
            if number == 0:
                await database.create_all(Base)
            await Tag.create(name=f"loop {number}")
            found = await Tag.query().count()
        await database.dispose()
        return found

    assert [asyncio.run(main(number)) for number in range(3)] == [1, 2, 3]


def test_2_16_sqlalchemy_2_1() -> None:
    """It is SQLAlchemy 2.1, and `postgresql://` means asyncpg, whatever SQLAlchemy's own default is."""
    assert sqlalchemy.__version__.startswith("2.1.")
    database = Database("postgresql://user@localhost/name")
    assert database.plan.url.drivername == "postgresql+demijohn"
    assert database.plan.url.get_dialect().is_async


async def test_2_18_many_rows(filled: Database) -> None:
    """Ten thousand rows are written in few statements, and streamed in memory that does not grow with them."""
    async with filled.unit():
        rows = [{"name": f"row {number}"} for number in range(10_000)]
        with max_queries(5):
            assert await Tag.bulk_create(rows) == 10_000
    async with filled.unit():
        seen, peak = 0, 0
        tracemalloc.start()
        try:
            async for tag in Tag.query().stream(chunk=200):
                seen += 1
                if seen == 1000:
                    gc.collect()
                    tracemalloc.reset_peak()
                    peak = tracemalloc.get_traced_memory()[0]
                assert tag.name
            grown = tracemalloc.get_traced_memory()[1] - peak
        finally:
            tracemalloc.stop()
        assert seen == 10_003
        assert grown < 3_000_000


async def test_2_19_events_may_await(filled: Database) -> None:
    """What happens to rows is told to async functions, in the transaction or after it."""

    class Here(Model, isolated=True):
        pass

    class Told(Here):
        __tablename__ = "trap_told"
        name: Mapped[str] = column(max_length=10)

    seen: list[int] = []

    @on_change(Told, "created", when="flush")
    async def count(told: Told, kind: str) -> None:
        await asyncio.sleep(0)
        seen.append(await Told.query().count())

    async with filled.unit():
        await filled.drop_all(Here)
        await filled.create_all(Here)
        await Told.create(name="a")
        await Told.create(name="b")
        await filled.drop_all(Here)
    assert seen == [1, 2]


# -- beside the nineteen: lost connections ---------------------------------------------------------------------------

KILL = {
    "postgresql": "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() "
    "and application_name = 'demijohn' and datname = current_database()",
    "mariadb": "select id from information_schema.processlist where id <> connection_id() and db = database()",
}


async def kill_connections(database: Database) -> None:
    """Have the server close every other connection to the database, as a restart does."""
    async with database.unit():
        rows = (await database.execute(KILL[database.backend])).scalars().all()
        if database.backend == "mariadb":
            for number in rows:
                try:
                    await database.execute(text(f"kill {int(number)}"))
                except DBAPIError:
                    pass


async def test_lost_connections_cost_no_read(filled: Database) -> None:
    """After the server has closed every connection, reads and new writes go on; a transaction under way fails whole."""
    if filled.backend == "sqlite":
        pytest.skip("SQLite has no server to lose")
    killer = Database(filled.plan.url.set(drivername=filled.backend).render_as_string(hide_password=False))

    async def warm() -> None:
        async with filled.unit():
            await Tag.query().count()
            await asyncio.sleep(0.05)

    await asyncio.gather(*(warm() for _ in range(4)))
    await kill_connections(killer)
    async with filled.unit():
        assert await Tag.query().count() == 3
    await asyncio.gather(*(warm() for _ in range(4)))
    await kill_connections(killer)
    async with filled.unit():
        await Tag.create(name="after the restart")
    with pytest.raises(Exception):  # noqa: B017 - each driver has its own
        async with filled.unit():
            await Tag.create(name="half")
            await kill_connections(killer)
            await Tag.create(name="other half")
    async with filled.unit():
        names = await Tag.query().scalars(Tag.name).all()
    assert "after the restart" in names
    assert "half" not in names
    await killer.dispose()


async def test_errors_do_not_print_what_was_written(database: Database) -> None:
    """An error of the database names the statement, and none of the values: a log is no place for them."""

    async def main() -> None:
        with pytest.raises(SchemaMissing) as caught:
            await database.execute("INSERT INTO nothing_of_that_name VALUES (:hash)", {"hash": "argon2-secret"})
        assert "INSERT INTO nothing_of_that_name" in str(caught.value.__cause__)
        assert "argon2-secret" not in f"{caught.value} {caught.value.__cause__}"

    await database.run(main())
