"""The database workloads in Piccolo."""

import sys
from typing import Any

sys.path.insert(0, "..")
sys.path.insert(0, ".")
from calling import IS_SQLITE, answer, key, rows, run, shown
from piccolo.columns import BigInt, BigSerial, Boolean, Integer, Serial, Text, Timestamptz, Varchar  # noqa: F401
from piccolo.table import Table
from piccolo_conf import DB


class Post(Table, tablename="post", db=DB):
    id = Serial(primary_key=True)
    title = Varchar(200)
    slug = Varchar(200)
    body = Text()
    published = Boolean()
    stars = Integer()
    created_at = Timestamptz()


class BulkPost(Table, tablename="bulk_post", db=DB):
    id = Serial(primary_key=True)
    title = Varchar(200)
    slug = Varchar(200)
    body = Text()
    published = Boolean()
    stars = Integer()
    created_at = Timestamptz()


async def main() -> None:
    made = rows(10_000)
    if not IS_SQLITE:
        await DB.start_connection_pool(min_size=1, max_size=10)

    async def one(count: int) -> Any:
        for turn in range(count):
            found = await Post.objects().get(Post.id == key(turn))
        return shown(found)

    async def twenty(count: int) -> Any:
        for _ in range(count):
            found = await Post.objects().where(Post.published == True).order_by(Post.id).limit(20)  # noqa: E712
        return [shown(row) for row in found]

    async def bulk(count: int) -> Any:
        for _ in range(count):
            async with DB.transaction():
                for start in range(0, len(made), 1000):
                    await BulkPost.insert(*(BulkPost(**row) for row in made[start : start + 1000]))
        return len(made)

    async def clear(count: int) -> Any:
        await BulkPost.delete(force=True)

    await answer({"one": one, "twenty": twenty, "bulk": bulk, "clear": clear})
    if not IS_SQLITE:
        await DB.close_connection_pool()


run(main)
