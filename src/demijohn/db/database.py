"""The database of an app: its engines, its units of work, and the battery that plugs them in."""

import asyncio
import os
import random
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Token
from functools import partial
from types import TracebackType
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from sqlalchemy import Executable, Select, TextClause
from sqlalchemy.engine import Connection, Engine, Result
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session

from demijohn.db import encoding as _encoding  # noqa: F401 - it teaches the schema room to write models
from demijohn.db import records as _records  # noqa: F401 - it tells forms and views how to handle them
from demijohn.db.addresses import canonical_link, check_pages
from demijohn.db.binding import bind_model, bind_models, is_list_of_models, is_model, resolve_converter
from demijohn.db.declarative import Declarative
from demijohn.db.driver import Frame, current_task, drive
from demijohn.db.driving import Driving
from demijohn.db.engines import DatabaseTimeouts, Plan, Resources, make_plan
from demijohn.db.faults import QueryError
from demijohn.db.models import Model
from demijohn.db.outages import is_lost_race
from demijohn.db.pinning import pinned
from demijohn.db.replicas import remember_writes, wrote_lately
from demijohn.db.units import Home, Scope, Unit, _scope, current_unit, work
from demijohn.db.watching import queries_so_far
from demijohn.errors import ServiceUnavailable

__all__ = ["Block", "Database", "UnitBlock"]

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """A database, as a battery of an app or on its own.

    Args:
        url: `sqlite:///app.db`, `postgresql://...`, `mysql://...`, `mariadb://...` or `oracle://...`. `sqlite://` is a
            temporary database that goes when the process ends.
        alias: The name by which models choose it (`__database__ = "archive"`), where there are several.
        connections: The most connections that this process holds. All processes together have to stay below the
            server's limit.
        timeouts: How long things may take; see `DatabaseTimeouts`.
        pooler: `"pgbouncer"` where PgBouncer in transaction mode stands before PostgreSQL.
        replicas: URLs of read replicas. A unit of work reads from one of them until it writes, unless its client wrote
            a moment ago.
        options: Passed to the driver: arguments of asyncpg, asyncmy or oracledb; of `Store` for SQLite.

    Example:
        db = app.use(Database("sqlite:///blog.db"))
    """

    requires: tuple[str, ...] = ()

    def __init__(
        self,
        url: str,
        *,
        alias: str = "default",
        connections: int = 10,
        timeouts: DatabaseTimeouts = DatabaseTimeouts(),  # noqa: B008 - immutable
        pooler: Literal["none", "pgbouncer"] = "none",
        replicas: Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.alias = alias
        self.name = "db" if alias == "default" else f"db:{alias}"
        self.connections = connections
        self.timeouts = timeouts
        self.holders: weakref.WeakSet[Unit] = weakref.WeakSet()

        def plan(one: str) -> Plan:
            return make_plan(one, connections=connections, timeouts=timeouts, pooler=pooler, options=options or {})

        self.plan = plan(url)
        self._replicas = [plan(replica) for replica in replicas]
        self._resources: dict[tuple[int, int], tuple[asyncio.AbstractEventLoop, list[Resources]]] = {}
        self.pin: Connection | None = None
        self.is_for_tests = False
        self.is_strict = False
        self.use(self.plan)

    def use(self, plan: Plan) -> None:
        """Go to another place, as tests do.

        Connections that are open have to be disposed of before.
        """
        self.plan = plan
        if plan.temporary:
            weakref.finalize(self, _remove, str(plan.url.database), os.getpid())

    def __repr__(self) -> str:
        return f"Database({self.plan.url.set(drivername=self.backend).render_as_string()!r}, alias={self.alias!r})"

    @property
    def backend(self) -> str:
        """Return `sqlite`, `postgresql`, `mysql`, `mariadb` or `oracle`."""
        return self.plan.backend

    def install(self, app: Any) -> None:
        """Plug in: drive requests, bind models, commit before the first byte.

        Any: the app.
        """
        driving = next((driver for driver in app.drivers if isinstance(driver, Driving)), None)
        if driving is None:
            driving = Driving()
            driving.watches = bool(app.debug)
            if app.debug:
                app.panels.add("Queries", lambda request: queries_so_far())
            app.drivers.append(driving)
            app.before_send.append(driving.finish)
            app.binders.add(is_model, bind_model)
            app.binders.add(is_list_of_models, bind_models)
            app.converter_resolvers.append(resolve_converter)
            app.checks.add(check_pages)
            app.templates.globals["canonical_link"] = canonical_link
            app.shell_names.add("models", lambda: {one.class_.__name__: one.class_ for one in Model.registry.mappers})
        driving.databases[self.alias] = self
        self.is_strict = bool(app.strict)
        if self.alias == "default":
            app.provide(Session, lambda: self.session)
            app.provide(Database, value=self)
        if self._replicas:
            app.after_request(remember_writes(self, self.timeouts.replica), inline=True)
        app.health.add(self.name, self.probe)
        app.test_helpers.add(self.name.replace(":", "_"), lambda harness: pinned(self))
        app.lifespan.add(self._life)

    @asynccontextmanager
    async def _life(self, app: Any) -> AsyncIterator[None]:
        Model.registry.configure()
        self.resources(serves=app.lifespan.serves)
        try:
            yield
        finally:
            await self.dispose()

    async def probe(self) -> None:
        """Ask the database for nothing, to see that it answers."""
        async with self.unit("health"):
            await self.execute("select 1" if self.backend != "oracle" else "select 1 from dual")

    # -- engines -----------------------------------------------------------------------------------------------------

    def resources(self, loop: asyncio.AbstractEventLoop | None = None, *, serves: bool = False) -> list[Resources]:
        """Return the engines of a loop, the primary first.

        They are made at the first call, for one that serves requests with the limits of `DatabaseTimeouts` for it.
        """
        loop = loop or asyncio.get_running_loop()
        key = os.getpid(), id(loop)
        known = self._resources.get(key)
        if known is not None and known[0] is loop:
            return known[1]
        made = [plan.make(loop, serves=serves) for plan in (self.plan, *self._replicas)]
        self._resources[key] = (loop, made)
        return made

    @property
    def engine(self) -> Engine:
        """Return SQLAlchemy's engine for the running loop.

        It is used inside of `run_sync` or a driven task.
        """
        return self.resources()[0].engine

    @property
    def async_engine(self) -> AsyncEngine:
        """Return the same engine with SQLAlchemy's async interface."""
        return AsyncEngine(self.engine)

    def bind_for(self, unit: Unit, clause: Any) -> Engine | Connection:
        """Return where a statement of a unit goes (Any: SQLAlchemy's clause, or None)."""
        if self.pin is not None:
            return self.pin
        if clause is not None and _only_reads(clause):
            return self.reader(unit).engine
        return self.resources(unit.scope.loop)[0].engine

    def reader(self, unit: Unit) -> Resources:
        """Return where a read of a unit goes.

        That is a replica, where there is one, the unit wrote nothing yet, and its client not a moment ago.
        """
        resources = self.resources(unit.scope.loop)
        if len(resources) > 1 and not (unit.wrote or unit.is_begun() or wrote_lately()):
            return resources[1 + id(unit) // 64 % (len(resources) - 1)]
        return resources[0]

    async def dispose(self) -> None:
        """Close the connections of the running loop."""
        if self.pin is not None:  # a test holds the connection, and ends it
            return
        loop = asyncio.get_running_loop()
        known = self._resources.pop((os.getpid(), id(loop)), None)
        if known is not None:
            for one in known[1]:
                await one.close()

    # -- units of work -----------------------------------------------------------------------------------------------

    def unit(self, label: str = "") -> "UnitBlock":
        """Open a unit of work.

        It is committed at the end of the block, and rolled back by an exception.

        Requests, commands and tasks have one already; scripts and child tasks open theirs with this.

        Example:
            async with db.unit():
                await Post.create(title="Hello")
        """
        return UnitBlock(self, label)

    def independent(self) -> "UnitBlock":
        """Open a unit of work beside the current one.

        It commits on its own, whatever becomes of the other.
        """
        return UnitBlock(self, "independent")

    def transaction(self, *, isolation: str | None = None, read_only: bool = False, durable: bool = False) -> "Block":
        """Begin a transaction that ends with the block.

        Within a transaction it is a savepoint.

        Args:
            isolation: `"READ COMMITTED"`, `"REPEATABLE READ"` or `"SERIALIZABLE"`, as far as the server has it.
            read_only: Refuse writes.
            durable: Refuse to be a savepoint: after the block the work is committed.

        Raises:
            AlreadyBegun: One of the options was given within a transaction.
            QueryError: There is no such isolation level.
        """
        if isolation is not None and isolation.upper() not in _LEVELS:
            raise QueryError(
                f"The isolation level {isolation[:80]!r} was asked for.",
                why=f"The levels are {', '.join(_LEVELS)}.",
                fix='db.transaction(isolation="SERIALIZABLE")',
            )
        return Block(self, isolation, read_only, durable)

    def on_commit(self, hook: Callable[[], object]) -> None:
        """Run `hook` (sync or async) after the commit of the present unit of work.

        It never runs if the unit is rolled back.
        """
        current_unit(self).hooks.append(hook)

    @property
    def session(self) -> Session:
        """Return the SQLAlchemy session of the present unit of work.

        It is for `def` handlers and for code under `run_sync`.
        """
        return current_unit(self).session

    async def run_sync(
        self, function: Callable[Concatenate[Session, P], T], /, *arguments: P.args, **options: P.kwargs
    ) -> T:
        """Run plain SQLAlchemy code: `function(session, ...)`.

        It may use the session as under a sync engine.

        Example:
            users = await db.run_sync(lambda session: session.scalars(select(User)).all())
        """
        unit = current_unit(self)
        return await work(unit.scope, partial(function, unit.session, *arguments, **options))

    async def execute(self, statement: Executable | str, parameters: Any = None) -> Result[Any]:
        """Run a statement: a SQLAlchemy construct, or text with `:named` parameters.

        Args:
            statement: What to run.
            parameters: A mapping, or a list of them to run it many times (Any: as SQLAlchemy takes them).

        Example:
            rows = (await db.execute("select id from post where title = :title", {"title": "Hello"})).all()
        """
        unit = current_unit(self)
        executable = TextClause(statement) if isinstance(statement, str) else statement
        return await work(unit.scope, unit.session.execute, executable, parameters)

    async def run(self, coroutine: Coroutine[Any, Any, T], label: str = "") -> T:
        """Run a coroutine in a unit of work, driven.

        Relations load themselves in it as they do in a handler.

        Example:
            asyncio.run(db.run(main()))
        """
        scope = Scope.of({self.alias: self}, label=label)
        return await drive(_in_scope(coroutine, scope), scope)

    async def retry(
        self, function: Callable[[], Awaitable[T]], /, *, times: int = 3, isolation: str | None = None
    ) -> T:
        """Run a transaction again when it lost a race: a deadlock, for instance.

        Args:
            function: What to do; it must not do anything that may not be done twice.
            times: How often it is tried in all.
            isolation: As in `transaction`.

        Raises:
            AlreadyBegun: The unit of work has a transaction already, which cannot be run again from its middle.

        Example:
            await db.retry(lambda: move(10, source, target), isolation="SERIALIZABLE")
        """
        for attempt in range(1, times + 1):
            try:
                async with self.transaction(isolation=isolation, durable=True):
                    return await function()
            except (DBAPIError, ServiceUnavailable) as error:
                if attempt == times or not is_lost_race(error):
                    raise
            await asyncio.sleep(random.uniform(0.5, 1.5) * 0.01 * 2**attempt)  # noqa: S311 - it only spreads them
        raise ValueError(f"times={times}: there is nothing to try.")

    # -- schema ------------------------------------------------------------------------------------------------------

    async def create_all(self, base: type[Declarative] = Declarative) -> None:
        """Create the tables that are missing.

        This is for tests and first steps, where migrations are too much.
        """
        await self.run_sync(lambda session: base.metadata.create_all(session.connection(), tables=self._tables(base)))

    async def drop_all(self, base: type[Declarative] = Declarative) -> None:
        """Drop the tables of all models."""
        await self.run_sync(lambda session: base.metadata.drop_all(session.connection(), tables=self._tables(base)))

    def _tables(self, base: type[Declarative]) -> list[Any]:
        return [table for table in base.metadata.sorted_tables if table.info.get("database", "default") == self.alias]


_LEVELS = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


def _remove(path: str, pid: int) -> None:
    if os.getpid() == pid:
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)


def _only_reads(clause: Any) -> bool:
    return isinstance(clause, Select) and clause._for_update_arg is None


async def _in_scope(coroutine: Coroutine[Any, Any, T], scope: Scope) -> T:
    token = _scope.set(scope)
    try:
        try:
            result = await coroutine
        except BaseException:
            await scope.rollback()
            raise
        await scope.commit()
        return result
    finally:
        try:
            await scope.close()
        finally:
            _scope.reset(token)


class UnitBlock:
    """`async with db.unit()`: a unit of work that ends with the block."""

    __slots__ = ("_database", "_label", "_scope", "_token")

    def __init__(self, database: Database, label: str) -> None:
        self._database = database
        self._label = label

    async def __aenter__(self) -> Unit:
        outer = _scope.get()
        databases: dict[str, Home] = {self._database.alias: self._database}
        if outer is not None:
            databases = {**outer.databases, **databases}
        if outer is not None and outer.frame.is_owner():
            frame = outer.frame
        else:
            frame = Frame()
            frame.task = current_task()
        self._scope = Scope.of(databases, frame=frame, label=self._label)
        self._token: Token[Scope | None] = _scope.set(self._scope)
        return self._scope.unit(self._database)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        scope = self._scope
        try:
            if kind is None:
                await scope.commit()
            else:
                await scope.rollback()
        finally:
            try:
                await scope.close()
            finally:
                try:
                    _scope.reset(self._token)
                except ValueError:  # entered and left in different contexts, as the fixtures of a test may be
                    _scope.set(self._token.old_value if isinstance(self._token.old_value, Scope) else None)


class Block:
    """`async with db.transaction()`: a transaction, or a savepoint within one."""

    __slots__ = ("_arguments", "_database", "_unit")

    def __init__(self, database: Database, isolation: str | None, read_only: bool, durable: bool) -> None:
        self._database = database
        self._arguments = isolation, read_only, durable

    async def __aenter__(self) -> Unit:
        self._unit = unit = current_unit(self._database)
        await work(unit.scope, unit.begin_block, *self._arguments)
        return unit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        unit = self._unit
        if kind is None and unit.waiting:
            await unit.tell()
        if await work(unit.scope, unit.end_block, kind is not None):
            await unit.run_hooks()
