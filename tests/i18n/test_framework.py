"""The framework's own texts: each is there in German, Spanish and Arabic, complete, and as the code has it."""

import re

import pytest

from demijohn.i18n.catalogs import FRAMEWORK, compile_po, read_catalog
from demijohn.i18n.checking import wrong_placeholders
from demijohn.i18n.extraction import framework_catalog
from demijohn.i18n.locales import parse_locale
from demijohn.templating import Environment

pytestmark = pytest.mark.house

TAGS = ("de", "es", "ar")


def key(message: object) -> tuple[str | None, object]:
    return message.context, message.id  # type: ignore[attr-defined]


@pytest.mark.parametrize("tag", TAGS)
def test_every_text_is_translated(tag: str) -> None:
    """A text that the code marks and a catalog lacks, or has no more use for, fails: run `scripts/messages.py`."""
    catalog = read_catalog(FRAMEWORK.po(parse_locale(tag)), parse_locale(tag))
    wanted = {key(message) for message in framework_catalog(Environment()) if message.id}
    found = {key(message) for message in catalog if message.id}
    assert wanted == found
    for message in catalog:
        if message.id:
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(texts), f"{message.id!r} has no translation"
            assert not message.fuzzy, message.id
            assert len(texts) == (catalog.num_plurals if isinstance(message.id, tuple) else 1)


@pytest.mark.parametrize("tag", TAGS)
def test_placeholders_fit(tag: str) -> None:
    """A translation names the same values as its text."""
    catalog = read_catalog(FRAMEWORK.po(parse_locale(tag)), parse_locale(tag))
    assert [(message.id, fault) for message in catalog if message.id for fault in wrong_placeholders(message)] == []


@pytest.mark.parametrize("tag", TAGS)
def test_compiled_catalogs_are_current(tag: str) -> None:
    """What is shipped is what the catalogs say."""
    locale = parse_locale(tag)
    assert FRAMEWORK.mo(locale).read_bytes() == compile_po(FRAMEWORK.po(locale), locale)


FAMILIAR = {
    "de": r"\b(du|dein\w*|dir|dich|gib|wähle|folge|setze|melde|bestätige|lade)\b",
    "es": r"\b(tú|tus?|ti|contigo|sigue|elige|escribe|pon|avisa|guarda|inicia)\b",
}


@pytest.mark.parametrize("tag", FAMILIAR)
def test_one_form_of_address(tag: str) -> None:
    """Visitors are addressed politely everywhere, and never by `du` or `tú`."""
    catalog = read_catalog(FRAMEWORK.po(parse_locale(tag)), parse_locale(tag))
    texts = [text for one in catalog for text in ([one.string] if isinstance(one.string, str) else one.string)]
    assert [text for text in texts[1:] if re.search(FAMILIAR[tag], text, re.IGNORECASE)] == []
