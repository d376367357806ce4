"""The models of the tests, on a base of their own, and a door that lets in whoever a test wants."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from demijohn.db import Mapped, Model, belongs_to, column, many_to_many, now
from demijohn.http import Request


class Base(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Kind(Enum):
    NEWS = "news"
    ESSAY = "essay"


class Tag(Base):
    name: Mapped[str] = column(max_length=40, unique=True)


class Writer(Base):
    display_name: Mapped[str] = column(max_length=60)
    email: Mapped[str] = column(max_length=200, unique=True, format="email")
    secret: Mapped[str] = column(max_length=200, default="hash", private=True)
    born: Mapped[date | None] = column()


class Post(Base):
    title: Mapped[str] = column(max_length=200, min_length=3, help="Shown in lists")
    slug: Mapped[str] = column(max_length=200, unique=True, pattern=r"[a-z0-9-]+")
    body: Mapped[str] = column(text=True, default="")
    kind: Mapped[Kind] = column(default=Kind.NEWS)
    published: Mapped[bool] = column(default=False)
    price: Mapped[Decimal] = column(default=Decimal(0))
    author: Mapped[Writer] = belongs_to(back="posts")
    editor: Mapped[Writer | None] = belongs_to()
    tags: Mapped[list[Tag]] = many_to_many(back="posts")
    created_at: Mapped[datetime] = column(default=now, readonly=True)


class Comment(Base):
    text: Mapped[str] = column(max_length=500)
    post: Mapped[Post] = belongs_to(back="comments", on_delete="cascade")


class Membership(Base):
    """A key of two columns, one of them a text."""

    club: Mapped[str] = column(max_length=40, primary_key=True)
    number: Mapped[int] = column(primary_key=True)
    note: Mapped[str] = column(max_length=100, default="")


class Person:
    """Somebody who knocks."""

    def __init__(self, name: str = "ann", *, staff: bool = True, may: set[str] | None = None) -> None:
        self.name = name
        self.staff = staff
        self.permissions = may

    def __str__(self) -> str:
        return self.name


class Door:
    """The accounts of the tests: one person, who may all, or what they hold."""

    def __init__(self) -> None:
        self.person: Person | None = Person()

    async def user(self, request: Request) -> Any:
        return self.person

    def may_enter(self, user: Any) -> bool:
        return bool(user.staff)

    def may(self, user: Any, permission: str, *, obj: Any = None) -> bool:
        return user.permissions is None or permission in user.permissions

    def login_url(self, request: Request) -> str:
        return f"/login?next={request.path}"


async def fill() -> None:
    """Two writers, three tags, twelve posts with a comment each, a membership."""
    ann = await Writer.create(display_name="Ann", email="ann@example.org")
    bob = await Writer.create(display_name="Bob", email="bob@example.org", born=date(1950, 3, 4))
    tags = [await Tag.create(name=name) for name in ("python", "web", "wine")]
    for number in range(12):
        post = await Post.create(
            title=f"Post {number:02}",
            slug=f"post-{number}",
            body=f"words of {number}",
            kind=Kind.ESSAY if number % 3 == 0 else Kind.NEWS,
            published=number % 2 == 0,
            price=Decimal(number),
            author=ann if number < 8 else bob,
            editor=bob if number == 0 else None,
            created_at=datetime(2025, 1 + number % 3, 10, 12, tzinfo=now().tzinfo),
        )
        post.tags = tags[: number % 4]
        await Comment.create(text=f"On {number}", post=post)
    await Membership.create(club="a/b, c_d", number=3, note="odd key")
