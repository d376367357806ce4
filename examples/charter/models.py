"""A model, said once: program 2.3 of the charter."""

from datetime import datetime

from demijohn import App
from demijohn.db import Database, Mapped, Model, belongs_to, column, many_to_many, now

app = App()
db = app.use(Database("sqlite:///blog.db"))


class User(Model):
    display_name: Mapped[str] = column(max_length=60)


class Tag(Model):
    name: Mapped[str] = column(max_length=40, unique=True)


class Post(Model):
    title: Mapped[str] = column(max_length=200, min_length=3, help="Shown in lists")
    slug: Mapped[str] = column(max_length=200, unique=True, pattern=r"[a-z0-9-]+")
    body: Mapped[str] = column(text=True)
    published: Mapped[bool] = column(default=False)
    author: Mapped["User"] = belongs_to(back="posts")
    tags: Mapped[list[Tag]] = many_to_many(back="posts")
    created_at: Mapped[datetime] = column(default=now, readonly=True)


async def asking(me: User, old: datetime):
    post = await Post.get(7)
    post = await Post.create(title="Hello", slug="hello", body="...", author=me)
    recent = await Post.where(Post.author.has(display_name="Ann")).order_by(Post.created_at.desc()).limit(10).all()
    n = await Post.where(Post.published).count()
    await Post.where(Post.created_at < old).update(published=False)
    async with db.transaction():
        ...
    stmt = Post.where(Post.published).statement
    for p in recent:
        print(p.author.display_name)
    return post, n, stmt
