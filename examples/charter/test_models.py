"""Program 2.3 of the charter: the lines run as they stand, and ten authors cost one query."""

from datetime import UTC, datetime
from typing import Any

import pytest

from demijohn import App
from demijohn.db import max_queries

from . import models
from .models import Post, Tag, User


@pytest.fixture
def app() -> App:
    return models.app


async def test_the_lines_run(db, capsys):
    me = await User.create(display_name="Ann")
    await Post.create(title="Older", slug="older", body="...", author=me, created_at=datetime(2020, 1, 1, tzinfo=UTC))
    await Post.where().update(published=True)
    post, n, stmt = await models.asking(me, datetime(2021, 1, 1, tzinfo=UTC))
    assert (post.slug, n) == ("hello", 1)
    assert "WHERE post.published" in str(stmt)
    assert capsys.readouterr().out == "Ann\nAnn\n"


async def test_ten_authors_cost_one_query(db):
    for number in range(10):
        author = await User.create(display_name=f"Author {number}")
        await Post.create(title=f"Post {number}", slug=f"post-{number}", body="...", author=author)

    async def names() -> list[str]:
        with max_queries(2):
            return [post.author.display_name for post in await Post.where().order_by("id")]

    assert await db.run(names()) == [f"Author {number}" for number in range(10)]


async def test_the_other_halves_are_made(db):
    me: Any = await User.create(display_name="Ann")  # names that are made work undeclared; checkers know declared ones
    tag: Any = await Tag.create(name="python")
    post: Any = Post(title="Hello", slug="hello", body="...", author=me)
    post.tags.append(tag)
    await post.save()
    await me.load("posts")
    await tag.load("posts")
    assert post.author_id == me.id
    assert (me.posts, tag.posts) == ([post], [post])
