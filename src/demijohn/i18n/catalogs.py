"""The messages of each language: of the app, its blueprints, its batteries and the framework, in this order."""

import gettext
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog as Template
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from demijohn.errors import ConfigurationError
from demijohn.i18n.locales import direction_of, parse_locale, tag_of

__all__ = ["FRAMEWORK", "Catalogs", "Messages", "Source", "compile_po", "read_catalog"]


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of catalogs, in the usual layout: `de/LC_MESSAGES/messages.po`."""

    folder: Path
    domain: str
    owner: str
    """Whose texts these are, for messages about them."""

    def po(self, locale: Locale) -> Path:
        """Return where the catalog of a locale is, or would be."""
        return self.folder / str(locale) / "LC_MESSAGES" / f"{self.domain}.po"

    def mo(self, locale: Locale) -> Path:
        """Return where the compiled catalog of a locale is, or would be."""
        return self.po(locale).with_suffix(".mo")

    @property
    def pot(self) -> Path:
        """Where the template of the catalogs is."""
        return self.folder / f"{self.domain}.pot"


_MOST_KNOWN = 10_000
_NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)

FRAMEWORK = Source(Path(__file__).with_name("translations"), "demijohn", "demijohn")
"""The framework's own texts."""


class Messages(gettext.NullTranslations):
    """The messages of one language, found in several catalogs, each with its own rule for plurals."""

    def __init__(self, locale: Locale, chain: Sequence[gettext.NullTranslations]) -> None:
        super().__init__()
        self.locale = locale
        self.language = tag_of(locale)
        self.direction = direction_of(locale)
        self._known: dict[str, str] = {}
        for catalog in chain:
            self.add_fallback(catalog)

    def gettext(self, message: str) -> str:
        """Return a text in this language; the chain is asked once for each."""
        found = self._known.get(message)
        if found is None:
            found = super().gettext(message)
            if len(self._known) < _MOST_KNOWN:
                self._known[message] = found
        return found


class Catalogs:
    """All catalogs of an app, read when a language is first needed.

    Args:
        sources: Where they are; the first that knows a text wins.
        reload: Whether to look each time if a file has changed, and to compile it.
    """

    def __init__(self, sources: Sequence[Source], *, reload: bool = False) -> None:
        self.sources = list(sources)
        self.reload = reload
        self._read: dict[str, tuple[Messages, tuple[object, ...]]] = {}

    def messages(self, tag: str) -> Messages:
        """Return the messages of a language.

        Raises:
            ConfigurationError: DJN-972, a catalog cannot be read.
        """
        found = self._read.get(tag)
        if found is not None and (not self.reload or found[1] == self._state(tag)):
            return found[0]
        locale = parse_locale(tag)
        chain = [
            catalog
            for source in self.sources
            for nearer in _ancestry(locale)
            if (catalog := self._load(source, nearer)) is not None
        ]
        made = Messages(locale, chain)
        self._read[tag] = (made, self._state(tag) if self.reload else ())
        return made

    def _load(self, source: Source, locale: Locale) -> gettext.GNUTranslations | None:
        po, mo = source.po(locale), source.mo(locale)
        if mo.is_file() and not (self.reload and is_stale(po, mo)):
            with mo.open("rb") as file:
                return gettext.GNUTranslations(file)
        if not po.is_file():
            return None
        data = compile_po(po, locale)
        if self.reload and os.access(mo.parent, os.W_OK):
            mo.write_bytes(data)
        return gettext.GNUTranslations(BytesIO(data))

    def _state(self, tag: str) -> tuple[object, ...]:
        """Return what changes when one of the files does."""
        return tuple(stamp_of(source.po(locale)) for source in self.sources for locale in _ancestry(parse_locale(tag)))


def stamp_of(path: Path) -> int | None:
    """Return when a file was last changed, or None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def is_stale(po: Path, mo: Path) -> bool:
    """Return whether a compiled catalog is older than the one that people edit, or lacks."""
    written, compiled = stamp_of(po), stamp_of(mo)
    return written is not None and (compiled is None or compiled < written)


def read_catalog(path: Path, locale: Locale | None = None) -> Template:
    """Read a `.po` or `.pot` file.

    Raises:
        ConfigurationError: DJN-972, it is no catalog.
    """
    try:
        with path.open("rb") as file:
            return read_po(file, locale=locale, abort_invalid=True)
    except (PoFileError, UnicodeDecodeError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ConfigurationError(
            f"The catalog {path}{f', line {line}' if line else ''} cannot be read: {error}.",
            why="It is no PO file as GNU gettext describes it.",
            fix="Mend it by hand or in an editor for PO files, then: demijohn messages compile",
            code="DJN-972",
        ) from None


def compile_po(path: Path, locale: Locale | None = None) -> bytes:
    """Return the compiled form of a catalog; fuzzy messages are left out."""
    catalog = read_catalog(path, locale)
    catalog.creation_date = catalog.revision_date = _NO_DATE  # the same catalog makes the same bytes
    buffer = BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def _ancestry(locale: Locale) -> list[Locale]:
    """Return a locale and the languages that it falls back to: `de_CH`, then `de`."""
    parts = str(locale).split("_")
    return [parse_locale("_".join(parts[:count])) for count in range(len(parts), 0, -1)]
