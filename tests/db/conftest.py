"""Databases to test on: SQLite always, PostgreSQL and MariaDB where a server is given."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demijohn.db.database import Database

BACKENDS = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", id="mariadb", marks=pytest.mark.mariadb),
]


def url_of(backend: str, folder: Path) -> str:
    """The URL of a test database."""
    if backend == "sqlite":
        return f"sqlite:///{folder}/test.db"
    url = os.environ[f"DEMIJOHN_TEST_{backend.upper()}"]
    return url.replace("mysql://", "mariadb://") if backend == "mariadb" else url


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend: each test that takes it runs on every one."""
    return str(request.param)


@pytest.fixture
async def database(backend: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A database on each backend, with nothing in it."""
    database = Database(url_of(backend, tmp_path), connections=5)
    yield database
    await database.dispose()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """A SQLite database in a file."""
    database = Database(f"sqlite:///{tmp_path}/test.db")
    yield database
    await database.dispose()


@pytest.fixture
async def blog(database: Database) -> AsyncIterator[Database]:
    """A database with the empty tables of `tests.db.blog`."""
    from tests.db.blog import Base

    async with database.unit():
        await database.drop_all(Base)
        await database.create_all(Base)
    yield database
    async with database.unit():
        await database.drop_all(Base)
