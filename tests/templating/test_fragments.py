"""One block alone: with what it needs of the top level, and nothing else of the page."""

from collections.abc import Callable
from pathlib import Path

import pytest

from demijohn.templating.environment import Environment
from demijohn.templating.failures import BlockNotFound, TemplateNotFound

Write = Callable[..., Path]


@pytest.fixture
def calls(environment: Environment) -> list[str]:
    """What templates have called `note` with."""
    noted: list[str] = []

    def note(word: str) -> str:
        noted.append(word)
        return word

    environment.globals["note"] = note
    return noted


def test_only_the_block_is_rendered(environment: Environment, write: Write, calls: list[str]) -> None:
    """Neither the layout nor another block runs, so that what they do (read messages, query) does not happen."""
    write(
        {
            "base.html": "{% set m = note('base') %}<html>{{ note('layout') }}{% block a %}{% endblock %}{{ m }}",
            "page.html": "{% extends 'base.html' %}{% set n = note('child') %}{% block a %}A{% block b %}B{{ x }}{% endblock %}"
            "{{ note('a') }}{% endblock %}",
        }
    )
    assert environment.render_name("page.html#b", {"x": "<"}) == "B&lt;"
    assert calls == []


def test_imports_of_the_top_level_work(environment: Environment, write: Write) -> None:
    """A macro that the child template imports at its top is there in the block."""
    write(
        {
            "macros.html": "{% macro row(p) %}<tr>{{ p }}</tr>{% endmacro %}",
            "base.html": "{% block rows %}{% endblock %}",
            "page.html": "{% extends 'base.html' %}{% from 'macros.html' import row as line %}{% import 'macros.html' as m %}"
            "{% block rows %}{% for p in ps %}{{ line(p) }}{{ m.row(p) }}{% endfor %}{% endblock %}",
        }
    )
    assert environment.render_name("page.html#rows", {"ps": [1]}) == "<tr>1</tr><tr>1</tr>"


def test_names_of_the_top_level_are_there_with_what_they_need(
    environment: Environment, write: Write, calls: list[str]
) -> None:
    """`set`, macros and namespaces that the block depends on run, in their order; others do not."""
    write(
        {
            "page.html": "{% set a = note('a') %}{% set b = a ~ 'b' %}{% set other = note('other') %}"
            "{% set ns = namespace(total=0) %}{% for n in numbers %}{% set ns.total = ns.total + n %}{{ note('loop') }}{% endfor %}"
            "{% set ignored %}{{ note('ignored') }}{% endset %}"
            "{% if numbers|length > 2 %}{% set size = 'many' %}{% elif numbers %}{% set size = 'some' %}"
            "{% else %}{% set size = 'none' %}{% endif %}"
            "{% macro show(x) %}[{{ x }}{{ b }}]{% endmacro %}"
            "{% set items = [] %}{% do items.append('done') %}{% do note('done') %}"
            "{{ note('printed') }}{% block sum %}{{ show(ns.total) }}{{ size }}{{ items[0] }}{% endblock %}",
        }
    )
    assert environment.render_name("page.html#sum", {"numbers": [1, 2]}) == "[3ab]somedone"
    assert calls == ["a"]


def test_blocks_of_a_parent_and_super(environment: Environment, write: Write) -> None:
    """A block that the child does not override is the parent's, with the parent's imports; `super()` and `self` work."""
    write(
        {
            "m.html": "{% macro m(x) %}({{ x }}){% endmacro %}",
            "base.html": "{% from 'm.html' import m %}{% set site = 'S' %}"
            "{% block foot %}{{ m(site) }}{% endblock %}{% block head %}base {{ m(title) }}{% endblock %}",
            "middle.html": "{% extends 'base.html' %}{% block head %}middle<{{ super() }}>{% endblock %}",
            "page.html": "{% extends 'middle.html' %}{% set title = 'T' %}"
            "{% block head %}page<{{ super() }}>{{ self.foot() }}{% endblock %}",
        }
    )
    assert environment.render_name("page.html#foot", {}) == "(S)"
    assert environment.render_name("page.html#head", {}) == "page<middle<base (T)>>(S)"


