"""Connections for migrations: one, on its own, with SQLAlchemy's stock dialects and limits that keep a site alive.

They are not those of the app's pool: BEGIN is sent at once, foreign keys of SQLite can be switched off, and what waits
for a lock gives up soon, because everybody else waits behind it.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.pool import NullPool

from demijohn._lib.extras import need
from demijohn.db import Database
from demijohn.db.driver import spawn

__all__ = ["USUAL", "MigrationLimits", "connect", "engine_for", "is_mysql", "run", "version_of"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationLimits:
    """How long things may take, in seconds; 0 is no limit.

    Attributes:
        lock: For a lock that somebody else holds. Everybody who comes later waits behind the migration, so it is short;
            the migration is tried again.
        statement: For one statement.
        retries: How often a migration is tried again that did not get its locks.
        runner: For another runner of migrations to end.
    """

    lock: float = 2.0
    statement: float = 3600.0
    retries: int = 10
    runner: float = 600.0


USUAL = MigrationLimits()


def is_mysql(thing: Any) -> bool:
    """Return whether a dialect, or something that has one, is of the MySQL family."""
    dialect = getattr(thing, "dialect", thing)
    return dialect.name in {"mysql", "mariadb"}


_PACKAGES = {
    "asyncpg": ("asyncpg", "postgresql"),
    "asyncmy": ("asyncmy", "mysql"),
    "oracledb_async": ("oracledb", "oracle"),
}
"""The package of a driver, and the extra that brings it."""


def engine_for(database: Database, *, url: str | None = None, limits: MigrationLimits = USUAL) -> Engine:
    """Return an engine with one connection at a time, for use under `run`.

    Args:
        database: The database.
        url: A direct URL, where the database is reached through a pooler that forgets sessions.
        limits: How long things may take.
    """
    plan_url: URL = database.plan.url if url is None else make_url(url)
    backend = plan_url.get_backend_name()
    if backend == "postgres":
        backend = "postgresql"
    if backend == "sqlite":
        return _sqlite(plan_url.set(drivername="sqlite+pysqlite"), limits)
    driver = {"postgresql": "asyncpg", "mysql": "asyncmy", "mariadb": "asyncmy", "oracle": "oracledb_async"}[backend]
    package, extra = _PACKAGES[driver]
    need(package, extra=extra, wanted_for=f"A {backend}:// database")
    engine = create_engine(plan_url.set(drivername=f"{backend}+{driver}"), poolclass=NullPool)
    if is_mysql(engine):
        from demijohn.db.dialects.mysql import DDLCompiler

        engine.dialect.ddl_compiler = DDLCompiler

    elif backend == "oracle":
        from demijohn.db.dialects.oracle import DDLCompiler as Counting

        engine.dialect.ddl_compiler = Counting

    @event.listens_for(engine, "connect")
    def prepare(raw: Any, record: Any) -> None:
        cursor = raw.cursor()
        if backend == "postgresql":
            cursor.execute(f"SET lock_timeout = {int(limits.lock * 1000)}")
            cursor.execute(f"SET statement_timeout = {int(limits.statement * 1000)}")
            cursor.execute("SET application_name = 'demijohn migrate'")
            raw.commit()
        elif backend in {"mysql", "mariadb"}:
            lock = max(1, int(limits.lock)) if limits.lock else 31536000
            cursor.execute(f"SET SESSION time_zone='+00:00', lock_wait_timeout={lock}, innodb_lock_wait_timeout={lock}")
        cursor.close()

    return engine


def _sqlite(url: URL, limits: MigrationLimits) -> Engine:
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": limits.runner, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(raw: Any, record: Any) -> None:
        raw.isolation_level = None
        raw.execute("PRAGMA foreign_keys=OFF")  # it cannot be switched within a transaction; they are checked after

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.info.get("reading"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def connect(engine: Engine, *, reading: bool = False) -> Iterator[Connection]:
    """Open the connection and close all of it at the end.

    Args:
        engine: From `engine_for`.
        reading: It takes no write lock (SQLite).
    """
    try:
        with engine.connect() as connection:
            connection.info["reading"] = reading
            yield connection
    finally:
        engine.dispose()


def run(function: Callable[..., T], /, *arguments: Any) -> T:
    """Run plain SQLAlchemy code on any of the drivers, from plain code.

    Where a loop runs already, a thread with a loop of its own does the work. Arguments are passed on (Any: those of
    any function).
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_spawned(function, *arguments))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, "demijohn-migrations") as pool:
        return pool.submit(lambda: asyncio.run(_spawned(function, *arguments))).result()


async def _spawned(function: Callable[..., T], *arguments: Any) -> T:
    return await spawn(function, *arguments)


def version_of(connection: Connection) -> tuple[int, ...]:
    """Return the version of the server."""
    if connection.dialect.name == "sqlite":
        found = str(connection.execute(text("select sqlite_version()")).scalar_one())
        return tuple(int(part) for part in found.split("."))
    info = connection.dialect.server_version_info or ()
    return tuple(part for part in info if isinstance(part, int))
