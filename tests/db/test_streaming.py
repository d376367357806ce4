"""Rows that come some at a time, with their relations."""

from typing import Any

import pytest

from demijohn.db import Database, QueryError, max_queries
from tests.db.blog import Post, Tag, User, fill

NAMES = ("author", "tags", "comments")


def _shown(post: Post, name: str) -> Any:
    related = vars(post)[name]
    return sorted(one.id for one in related) if isinstance(related, list) else related.id


async def _same_streamed(*relations: Any) -> None:
    wanted = {
        (post.id, name): _shown(post, name)
        for post in await Post.query().load(Post.author, Post.tags, Post.comments)
        for name in NAMES
    }
    seen = []
    # The rows, one statement for each relation of each of five chunks, and the three counts.
    with max_queries(1 + 5 * len(relations) + 3):
        async for post in Post.query().load(*relations).order_by("id").stream(chunk=7):
            for relation in relations:
                assert _shown(post, relation.key) == wanted[post.id, relation.key]
            seen.append(post.id)
            if len(seen) % 10 == 0:
                assert await User.query().count() == 2
    assert seen == sorted({key for key, _ in wanted})


async def test_streams_bring_relations(blog: Database) -> None:
    """A stream loads relations to one and to many with each chunk, while other statements run in the unit of work."""
    await blog.run(fill(posts=30))

    async def begun(*relations: Any) -> None:
        async with blog.transaction():
            await Tag.create(name=f"new {len(relations)} {relations[0].key}")
            await _same_streamed(*relations)

    for relations in ((Post.author,), (Post.tags,), (Post.comments,), (Post.author, Post.tags, Post.comments)):
        await blog.run(_same_streamed(*relations))
        await blog.run(begun(*relations))


async def test_streams_join_no_collections(blog: Database) -> None:
    """A relation to many that is joined has rows in two chunks: the error says what to write; one to one is joined."""
    await blog.run(fill(posts=30))

    async def main() -> None:
        with pytest.raises(QueryError, match=r"relation to many by a JOIN(.|\n)*without `join=True`"):
            async for _ in Post.query().load(Post.tags, join=True).stream():
                pass
        with max_queries(1):
            found = [post async for post in Post.query().load(Post.author, join=True).stream(chunk=7)]
        assert {_shown(post, "author") for post in found} == {1, 2}
        assert len(found) == 30

    await blog.run(main())
