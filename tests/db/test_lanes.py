"""The fast path of queries: what runs straight on the driver gives what SQLAlchemy's own path gives, to the detail."""

import asyncio
import enum
import gc
import pickle
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import and_, event, not_, or_
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import attributes
from sqlalchemy.sql.elements import BinaryExpression

from demijohn.db import (
    Database,
    Mapped,
    Model,
    QueryError,
    QuerySet,
    SoftDelete,
    belongs_to,
    column,
    has_many,
    max_queries,
)
from demijohn.db.missing import SchemaMissing
from demijohn.db.recipes import Recipe
from tests.db.conftest import url_of


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Size(msgspec.Struct):
    width: int
    height: int = 1


class Base(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Maker(Base):
    name: Mapped[str] = column(max_length=40)
    things: Mapped[list["Thing"]] = has_many(back="maker")


class Thing(Base):
    name: Mapped[str] = column(max_length=40)
    count: Mapped[int] = column(default=0)
    big: Mapped[int | None] = column(big=True)
    price: Mapped[Decimal] = column(max_digits=10, decimal_places=2)
    weight: Mapped[float | None] = column()
    ready: Mapped[bool] = column(default=False)
    color: Mapped[Color] = column()
    level: Mapped[Level | None] = column()
    size: Mapped[Size | None] = column()
    code: Mapped[UUID] = column()
    made: Mapped[datetime] = column()
    day: Mapped[date | None] = column()
    span: Mapped[timedelta | None] = column()
    raw: Mapped[bytes | None] = column()
    maker: Mapped[Maker] = belongs_to(back="things")
    parent: Mapped["Thing | None"] = belongs_to()


class Pair(Base):
    left: Mapped[int] = column(primary_key=True)
    right: Mapped[str] = column(primary_key=True, max_length=10)
    text: Mapped[str] = column(max_length=10)


MOMENT = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)


async def fill() -> None:
    """Make rows of every type, with and without values."""
    makers = [await Maker.create(name=name) for name in ("Ann", "Bob", "Cid")]
    for number in range(12):
        await Thing.create(
            name=f"Thing {number}",
            count=number % 5,
            big=2**40 + number if number % 3 else None,
            price=Decimal(number) / 4,
            weight=number / 8 if number % 2 else None,
            ready=number % 2 == 0,
            color=Color.RED if number % 3 else Color.BLUE,
            level=Level.HIGH if number % 4 == 1 else None,
            size=Size(number, 2) if number % 2 else None,
            code=UUID(int=number),
            made=MOMENT + timedelta(hours=number),
            day=date(2026, 1, 1 + number) if number % 2 else None,
            span=timedelta(seconds=number, microseconds=5) if number % 3 else None,
            raw=bytes([number, 0, 255]) if number % 2 else None,
            maker=makers[number % 3],
            parent_id=number if number % 4 == 2 else None,
        )
        await Pair.create(left=number % 4, right=f"r{number}", text=f"t{number % 2}")


def listen(database: Database) -> None:
    """Put a listener on the engine: from now on everything takes SQLAlchemy's path."""
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: None)


def shown(instance: Any) -> Any:
    """All that an object and SQLAlchemy know of it."""
    state = attributes.instance_state(instance)
    values = {name: value for name, value in vars(instance).items() if name != "_sa_instance_state"}
    related = {name for name in values if name in state.mapper.relationships}
    return (
        state.key,
        {name: (type(value), value) for name, value in values.items() if name not in related},
        list(values),
        {name: [attributes.instance_state(one).key for one in _all(values[name])] for name in related},
        (state.persistent, state.modified, state.expired, state.identity_token),
        (state.committed_state, set(state.expired_attributes), len(state.load_options), state.load_path),
        state.session is not None and instance in state.session,
        state.mapper is type(instance).__mapper__,
    )


