"""`demijohn routes --explain`, `demijohn doctor` and the shell: what they tell of an app."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SITE = """
from demijohn import App, Blueprint, View
from demijohn.middleware import rate_limit

app = App()
shop = Blueprint("shop")

class Clock: ...

app.provide(Clock)

@app.before_request
def greet(): ...

@app.after_request
async def sign(response): ...

@app.middleware
async def around(request, next):
    return await next(request)

@shop.post("/things/{number:int}")
def change(number: int, clock: Clock, q: str = ""):
    return ""

@shop.get("/things/{number:int}")
async def thing(number: int):
    return ""

class Posts(View):
    async def get(self):
        return ""

app.route("/posts")(Posts)
app.include(shop, prefix="/shop")
"""


def demijohn(folder: Path, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "demijohn", *arguments],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(folder)},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SITE)
    return tmp_path


def steps(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_request_is_explained_in_order(folder: Path) -> None:
    """Route, values, guards, middleware, hooks, binding and handler stand in the order in which they happen."""
    told = steps(demijohn(folder, "routes", "app.py", "--explain", "/shop/things/7?q=x", "--method", "POST"))
    assert told[0].startswith("route POST /shop/things/{number:int} (shop.change) app.py:")
    assert told[0].endswith("µs")
    assert told[1] == "path value number = 7"
    kinds = [line.split()[0] for line in told[2:]]
    assert kinds == ["guard", "middleware", "guard", "guard", "before", "binds", "binds", "binds", "handler", "after"]
    assert "guard hosts" in told[2]
    assert any("csrf" in line for line in told)
    assert "binds number: int from path" in told
    assert "binds clock: Clock from service" in told
    assert "binds q: str from query" in told
    assert [line for line in told if line.startswith("handler change (function) app.py:") and "one hop" in line]


def test_what_has_no_route_is_told(folder: Path) -> None:
    """404, 405 with what is allowed, and the other form of a slash."""
    assert steps(demijohn(folder, "routes", "app.py", "--explain", "/nothing")) == ["no route 404"]
    told = steps(demijohn(folder, "routes", "app.py", "--explain", "/posts", "--method", "PUT"))
    assert told == ["no route 405, allowed: GET, HEAD"]
    assert steps(demijohn(folder, "routes", "app.py", "--explain", "/posts/")) == ["redirect /posts"]


def test_a_class_is_explained_by_its_method(folder: Path) -> None:
    """The handler of a class-based view is its method."""
    assert any(
        "handler" in line and "(coroutine)" in line for line in steps(demijohn(folder, "routes", "--explain", "/posts"))
    )


def test_the_doctor_looks_around(folder: Path) -> None:
    """Versions, drivers, the app and what it imports; nothing is ill."""
    text = demijohn(folder, "doctor", "app.py")
    for part in ("demijohn 0.", "msgspec ", "asyncpg ", "routes, batteries: none", "ms for all imports of the app"):
        assert part in text


def test_the_doctor_finds_what_is_ill(folder: Path) -> None:
    """An app that cannot be loaded is told, and ends with 1."""
    (folder / "app.py").write_text("import nothing_of_that_name")
    done = subprocess.run(
        [sys.executable, "-m", "demijohn", "doctor", "app.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "nothing_of_that_name" in done.stdout


def test_the_shell_awaits(folder: Path) -> None:
    """`await` works at the prompt."""
    text = demijohn(
        folder, "shell", "app.py", "--plain", given="import asyncio\nawait asyncio.sleep(0, result=41 + 1)\n"
    )
    assert "42" in text
