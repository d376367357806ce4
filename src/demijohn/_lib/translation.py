"""Texts for people, in their language: marked here by every room, translated by whoever offers a catalog.

```python
from demijohn._lib.translation import gettext as _

_("Expected %(what)s.", what=name)
```

A text is looked up when the function is called, so what is made at import (labels, messages of a class) takes a lazy
form instead, which is looked up whenever it is shown. Without a catalog every text is the English one of the code.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, cast

__all__ = [
    "Catalog",
    "LazyString",
    "fill",
    "find_catalog",
    "gettext",
    "gettext_lazy",
    "gettext_noop",
    "look_up_by",
    "ngettext",
    "ngettext_lazy",
    "npgettext",
    "npgettext_lazy",
    "pgettext",
    "pgettext_lazy",
]


class Catalog(Protocol):
    """The messages of one language, in the manner of `gettext.GNUTranslations` of the standard library."""

    @property
    def language(self) -> str:
        """The language tag (BCP 47), as in `<html lang>`."""
        raise NotImplementedError

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`, as in `<html dir>`."""
        raise NotImplementedError

    def gettext(self, message: str, /) -> str: ...
    def ngettext(self, singular: str, plural: str, number: int, /) -> str: ...
    def pgettext(self, context: str, message: str, /) -> str: ...
    def npgettext(self, context: str, singular: str, plural: str, number: int, /) -> str: ...


def _nothing() -> Catalog | None:
    return None


_find: Callable[[], Catalog | None] = _nothing


def look_up_by(find: Callable[[], Catalog | None] | None) -> None:
    """Have the catalog of the present language found by a function, which is asked for each text.

    It looks at what is running (a context variable), so that one function serves all apps and languages of the process.
    `None` goes back to English.
    """
    global _find
    _find = find or _nothing


def find_catalog() -> Catalog | None:
    """Return the catalog of the present language, or `None` for the texts as they stand in the code."""
    return _find()


def get_language() -> str:
    """Return the tag of the present language, for `<html lang>`."""
    catalog = _find()
    return "en" if catalog is None else catalog.language


def get_direction() -> str:
    """Return the direction of the present language, for `<html dir>`: `ltr` or `rtl`."""
    catalog = _find()
    return "ltr" if catalog is None else catalog.direction


def fill(text: str, source: str, values: Mapping[str, Any]) -> str:
    """Fill in a translation (Any: values print).

    One whose placeholders do not fit gives way to the text in the code: a slip of a translator breaks no page.
    """
    try:
        return text % values
    except (KeyError, ValueError, TypeError):
        if text == source:
            raise
        _warn(source)
        return source % values


def _warn(source: str) -> None:
    import logging

    logging.getLogger("demijohn.i18n").warning("The placeholders of the translation of %r do not fit", str(source))


def gettext(message: str, /, **values: Any) -> str:
    """Return a text in the present language.

    Its `%(name)s` is filled in where values are given (Any: they print).
    """
    catalog = _find()
    text = message if catalog is None else catalog.gettext(message)
    return fill(text, message, values) if values else text


def ngettext(singular: str, plural: str, number: int, /, **values: Any) -> str:
    """Return the form for a number, `%(num)s` and the other values filled in.

    Any: values print.
    """
    catalog = _find()
    source = singular if number == 1 else plural
    text = source if catalog is None else catalog.ngettext(singular, plural, number)
    return fill(text, source, {"num": number, **values})


def pgettext(context: str, message: str, /, **values: Any) -> str:
    """Return a text that means other things elsewhere: `pgettext("month", "May")`.

    Any: values print.
    """
    catalog = _find()
    text = message if catalog is None else catalog.pgettext(context, message)
    return fill(text, message, values) if values else text


def npgettext(context: str, singular: str, plural: str, number: int, /, **values: Any) -> str:
    """Return the form for a number of a text with a context (Any: values print)."""
    catalog = _find()
    source = singular if number == 1 else plural
    text = source if catalog is None else catalog.npgettext(context, singular, plural, number)
    return fill(text, source, {"num": number, **values})


def gettext_noop(message: str, /) -> str:
    """Mark a text for the catalogs and return it as it is.

    `gettext` of it comes later.
    """
    return message


class LazyString:
    """A text that is looked up when it is shown: printed, formatted, compared, escaped or written as data.

    Has what `str` has. It is equal to the string that it shows now; its hash is that of the English text.
    """

    __slots__ = ("_arguments", "_look_up", "_values")

    def __init__(self, look_up: Callable[..., str], arguments: tuple[Any, ...], values: dict[str, Any]) -> None:
        self._look_up = look_up
        self._arguments = arguments
        self._values = values

    def __str__(self) -> str:
        return self._look_up(*self._arguments, **self._values)

    def __repr__(self) -> str:
        return f"<lazy {str(self)!r}>"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(str(self), name)

    def __reduce__(self) -> Any:
        return LazyString, (self._look_up, self._arguments, self._values)

    def __hash__(self) -> int:
        return hash(self._arguments[0] if len(self._arguments) == 1 else self._arguments)

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, str | LazyString) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other) if isinstance(other, str | LazyString) else NotImplemented

    def __le__(self, other: object) -> bool:
        return str(self) <= str(other) if isinstance(other, str | LazyString) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return str(self) > str(other) if isinstance(other, str | LazyString) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return str(self) >= str(other) if isinstance(other, str | LazyString) else NotImplemented

    def __bool__(self) -> bool:
        return bool(str(self))

    def __len__(self) -> int:
        return len(str(self))

    def __iter__(self) -> Iterator[str]:
        return iter(str(self))

    def __contains__(self, part: object) -> bool:
        return str(part) in str(self)

    def __getitem__(self, index: Any) -> str:
        return str(self)[index]

    def __add__(self, other: Any) -> Any:
        return str(self) + (str(other) if isinstance(other, LazyString) else other)

    def __radd__(self, other: Any) -> Any:
        return other + str(self)

    def __mul__(self, times: int) -> str:
        return str(self) * times

    def __mod__(self, values: object) -> str:
        return str(self) % values


# Typed as the text that they stand for, so that they go where a text goes: `Field(label=gettext_lazy("Name"))`.


def gettext_lazy(message: str, /, **values: Any) -> str:
    """Return a text that is looked up whenever it is shown.

    Any: values print, lazy ones in the same language.
    """
    return cast("str", LazyString(gettext, (message,), values))


def ngettext_lazy(singular: str, plural: str, number: int, /, **values: Any) -> str:
    """Return the form for a number, looked up whenever it is shown.

    Any: values print.
    """
    return cast("str", LazyString(ngettext, (singular, plural, number), values))


def pgettext_lazy(context: str, message: str, /, **values: Any) -> str:
    """Return a text with a context, looked up whenever it is shown.

    Any: values print.
    """
    return cast("str", LazyString(pgettext, (context, message), values))


def npgettext_lazy(context: str, singular: str, plural: str, number: int, /, **values: Any) -> str:
    """Return the form for a number of a text with a context, looked up when shown.

    Any: values print.
    """
    return cast("str", LazyString(npgettext, (context, singular, plural, number), values))
