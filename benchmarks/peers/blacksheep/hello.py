"""The five workloads in BlackSheep; it runs plain functions on the loop."""

from dataclasses import dataclass

from blacksheep import Application, FromJSON, get, post, text

app = Application()


@dataclass
class User:
    id: int
    q: str


@dataclass
class Item:
    name: str
    price: float
    quantity: int


@get("/")
async def plain():
    return text("Hello, World!")


@get("/json")
async def json():
    return {"message": "Hello, World!", "ok": True, "count": 3}


@get("/users/{id}")
async def param(id: int, q: str) -> User:
    return User(id, q)


@post("/items")
async def create(data: FromJSON[Item]) -> Item:
    return data.value


@get("/def")
def plain_def():
    return text("Hello, World!")
