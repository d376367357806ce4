"""Units of work: one per request, command, task or message; it belongs to the task (or thread) that opened it."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from inspect import isawaitable
from threading import get_ident
from time import monotonic
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, cast
from weakref import WeakSet

from sqlalchemy import Select, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.util.concurrency import await_

from demijohn.app.context import find_unit
from demijohn.db.checking import check_session
from demijohn.db.driver import Frame, is_inside, run_in_greenlet, work
from demijohn.db.engines import Resources
from demijohn.db.events import Change, calls_for, changes_of, receivers
from demijohn.db.faults import AlreadyBegun, NoDatabase, NotInside, NoUnit, OtherTask, TransactionLost
from demijohn.db.listeners import close_unheard, make_session
from demijohn.db.outages import is_deadlock, is_stale, pool_is_empty, raise_told, told, unreachable
from demijohn.db.violations import refused_value, translate

__all__ = ["STREAM", "Scope", "Unit", "UnitSession", "current_scope", "current_unit", "set_finder", "work"]

T = TypeVar("T")
_log = logging.getLogger("demijohn.db")
STREAM = "demijohn_stream"
"""The execution option of a connection that only streams rows."""
_RETRIES = 3
_scope: ContextVar["Scope | None"] = ContextVar("demijohn_db_scope", default=None)


class Home(Protocol):
    """What a unit of work needs of its `Database`."""

    alias: str
    connections: int
    holders: "WeakSet[Unit]"
    pin: Connection | None
    """The one connection of a test; None otherwise."""
    is_strict: bool
    """Whether relations never load by themselves, as strict apps want it."""

    @property
    def backend(self) -> str: ...

    def resources(self, loop: asyncio.AbstractEventLoop | None = None) -> "list[Resources]": ...

    def bind_for(self, unit: "Unit", clause: Any) -> Engine | Connection: ...

    def reader(self, unit: "Unit") -> "Resources": ...


class Scope(Frame):
    """The units of work of one request, command, task or message.

    There is at most one for each database.
    """

    label = ""
    units: "dict[Home, Unit] | None" = None
    _frame: Frame | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    databases: Mapping[str, Home] = MappingProxyType({})

    @classmethod
    def of(cls, databases: Mapping[str, Home], *, frame: Frame | None = None, label: str = "") -> "Scope":
        """Return a scope for some databases; an independent unit has one whose code is run by another frame."""
        scope = cls()
        scope.databases, scope._frame, scope.label = databases, frame, label
        return scope

    @property
    def frame(self) -> Frame:
        """Return who runs the code."""
        return self._frame or self

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop that the scope belongs to."""
        task = self.frame.task
        return self._loop or (task.get_loop() if task is not None else asyncio.get_running_loop())

    def unit(self, database: Home) -> "Unit":
        """Return the unit of work on a database, which is opened at its first use.

        Raises:
            OtherTask: The caller is not the task or thread that the scope belongs to.
        """
        if not self.frame.is_owner():
            raise OtherTask(self.frame, self.label)
        units = self.units
        if units is None:
            units = self.units = {}
            self.label = self.label or _label()
        unit = units.get(database)
        if unit is None:
            unit = units[database] = Unit(database, self)
        return unit

    def unit_for(self, model: Any) -> "Unit":
        """Return the unit of work on the database of a model.

        Any: models are made above this module.

        Raises:
            NoDatabase: No database of that alias is open here.
        """
        database = self.databases.get(model.__database__)
        if database is None:
            raise NoDatabase(model.__name__, model.__database__, known=self.databases)
        return self.unit(database)

    async def commit(self) -> None:
        """Commit every unit; what fails rolls back the others that were not committed yet."""
        for unit in list((self.units or {}).values()):
            await unit.commit()

    async def rollback(self) -> None:
        """Roll every unit back."""
        for unit in list((self.units or {}).values()):
            await unit.rollback()

    async def close(self) -> None:
        """Give the connections back; what was not committed is rolled back."""
        units, self.units = self.units, None
        for unit in (units or {}).values():
            await unit.close()


def _label() -> str:
    """Return what runs, as people call it: `GET /posts`, or the name of a command or task."""
    unit = find_unit()
    if unit is None:
        return ""
    name = getattr(unit, "name", "")
    if isinstance(name, str) and name:
        return name
    return f"{getattr(unit, 'method', 'WEBSOCKET')} {getattr(unit, 'path', '')}"


def current_scope() -> Scope:
    """Return the scope of the running request, command, task or script.

    Raises:
        NoUnit: None is open here.
    """
    scope = _scope.get() or _find()
    if scope is None:
        raise NoUnit
    return scope


