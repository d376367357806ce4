"""The five workloads in django-bolt."""

import msgspec
from django_bolt import BoltAPI
from django_bolt.responses import PlainText

api = BoltAPI()


class User(msgspec.Struct):
    id: int
    q: str


class Item(msgspec.Struct):
    name: str
    price: float
    quantity: int


@api.get("/")
async def plain():
    return PlainText("Hello, World!")


@api.get("/json")
async def json():
    return {"message": "Hello, World!", "ok": True, "count": 3}


@api.get("/users/{id}")
async def param(id: int, q: str) -> User:
    return User(id=id, q=q)


@api.post("/items")
async def create(item: Item) -> Item:
    return item


@api.get("/def")
def plain_def():
    return PlainText("Hello, World!")
