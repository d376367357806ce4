"""The five workloads in FastAPI."""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

app = FastAPI()


class User(BaseModel):
    id: int
    q: str


class Item(BaseModel):
    name: str
    price: float
    quantity: int


@app.get("/", response_class=PlainTextResponse)
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


@app.get("/def", response_class=PlainTextResponse)
def plain_def() -> str:
    return "Hello, World!"
