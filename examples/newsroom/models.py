"""What the newsroom writes, and who writes it."""

from datetime import datetime
from enum import StrEnum

from demijohn import url_for
from demijohn.auth import User as BaseUser
from demijohn.db import Mapped, Model, QuerySet, belongs_to, column, has_many, many_to_many, now
from demijohn.i18n import gettext_lazy as _


class User(BaseUser):
    display_name: Mapped[str] = column(max_length=60, label=_("Name"))

    def __str__(self) -> str:
        return self.display_name


class Section(Model):
    """A part of the paper."""

    __order_by__ = "position"

    name: Mapped[str] = column(max_length=40, unique=True)
    slug: Mapped[str] = column(max_length=40, unique=True, pattern=r"[a-z-]+")
    position: Mapped[int] = column(default=0)

    def __str__(self) -> str:
        return self.name

    def page_url(self) -> str:
        return url_for("news.section", section=self.slug)


class Tag(Model):
    name: Mapped[str] = column(max_length=40, unique=True)

    def __str__(self) -> str:
        return self.name


class Status(StrEnum):
    DRAFT = "draft"
    REVIEW = "review"
    PUBLISHED = "published"


class Article(Model):
    """A story. It is public once an editor published it."""

    __permissions__ = ("publish",)

    title: Mapped[str] = column(max_length=200, min_length=3, label=_("Title"))
    slug: Mapped[str] = column(
        max_length=200, unique=True, pattern=r"[a-z0-9-]+", help=_("The last part of its address.")
    )
    summary: Mapped[str] = column(max_length=400, label=_("Summary"), format="textarea")
    body: Mapped[str] = column(text=True, label=_("Text"))
    status: Mapped[Status] = column(default=Status.DRAFT)
    section: Mapped[Section] = belongs_to(back="articles", label=_("Section"))
    author: Mapped[User] = belongs_to(back="articles")
    tags: Mapped[list[Tag]] = many_to_many(back="articles", label=_("Tags"))
    comments: Mapped[list["Comment"]] = has_many(back="article")
    published_at: Mapped[datetime | None] = column(readonly=True)
    created_at: Mapped[datetime] = column(default=now, readonly=True)

    def __str__(self) -> str:
        return self.title

    def page_url(self) -> str:
        return url_for("news.show", article=self.slug)

    @classmethod
    def public(cls) -> "QuerySet[Article]":
        """Return the published articles, the newest first."""
        return cls.where(Article.status == Status.PUBLISHED).order_by(Article.published_at.desc())


class Comment(Model):
    text: Mapped[str] = column(max_length=1000, min_length=2, label=_("Comment"), format="textarea")
    article: Mapped[Article] = belongs_to(back="comments", on_delete="cascade")
    author: Mapped[User] = belongs_to(back="comments")
    written_at: Mapped[datetime] = column(default=now, readonly=True)

    def __str__(self) -> str:
        return self.text[:60]
