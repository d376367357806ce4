"""Shortcuts of the database room, each held against the slow way that it stands for."""

import asyncio
import enum
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, literal
from sqlalchemy.dialects import mysql, oracle, postgresql, sqlite
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.util.queue import AsyncAdaptedQueue

from demijohn.db import Mapped, Model, QueryError, column
from demijohn.db.checking import _checker, _holds, check_types
from demijohn.db.comparisons import _check, equal, quick_fields
from demijohn.db.lanes import _give_up, _wait_for_record
from demijohn.db.listeners import make_session
from demijohn.db.naming import attribute_of
from demijohn.db.storage import UTCDateTime
from demijohn.errors import ValidationFailed


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Number(int):
    """A whole number of a class of its own."""


class Base(Model, isolated=True):
    """Keeps this table apart from those of other tests."""


class Thing(Base):
    name: Mapped[str | None] = column(max_length=200)
    data: Mapped[bytes | None]
    count: Mapped[int | None]
    share: Mapped[float | None]
    price: Mapped[Decimal | None]
    on: Mapped[bool | None]
    day: Mapped[date | None]
    moment: Mapped[datetime | None]
    hour: Mapped[time | None]
    wait: Mapped[timedelta | None]
    key: Mapped[UUID | None]
    color: Mapped[Color | None]


FIELDS = [name for name in Thing.__mapper__.column_attrs.keys() if name != "id"]  # noqa: SIM118 - no mapping
ZONES: list[tzinfo] = [UTC, timezone(timedelta(0)), timezone(timedelta(hours=5, minutes=30)), ZoneInfo("Europe/Berlin")]
ZONES += [ZoneInfo("UTC"), ZoneInfo("America/St_Johns")]
MOMENTS = st.datetimes(timezones=st.none() | st.sampled_from(ZONES), allow_imaginary=True)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.text(max_size=4),
    st.text(st.characters(categories=["Cs", "Cc", "Lu"]), max_size=3),
    st.sampled_from(["", "red", "\0", "a\0", "\ud83d", "\ude00", "\ud83d\ude00"]),
    st.binary(max_size=4),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.floats(),
    st.decimals(allow_nan=True, places=2),
    MOMENTS,
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.sampled_from(list(Color)),
    st.sampled_from([Number(3), literal(3), func.now(), [1], {"a": 1}, object()]),
)


