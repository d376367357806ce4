"""One row and twenty rows as JSON, in Starlette with the bare driver: asyncpg, or sqlite3 on the loop."""

import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

URL = os.environ["BENCH_URL"]
ONE = "SELECT id, title, slug, body, published, stars, created_at FROM post WHERE id = $1"
TWENTY = "SELECT id, title, slug, body, published, stars, created_at FROM post WHERE published ORDER BY id LIMIT 20"
held: dict[str, Any] = {}


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    if URL.startswith("sqlite"):
        held["sqlite"] = sqlite3.connect(URL.removeprefix("sqlite:///"))
        held["sqlite"].row_factory = sqlite3.Row
        yield
        return
    async with asyncpg.create_pool(URL, min_size=10, max_size=10) as pool:
        held["pool"] = pool
        yield


async def fetch(statement: str, *arguments: Any) -> list[Any]:
    if "sqlite" in held:
        return held["sqlite"].execute(statement.replace("$1", "?"), arguments).fetchall()
    async with held["pool"].acquire() as connection:
        return await connection.fetch(statement, *arguments)


def answer(data: Any) -> Response:
    return Response(json.dumps(data, default=lambda moment: moment.isoformat()), media_type="application/json")


async def root(request: Request) -> Response:
    return PlainTextResponse("ok")


async def one(request: Request) -> Response:
    rows = await fetch(ONE, request.path_params["number"])
    if not rows:
        raise HTTPException(404)
    return answer(dict(rows[0]))


async def twenty(request: Request) -> Response:
    return answer([dict(row) for row in await fetch(TWENTY)])


app = Starlette(
    routes=[Route("/", root), Route("/posts/{number:int}", one), Route("/posts", twenty)], lifespan=lifespan
)
