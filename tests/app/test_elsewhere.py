"""Names of other frameworks are answered with the line to write here."""

import pkgutil
import subprocess
import sys

import pytest

import demijohn
from demijohn import App, Blueprint, Settings, path
from demijohn._lib.elsewhere import ATTRIBUTES, IMPORTS, KEYWORDS, ROUTE_OPTIONS
from demijohn.app import RouteOptions
from demijohn.db import Mapped, Model, column
from demijohn.errors import ConfigurationError, NameElsewhere
from demijohn.testing import TestClient


class Base(Model, isolated=True):
    pass


class Post(Base):
    title: Mapped[str] = column(max_length=40)
    subtitle: Mapped[str | None] = column(max_length=40)

    @property
    def loud(self) -> str:
        return self.subtitle.upper()  # type: ignore[union-attr]


@pytest.mark.parametrize("name", sorted(IMPORTS))
def test_imports_are_translated(name: str) -> None:
    """`from demijohn import render_template` says what is written here, and nothing has two names."""
    assert name not in demijohn.__all__
    assert name not in {entry.name for entry in pkgutil.iter_modules(demijohn.__path__)}
    with pytest.raises(ImportError, match="DJN-016") as caught:
        exec(f"from demijohn import {name}", {})
    assert IMPORTS[name] in str(caught.value)


def test_the_lines_to_write_are_right() -> None:
    """Whatever a translation says to import can be imported."""
    lines = [text.partition("   ")[0].partition("  and")[0] for text in IMPORTS.values() if text.startswith("from ")]
    assert len(lines) > 20
    for line in lines:
        exec(line, {})


@pytest.mark.parametrize("name", sorted(ATTRIBUTES["App"]))
def test_attributes_of_an_app_are_translated(name: str) -> None:
    """`app.register_blueprint` is an AttributeError that names the line."""
    for owner in (App(settings=Settings.load({}, files=(), env="test")), Blueprint("x")):
        if name in vars(owner):
            continue
        with pytest.raises(NameElsewhere) as caught:
            getattr(owner, name)
        assert ATTRIBUTES["App"][name] in str(caught.value)
        assert not hasattr(owner, name)


def test_attributes_of_a_model_are_translated() -> None:
    """`Post.objects` names the query to write, with the name of the model."""
    with pytest.raises(NameElsewhere, match=r"Post\.where"):
        Post.objects  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        Post.nothing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", sorted(ATTRIBUTES["object"]))
def test_attributes_of_an_object_are_translated(name: str) -> None:
    """`user.has_perm` and `post.pk` name what is written here; an object has no such attribute."""
    with pytest.raises(NameElsewhere) as caught:
        getattr(Post(title="x"), name)
    assert ATTRIBUTES["object"][name] in str(caught.value)
    assert not hasattr(Post(title="x"), name)


@pytest.mark.parametrize("name", sorted(ATTRIBUTES["QuerySet"]))
def test_methods_of_a_query_are_translated(name: str) -> None:
    """`.filter(...)` and `.select_related(...)` name the method to call, with the name of the model."""
    for query in (Post.query(), Post.query().select(Post.title)):
        with pytest.raises(NameElsewhere) as caught:
            getattr(query, name)
        assert ATTRIBUTES["QuerySet"][name] in str(caught.value)
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            query.nothing  # noqa: B018


def test_a_property_that_fails_tells_its_own_error() -> None:
    """What a property of a model raises is not hidden behind its name."""
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'upper'"):
        Post(title="x").loud  # noqa: B018
    with pytest.raises(AttributeError, match="'Post' object has no attribute 'nothing'"):
        Post(title="x").nothing  # type: ignore[attr-defined]  # noqa: B018


def test_other_names_are_plain_errors() -> None:
    """What no framework knows is an ordinary error, and Python's own guess still helps."""
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from demijohn import nothing", {})
    assert not hasattr(demijohn, "nothing")


def test_a_traceback_shows_it() -> None:
    """The message is the last that the terminal shows."""
    done = subprocess.run(
        [sys.executable, "-c", "from demijohn import Flask"], capture_output=True, text=True, check=False
    )
    assert done.stderr.rstrip().endswith("Here:  from demijohn import App  [DJN-016]")


def view() -> str:
    """A handler."""
    return "x"


@pytest.mark.parametrize("name", sorted(ROUTE_OPTIONS))
def test_options_of_a_route_are_translated(name: str) -> None:
    """`status_code=201` on a route says `status=201`, wherever it is declared, and nothing is passed over."""
    assert name not in RouteOptions.__annotations__
    options = {name: "x"}
    for declare in (
        lambda: App().route("/", **options),  # type: ignore[arg-type]
        lambda: Blueprint("x").get("/", **options),  # type: ignore[arg-type]
        lambda: App().websocket("/", **options),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigurationError, match="DJN-424") as caught:
            declare()
        assert f"Here:  {ROUTE_OPTIONS[name]}" in str(caught.value)
        assert "test_elsewhere.py:" in str(caught.value)


def test_other_options_of_a_route_are_refused() -> None:
    """A slip of the pen is an error with the nearest name, in a decorator and in a list of routes."""
    with pytest.raises(ConfigurationError, match=r"`staus`.*Did you mean 'status'"):
        App().get("/", staus=201)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="`anything`"):
        App().add_routes([path("/", view, anything=1)])
    with pytest.raises(ConfigurationError, match="`anything`"):
        App().add_route("/", view, anything=1)  # type: ignore[call-arg]


def test_the_slash_of_one_route() -> None:
    """A route says for itself what becomes of the same path with a slash more."""
    app = App(settings=Settings.load({}, files=(), env="test"))
    app.add_route("/both", view, slash="ignore")
    app.add_route("/one", view, slash="strict")
    app.add_route("/usual", view)
    with TestClient(app) as client:
        found = [client.get(f"/{name}/").status_code for name in ("both", "one", "usual")]
    assert found == [200, 404, 301]


def test_keywords_that_are_translated_are_refused() -> None:
    """What is translated is no keyword here."""
    for owner, call in (("App", App), ("Blueprint", lambda **more: Blueprint("x", **more))):
        for name in KEYWORDS[owner]:
            with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
                call(**{name: "x"})  # type: ignore[operator]
