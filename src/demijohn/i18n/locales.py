"""Languages by their tags: read once, named, and matched to what is offered."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from babel import Locale, UnknownLocaleError

from demijohn.errors import ConfigurationError

__all__ = ["LanguageChoice", "direction_of", "find_offered", "name_of", "parse_locale", "tag_of"]


@lru_cache(maxsize=256)
def parse_locale(tag: str) -> Locale:
    """Return the locale of a language tag: `de`, `pt-BR`, `zh_Hant_TW`.

    Raises:
        ConfigurationError: DJN-970, there is no such locale.

    Example:
        >>> parse_locale("pt-BR").territory
        'BR'
    """
    try:
        return Locale.parse(tag.strip().replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        raise ConfigurationError(
            f"The language {tag!r} is not known.",
            why="Languages are named by their tags (BCP 47), and their formats come from the CLDR.",
            fix='Write it as in  Translations(["en", "de", "pt-BR"])',
            code="DJN-970",
        ) from None


def tag_of(locale: Locale) -> str:
    """Return the language tag of a locale, as HTML and HTTP write it.

    Example:
        >>> tag_of(parse_locale("pt_br"))
        'pt-BR'
    """
    return "-".join(part for part in (locale.language, locale.script, locale.territory, locale.variant) if part)


def direction_of(locale: Locale) -> str:
    """Return `ltr` or `rtl`."""
    return str(locale.text_direction)


def name_of(locale: Locale, shown_in: Locale | None = None) -> str:
    """Return the name of a language in itself, or in another one, with a capital letter.

    Example:
        >>> name_of(parse_locale("es")), name_of(parse_locale("es"), parse_locale("de"))
        ('Español', 'Spanisch')
    """
    name = locale.get_display_name(shown_in or locale) or tag_of(locale)
    return name[:1].upper() + name[1:]


def find_offered(wanted: str | None, offered: Iterable[str]) -> str | None:
    """Return the offered tag for one that somebody wants: itself, or the language without its region.

    Example:
        >>> find_offered("de_AT", ["en", "de"]), find_offered("fr", ["en", "de"])
        ('de', None)
    """
    if not wanted:
        return None
    tags = {tag.lower(): tag for tag in offered}
    asked = wanted.strip().replace("_", "-").lower()
    while asked:
        if asked in tags:
            return tags[asked]
        asked = asked.rpartition("-")[0]
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageChoice:
    """One of the languages of a site, for a menu."""

    tag: str
    name: str
    """Its name in itself."""
    direction: str
    url: str
    """The present page in that language."""
    is_present: bool
