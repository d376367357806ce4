"""Relations that load themselves: one query for all siblings, and a clear word where it cannot be."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import attributes

from demijohn.db import (
    Database,
    Mapped,
    Model,
    ModelError,
    NotLoaded,
    belongs_to,
    column,
    has_many,
    many_to_many,
    max_queries,
)
from demijohn.db.loading import siblings_of
from demijohn.db.watching import Watch, watching
from tests.db.blog import Base, Comment, Post, Tag, User, fill


@pytest.fixture
async def filled(blog: Database) -> Database:
    """The blog with ten posts."""
    await blog.run(fill())
    return blog


async def test_one_query_for_all_siblings(filled: Database) -> None:
    """Ten posts' authors, tags, comments and the authors' posts take one query each."""

    async def main() -> None:
        with max_queries(1):
            posts = await Post.query().order_by("id").all()
        with max_queries(1):
            assert [post.author.display_name for post in posts] == ["Ann", "Bob"] * 5
        with max_queries(1):
            assert [len(post.tags) for post in posts] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
        with max_queries(1):
            assert [len(post.comments) for post in posts] == [2] * 10
        with max_queries(1):
            assert [len(post.author.posts) for post in posts] == [5] * 10
        with max_queries(1):
            assert all(comment.replies == [] for post in posts for comment in post.comments)  # type: ignore[attr-defined]
        with max_queries(0):
            assert all(comment.post is post for post in posts for comment in post.comments)
            assert all(post.editor is None for post in posts)

    await filled.run(main())


async def test_the_order_of_a_relation_holds(filled: Database) -> None:
    """A batch keeps `order_by` of the relation."""

    async def main() -> None:
        users = await User.query().all()
        for user in users:
            ids = [post.id for post in user.posts]
            assert ids == sorted(ids)

    await filled.run(main())


async def test_a_relation_has_the_order_that_is_written_as_in_queries() -> None:
    """`order_by="-place"`, several names, and where nothing is said the `__order_by__` of the target, in both loads."""

    class Here(Model, isolated=True):
        pass

    class Album(Here):
        songs: Mapped[list["Song"]] = has_many(back="album", order_by=("-stars", "title"))
        notes: Mapped[list["Note"]] = has_many(back="album")
        words: Mapped[list["Note"]] = many_to_many(order_by="text")

    class Song(Here):
        title: Mapped[str] = column(max_length=10)
        stars: Mapped[int] = column(default=0)
        album: Mapped[Album] = belongs_to(back="songs")

    class Note(Here):
        __order_by__ = "-text"
        text: Mapped[str] = column(max_length=10)
        album: Mapped[Album] = belongs_to(back="notes")

    database = Database("sqlite://")

    async def main() -> None:
        await database.create_all(Here)
        albums = [await Album.create() for _ in range(2)]
        for album in albums:
            for title, stars in (("b", 1), ("a", 1), ("c", 5)):
                await Song.create(title=title, stars=stars, album=album)
                note = await Note.create(text=title, album=album)
                await album.load("words")
                album.words.append(note)
        for album in albums:
            await album.save()
        for query in (Album.query(), Album.query().load(Album.songs).load(Album.notes).load(Album.words)):
            database.session.expunge_all()
            for album in await query:
                assert [song.title for song in album.songs] == ["c", "a", "b"]
                assert [note.text for note in album.notes] == ["c", "b", "a"]
                assert [note.text for note in album.words] == ["a", "b", "c"]

    await database.run(main())
    await database.dispose()


def test_an_order_by_what_is_no_column_is_refused() -> None:
    """The name that was probably meant is told."""

    class There(Model, isolated=True):
        pass

    class Shelf(There):
        books: Mapped[list["Book"]] = has_many(back="shelf", order_by="-titel")

    class Book(There):
        title: Mapped[str] = column(max_length=10)
        shelf: Mapped[Shelf] = belongs_to(back="books")

    with pytest.raises(ModelError, match=r"Shelf\.books is ordered by '-titel'(.|\n)*Did you mean 'title'"):
        Shelf.query().load(Shelf.books).statement.compile()


async def test_siblings_of_an_earlier_result_join_in(filled: Database) -> None:
    """Objects that were in the session already are siblings of the newest result that has them."""

    async def main() -> None:
        first = await Post.where(slug="post-1").one()
        posts = await Post.query().order_by("id").all()
        assert first in posts
        with max_queries(1):
            for post in posts:
                post.comments  # noqa: B018

    await filled.run(main())


async def test_relations_load_ahead(filled: Database) -> None:
    """`load` brings relations with the query, nested ones too, and nothing is left to load."""

    async def main() -> None:
        with max_queries(5):
            posts = await Post.query().load(Post.author, Post.comments, Comment.post, Post.tags).all()
        with max_queries(0):
            for post in posts:
                assert post.author.display_name
                assert len(post.comments) == 2
                post.tags  # noqa: B018
        with max_queries(1):
            posts = await Post.query().load(Post.author, join=True).all()
        with max_queries(0):
            assert posts[0].author.display_name

    await filled.run(main())


async def test_load_on_objects(filled: Database) -> None:
    """`await post.load(...)` loads for the siblings as well, in code that is not driven."""
    async with filled.unit():
        posts = await Post.query().order_by("id").all()
        with watching() as watch:
            await posts[0].load(Post.author, "tags")
        assert watch.count == 2
        assert [post.author.display_name for post in posts] == ["Ann", "Bob"] * 5
        assert len(posts[3].tags) == 3


async def test_where_nobody_drives_it_says_so(filled: Database) -> None:
    """In plain undriven code the message names the relation, the line, and what to write; on SQLite as everywhere."""
    async with filled.unit():
        post = await Post.where(slug="post-1").one()
        with pytest.raises(NotLoaded, match=r"Post\.tags was not loaded.*test_loading\.py:\d+") as told:
            post.tags  # noqa: B018
    assert ".load(Post.tags)" in str(told.value)
    with pytest.raises(Exception, match="not bound to a Session"):
        post.comments  # noqa: B018


async def test_child_tasks_are_told(filled: Database) -> None:
    """A child task cannot load its parent's objects; the message says how to hand them over."""

    async def child(post: Post) -> str:
        with pytest.raises(NotLoaded, match="by another task"):
            post.author  # noqa: B018
        return "told"

    async def main() -> None:
        posts = await Post.query().all()
        assert await asyncio.gather(*(child(post) for post in posts[:3])) == ["told"] * 3
        assert posts[0].author.display_name == "Ann"

    await filled.run(main())


