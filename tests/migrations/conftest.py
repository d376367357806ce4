"""A project on each backend: a database with nothing in it, and a folder for its migrations."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, inspect, text
from sqlalchemy.engine import Connection

from demijohn.db import Database
from demijohn.migrations.connecting import MigrationLimits
from demijohn.migrations.project import Project

BACKENDS = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", id="mariadb", marks=pytest.mark.mariadb),
]


def url_of(backend: str, folder: Path) -> str:
    """The URL of a test database."""
    if backend == "sqlite":
        return f"sqlite:///{folder}/test.db"
    return os.environ[f"DEMIJOHN_TEST_{backend.upper()}"].replace("mysql://", "mariadb://")


class Bench:
    """A project whose models can change: each call of `models` takes the place of the one before."""

    def __init__(self, backend: str, folder: Path) -> None:
        self.backend = backend
        self.url = url_of(backend, folder)
        self.database = Database(self.url)
        self.folder = folder / "migrations"
        self.said: list[str] = []
        self.project = self.models(MetaData())

    def models(self, metadata: MetaData, **options: Any) -> Project:
        """Return the project with these models."""
        limits = MigrationLimits(lock=1, **options)
        self.project = Project(self.database, self.folder, metadata=[metadata], limits=limits)
        return self.project

    def step(self, metadata: MetaData, **options: Any) -> str:
        """Write the migration for these models, apply it, and return its source."""
        project = self.models(metadata)
        made = project.make(**options)
        project.migrate(say=self.said.append)
        assert len(made) <= 1
        return made[0].path.read_text() if made else ""

    def sql(self, *statements: str) -> list[Any]:
        """Run statements and return the rows of the last."""

        def work(connection: Connection) -> list[Any]:
            rows: list[Any] = []
            for statement in statements:
                result = connection.execute(text(statement))
                rows = [tuple(row) for row in result] if result.returns_rows else []
            connection.commit()
            return rows

        return self.project.call(work, reading=False)

    def columns(self, table: str) -> dict[str, dict[str, Any]]:
        """Return the columns of a table as the server tells them."""
        return self.project.call(lambda c: {one["name"]: dict(one) for one in inspect(c).get_columns(table)})

    def tables(self) -> set[str]:
        """Return the tables of the database, but for those of the migrations."""
        found = self.project.call(lambda c: set(inspect(c).get_table_names()))
        return found - {"alembic_version", "demijohn_migration_step"}


def empty(connection: Connection) -> None:
    """Drop everything in a test database."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("drop schema public cascade"))
        connection.execute(text("create schema public"))
    else:
        connection.execute(text("set foreign_key_checks=0"))
        for name in inspect(connection).get_table_names():
            connection.execute(text(f"drop table `{name}`"))
    connection.commit()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend: each test that takes it runs on every one."""
    return str(request.param)


def _bench(backend: str, folder: Path) -> Iterator[Bench]:
    bench = Bench(backend, folder)
    if backend != "sqlite":
        bench.project.call(empty, reading=False)
    yield bench
    if backend != "sqlite":
        bench.project.call(empty, reading=False)


@pytest.fixture
def bench(backend: str, tmp_path: Path) -> Iterator[Bench]:
    """A project with an empty database, on each backend."""
    yield from _bench(backend, tmp_path)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Bench]:
    """A project on SQLite."""
    yield from _bench("sqlite", tmp_path)


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[Bench]:
    """A project on PostgreSQL."""
    yield from _bench("postgresql", tmp_path)


@pytest.fixture
def mariadb(tmp_path: Path) -> Iterator[Bench]:
    """A project on MariaDB."""
    yield from _bench("mariadb", tmp_path)


Maker = Callable[..., MetaData]
