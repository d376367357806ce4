"""The five workloads in Demijohn."""

import msgspec

from demijohn import App

app = App()


class User(msgspec.Struct):
    id: int
    q: str


class Item(msgspec.Struct):
    name: str
    price: float
    quantity: int


@app.get("/")
async def plain() -> str:
    return "Hello, World!"


@app.get("/json")
async def json() -> dict[str, object]:
    return {"message": "Hello, World!", "ok": True, "count": 3}


@app.get("/users/{id}")
async def param(id: int, q: str) -> User:
    return User(id=id, q=q)


@app.post("/items")
async def post(item: Item) -> Item:
    return item


@app.get("/def")
def plain_def() -> str:
    return "Hello, World!"
