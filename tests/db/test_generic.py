"""A relation to one row of several models: read, written, asked for, loaded for all at once."""

import pytest

from demijohn.db import Database, Mapped, Model, ModelError, QueryError, belongs_to_any, column, max_queries


class Base(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Article(Base):
    title: Mapped[str] = column(max_length=20)


class Remark(Base):
    text: Mapped[str] = column(max_length=20)
    target: Mapped["Article | Photo"] = belongs_to_any(back="remarks")


class Photo(Base):
    path: Mapped[str] = column(max_length=20)


@pytest.fixture
async def filled(database: Database) -> object:
    """Five articles and five photos with two remarks each."""
    async with database.unit():
        await database.drop_all(Base)
        await database.create_all(Base)
        for number in range(5):
            for one in (await Article.create(title=f"a{number}"), await Photo.create(path=f"p{number}")):
                for turn in range(2):
                    await Remark.create(text=f"{turn}", target=one)
    yield database
    async with database.unit():
        await database.drop_all(Base)


async def test_it_is_read_and_asked_for(filled: Database) -> None:
    """The object comes back as what it is; a filter by it names table and key."""

    async def main() -> None:
        photo = await Photo.where(path="p3").one()
        assert await Remark.where(target=photo).count() == 2
        assert await Remark.where(Remark.target == photo).count() == 2
        assert await Remark.where(Remark.target != photo).count() == 18
        remark = await Remark.where(target=photo).first()
        assert remark is not None
        assert remark.target is photo
        remark.target = await Article.where(title="a0").one()
        await remark.save()
        assert await Remark.where(target=photo).count() == 1
        assert (remark.target_type, type(remark.target)) == ("article", Article)  # type: ignore[attr-defined]

    await filled.run(main())


async def test_all_siblings_load_at_once(filled: Database) -> None:
    """Twenty remarks on ten objects of two models cost one query for each model, and so does the way back."""

    async def main() -> None:
        with max_queries(3):
            names = {getattr(remark.target, "title", None) or remark.target.path for remark in await Remark.query()}
        assert len(names) == 10
        with max_queries(2):
            assert [len(article.remarks) for article in await Article.query()] == [2] * 5  # type: ignore[attr-defined]
        assert await Article.where(Article.remarks.any(text="1")).count() == 5  # type: ignore[attr-defined]

    await filled.run(main())


async def test_it_goes_with_its_target(filled: Database) -> None:
    """Deleting an object deletes what points to it, and leaves what points to one of another table with its key."""
    async with filled.unit():
        await (await Photo.where(path="p0").one()).delete()
        assert await Remark.query().count() == 18
        assert await Remark.where(target=await Article.where(title="a0").one()).count() == 2


async def test_what_it_cannot_point_to(filled: Database) -> None:
    """Another model and an object that was never written are refused by name."""
    async with filled.unit():
        remark = await Remark.query().first()
        with pytest.raises(QueryError, match=r"(?s)was given Remark.*Article, Photo"):
            Remark(text="x", target=remark)
        with pytest.raises(QueryError, match="never written"):
            Remark(text="x", target=Photo(path="new"))
    with pytest.raises(ModelError, match="names 1 model"):

        class Lonely(Base):
            target: Mapped["Photo"] = belongs_to_any()


def test_its_columns_are_indexed() -> None:
    """The two columns have one index, so that the way back is no scan."""
    table = Remark.__table__
    assert [[column.name for column in index.columns] for index in table.indexes] == [["target_type", "target_id"]]  # type: ignore[attr-defined]
