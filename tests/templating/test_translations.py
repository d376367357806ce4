"""Translated texts in templates: always there, escaped as they should be, HTML only where the template holds it."""

from collections.abc import Iterator

import pytest

from demijohn._lib.translation import gettext_lazy, look_up_by
from demijohn.templating import Environment, TemplateError


class Shouting:
    """A catalog that marks what it translated, and tries to smuggle in HTML."""

    language = "xx"
    direction = "rtl"

    def gettext(self, message: str, /) -> str:
        return f"{message}&"

    def ngettext(self, singular: str, plural: str, number: int, /) -> str:
        return self.gettext(singular if number == 1 else plural)

    def pgettext(self, context: str, message: str, /) -> str:
        return f"{context}/{message}&"

    def npgettext(self, context: str, singular: str, plural: str, number: int, /) -> str:
        return self.pgettext(context, singular if number == 1 else plural)


@pytest.fixture
def shouting() -> Iterator[None]:
    look_up_by(Shouting)
    yield
    look_up_by(None)


def render(source: str, **values: object) -> str:
    return Environment().render_text(source, values)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ _('Save') }}", "Save"),
        ("{{ gettext('100%') }}", "100%"),
        ("{{ _('Hi %(who)s', who=name) }}", "Hi &lt;b&gt;"),
        ("{{ _('a <b>') }}", "a &lt;b&gt;"),
        ("{{ ngettext('%(num)s post', '%(num)s posts', 1) }}", "1 post"),
        ("{{ pgettext('month', 'May') }} {{ npgettext('x', 'one', '%(num)s', 4) }}", "May 4"),
        ("{% trans %}<b>100%</b>{% endtrans %}", "<b>100%</b>"),
        ("{% trans name %}<i>{{ name }}</i> 5%{% endtrans %}", "<i>&lt;b&gt;</i> 5%"),
        ("{% trans n=posts|length %}<b>One</b>{% pluralize %}<b>{{ n }}</b>{% endtrans %}", "<b>2</b>"),
        ("{% trans 'menu' %}File{% endtrans %}", "File"),
        ("{% trans trimmed %}\n  a\n  b\n{% endtrans %}", "a b"),
        ("{{ _(name) }}", "&lt;b&gt;"),
        ("{{ _('Hi %(who)s', who=name|safe) }}", "Hi <b>"),
        ("{{ lazy }}", "Save"),
        ("{% autoescape false %}{{ _('Hi %(who)s', who=name) }}{% endautoescape %}", "Hi <b>"),
    ],
)
def test_english_without_a_catalog(source: str, shown: str) -> None:
    """Functions and tag are always there; values and plain strings are escaped, the tag's own HTML is not."""
    assert render(source, name="<b>", posts=[1, 2], lazy=gettext_lazy("Save")) == shown


@pytest.mark.usefixtures("shouting")
@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ _('Save') }}", "Save&amp;"),
        ('<p title="{{ _("Save") }}">', '<p title="Save&amp;">'),
        ("{% trans %}<b>Save</b>{% endtrans %}", "<b>Save</b>&"),
        ("{% trans name %}<b>{{ name }}</b>{% endtrans %}", "<b>&lt;i&gt;</b>&"),
        ("{% trans n=2 %}One{% pluralize %}<b>{{ n }}</b>{% endtrans %}", "<b>2</b>&"),
        ("{% trans 'menu' %}File{% endtrans %}", "menu/File&"),
        ("{{ npgettext('x', 'one', '%(num)s <b>', 4) }}", "x/4 &lt;b&gt;&amp;"),
        ("{{ lazy }}|{{ lazy|upper }}", "Save&amp;|SAVE&amp;"),
        ('<html lang="{{ language }}" dir="{{ language.direction }}">', '<html lang="xx" dir="rtl">'),
        ("{{ language == 'xx' }}", "True"),
    ],
)
def test_translations_are_escaped_like_the_text_they_stand_for(source: str, shown: str) -> None:
    """A translation is HTML exactly where the template's own text is, so that a string never becomes markup."""
    from demijohn.templating.names import Language

    assert render(source, name="<i>", lazy=gettext_lazy("Save"), language=Language()) == shown


@pytest.mark.usefixtures("shouting")
def test_text_templates_are_not_escaped() -> None:
    """In a text both forms print the translation as it is."""
    environment = Environment()
    environment.folders.texts["mail.txt"] = "{{ _('a') }} {% trans x=1 %}<{{ x }}>{% endtrans %}"
    assert environment.render_name("mail.txt", {}) == "a& <1>&"


def test_an_undefined_name_in_a_text_is_told() -> None:
    """A name that is not there raises inside of `{% trans %}` as it does elsewhere."""
    with pytest.raises(TemplateError, match="nobody"):
        render("{% trans %}Hello {{ nobody }}{% endtrans %}")


async def test_streams_translate_too() -> None:
    """The asynchronous twin of the environment knows the same functions."""
    template = Environment().streaming().from_string("{{ _('a') }}{% trans x=1 %}<b>{{ x }}</b>{% endtrans %}")
    assert await template.render_async() == "a<b>1</b>"
