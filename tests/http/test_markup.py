"""A plain str is never HTML."""

import sys

import markupsafe
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.http import BadMarkup, Markup, escape, html


@given(st.text())
def test_escape_does_as_markupsafe(text: str) -> None:
    """Byte for byte what Jinja2 would write."""
    assert escape(text) == str(markupsafe.escape(text))


@given(st.text(), st.text())
def test_whatever_is_put_in_is_escaped(one: str, two: str) -> None:
    """By every door."""
    first, second = str(markupsafe.escape(one)), str(markupsafe.escape(two))
    assert html("<b>{}{x}</b>", one, x=two) == f"<b>{first}{second}</b>"
    assert Markup("<b>%s%s</b>") % (one, two) == f"<b>{first}{second}</b>"
    assert Markup("<b>%(a)s</b>") % {"a": one} == f"<b>{first}</b>"
    assert Markup("<br>").join([one, two]) == f"{first}<br>{second}"
    assert Markup("<b>") + one == "<b>" + first
    assert one + Markup("<b>") == first + "<b>"
    assert Markup("<b>-</b>").replace("-", one) == f"<b>{first}</b>"
    assert Markup("{a}").format_map({"a": one}) == first


def test_html_stays_html() -> None:
    """Markup of ours, of Jinja2 and anything with `__html__` is not escaped twice."""
    for value in (Markup("<i>"), markupsafe.Markup("<i>")):
        assert html("{}", value) == "<i>"
    assert markupsafe.escape(Markup("<i>")) == "<i>"
    assert markupsafe.Markup("<b>{}").format(Markup("<i>")) == "<b><i>"
    assert markupsafe.Markup("<b>") + Markup("<i>") == "<b><i>"
    assert isinstance(Markup("<b>") + markupsafe.Markup("<i>"), Markup)


def test_attributes_of_values_are_escaped() -> None:
    """`{0.name}` and `{0[key]}` cannot smuggle."""

    class User:
        name = "<script>"

        def __repr__(self) -> str:
            return "<User>"

    assert html("{0.name} {1[a]} {0!r}", User(), {"a": "<"}) == "&lt;script&gt; &lt; &lt;User&gt;"
    assert html("{:>4}|{:.2f}", "<", 1.234) == "   &lt;|1.23"


def test_numbers_in_percent_formats() -> None:
    """`%d` and `%.1f` work as they do for text."""
    assert Markup("%d %.1f %r") % (3, 1.25, "<") == "3 1.2 &#39;&lt;&#39;"


@pytest.mark.parametrize("template", ["{", "{} {}", "{x}", "{0.y}", "{a: b}"])
def test_a_template_that_does_not_fit_says_so(template: str) -> None:
    """Braces of CSS, missing values and missing attributes are explained."""
    with pytest.raises(BadMarkup, match="DJN-321"):
        html(template, "one")


def test_what_could_cut_a_tag_is_plain_text() -> None:
    """A slice of markup is text again, and would be escaped."""
    assert type(Markup("<b>x</b>")[:2]) is str
    assert type(Markup("<b>x</b>").strip()) is Markup
    assert Markup("<b>a &amp; b</b><!-- c -->").striptags() == "a & b"
    assert Markup("&lt;").unescape() == "<"
    assert Markup("<hr>") * 2 == "<hr><hr>"
    assert isinstance(2 * Markup("<hr>"), Markup)


def test_a_t_string_is_escaped() -> None:
    """Strings as they are, values escaped; conversions, formats, lists and templates inside work."""

    class Interpolation:
        def __init__(self, value: object, conversion: str | None = None, format_spec: str = "") -> None:
            self.value, self.conversion, self.format_spec = value, conversion, format_spec

    class Template:
        def __init__(self, strings: tuple[str, ...], *interpolations: Interpolation) -> None:
            self.strings, self.interpolations = strings, interpolations

    inner = Template(("<li>", "</li>"), Interpolation("<"))
    outer = Template(
        ("<ul>", "", " ", " ", "</ul>"),
        Interpolation([inner, inner]),
        Interpolation("<", "r"),
        Interpolation(1.5, None, ".2f"),
        Interpolation(Markup("<hr>")),
    )
    assert html(outer) == "<ul><li>&lt;</li><li>&lt;</li>&#39;&lt;&#39; 1.50 <hr></ul>"
    with pytest.raises(BadMarkup):
        html(3)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="t-strings came with Python 3.14")
def test_a_real_t_string() -> None:
    """On Python 3.14 the syntax itself works."""
    name = "<b>"
    assert eval('html(t"<p>{name}</p>")', {"html": html, "name": name}) == "<p>&lt;b&gt;</p>"