@st.composite
def rows_alike(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of the same names, some of which the model does not have; mostly of the right types."""
    names = draw(st.lists(st.sampled_from([*FIELDS, "nothing"]), min_size=1, max_size=4, unique=True))
    right: dict[str, st.SearchStrategy[Any]] = {
        "name": st.text(max_size=4),
        "data": st.binary(max_size=3),
        "count": st.integers(-9, 9),
        "share": st.floats(),
        "price": st.decimals(0, 9, places=2),
        "on": st.booleans(),
        "day": st.dates(),
        "moment": st.datetimes(timezones=st.just(UTC)),
        "hour": st.times(),
        "wait": st.timedeltas(),
        "key": st.uuids(),
        "color": st.sampled_from(list(Color)),
        "nothing": VALUES,
    }
    columns = {name: VALUES if draw(st.integers(0, 9)) == 0 else st.none() | right[name] for name in names}
    return draw(st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=5))


@given(rows_alike())
@example([{"name": "\ud83d"}, {"name": "\ude00"}])
@example([{"name": "a"}, {"name": None}])
@settings(max_examples=400)
def test_columns_that_hold_hold_row_by_row(rows: list[dict[str, Any]]) -> None:
    """What is taken column by column is what every row would be taken for; what is not, is looked at by rows."""
    checker = _checker(Thing)
    if checker.columns_hold(rows):
        assert all(_holds(checker.types, row) for row in rows)
        assert not any(checker.type_errors(row) for row in rows)

    def outcome(*, are_alike: bool) -> list[Any]:
        try:
            check_types(Thing, rows, are_alike=are_alike)
        except ValidationFailed as failed:
            return [tuple(error) for error in failed.errors]
        return []

    assert outcome(are_alike=True) == outcome(are_alike=False)


def test_no_rows_hold() -> None:
    """Nothing is right as it is."""
    check_types(Thing, [], are_alike=True)


DIALECTS = [sqlite.dialect(), postgresql.dialect(), mysql.dialect(), oracle.dialect()]


class Moment(datetime):
    """A datetime of a class of its own."""


@given(MOMENTS | st.none() | st.dates() | st.text(max_size=3), st.sampled_from(DIALECTS), st.booleans())
@example(datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1), DIALECTS[0], False)
@example(datetime.max.replace(tzinfo=UTC), DIALECTS[0], False)
@settings(max_examples=400)
def test_datetimes_are_written_as_by_the_decorator(value: Any, dialect: Any, is_own: bool) -> None:
    """The one short function writes what SQLAlchemy's chain of `process_bind_param` and the driver's type writes."""
    if is_own and isinstance(value, datetime):
        value = Moment.combine(value.date(), value.timetz())
    kind = UTCDateTime()
    write = kind.impl_instance.dialect_impl(dialect).bind_processor(dialect)
    process = kind.bind_processor(dialect)
    assert process is not None

    def slowly() -> Any:
        made = kind.process_bind_param(value, dialect)
        return made if write is None else write(made)

    def outcome(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (QueryError, OverflowError) as error:
            return type(error), str(error)

    quick, slow = outcome(lambda: process(value)), outcome(slowly)
    assert quick == slow
    if isinstance(quick, datetime):
        assert (quick.tzinfo, quick.fold) == (slow.tzinfo, slow.fold)


@given(st.datetimes(timezones=st.none() | st.sampled_from(ZONES)) | st.none(), st.sampled_from(DIALECTS[1:]))
@settings(max_examples=200)
def test_datetimes_are_read_as_by_the_decorator(value: Any, dialect: Any) -> None:
    """The same for what comes from a driver."""
    kind = UTCDateTime()
    if kind.impl_instance.dialect_impl(dialect).result_processor(dialect, None) is None:
        made = kind.result_processor(dialect, None)(value)
        assert made == kind.process_result_value(value, dialect)
        assert made is None or made.tzinfo is UTC


def _use(session: Session, step: str) -> None:
    """Do to a session what must not show in any other."""
    match step:
        case "add":
            session.add(Thing(name="x"))
        case "info":
            session.info["key"] = "value"
        case "begin":
            session.begin()
        case "nested":
            session.begin().close()
        case "flags":
            session.autoflush = False
            session.expire_on_commit = True
            session._warn_on_events = True
        case "listen":
            event.listen(session, "before_commit", lambda _: None)
        case "close":
            session.close()
        case "expunge":
            session.expunge_all()


STEPS = st.lists(st.sampled_from(["add", "info", "begin", "nested", "flags", "listen", "close", "expunge"]), max_size=5)


@given(st.lists(STEPS, min_size=1, max_size=4))
@settings(max_examples=100)
def test_sessions_are_made_as_sqlalchemy_makes_them(histories: list[list[str]]) -> None:
    """Whatever became of the sessions before, a new one has what SQLAlchemy's own has, and shares nothing of theirs."""
    options: dict[str, Any] = {"expire_on_commit": False, "join_transaction_mode": "create_savepoint"}
    before: list[Session] = []
    for history in histories:
        made, own = Session.__new__(Session), Session(**options)
        make_session(made, **options)
        assert vars(made).keys() == vars(own).keys()
        for name, value in vars(own).items():
            if name == "hash_key":
                assert made.hash_key != own.hash_key
            elif name == "identity_map":
                assert len(made.identity_map) == 0
            else:
                assert vars(made)[name] == value, name
        for other in before:
            assert made._new is not other._new
            assert made._deleted is not other._deleted
            assert made.identity_map is not other.identity_map
            assert made.hash_key != other.hash_key
        assert made.info == {}
        assert not list(made.dispatch.before_commit)
        before.append(made)
        for step in history:
            try:
                _use(made, step)
            except Exception:
                pass
    for session in before:
        session.close()


PLANS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["ask", "ask-now", "give", "turn"]), st.just(0)),
        st.tuples(st.sampled_from(["cancel", "expire"]), st.integers(0, 5)),
    ),
    max_size=40,
)


