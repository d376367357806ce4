"""The database workloads in SQLAlchemy's session, in plain code; the inserts by Core. Each call has its own session."""

import asyncio
import sys
from typing import Any

sys.path.insert(0, "..")
from calling import IS_SQLITE, URL, answer, key, rows, shown
from models import BulkPost, Post
from sqlalchemy import create_engine, delete, insert, select
from sqlalchemy.orm import Session

engine = create_engine(URL if IS_SQLITE else URL.replace("postgresql://", "postgresql+psycopg://"))
made = rows(10_000)


def one(count: int) -> Any:
    for turn in range(count):
        with Session(engine) as session:
            found = session.get_one(Post, key(turn))
    return shown(found)


def twenty(count: int) -> Any:
    statement = select(Post).where(Post.published).order_by(Post.id).limit(20)
    for _ in range(count):
        with Session(engine) as session:
            found = session.scalars(statement).all()
    return [shown(row) for row in found]


def bulk(count: int) -> Any:
    for _ in range(count):
        with engine.begin() as connection:
            connection.execute(insert(BulkPost.__table__), made)
    return len(made)


def clear(count: int) -> Any:
    with engine.begin() as connection:
        return connection.execute(delete(BulkPost)).rowcount


asyncio.run(answer({"one": one, "twenty": twenty, "bulk": bulk, "clear": clear}))
