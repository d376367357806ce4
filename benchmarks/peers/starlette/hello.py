"""The five workloads in Starlette, which validates nothing itself; the handlers check by hand."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route


async def plain(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Hello, World!")


async def json(request: Request) -> JSONResponse:
    return JSONResponse({"message": "Hello, World!", "ok": True, "count": 3})


async def param(request: Request) -> JSONResponse:
    if "q" not in request.query_params:
        raise HTTPException(422)
    return JSONResponse({"id": request.path_params["id"], "q": request.query_params["q"]})


async def post(request: Request) -> JSONResponse:
    item = await request.json()
    match item:
        case {"name": str(), "price": float() | int(), "quantity": int()}:
            return JSONResponse({"name": item["name"], "price": item["price"], "quantity": item["quantity"]})
    raise HTTPException(422)


def plain_def(request: Request) -> PlainTextResponse:
    return PlainTextResponse("Hello, World!")


app = Starlette(
    routes=[
        Route("/", plain),
        Route("/json", json),
        Route("/users/{id:int}", param),
        Route("/items", post, methods=["POST"]),
        Route("/def", plain_def),
    ]
)
