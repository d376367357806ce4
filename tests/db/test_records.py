"""Models as records: what forms and views ask of them through the schema room, on every backend."""

import pytest

from demijohn.db.database import Database
from demijohn.errors import ConfigurationError, NotFound
from demijohn.schema import Choice, Records, has_records, records_of
from tests.db.blog import Comment, Post, Tag, User, fill


async def test_a_model_has_records() -> None:
    """Fields and relations of a model are known by name, and so is what it is called."""
    posts: Records[Post] = records_of(Post)
    assert posts is records_of(Post)
    assert (posts.model, posts.name, posts.plural) == (Post, "post", "posts")
    assert posts.relations["author"].target is User
    assert posts.relations["author"].required
    assert not posts.relations["editor"].required
    assert posts.relations["tags"].is_many
    assert posts.relations["tags"].writable
    assert not posts.relations["comments"].writable
    assert records_of(User).relations["posts"].back == "author"
    assert posts.fields["body"].format == "textarea"
    assert list(posts.search_fields) == ["title", "slug"]
    assert has_records(Post)
    assert not has_records(int)
    assert not has_records("Post")
    with pytest.raises(ConfigurationError, match="DJN-016"):
        records_of(int)


async def test_records_are_found_by_text(blog: Database) -> None:
    """A key is a text; one that cannot be read, is too large or too odd, is nobody's."""
    await blog.run(fill(3))
    async with blog.unit():
        posts = records_of(Post)
        first = await Post.where(slug="post-0").one()
        key = posts.key_of(first)
        assert await posts.find(key) is first
        for odd in ("", " ", "x", "1.5", "-1", "9" * 40, "1\0", "\ud800", "1,2", "1e3"):
            assert await posts.find(odd) is None, odd
        assert await posts.find(key, query=Post.where(Post.slug != "post-0")) is None
        found = await posts.find_many([key, "99999", "x", key])
        assert found == {key: first}
        assert posts.label_of(first) == "Post 0"
        assert records_of(Comment).label_of(Comment()) == "Comment "


async def test_choices_are_searched_and_cut(blog: Database) -> None:
    """Choices come in order, up to a limit, narrowed by words that are text and no pattern, or by a query."""
    await blog.run(fill(2))
    async with blog.unit():
        tags = records_of(Tag)
        every = await tags.choices()
        assert [item.label for item in every.items] == ["python", "sql", "web"]
        assert isinstance(every.items[0], Choice)
        assert not every.has_more
        cut = await tags.choices(limit=2)
        assert [item.label for item in cut.items] == ["python", "sql"]
        assert cut.has_more
        assert [item.label for item in (await tags.choices(search="PYTH")).items] == ["python"]
        assert (await tags.choices(search="%")).items == ()
        assert (await tags.choices(search="_")).items == ()
        assert [item.label for item in (await tags.choices(query=Tag.where(Tag.name != "sql"))).items] == [
            "python",
            "web",
        ]
        assert [item.label for item in (await records_of(Post).choices(search="post 1")).items] == ["Post 1"]


async def test_pages(blog: Database) -> None:
    """A page is searched, ordered and cut; one beyond the last is not found."""
    await blog.run(fill(5))
    async with blog.unit():
        page = await records_of(Post).page(1, size=2, order=["-title"])
        assert [post.title for post in page] == ["Post 4", "Post 3"]
        assert (page.total, page.pages) == (5, 3)
        assert [post.title for post in await records_of(Post).page(1, search="post-3")] == ["Post 3"]
        with pytest.raises(NotFound):
            await records_of(Post).page(9)


async def test_what_is_taken_is_said_before(blog: Database) -> None:
    """Every unique value that another row has is an error of its field; a row's own value is not."""
    await blog.run(fill(2))
    async with blog.unit():
        posts = records_of(Post)
        first = await Post.where(slug="post-0").one()
        errors = await posts.taken({"slug": "post-1", "title": "Post 1"})
        assert [(error.place, error.code) for error in errors] == [(("body", "slug"), "unique")]
        assert await posts.taken({"slug": "post-0"}, record=first) == []
        assert [error.place for error in await posts.taken({"slug": "post-1"}, record=first)] == [("body", "slug")]


async def test_a_refusal_undoes_nothing_else(blog: Database) -> None:
    """What the database or the model refuses comes as errors of fields, and what was written before stays."""
    await blog.run(fill(1))
    async with blog.unit():
        ann = await User.where(display_name="Ann").one()
        await Tag.create(name="kept")
        posts = records_of(Post)
        values = {"title": "Twin", "slug": "post-0", "author": ann}
        twin, errors = await posts.write(values)
        assert (twin, [(error.place, error.code) for error in errors]) == (None, [(("body", "slug"), "unique")])
        short, errors = await posts.write({"title": "T", "slug": "t", "author": ann})
        assert (short, [(error.place, error.code) for error in errors]) == (None, [(("body", "title"), "min_length")])
        made, errors = await posts.write({**values, "slug": "twin"})
        assert errors == []
        assert made is not None
        assert made.title == "Twin"
    async with blog.unit():
        assert await Tag.where(name="kept").exists()
        assert await Post.where(slug="twin").exists()


async def test_a_record_that_is_needed_stays(blog: Database) -> None:
    """A record that others point to is not deleted, and the sentence says so; what was done before stays."""
    await blog.run(fill(1))
    async with blog.unit():
        ann = await User.where(display_name="Ann").one()
        await Tag.create(name="kept")
        message = await records_of(User).delete(ann)
        assert message is not None
        assert "point to this one" in message
        tag = await Tag.where(name="sql").one()
        assert await records_of(Tag).delete(tag) is None
    async with blog.unit():
        assert await User.where(display_name="Ann").exists()
        assert await Tag.where(name="kept").exists()
        assert not await Tag.where(name="sql").exists()


async def test_relations_are_set(blog: Database) -> None:
    """A many-to-many relation of a row that is there is exchanged by its difference."""
    await blog.run(fill(4))
    async with blog.unit():
        posts = records_of(Post)
        post = await Post.where(slug="post-3").one()
        python = await Tag.where(name="python").one()
        assert len(await posts.load(post, "tags")) == 3
        assert await posts.write({"tags": [python], "title": "Changed"}, record=post) == (post, [])
    async with blog.unit():
        post = await Post.where(slug="post-3").one()
        assert [tag.name for tag in await posts.load(post, "tags")] == ["python"]
        assert post.title == "Changed"


async def test_a_record_is_written_with_the_unit(blog: Database) -> None:
    """What was saved is gone when the unit of work fails later: a savepoint commits nothing by itself."""
    with pytest.raises(ZeroDivisionError):
        async with blog.unit():
            assert (await records_of(Tag).write({"name": "gone"}))[1] == []
            raise ZeroDivisionError
    async with blog.unit():
        assert not await Tag.where(name="gone").exists()


async def test_a_refused_change_is_taken_back(blog: Database) -> None:
    """A record whose change was refused is as its row says, and can be read and changed in the same unit."""
    await blog.run(fill(2))
    async with blog.unit():
        posts = records_of(Post)
        post = await Post.where(slug="post-0").one()
        python = await Tag.where(name="python").one()
        same, errors = await posts.write({"slug": "post-1", "title": "Lost", "tags": [python]}, record=post)
        assert same is post
        assert [error.code for error in errors] == ["unique"]
        assert (post.title, post.slug) == ("Post 0", "post-0")
        assert await posts.load(post, "tags") == []
        assert await posts.write({"slug": "post-9"}, record=post) == (post, [])
    async with blog.unit():
        assert await Post.where(slug="post-9", title="Post 0").exists()
