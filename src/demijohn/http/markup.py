"""Text that is HTML, and everything else, which is not."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, LiteralString, Protocol, Self, SupportsIndex, runtime_checkable

from demijohn.errors import DemijohnError

__all__ = ["BadMarkup", "HasHTML", "Markup", "escape", "html"]


class BadMarkup(DemijohnError, ValueError):
    """A template for `html()` that does not fit its arguments."""

    code = "DJN-321"


if TYPE_CHECKING:

    class Template(Protocol):
        """A t-string of Python 3.14 (PEP 750)."""

        @property
        def strings(self) -> tuple[str, ...]: ...

        @property
        def interpolations(self) -> tuple[Any, ...]: ...


@runtime_checkable
class HasHTML(Protocol):
    """Anything that shows itself as HTML: our markup, that of Jinja2 and Django, form fields."""

    def __html__(self) -> str: ...


_TABLE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})
_SPECIAL = re.compile(r"[&<>\"']")
_TAGS = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)


def _escaped(value: object) -> str:
    shown = getattr(value, "__html__", None)
    if shown is not None:
        return str.__str__(shown())
    text = str(value)
    return text.translate(_TABLE) if _SPECIAL.search(text) else text


def escape(value: object) -> "Markup":
    """Return a value as HTML: what is HTML already stays, all else is escaped.

    Example:
        >>> escape("a < b")
        Markup('a &lt; b')
    """
    return str.__new__(Markup, _escaped(value))


class Markup(str):
    """Text that is HTML and is shown as such.

    What is joined to it is escaped, unless it is HTML itself (has `__html__`, as markup of Jinja2 and Django has).
    Methods that could cut an entity or a tag in two return plain `str`, which is escaped again where it is shown.

    Args:
        text: Taken as HTML: never give it what a person typed.

    Example:
        >>> Markup("<b>") + "1 < 2" + Markup("</b>")
        Markup('<b>1 &lt; 2</b>')
    """

    __slots__ = ()

    def __new__(cls, text: object = "") -> Self:
        shown = getattr(text, "__html__", None)
        return str.__new__(cls, text if shown is None else shown())

    @classmethod
    def escape(cls, value: object) -> "Markup":
        """Return a value as HTML: what is HTML already stays, all else is escaped."""
        return escape(value)

    def __html__(self) -> "Markup":
        return self

    def __repr__(self) -> str:
        return f"Markup({str.__repr__(self)})"

    def __add__(self, other: str) -> "Markup":
        if not hasattr(other, "__html__") and not isinstance(other, str):
            return NotImplemented
        return str.__new__(Markup, str.__add__(self, _escaped(other)))

    def __radd__(self, other: str) -> "Markup":
        if not hasattr(other, "__html__") and not isinstance(other, str):
            return NotImplemented
        return str.__new__(Markup, _escaped(other) + str.__str__(self))

    def __mul__(self, times: SupportsIndex) -> "Markup":
        return str.__new__(Markup, str.__mul__(self, times))

    def __rmul__(self, times: SupportsIndex) -> "Markup":
        return self * times

    def __mod__(self, values: Any) -> "Markup":
        if isinstance(values, tuple):
            wrapped: Any = tuple(_Shown(value) for value in values)
        elif isinstance(values, Mapping):
            wrapped = {name: _Shown(value) for name, value in values.items()}
        else:
            wrapped = _Shown(values)
        return str.__new__(Markup, str.__mod__(self, wrapped))

    def format(self, *args: object, **kwargs: object) -> "Markup":
        """Fill the fields with values that are escaped unless they are HTML."""
        return str.__new__(
            Markup,
            str.format(self, *map(_Shown, args), **{name: _Shown(value) for name, value in kwargs.items()}),
        )

    def format_map(self, mapping: Mapping[str, object], /) -> "Markup":  # type: ignore[override]
        """Fill the fields from a mapping, its values escaped unless they are HTML."""
        return str.__new__(Markup, str.format_map(self, _ShownMapping(mapping)))

    def join(self, items: Iterable[object], /) -> "Markup":
        """Join values, each escaped unless it is HTML."""
        return str.__new__(Markup, str.join(self, [_escaped(item) for item in items]))

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> "Markup":
        """Replace a text of the markup; what takes its place is escaped unless it is HTML."""
        return str.__new__(Markup, str.replace(self, old, _escaped(new), count))

    def strip(self, characters: str | None = None, /) -> "Markup":
        """Return the markup without white space (or these characters) at its ends."""
        return str.__new__(Markup, str.strip(self, characters))

    def lstrip(self, characters: str | None = None, /) -> "Markup":
        """Return the markup without white space (or these characters) at its beginning."""
        return str.__new__(Markup, str.lstrip(self, characters))

    def rstrip(self, characters: str | None = None, /) -> "Markup":
        """Return the markup without white space (or these characters) at its end."""
        return str.__new__(Markup, str.rstrip(self, characters))

    def splitlines(self, keepends: bool = False) -> list["Markup"]:  # type: ignore[override]
        """Return the lines."""
        return [str.__new__(Markup, line) for line in str.splitlines(self, keepends)]

    def striptags(self) -> str:
        """Return the plain text: no tags, no comments, entities read, spaces folded."""
        from html import unescape

        return " ".join(unescape(_TAGS.sub("", self)).split())

    def unescape(self) -> str:
        """Return the text with its entities read; it is plain text."""
        from html import unescape

        return unescape(str(self))

    def __str__(self) -> str:
        return str.__str__(self)


class _Shown:
    """A value on its way into markup: whatever is taken from it comes out escaped."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __format__(self, spec: str) -> str:
        value: Any = self._value
        if not spec:
            return _escaped(value)
        if hasattr(value, "__html_format__"):
            return str(value.__html_format__(spec))
        if hasattr(value, "__html__"):
            return format(str(value.__html__()), spec)
        return format(value, spec).translate(_TABLE)

    def __str__(self) -> str:
        return _escaped(self._value)

    def __repr__(self) -> str:
        return repr(self._value).translate(_TABLE)

    def __getattr__(self, name: str) -> "_Shown":
        return _Shown(getattr(self._value, name))

    def __getitem__(self, key: Any) -> "_Shown":
        value: Any = self._value
        return _Shown(value[key])

    def __int__(self) -> int:
        value: Any = self._value
        return int(value)

    def __index__(self) -> int:
        value: Any = self._value
        return int(value.__index__())

    def __float__(self) -> float:
        value: Any = self._value
        return float(value)