async def test_relations_may_refuse() -> None:
    """`lazy="raise"` never loads, and names the line to add."""

    class Here(Model, isolated=True):
        pass

    class Owner(Here):
        name: Mapped[str] = column(max_length=10)

    class Strict(Here):
        owner: Mapped[Owner] = belongs_to(lazy="raise")

    database = Database("sqlite://")

    async def main() -> None:
        await database.create_all(Here)
        await Strict.create(owner=await Owner.create(name="x"))
        database.session.expunge_all()
        strict = await Strict.query().one()
        with pytest.raises(NotLoaded, match=r"\.load\(Strict\.owner\)"):
            strict.owner  # noqa: B018
        assert (await strict.load(Strict.owner)).owner.name == "x"
        database.session.expunge_all()
        assert (await Strict.query().load(Strict.owner).one()).owner.name == "x"

    await database.run(main())
    await database.dispose()


async def test_self_references_and_depth(filled: Database) -> None:
    """A tree loads level by level, one query for each level."""

    async def main() -> None:
        root = await Comment.where(text="Comment 0 on 0").one()
        for number in range(3):
            reply = await Comment.create(text=f"reply {number}", post=root.post, parent=root)
            for turn in range(2):
                await Comment.create(text=f"reply {number}.{turn}", post=root.post, parent=reply)
        filled.session.expunge_all()
        root = await Comment.where(text="Comment 0 on 0").one()
        with max_queries(2):
            seen = [len(reply.replies) for reply in root.replies]  # type: ignore[attr-defined]
        assert seen == [2, 2, 2]

    await filled.run(main())


async def test_changes_are_not_overwritten(filled: Database) -> None:
    """A batch leaves alone what was changed in memory, on the object itself and on its siblings."""

    async def main() -> None:
        posts = await Post.query().order_by("id").all()
        bob = await User.where(display_name="Bob").one()
        posts[0].author = bob
        posts[2].title = "Changed"
        posts[3].tags = []
        assert [post.author.display_name for post in posts[:4]] == ["Bob", "Bob", "Ann", "Bob"]
        assert [len(post.tags) for post in posts[:4]] == [0, 1, 2, 0]
        assert posts[2].title == "Changed"

    await filled.run(main())


