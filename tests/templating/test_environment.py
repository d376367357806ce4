"""Rendering: what is escaped, what is text, what is kept and what is read again."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

import demijohn
from demijohn.templating.compiler import html_text
from demijohn.templating.environment import ByteCode, Environment, is_text

Write = Callable[..., Path]


@pytest.mark.parametrize("name", ["a.html", "a.xml", "a.svg", "a.json", "a", "a.js", "a.htm", "mail.txt.html"])
def test_everything_is_escaped(environment: Environment, write: Write, name: str) -> None:
    """A plain string is escaped in every template that is not a text."""
    write({name: "{{ x }}|{{ x ~ x }}|{% set y = x %}{{ y }}"})
    safe = "&lt;b&gt; &amp; &#34;q&#34; &#39;"
    assert environment.render_name(name, {"x": '<b> & "q" \''}) == f"{safe}|{safe}{safe}|{safe}"


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "mail/a.txt", "a.txt.j2", "a.txt.jinja"])
def test_texts_are_not_escaped(environment: Environment, write: Write, name: str) -> None:
    """A text keeps `O'Neil & Co` as it is."""
    write({name: "{{ x }}"})
    rendered = environment.render_name(name, {"x": "O'Neil & Co"})
    assert rendered == "O'Neil & Co"
    assert type(rendered) is str
    assert is_text(name)


def test_text_given_as_a_string_is_escaped(environment: Environment) -> None:
    """A template without a name is HTML."""
    assert environment.render_text("{{ x }}", {"x": "<"}) == "&lt;"


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none()))
def test_html_text_is_what_jinja_prints(value: Any) -> None:
    """Our short way to print a value gives what `escape` gives, and no `Markup`."""
    assert html_text(value) == str(escape(value))
    assert type(html_text(value)) is str


def test_markup_is_printed_as_it_is(environment: Environment) -> None:
    """What says that it is HTML by `__html__` is not escaped, subclasses of `str` included."""

    class Ours(str):
        __slots__ = ()

        def __html__(self) -> str:
            return str(self)

    values = {"a": Markup("<i>"), "b": Ours("<b>"), "c": type("C", (str,), {})("<c>")}
    assert environment.render_text("{{ a }}{{ b }}{{ c }}", values) == "<i><b>&lt;c&gt;"


def test_attributes_come_before_items(environment: Environment) -> None:
    """`row.name` reads an attribute or an item; a property that raises AttributeError is not there."""

    class Row:
        name = "attribute"

        @property
        def broken(self) -> str:
            raise AttributeError("inside")

        def __getitem__(self, key: str) -> str:
            return f"item {key}"

    values = {"row": Row(), "data": {"a": {"b": [1, {"c": 5}]}, "items": "hidden"}}
    text = "{{ row.name }}|{{ row.other }}|{{ row.broken }}|{{ data.a.b[1].c }}|{{ data['items'] }}|{{ data.a.b.0 }}"
    assert environment.render_text(text, values) == "attribute|item other|item broken|5|hidden|1"


def test_autoescape_can_be_switched_off_for_a_part(environment: Environment) -> None:
    """`{% autoescape false %}` holds up to its end, also where it is computed."""
    text = "{{ x }}{% autoescape off %}{{ x }}{% endautoescape %}{{ x }}"
    assert environment.render_text(text, {"x": "<", "off": False}) == "&lt;<&lt;"


def test_globals_are_seen_by_imports_and_includes(environment: Environment, write: Write) -> None:
    """Macros that are imported without context see globals; includes see the page's names too."""
    environment.globals["site"] = "Demijohn"
    write(
        {
            "macros.html": "{% macro head(x) %}<h1>{{ site }}: {{ x }}</h1>{% endmacro %}",
            "part.html": "{{ site }}/{{ title }}",
            "page.html": "{% from 'macros.html' import head %}{{ head(title) }}{% include 'part.html' %}",
        }
    )
    rendered = environment.render_name("page.html", {"title": "A&B"})
    assert rendered == "<h1>Demijohn: A&amp;B</h1>Demijohn/A&amp;B"


def test_no_name_leads_out(environment: Environment, write: Write, tmp_path: Path) -> None:
    """`..`, absolute paths and backslashes find nothing, whatever is there."""
    write({"in.html": "in"})
    (tmp_path / "secret.html").write_text("secret")
    for name in ("../secret.html", "x/../../secret.html", f"{tmp_path}/secret.html", "..\\secret.html", "", "/", "."):
        assert environment.folders.find(name) is None or "templates" in str(environment.folders.find(name))
        with pytest.raises(Exception, match="DJN-701"):
            environment.render_name(name, {})


def test_earlier_folders_override(environment: Environment, write: Write, tmp_path: Path) -> None:
    """The app's template wins over a blueprint's of the same name, and can extend it by its owner's name."""
    write({"list.html": "{% extends 'blog:list.html' %}{% block title %}Mine, was {{ super() }}{% endblock %}"})
    environment.folders.add(
        write({"list.html": "<h1>{% block title %}Blog{% endblock %}</h1>", "own.html": "own"}, "blog"), "blog"
    )
    environment.folders.add(write({"list.html": "shop", "own.html": "shop's"}, "shop"), "shop")
    assert environment.render_name("list.html", {}) == "<h1>Mine, was Blog</h1>"
    assert environment.render_name("own.html", {}) == "own"
    assert environment.render_name("shop:own.html", {}) == "shop's"
    with pytest.raises(Exception, match="DJN-701"):
        environment.render_name("nobody:own.html", {})


