"""The database workloads on the bare drivers, sqlite3 and asyncpg; it makes the tables and the rows too."""

import sqlite3
import sys
from typing import Any

sys.path.insert(0, "..")
from calling import IS_SQLITE, PATH, URL, answer, key, rows, run, shown

COLUMNS = ("id", "title", "slug", "body", "published", "stars", "created_at")
KEY = "INTEGER PRIMARY KEY" if IS_SQLITE else "BIGSERIAL PRIMARY KEY"
TABLE = (
    f"({KEY.join(('id ', ''))}, title VARCHAR(200) NOT NULL, slug VARCHAR(200) NOT NULL, body TEXT NOT NULL,"
    " published BOOLEAN NOT NULL, stars INTEGER NOT NULL, created_at TIMESTAMPTZ NOT NULL)"
)
ONE = "SELECT id, title, slug, body, published, stars, created_at FROM post WHERE id = "
TWENTY = "SELECT id, title, slug, body, published, stars, created_at FROM post WHERE published ORDER BY id LIMIT 20"
INSERT = "INSERT INTO {} (title, slug, body, published, stars, created_at) VALUES "


def as_sqlite(row: dict[str, Any]) -> tuple[Any, ...]:
    values = {**row, "created_at": row["created_at"].replace(tzinfo=None).isoformat(" ") + ".000000"}
    return tuple(values.values())


def as_row(found: Any) -> dict[str, Any]:
    from datetime import UTC, datetime

    row = dict(zip(COLUMNS, found, strict=True))
    if IS_SQLITE:
        row["created_at"] = datetime.fromisoformat(row["created_at"]).replace(tzinfo=UTC)
    return row


async def sqlite() -> None:
    connection = sqlite3.connect(PATH, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    made = [as_sqlite(row) for row in rows(10_000)]

    def fill(count: int) -> int:
        for name in ("post", "bulk_post"):
            connection.execute(f"DROP TABLE IF EXISTS {name}")
            connection.execute(f"CREATE TABLE {name} {TABLE}")
        connection.execute("BEGIN")
        connection.executemany(INSERT.format("post") + "(?, ?, ?, ?, ?, ?)", made[:1000])
        connection.execute("COMMIT")
        return count

    def one(count: int) -> Any:
        for turn in range(count):
            found = as_row(connection.execute(ONE + "?", (key(turn),)).fetchone())
        return shown(found)

    def twenty(count: int) -> Any:
        for _ in range(count):
            found = [as_row(row) for row in connection.execute(TWENTY).fetchall()]
        return [shown(row) for row in found]

    def bulk(count: int) -> Any:
        for _ in range(count):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT.format("bulk_post") + "(?, ?, ?, ?, ?, ?)", made)
            connection.execute("COMMIT")
        return len(made)

    def clear(count: int) -> Any:
        return connection.execute("DELETE FROM bulk_post").rowcount

    await answer({"fill": fill, "one": one, "twenty": twenty, "bulk": bulk, "clear": clear})


async def postgresql() -> None:
    import asyncpg

    pool = await asyncpg.create_pool(URL, min_size=1, max_size=10)
    made = [tuple(row.values()) for row in rows(10_000)]
    insert = "($1, $2, $3, $4, $5, $6)"

    async def fill(count: int) -> int:
        async with pool.acquire() as connection:
            for name in ("post", "bulk_post"):
                await connection.execute(f"DROP TABLE IF EXISTS {name} CASCADE")
                await connection.execute(f"CREATE TABLE {name} {TABLE}")
            await connection.executemany(INSERT.format("post") + insert, made[:1000])
            await connection.execute("ANALYZE post")
        return count

    async def one(count: int) -> Any:
        for turn in range(count):
            async with pool.acquire() as connection:
                found = as_row(await connection.fetchrow(ONE + "$1", key(turn)))
        return shown(found)

    async def twenty(count: int) -> Any:
        for _ in range(count):
            async with pool.acquire() as connection:
                found = [as_row(row) for row in await connection.fetch(TWENTY)]
        return [shown(row) for row in found]

    async def bulk(count: int) -> Any:
        for _ in range(count):
            async with pool.acquire() as connection:
                await connection.executemany(INSERT.format("bulk_post") + insert, made)
        return len(made)

    async def clear(count: int) -> Any:
        async with pool.acquire() as connection:
            await connection.execute("DELETE FROM bulk_post")

    await answer({"fill": fill, "one": one, "twenty": twenty, "bulk": bulk, "clear": clear})
    await pool.close()


run(sqlite if IS_SQLITE else postgresql)
