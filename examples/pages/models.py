"""What the site holds: documents in a tree, what they said before, pictures, and the people who write them."""

from datetime import datetime
from typing import Self

from markdown_it import MarkdownIt
from sqlalchemy import UniqueConstraint

from demijohn import url_for
from demijohn.auth import User as BaseUser
from demijohn.db import Mapped, Model, QuerySet, Timestamps, belongs_to, column, foreign_key, has_many, now
from demijohn.http import Markup

# Without HTML in the source, so that a page of an editor cannot bring a script.
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


class User(BaseUser):
    display_name: Mapped[str] = column(max_length=60, default="")

    def __str__(self) -> str:
        return self.display_name or self.email


class Document(Timestamps, Model):
    """One page. Its address is its slug below the address of its parent."""

    __order_by__ = "position"
    __table_args__ = (UniqueConstraint("parent_id", "slug"),)

    title: Mapped[str] = column(max_length=120, min_length=2)
    slug: Mapped[str] = column(max_length=60, pattern=r"[a-z0-9-]+", help="Its part of the address.")
    body: Mapped[str] = column(text=True, help="Markdown.")
    parent: Mapped["Document | None"] = belongs_to(back="children", on_delete="restrict", default=None)
    parent_id: Mapped[int | None] = foreign_key("parent")
    children: Mapped[list["Document"]] = has_many(back="parent")
    position: Mapped[int] = column(default=0)
    in_menu: Mapped[bool] = column(default=False, label="In the menu")
    published_at: Mapped[datetime | None] = column(default=None, label="Published at", help="UTC. None: a draft.")
    revisions: Mapped[list["Revision"]] = has_many(back="document")

    def __str__(self) -> str:
        return self.title

    @classmethod
    def public(cls) -> QuerySet[Self]:
        """The documents that everybody may read by now."""
        return cls.where(cls.published_at <= now())

    @property
    def is_public(self) -> bool:
        return self.published_at is not None and self.published_at <= now()

    @property
    def html(self) -> Markup:
        return Markup(MARKDOWN.render(self.body))

    @property
    def path(self) -> str:
        return f"{self.parent.path}/{self.slug}" if self.parent else self.slug

    def page_url(self) -> str:
        return url_for("public.show", path=self.path)

    @classmethod
    async def at(cls, path: str) -> "Document | None":
        """Return the document at an address, going down from the root."""
        found: Document | None = None
        for slug in path.split("/"):
            found = await cls.where(slug=slug, parent=found).first()
            if found is None:
                return None
        return found

    async def keep(self, author: User) -> None:
        """Keep what it says now, unless that was kept last."""
        last = await Revision.where(document_id=self.id).order_by("-id").first()
        if last is None or (last.title, last.body) != (self.title, self.body):
            await Revision.create(document=self, title=self.title, body=self.body, author=author)


class Revision(Model):
    document: Mapped[Document] = belongs_to(back="revisions", on_delete="cascade")
    document_id: Mapped[int] = foreign_key("document")
    title: Mapped[str] = column(max_length=120)
    body: Mapped[str] = column(text=True)
    author: Mapped[User | None] = belongs_to(on_delete="set null", default=None)
    author_id: Mapped[int | None] = foreign_key("author")
    created_at: Mapped[datetime] = column(default=now, readonly=True)


class Picture(Model):
    name: Mapped[str] = column(max_length=60, unique=True)
    title: Mapped[str] = column(max_length=120)
    created_at: Mapped[datetime] = column(default=now, readonly=True)

    def __str__(self) -> str:
        return self.title
