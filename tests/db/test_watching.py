"""`max_queries` counts what requests ask, though they have contexts of their own."""

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