@given(PLANS)
@example([("ask", 0), ("ask", 0), ("turn", 0), ("give", 0), ("cancel", 0)])
@example([("ask", 0), ("ask", 0), ("turn", 0), ("give", 0), ("expire", 0), ("turn", 0)])
@example([("ask", 0), ("ask", 0), ("turn", 0), ("expire", 0), ("give", 0), ("turn", 0)])
@settings(max_examples=300)
def test_waiting_for_a_connection_is_waiting_at_a_queue(plan: list[tuple[str, int]]) -> None:
    """Asking, giving back, leaving and being too late in any order: the same askers get theirs as by `Queue.get`.

    No connection is lost or given twice, and nobody waits while one is idle.
    """

    async def run() -> None:
        ours: asyncio.Queue[int] = asyncio.Queue()
        theirs: asyncio.Queue[int] = asyncio.Queue()
        our_tasks: list[asyncio.Task[Any]] = []
        their_tasks: list[asyncio.Task[Any]] = []
        given_back = 0
        for step, which in plan:
            if step == "ask":
                our_tasks.append(asyncio.create_task(_wait_for_record(ours, 3600.0)))
                their_tasks.append(asyncio.create_task(theirs.get()))
            elif step == "ask-now":
                our_tasks.append(asyncio.create_task(_wait_for_record(ours, None)))
                their_tasks.append(asyncio.create_task(theirs.get()))
            elif step == "give":
                ours.put_nowait(given_back)
                theirs.put_nowait(given_back)
                given_back += 1
            elif step == "turn":
                await settle()
            elif our_tasks:
                index = which % len(our_tasks)
                if step == "cancel":
                    our_tasks[index].cancel()
                    their_tasks[index].cancel()
                else:
                    # The timer of the one who has waited longest, and a cancellation in its place on the other side.
                    getters: Any = ours._getters  # type: ignore[attr-defined]
                    if getters and not getters[0].done():
                        late = next(task for task in our_tasks if task._fut_waiter is getters[0])  # type: ignore[attr-defined]
                        _give_up(getters[0])
                        their_tasks[our_tasks.index(late)].cancel()
        await settle()
        for mine, other in zip(our_tasks, their_tasks, strict=True):
            assert mine.done() == other.done()
            if mine.done():
                ended = mine.cancelled() or isinstance(mine.exception(), PoolTimeout)
                assert ended == other.cancelled()
        taken = [task.result() for task in our_tasks if task.done() and not task.cancelled() and not task.exception()]
        assert len(set(taken)) == len(taken)
        assert len(taken) + ours.qsize() == given_back
        assert ours.empty() or all(task.done() for task in our_tasks)
        for task in [*our_tasks, *their_tasks]:
            task.cancel()
        await asyncio.gather(*our_tasks, *their_tasks, return_exceptions=True)
        assert not ours._getters  # type: ignore[attr-defined]

    async def settle() -> None:
        for _ in range(6):
            await asyncio.sleep(0)

    asyncio.run(run())


def test_the_queue_of_the_pool_is_the_one_that_is_waited_at() -> None:
    """What stands under the pool is a queue of asyncio, which the shortcut counts upon."""
    queue = AsyncAdaptedQueue(1)

    async def look() -> None:
        assert type(queue._queue) is asyncio.Queue

    asyncio.run(look())


@given(st.sampled_from(FIELDS), VALUES)
@settings(max_examples=500)
def test_what_is_quickly_compared_would_have_been_let_through(name: str, value: Any) -> None:
    """A value of a quick type is one that the check lets pass, and any other goes through it: silence is no answer."""

    def slowly() -> Any:
        _check(Thing, name, value)
        return attribute_of(Thing, name) == value

    def outcome(call: Callable[[], Any]) -> str:
        try:
            made = call()
        except QueryError as error:
            return str(error)
        made = made.__clause_element__() if hasattr(made, "__clause_element__") else made
        return str(made.compile(dialect=DIALECTS[0]))

    if hasattr(value, "__clause_element__") or hasattr(value, "compile"):
        return
    if value is None:
        assert type(None) in quick_fields(Thing).get(name, {type(None)})
        return
    assert outcome(lambda: equal(Thing, name, value)) == outcome(slowly)


@pytest.mark.parametrize("name", FIELDS)
def test_quick_types_are_few_and_exact(name: str) -> None:
    """No subclass slips through: a `bool` is no number, a datetime no date."""
    quick: Mapping[str, frozenset[type]] = quick_fields(Thing)
    taken = quick.get(name, frozenset())
    assert bool not in taken or name == "on"
    assert datetime not in taken
    assert Number not in taken
