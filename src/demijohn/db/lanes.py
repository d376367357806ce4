"""Lanes: statements of recipes run straight on the driver, beside SQLAlchemy's path.

A lane is for plain reads of a unit of work that has neither begun a transaction nor anything to write, where nobody
listens to SQLAlchemy's events. SQLite reads here and now; on a server a connection is taken from SQLAlchemy's pool
for the one statement and put back. Whatever goes wrong makes the caller take SQLAlchemy's path, which runs the
statement again and finds the words for it.
"""

import asyncio
import time
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.util import await_

from demijohn.db.driver import current_task, enter, work
from demijohn.db.listeners import STEADY, heard_by
from demijohn.db.outages import raise_told
from demijohn.db.recipes import Recipe, learn
from demijohn.db.shapes import Sink, shape_of
from demijohn.db.units import Unit
from demijohn.db.watching import Watch, current_watch

__all__ = ["Attempt"]

_FRESH = 1.0
"""Seconds after its last use in which a connection is taken without asking the server whether it lives."""
_LIMIT = 1000
_SEEN: Final = object()
_SLOW = 1.0


class Attempt:
    """One try to run a query on a lane; where it cannot, what SQLAlchemy's path shows may be learnt for the next time.

    Args:
        query: The query (Any: it is made above this module).
        unit: Where it runs.
        kind: What it comes to instead of objects: `"count"` or `"exists"` is one value, `"dicts"` and `"scalars"` are
            rows of columns.

    Attributes:
        is_known: Whether a recipe is there, so that `run` makes sense.
        may_learn: Whether `learn` makes sense: a shape is learnt when it comes for the second time.
    """

    __slots__ = ("_key", "_kind", "_query", "_recipe", "_resources", "_sink", "_unit", "is_known", "may_learn")
    _recipe: Recipe

    def __init__(self, query: Any, unit: Unit, kind: str = "") -> None:
        self._kind = kind
        self.is_known = self.may_learn = False
        if not is_plain(unit):
            return
        self._unit = unit
        self._query = query
        self._resources = resources = unit.database.reader(unit)
        if resources.is_watched():
            return
        self._sink = sink = Sink()
        try:
            self._key = key = (*shape_of(query, sink), kind, bool(heard_by(unit.session).do_orm_execute))
        except Exception:
            # Unshaped; or a value that is computed when it is asked for cannot be, of which SQLAlchemy tells more.
            return
        recipe: Any = resources.recipes.get(key)
        if type(recipe) is Recipe:
            self._recipe = recipe
            self.is_known = recipe.is_unheard()
        elif recipe is _SEEN:
            self.may_learn = True
        elif recipe is None:
            recipes = resources.recipes
            if len(recipes) >= _LIMIT:
                del recipes[next(iter(recipes))]
            recipes[key] = _SEEN

    def learn(self, statement: Any, result: Any) -> None:
        """Look at a result of SQLAlchemy's path that was not read yet (Any: both are SQLAlchemy's)."""
        if self._resources.recipes.get(self._key) is not _SEEN:  # many came at once, and one of them has learnt it
            return
        recipe = learn(statement, result, self._sink, kind=self._kind)
        # The shape knows its columns by `id`, so they have to live; also where there is no recipe for it.
        keeps = statement, self._query._parts
        if recipe is not None:
            recipe.keeps = keeps
        self._resources.recipes[self._key] = keeps if recipe is None else recipe

    async def run(self) -> list[Any] | None:
        """Return the objects, or None where SQLAlchemy has to do it (Any: objects of the query's model)."""
        store = self._resources.store
        frame = self._unit.scope.frame
        # What is read later may have to wait in plain code, inside of the greenlet.
        enters = frame.driven and not frame.inside and frame.task is current_task()
        if enters and store is not None:
            await enter()
        watch = current_watch.get()
        if watch is not None:
            watch.started()
        started = monotonic()
        try:
            parameters = self._recipe.parameters(self._sink.values)
            if store is None:
                rows = await self._on_server(parameters)
                if enters:  # after the rows, because what waits inside is handed through the greenlet
                    await enter()
            else:
                rows = store.read_rows(self._recipe.sql, parameters)
                if rows is None:
                    rows = (await store.read_elsewhere(self._recipe.sql, parameters))[1]
            found = self._load(rows, watch)
        except Exception as error:
            self._refuse(error, started)
            return None
        ahead = self._recipe.ahead
        if ahead is not None and found:
            await work(self._unit.scope, ahead, found, self._unit.session)
        return found

    def run_now(self) -> list[Any] | None:
        """Run it in plain code, inside of a greenlet (Any: objects of the query's model)."""
        watch = current_watch.get()
        if watch is not None:
            watch.started()
        started = monotonic()
        try:
            parameters = self._recipe.parameters(self._sink.values)
            store = self._resources.store
            if store is None:
                rows = await_(self._on_server(parameters))
            else:
                rows = store.read_rows(self._recipe.sql, parameters)
                if rows is None:
                    rows = await_(store.read_elsewhere(self._recipe.sql, parameters))[1]
            found = self._load(rows, watch)
        except Exception as error:
            self._refuse(error, started)
            return None
        ahead = self._recipe.ahead
        if ahead is not None and found:
            ahead(found, self._unit.session)
        return found

    def _load(self, rows: Any, watch: Watch | None) -> list[Any] | None:
        if rows is None:
            return None
        found = self._recipe.load(rows, self._unit.session)
        if watch is not None and found is not None:
            watch.ended(self._recipe.sql)
        return found

    def _refuse(self, error: Exception, started: float) -> None:
        """Leave an error to SQLAlchemy's path, unless running the statement once more would take as long again."""
        if isinstance(error, PoolTimeout):
            raise self._unit.session._pool_is_empty() from None
        if monotonic() - started < _SLOW:
            return
        dialect: Any = self._resources.engine.dialect
        base = dialect.loaded_dbapi.Error
        if not isinstance(error, base):
            return
        parameters = self._recipe.parameters(self._sink.values)
        wrapped = DBAPIError.instance(self._recipe.sql, parameters, error, base, dialect=dialect)
        wrapped.__cause__ = error
        raise_told(wrapped, self._unit.told(wrapped))

    async def _on_server(self, parameters: tuple[Any, ...]) -> Any:
        """Return the rows of a statement on a server, or None where no connection is ready (Any: rows of a driver)."""
        engine: Any = self._resources.engine
        pool = engine.pool
        queue = pool._pool._queue
        idle = queue._queue
        if not idle or queue._getters:  # who waits already is first
            if pool._overflow < pool._max_overflow or self._unit.connection is not None:
                return None  # SQLAlchemy opens one more, or goes on with that of the unit
            record = await _wait_for_record(queue, pool._timeout)
        else:
            record = queue.get_nowait()
        raw = record.dbapi_connection
        try:
            if raw is None or _is_old(pool, record, raw):
                return None
            changed = getattr(engine.dialect, "_invalidate_schema_cache_asof", 0.0)
            rows = await raw.read(self._recipe.sql, parameters, changed)
            raw.used = monotonic()
            return rows
        except BaseException as error:
            if not isinstance(error, Exception) or raw is None or raw.is_lost():
                record.invalidate(error)
            raise
        finally:
            pool._do_return_conn(record)


