"""Texts of the framework: English as they stand, translated by whatever catalog is found, lazy where they must be."""

import pickle
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from demijohn._lib.translation import (
    Catalog,
    get_direction,
    get_language,
    gettext,
    gettext_lazy,
    look_up_by,
    ngettext,
    ngettext_lazy,
    npgettext,
    npgettext_lazy,
    pgettext,
    pgettext_lazy,
)
from demijohn.http import Markup, html
from demijohn.schema import Field, field_error, to_builtins, to_json, to_msgpack


class German:
    """A catalog of a few words."""

    language = "de"
    direction = "ltr"
    words = {
        "Save": "Sichern",
        "Hello %(name)s": "Hallo %(name)s",
        ("month", "May"): "Mai",
        "Fish & <Chips>": "Fisch & <Pommes>",
        "Must be at least {limit}.": "Mindestens {limit}.",
        "Expected {expected}.": "Erwartet: {expected}.",
        "an integer": "eine ganze Zahl",
        "null": "nichts",
        "%(first)s or %(second)s": "%(first)s oder %(second)s",
    }

    def gettext(self, message: str, /) -> str:
        return self.words.get(message, message)

    def ngettext(self, singular: str, plural: str, number: int, /) -> str:
        if singular == "%(num)s post":
            return "%(num)s Beitrag" if number == 1 else "%(num)s Beiträge"
        return singular if number == 1 else plural

    def pgettext(self, context: str, message: str, /) -> str:
        return self.words.get((context, message), message)

    def npgettext(self, context: str, singular: str, plural: str, number: int, /) -> str:
        return f"{context}:{self.ngettext(singular, plural, number)}"


_present: ContextVar[Catalog | None] = ContextVar("present", default=None)


@pytest.fixture
def german() -> Iterator[None]:
    look_up_by(_present.get)
    token = _present.set(German())
    yield
    _present.reset(token)
    look_up_by(None)


def test_without_a_catalog_texts_are_the_english_ones() -> None:
    """A text comes back as it stands, filled in, in the form for the number."""
    assert gettext("Save") == "Save"
    assert gettext("100%") == "100%"
    assert gettext("Hello %(name)s", name="Ann") == "Hello Ann"
    assert ngettext("%(num)s post", "%(num)s posts", 1) == "1 post"
    assert ngettext("%(num)s post", "%(num)s posts", 0) == "0 posts"
    assert pgettext("month", "May") == "May"
    assert npgettext("blog", "%(num)s post", "%(num)s posts", 2) == "2 posts"
    assert (get_language(), get_direction()) == ("en", "ltr")


@pytest.mark.usefixtures("german")
def test_a_catalog_is_looked_up_at_each_call() -> None:
    """The catalog that is found now translates; where none is found, the next call is English again."""
    assert gettext("Hello %(name)s", name="Ann") == "Hallo Ann"
    assert ngettext("%(num)s post", "%(num)s posts", 3) == "3 Beiträge"
    assert pgettext("month", "May") == "Mai"
    assert gettext("May") == "May"
    assert npgettext("blog", "%(num)s post", "%(num)s posts", 1) == "blog:1 Beitrag"
    assert (get_language(), get_direction()) == ("de", "ltr")
    _present.set(None)
    assert gettext("Hello %(name)s", name="Ann") == "Hello Ann"


@pytest.mark.usefixtures("german")
def test_a_lazy_text_is_looked_up_when_it_is_shown() -> None:
    """Printing, formatting, joining, comparing and measuring a lazy text all see the present language."""
    save = gettext_lazy("Save")
    assert f"{save}|{save:>8}|%s" % save == "Sichern| Sichern|Sichern"
    assert save == "Sichern"
    assert len(save) == 7
    assert "ich" in save
    assert save.upper() == "SICHERN"
    assert save + "!" == "Sichern!"
    assert "> " + save == "> Sichern"
    assert sorted([save, gettext_lazy("A")]) == ["A", "Sichern"]
    assert str(ngettext_lazy("%(num)s post", "%(num)s posts", 1)) == "1 Beitrag"
    assert str(pgettext_lazy("month", "May")) == "Mai"
    assert str(npgettext_lazy("x", "%(num)s post", "%(num)s posts", 2)) == "x:2 Beiträge"
    assert str(gettext_lazy("Hello %(name)s", name=save)) == "Hallo Sichern"
    assert pickle.loads(pickle.dumps(save)) == "Sichern"
    _present.set(None)
    assert f"{save}" == "Save"
    assert save == gettext_lazy("Save")
    assert {save: 1}[gettext_lazy("Save")] == 1


@pytest.mark.usefixtures("german")
def test_a_lazy_text_is_no_html_and_is_written_as_data() -> None:
    """It is escaped as any text is, and JSON and MessagePack hold its translation."""
    text = gettext_lazy("Fish & <Chips>")
    assert html("<b>{}</b>", text) == "<b>Fisch &amp; &lt;Pommes&gt;</b>"
    assert Markup("<i>") + text == "<i>Fisch &amp; &lt;Pommes&gt;"
    assert text + Markup("<i>") == "Fisch &amp; &lt;Pommes&gt;<i>"
    assert to_json({"label": gettext_lazy("Save")}) == b'{"label":"Sichern"}'
    assert to_builtins([gettext_lazy("Save")]) == ["Sichern"]
    assert to_msgpack(gettext_lazy("Save")) == b"\xa7Sichern"


def test_fields_keep_lazy_labels() -> None:
    """A label, a help text and the labels of choices stay lazy inside of a field."""
    field = Field(label=gettext_lazy("Save"), help=gettext_lazy("Save"), choices=[("s", gettext_lazy("Save"))])
    assert field.title == "Save"
    look_up_by(German)
    try:
        assert (str(field.title), str(field.help), str(field.choices[0][1])) == ("Sichern",) * 3
        assert Field().merge(field).title == "Sichern"
    finally:
        look_up_by(None)


@pytest.mark.usefixtures("german")
def test_errors_of_fields_are_translated_with_their_parts() -> None:
    """The sentence is translated before it is filled in, and what is filled in is translated as well."""
    assert field_error(("x",), "ge", limit=3).message == "Mindestens 3."
    expected = gettext_lazy("%(first)s or %(second)s", first=gettext_lazy("an integer"), second=gettext_lazy("null"))
    assert field_error(("x",), "type", expected=expected).message == "Erwartet: eine ganze Zahl oder nichts."


def test_a_wrong_placeholder_is_an_error_where_it_stands() -> None:
    """A text whose values are not all given raises, rather than print half of itself."""
    with pytest.raises(KeyError):
        gettext("Hello %(name)s", nam="Ann")
