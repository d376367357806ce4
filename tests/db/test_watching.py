"""`max_queries` counts what requests ask, though they have contexts of their own."""

import logging
from typing import Any

import pytest

from demijohn import App
from demijohn.db import Database, max_queries
from demijohn.testing import AsyncClient, TestClient
from tests.db.blog import Base, Tag


def make_app(tmp_path: Any, *, debug: bool) -> App:
    """An app whose page asks twice."""
    app = App(debug=debug)
    database = app.use(Database(f"sqlite:///{tmp_path}/app.db"))

    @app.on_startup
    async def prepare() -> None:
        async with database.unit():
            await database.create_all(Base)

    @app.get("/")
    async def home() -> Any:
        return [await Tag.query().count(), await Tag.query().all()]

    return app


@pytest.mark.parametrize("debug", [True, False])
async def test_requests_are_counted(tmp_path: Any, debug: bool) -> None:
    """A request within the block counts, in development, where each is watched for itself, and elsewhere."""
    async with AsyncClient(make_app(tmp_path, debug=debug)) as client:
        with max_queries(2) as watch:
            await client.get("/")
        assert watch.count == 2
        with pytest.raises(AssertionError, match="2 statements ran, at most 1 were expected"):
            with max_queries(1):
                await client.get("/")
        await client.get("/")
        assert watch.count == 2


def test_sync_clients_too(tmp_path: Any) -> None:
    """The app of a sync client runs on another thread, and counts as well."""
    with TestClient(make_app(tmp_path, debug=False)) as client:
        with pytest.raises(AssertionError, match="2 statements ran"):
            with max_queries(0):
                client.get("/")


async def test_repeats_are_told_in_development(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A request that repeats a statement is told of; start-up code only if it reads, since a seed writes row by row."""
    app = make_app(tmp_path, debug=True)

    @app.on_startup
    async def seed() -> None:
        for number in range(3):
            await Tag.create(name=f"tag {number}")

    @app.on_startup
    async def look() -> None:
        for number in range(3):
            await Tag.where(name=f"tag {number}").one()

    @app.post("/tags")
    async def write() -> None:
        for number in range(3):
            await Tag.create(name=f"more {number}")

    caplog.set_level(logging.WARNING, "demijohn.db")
    async with AsyncClient(app) as client:
        [message] = [record.getMessage() for record in caplog.records]
        assert message.startswith("look: the same statement ran 3 times from ")
        assert "SELECT" in message
        caplog.clear()
        await client.post("/tags")
        [message] = [record.getMessage() for record in caplog.records]
        assert message.startswith("POST /tags: the same statement ran 3 times from ")
        assert "INSERT" in message
