"""A to-do list: pages and htmx from the same handlers, what a visitor looks at in the session, JSON for programs.

demijohn run todo.py
"""

from typing import Annotated, Literal

from demijohn import App, Body, Page, Request, flash, redirect, url_for
from demijohn.db import Database, Mapped, Model, column
from demijohn.sessions import SessionData

app = App(templates="templates/todo")
db = app.use(Database("sqlite://"))  # gone with the process; "sqlite:///todo.db" and `demijohn migrate` keep it

Which = Literal["all", "open", "done"]


class Todo(Model):
    title: Mapped[str] = column(max_length=200, min_length=1)
    done: Mapped[bool] = column(default=False, index=True)


class View(SessionData):
    """What a visitor looks at, until the session ends."""

    which: Which = "all"


@app.on_startup
async def make_table():
    async with db.unit():
        await db.create_all()


async def listed(view: View) -> Page:
    """The page, of which htmx gets the list alone."""
    todos = Todo.query().order_by("id")
    shown = todos if view.which == "all" else todos.where(done=view.which == "done")
    return Page(
        "list.html#list",
        todos=await shown,
        which=view.which,
        left=await Todo.where(done=False).count(),
        total=await Todo.query().count(),
    )


async def answer(request: Request, view: View):
    """The list for htmx, or back to the page for a browser without scripts."""
    return await listed(view) if request.htmx else redirect(url_for(home), status=303)


@app.get("/")
async def home(view: View, which: Which | None = None):
    if which is not None:
        view.which = which
    return await listed(view)


@app.post("/todos")
async def add(todo: Annotated[Todo, Body(include=["title"], form=True)], request: Request, view: View):
    await todo.save()
    if not request.htmx:
        flash("Added", "success")
    return await answer(request, view)


@app.post("/todos/{number:int}/toggle")
async def toggle(number: int, request: Request, view: View):
    todo = await Todo.query().for_update().get_or_404(number)
    await todo.assign(done=not todo.done).save()
    return await answer(request, view)


@app.post("/todos/{number:int}/delete")
async def remove(number: int, request: Request, view: View):
    todo = await Todo.get_or_404(number)
    await todo.delete()
    if not request.htmx:
        flash(f"Deleted: {todo.title}", "warning")
    return await answer(request, view)


@app.get("/api/todos")
async def index(done: bool | None = None):
    todos = Todo.query().order_by("id")
    return await (todos if done is None else todos.where(done=done))


@app.post("/api/todos", status=201)
async def create(todo: Annotated[Todo, Body(include=["title"])]):
    return await todo.save()


@app.delete("/api/todos/{todo}", status=204)
async def delete(todo: Todo):
    await todo.delete()


@app.errorhandler(404)
async def missing(request: Request, error: Exception):
    if request.path.startswith("/api/"):
        raise error
    return Page("missing.html", status=404)
