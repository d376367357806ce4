"""The strict switch: typed handlers, a policy on every route, front doors between features."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from demijohn import App, Settings, View
from demijohn.app.checks import CheckMessage
from demijohn.middleware import mark


class Policy:
    """What accounts leave on a function that says who may come."""

    name = "policy"
    policy = "public"

    def applies(self, methods: frozenset[str]) -> bool:
        return False

    def __call__(self, request: object) -> None: ...


def public(function):
    mark(function).guards.append(Policy())
    return function


def found(app: App) -> dict[str, list[CheckMessage]]:
    app.freeze()
    messages: dict[str, list[CheckMessage]] = {}
    for message in app.run_checks():
        messages.setdefault(message.id, []).append(message)
    return messages


def strict_app(strict: bool = True) -> App:
    return App(settings=Settings.load({}, files=(), env="test"), strict=strict)


def test_an_easy_app_is_left_alone() -> None:
    """Without the switch nothing of it is asked for."""
    app = strict_app(strict=False)

    @app.get("/{name}")
    def home(name):
        return name

    assert not any(name.startswith("strict.") for name in found(app))


def test_what_a_strict_app_is_told() -> None:
    """Untyped parameters and results, and routes of which nobody said who may use them, each with its place."""
    app = strict_app()

    @app.get("/bare/{name}")
    def bare(name):
        return name

    @app.get("/good/{name}")
    @public
    def good(name: str) -> str:
        return name

    class Posts(View):
        async def get(self) -> str:
            return ""

        async def post(self):
            return ""

    app.route("/posts")(Posts)
    messages = found(app)
    untyped = [message.text for message in messages["strict.untyped"]]
    assert untyped == [
        "The handler of /bare/{name} says no type for name, return.",
        "The handler of /posts says no type for return.",
    ]
    assert all("test_strict.py:" in message.place for message in messages["strict.untyped"])
    assert len(messages["strict.policy"]) == 3
    assert not any("/good" in message.text for message in messages["strict.policy"])
    assert {message.level for each in messages.values() for message in each} == {"error"}


def test_who_takes_the_user_has_a_policy() -> None:
    """A handler that takes what a battery of accounts provides cannot be called by just anybody."""

    class User: ...

    app = strict_app()
    app.policy_types.add(User)
    app.provide(User, User)

    @app.get("/mine")
    def mine(user: User) -> str:
        return ""

    assert "strict.policy" not in found(app)


def test_annotations_may_be_strings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `from __future__ import annotations` the user is found as well, in a function and in a view."""
    (tmp_path / "lazy_site.py").write_text("""
from __future__ import annotations

from demijohn import App, Settings, View

class User: ...

app = App(settings=Settings.load({}, files=(), env="test"), strict=True)
app.policy_types.add(User)
app.provide(User, User)

@app.get("/mine")
def mine(user: User) -> str:
    return ""

@app.route("/desk")
class Desk(View):
    async def get(self, user: User) -> str:
        return ""

    async def post(self) -> str:
        return ""
""")
    monkeypatch.syspath_prepend(tmp_path)
    messages = found(importlib.import_module("lazy_site").app)
    assert [message.text for message in messages["strict.policy"]] == ["Nobody said who may use POST /desk."]


FILES = {
    "shop/__init__.py": "",
    "shop/app.py": """
from demijohn import App
from shop import orders, stock

app = App(strict=True)
app.include(orders.blueprint)
app.include(stock.blueprint)
""",
    "shop/orders/__init__.py": "from shop.orders.views import blueprint\n",
    "shop/orders/views.py": """
from demijohn import Blueprint
from shop.orders import models
from shop.stock import level
from ..stock import level as same
import shop.stock.models
from shop.stock.models import Item
from ..stock.models import Item as ItemAgain
from shop.stock import models as others

blueprint = Blueprint("orders")
""",
    "shop/orders/models.py": "",
    "shop/stock/__init__.py": """
from demijohn import Blueprint

blueprint = Blueprint("stock")


def level() -> int:
    return 3
""",
    "shop/stock/models.py": "class Item: ...\n",
}


def test_features_meet_at_their_front_doors(tmp_path: Path) -> None:
    """An import into the inside of another feature is an error at its line; one from its front door is not."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "demijohn", "check", "shop.app:app"], cwd=tmp_path, capture_output=True, text=True
    )
    lines = [line for line in done.stdout.splitlines() if "strict.front_door" in line]
    assert done.returncode == 1, done.stderr
    assert [int(line.partition("views.py:")[2].partition(":")[0]) for line in lines] == [6, 7, 8, 9], (
        done.stdout + done.stderr
    )
