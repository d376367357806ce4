"""The query string: `application/x-www-form-urlencoded`, as the WHATWG URL Standard reads it."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes

from demijohn.errors import BadRequest, ContentTooLarge, HTTPError
from demijohn.http.multidict import MultiDict

__all__ = ["QueryParams", "encode_pairs", "parse_pairs"]


def parse_pairs(
    raw: bytes,
    *,
    limit: int = 1000,
    codec: str = "utf-8",
    what: str = "query string",
    too_many: type[HTTPError] = ContentTooLarge,
) -> list[tuple[str, str]]:
    """Read `a=1&b=2` into pairs; blanks are kept.

    `+` is a space, and only `&` separates.

    A percent sign that starts no escape stands for itself.

    Raises:
        BadRequest: What the bytes stand for is not in the codec, UTF-8 as a rule.
        HTTPError: There are more than `limit` pairs (of the class `too_many`).
    """
    if not raw:
        return []
    if raw.count(b"&") >= limit:
        raise too_many(f"The {what} has more than {limit} fields.")
    try:
        text = raw.decode(codec)
        if "%" in text or "+" in text:
            return _unquoted(raw, codec)
    except UnicodeError:
        raise BadRequest(f"The {what} is not {codec.upper()}.") from None
    if "&" not in text:
        name, _, value = text.partition("=")
        return [(name, value)]
    return [(name, value) for name, _, value in [field.partition("=") for field in text.split("&") if field]]


def _unquoted(raw: bytes, codec: str) -> list[tuple[str, str]]:
    pairs = []
    for field in raw.replace(b"+", b" ").split(b"&"):
        if field:
            name, _, value = field.partition(b"=")
            if b"%" in name:
                name = unquote_to_bytes(name)
            if b"%" in value:
                value = unquote_to_bytes(value)
            pairs.append((name.decode(codec), value.decode(codec)))
    return pairs


def encode_pairs(pairs: Iterable[tuple[str, Any]]) -> str:
    """Write pairs as `a=1&b=2`. Values of any type are written as `str` writes them."""
    return "&".join(f"{quote_plus(str(name))}={quote_plus(str(value))}" for name, value in pairs)


_new = object.__new__


class QueryParams(MultiDict[str]):
    """The fields of a query string, by name; the last value of a name wins.

    Example:
        >>> query = QueryParams("tag=a&tag=b&page=2")
        >>> query.getlist("tag"), query.get("page", 1, type=int), str(query.replace(page=3))
        (['a', 'b'], 2, 'tag=a&tag=b&page=3')
    """

    __slots__ = ()

    def __init__(
        self, source: str | bytes | Mapping[str, str] | Iterable[tuple[str, str]] = (), /, *, limit: int = 1000
    ) -> None:
        if isinstance(source, str):
            source = source.encode()
        if isinstance(source, bytes):
            self._pairs = parse_pairs(source, limit=limit, too_many=BadRequest)
            self._last = dict(self._pairs)
        else:
            super().__init__(source)

    @classmethod
    def from_raw(cls, raw: bytes, limit: int) -> "QueryParams":
        """Read a query string from the wire."""
        self = _new(cls)
        # One field with nothing to decode is the commonest, and needs no loop. It is looked at as text, since `in`
        # takes ten times as long in bytes.
        text = raw.decode() if raw.isascii() else ""
        if not text or not limit or "&" in text or "%" in text or "+" in text:
            pairs = self._pairs = parse_pairs(raw, limit=limit, too_many=BadRequest)
            self._last = dict(pairs)
        else:
            name, _, value = text.partition("=")
            self._pairs = [(name, value)]
            self._last = {name: value}
        return self

    def replace(self, **fields: Any) -> "QueryParams":
        """Return a copy in which these fields have these values.

        A list or tuple gives several values, `None` removes the field (Any: each value is written by `str`).
        """
        pairs = [(name, value) for name, value in self._pairs if name not in fields]
        for name, value in fields.items():
            if isinstance(value, list | tuple):
                pairs.extend((name, str(item)) for item in value)
            elif value is not None:
                pairs.append((name, str(value)))
        return QueryParams(pairs)

    def without(self, *names: str) -> "QueryParams":
        """Return a copy that has none of these names."""
        return QueryParams([pair for pair in self._pairs if pair[0] not in names])

    def __str__(self) -> str:
        return encode_pairs(self._pairs)
