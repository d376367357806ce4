"""Units of work: when they begin, commit, roll back, and whom they belong to."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from demijohn.db.database import Database
from demijohn.db.faults import AlreadyBegun, NoUnit, OtherTask, TransactionLost
from demijohn.errors import ServiceUnavailable


@pytest.fixture
async def table(database: Database) -> Database:
    """A database with a table of unique numbers."""
    async with database.unit():
        await database.execute("drop table if exists numbers")
        await database.execute("create table numbers (n integer not null primary key)")
    return database


async def numbers(database: Database) -> list[int]:
    """What is committed, seen from a unit of work of its own."""
    async with database.independent():
        return list((await database.execute("select n from numbers order by n")).scalars())


async def add(database: Database, *values: int) -> None:
    """Write some rows."""
    for value in values:
        await database.execute("insert into numbers values (:n)", {"n": value})


async def test_a_read_costs_no_begin(table: Database) -> None:
    """A unit that only reads sends no BEGIN; the first write does."""
    async with table.unit() as unit:
        await table.execute("select count(*) from numbers")
        assert not unit.is_begun()
        await add(table, 1)
        assert unit.is_begun()
        assert await numbers(table) == []
    assert await numbers(table) == [1]


async def test_an_exception_rolls_back(table: Database) -> None:
    """What leaves the block as an exception undoes all that the unit wrote."""
    with pytest.raises(ZeroDivisionError):
        async with table.unit():
            await add(table, 1, 2)
            raise ZeroDivisionError
    assert await numbers(table) == []


async def test_a_transaction_sends_begin_and_ends_with_its_block(table: Database) -> None:
    """`transaction()` begins at once; its outermost block is committed when it ends."""
    async with table.unit() as unit:
        async with table.transaction():
            assert unit.is_begun() or table.backend == "postgresql"
            await add(table, 1)
        assert not unit.is_begun()
        assert await numbers(table) == [1]


async def test_nested_transactions_are_savepoints(table: Database) -> None:
    """An inner block that fails takes only its own work with it."""
    async with table.unit():
        async with table.transaction():
            await add(table, 1)
            with pytest.raises(ZeroDivisionError):
                async with table.transaction():
                    await add(table, 2)
                    async with table.transaction():
                        await add(table, 3)
                    raise ZeroDivisionError
            async with table.transaction():
                await add(table, 4)
        assert await numbers(table) == [1, 4]


async def test_a_block_after_a_write_is_a_savepoint_of_the_unit(table: Database) -> None:
    """Once the unit has written, a block commits with the unit and not before."""
    async with table.unit():
        await add(table, 1)
        async with table.transaction():
            await add(table, 2)
        assert await numbers(table) == []
    assert await numbers(table) == [1, 2]


async def test_options_of_the_outermost_block(table: Database) -> None:
    """Isolation, read-only and durable are refused where the block would be a savepoint, and work where it is not."""
    async with table.unit():
        async with table.transaction(isolation="SERIALIZABLE"):
            await add(table, 1)
            with pytest.raises(AlreadyBegun, match="isolation"):
                async with table.transaction(isolation="SERIALIZABLE"):
                    raise AssertionError
            with pytest.raises(AlreadyBegun, match="durable"):
                async with table.transaction(durable=True):
                    raise AssertionError
        async with table.transaction(durable=True):
            await add(table, 2)
        assert await numbers(table) == [1, 2]


async def test_an_error_that_is_caught_in_a_block_leaves_the_rest(table: Database) -> None:
    """A violated constraint within a block of its own costs that block only, on every server."""
    async with table.unit():
        await add(table, 1)
        with pytest.raises(IntegrityError):
            async with table.transaction():
                await add(table, 2, 1)
        await add(table, 3)
    assert await numbers(table) == [1, 3]


async def test_independent_commits_on_its_own(table: Database) -> None:
    """An independent unit stays, whatever becomes of the one around it."""
    with pytest.raises(ZeroDivisionError):
        async with table.unit():
            await table.execute("select 1")
            async with table.independent():
                await add(table, 1)
            await add(table, 2)
            raise ZeroDivisionError
    assert await numbers(table) == [1]


async def test_hooks_run_after_the_commit(table: Database) -> None:
    """`on_commit` runs once, in order, after the commit; not for what was rolled back; a failing one stops no other."""
    seen: list[object] = []

    async def later() -> None:
        seen.append(("async", await numbers(table)))

    async with table.unit():
        await add(table, 1)
        table.on_commit(lambda: seen.append("first"))
        with pytest.raises(ZeroDivisionError):
            async with table.transaction():
                table.on_commit(lambda: seen.append("never"))
                raise ZeroDivisionError
        table.on_commit(lambda: 1 / 0)
        table.on_commit(later)
        assert seen == []
    assert seen == ["first", ("async", [1])]
    with pytest.raises(ZeroDivisionError):
        async with table.unit():
            table.on_commit(lambda: seen.append("never"))
            raise ZeroDivisionError
    assert len(seen) == 2


async def test_without_a_unit_it_says_so(table: Database) -> None:
    """Outside of a unit of work a query names what is missing."""
    with pytest.raises(NoUnit, match=r"async with db\.unit"):
        await table.execute("select 1")


async def test_another_task_is_refused_by_name(table: Database) -> None:
    """A child task may not use its parent's unit, and may have its own."""

    async def child() -> int:
        with pytest.raises(OtherTask, match="GET /parent"):
            await table.execute("select 1")
        async with table.unit():
            return int((await table.execute("select 2")).scalar_one())

    async with table.unit("GET /parent"):
        await table.execute("select 1")
        assert await asyncio.gather(child(), child()) == [2, 2]
        with pytest.raises(OtherTask):
            await asyncio.to_thread(lambda: table.session)
        await table.execute("select 1")


async def test_a_driven_coroutine_uses_one_unit(table: Database) -> None:
    """`db.run` drives a coroutine in a unit of work: commit at its end, plain session calls inside."""

    async def main() -> int:
        await add(table, 1)
        return len(table.session.connection().exec_driver_sql("select n from numbers").all())

    assert await table.run(main()) == 1
    assert await numbers(table) == [1]


async def test_a_lost_transaction_is_not_forgotten(table: Database) -> None:
    """After an error that undid earlier writes the unit refuses to go on as if they were there."""

    def flush_twice(session: object) -> None:
        table.session.connection()

    with pytest.raises(TransactionLost):
        async with table.unit() as unit:
            await add(table, 1)
            unit.lost = ValueError("a flush failed")
            await table.run_sync(flush_twice)
    assert await numbers(table) == []


async def test_many_units_share_few_connections(table: Database) -> None:
    """Five hundred concurrent units on a pool of five all finish; on a slow machine some by the intended 503."""

    async def read(n: int) -> int:
        async with table.unit():
            value = (await table.execute("select cast(:n as integer)", {"n": n})).scalar_one()
            return int(value)

    results = await asyncio.gather(*(read(n) for n in range(500)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ServiceUnavailable)]
    assert [result for result in results if isinstance(result, int)] == [
        n for n, result in enumerate(results) if result not in refused
    ]
    assert len(refused) < 500
    assert await read(7) == 7
