"""The database workloads in Tortoise."""

import sys
from typing import Any

sys.path.insert(0, "..")
from calling import IS_SQLITE, PATH, URL, answer, key, rows, run, shown
from tortoise import Tortoise, fields
from tortoise.models import Model


class Post(Model):
    id = fields.BigIntField(primary_key=True)
    title = fields.CharField(max_length=200)
    slug = fields.CharField(max_length=200)
    body = fields.TextField()
    published = fields.BooleanField()
    stars = fields.IntField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "post"


class BulkPost(Model):
    id = fields.BigIntField(primary_key=True)
    title = fields.CharField(max_length=200)
    slug = fields.CharField(max_length=200)
    body = fields.TextField()
    published = fields.BooleanField()
    stars = fields.IntField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "bulk_post"


async def main() -> None:
    url = f"sqlite://{PATH}" if IS_SQLITE else URL.replace("postgresql://", "asyncpg://")
    await Tortoise.init(db_url=url, modules={"models": ["__main__"]}, use_tz=True, timezone="UTC")
    made = rows(10_000)

    async def one(count: int) -> Any:
        for turn in range(count):
            found = await Post.get(id=key(turn))
        return shown(found)

    async def twenty(count: int) -> Any:
        for _ in range(count):
            found = await Post.filter(published=True).order_by("id").limit(20)
        return [shown(row) for row in found]

    async def bulk(count: int) -> Any:
        for _ in range(count):
            await BulkPost.bulk_create([BulkPost(**row) for row in made], batch_size=1000)
        return len(made)

    async def clear(count: int) -> Any:
        return await BulkPost.all().delete()

    await answer({"one": one, "twenty": twenty, "bulk": bulk, "clear": clear})
    await Tortoise.close_connections()


run(main)
