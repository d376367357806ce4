"""One row and twenty rows as JSON, in FastAPI with SQLAlchemy's async session."""

import os
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

sys.path.insert(0, "../db_sqlalchemy")
from fastapi import Depends, FastAPI, HTTPException
from models import Post
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

URL = os.environ["BENCH_URL"]
driver = "sqlite+aiosqlite:///" if URL.startswith("sqlite") else "postgresql+asyncpg://"
engine = create_async_engine(driver + URL.partition(":///" if URL.startswith("sqlite") else "://")[2], pool_size=10)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    slug: str
    body: str
    published: bool
    stars: int
    created_at: datetime


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as made:
        yield made


Session = Annotated[AsyncSession, Depends(session)]


@app.get("/")
async def root() -> str:
    return "ok"


@app.get("/posts/{number}")
async def one(number: int, session: Session) -> PostOut:
    post: Any = await session.get(Post, number)
    if post is None:
        raise HTTPException(404)
    return post


@app.get("/posts")
async def twenty(session: Session) -> list[PostOut]:
    posts: Any = await session.scalars(select(Post).where(Post.published).order_by(Post.id).limit(20))
    return posts.all()
