"""A to-do list: pages and htmx from the same handlers, what a visitor looks at in the session, JSON for programs.

demijohn run todo.py
"""

from itertools import count
from typing import Annotated, Literal

import msgspec

from demijohn import App, Form, Page, Request, abort, flash, redirect, url_for
from demijohn.sessions import SessionData

app = App(templates="templates/todo")

Which = Literal["all", "open", "done"]


class Todo(msgspec.Struct):
    id: int
    title: str
    done: bool = False


class NewTodo(msgspec.Struct):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class View(SessionData):
    """What a visitor looks at, until the session ends."""

    which: Which = "all"


numbers = count(1)
todos: dict[int, Todo] = {}


def find(number: int) -> Todo:
    return todos.get(number) or abort(404, f"There is no to-do {number}.")


def make(title: str) -> Todo:
    todo = Todo(next(numbers), title)
    todos[todo.id] = todo
    return todo


def listed(view: View) -> Page:
    """The page, of which htmx gets the list alone."""
    shown = [todo for todo in todos.values() if view.which == "all" or todo.done == (view.which == "done")]
    return Page(
        "list.html#list",
        todos=shown,
        which=view.which,
        left=sum(not todo.done for todo in todos.values()),
        total=len(todos),
    )


def answer(request: Request, view: View):
    """The list for htmx, or back to the page for a browser without scripts."""
    return listed(view) if request.htmx else redirect(url_for(home), status=303)


@app.get("/")
async def home(view: View, which: Which | None = None):
    if which is not None:
        view.which = which
    return listed(view)


@app.post("/todos")
async def add(todo: Annotated[NewTodo, Form()], request: Request, view: View):
    make(todo.title)
    if not request.htmx:
        flash("Added", "success")
    return answer(request, view)


@app.post("/todos/{number:int}/toggle")
async def toggle(number: int, request: Request, view: View):
    todo = find(number)
    todo.done = not todo.done
    return answer(request, view)


@app.post("/todos/{number:int}/delete")
async def remove(number: int, request: Request, view: View):
    todo = find(number)
    del todos[number]
    if not request.htmx:
        flash(f"Deleted: {todo.title}", "warning")
    return answer(request, view)


@app.get("/api/todos")
async def index(done: bool | None = None):
    return [todo for todo in todos.values() if done is None or todo.done is done]


@app.post("/api/todos", status=201)
async def create(todo: NewTodo):
    return make(todo.title)


@app.delete("/api/todos/{number:int}")
async def delete(number: int) -> None:
    find(number)
    del todos[number]


@app.errorhandler(404)
async def missing(request: Request, error: Exception):
    if request.path.startswith("/api/"):
        raise error
    return Page("missing.html", status=404)
