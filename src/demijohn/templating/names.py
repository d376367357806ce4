"""The names that every template sees."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from demijohn._lib.translation import get_direction, get_language
from demijohn.app import current, get_flashed_messages, url_for
from demijohn.app.context import find_unit
from demijohn.app.urls import place

__all__ = ["Proxy", "standard_names"]


class Proxy:
    """Stands for what is current, for templates that are imported without a context (Any: attributes are of any type).

    False where nothing is running, so that `{% if request %}` can be asked in a mail.
    """

    __slots__ = ("_find", "_name")

    def __init__(self, name: str, find: Callable[[], Any]) -> None:
        self._name = name
        self._find = find

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._find(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._find()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._find()

    def __iter__(self) -> Any:
        return iter(self._find())

    def __len__(self) -> int:
        return len(self._find())

    def __bool__(self) -> bool:
        unit = find_unit()
        if unit is None or (self._name in ("request", "session") and not hasattr(unit, "headers")):
            return False
        return bool(self._find()) if self._name == "session" else True

    def __repr__(self) -> str:
        return f"<{self._name}>"


class Language:
    """The present language: `<html lang="{{ language }}" dir="{{ language.direction }}">`."""

    __slots__ = ()

    @property
    def direction(self) -> str:
        """Return `ltr`, or `rtl` for languages that are written from right to left."""
        return get_direction()

    def __str__(self) -> str:
        return get_language()

    def __eq__(self, other: object) -> bool:
        return str(self) == other

    def __hash__(self) -> int:
        return hash("language")


def standard_names() -> dict[str, Any]:
    """Return the names that are there in every app (Any: templates use anything)."""
    return {
        "current": current,
        "request": Proxy("request", lambda: current.request),
        "session": Proxy("session", lambda: current.session),
        "g": Proxy("g", lambda: current.g),
        "url_for": url_for,
        "static": _static,
        "get_flashed_messages": get_flashed_messages,
        "csrf_input": _csrf_input,
        "query_string": _query_string,
        "language": Language(),
    }


def _static(filename: str, *, namespace: str = "") -> str:
    """Return the URL of a static file, with the hash of its content."""
    return place(current.app.static_url(filename, namespace=namespace))


def _csrf_input() -> Markup:
    """Return the hidden field that a form of ours sends back; empty where the app has no CSRF guard."""
    app = current.app
    make = app.templates.globals.get("csrf")
    return Markup(make()) if make is not None else Markup()  # noqa: S704 - markup of our own


def _query_string(**changes: Any) -> str:
    """Return the query of the request with some values changed: `{{ query_string(page=2) }}`; `None` takes one away."""
    from urllib.parse import urlencode

    pairs = [(name, value) for name, value in current.request.query.multi_items() if name not in changes]
    for name, value in changes.items():
        values = value if isinstance(value, list | tuple) else [value]
        pairs.extend((name, str(item)) for item in values if item is not None)
    return f"?{urlencode(pairs)}"
