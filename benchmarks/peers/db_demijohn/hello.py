"""One row and twenty rows as JSON, in Demijohn."""

import os
from datetime import datetime

from demijohn import App
from demijohn.db import Database, Mapped, Model, column

app = App()
db = app.use(Database(os.environ["BENCH_URL"]))


class Post(Model):
    title: Mapped[str] = column(max_length=200)
    slug: Mapped[str] = column(max_length=200)
    body: Mapped[str] = column(text=True)
    published: Mapped[bool] = column()
    stars: Mapped[int] = column()
    created_at: Mapped[datetime] = column()


@app.get("/")
async def root() -> str:
    return "ok"


@app.get("/posts/{number}")
async def one(number: int) -> Post:
    return await Post.get_or_404(number)


@app.get("/posts")
async def twenty() -> list[Post]:
    return await Post.where(published=True).order_by("id").limit(20)
