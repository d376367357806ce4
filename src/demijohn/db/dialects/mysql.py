"""asyncmy under SQLAlchemy, with BEGIN at the first write. MariaDB and MySQL share it."""

from time import monotonic
from typing import Any

from sqlalchemy.dialects.mysql.asyncmy import (
    AsyncAdapt_asyncmy_connection,
    AsyncAdapt_asyncmy_dbapi,
    MySQLDialect_asyncmy,
)
from sqlalchemy.dialects.mysql.base import MySQLDDLCompiler
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect as _MariaDBDialect
from sqlalchemy.dialects.mysql.mysqldb import MySQLCompiler_mysqldb
from sqlalchemy.util.concurrency import await_

from demijohn._lib.extras import need
from demijohn.db.dialects.checked import CheckedNames
from demijohn.db.dialects.deferral import DeferredBegin

__all__ = ["DDLCompiler", "MariaDBDialect", "MySQLDialect"]

_ISOLATION = {"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}


class _Connection(AsyncAdapt_asyncmy_connection):
    __slots__ = ("begun", "holder", "manual", "used")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.begun = False
        self.manual = False
        self.holder = ""
        self.used = 0.0

    def is_lost(self) -> bool:
        """Return whether the server has gone, as far as the driver knows."""
        return not self._connection._connected

    async def read(self, statement: str, parameters: tuple[Any, ...], changed: float) -> Any:
        """Return the rows of a statement that reads, straight from asyncmy (Any: its rows)."""
        async with self._execute_mutex:
            try:
                cursor = self._connection.cursor()
                try:
                    await cursor.execute(statement, parameters)
                    return await cursor.fetchall()
                finally:
                    await cursor.close()
            except Exception as error:
                self._handle_exception(error)

    def is_begun(self) -> bool:
        return self.begun or self.manual

    def begin_now(self, *, isolation: str | None = None, read_only: bool = False) -> None:
        if self.begun or self.manual:
            return
        if isolation is not None:
            if isolation.upper() not in _ISOLATION:
                raise ValueError(f"{isolation!r} is not an isolation level: {', '.join(sorted(_ISOLATION))}.")
            self.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation.upper()}")
        self.execute("START TRANSACTION READ ONLY" if read_only else "START TRANSACTION")
        self.begun = True

    def commit(self) -> None:
        self.used = monotonic()
        if self.begun:
            self.begun = False
            super().commit()

    def rollback(self) -> None:
        self.used = monotonic()
        if self.begun:
            self.begun = False
            super().rollback()


_SET_OPTION, _MULTI_STATEMENTS_OFF = 0x1B, b"\x01\x00"


async def _one_statement(connecting: Any) -> Any:
    """Connect, and have the server refuse a second statement behind a semicolon; the driver asks for them always."""
    connection = await connecting
    try:
        await connection._execute_command(_SET_OPTION, _MULTI_STATEMENTS_OFF)
        await connection.read_packet()
    except BaseException:
        connection.close()
        raise
    return connection


class _Driver(AsyncAdapt_asyncmy_dbapi):
    def connect(self, *arguments: Any, **options: Any) -> Any:
        create = options.pop("async_creator_fn", self.asyncmy.connect)
        statement, lock = options.pop("statement_limit", 0), options.pop("lock_limit", 0)
        options.setdefault("charset", "utf8mb4")
        connection = await_(_Connection.create(self, _one_statement(create(*arguments, autocommit=True, **options))))
        # The two servers share a protocol and a URL, and name the limit of a statement each in its own way.
        is_mariadb = "mariadb" in str(connection._connection.get_server_info()).lower()
        limit = f"max_statement_time={statement:g}" if is_mariadb else f"max_execution_time={int(statement * 1000)}"
        lock_limit = f", innodb_lock_wait_timeout={lock}" if lock else ""
        connection.execute(f"SET SESSION time_zone='+00:00', {limit}{lock_limit}")
        return connection


class DDLCompiler(MySQLDDLCompiler):
    """Writes DDL without what the server would only warn of."""

    def visit_primary_key_constraint(self, constraint: Any, **options: Any) -> str:
        # The server ignores the name of a primary key, and warns about each one.
        names = ", ".join(self.preparer.quote(column.name) for column in constraint)
        return f"PRIMARY KEY ({names})" if names else ""


class _Compiler(CheckedNames, MySQLCompiler_mysqldb):
    pass


class MySQLDialect(DeferredBegin, MySQLDialect_asyncmy):
    """`mysql+demijohn`: the server's autocommit is on.

    A transaction is always begun by name.
    """

    driver = "demijohn"
    supports_statement_cache = True
    ddl_compiler = DDLCompiler
    statement_compiler = _Compiler

    @classmethod
    def import_dbapi(cls) -> Any:
        return _Driver(need("asyncmy", extra="mysql", wanted_for="A mysql:// or mariadb:// database"))

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        dbapi_connection.manual = level == "AUTOCOMMIT"
        if level != "AUTOCOMMIT":
            cursor = dbapi_connection.cursor()
            cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
            cursor.close()

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        return bool(dbapi_conn.manual)


class MariaDBDialect(_MariaDBDialect, MySQLDialect):
    """`mariadb+demijohn`."""

    driver = "demijohn"
    supports_statement_cache = True