def test_layout_that_is_computed(environment: Environment, write: Write) -> None:
    """`extends` with a name that is only known while rendering works, also inside `if`."""
    write(
        {
            "one.html": "{% set w = 'one' %}{% block a %}{{ w }}{% endblock %}",
            "two.html": "{% set w = 'two' %}{% block a %}{{ w }}{% endblock %}{% block only %}two{% endblock %}",
            "page.html": "{% extends layout %}{% block a %}page:{{ super() }}{% endblock %}",
            "maybe.html": "{% if layout %}{% extends layout %}{% endif %}{% block b %}b{% endblock %}",
        }
    )
    assert environment.render_name("page.html#a", {"layout": "one.html"}) == "page:one"
    assert environment.render_name("page.html#a", {"layout": "two.html"}) == "page:two"
    assert environment.render_name("page.html#only", {"layout": "two.html"}) == "two"
    assert environment.render_name("maybe.html#b", {}) == "b"
    assert environment.render_name("maybe.html#only", {"layout": "two.html"}) == "two"
    with pytest.raises(BlockNotFound, match="no block 'only'"):
        environment.render_name("page.html#only", {"layout": "one.html"})


def test_block_in_a_loop_takes_the_loops_name_from_the_page(environment: Environment, write: Write) -> None:
    """A block inside of a loop can be had alone, by giving what the loop would give."""
    write(
        {
            "page.html": "<ul>{% for post in posts %}{% block post scoped %}<li>{{ post }}</li>{% endblock %}{% endfor %}</ul>"
        }
    )
    assert environment.render_name("page.html", {"posts": [1, 2]}) == "<ul><li>1</li><li>2</li></ul>"
    assert environment.render_name("page.html#post", {"post": 7}) == "<li>7</li>"


def test_includes_in_a_block_see_the_top_level(environment: Environment, write: Write) -> None:
    """An include takes the whole context, so everything at the top is kept for it."""
    write(
        {
            "part.html": "{{ a }}{{ x }}",
            "page.html": "{% set a = 'A' %}{% block b %}{% include 'part.html' %}{% endblock %}",
        }
    )
    assert environment.render_name("page.html#b", {"x": "X"}) == "AX"


def test_fragment_equals_the_block_in_the_page(environment: Environment, write: Write) -> None:
    """What a fragment gives is what stands in the page, between the marks that the layout put around it."""
    write(
        {
            "m.html": "{% macro cell(x) %}<td>{{ x }}</td>{% endmacro %}",
            "base.html": "{% set greeting = 'hi' %}<body>{% block body %}{% endblock %}</body>",
            "page.html": "{% extends 'base.html' %}{% import 'm.html' as m %}{% set n = rows|length %}"
            "{% block body %}A<!--{% block part %}{% for r in rows %}{{ m.cell(r) }}{% endfor %}{{ n }}{{ greeting }}{% endblock %}-->"
            "{% endblock %}",
        }
    )
    values = {"rows": ["<", ">"]}
    whole = environment.render_name("page.html", values)
    assert whole.partition("<!--")[2].partition("-->")[0] == environment.render_name("page.html#part", values)


def test_unknown_blocks_and_templates(environment: Environment, write: Write) -> None:
    """A block that is not there is told with those that are; so is a parent that is missing."""
    write(
        {
            "page.html": "{% block rows %}{% endblock %}{% block head %}{% endblock %}",
            "bad.html": "{% extends 'no.html' %}",
        }
    )
    with pytest.raises(BlockNotFound, match="Did you mean 'rows'") as caught:
        environment.render_name("page.html#rosw", {})
    assert caught.value.code == "DJN-702"
    with pytest.raises(TemplateNotFound, match=r"no\.html"):
        environment.render_name("bad.html#x", {})
    with pytest.raises(TemplateNotFound, match="Did you mean 'page.html'"):
        environment.render_name("pge.html#rows", {})