def _all(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


Query = Callable[[], QuerySet[Any]]
QUERIES: list[Query] = [
    lambda: Thing.query(),
    lambda: Thing.where(name="Thing 3"),
    lambda: Thing.where(ready=True, color=Color.RED),
    lambda: Thing.where(level=None).order_by("-name"),
    lambda: Thing.where(level=Level.HIGH),
    lambda: Thing.where(Thing.ready).order_by(Thing.made.desc()).limit(3),
    lambda: Thing.where(~Thing.ready).order_by(Thing.count, "-id").limit(4).offset(1),
    lambda: Thing.where(Thing.id.in_([1, 5, 7, 100])).order_by("id"),
    lambda: Thing.where(Thing.id.not_in([1, 5])).order_by("id").limit(2),
    lambda: Thing.where(Thing.id.in_([])),
    lambda: Thing.where(Thing.name.in_(["Thing 1"]), Thing.count.in_([0, 1, 2])).order_by("id"),
    lambda: Thing.where(or_(Thing.count > 3, and_(Thing.ready, Thing.price < Decimal("1.5")))).order_by("id"),
    lambda: Thing.where(not_(or_(Thing.count > 3, Thing.level == Level.HIGH))).order_by("id"),
    lambda: Thing.where(Thing.name.like("%1%"), Thing.name.contains("hing")).order_by("id"),
    lambda: Thing.where(Thing.count.between(1, 2)).order_by("id"),
    lambda: Thing.where(Thing.made >= MOMENT + timedelta(hours=5)).order_by("-made"),
    lambda: Thing.where(code=UUID(int=4)),
    lambda: Thing.where(Thing.price == Decimal("0.25")),
    lambda: Thing.where(big=2**40 + 1),
    lambda: Thing.where(day=date(2026, 1, 4)),
    lambda: Thing.where(span=timedelta(seconds=4, microseconds=5)),
    lambda: Thing.where(raw=bytes([3, 0, 255])),
    lambda: Thing.where(Thing.count + 1 == 3).order_by("id"),
    lambda: Thing.where(Thing.weight.is_not(None), Thing.big.is_(None)).order_by("id"),
    lambda: Thing.where().join(Thing.maker).where(Maker.name == "Bob").order_by("id"),
    lambda: Thing.where().join(Thing.maker, outer=True).order_by(Maker.name, "-id"),
    lambda: Thing.where(Thing.maker.has(name="Ann")).order_by("id"),
    lambda: Thing.where(parent=Thing(id=2)),
    lambda: Thing.where(Thing.maker == Maker(id=2)).order_by("id").distinct(),
    lambda: Thing.where().load(Thing.maker).order_by("id").limit(3),
    lambda: Thing.where().load(Thing.maker, Maker.things).order_by("id").limit(3),
    lambda: Maker.where().load(Maker.things, Thing.maker, Thing.parent).order_by("id"),
    lambda: Thing.where(ready=True).load(Thing.parent, Thing.maker).order_by("-id"),
    lambda: Thing.where().only("name").order_by("id").limit(2),
    lambda: Thing.where(Thing.id == 3).exclude(ready=True),
    lambda: Pair.where(left=1).order_by("right"),
    lambda: Pair.where(Pair.text == "t1").order_by("left", "-right").limit(5),
]
QUICK = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 27, 28, 35, 36}
"""Those that a lane is for, and that nothing else follows: relations that are loaded ahead take SQLAlchemy's path."""


async def answers(database: Database, query: Query, *, before: Query | None = None) -> Any:
    """Run a query three times, as often as it takes to be known, and return what the last one gave and led to."""
    for _ in range(3):
        async with database.unit():
            await query()

    async def main() -> Any:
        known = await before() if before is not None else []
        found = await query()
        reading = not database.session.in_transaction()
        first = [shown(one) for one in found]
        with max_queries(6):
            names = [(one.maker.name, one.parent) for one in found if isinstance(one, Thing)]
        return first, names, [found.index(one) for one in known if one in found], reading

    async def compared() -> Any:
        first, names, indexes, reading = await main()
        related = [(name, parent and (parent.id, parent.name)) for name, parent in names]
        return first, related, indexes, reading

    return await database.run(compared())


