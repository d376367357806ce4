"""SQLAlchemy's dialect for the connections of a `Store`."""

import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, cast

from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteExecutionContext, SQLiteIdentifierPreparer
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.engine.url import URL
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util.concurrency import await_

from demijohn.db.dialects.checked import CheckedNames
from demijohn.db.dialects.deferral import DeferredBegin
from demijohn.db.dialects.store import Outcome, Reader, Store
from demijohn.db.driver import is_inside

__all__ = ["SQLiteConnection", "SQLiteDialect"]


class SQLiteCursor:
    """A cursor whose rows were all read when `execute` returns."""

    __slots__ = ("_adapt_connection", "_rows", "arraysize", "description", "lastrowid", "rowcount")

    def __init__(self, connection: "SQLiteConnection") -> None:
        self._adapt_connection = connection
        self._rows: deque[Any] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    def execute(self, operation: str, parameters: Any = ()) -> None:
        connection = self._adapt_connection
        if connection.begun:
            self._take(await_(connection.store.write(operation, parameters)))
            return
        outcome = connection.store.read(operation, parameters)
        if outcome is None:
            outcome = await_(connection.store.read_elsewhere(operation, parameters))
        self._take(outcome)

    def executemany(self, operation: str, parameters: Sequence[Any]) -> None:
        connection = self._adapt_connection
        connection.begin_now()
        self._take(await_(connection.store.write(operation, parameters, many=True)))

    def _take(self, outcome: Outcome) -> None:
        self.description, rows, self.rowcount, self.lastrowid = outcome
        self._rows = deque(rows)

    def __iter__(self) -> Iterator[Any]:
        while self._rows:
            yield self._rows.popleft()

    def fetchone(self) -> Any:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        rows = self._rows
        return [rows.popleft() for _ in range(min(size or self.arraysize, len(rows)))]

    def fetchall(self) -> list[Any]:
        rows, self._rows = list(self._rows), deque()
        return rows

    def setinputsizes(self, *sizes: Any) -> None:
        pass

    def setoutputsize(self, size: Any, column: Any = None) -> None:
        pass

    def close(self) -> None:
        self._rows.clear()

    async def _async_soft_close(self) -> None:
        pass


class SQLiteStreamingCursor(SQLiteCursor):
    """A cursor that reads on a thread of its own, some rows at a time."""

    __slots__ = ("_cursor", "_reader")

    def __init__(self, connection: "SQLiteConnection") -> None:
        super().__init__(connection)
        self._reader: Reader | None = None
        self._cursor: sqlite3.Cursor | None = None

    def execute(self, operation: str, parameters: Any = ()) -> None:
        connection = self._adapt_connection
        if connection.begun:  # the rows of one's own transaction are only seen by the writer
            super().execute(operation, parameters)
            return
        store = connection.store
        self._reader = reader = await_(store.take_reader())
        try:
            self._cursor = cursor = await_(store.with_reader(reader, reader.raw.execute, operation, parameters))
        except BaseException:
            self._drop()
            raise
        self.description = cursor.description
        self.rowcount = -1

    def _more(self, size: int) -> list[Any]:
        if self._reader is None or self._cursor is None:
            return super().fetchmany(size)
        rows: list[Any] = await_(self._adapt_connection.store.with_reader(self._reader, self._cursor.fetchmany, size))
        return rows

    def fetchone(self) -> Any:
        if not self._rows:
            self._rows.extend(self._more(100))
        return super().fetchone()

    def fetchmany(self, size: int | None = None) -> list[Any]:
        size = size or self.arraysize
        if self._cursor is not None and len(self._rows) < size:
            self._rows.extend(self._more(size - len(self._rows)))
        return super().fetchmany(size)

    def fetchall(self) -> list[Any]:
        rows = super().fetchall()
        while more := self._more(1000):
            rows.extend(more)
        return rows

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row

    def close(self) -> None:
        super().close()
        if self._cursor is not None and self._reader is not None and is_inside():
            await_(self._adapt_connection.store.with_reader(self._reader, self._cursor.close))
        self._drop()

    def _drop(self) -> None:
        self._cursor = None
        if self._reader is not None:
            self._adapt_connection.store.give_back(self._reader)
            self._reader = None


