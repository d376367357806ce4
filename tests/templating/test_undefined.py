"""An undefined name may be tested; whatever else is done with it raises and says where."""

from collections.abc import Callable
from pathlib import Path

import pytest

from demijohn import App, Settings
from demijohn.templating import Templates, render_template_string
from demijohn.templating.environment import Environment
from demijohn.templating.failures import TemplateError, TemplateSyntaxError, UndefinedError
from demijohn.templating.undefined import StrictUndefined
from demijohn.testing import TestClient


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% if nope %}x{% else %}no{% endif %}", "no"),
        ("{{ nope or 'instead' }}", "instead"),
        ("{% if not nope %}not{% endif %}", "not"),
        ("{% if nope and nope.more %}x{% endif %}", ""),
        ("{{ nope is defined }} {{ nope is undefined }}", "False True"),
        ("{{ nope|default('d') }} {{ nope|d('d') }}", "d d"),
        ("{{ 'x' if nope else 'y' }}", "y"),
        ("{{ 'x' if nope }}", ""),
        ("{{ thing.nope or 'none' }}", "none"),
        ("{% if thing.nope is defined %}x{% endif %}", ""),
        ("{{ data.nope|default('d') }}{{ data['nope'] or 'e' }}", "de"),
        ("{% set copy = nope %}{{ copy or 'c' }}", "c"),
    ],
)
def test_may_be_tested(environment: Environment, text: str, expected: str) -> None:
    """`if`, `not`, `and`, `or`, `is defined` and `default` take an undefined name or attribute."""
    assert environment.render_text(text, {"thing": object(), "data": {}}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{ nope }}",
        "{{ nope ~ 'x' }}",
        "{% for x in nope %}{% endfor %}",
        "{{ nope.attribute }}",
        "{{ nope['item'] }}",
        "{{ nope() }}",
        "{{ nope + 1 }}",
        "{{ -nope }}",
        "{{ nope|length }}",
        "{{ nope|upper }}",
        "{{ nope|join(',') }}",
        "{{ nope|list }}",
        "{{ nope == 'x' }}",
        "{{ nope != 'x' }}",
        "{{ 'x' == nope }}",
        "{{ nope in ['x'] }}",
        "{{ 'x' in nope }}",
        "{{ nope > 1 }}",
        "{{ [nope]|join }}",
        "{{ {nope: 1} }}",
        "{{ nope|int }}",
        "{{ nope|tojson }}",
        "{{ '%s'|format(nope) }}",
        "{{ nope|safe }}",
        "{{ nope|e }}",
        "{% include nope %}",
    ],
)
def test_anything_else_raises(environment: Environment, text: str) -> None:
    """Printing, iterating, comparing, calling, reading attributes and filtering raise with the line and the name."""
    with pytest.raises(UndefinedError, match=r"'nope'") as caught:
        environment.render_text(f"first\n{text}", {})
    assert caught.value.code == "DJN-704"
    assert caught.value.line == 2


def test_texts_raise_as_well(environment: Environment, write: Callable[..., Path]) -> None:
    """A mail's text part with a hole in it is not sent."""
    write({"mail.txt": "Dear {{ nmae }},"})
    with pytest.raises(UndefinedError, match="Did you mean 'name'"):
        environment.render_name("mail.txt", {"name": "Ann"})


def test_message_names_template_line_and_near_names(environment: Environment, write: Callable[..., Path]) -> None:
    """The message has the template that was at fault, not the one that was asked for, its line, and near names."""
    write(
        {
            "base.html": "<title>{% block title %}{% endblock %}</title>\n{% block body %}{% endblock %}",
            "posts/list.html": "{% extends 'base.html' %}\n{% block body %}\n{% for post in pots %}{% endfor %}{% endblock %}",
        }
    )
    with pytest.raises(UndefinedError) as caught:
        environment.render_name("posts/list.html", {"posts": []})
    message = str(caught.value)
    assert message.startswith("posts/list.html:3 uses 'pots', which is not defined. Did you mean 'posts'?")
    assert "{% for post in pots %}" in message
    assert (caught.value.template, caught.value.line) == ("posts/list.html", 3)


def test_near_names_include_those_of_the_template(environment: Environment) -> None:
    """Names that a loop or `set` made are candidates, inside macros too."""
    with pytest.raises(UndefinedError, match="Did you mean 'invoice'"):
        environment.render_text("{% for invoice in [1] %}{{ invioce }}{% endfor %}", {})
    with pytest.raises(UndefinedError, match="Did you mean 'address'"):
        environment.render_text("{% macro m(address) %}{{ adress }}{% endmacro %}{{ m(1) }}", {})


