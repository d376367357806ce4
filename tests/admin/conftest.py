"""An app with an admin on each backend, and a client that knocks at it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from demijohn import App
from demijohn.admin import Admin, LogEntry, ModelAdmin
from demijohn.db import Database
from demijohn.testing import AsyncClient
from tests.admin.shop import Base, Door, fill
from tests.db.conftest import BACKENDS, url_of


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a backend: each test that takes it runs on every one."""
    return str(request.param)


async def _empty(database: Database) -> None:
    async with database.unit():
        await database.drop_all(Base)
        await database.run_sync(lambda session: LogEntry.__table__.drop(session.connection(), checkfirst=True))  # type: ignore[attr-defined]


async def _make(database: Database) -> None:
    await _empty(database)
    async with database.unit():
        await database.create_all(Base)
        await database.run_sync(lambda session: LogEntry.__table__.create(session.connection()))  # type: ignore[attr-defined]
    await database.run(fill())


@pytest.fixture
async def database(backend: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A filled database on each backend."""
    database = Database(url_of(backend, tmp_path), connections=5)
    await _make(database)
    yield database
    await _empty(database)
    await database.dispose()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """A filled database on SQLite."""
    database = Database(f"sqlite:///{tmp_path}/test.db")
    await _make(database)
    yield database
    await database.dispose()


@pytest.fixture
def door() -> Door:
    """Who knocks, and what they may."""
    return Door()


Open = Callable[..., Any]


@pytest.fixture
async def open_site(door: Door) -> AsyncIterator[Open]:
    """Make a client of an app with an admin over a database, its models registered with some options."""
    clients: list[AsyncClient] = []

    async def make(database: Database, *registered: tuple[type, type[ModelAdmin]], **options: Any) -> AsyncClient:
        app = App()
        app.use(database)
        admin = app.use(Admin(models=[Base, LogEntry], access=door, **options))
        for model, cls in registered:
            admin.register(model)(cls)
        client = AsyncClient(app)
        clients.append(client)
        await client.__aenter__()
        return client

    yield make
    for client in clients:
        await client.__aexit__(None, None, None)
