"""The types that a checker sees for models, relations and queries, without a plug-in."""

from datetime import datetime
from typing import assert_type
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from demijohn.db import (
    Database,
    Mapped,
    Model,
    Paginated,
    QuerySet,
    UUIDModel,
    belongs_to,
    belongs_to_any,
    column,
    foreign_key,
    has_many,
    has_one,
    many_to_many,
    now,
)


class Base(Model, isolated=True):
    pass


class Tag(Base):
    name: Mapped[str] = column(max_length=40, unique=True)


class Post(Base):
    title: Mapped[str] = column(max_length=200)
    subtitle: Mapped[str | None] = column(default=None)
    published: Mapped[bool] = column(default=False)
    author: Mapped["User"] = belongs_to(back="posts")
    author_id: Mapped[int] = foreign_key("author")
    editor: Mapped["User | None"] = belongs_to(default=None)
    tags: Mapped[list[Tag]] = many_to_many(back="posts")
    created_at: Mapped[datetime] = column(default=now, readonly=True)


class User(Base):
    display_name: Mapped[str] = column(max_length=60)
    posts: Mapped[list[Post]] = has_many(back="author")
    profile: Mapped["Profile | None"] = has_one(back="user")


class Profile(Base):
    user: Mapped[User] = belongs_to(back="profile", unique=True)


class Note(Base):
    about: Mapped["Post | Profile"] = belongs_to_any(back="notes")


class Event(UUIDModel):
    __abstract__ = True
    name: Mapped[str] = column()


async def columns_and_relations(post: Post, user: User, event: Event) -> None:
    assert_type(post.id, int)
    assert_type(post.title, str)
    assert_type(post.subtitle, str | None)
    assert_type(post.author, User)
    assert_type(post.author_id, int)
    assert_type(post.editor, User | None)
    assert_type(post.tags, list[Tag])
    assert_type(post.created_at, datetime)
    assert_type(user.posts, list[Post])
    assert_type(user.profile, Profile | None)
    assert_type(event.id, UUID)
    assert_type(Post.title, InstrumentedAttribute[str])


async def to_any(note: Note, post: Post, tag: Tag) -> None:
    assert_type(note.about, Post | Profile)
    assert_type(await Note.create(about=post), Note)
    Note(about=tag)  # type: ignore[arg-type]


async def constructor(me: User) -> None:
    Post(title="Hello", author=me)
    Post(title="Hello", author=me, editor=None, published=True, created_at=now())
    assert_type(await Post.create(title="Hello", author=me), Post)
    Post(title=5, author=me)  # type: ignore[arg-type]
    Post(titel="Hello", author=me)  # type: ignore[call-arg]
    await Post.create(title=5, author=me)  # type: ignore[arg-type]


async def asking() -> None:
    assert_type(await Post.get(7), Post | None)
    assert_type(await Post.get_or_404(7), Post)
    assert_type(Post.where(Post.published), QuerySet[Post])
    recent = Post.where(Post.author.has(display_name="Ann")).order_by(Post.created_at.desc()).limit(10)
    assert_type(recent, QuerySet[Post])
    assert_type(await recent, list[Post])
    assert_type(await recent.all(), list[Post])
    assert_type(await recent.first(), Post | None)
    assert_type(await recent.one(), Post)
    assert_type(await recent.count(), int)
    assert_type(await recent.exists(), bool)
    assert_type(await recent.paginate(2), Paginated[Post])
    assert_type(await recent.update(published=True), int)
    assert_type(await recent.delete(), int)
    assert_type(await recent.sum(Post.id), int | None)
    async for post in recent.stream():
        assert_type(post, Post)
    for post in recent:
        assert_type(post, Post)
    async for post in recent:
        assert_type(post, Post)
    assert_type(await recent.select(Post.title, Post.id).all(), list[Row[str, int]])
    assert_type(await recent.select(Post, func.count()).first(), Row[Post, int] | None)
    assert_type(await recent.scalars(Post.title).all(), list[str])
    assert isinstance(recent.statement, Select)
    assert_type(Post.query(select(Post)), QuerySet[Post])
    assert_type(recent.load(Post.author), QuerySet[Post])


async def writing(post: Post) -> None:
    assert_type(await post.save(), Post)
    assert_type(await post.reload(), Post)
    assert_type(await Tag.get_or_create(name="python"), tuple[Tag, bool])
    assert_type(await Tag.bulk_create([Tag(name="a")]), list[Tag])
    assert_type(await Tag.bulk_create([{"name": "a"}]), int)
    assert_type(post.assign(title="x"), Post)
    assert_type(post.page_url(), str)


async def units(db: Database, post: Post) -> None:
    async with db.unit(), db.transaction():
        pass

    async def main() -> int:
        return 1

    assert_type(await db.run(main()), int)
    assert_type(await db.run_sync(lambda session: session.get(Post, 1)), Post | None)
