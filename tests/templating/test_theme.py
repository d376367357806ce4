"""The default look: a base template with its files, served under the strict policy, for apps and batteries to extend."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demijohn import App, Blueprint, Page, Secret, Settings, flash
from demijohn.http import Markup
from demijohn.templating import Templates
from demijohn.testing import TestClient

Write = Callable[..., Path]


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app whose templates are in the test's folder."""
    app = App(settings=Settings(secret_key=Secret("a7c1f09e5b2d48836e4f0c9b1d75a2e8")))
    app.use(Templates(tmp_path / "templates", byte_code=False))
    return app


def show(app: App, name: str = "page.html", **context: Any) -> None:
    """Let the app answer `/` with a template."""

    @app.get("/")
    def home() -> Any:
        flash("Saved <b>", "success")
        flash(Markup("<i>Now</i>"))
        return Page(name, **context)


def test_a_footer_has_its_line_and_width(app: App, write: Write) -> None:
    """What a page puts into the block `footer` stands in the footer of the theme, in line with the rest of the page."""
    write({"page.html": "{% extends 'demijohn/base.html' %}{% block footer %}<p>Made by hand</p>{% endblock %}"})
    show(app)
    with TestClient(app) as client:
        assert '<footer class="container site-footer"><p>Made by hand</p></footer>' in client.get("/").text


def test_a_page_extends_the_base(app: App, write: Write) -> None:
    """The blocks of the base are filled, flashed messages are shown and escaped, and nothing is inline."""
    write({"page.html": "{% extends 'demijohn/base.html' %}{% block content %}<h1>Here</h1>{% endblock %}"})
    show(app, title="Cellar & more")
    with TestClient(app) as client:
        page = client.get("/").text
    assert "<title>Cellar &amp; more</title>" in page
    assert "<h1>Here</h1>" in page
    assert '<p class="message success">Saved &lt;b&gt;</p>' in page
    assert '<p class="message message"><i>Now</i></p>' in page
    assert "style=" not in page
    assert "<style" not in page
    assert re.findall(r"<script(?![^>]* src=)", page) == []


def test_its_files_are_kept_for_ever(app: App, write: Write) -> None:
    """Every file that the base names is served, with a hash, a type and a long life."""
    write({"page.html": "{% extends 'demijohn/base.html' %}"})
    show(app)
    with TestClient(app) as client:
        urls = re.findall(r'(?:href|src)="(/[^"]+)"', client.get("/").text)
        types = []
        for url in urls:
            response = client.get(url)
            assert response.status_code == 200, url
            assert "immutable" in response.headers["cache-control"]
            types.append(response.headers["content-type"].partition(";")[0])
        assert types == ["text/css", "text/css", "text/javascript", "image/svg+xml"]
        assert client.get("/__demijohn__/static/theme/../battery.py").status_code == 404
        assert client.get("/__demijohn__/static/theme/%2e%2e%2fbattery.py").status_code == 404
        assert client.get("/__demijohn__/static/nobody/demijohn.css").status_code == 404


def test_files_come_whatever_the_prefixes(tmp_path: Path, write: Write) -> None:
    """A battery that is set up by the first page has its files served too, in an app made of a blueprint alone."""
    write({"page.html": "{% extends 'demijohn/base.html' %}"})
    app = App(
        settings=Settings(secret_key=Secret("a7c1f09e5b2d48836e4f0c9b1d75a2e8")), templates=tmp_path / "templates"
    )
    blog = Blueprint("blog", prefix="/blog")

    @blog.get("/")
    def home() -> Any:
        return Page("page.html")

    app.include(blog)
    with TestClient(app) as client:
        url = re.findall(r'href="(/[^"]+css)"', client.get("/blog/").text)[0]
        assert client.get(url).status_code == 200


def test_an_app_puts_its_own_in_place(app: App, write: Write) -> None:
    """A file of the same name hides the base, and may extend what it hides."""
    write(
        {
            "demijohn/base.html": "{% extends 'demijohn:demijohn/base.html' %}{% block footer %}<p>Ours</p>{% endblock %}",
            "page.html": "{% extends 'demijohn/base.html' %}{% block content %}<h1>Here</h1>{% endblock %}",
        }
    )
    show(app)
    with TestClient(app) as client:
        page = client.get("/").text
    assert "<p>Ours</p>" in page
    assert "<h1>Here</h1>" in page


def test_the_checks_find_nothing(app: App, write: Write) -> None:
    """`demijohn check` reads the base as any other template, and has nothing to say."""
    write({"page.html": "{% extends 'demijohn/base.html' %}"})
    show(app)
    app.freeze()
    assert [message for message in app.run_checks() if "templat" in message.id or message.id.startswith("DJN-7")] == []
