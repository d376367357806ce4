"""asyncpg under SQLAlchemy, with BEGIN at the first write."""

from time import monotonic
from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncAdapt_asyncpg_connection,
    AsyncAdapt_asyncpg_dbapi,
    PGCompiler_asyncpg,
    PGDialect_asyncpg,
)
from sqlalchemy.util.concurrency import await_

from demijohn._lib.extras import need
from demijohn.db.dialects.checked import CheckedNames
from demijohn.db.dialects.deferral import DeferredBegin

__all__ = ["PostgreSQLDialect"]

_READY = 500


class _Connection(AsyncAdapt_asyncpg_connection):
    __slots__ = ("holder", "ready", "used", "wanted")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        self.wanted: tuple[str | None, bool] | None = None
        self.holder = ""
        self.used = 0.0
        self.ready: tuple[float, dict[str, Any]] = (0.0, {})

    def is_lost(self) -> bool:
        """Return whether the server has gone, as far as the driver knows."""
        return bool(self._connection.is_closed())

    async def read(self, statement: str, parameters: tuple[Any, ...], changed: float) -> Any:
        """Return the rows of a statement that reads, straight from asyncpg.

        `changed` is when a table was last changed, as far as the dialect knows (Any: records of asyncpg).
        """
        try:
            since, ready = self.ready
            prepared = ready.get(statement) if since == changed else None
            if prepared is None:
                prepared, _ = await self._prepare(statement, changed)  # type: ignore[no-untyped-call]
                if since != changed or len(ready) >= _READY:
                    self.ready = changed, {statement: prepared}
                else:
                    ready[statement] = prepared
            # What `prepared.fetch` comes to, without the three coroutines around it.
            found: list[Any] = await self._connection._protocol.bind_execute(  # type: ignore[attr-defined]  # of asyncpg
                prepared._state, parameters, "", 0, False, None
            )
            return found
        except Exception as error:
            self.ready = (0.0, {})  # the server may have forgotten it, or a table been changed
            self._handle_exception(error)

    async def _async_ping(self) -> None:
        # Without the transaction that SQLAlchemy puts round it, for PgBouncer: there is no pool here before one.
        await self._connection.fetchrow(";")

    def is_begun(self) -> bool:
        return self.wanted is not None

    def cursor(self, server_side: bool = False) -> Any:
        # A cursor of the server lives in a transaction. Relations that load with a stream ask for one too, on the
        # connection of their unit of work, which may have begun none: their rows are read at once.
        return super().cursor(server_side=server_side and self.is_begun())

    def begin_now(self, *, isolation: str | None = None, read_only: bool = False) -> None:
        """Begin: before the next statement where nothing special is asked for, else now."""
        if self.wanted is None:
            self.wanted = (isolation.lower().replace(" ", "_") if isolation else None, read_only)
            if isolation or read_only:
                await_(self._start_transaction())

    async def _start_transaction(self) -> None:
        if self.wanted is None or self.isolation_level == "autocommit":
            return
        before = self.isolation_level, self.readonly
        isolation, read_only = self.wanted
        self.isolation_level, self.readonly = isolation or before[0], read_only or before[1]
        try:
            await super()._start_transaction()  # type: ignore[no-untyped-call]
        except BaseException:
            self.wanted = None
            raise
        finally:
            self.isolation_level, self.readonly = before

    def commit(self) -> None:
        self.used = monotonic()
        self.wanted = None
        super().commit()  # type: ignore[no-untyped-call]

    def rollback(self) -> None:
        self.used = monotonic()
        self.wanted = None
        super().rollback()  # type: ignore[no-untyped-call]


class _Driver(AsyncAdapt_asyncpg_dbapi):
    def connect(self, *arguments: Any, **options: Any) -> Any:
        create = options.pop("async_creator_fn", self.asyncpg.connect)
        cache_size = options.pop("prepared_statement_cache_size", 500)
        naming = options.pop("prepared_statement_name_func", None)
        return await_(
            _Connection.create(
                self,
                create(*arguments, **options),
                prepared_statement_cache_size=cache_size,
                prepared_statement_name_func=naming,
            )
        )


class _Compiler(CheckedNames, PGCompiler_asyncpg):
    pass


class PostgreSQLDialect(DeferredBegin, PGDialect_asyncpg):
    """`postgresql+demijohn`: SQLAlchemy's asyncpg dialect that begins late."""

    driver = "demijohn"
    supports_statement_cache = True
    statement_compiler = _Compiler

    @classmethod
    def import_dbapi(cls) -> Any:
        return _Driver(  # type: ignore[no-untyped-call]
            need("asyncpg", extra="postgresql", wanted_for="A postgresql:// database")
        )
