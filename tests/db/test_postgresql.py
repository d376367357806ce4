"""What PostgreSQL has and the others have not: arrays, full text, its own types; used from models as they are."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Index, Integer, String, any_, extract, func
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR

from demijohn.db import Database, Mapped, Model, column
from tests.db.conftest import url_of

pytestmark = pytest.mark.postgresql


class Base(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Essay(Base):
    __table_args__ = (Index(None, "search", postgresql_using="gin"),)

    title: Mapped[str] = column(max_length=100)
    text: Mapped[str] = column(text=True)
    tags: Mapped[list[str]] = column(ARRAY(String(20)), default=[])
    scores: Mapped[list[int]] = column(ARRAY(Integer), default=[])
    search: Mapped[Any] = column(
        TSVECTOR, generated="to_tsvector('english', title || ' ' || text)", deferred=True, private=True
    )
    written_at: Mapped[datetime] = column(default=datetime(2026, 1, 31, 23, tzinfo=UTC))


@pytest.fixture
async def essays(tmp_path: Path) -> AsyncIterator[Database]:
    """Three essays."""
    database = Database(url_of("postgresql", tmp_path))
    async with database.unit():
        await database.drop_all(Base)
        await database.create_all(Base)
        await Essay.create(title="On bottles", text="Large flasks are made by blowers.", tags=["glass", "craft"])
        await Essay.create(title="On corks", text="A cork keeps what the blower made.", tags=["cork"], scores=[1, 5])
        await Essay.create(title="On wine", text="It runs.", tags=["glass"], scores=[3])
    yield database
    async with database.unit():
        await database.drop_all(Base)
    await database.dispose()


async def test_arrays(essays: Database) -> None:
    """Lists come back as lists; they are asked for a member, for several, and for their length."""
    async with essays.unit():
        assert (await Essay.where(title="On corks").one()).scores == [1, 5]
        assert await Essay.where(any_(Essay.tags) == "glass").count() == 2
        assert await Essay.where(Essay.tags.contains(["craft", "glass"])).count() == 1
        assert await Essay.where(func.cardinality(Essay.scores) > 1).count() == 1
        essay = await Essay.where(title="On wine").one()
        essay.tags = [*essay.tags, "drink"]
        await essay.save()
        assert await Essay.where(any_(Essay.tags) == "drink").count() == 1


async def test_full_text(essays: Database) -> None:
    """A generated column with an index is searched by what people type, stemmed and ranked."""
    asked = func.websearch_to_tsquery("english", "blowers -cork")
    async with essays.unit():
        found = await Essay.where(Essay.search.op("@@")(asked)).scalars(Essay.title).all()
        assert found == ["On bottles"]
        either = func.websearch_to_tsquery("english", "cork or flask")
        ranked = Essay.where(Essay.search.op("@@")(either)).order_by(func.ts_rank(Essay.search, either).desc())
        assert await ranked.scalars(Essay.title).all() == ["On corks", "On bottles"]
        for typed in ("'; drop table essay; --", '"', "a & | !", "\\"):
            hostile = func.websearch_to_tsquery("english", typed)
            assert await Essay.where(Essay.search.op("@@")(hostile)).count() == 0


async def test_dates(essays: Database) -> None:
    """Parts and beginnings of a moment are those of UTC, wherever the server stands."""
    async with essays.unit():
        assert await Essay.where(extract("day", Essay.written_at) == 31).count() == 3
        assert await Essay.query().scalars(func.date_trunc("month", Essay.written_at)).first() == datetime(
            2026, 1, 1, tzinfo=UTC
        )
