"""The five workloads in Litestar."""

import msgspec
from litestar import Litestar, MediaType, get, post


class User(msgspec.Struct):
    id: int
    q: str


class Item(msgspec.Struct):
    name: str
    price: float
    quantity: int


@get("/", media_type=MediaType.TEXT)
async def plain() -> str:
    return "Hello, World!"


@get("/json")
async def json() -> dict[str, object]:
    return {"message": "Hello, World!", "ok": True, "count": 3}


@get("/users/{id:int}")
async def param(id: int, q: str) -> User:
    return User(id=id, q=q)


@post("/items", status_code=200)
async def create(data: Item) -> Item:
    return data


@get("/def", media_type=MediaType.TEXT, sync_to_thread=True)
def plain_def() -> str:
    return "Hello, World!"


app = Litestar([plain, json, param, create, plain_def])
