"""Pages in Starlette: a template, a login form, an upload."""

import os
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

templates = Jinja2Templates("templates")


@dataclass
class Fortune:
    id: int
    message: str


FORTUNES = [Fortune(number, f'fortune: <b>No. {number}</b> & its "meaning"') for number in range(1, 20)]


async def home(request: Request) -> Response:
    return PlainTextResponse("Hello, World!")


async def fortunes(request: Request) -> Response:
    rows = [*FORTUNES, Fortune(0, "Added when it was asked for")]
    rows.sort(key=lambda fortune: fortune.message)
    return templates.TemplateResponse(request, "fortunes.html", {"fortunes": rows})


async def login(request: Request) -> Response:
    form = await request.form()
    if form["password"] != "secret":
        return PlainTextResponse("Wrong", 403)
    request.session["user"] = form["name"]
    return RedirectResponse("/", 303)


async def upload(request: Request) -> Response:
    async with request.form() as form:
        return JSONResponse({"size": len(await form["file"].read())})


app = Starlette(
    routes=[
        Route("/", home),
        Route("/fortunes", fortunes),
        Route("/login", login, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
    ],
    middleware=[Middleware(SessionMiddleware, secret_key=os.environ.get("SECRET_KEY", "only-for-a-benchmark"))],
)