@pytest.fixture
async def both(backend: str, tmp_path: Path) -> AsyncIterator[tuple[Database, Database]]:
    """The same tables twice: as they are, and with a listener, so that everything takes SQLAlchemy's path."""
    plain, heard = (Database(url_of(backend, tmp_path), connections=3) for _ in range(2))
    async with plain.unit():
        await plain.drop_all(Base)
        await plain.create_all(Base)
    await plain.run(fill())
    listen(heard)
    yield plain, heard
    await heard.dispose()
    async with plain.unit():
        await plain.drop_all(Base)
    await plain.dispose()


async def test_both_paths_give_the_same(both: tuple[Database, Database]) -> None:
    """On each backend: the same objects in the same state, with the same relations, whichever path they came by."""
    plain, heard = both
    for number, query in enumerate(QUERIES):
        *quick, was_quick = await answers(plain, query)
        *full, was_full = await answers(heard, query)
        assert quick == full, number
        assert was_quick is (number in QUICK), number
        with_relations = [one for one in plain.resources()[0].recipes.values() if type(one) is Recipe and one.ahead]
        assert len(with_relations) == len({29, 30, 31, 32} & set(range(number + 1)))
        assert not was_full


async def test_counts_and_existence(both: tuple[Database, Database]) -> None:
    """On each backend: the number of rows and whether there is one, by both paths."""
    for number, query in enumerate(QUERIES):
        told = []
        for database in both:
            for _ in range(3):
                async with database.unit():
                    answer = await query().count(), await query().exists()
                    was_quick = not database.session.in_transaction()
            told.append((answer, was_quick))
        assert told[0][0] == told[1][0], number
        assert told[0][0] == (len(await rows_of(both[0], query)), told[0][0][0] > 0), number
        assert was_quick is False
        assert told[0][1] or number not in COUNTED, number


COUNTED = {0, 1, 2, 3, 10, 11, 24, 32}


async def rows_of(database: Database, query: Query) -> list[Any]:
    """The rows of a query."""
    async with database.unit():
        return await query()


async def test_rows_by_key(both: tuple[Database, Database]) -> None:
    """`get` gives the row or None, from the identity map where it is there, and refuses what is no key as ever."""
    for database in both:

        async def main(database: Database = database) -> None:
            for number in (1, 2, 3, 1000):
                one = await Thing.get(number)
                assert (one.id if one else None) == (number if number < 1000 else None)
            three = await Thing.get(3)
            with max_queries(0):
                assert await Thing.get(3) is three
            assert (pair := await Pair.get((1, "r1"))) is not None
            assert pair.text == "t1"
            database.session.expunge_all()
            assert (again := await Thing.get(3)) is not None
            assert [shown(again)] == [shown(one) for one in await Thing.where(id=3)]

        await database.run(main())


async def test_what_was_loaded_before_stays(both: tuple[Database, Database]) -> None:
    """An object that is in the unit of work already is the same object, and keeps what was changed in it."""
    for query in (QUERIES[0], QUERIES[5], QUERIES[24]):
        results = [await answers(database, query, before=lambda: Thing.where(Thing.id < 8)) for database in both]
        assert results[0][:3] == results[1][:3]
        assert results[0][2]

    async def main() -> None:
        for _ in range(3):
            thing = await Thing.where(id=3).one()
            thing.name = "Changed"
            assert (await Thing.where(name="Changed").all()) == [thing]  # written before the query, as ever
            await thing.reload()
            attributes.instance_state(thing)._expire(vars(thing), set())
            assert (await Thing.where(id=3).one()).name == "Changed"

    for database in both:
        await database.run(main())


async def test_a_begun_transaction_sees_its_own_rows(both: tuple[Database, Database]) -> None:
    """Within a transaction queries see what it wrote, and nobody else does."""
    plain, other = both

    async def names() -> list[str]:
        return [maker.name for maker in await Maker.where(Maker.id > 0).order_by("id")]

    for _ in range(3):
        assert await plain.run(names()) == ["Ann", "Bob", "Cid"]

    async def main() -> None:
        async with plain.transaction():
            await Maker.create(name="Dot")
            assert await names() == ["Ann", "Bob", "Cid", "Dot"]
            assert await other.run(names()) == ["Ann", "Bob", "Cid"]
            raise ValueError

    with pytest.raises(ValueError):
        await plain.run(main())
    assert await plain.run(names()) == ["Ann", "Bob", "Cid"]


