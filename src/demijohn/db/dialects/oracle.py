"""oracledb under SQLAlchemy. Oracle begins by itself at the first write.

A unit of work that only read ends without a round trip.
"""

from typing import Any

from sqlalchemy.dialects.oracle.cx_oracle import OracleCompiler_cx_oracle
from sqlalchemy.dialects.oracle.oracledb import (
    AsyncAdapt_oracledb_connection,
    OracledbAdaptDBAPI,
    OracleDialectAsync_oracledb,
)
from sqlalchemy.util.concurrency import await_

from demijohn._lib.extras import need
from demijohn.db.dialects.checked import CheckedNames
from demijohn.db.dialects.deferral import DeferredBegin

__all__ = ["OracleDialect"]


class _Connection(AsyncAdapt_oracledb_connection):
    __slots__ = ("begun", "holder")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.begun = False
        self.holder = ""

    def is_begun(self) -> bool:
        return self.begun

    def begin_now(self, *, isolation: str | None = None, read_only: bool = False) -> None:
        if self.begun:
            return
        self.begun = True
        if read_only:
            self.execute("SET TRANSACTION READ ONLY")
        elif isolation is not None:
            if isolation.upper() not in {"READ COMMITTED", "SERIALIZABLE"}:
                raise ValueError(f"{isolation!r} is not an isolation level of Oracle: READ COMMITTED or SERIALIZABLE.")
            self.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation.upper()}")

    def commit(self) -> None:
        if self.begun:
            self.begun = False
            super().commit()

    def rollback(self) -> None:
        if self.begun:
            self.begun = False
            super().rollback()


class _Driver(OracledbAdaptDBAPI):
    def connect(self, *arguments: Any, **options: Any) -> Any:
        create = options.pop("async_creator_fn", self.oracledb.connect_async)
        return await_(_Connection.create(self, create(*arguments, **options)))


class _Compiler(CheckedNames, OracleCompiler_cx_oracle):
    pass


class OracleDialect(DeferredBegin, OracleDialectAsync_oracledb):
    """`oracle+demijohn`."""

    driver = "demijohn"
    supports_statement_cache = True
    statement_compiler = _Compiler

    @classmethod
    def import_dbapi(cls) -> Any:
        return _Driver(need("oracledb", extra="oracle", wanted_for="An oracle:// database"))