def test_missing_attribute_names_the_object(environment: Environment) -> None:
    """An attribute that is not there is told with the kind of object and near attributes or keys."""

    class Post:
        def __init__(self) -> None:
            self.title = "x"

    with pytest.raises(UndefinedError, match=r"reads 'titel' of .*Post.*Did you mean 'title'"):
        environment.render_text("{{ post.titel }}", {"post": Post()})
    with pytest.raises(UndefinedError, match=r"reads 'nam' of a dict.*Did you mean 'name'"):
        environment.render_text("{{ user.nam }}", {"user": {"name": 1}})
    with pytest.raises(UndefinedError, match=r"reads 'name' of None"):
        environment.render_text("{{ user.name }}", {"user": None})


def test_traceback_shows_the_template(environment: Environment, write: Callable[..., Path]) -> None:
    """The traceback of the error ends in the template's own line, for the debugger and the log."""
    write({"a.html": "one\n{{ two }}"})
    with pytest.raises(UndefinedError) as caught:
        environment.render_name("a.html", {})
    frames = [(entry.path.name, entry.lineno + 1) for entry in caught.traceback]
    assert ("a.html", 2) in frames


def test_other_errors_keep_their_type_and_get_a_note(environment: Environment, write: Callable[..., Path]) -> None:
    """An error of the app's own code stays what it is, with a note that names the template and its line."""

    def divide() -> float:
        return 1 / 0

    write({"a.html": "\n\n{{ divide() }}"})
    with pytest.raises(ZeroDivisionError) as caught:
        environment.render_name("a.html", {"divide": divide})
    assert caught.value.__notes__ == ["In template a.html:3: {{ divide() }}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ x|uper }}", "No filter named 'uper'. Did you mean 'upper'"),
        ("{{ x is definde }}", "No test named 'definde'. Did you mean 'defined'"),
        ("{% fro x in y %}", "unknown tag 'fro'. Did you mean 'from' or 'for'"),
        ("{% if x %}", "Unexpected end of template"),
        ("{{ x }", "Unexpected '}'"),
        ("{% block a %}{% endblock %}{% block a %}{% endblock %}", "Block 'a' defined twice"),
    ],
)
def test_syntax_errors_name_the_line(
    environment: Environment, write: Callable[..., Path], text: str, message: str
) -> None:
    """What cannot be compiled is told with the line as it stands in the file."""
    write({"bad.html": f"ok\n{text}"})
    with pytest.raises(TemplateSyntaxError) as caught:
        environment.render_name("bad.html", {})
    assert "bad.html:2: " in str(caught.value)
    assert message in str(caught.value)
    assert f"The line is:  {text}" in str(caught.value)


def test_jinjas_own_runtime_errors_are_told(environment: Environment) -> None:
    """An error that Jinja2 raises while rendering has its place and code too."""
    with pytest.raises(TemplateError) as caught:
        environment.render_text("\n{% if no %}{{ 1|nofilter }}{% else %}{{ self.nothing() }}{% endif %}", {})
    assert caught.value.code.startswith("DJN-70")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ nope is defined }}", "False"),
        ("{{ nope|default('d') }}", "d"),
        ("{% if nope is defined and nope %}x{% endif %}", ""),
        ("{% if name %}x{% endif %}", "x"),
    ],
)
def test_strict_apps_may_ask(text: str, expected: str) -> None:
    """In a strict app `is defined` and `default` take an undefined name."""
    assert Environment(options={"undefined": StrictUndefined}).render_text(text, {"name": "x"}) == expected


@pytest.mark.parametrize(
    "text", ["{% if nope %}{% endif %}", "{{ nope or 'x' }}", "{{ 'a' if not nope }}", "{{ nope }}"]
)
def test_strict_apps_may_not_test(text: str) -> None:
    """In a strict app a condition on an undefined name raises, with the line and what may be meant."""
    with pytest.raises(UndefinedError, match="nope"):
        Environment(options={"undefined": StrictUndefined}).render_text(text, {"hope": "x"})


def test_our_own_templates_are_left_alone_in_strict_apps() -> None:
    """The base template tests names that pages may leave out; a strict app can still extend it."""
    app = App(settings=Settings.load({}, files=(), env="test"), strict=True)
    app.use(Templates())

    @app.get("/")
    def home() -> str:
        return render_template_string("{% extends 'demijohn/base.html' %}{% block content %}<p>Hello</p>{% endblock %}")

    @app.get("/wrong")
    def wrong() -> str:
        return render_template_string("{% if usr %}{% endif %}")

    with TestClient(app, raise_server_exceptions=False) as client:
        assert "<p>Hello</p>" in client.get("/").text
        assert client.get("/wrong").status_code == 500