async def test_errors_are_the_same(both: tuple[Database, Database]) -> None:
    """A value that cannot be, and a table that is gone, are told in the same words."""
    queries: list[Query] = [
        lambda: Thing.where(made=MOMENT),
        lambda: Thing.where(made=MOMENT.replace(tzinfo=None)),
        lambda: Thing.where(count=1),
        lambda: Thing.where(count=2**70),
    ]
    for _ in range(3):
        for query in queries:
            told = []
            for database in both:
                try:
                    async with database.unit():
                        told.append(str(len(await query())))
                except Exception as error:
                    told.append(f"{type(error).__name__}: {error}")
            assert told[0] == told[1]
    for database in both:
        async with database.unit():
            await Maker.where(name="Ann")
    async with both[0].unit():
        await both[0].drop_all(Base)
    for database in both:
        async with database.unit():
            with pytest.raises(SchemaMissing, match=r"(?i)maker"):
                await Maker.where(name="Ann")
    async with both[0].unit():
        await both[0].create_all(Base)


async def test_a_table_that_was_changed(both: tuple[Database, Database]) -> None:
    """A statement that the server had prepared runs on after the table was changed under it."""
    plain, other = both

    async def main() -> None:
        for _ in range(3):
            assert [maker.name for maker in await Maker.where(name="Ann")] == ["Ann"]
        async with other.unit():
            await other.execute("ALTER TABLE maker ADD COLUMN note VARCHAR(10)")
        for _ in range(3):
            assert [maker.name for maker in await Maker.where(name="Ann")] == ["Ann"]

    await plain.run(main())


async def test_shapes_are_bounded(sqlite: Database) -> None:
    """Shapes that come once are forgotten again, however many there are."""
    async with sqlite.unit():
        await sqlite.create_all(Base)
    async with sqlite.unit():
        for number in range(1200):
            query = Maker.where(*[Maker.id == one for one in range(number % 40)])
            for name in f"{number:b}":
                query = query.where(Maker.name == "x") if name == "1" else query.where(Maker.id > 3)
            if number < 4 or number > 1190:
                await query
            else:
                query._attempt(sqlite_unit(sqlite))
    assert len(sqlite.resources()[0].recipes) <= 1000


