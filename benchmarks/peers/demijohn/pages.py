"""Pages in Demijohn: a template, a static file, a login form, an upload."""

from typing import Annotated

import msgspec

from demijohn import App, Form, Page, UploadFile, redirect
from demijohn.sessions import Session

app = App()


class Fortune(msgspec.Struct):
    id: int
    message: str


class Login(msgspec.Struct):
    name: str
    password: str


FORTUNES = [Fortune(number, f'fortune: <b>No. {number}</b> & its "meaning"') for number in range(1, 20)]


@app.get("/")
async def home() -> str:
    return "Hello, World!"


@app.get("/fortunes")
async def fortunes() -> Page:
    rows = [*FORTUNES, Fortune(0, "Added when it was asked for")]
    rows.sort(key=lambda fortune: fortune.message)
    return Page("fortunes.html", fortunes=rows)


@app.post("/login")
async def login(form: Annotated[Login, Form()], session: Session):
    if form.password != "secret":
        return "Wrong", 403
    session["user"] = form.name
    return redirect("/", status=303)


@app.post("/upload")
async def upload(file: UploadFile) -> dict[str, int]:
    return {"size": len(await file.read())}