async def test_deferred_columns_load(filled: Database) -> None:
    """A column that was left out loads when it is read, where that can be."""

    async def main() -> None:
        post = (await Post.query().only("title").order_by("id").all())[0]
        with max_queries(1):
            assert post.slug == "post-0"

    await filled.run(main())
    async with filled.unit():
        post = (await Post.query().defer("body").all())[0]
        with pytest.raises(NotLoaded, match="where nothing can wait"):
            post.body  # noqa: B018


async def test_templates_and_generators_inside_a_driven_task(filled: Database) -> None:
    """What a coroutine calls may read relations too, and iterate queries."""

    def render(posts: list[Post]) -> str:
        tags = ", ".join(tag.name for tag in Tag.query().order_by("name"))
        return "; ".join(f"{post.title} by {post.author.display_name}" for post in posts) + " | " + tags

    async def main() -> str:
        return render(await Post.query().order_by("id").limit(2).all())

    assert await filled.run(main()) == "Post 0 by Ann; Post 1 by Bob | python, sql, web"


async def test_repeats_are_found(filled: Database) -> None:
    """Statements that repeat from one line are listed with the line and how often."""

    async def main() -> Watch:
        with watching() as watch:
            for number in range(4):
                await Post.where(slug=f"post-{number}").one()
        return watch

    watch = await filled.run(main())
    (statement, count), *rest = watch.repeats()
    assert count == 4
    assert rest == []
    assert statement.place.rpartition(":")[0].endswith("test_loading.py")
    assert "(x4)" in watch.report()
    with pytest.raises(AssertionError, match="1 statements ran, at most 0"):
        async with filled.unit():
            with max_queries(0):
                await Post.query().count()


@settings(max_examples=30, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 9), min_size=1, max_size=10, unique=True),
    reads=st.lists(st.sampled_from(["author", "tags", "comments", "editor"]), min_size=1, max_size=6),
)
async def test_batches_give_what_single_loads_give(shared_blog: Database, numbers: list[int], reads: list[str]) -> None:
    """Whatever is read of whichever posts, the values are those of SQLAlchemy's own loading, one by one."""

    def shown(value: object) -> object:
        if isinstance(value, list):
            return sorted(one.id for one in value)
        return None if value is None else value.id  # type: ignore[attr-defined]

    async def batched() -> list[object]:
        posts = await Post.where(Post.slug.in_([f"post-{number}" for number in numbers])).order_by("id").all()
        return [shown(getattr(post, read)) for read in reads for post in posts]

    async def single() -> list[object]:
        found = []
        for read in reads:
            for number in sorted(numbers):
                shared_blog.session.expunge_all()
                post = await Post.where(slug=f"post-{number}").one()
                found.append(shown(getattr(post, read)))
        return found

    assert await shared_blog.run(batched()) == await shared_blog.run(single())


@pytest.fixture(scope="module")
async def shared_blog() -> AsyncIterator[Database]:
    """One filled SQLite database for the examples of a property test."""
    database = Database("sqlite://")
    async with database.unit():
        await database.create_all(Base)
    await database.run(fill())
    yield database
    await database.dispose()


async def test_what_it_relies_on(filled: Database) -> None:
    """What is private to SQLAlchemy and used here: `runid`, `load_options`, the identity map of a session."""

    async def main() -> None:
        posts = await Post.query().all()
        state = attributes.instance_state(posts[0])
        assert isinstance(state.runid, int)
        assert len(siblings_of(state, "tags", filled.session)) == 10
        assert siblings_of(state, "title", filled.session) == [state]

    await filled.run(main())


async def test_nothing_loads_itself_in_a_strict_app(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `App(strict=True)` a relation is loaded by the query, or by name, and never because it was read."""
    monkeypatch.setattr(filled, "is_strict", True)

    async def main() -> None:
        posts = await Post.query().order_by("id").all()
        with pytest.raises(NotLoaded, match=r"strict app(.|\n)*\.load\(Post\.tags\)"):
            posts[1].tags  # noqa: B018
        await posts[1].load("tags")
        assert len(posts[1].tags) == 1
        loaded = await Post.query().load(Post.author).order_by("id").all()
        assert loaded[0].author.display_name == "Ann"

    await filled.run(main())
