"""The database workloads in Demijohn: each call is a unit of work of its own, driven as a handler is."""

import sys
from datetime import datetime
from typing import Any

sys.path.insert(0, "..")
from calling import URL, answer, key, rows, run, shown

from demijohn.db import Database, Mapped, Model, column


class Post(Model):
    title: Mapped[str] = column(max_length=200)
    slug: Mapped[str] = column(max_length=200)
    body: Mapped[str] = column(text=True)
    published: Mapped[bool] = column()
    stars: Mapped[int] = column()
    created_at: Mapped[datetime] = column()


class BulkPost(Model):
    title: Mapped[str] = column(max_length=200)
    slug: Mapped[str] = column(max_length=200)
    body: Mapped[str] = column(text=True)
    published: Mapped[bool] = column()
    stars: Mapped[int] = column()
    created_at: Mapped[datetime] = column()


db = Database(URL)


async def get(number: int) -> Post:
    return await Post.get_or_404(number)


async def twenty() -> list[Post]:
    return await Post.where(published=True).order_by("id").limit(20)


async def main() -> None:
    made = rows(10_000)

    async def one(count: int) -> Any:
        for turn in range(count):
            found = await db.run(get(key(turn)))
        return shown(found)

    async def many(count: int) -> Any:
        for _ in range(count):
            found = await db.run(twenty())
        return [shown(row) for row in found]

    async def bulk(count: int) -> Any:
        for _ in range(count):
            async with db.unit():
                written = await BulkPost.bulk_create(made)
        return written

    async def clear(count: int) -> Any:
        async with db.unit():
            return await BulkPost.query().delete()

    await answer({"one": one, "twenty": many, "bulk": bulk, "clear": clear})
    await db.dispose()


run(main)
