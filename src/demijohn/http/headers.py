"""Header fields: case-insensitive, in their order, and impossible to inject into (RFC 9110, section 5)."""

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TypeVar, cast, overload

from demijohn.errors import DemijohnError
from demijohn.types import HeadersLike

__all__ = ["BadHeader", "Headers", "Lines", "MutableHeaders", "Raw", "encode_name", "encode_value"]

D = TypeVar("D")

Raw = list[tuple[bytes, bytes]]
"""Header lines as they are on the wire: names in lower case, values in Latin-1."""
Lines = Sequence[tuple[bytes, bytes]]
"""The same, to be read only: our server gives one tuple to all requests that bring the same lines."""

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_names: dict[str, bytes] = {}
_NAMES_KEPT = 1024


class BadHeader(DemijohnError, ValueError):
    """A header name or value that would break out of its line."""

    code = "DJN-301"


def encode_name(name: str) -> bytes:
    """Return the name on the wire, in lower case.

    Raises:
        BadHeader: It is not a token of RFC 9110, section 5.6.2.
    """
    raw = _names.get(name)
    if raw is not None:
        return raw
    if not _NAME.fullmatch(name):
        raise BadHeader(
            f"The header name {name!r} cannot be sent.",
            why="A name consists of letters, digits and !#$%&'*+-.^_`|~ only (RFC 9110); anything else could start a "
            "header or a body of its own.",
            fix='Write a plain name:  response.headers["X-Total-Count"] = "7"',
        )
    raw = name.lower().encode("ascii")
    if len(_names) < _NAMES_KEPT:
        _names[name] = raw
    return raw


def encode_value(value: str, /, name: str = "") -> bytes:
    """Return the value on the wire, without spaces around it.

    Raises:
        BadHeader: It has control characters, or characters outside of Latin-1.
    """
    if not isinstance(value, str):
        raise BadHeader(
            f"The header {name!r} was given {type(value).__name__} {value!r}.",
            why="A header value is text.",
            fix=f'Write it as text:  response.headers["{name}"] = str(value)',
        )
    if value.isascii() and value.isprintable():
        return value.strip(" ").encode("ascii")
    if _FORBIDDEN.search(value):
        raise BadHeader(
            f"The value of the header {name!r} has a line break or another control character in it: {value[:80]!r}.",
            why="It would end the header and let whoever wrote the value send headers or a body of their own.",
            fix="Remove them, or percent-encode what people typed:  urllib.parse.quote(value)",
        )
    try:
        return value.strip(" \t").encode("latin-1")
    except UnicodeEncodeError:
        raise BadHeader(
            f"The value of the header {name!r} has characters that a header cannot carry: {value[:80]!r}.",
            why="Header values are Latin-1 on the wire.",
            fix="Percent-encode it:  urllib.parse.quote(value)",
        ) from None


_new = object.__new__


def encode_lines(headers: HeadersLike) -> Raw:
    """Return headers given as a mapping or as pairs as lines for the wire."""
    return [(encode_name(name), encode_value(value, name)) for name, value in pairs_of(headers)]


def pairs_of(headers: HeadersLike) -> Iterable[tuple[str, str]]:
    """Return headers line by line: several `Set-Cookie` stay several."""
    if isinstance(headers, Headers):
        return headers.multi_items()
    # pyright takes a mapping for an iterable of pairs too
    return cast("Iterable[tuple[str, str]]", headers.items() if isinstance(headers, Mapping) else headers)


