"""The database workloads in SQLAlchemy's async session; the inserts by Core. Each call has its own session."""

import sys
from typing import Any

sys.path.insert(0, "..")
from calling import IS_SQLITE, URL, answer, key, rows, run, shown
from models import BulkPost, Post
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine


async def main() -> None:
    driver = "sqlite+aiosqlite:///" if IS_SQLITE else "postgresql+asyncpg://"
    engine = create_async_engine(driver + URL.partition(":///" if IS_SQLITE else "://")[2])
    made = rows(10_000)

    async def one(count: int) -> Any:
        for turn in range(count):
            async with AsyncSession(engine) as session:
                found = await session.get_one(Post, key(turn))
        return shown(found)

    async def twenty(count: int) -> Any:
        statement = select(Post).where(Post.published).order_by(Post.id).limit(20)
        for _ in range(count):
            async with AsyncSession(engine) as session:
                found = (await session.scalars(statement)).all()
        return [shown(row) for row in found]

    async def bulk(count: int) -> Any:
        for _ in range(count):
            async with engine.begin() as connection:
                await connection.execute(insert(BulkPost.__table__), made)
        return len(made)

    async def clear(count: int) -> Any:
        async with engine.begin() as connection:
            return (await connection.execute(delete(BulkPost))).rowcount

    await answer({"one": one, "twenty": twenty, "bulk": bulk, "clear": clear})
    await engine.dispose()


run(main)
