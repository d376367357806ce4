"""What `demijohn check` finds in templates and in the handlers that render them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from demijohn import App
from demijohn.app import CheckMessage
from demijohn.templating import Environment, Templates
from demijohn.templating.analysis import facts_of

from .site import make_site

GOOD = {
    "base.html": "<title>{% block title %}{{ site }}{% endblock %}</title>{% block body %}{% endblock %}",
    "home.html": "{% extends 'base.html' %}{% block body %}{{ title }}{% if user %}{{ user.name }}{% endif %}{% endblock %}",
    "list.html": "{% extends 'base.html' %}{% block body %}{% block rows %}{% for p in posts %}{{ p }}{% endfor %}{% endblock %}"
    "<a href=\"{{ url_for('post', id=1) }}\">{{ url_for('blog.about') }}</a>{% endblock %}",
    "show.html": "{{ post }}",
    "about.html": "about {{ site }}",
}


@pytest.fixture
def check(write: Callable[..., Path]) -> Callable[..., list[CheckMessage]]:
    """Check the site with its good templates, some of them changed."""

    def run(changes: dict[str, str] | None = None, *, blog: dict[str, str] | None = None) -> list[CheckMessage]:
        app = make_site()
        folder = write({**GOOD, **(changes or {})})
        app.use(Templates(folder))
        if blog:
            app.included[0][0].template_folder = write(blog, "blog")
        app.freeze()
        return [message for message in app.run_checks() if message.id.startswith(("templates", "DJN-7"))]

    return run


def test_a_good_site_is_silent(check: Callable[..., list[CheckMessage]]) -> None:
    """Nothing is found where nothing is wrong."""
    assert check() == []


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"home.html": "{% if %}"}, "DJN-703", "home.html:1: Expected an expression"),
        ({"home.html": "{{ 1|uper }}"}, "DJN-703", "Did you mean 'upper'"),
        ({"home.html": "\n{% extends 'bse.html' %}"}, "DJN-701", "no template 'bse.html'. Did you mean 'base.html'"),
        ({"home.html": "{% include 'gone.html' %}"}, "DJN-701", "no template 'gone.html'"),
        ({"home.html": "{% from 'gone.html' import x %}"}, "DJN-701", "no template 'gone.html'"),
        ({"list.html": "{% block rwos %}{% endblock %}"}, "DJN-702", "has no block 'rows'. Did you mean 'rwos'"),
        ({"home.html": "{{ url_for('pst', id=1) }}"}, "templates.url", "No route is named 'pst'. Did you mean 'post'"),
        ({"home.html": "{{ url_for('post') }}"}, "templates.url", "The route 'post' needs 'id'"),
        ({"home.html": "{{ titel }}"}, "DJN-704", "needs 'titel' (line 1), which is not passed. Did you mean 'title'"),
        ({"base.html": "{{ titel }}"}, "DJN-704", "'home.html' needs 'titel'"),
        ({"home.html": "<a class={{ title }}>"}, "templates.unquoted", "no quotes"),
        ({"home.html": "<input name='x' value={{ title }}>"}, "templates.unquoted", "no quotes"),
    ],
)
def test_mistakes_in_templates(
    check: Callable[..., list[CheckMessage]], changes: dict[str, str], code: str, text: str
) -> None:
    """Each kind of mistake is found, with near names."""
    found = check(changes)
    assert any(message.id == code and text in message.text for message in found), found


def test_a_template_that_cannot_be_read_is_told_with_its_file(check: Callable[..., list[CheckMessage]]) -> None:
    """The handler of a template with a mistake is not told that there is no such template."""
    found = check({"home.html": "{% if %}"})
    assert [message.id for message in found if "home.html" in message.text] == ["DJN-703"]


def test_places(check: Callable[..., list[CheckMessage]]) -> None:
    """What is wrong in a template is told with its line there, what a handler forgets with the handler's."""
    found = check({"show.html": "\n\n{{ url_for('nope') }}", "home.html": "{{ titel }}"})
    places = {message.id: message.place for message in found}
    assert places["templates.url"].endswith("templates/show.html:3")
    assert places["DJN-704"].split("/")[-1].startswith("site.py:")


def test_each_file_is_told_once(write: Callable[..., Path]) -> None:
    """The folder of an app is that of the blueprints beside it too, and what is wrong in it is told once."""
    app = make_site()
    folder = write({**GOOD, "show.html": "{{ url_for('nope') }}"})
    app.use(Templates(folder))
    app.included[0][0].template_folder = folder
    app.freeze()
    assert [message.text for message in app.run_checks() if message.id == "templates.url"] == [
        "No route is named 'nope'.",
    ]


def test_a_missing_page(check: Callable[..., list[CheckMessage]], tmp_path: Path) -> None:
    """A handler that names a template that is not there is told, with the folders."""
    check()
    (tmp_path / "templates" / "about.html").unlink()
    app = make_site()
    app.use(Templates(tmp_path / "templates"))
    app.freeze()
    found = [message for message in app.run_checks() if message.id == "DJN-701"]
    assert len(found) == 1
    assert found[0].text.startswith("There is no template 'about.html'.")
    assert "site.py" in found[0].place