async def test_what_is_cached_is_bounded(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many shapes are learnt, only so many recipes, compiled statements and parts of queries are alive."""
    monkeypatch.setattr("demijohn.db.lanes._LIMIT", 40)
    async with sqlite.unit():
        await sqlite.create_all(Base)

    def query(number: int) -> QuerySet[Any]:
        bits = f"{number:b}"
        return Maker.where(*(Maker.name == bit if bit == "1" else Maker.id > 3 for bit in bits))

    def alive() -> tuple[int, int]:
        gc.collect()
        objects = gc.get_objects()
        return sum(type(one) is Recipe for one in objects), sum(type(one) is BinaryExpression for one in objects)

    counts = []
    cache: Any = sqlite.resources()[0].engine._compiled_cache
    cache.capacity = 40
    for start in (128, 192, 256, 320):
        for number in range(start, start + 64):
            for _ in range(2):  # the second time it is learnt
                async with sqlite.unit():
                    await query(number)
        counts.append(alive())
    recipes = sqlite.resources()[0].recipes
    assert len(recipes) <= 40
    assert sum(type(one) is Recipe for one in recipes.values()) > 30
    assert len(cache) <= cache.capacity * 1.5
    (made, expressions), *_, (made_at_last, expressions_at_last) = counts
    assert made_at_last <= made + 2
    assert expressions_at_last < expressions * 1.5  # the later ones have a part more each


def sqlite_unit(database: Database) -> Any:
    """The unit of work of the calling task."""
    from demijohn.db.units import current_unit

    return current_unit(database)


async def test_one_parameter_twice_is_no_two(sqlite: Database) -> None:
    """A condition that is used twice in a query is another query than two conditions of the same form."""
    async with sqlite.unit():
        await sqlite.create_all(Base)
        await Maker.bulk_create([{"name": "a"}, {"name": "b"}])

    async def names(*criteria: Any) -> list[str]:
        return [maker.name for maker in await Maker.where(or_(*criteria)).order_by("id")]

    async def main() -> None:
        for _ in range(4):
            same = Maker.name == "a"
            assert await names(same, same) == ["a"]
        assert await names(Maker.name == "a", Maker.name == "b") == ["a", "b"]
        assert await names(Maker.name == "b", Maker.name == "a") == ["a", "b"]

    await sqlite.run(main())


async def test_rows_that_are_marked_as_deleted(sqlite: Database) -> None:
    """Models that are passed over when deleted are so on both paths, those of relations too."""

    class Soft(Model, isolated=True):
        pass

    class Box(Soft):
        name: Mapped[str] = column(max_length=10)

    class Item(SoftDelete, Soft):
        name: Mapped[str] = column(max_length=10)
        box: Mapped[Box] = belongs_to(back="items")

    async def main() -> None:
        await sqlite.create_all(Soft)
        box = await Box.create(name="b")
        for name in "xyz":
            await Item.create(name=name, box=box)
        await (await Item.where(name="y").one()).delete()

    await sqlite.run(main())

    async def read() -> None:
        assert [item.name for item in await Item.query().order_by("id")] == ["x", "z"]
        assert [item.name for item in await Item.query().with_deleted().order_by("id")] == ["x", "y", "z"]
        assert (await Item.query().count(), await Item.where(name="y").exists()) == (2, False)
        sqlite.session.expunge_all()
        (box,) = await Box.query()
        assert sorted(item.name for item in box.items) == ["x", "z"]  # type: ignore[attr-defined]

    for _ in range(4):
        await sqlite.run(read())
    assert any(type(one) is Recipe for one in sqlite.resources()[0].recipes.values())


async def test_events_of_loading_are_told(sqlite: Database) -> None:
    """Who listens to the loading of a model hears of every object, also when its shape was known before."""

    class Here(Model, isolated=True):
        pass

    class Bell(Here):
        name: Mapped[str] = column(max_length=10)

    async with sqlite.unit():
        await sqlite.create_all(Here)
        await Bell.create(name="x")
    for _ in range(4):
        async with sqlite.unit():
            await Bell.query()
    heard: list[Any] = []
    event.listen(Bell, "load", lambda instance, context: heard.append(instance))
    async with sqlite.unit():
        assert await Bell.query() == heard
    assert len(heard) == 1


async def test_listeners_of_one_session_are_told(sqlite: Database) -> None:
    """Who listens to one session hears of its statements, of what it loads and of its end; other sessions do not."""
    async with sqlite.unit():
        await sqlite.create_all(Base)
        await Maker.create(name="x")
    for _ in range(3):
        async with sqlite.unit():
            await Maker.query()
    heard: list[str] = []
    async with sqlite.unit():
        event.listen(sqlite.session, "do_orm_execute", lambda state: heard.append("execute"))
        event.listen(sqlite.session, "loaded_as_persistent", lambda session, instance: heard.append("load"))
        event.listen(sqlite.session, "persistent_to_detached", lambda session, instance: heard.append("detach"))
        (maker,) = await Maker.query()
    assert heard == ["execute", "load", "detach"]
    async with sqlite.unit():
        (maker,) = await Maker.query()
    assert len(heard) == 3
    state = attributes.instance_state(maker)
    assert state.detached
    assert state.session is None


COLUMNS: list[tuple[str, ...]] = [
    (),
    ("name",),
    ("made", "color", "price"),
    ("level", "size", "code", "span", "raw", "weight", "day"),
    ("id", "maker_id"),
    ("name", "name"),
]


async def test_rows_of_columns_are_the_same(both: tuple[Database, Database]) -> None:
    """Dicts and single values are the same on both paths, types and the order of names included."""

    def seen(rows: list[Any]) -> Any:
        return [[(name, type(value), value) for name, value in row.items()] for row in rows]

    async def read(query: Query) -> Any:
        dicts = [seen(await query().values(*columns)) for columns in COLUMNS]
        columns = (Thing.made, "level", "price", "size")
        scalars = [[(type(value), value) for value in await query().scalars(one)] for one in columns]
        return dicts, scalars, seen(list(query().values("id", "color")))

    for query in (QUERIES[0], QUERIES[2], QUERIES[5], QUERIES[7], QUERIES[9], QUERIES[24]):
        told = []
        for database in both:
            for _ in range(3):
                result = await database.run(read(query))
            told.append(result)
        assert told[0] == told[1]
    recipes = both[0].resources()[0].recipes
    assert {key[-2] for key, one in recipes.items() if type(one) is Recipe} >= {"dicts", "scalars"}


async def test_objects_outlive_their_unit(sqlite: Database) -> None:
    """What a lane loaded can be pickled, copied, added to another unit and changed, and is forgotten in the end."""
    async with sqlite.unit():
        await sqlite.create_all(Base)
        await Maker.create(name="x")
        await Maker.create(name="y")
    for _ in range(3):
        async with sqlite.unit():
            first, second = await Maker.query().order_by("id")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        copied = pickle.loads(pickle.dumps(first, protocol))
        state = attributes.instance_state(copied)
        assert (copied.id, copied.name, state.detached, state.key) == (1, "x", True, first._sa_instance_state.key)
    assert attributes.instance_state(deepcopy(second)).detached
    key = attributes.instance_state(second).key
    async with sqlite.unit():
        sqlite.session.add_all([copied, second])
        copied.name = "new"
        assert attributes.get_history(copied, "name").deleted == ["x"]
        assert key in sqlite.session.identity_map
        del second
        gc.collect()
        assert key not in sqlite.session.identity_map.keys()  # noqa: SIM118 - a map of weak references
    async with sqlite.unit():
        assert [maker.name for maker in await Maker.query().order_by("id")] == ["new", "y"]


async def test_a_slow_statement_stalls_nobody(tmp_path: Path) -> None:
    """A statement of a known shape that takes long goes to a reader thread; the loop turns meanwhile."""

    def prepare(raw: Any) -> None:
        raw.execute("PRAGMA cache_size=-64000")

    database = Database(f"sqlite:///{tmp_path}/slow.db", options={"prepare": prepare})

    class Here(Model, isolated=True):
        pass

    class Number(Here):
        value: Mapped[int] = column()

    async with database.unit():
        await database.create_all(Here)
        await database.execute(
            "INSERT INTO number (value) WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) "
            "SELECT i FROM n"
        )

    async def search(value: int) -> None:
        async with database.unit():
            assert not await Number.where(Number.value * Number.value == value, Number.value % 7 == 9)

    try:
        for _ in range(3):
            await search(-1)
        assert any(type(one) is Recipe for one in database.resources()[0].recipes.values())
        for number in range(3):
            task = asyncio.create_task(search(-number))
            started = perf_counter()
            longest, last = 0.0, thread_time()
            while not task.done():
                await asyncio.sleep(0)
                # The time of this thread, which what else runs on the machine does not change.
                longest, last = max(longest, thread_time() - last), thread_time()
            await task
            assert perf_counter() - started > 0.01  # it did take long, and inline for 5 ms at most
            assert longest < 0.02
    finally:
        await database.dispose()


async def test_the_pool_of_a_server_is_shared(both: tuple[Database, Database]) -> None:
    """More readers than connections wait for their turn; none is lost, and none is held longer than its statement."""
    plain, _ = both

    async def read() -> int:
        async with plain.unit():
            found = len(await Thing.where(ready=True))
            await asyncio.sleep(0.01)
            return found

    for _ in range(3):
        await read()
    assert await asyncio.gather(*(read() for _ in range(40))) == [6] * 40

    async def given_up() -> None:
        async with plain.unit():
            await Thing.where(ready=True)

    for _ in range(5):
        task = asyncio.create_task(given_up())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await asyncio.gather(*(read() for _ in range(10))) == [6] * 10


async def test_plain_code_reads_too(both: tuple[Database, Database]) -> None:
    """A query that is iterated in plain code, within a driven task, gives the same."""
    for database in both:

        async def main() -> list[str]:
            await Maker.get(1)
            return [thing.name for thing in Thing.where(Thing.count == 3).order_by("id")]

        for _ in range(4):
            assert await database.run(main()) == ["Thing 3", "Thing 8"]


# -- random queries ---------------------------------------------------------------------------------------------------

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(-1, 14),
    "name": st.sampled_from(["Thing 1", "Thing 11", "nothing", "%", "thing 1"]),
    "count": st.one_of(st.integers(-1, 6), st.just(True)),
    "big": st.one_of(st.none(), st.integers(2**40, 2**40 + 12)),
    "price": st.one_of(st.decimals(0, 3, places=2), st.integers(0, 3)),
    "weight": st.one_of(st.none(), st.floats(0, 2), st.integers(0, 2)),
    "ready": st.booleans(),
    "color": st.sampled_from(Color),
    "level": st.one_of(st.none(), st.sampled_from(Level)),
    "code": st.integers(0, 12).map(lambda number: UUID(int=number)),
    "made": st.integers(0, 12).map(lambda hours: MOMENT + timedelta(hours=hours)),
    "maker_id": st.integers(0, 4),
}
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a.in_([b, b]),
    "is": lambda a, b: a.is_(None),
}


@st.composite
def criteria(draw: st.DrawFn, depth: int = 2) -> Callable[[], Any]:
    """A condition, as a function that writes it anew each time."""
    if depth and draw(st.booleans()):
        parts = draw(st.lists(criteria(depth - 1), min_size=1, max_size=3))
        how = draw(st.sampled_from([or_, and_, lambda *parts: not_(and_(*parts))]))
        return lambda: how(*(part() for part in parts))
    name = draw(st.sampled_from(sorted(VALUES)))
    plain = name in {"ready", "color", "level"}
    operator = draw(st.sampled_from(["==", "!="] if plain else sorted(OPERATORS)))
    value = draw(VALUES[name].filter(lambda value: value is not None or operator in {"==", "!="}))
    return lambda: OPERATORS[operator](getattr(Thing, name), value)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """A query, as a function that writes it anew each time."""
    parts = draw(st.lists(criteria(), max_size=3))
    equal = draw(st.dictionaries(st.sampled_from(sorted(VALUES)), st.none(), max_size=2))
    equal = {name: draw(VALUES[name]) for name in equal}
    order = draw(st.lists(st.sampled_from(["name", "-count", "made", "-price"]), max_size=2))
    limit, offset = draw(st.one_of(st.none(), st.integers(0, 5))), draw(st.one_of(st.none(), st.integers(0, 3)))
    joined = draw(st.booleans())
    ahead: tuple[Any, ...] = draw(st.sampled_from([(), (), (Thing.maker,), (Thing.parent, Thing.maker, Maker.things)]))

    def query() -> QuerySet[Any]:
        made = Thing.where(*(part() for part in parts), **equal)
        if joined:
            made = made.join(Thing.maker).where(Maker.name != "Cid")
        made = made.order_by(*order, "id")
        if ahead:
            made = made.load(*ahead)
        if limit is not None:
            made = made.limit(limit)
        return made.offset(offset) if offset is not None else made

    return query


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(query=queries(), before=st.one_of(st.none(), queries()))
async def test_random_queries_give_the_same(
    shared: tuple[Database, Database], query: Query, before: Query | None
) -> None:
    """Whatever is asked, and whatever was in the unit of work before: both paths give the same, errors included."""
    told = []
    for database in shared:
        try:
            *result, _ = await answers(database, query, before=before)
            for _ in range(3):
                async with database.unit():
                    rows = await query().values("id", "made", "color", "price", "size")
                    counted = await query().count(), await query().exists(), await query().scalars(Thing.level)
            told.append([*result, rows, *counted])
        except (QueryError, DBAPIError, ArgumentError) as error:
            told.append([type(error), str(error)])
    assert told[0] == told[1]


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Database, Database]]:
    """One filled SQLite database for the examples of a property test, by both paths."""
    path = tmp_path_factory.mktemp("lanes")
    plain, heard = (Database(f"sqlite:///{path}/test.db") for _ in range(2))
    async with plain.unit():
        await plain.create_all(Base)
    await plain.run(fill())
    listen(heard)
    yield plain, heard
    await heard.dispose()
    await plain.dispose()
