"""The models of the tests, on a base of their own: those of program 2.3, and what else the tests need."""

from datetime import datetime

from demijohn.db import Mapped, Model, belongs_to, column, foreign_key, has_many, many_to_many, now


class Base(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Tag(Base):
    name: Mapped[str] = column(max_length=40, unique=True)


class Post(Base):
    title: Mapped[str] = column(max_length=200, min_length=3, help="Shown in lists")
    slug: Mapped[str] = column(max_length=200, unique=True, pattern=r"[a-z0-9-]+")
    body: Mapped[str] = column(text=True, default="")
    published: Mapped[bool] = column(default=False)
    stars: Mapped[int] = column(default=0, ge=0, le=5)
    secret: Mapped[str | None] = column(private=True, max_length=40)
    author: Mapped["User"] = belongs_to(back="posts")
    author_id: Mapped[int] = foreign_key("author")
    editor: Mapped["User | None"] = belongs_to()
    tags: Mapped[list[Tag]] = many_to_many(back="posts")
    comments: Mapped[list["Comment"]] = has_many(back="post")
    created_at: Mapped[datetime] = column(default=now, readonly=True)


class User(Base):
    display_name: Mapped[str] = column(max_length=60)
    posts: Mapped[list[Post]] = has_many(back="author", order_by=lambda: Post.id)


class Comment(Base):
    text: Mapped[str] = column(max_length=500)
    post: Mapped[Post] = belongs_to(back="comments", on_delete="cascade")
    parent: Mapped["Comment | None"] = belongs_to(back="replies", on_delete="cascade")


async def fill(posts: int = 10, users: int = 2) -> list[User]:
    """Make some rows: posts in turn by each user, tagged by their number, with two comments each."""
    authors = [await User.create(display_name=name) for name in ("Ann", "Bob", "Cid", "Dot")[:users]]
    tags = [await Tag.create(name=name) for name in ("python", "web", "sql")]
    for number in range(posts):
        post = await Post.create(
            title=f"Post {number}",
            slug=f"post-{number}",
            author=authors[number % users],
            published=number % 2 == 0,
            stars=number % 6,
        )
        post.tags = tags[: number % 4]
        for turn in range(2):
            await Comment.create(text=f"Comment {turn} on {number}", post=post)
    return authors