@pytest.mark.parametrize(
    "template",
    [
        "{% if subtitle %}{{ subtitle }}{% endif %}{{ title }}",
        "{{ subtitle or title }}{{ subtitle|default('x') }}",
        "{% if subtitle is defined and subtitle.x %}{% endif %}{{ 'x' if subtitle }}",
        "{% set subtitle = title %}{{ subtitle }}",
        "{% for title in title %}{{ loop.index }}{{ title }}{% endfor %}",
        "{% macro m(a, b=1) %}{{ a }}{{ b }}{{ caller() }}{{ varargs }}{% endmacro %}{{ m(title) }}",
        "{% with a = title %}{{ a }}{% endwith %}",
        "{% call(x) lister(title) %}{{ x }}{% endcall %}{% macro lister(x) %}{{ caller(x) }}{% endmacro %}",
        "{% import 'base.html' as b %}{{ b.x }}{% from 'base.html' import y, z as w %}{{ y }}{{ w }}",
        "{% set ns = namespace(n=0) %}{% set ns.n = 1 %}{{ ns.n }}{% set a %}{{ title }}{% endset %}{{ a }}",
        "{% include title ignore missing %}{% include 'show.html' ignore missing %}",
        "{{ range(3) }}{{ request.path }}{{ csp_nonce() }}{{ site }}{{ user }}",
        "{% extends 'base.html' %}{{ never_printed }}{% block title %}{{ title }}{% endblock %}",
        "{% extends layout or 'base.html' %}{% block x %}{{ title }}{% endblock %}",
        '<a class="{{ title }}" {{ title }}>{{ title }} x={{ title }}</a><p>a={{ title }}',
        "{% for a, b in title %}{{ a }}{{ b }}{% else %}{{ title }}{% endfor %}",
    ],
)
def test_no_false_alarms(check: Callable[..., list[CheckMessage]], template: str) -> None:
    """Names that are set, tested, passed or given by Jinja2 are not missed."""
    found = [message for message in check({"home.html": template}) if message.id in ("DJN-704", "templates.unquoted")]
    assert found == []


def test_overridden_blocks_need_nothing(check: Callable[..., list[CheckMessage]]) -> None:
    """What only a block of the layout needs is not missed where the child puts another in its place, unless by `super`."""
    base = "{% block title %}{{ missing }}{% endblock %}{% block body %}{% endblock %}"
    child = "{% extends 'base.html' %}{% block title %}x{% endblock %}{% block body %}{{ title }}{% endblock %}"
    lacking = check({"base.html": base, "home.html": child})
    assert not [message for message in lacking if "'home.html' needs" in message.text]
    calling = child.replace("x{%", "{{ super() }}{%", 1)
    assert [
        message for message in check({"base.html": base, "home.html": calling}) if "needs 'missing'" in message.text
    ]


def test_includes_need_what_they_name(check: Callable[..., list[CheckMessage]]) -> None:
    """An include needs the page's names; a loop around it gives some."""
    found = check({"home.html": "{% for post in [1] %}{% include 'show.html' %}{% endfor %}{{ title }}"})
    assert found == []
    found = check({"home.html": "{% include 'show.html' %}"})
    assert any("needs 'post'" in message.text for message in found)


def test_hidden_templates(check: Callable[..., list[CheckMessage]]) -> None:
    """Two blueprints with one name are told; the app's override is meant, and is not."""
    assert check(blog={"home.html": "blog's"}) == []
    app = App(debug=True)
    assert isinstance(app, App)


def test_two_owners_of_one_name(write: Callable[..., Path]) -> None:
    """The template that is never found because another blueprint has the name too is told."""
    app = make_site()
    app.use(Templates(write(GOOD)))
    app.templates.folders += [(write({"x.html": "1"}, "one"), "one"), (write({"x.html": "2"}, "two"), "two")]
    app.freeze()
    found = [message for message in app.run_checks() if message.id == "templates.hidden"]
    assert [message.text for message in found] == ["'x.html' of 'two' is hidden by that of 'one'."]


def test_processors_that_do_not_tell(write: Callable[..., Path]) -> None:
    """Where a context processor's names cannot be known, no name is missed."""
    app = make_site()
    names = {"anything": 1}
    app.context_processor(lambda: dict(names))
    app.use(Templates(write({**GOOD, "home.html": "{{ anything }}"})))
    app.freeze()
    assert not [message for message in app.run_checks() if message.id == "DJN-704"]


def test_facts_of_a_template() -> None:
    """What the checks know of one template."""
    tree = Environment().parse(
        "{% extends 'b.html' %}{% set a = c %}{% block x %}{{ super() }}{{ d }}{% include 'i.html' %}"
        "{{ url_for('n', id=1) }}{{ url_for('m', **e) }}{% endblock %}"
    )
    facts = facts_of(tree)
    assert facts.extends == "b.html"
    assert facts.defined == {"a"}
    assert facts.blocks["x"].calls_super
    assert {"d", "e"} <= facts.blocks["x"].needed.keys()
    assert [use.name for use in facts.references] == ["b.html", "i.html"]
    assert [(use.name, use.arguments) for use in facts.urls] == [("n", frozenset({"id"})), ("m", None)]
