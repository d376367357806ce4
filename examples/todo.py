"""A to-do list in one file: pages and JSON from the same handlers' data.

demijohn run todo.py
"""

from itertools import count
from typing import Annotated

import msgspec

from demijohn import App, Form, Request, abort, html, redirect, url_for

app = App()


class Todo(msgspec.Struct):
    id: int
    title: str
    done: bool = False


class NewTodo(msgspec.Struct):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


numbers = count(1)
todos: dict[int, Todo] = {}

STYLE = """
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem }
form { display: inline } ul { padding: 0; list-style: none } li { padding: .4rem 0; border-bottom: 1px solid #8884 }
.done { text-decoration: line-through; opacity: .6 } input, button { font: inherit; padding: .3rem .6rem }
@media (prefers-color-scheme: dark) { :root { color-scheme: dark; background: #181a1f; color: #eee } }
"""


def find(number: int) -> Todo:
    return todos.get(number) or abort(404, f"There is no to-do {number}.")


def page(title: str, *parts: str):
    return html(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{}</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="{}"></head>'
        "<body><main><h1>{}</h1>{}</main></body></html>",
        title,
        url_for(style),
        title,
        html("").join(parts),
    )


def line(todo: Todo):
    return html(
        '<li><form method="post" action="{}"><button aria-label="{}">{}</button></form>'
        ' <span class="{}">{}</span></li>',
        url_for(toggle, number=todo.id),
        "Undo" if todo.done else "Done",
        "↺" if todo.done else "✓",
        "done" if todo.done else "open",
        todo.title,
    )


@app.get("/")
async def home():
    items = html("").join([line(todo) for todo in todos.values()])
    form = html(
        '<form method="post" action="{}"><label>What is to be done? '
        '<input name="title" required maxlength="200" autofocus></label> <button>Add</button></form>',
        url_for(add),
    )
    return page("To do", form, html("<ul>{}</ul>", items))


@app.post("/todos")
async def add(todo: Annotated[NewTodo, Form()]):
    number = next(numbers)
    todos[number] = Todo(number, todo.title)
    return redirect(url_for(home), status=303)


@app.post("/todos/{number:int}/toggle")
async def toggle(number: int):
    todo = find(number)
    todo.done = not todo.done
    return redirect(url_for(home), status=303)


@app.get("/api/todos")
async def index(done: bool | None = None):
    return [todo for todo in todos.values() if done is None or todo.done is done]


@app.post("/api/todos", status=201)
async def create(todo: NewTodo):
    number = next(numbers)
    todos[number] = Todo(number, todo.title)
    return todos[number]


@app.delete("/api/todos/{number:int}")
async def delete(number: int) -> None:
    find(number)
    del todos[number]


@app.get("/style.css")
async def style():
    return STYLE, {"Content-Type": "text/css"}


@app.errorhandler(404)
async def missing(request: Request, error: Exception):
    if request.path.startswith("/api/"):
        raise error
    return page("Not here", html('<p><a href="{}">Back to the list</a></p>', url_for(home)))
