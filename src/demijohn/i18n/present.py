"""The present language and time zone: of a `with` block, else of the request, else the default of the app."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale

from demijohn.app.context import find_unit
from demijohn.errors import ConfigurationError, OutsideContext
from demijohn.i18n.catalogs import Messages
from demijohn.i18n.locales import parse_locale
from demijohn.i18n.offer import Offer

__all__ = [
    "activate",
    "activate_timezone",
    "find_messages",
    "get_language",
    "get_locale",
    "get_timezone",
    "language",
    "timezone",
    "zone_of",
]

overriding: ContextVar[Messages | None] = ContextVar("demijohn_language", default=None)
overriding_zone: ContextVar[tzinfo | None] = ContextVar("demijohn_timezone", default=None)


def find_messages() -> Messages | None:
    """Return the messages of the present language; None where no app with translations is running."""
    found = overriding.get()
    if found is not None:
        return found
    unit = find_unit()
    if unit is None:
        return None
    battery: Offer | None = unit.app.batteries.get("i18n") if unit.app is not None else None
    return None if battery is None else battery.messages_of(unit)


def get_locale() -> Locale:
    """Return the present locale; English where no app with translations is running."""
    found = find_messages()
    return parse_locale("en") if found is None else found.locale


def get_language() -> str:
    """Return the tag of the present language, as in `<html lang>`: `de`, `pt-BR`."""
    found = find_messages()
    return "en" if found is None else found.language


def get_timezone() -> tzinfo:
    """Return the present time zone; UTC where no app with translations is running."""
    found = overriding_zone.get()
    if found is not None:
        return found
    unit = find_unit()
    battery: Offer | None = None if unit is None or unit.app is None else unit.app.batteries.get("i18n")
    return UTC if battery is None else battery.zone_of(unit)


def activate(tag: str) -> None:
    """Make a language the present one for the rest of the request, command or task.

    Raises:
        ConfigurationError: DJN-971, the app does not offer it.
        OutsideContext: DJN-973, no app with translations is running.
    """
    overriding.set(_running("activate").messages(tag))


def activate_timezone(name: str | tzinfo) -> None:
    """Make a time zone the present one for the rest of the request, command or task.

    Raises:
        ConfigurationError: DJN-974, there is no such time zone.
    """
    overriding_zone.set(zone_of(name))


@contextmanager
def language(tag: str, translations: Offer | None = None) -> Iterator[Locale]:
    """Make a language the present one inside of a `with` block.

    For mails to people who read another one, and for tasks and scripts. `translations` is for code that runs outside
    of any app.

    Raises:
        ConfigurationError: DJN-971, the app does not offer it.
        OutsideContext: DJN-973, no app with translations is running.

    Example:
        ```python notest
        with language(user.language):
            await mail.send(_("Welcome"), to=user.email)
        ```
    """
    messages = (_running("language") if translations is None else translations).messages(tag)
    token = overriding.set(messages)
    try:
        yield messages.locale
    finally:
        overriding.reset(token)


@contextmanager
def timezone(name: str | tzinfo) -> Iterator[tzinfo]:
    """Make a time zone the present one inside of a `with` block.

    Raises:
        ConfigurationError: DJN-974, there is no such time zone.

    Example:
        >>> from demijohn.i18n import format_time
        >>> from datetime import datetime, UTC
        >>> with timezone("Asia/Tokyo"):
        ...     format_time(datetime(2026, 1, 31, 12, tzinfo=UTC), "HH:mm")
        '21:00'
    """
    zone = zone_of(name)
    token = overriding_zone.set(zone)
    try:
        yield zone
    finally:
        overriding_zone.reset(token)


def zone_of(name: str | tzinfo) -> tzinfo:
    """Return a time zone by its name in the time zone database.

    Raises:
        ConfigurationError: DJN-974, there is none of that name.
    """
    if isinstance(name, tzinfo):
        return name
    found = find_zone(name)
    if found is None:
        raise ConfigurationError(
            f"The time zone {name!r} is not known.",
            why="Time zones are named as in the IANA database.",
            fix='Write it as in  Translations(["en"], timezone="Europe/Berlin")',
            code="DJN-974",
        )
    return found


def find_zone(name: str) -> tzinfo | None:
    """Return a time zone by its name, or None: for names that come from a client."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, a path that leads elsewhere, a folder
        return None


def _running(name: str) -> Offer:
    unit: Any = find_unit()
    battery: Offer | None = None if unit is None or unit.app is None else unit.app.batteries.get("i18n")
    if battery is None:
        raise OutsideContext(
            f"`{name}()` was called, and no app with translations is running.",
            why="The languages and their catalogs are those of an app.",
            fix='In a script:  with app.context(), language("de"): ...',
            code="DJN-973",
        )
    return battery
