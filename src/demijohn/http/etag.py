"""Entity tags (RFC 9110, section 8.8.3)."""

import re

from demijohn.http.headers import BadHeader

__all__ = ["ETag", "ETags"]

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
_OPAQUE = re.compile(r"[\x21\x23-\x7e]*")
_MOST = 100


class ETag:
    """The version of a representation.

    Args:
        value: Without quotes; printable ASCII but spaces and quotes.
        weak: Whether it only says that two are worth the same, not that they are the same bytes.

    Raises:
        BadHeader: The value cannot be written in a header.

    Example:
        >>> str(ETag("abc")), str(ETag("abc", weak=True))
        ('"abc"', 'W/"abc"')
    """

    __slots__ = ("value", "weak")

    value: str
    weak: bool

    def __init__(self, value: str, *, weak: bool = False) -> None:
        if not _OPAQUE.fullmatch(value):
            raise BadHeader(
                f"The entity tag {value!r} cannot be sent.",
                why="A tag is printable ASCII without spaces and quotes (RFC 9110).",
                fix="Use a hash or a version number:  response.set_etag(str(post.version))",
            )
        self.value = value
        self.weak = weak

    @classmethod
    def find(cls, text: str) -> "ETag | None":
        """Read one tag as it stands in a header; `None` for what is none."""
        found = _TAG.fullmatch(text)
        if found is None or text.rstrip().endswith(","):
            return None
        return cls._made(found[2], found[1] is not None)

    @classmethod
    def _made(cls, value: str, weak: bool) -> "ETag":
        self = cls.__new__(cls)
        self.value, self.weak = value, weak
        return self

    def is_same(self, other: "ETag") -> bool:
        """Whether both are strong and equal: the same bytes."""
        return not self.weak and not other.weak and self.value == other.value

    def is_like(self, other: "ETag") -> bool:
        """Whether they are equal, weak or not."""
        return self.value == other.value

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ETag):
            return self.value == other.value and self.weak == other.weak
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.value, self.weak))

    def __str__(self) -> str:
        return f'W/"{self.value}"' if self.weak else f'"{self.value}"'

    def __repr__(self) -> str:
        return f"ETag({self!s})"


class ETags:
    """The tags of `If-Match` or `If-None-Match`; what makes no sense is skipped.

    Example:
        >>> tags = ETags('"a", W/"b"')
        >>> tags.has_same(ETag("a")), tags.has_same(ETag("b")), tags.has_like(ETag("b"))
        (True, False, True)
    """

    __slots__ = ("any", "tags")

    any: bool
    """Whether it is `*`: whatever there is."""
    tags: tuple[ETag, ...]

    def __init__(self, header: str = "", /) -> None:
        self.any = header.strip() == "*"
        tags: list[ETag] = []
        position = 0
        while position < len(header) and len(tags) < _MOST:
            found = _TAG.match(header, position)
            if found is None:
                following = header.find(",", position)
                if following < 0:
                    break
                position = following + 1
                continue
            tags.append(ETag._made(found[2], found[1] is not None))
            position = found.end()
        self.tags = tuple(tags)

    def has_same(self, etag: ETag) -> bool:
        """Whether the tag is among them by strong comparison, or they are `*`."""
        return self.any or any(tag.is_same(etag) for tag in self.tags)

    def has_like(self, etag: ETag) -> bool:
        """Whether the tag is among them by weak comparison, or they are `*`."""
        return self.any or any(tag.is_like(etag) for tag in self.tags)

    def __repr__(self) -> str:
        return f"ETags({'*' if self.any else ', '.join(map(str, self.tags))})"