def _nothing() -> Scope | None:
    return None


_find: Callable[[], Scope | None] = _nothing


def set_finder(find: Callable[[], Scope | None]) -> None:
    """Say how the scope of a unit is found that no driver has opened: a script's."""
    global _find
    _find = find


def current_unit(database: Home) -> "Unit":
    """Return the unit of work of the calling task on `database`."""
    return current_scope().unit(database)


class UnitSession(Session):
    """The SQLAlchemy session of a unit of work.

    It is a plain `Session` and may be used as one.
    """

    def __init__(self, unit: "Unit") -> None:
        # A test holds everything in one transaction: what a unit commits is a savepoint of it then.
        make_session(self, expire_on_commit=False, join_transaction_mode="create_savepoint")
        self.unit = unit

    def get_bind(self, mapper: Any = None, *, bind: Any = None, **options: Any) -> Engine | Connection:
        """Return the engine of the unit.

        A read goes to a replica, where there is one and nothing was written yet.
        """
        if bind is not None:
            return cast("Engine | Connection", bind)
        return self.unit.database.bind_for(self.unit, options.get("clause"))

    def close(self) -> None:
        """Close, as SQLAlchemy does."""
        if not close_unheard(self):
            super().close()

    def _is_plain(self) -> bool:
        """Return whether plain code of a script or thread calls, which waits by its servant."""
        return not is_inside() and self.unit.scope.frame.thread == get_ident()

    def commit(self) -> None:
        """Commit, as SQLAlchemy does."""
        if self._is_plain():
            return run_in_greenlet(self.commit)
        return super().commit()

    def rollback(self) -> None:
        """Roll back, as SQLAlchemy does."""
        if self._is_plain():
            return run_in_greenlet(self.rollback)
        return super().rollback()

    def _connection_for_bind(self, engine: Any, execution_options: Any = None, **options: Any) -> Connection:
        if self._is_plain():
            return run_in_greenlet(partial(self._connection_for_bind, engine, execution_options, **options))
        self._check()
        try:
            return super()._connection_for_bind(engine, execution_options, **options)
        except PoolTimeout:
            raise self._pool_is_empty() from None
        except (OSError, DBAPIError) as error:
            raise unreachable(self.unit.database.alias, error) from error

    def _check(self) -> None:
        """Refuse whom the unit does not belong to, where nothing can wait, and what would go on after a loss."""
        unit = self.unit
        if not unit.scope.frame.is_owner():
            raise OtherTask(unit.scope.frame, unit.scope.label)
        if not is_inside():
            raise NotInside
        if unit.lost is not None:
            raise TransactionLost(unit.lost)

    def _pool_is_empty(self) -> Exception:
        home = self.unit.database
        return pool_is_empty(home.alias, home.connections, home.holders)

    def _execute_internal(self, statement: Any, params: Any = None, **options: Any) -> Any:
        if self._is_plain():
            return run_in_greenlet(partial(self._execute_internal, statement, params, **options))
        unit = self.unit
        had_begun = unit.is_begun()
        if unit.database.pin is not None:
            options = unit.note_pinned(statement, options)
        attempt = 0
        while True:
            attempt += 1
            try:
                return super()._execute_internal(statement, params, **options)
            except BaseException as error:
                if self._flushing:  # the flush sees to it
                    raise
                if not unit.survives(error, had_begun, attempt) or not isinstance(error, DBAPIError):
                    unit.statement_failed(error, had_begun)
                    raise_told(error, unit.told(error))
            # Nothing was begun, so nothing is lost, and the statement runs again.

    def _flush(self, objects: Any = None) -> None:
        if self._is_plain():
            return run_in_greenlet(partial(self._flush, objects))
        self._check()
        if not self.info.get("demijohn_unchecked"):
            check_session(self)
        unit = self.unit
        had_begun = unit.is_begun()
        new, dirty, deleted = self.new, self.dirty, self.deleted
        unit.wrote = unit.wrote or unit.database.pin is not None
        written = [*new, *dirty, *deleted]
        changes = changes_of(new, dirty, deleted)
        try:
            super()._flush(objects)
        except PoolTimeout:
            raise self._pool_is_empty() from None
        except (OSError, DBAPIError) as error:
            if not isinstance(error, DBAPIError) or error.statement is None:
                raise unreachable(unit.database.alias, error) from error
            loses = unit.undo_flush() or had_begun
            better: BaseException = translate(error, self, written) if isinstance(error, IntegrityError) else error
            if loses:
                unit.lost = error
            raise_told(error, unit.told(error) if better is error else better)
        if changes:
            unit.note(changes)
        return None


