"""What the tests of forms share: apps with a page that shows a form, over models of their own."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demijohn import App, Secret, Settings
from demijohn.db import Database
from demijohn.templating import Templates
from tests.forms.shop import Shop, fill

PAGE = """{% extends "demijohn/base.html" %}
{% block title %}Form{% endblock %}
{% block content %}<h1>Form</h1>{{ form }}{% endblock %}"""


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., App]:
    """Make an app whose templates are in the test's folder: `form.html` shows the form alone."""

    def make(**options: Any) -> App:
        folder = tmp_path / "templates"
        folder.mkdir(exist_ok=True)
        (folder / "form.html").write_text(PAGE)
        settings = Settings(secret_key=Secret("a7c1f09e5b2d48836e4f0c9b1d75a2e8"))
        app = App(settings=settings, templates=folder, **options)
        app.use(Templates(byte_code=False))
        return app

    return make


@pytest.fixture
def shop(make_app: Callable[..., App], tmp_path: Path) -> App:
    """An app with a database of orders and products."""
    app = make_app()
    database = app.use(Database(f"sqlite:///{tmp_path}/shop.db"))

    @app.on_startup
    async def prepare() -> None:
        async with database.unit():
            await database.create_all(Shop)
            await fill()

    return app


def messages(page: str) -> list[str]:
    """The sentences of the summary at the top of a page."""
    summary = re.search(r'<div class="error-summary".*?</div>', page, re.DOTALL)
    if summary is None:
        return []
    return [re.sub(r"<[^>]+>", "", item).strip() for item in re.findall(r"<li>(.*?)</li>", summary[0], re.DOTALL)]


def control(page: str, name: str) -> str:
    """The tag of the control of a name."""
    found = re.search(rf'<(?:input|select|textarea)(?: [^>]*)? name="{re.escape(name)}"[^>]*>', page)
    assert found is not None, f"no control {name!r}"
    return found[0]
