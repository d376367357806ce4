"""What `demijohn check` tells about catalogs: what they lack, what is doubtful, and placeholders that do not fit."""

import re
import string
from collections.abc import Iterator
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog, Message

from demijohn._lib.source import relative
from demijohn.app import CheckMessage
from demijohn.errors import ConfigurationError
from demijohn.i18n.catalogs import FRAMEWORK, Source, is_stale, read_catalog
from demijohn.i18n.locales import name_of, parse_locale
from demijohn.i18n.offer import Offer

__all__ = ["check_catalogs", "placeholders_of", "wrong_placeholders"]

_PERCENT = re.compile(r"%(?:\((?P<name>\w+)\))?[#0\- +]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?P<kind>[diouxXeEfFgGcrsa%])")


def check_catalogs(battery: Offer) -> Iterator[CheckMessage]:
    """Yield what is wrong with the catalogs of an app; those of the framework are its own affair."""
    for source in battery.sources():
        if source is FRAMEWORK or not source.folder.is_dir():
            continue
        for tag in battery.locales:
            if tag != battery.default:
                yield from _check(source, parse_locale(tag), compiled=not battery.is_reloading)


def _check(source: Source, locale: Locale, *, compiled: bool) -> Iterator[CheckMessage]:
    path = source.po(locale)
    name = name_of(locale, parse_locale("en"))
    if not path.is_file():
        if not source.mo(locale).is_file():
            yield CheckMessage(
                level="warning",
                id="i18n.catalog",
                text=f"There is no catalog for {name} ({source.owner}).",
                hint="Write:  demijohn messages extract   then:  demijohn messages update",
                place=relative(str(source.folder)),
            )
        return
    try:
        catalog = read_catalog(path, locale)
    except ConfigurationError as error:
        yield CheckMessage(level="error", id=error.code, text=error.seen, hint=error.fix, place=relative(str(path)))
        return
    if source.pot.is_file():
        yield from _compare(read_catalog(source.pot), catalog, relative(str(path)))
    lacking = [message for message in catalog if message.id and not _is_translated(message)]
    fuzzy = [message for message in catalog if message.id and message.fuzzy]
    if lacking:
        yield CheckMessage(
            level="warning",
            id="i18n.missing",
            text=f"{len(lacking)} of {len(catalog)} messages have no {name} translation: {_some(lacking)}.",
            place=f"{relative(str(path))}:{lacking[0].lineno}",
        )
    if fuzzy:
        yield CheckMessage(
            level="warning",
            id="i18n.fuzzy",
            text=f"{len(fuzzy)} {name} messages are marked fuzzy, so they are not shown: {_some(fuzzy)}.",
            hint="Read them, and take the line `#, fuzzy` off those that are right.",
            place=f"{relative(str(path))}:{fuzzy[0].lineno}",
        )
    for message in catalog:
        if message.id and not message.fuzzy:
            for fault in wrong_placeholders(message):
                yield CheckMessage(
                    level="error",
                    id="i18n.placeholder",
                    text=f"{fault} in {_shown(message)}.",
                    hint="Both texts need the same names in %(...)s or {...}; their order is free.",
                    place=f"{relative(str(path))}:{message.lineno}",
                )
    if compiled and source.mo(locale).is_file() and is_stale(path, source.mo(locale)):
        yield CheckMessage(
            level="warning",
            id="i18n.stale",
            text=f"The compiled {name} catalog is older than the one that people edit.",
            hint="Write:  demijohn messages compile",
            place=relative(str(path)),
        )


def _compare(template: Catalog, catalog: Catalog, place: str) -> Iterator[CheckMessage]:
    new = [message for message in template if message.id and catalog.get(_key(message), message.context) is None]
    if new:
        yield CheckMessage(
            level="warning",
            id="i18n.outdated",
            text=f"{len(new)} messages are not in the catalog yet: {_some(new)}.",
            hint="Write:  demijohn messages update",
            place=place,
        )


def _key(message: Message) -> Any:
    return message.id[0] if isinstance(message.id, list | tuple) else message.id


def _is_translated(message: Message) -> bool:
    return all(_strings(message))


def _strings(message: Message) -> list[str | None]:
    return list(message.string) if isinstance(message.string, list | tuple) else [message.string]


def wrong_placeholders(message: Message) -> Iterator[str]:
    """Yield what does not fit between a message and its translation.

    A form for a number may leave names out (`One post`), and no text may name what the message does not.
    """
    if not _is_translated(message):
        return
    ids = list(message.id) if isinstance(message.id, list | tuple) else [message.id]
    texts = [text for text in _strings(message) if text]
    known: set[str] = set().union(*(placeholders_of(text) for text in ids))
    needed = known if len(ids) == 1 else set()
    for text in texts:
        found = placeholders_of(text)
        for name in sorted(found - known):
            yield f"{name} is not there in the message"
        for name in sorted(needed - found):
            yield f"{name} is missing"


def placeholders_of(text: str) -> set[str]:
    """Return the placeholders of a text as they are written, both kinds.

    Example:
        >>> sorted(placeholders_of("%(count)s of {limit}, 100%"))
        ['%(count)s', '{limit}']
    """
    found = {match[0] for match in _PERCENT.finditer(text) if match["name"]}
    try:
        found |= {f"{{{name}}}" for _, name, _, _ in string.Formatter().parse(text) if name}
    except ValueError:
        pass  # a lone brace is no placeholder
    return found


def _some(messages: list[Message]) -> str:
    shown = ", ".join(_shown(message) for message in messages[:3])
    return shown if len(messages) <= 3 else f"{shown}, ..."


def _shown(message: Message) -> str:
    text = str(_key(message))
    return repr(text if len(text) <= 50 else f"{text[:47]}...")
