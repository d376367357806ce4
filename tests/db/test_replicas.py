"""Read replicas: reads go there, writes do not, and nobody misses what they wrote themselves."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demijohn import App
from demijohn.db import Database
from demijohn.db.replicas import COOKIE
from tests.app.calling import call
from tests.db.blog import Base, Tag


@pytest.fixture
async def replicated(tmp_path: Path) -> AsyncIterator[Database]:
    """A primary with two tags, and a replica that stands still at one of them."""
    first = Database(f"sqlite:///{tmp_path}/primary.db")
    async with first.unit():
        await first.create_all(Base)
        await Tag.create(name="both")
    await first.dispose()
    shutil.copy(tmp_path / "primary.db", tmp_path / "replica.db")
    database = Database(f"sqlite:///{tmp_path}/primary.db", replicas=[f"sqlite:///{tmp_path}/replica.db"])
    yield database
    await database.dispose()


async def names() -> list[str]:
    """What a query finds."""
    return await Tag.query().order_by("id").scalars(Tag.name).all()


async def test_reads_go_to_the_replica_until_something_is_written(replicated: Database) -> None:
    """A unit sees the replica, and the primary from its first write on, before and after the flush."""
    async with replicated.unit():
        await Tag.create(name="new")
        assert await names() == ["both", "new"]
    async with replicated.unit():
        assert await names() == ["both"], "a replica that stands still does not know it"
        tag = await Tag.where(name="both").one()
        tag.name = "changed"
        await tag.save()
        assert await names() == ["changed", "new"]
        assert await Tag.where(name="new").count() == 1
    async with replicated.unit():
        async with replicated.transaction():
            assert await names() == ["changed", "new"], "a transaction reads where it would write"
        assert len(await Tag.query().for_update()) == 2


async def test_a_client_reads_its_own_writes(replicated: Database) -> None:
    """The answer to a write marks the client for two seconds; others go on reading from the replica."""
    app = App()
    app.use(replicated)

    @app.post("/{name}")
    async def write(name: str) -> str:
        await Tag.create(name=name)
        return name

    @app.post("/later/{name}")
    async def write_at_the_end(name: str) -> str:
        replicated.session.add(Tag(name=name))  # written by the commit
        return name

    @app.get("/")
    async def read() -> list[str]:
        return await names()

    plain = await call(app, "GET", "/")
    assert "set-cookie" not in plain.headers
    for path in ("/mine", "/later/other"):
        answer = await call(app, "POST", path)
        assert answer.status == 200
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=1")
        assert "Max-Age=2" in cookie
        assert "HttpOnly" in cookie
    assert (await call(app, "GET", "/", headers={"cookie": f"{COOKIE}=1"})).body == b'["both","mine","other"]'
    assert (await call(app, "GET", "/")).body == b'["both"]'
