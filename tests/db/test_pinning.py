"""The database of a test: one transaction around everything, which is undone; commits inside of it are seen."""

import asyncio

import pytest

from demijohn import App
from demijohn.db import Database
from demijohn.db.pinning import pinned
from tests.app.calling import call
from tests.db.blog import Base, Tag


async def test_commits_are_undone_at_the_end(blog: Database) -> None:
    """Units of work within a test commit and roll back as ever, and nothing of it stays."""
    blog.is_for_tests = True  # its tables are there already
    told: list[str] = []
    async with pinned(blog):
        async with blog.unit():
            await Tag.create(name="kept")
            blog.on_commit(lambda: told.append("kept"))
        assert told == ["kept"]
        with pytest.raises(ZeroDivisionError):
            async with blog.unit():
                await Tag.create(name="lost")
                raise ZeroDivisionError
        async with blog.unit():
            assert await Tag.query().scalars(Tag.name).all() == ["kept"]
            async with blog.transaction():
                await Tag.create(name="block")
            with pytest.raises(ZeroDivisionError):
                async with blog.transaction():
                    await Tag.create(name="lost")
                    raise ZeroDivisionError
            async with blog.independent():
                assert await Tag.query().count() == 2
    async with blog.unit():
        assert await Tag.query().count() == 0


async def test_the_app_and_the_test_see_each_other(blog: Database) -> None:
    """What the test writes the app finds, and what the app commits the test reads fresh."""
    app = App()
    app.use(blog)
    blog.is_for_tests = True

    @app.post("/{name}")
    async def rename(name: str) -> str:
        tag = await Tag.query().one()
        tag.name = name
        return tag.name

    async with pinned(blog):
        async with app.context():
            tag = await Tag.create(name="first")
            answer = await asyncio.create_task(call(app, "POST", "/second"))  # a request runs in a context of its own
            assert answer.body == b"second"
            assert (await Tag.query().one()).name == "second"
            assert tag.name == "second"
            found = await Tag.get(tag.id)
            assert found is tag
    await app.shutdown()
    async with blog.unit():
        await blog.create_all(Base)
        assert await Tag.query().count() == 0
    await blog.dispose()


async def test_a_stream_reads_what_the_test_wrote(blog: Database) -> None:
    """Rows that come some at a time are those of the test's transaction, with other statements between."""
    blog.is_for_tests = True
    async with pinned(blog):
        async with blog.unit():
            await Tag.bulk_create([{"name": f"tag {number}"} for number in range(5)])
        async with blog.unit():
            tags = Tag.query().order_by("id").stream(chunk=2)
            names = [(tag.name, await Tag.where(Tag.id <= tag.id).count()) async for tag in tags]
            assert [name for name, _ in names] == [f"tag {number}" for number in range(5)]
            assert [count for _, count in names] == [1, 2, 3, 4, 5]
