"""The five workloads in Robyn."""

import os

from pydantic import BaseModel
from robyn import Robyn

app = Robyn(__file__)


class User(BaseModel):
    id: int
    q: str


class Item(BaseModel):
    name: str
    price: float
    quantity: int


@app.get("/")
async def plain(request):
    return "Hello, World!"


@app.get("/json")
async def json(request):
    return {"message": "Hello, World!", "ok": True, "count": 3}


@app.get("/users/:id")
async def param(id: int, q: str):
    return User(id=id, q=q).model_dump()


@app.post("/items")
async def create(item: Item):
    return item.model_dump()


@app.get("/def")
def plain_def(request):
    return "Hello, World!"


if __name__ == "__main__":
    app.start(host="127.0.0.1", port=int(os.environ["PORT"]))
