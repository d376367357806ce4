"""Tests: a database of their own, and everything of one test in a transaction that is rolled back."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import MetaData, text
from sqlalchemy.engine import Connection, Engine

from demijohn.db.declarative import Declarative
from demijohn.db.driver import spawn
from demijohn.db.engines import Plan, Resources, temporary_path

__all__ = ["pinned", "test_plan"]


def test_plan(plan: Plan) -> Plan:
    """Return the plan of the database that tests use.

    That is a temporary file, or `test_...` on the same server.
    """
    if plan.backend == "sqlite":
        url = plan.url.set(database=temporary_path())
        return Plan(url, plan.connections, plan.timeouts, plan.pooler, plan.options, temporary=True)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = "_".join(part for part in ("test", plan.url.database or "", worker) if part)
    return Plan(plan.url.set(database=name), plan.connections, plan.timeouts, "none", plan.options)


test_plan.__test__ = False  # type: ignore[attr-defined]  # pytest takes a function of such a name for a test


async def create_database(resources: Resources, name: str) -> None:
    """Create a database on the server of an engine, if it is missing."""

    def create() -> None:
        engine = resources.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            quoted = connection.dialect.identifier_preparer.quote(name)
            if connection.dialect.name == "postgresql":
                known = text("select 1 from pg_database where datname = :name")
                if connection.execute(known, {"name": name}).first() is None:
                    connection.exec_driver_sql(f"CREATE DATABASE {quoted}")
            else:
                connection.exec_driver_sql(f"CREATE DATABASE IF NOT EXISTS {quoted}")

    await spawn(create)


async def fill_anew(engine: Engine, metadata: MetaData, alias: str) -> None:
    """Drop the tables of all models and create them."""
    tables = [table for table in metadata.sorted_tables if table.info.get("database", "default") == alias]

    def fill() -> None:
        with engine.begin() as connection:
            metadata.drop_all(connection, tables=tables)
            metadata.create_all(connection, tables=tables)

    await spawn(fill)


@asynccontextmanager
async def pinned(database: Any) -> AsyncIterator[Any]:
    """Let every unit of work of a database use one connection.

    What they committed is rolled back in the end.

    Any: `Database`, which is made above this module.
    """
    if not database.is_for_tests:
        original = database.plan
        plan = test_plan(original)
        if plan.backend not in {"sqlite", "oracle"}:
            await create_database(database.resources()[0], str(plan.url.database))
        await database.dispose()
        database.use(plan)
        await fill_anew(database.resources()[0].engine, Declarative.metadata, database.alias)
        database.is_for_tests = True

    def begin() -> Connection:
        connection: Connection = database.resources()[0].engine.connect()
        connection.begin()
        return connection

    def end(connection: Connection) -> None:
        try:
            connection.rollback()
        finally:
            connection.close()

    connection = await spawn(begin)
    database.pin = connection
    try:
        yield database
    finally:
        database.pin = None
        await spawn(end, connection)
