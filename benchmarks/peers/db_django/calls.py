"""The database workloads in Django's ORM, in plain code."""

import asyncio
import sys
from typing import Any

sys.path.insert(0, "..")
from calling import answer, key, rows, shown
from models import BulkPost, Post

made = rows(10_000)


def one(count: int) -> Any:
    for turn in range(count):
        found = Post.objects.get(pk=key(turn))
    return shown(found)


def twenty(count: int) -> Any:
    for _ in range(count):
        found = list(Post.objects.filter(published=True).order_by("id")[:20])
    return [shown(row) for row in found]


def bulk(count: int) -> Any:
    for _ in range(count):
        BulkPost.objects.bulk_create([BulkPost(**row) for row in made], batch_size=1000)
    return len(made)


def clear(count: int) -> Any:
    return BulkPost.objects.all()._raw_delete("default")


import os  # noqa: E402

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # the loop of the harness does nothing meanwhile
asyncio.run(answer({"one": one, "twenty": twenty, "bulk": bulk, "clear": clear}))