@event.listens_for(UnitSession, "after_begin")
def _took(session: UnitSession, transaction: Any, connection: Connection) -> None:
    if session.unit.connection is not connection and STREAM not in connection.get_execution_options():
        session.unit.take(connection)


class Unit:
    """One unit of work on one database.

    A session, its transaction, and what to do after the commit.
    """

    __slots__ = (
        "__weakref__",
        "_raw",
        "connection",
        "database",
        "depth",
        "hooks",
        "lost",
        "savepoints",
        "scope",
        "session",
        "since",
        "waiting",
        "wrote",
    )

    def __init__(self, database: Home, scope: Scope) -> None:
        self.database = database
        self.scope = scope
        self.session = UnitSession(self)
        self.connection: Connection | None = None
        self.since = 0.0
        self.depth = 0
        self.wrote = False
        self.savepoints: list[tuple[SessionTransaction | None, int]] = []
        self.lost: BaseException | None = None
        self.hooks: list[Callable[[], object]] = []
        self.waiting: list[Callable[[], object]] = []
        self._raw: Any = None

    # -- the connection ----------------------------------------------------------------------------------------------

    def take(self, connection: Connection) -> None:
        """Remember the connection that the session checked out, to say who holds it."""
        self.connection = connection
        self.since = monotonic()
        self._raw = raw = connection.connection.dbapi_connection
        if raw is not None:
            raw.holder = self.scope.label
        self.database.holders.add(self)

    def release(self, engine: Engine | None = None) -> None:
        """Give the connection back where no transaction is begun.

        The session goes on with another. With an engine, only the connection to that one is given back.
        """
        transaction = self.session._transaction
        if transaction is not None and transaction._parent is None:
            for connection, begun, _, own in set(transaction._connections.values()):
                if engine is not None and connection.engine is not engine:
                    continue
                begun.close()
                if own:
                    connection.close()
                for key in (connection, connection.engine):
                    transaction._connections.pop(key, None)
        if engine is None:
            self._forget_connection()

    def survives(self, error: BaseException, had_begun: bool, attempt: int) -> bool:
        """After an error: return whether the unit can go on as if nothing had been, and the statement be run again.

        It can where nothing was begun: a connection that went is replaced, and a lost race is run again.
        """
        connection = self.connection
        if connection is None or attempt > _RETRIES:
            return False
        if connection.invalidated or is_stale(error):
            if self.is_begun() or self.depth or self.session._flushing:
                self.lost = error
                return False
            self.release()
            return True
        if had_begun or self.depth or not is_deadlock(error) or self.database.pin is not None:
            return False
        if self._raw is not None:
            self._raw.rollback()
        await_(asyncio.sleep(random.uniform(0.5, 1.5) * 0.005 * 2**attempt))  # noqa: S311 - it only spreads them
        return True

    def told(self, error: BaseException, *, committing: bool = False) -> BaseException:
        """Return what to raise instead of an error of the driver, where it means an outage."""
        if not isinstance(error, Exception):
            return error
        return refused_value(error) or told(
            error, alias=self.database.alias, label=self.scope.label or "a script", committing=committing
        )

    def statement_failed(self, error: BaseException, had_begun: bool) -> None:
        """After a statement that failed in a transaction.

        Some servers have undone it all, so nobody may go on.
        """
        if self.lost is None and isinstance(error, DBAPIError) and self.is_begun():
            if had_begun:
                self.lost = error
            else:
                self.session.rollback()

    def undo_flush(self) -> bool:
        """Undo what the innermost block did, after a flush that was refused.

        Returns whether it was a savepoint.
        """
        if not self.savepoints:
            self.session.rollback()
            return False
        savepoint, mark = self.savepoints[-1]
        if savepoint is not None:
            self.savepoints[-1] = (None, mark)
            self._roll_back_to(savepoint)
        return True

    def _roll_back_to(self, savepoint: SessionTransaction) -> None:
        try:
            savepoint.rollback()
        except DBAPIError as error:  # the server has undone the whole transaction, as MariaDB does after a deadlock
            self.lost = error

    def _forget_connection(self) -> None:
        self.connection = self._raw = None
        self.database.holders.discard(self)

    def is_begun(self) -> bool:
        """Return whether BEGIN was sent."""
        if self.database.pin is not None:
            return self.depth > 0 or self.wrote
        return self._raw is not None and bool(self._raw.is_begun())

    def note_pinned(self, statement: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Remember a write of a test.

        The queries of a script or of the test itself see fresh rows.

        Any: statements and options of SQLAlchemy.
        """
        if not isinstance(statement, Select):
            self.wrote = True
        elif self.scope.frame.wants_fresh() and statement._propagate_attrs.get("compile_state_plugin") == "orm":
            execution = options.get("execution_options") or {}
            options = {**options, "execution_options": {"populate_existing": True, **execution}}
        return options

    def is_clean(self) -> bool:
        """Return whether there is nothing to commit."""
        session = self.session
        return session._transaction is None and not session._new and not session._deleted and not session.dirty

    # -- transactions; the methods that begin with an underscore run inside of a greenlet ----------------------------

    def begin(self, *, isolation: str | None = None, read_only: bool = False) -> None:
        """Send BEGIN now, unless it was sent; runs inside of a greenlet."""
        self.session.connection()
        try:
            if self._raw is not None:
                self._raw.begin_now(isolation=isolation, read_only=read_only)
        except Exception as error:
            raise_told(error, self.told(error))

    def begin_block(self, isolation: str | None, read_only: bool, durable: bool) -> None:
        """Enter a `transaction()` block: BEGIN, or a savepoint within a transaction."""
        if self.depth == 0 and not self.is_begun():
            self.begin(isolation=isolation, read_only=read_only)
            self.depth = 1
            return
        if durable or isolation or read_only:
            raise AlreadyBegun("durable" if durable else "isolation" if isolation else "read_only")
        self.savepoints.append((self.session.begin_nested(), len(self.hooks)))
        self.depth += 1

    def end_block(self, failed: bool) -> bool:
        """Leave a `transaction()` block; return whether it committed for good."""
        self.depth -= 1
        if self.savepoints:
            savepoint, mark = self.savepoints.pop()
            lost, self.lost = self.lost, None
            if failed or lost is not None:
                if savepoint is not None:
                    self._roll_back_to(savepoint)
                del self.hooks[mark:]
                if not failed and lost is not None:
                    raise TransactionLost(lost)
            elif savepoint is not None:
                savepoint.commit()
            return False
        if failed:
            self.roll_back()
            return False
        self.flush_and_commit()
        return True

    def flush_and_commit(self) -> None:
        """Write what is pending and commit; runs inside of a greenlet."""
        if self.lost is not None:
            raise TransactionLost(self.lost)
        try:
            self.session.flush()
            wrote = self.wrote or self.is_begun()
            try:
                self.session.commit()
            except DBAPIError as error:
                raise_told(error, self.told(error, committing=wrote))
            self.wrote = wrote and self.database.pin is None
        except BaseException:
            self.roll_back()
            raise
        self._forget_connection()

    def roll_back(self) -> None:
        """Undo what was not committed; runs inside of a greenlet."""
        self.lost = None
        self.wrote = self.wrote and self.database.pin is None
        self.hooks.clear()
        self.waiting.clear()
        self.savepoints.clear()
        try:
            self.session.rollback()
        finally:
            self._forget_connection()

    def note(self, changes: list[Change]) -> None:
        """Remember whom to tell.

        Receivers of the flush are called at the next await, the others after the commit.
        """
        self.waiting += calls_for("flush", changes)
        self.hooks += calls_for("commit", changes)

    async def tell(self) -> None:
        """Call the receivers of what was written.

        An exception of theirs goes on to who wrote it.
        """
        while self.waiting:
            result = self.waiting.pop(0)()
            if isawaitable(result):
                await result

    async def commit(self) -> None:
        """Commit, then run what `on_commit` was given.

        Raises:
            TransactionLost: A statement failed before, which undid the work that the handler believes in.
        """
        if self.lost is not None or not self.is_clean():
            if receivers("flush") and self.lost is None:
                await work(self.scope, self.session.flush)
                await self.tell()
            await work(self.scope, self.flush_and_commit)
        if self.hooks:
            await self.run_hooks()

    async def rollback(self) -> None:
        """Undo what was not committed."""
        if (
            self.session._transaction is not None
            or self.session._new
            or self.session._deleted
            or self.hooks
            or self.lost
        ):
            await work(self.scope, self.roll_back)

    async def run_hooks(self) -> None:
        """Run the hooks of the commit that has happened.

        One that fails is logged and keeps no other from running.
        """
        hooks, self.hooks = self.hooks, []
        for hook in hooks:
            try:
                result = hook()
                if isawaitable(result):
                    await result
            except Exception:
                _log.exception("A function given to on_commit failed; the commit stands.")

    async def close(self) -> None:
        """Roll back what is open and give the connection back."""
        if self.session._transaction is not None:
            await work(self.scope, self._close)
        else:
            self.session.close()
        self.hooks.clear()

    def _close(self) -> None:
        try:
            self.session.close()
        finally:
            self._forget_connection()