class Headers(Mapping[str, str]):
    """Read-only header fields, by name in any case.

    A field that came more than once reads as its values joined by `, ` (RFC 9110, section 5.3), so that a check never
    sees just one of two; `getlist` returns them one by one. `Cookie` is joined by `; `.

    Example:
        >>> headers = Headers({"Content-Type": "text/html"})
        >>> headers["content-type"], "CONTENT-TYPE" in headers
        ('text/html', True)
    """

    __slots__ = ("_index", "raw")

    raw: Lines
    """The lines on the wire, names in lower case."""

    def __init__(self, headers: HeadersLike = (), /) -> None:
        self.raw = encode_lines(headers)
        self._index: dict[bytes, bytes] | None = None

    @classmethod
    def from_raw(cls, raw: Lines, /) -> "Headers":
        """Read lines from the wire; names must be in lower case.

        They are kept, not copied.
        """
        self = _new(cls)
        self.raw = raw
        self._index = None
        return self

    def _by_name(self) -> dict[bytes, bytes]:
        index = dict(self.raw)
        if len(index) != len(self.raw):
            index = {}
            for name, value in self.raw:
                before = index.get(name)
                if before is not None:
                    value = before + (b"; " if name == b"cookie" else b", ") + value
                index[name] = value
        self._index = index
        return index

    def __getitem__(self, name: str, /) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, default: str | D, /) -> str | D: ...
    def get(self, name: str, default: str | D | None = None, /) -> str | D | None:
        """Return the value of a field, several joined by `, `, or `default`."""
        index = self._index
        if index is None:
            index = self._by_name()
        key = _names.get(name)
        if key is None:
            key = name.lower().encode("latin-1", "replace")
            if len(_names) < _NAMES_KEPT and _NAME.fullmatch(name):
                _names[name] = key
        value = index.get(key)
        return default if value is None else value.decode("latin-1")

    def line(self, name: bytes) -> bytes | None:
        """Return the bytes of a field whose name is given in lower case, or `None`.

        This is `get` without decoding, for code that runs for every request.
        """
        index = self._index
        if index is None:
            index = self._by_name()
        return index.get(name)

    def getlist(self, name: str) -> list[str]:
        """Return the value of each line of that name, in their order."""
        key = name.lower().encode("latin-1", "replace")
        return [value.decode("latin-1") for line, value in self.raw if line == key]

    def multi_items(self) -> list[tuple[str, str]]:
        """Return every line as a pair, in their order."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.raw]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        index = self._index
        if index is None:
            index = self._by_name()
        return iter([name.decode("latin-1") for name in index])

    def __len__(self) -> int:
        index = self._index
        if index is None:
            index = self._by_name()
        return len(index)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Headers):
            return sorted(self.raw) == sorted(other.raw)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.multi_items()!r})"


class MutableHeaders(Headers, MutableMapping[str, str]):
    """Header fields to be sent; `[]=` replaces a field, `add` adds a line.

    Names must be tokens and values free of control characters: what would break out of its line raises `BadHeader`
    where it is set, never later.

    Example:
        >>> headers = MutableHeaders()
        >>> headers["X-One"] = "1"
        >>> headers.add("Link", "</a>; rel=next")
        >>> headers.raw
        [(b'x-one', b'1'), (b'link', b'</a>; rel=next')]
    """

    __slots__ = ()

    raw: Raw  # pyright: ignore[reportIncompatibleVariableOverride]  - read in one class, changed in the other

    def __setitem__(self, name: str, value: str, /) -> None:
        key, encoded = encode_name(name), encode_value(value, name)
        raw = self.raw
        for position, line in enumerate(raw):
            if line[0] == key:
                raw[position] = (key, encoded)
                tail = position + 1
                raw[tail:] = [line for line in raw[tail:] if line[0] != key]
                break
        else:
            raw.append((key, encoded))
        self._index = None

    def __delitem__(self, name: str, /) -> None:
        if name not in self:
            raise KeyError(name)
        key = encode_name(name)
        self.raw[:] = [line for line in self.raw if line[0] != key]
        self._index = None

    def add(self, name: str, value: str) -> None:
        """Add a line, beside those of the same name."""
        self.raw.append((encode_name(name), encode_value(value, name)))
        self._index = None

    def extend(self, headers: HeadersLike) -> None:
        """Add every line of a mapping or of pairs."""
        for name, value in pairs_of(headers):
            self.add(name, value)

    def add_vary(self, *names: str) -> None:
        """Name request headers in `Vary`, each once.

        `*` stands for all and swallows the rest.
        """
        value = self.get("vary", "")
        present = [part.strip() for part in value.split(",") if part.strip()]
        known = {part.lower() for part in present}
        if "*" in known:
            return
        for name in names:
            if name.lower() not in known:
                encode_name(name)
                known.add(name.lower())
                present.append(name)
        self["vary"] = "*" if "*" in known else ", ".join(present)

    def copy(self) -> "MutableHeaders":
        """Return a copy that can be changed by itself."""
        headers = MutableHeaders()
        headers.raw = list(self.raw)
        return headers