async def _wait_for_record(queue: Any, seconds: float | None) -> Any:
    """Wait for a connection of the pool, in the order of those who ask (Any: its queue and its records).

    Raises:
        PoolTimeout: None came back in time.
    """
    # As `asyncio.Queue.get` does, with a timer that costs a fraction of `asyncio.timeout`.
    loop = asyncio.get_running_loop()
    ends = None if seconds is None else loop.time() + seconds
    while queue.empty():
        getter = loop.create_future()
        queue._getters.append(getter)
        timer = None if ends is None else loop.call_at(ends, _give_up, getter)
        try:
            await getter
        except BaseException:
            getter.cancel()
            with suppress(ValueError):  # whoever gave the connection back took it out already
                queue._getters.remove(getter)
            if not queue.empty() and not getter.cancelled():
                queue._wakeup_next(queue._getters)
            raise
        finally:
            if timer is not None:
                timer.cancel()
    return queue.get_nowait()


def _give_up(getter: "asyncio.Future[None]") -> None:
    if not getter.done():
        getter.set_exception(PoolTimeout())


def _is_old(pool: Any, record: Any, raw: Any) -> bool:
    """Return whether a connection has to be looked at by SQLAlchemy before it is used."""
    return bool(
        raw.is_lost()
        or monotonic() - raw.used > _FRESH
        or (pool._recycle > -1 and time.time() - record.starttime > pool._recycle)
        or pool._invalidate_time > record.starttime
        or record._soft_invalidate_time > record.starttime
    )


def is_plain(unit: Unit) -> bool:
    """Return whether a unit of work reads only, and nothing of SQLAlchemy's has to see how."""
    session = unit.session
    heard = heard_by(session)
    return not (
        unit.database.pin is not None
        or unit.lost is not None
        or unit.is_begun()
        or session._new
        or session._deleted
        or session.identity_map._modified
        or session._flushing
        or heard.loaded_as_persistent
        or not STEADY.issuperset(heard.do_orm_execute)
    )