def test_reload_reads_what_changed(write: Write, tmp_path: Path) -> None:
    """In development a changed file, parent, import or new override is seen at the next render, fragments too."""
    environment = Environment(reload=True)
    environment.folders.add(tmp_path / "templates")
    environment.folders.add(tmp_path / "later", "later")
    folder = write(
        {
            "base.html": "1{% block a %}{% endblock %}",
            "page.html": "{% extends 'base.html' %}{% from 'm.html' import m %}{% block a %}{{ m() }}{% endblock %}",
            "m.html": "{% macro m() %}one{% endmacro %}",
        }
    )
    write({"new.html": "from later"}, "later")
    assert environment.render_name("page.html", {}) == "1one"
    assert environment.render_name("page.html#a", {}) == "one"
    assert environment.render_name("new.html", {}) == "from later"
    for name, text in {
        "base.html": "2{% block a %}{% endblock %}",
        "m.html": "{% macro m() %}two{% endmacro %}",
    }.items():
        (folder / name).write_text(text)
        os.utime(folder / name, ns=(1, 1))
    (folder / "new.html").write_text("from app")
    assert environment.render_name("page.html", {}) == "2two"
    assert environment.render_name("page.html#a", {}) == "two"
    assert environment.render_name("new.html", {}) == "from app"


def test_production_reads_once(environment: Environment, write: Write) -> None:
    """Without reload a file is read once."""
    folder = write({"a.html": "one"})
    assert environment.render_name("a.html", {}) == "one"
    (folder / "a.html").write_text("two")
    assert environment.render_name("a.html", {}) == "one"


def test_names_without_bound_keep_memory_bounded(environment: Environment, write: Write) -> None:
    """A name that can be spelled in many ways does not fill the memory."""
    write({"a.html": "x"})
    for count in range(1200):
        assert environment.render_name("./" * count + "a.html", {}) == "x"
    assert len(environment._loaded) <= 1000


def test_byte_code_is_kept_between_processes(write: Write, tmp_path: Path) -> None:
    """A second environment takes the compiled template, and compiles again when source or components change."""
    write({"a.html": "{{ x }}"})
    compiled: list[str] = []

    class Counting(Environment):
        def compile(self, source: Any, name: str | None = None, *args: Any, **kwargs: Any) -> Any:
            compiled.append(str(name))
            return super().compile(source, name, *args, **kwargs)

    def render(fingerprint: str) -> str:
        cache = ByteCode(str(tmp_path), lambda: fingerprint)
        environment = Counting(byte_code=cache)
        environment.folders.add(tmp_path / "templates")
        return environment.render_name("a.html", {"x": "<"})

    assert [render("1"), render("1")] == ["&lt;", "&lt;"]
    assert compiled == ["a.html"]
    render("2")
    assert compiled == ["a.html"] * 2
    write({"a.html": "{{ x }}!"})
    assert render("2") == "&lt;!"
    assert compiled == ["a.html"] * 3


def test_byte_code_is_that_of_the_present_compiler(tmp_path: Path) -> None:
    """Where the code that compiles templates has changed, without a new version, templates are compiled anew."""
    package = tmp_path / "path" / "demijohn"
    shutil.copytree(Path(demijohn.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "*.po"))
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.html").write_text("{{ x }}")
    program = (
        "import demijohn\n"
        "from demijohn.templating import Templates, render_template\n"
        f"assert demijohn.__file__.startswith({str(package)!r})\n"
        "app = demijohn.App()\n"
        f"app.use(Templates({str(tmp_path / 'templates')!r}, byte_code={str(tmp_path / 'kept')!r}))\n"
        "with app.context():\n"
        "    print(render_template('a.html', x='seen'))\n"
    )

    def render() -> tuple[str, list[tuple[str, int]]]:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(package.parent)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        kept = [(one.name, one.stat().st_mtime_ns) for one in sorted((tmp_path / "kept").iterdir())]
        assert kept
        return done.stdout.strip(), kept

    first, kept = render()
    assert first == "seen"
    assert render() == ("seen", kept)  # taken, not compiled
    with (package / "templating" / "compiler.py").open("a") as file:
        file.write("\n\nGenerator.visit_Output = lambda self, node, frame: self.writeline(\"yield 'changed'\")\n")
    assert render()[0] == "changed"


def test_contexts_do_not_leak(environment: Environment) -> None:
    """What one render sets, another does not see."""
    assert environment.render_text("{% set a = 1 %}{{ a }}", {}) == "1"
    assert environment.render_text("{% if a is defined %}leak{% endif %}", {}) == ""
    assert "a" not in environment.globals


def test_jinja_itself_is_one_step_away(environment: Environment) -> None:
    """The environment is a Jinja2 environment: filters, tests and options work as documented there."""
    environment.filters["shout"] = lambda value: f"{value}!"
    environment.tests["loud"] = lambda value: str(value).endswith("!")
    assert isinstance(environment, jinja2.Environment)
    assert environment.render_text("{{ 'a'|shout }}{{ 'a!' is loud }}", {}) == "a!True"


def test_tojson_takes_what_the_app_can_write(environment: Environment) -> None:
    """`tojson` writes dates and Structs, and nothing in it can end a script."""

    class Item(msgspec.Struct):
        name: str
        on: dt.date

    value = Item("</script><!-- & '", dt.date(2026, 1, 2))
    assert environment.render_text("{{ value|tojson }}", {"value": value}) == (
        '{"name":"\\u003c/script\\u003e\\u003c!-- \\u0026 \\u0027","on":"2026-01-02"}'
    )
    assert environment.render_text("{{ {'a': 1}|tojson(indent=1) }}", {}) == '{\n "a": 1\n}'