class _ShownMapping(dict[str, object]):
    def __init__(self, mapping: Mapping[str, object]) -> None:
        super().__init__()
        self._mapping = mapping

    def __missing__(self, name: str) -> object:
        return _Shown(self._mapping[name])


def html(template: "LiteralString | Template", /, *args: object, **kwargs: object) -> Markup:
    """Build HTML of a template and values, which are escaped.

    Args:
        template: HTML with the fields of `str.format`, written out in your code; its own braces are doubled. Or a
            t-string on Python 3.14, without further arguments. Never an f-string: what it holds would not be escaped.
        args: Values for `{}` and `{0}`.
        kwargs: Values for `{name}`.

    Raises:
        BadMarkup: The fields do not fit the values.

    Example:
        >>> html("<b>{}</b>", "<i>")
        Markup('<b>&lt;i&gt;</b>')
    """
    if not isinstance(template, str):
        return _from_template(template)
    try:
        return Markup(template).format(*args, **kwargs)
    except (IndexError, KeyError, ValueError, AttributeError) as error:
        raise BadMarkup(
            f"html({template[:80]!r}) cannot be filled: {type(error).__name__}: {error}.",
            why="The braces of the template are fields, and each needs a value.",
            fix='Give each field a value:  html("<b>{}</b>", name)   and double other braces:  "a {{ color: red }}"',
        ) from error


def _from_template(template: Any) -> Markup:
    """Build HTML of a t-string (PEP 750): strings as they are, values escaped."""
    if not hasattr(template, "strings") or not hasattr(template, "interpolations"):
        raise BadMarkup(
            f"html() was given {type(template).__name__}.",
            why="It takes a template as text, or a t-string.",
            fix='Write:  html("<b>{}</b>", value)   or, to escape a value alone:  escape(value)',
        )
    pieces: list[str] = []
    for text, field in zip(template.strings, [*template.interpolations, None], strict=True):
        pieces.append(text)
        if field is None:
            break
        value = field.value
        if field.conversion == "r":
            value = repr(value)
        elif field.conversion == "s":
            value = str(value)
        elif field.conversion == "a":
            value = ascii(value)
        if field.format_spec:
            pieces.append(format(_Shown(value), field.format_spec))
        elif hasattr(value, "strings") and hasattr(value, "interpolations"):
            pieces.append(_from_template(value))
        elif isinstance(value, list | tuple):
            pieces.extend(_from_template(item) if hasattr(item, "interpolations") else _escaped(item) for item in value)
        else:
            pieces.append(_escaped(value))
    return str.__new__(Markup, "".join(pieces))