class SQLiteConnection(AdaptedConnection):
    """What SQLAlchemy takes for a connection.

    It reads anywhere, and holds the turn to write from BEGIN to COMMIT.
    """

    __slots__ = ("autocommit", "begun", "dbapi", "dropped", "holder", "store")

    def __init__(self, dbapi: "SQLiteDriver", store: Store) -> None:
        self.dbapi = dbapi
        self.store = store
        self.begun = False
        self.autocommit = False
        self.dropped = False
        self.holder = ""
        self._connection = cast("Any", store)

    def cursor(self, server_side: bool = False) -> SQLiteCursor:
        return SQLiteStreamingCursor(self) if server_side else SQLiteCursor(self)

    def execute(self, operation: str, parameters: Any = ()) -> SQLiteCursor:
        cursor = self.cursor()
        cursor.execute(operation, parameters)
        return cursor

    def is_begun(self) -> bool:
        return self.begun

    def begin_now(self, *, isolation: str | None = None, read_only: bool = False) -> None:
        """Wait for the turn and send BEGIN IMMEDIATE.

        Every transaction of SQLite is serialisable.
        """
        if not self.begun:
            await_(self.store.begin(self.holder, plain=self.autocommit))
            self.begun = True

    def commit(self) -> None:
        if self.begun and not self.autocommit:
            self.begun = False
            await_(self.store.end("COMMIT"))

    def rollback(self) -> None:
        if self.begun and not self.autocommit:
            self.begun = False
            await_(self.store.end("ROLLBACK"))

    def set_autocommit(self, value: bool) -> None:
        if value == self.autocommit:
            return
        if self.begun and not self.autocommit:
            self.rollback()
        elif self.begun:
            self.begun = False
            await_(self.store.finish_plain())
        self.autocommit = value

    def close(self) -> None:
        if not self.begun or self.dropped:
            return
        if is_inside():
            self.set_autocommit(False)
            self.rollback()
        else:
            self.terminate()

    def terminate(self) -> None:
        """Roll back without waiting.

        What had begun stays known to the unit of work that asks.
        """
        if self.begun and not self.dropped:
            self.dropped = True
            self.store.abandon()


class SQLiteDriver:
    """The module that SQLAlchemy calls the DBAPI."""

    paramstyle = "qmark"
    sqlite_version_info = sqlite3.sqlite_version_info
    sqlite_version = sqlite3.sqlite_version
    PARSE_COLNAMES = sqlite3.PARSE_COLNAMES
    PARSE_DECLTYPES = sqlite3.PARSE_DECLTYPES
    Binary = sqlite3.Binary
    Warning = sqlite3.Warning
    Error = sqlite3.Error
    InterfaceError = sqlite3.InterfaceError
    DatabaseError = sqlite3.DatabaseError
    DataError = sqlite3.DataError
    OperationalError = sqlite3.OperationalError
    IntegrityError = sqlite3.IntegrityError
    InternalError = sqlite3.InternalError
    ProgrammingError = sqlite3.ProgrammingError
    NotSupportedError = sqlite3.NotSupportedError

    def connect(self, *, store: Store) -> SQLiteConnection:
        return SQLiteConnection(self, store)


class _Context(SQLiteExecutionContext):
    def create_server_side_cursor(self) -> Any:
        return self._dbapi_connection.cursor(server_side=True)


class _Preparer(SQLiteIdentifierPreparer):
    # Words that newer versions of SQLite take for themselves, and that have to be quoted as names.
    reserved_words = SQLiteIdentifierPreparer.reserved_words | {"nothing", "returning", "within"}


class _Compiler(CheckedNames, SQLiteCompiler):
    pass


class SQLiteDialect(DeferredBegin, SQLiteDialect_pysqlite):
    """`sqlite+demijohn`: see `Store`.

    The engine gets its store by `connect_args={"store": store}`.
    """

    driver = "demijohn"
    supports_statement_cache = True
    is_async = True
    has_terminate = True
    supports_server_side_cursors = True
    execution_ctx_cls = _Context
    statement_compiler = _Compiler
    preparer = _Preparer
    _isolation_lookup = SQLiteDialect_pysqlite._isolation_lookup

    @classmethod
    def import_dbapi(cls) -> Any:
        return SQLiteDriver()

    @classmethod
    def get_pool_class(cls, url: URL) -> Any:
        return AsyncAdaptedQueuePool

    def create_connect_args(self, url: URL) -> Any:
        return [], {}

    def on_connect(self) -> Any:
        return None  # the store prepares its connections

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        dbapi_connection.set_autocommit(level == "AUTOCOMMIT")

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        return "AUTOCOMMIT" if dbapi_connection.autocommit else "SERIALIZABLE"

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        return "SERIALIZABLE"

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        return bool(dbapi_conn.autocommit)

    def get_driver_connection(self, connection: Any) -> Any:
        return connection.store

    def do_terminate(self, dbapi_connection: Any) -> None:
        dbapi_connection.terminate()

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return False
