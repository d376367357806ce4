"""What the client would like: `Accept`, `Accept-Language`, `Accept-Encoding` (RFC 9110, section 12.5)."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple, TypeVar, overload

from demijohn.http.media_type import MediaType

__all__ = ["Accept", "AcceptEncodings", "AcceptLanguages", "Preference"]

D = TypeVar("D")
_MOST = 64


class Preference(NamedTuple):
    """One thing that the client named, and how much it is wanted.

    The value is in lower case, with its parameters.
    """

    value: str
    quality: float
    params: tuple[tuple[str, str], ...] = ()


def _quality(text: str) -> float | None:
    text = text.strip(" \t")
    if not 1 <= len(text) <= 5 or not text.isascii() or not text.replace(".", "", 1).isdigit():
        return None
    quality = float(text)
    return quality if quality <= 1 else None


def _split(header: str, separator: str) -> Iterator[str]:
    """Split outside of quoted strings."""
    if '"' not in header:
        yield from header.split(separator)
        return
    start, quoted, escaped = 0, False, False
    for position, character in enumerate(header):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            yield header[start:position]
            start = position + 1
    yield header[start:]


def _preferences(header: str) -> tuple[Preference, ...]:
    found = []
    for part in _split(header, ","):
        pieces = _split(part, ";")
        value = next(pieces).strip(" \t").lower()
        if not value or not value.isascii() or " " in value:
            continue
        quality: float | None = 1.0
        params = []
        for piece in pieces:
            name, _, content = piece.partition("=")
            name = name.strip(" \t").lower()
            if name == "q":
                quality = _quality(content)
                break
            if name:
                params.append((name, content.strip(' \t"').lower()))
        if quality is not None:
            found.append(Preference(value, quality, tuple(params)))
            if len(found) == _MOST:
                break
    return tuple(found)


_cached_preferences = lru_cache(maxsize=256)(_preferences)


def parse_preferences(header: str) -> tuple[Preference, ...]:
    """Read a header of the Accept family; what makes no sense is skipped.

    Nothing raises.

    At most 64 entries are read.
    """
    return _cached_preferences(header) if len(header) <= 512 else _preferences(header)


class _Accepted:
    """What the three headers have in common."""

    __slots__ = ("preferences",)

    preferences: tuple[Preference, ...]
    """What the client named, in its order."""

    def __init__(self, header: str | None = None, /) -> None:
        self.preferences = parse_preferences(header) if header else ()

    def quality(self, offer: str) -> float:
        """Return how much an offer is wanted: 0 (refused) to 1."""
        raise NotImplementedError

    def accepts(self, offer: str) -> bool:
        """Whether the client takes this offer."""
        return self.quality(offer) > 0

    @overload
    def best_match(self, offers: Iterable[str]) -> str | None: ...
    @overload
    def best_match(self, offers: Iterable[str], default: D) -> str | D: ...
    def best_match(self, offers: Iterable[str], default: D | None = None) -> str | D | None:
        """Return the offer that the client wants most, the first of equals, or `default`."""
        best: str | None = None
        quality = 0.0
        for offer in offers:
            wanted = self.quality(offer)
            if wanted > quality:
                best, quality = offer, wanted
        return default if best is None else best

    def ranked(self, offers: Iterable[str]) -> list[str]:
        """Return the accepted offers, the most wanted first, equals in their order."""
        wanted = [(self.quality(offer), offer) for offer in offers]
        return [offer for quality, offer in sorted(wanted, key=lambda pair: -pair[0]) if quality > 0]

    def __contains__(self, offer: str) -> bool:
        return self.accepts(offer)

    def __iter__(self) -> Iterator[Preference]:
        return iter(self.preferences)

    def __bool__(self) -> bool:
        return bool(self.preferences)

    def __repr__(self) -> str:
        names = ", ".join(f"{item.value};q={item.quality:g}" for item in self.preferences)
        return f"{type(self).__name__}({names!r})"


class Accept(_Accepted):
    """The media types that the client takes; without the header, all.

    The most specific entry counts: `text/html;level=1` before `text/html`, `text/*` and `*/*`.

    Example:
        >>> accept = Accept("text/html, application/json;q=0.8, */*;q=0.1")
        >>> accept.best_match(["application/json", "text/html"])
        'text/html'
    """

    __slots__ = ()

    def quality(self, offer: str) -> float:
        """Return how much a media type is wanted: 0 (refused) to 1."""
        if not self.preferences:
            return 1.0
        offer = offer.lower()
        params: dict[str, str] = {}
        if ";" in offer:
            media = MediaType.find(offer)
            if media is None:
                return 0.0
            offer, params = media.essence, dict(media.params)
        kind = offer.partition("/")[0] + "/*"
        best, quality = -1, 0.0
        for value, wanted, asked in self.preferences:
            if value == offer:
                if asked and any(params.get(name) != content for name, content in asked):
                    continue
                specificity = 2 + len(asked)
            elif value == kind:
                specificity = 1
            elif value in ("*/*", "*"):
                specificity = 0
            else:
                continue
            if specificity > best or (specificity == best and wanted > quality):
                best, quality = specificity, wanted
        return quality

    def _names(self, *offers: str) -> bool:
        return any(item.value in offers and item.quality > 0 for item in self.preferences)

    @property
    def prefers_page(self) -> bool:
        """Whether a page is wanted rather than data: HTML more than JSON.

        So it is for browsers. Whoever takes everything alike (`*/*`: curl, `fetch`) gets data.
        """
        return self.quality("text/html") > self._data

    @property
    def prefers_data(self) -> bool:
        """Whether data is wanted rather than a page: JSON more than HTML.

        So it is for a script that says so, never for a browser. Whoever takes everything alike prefers neither.
        """
        return self._data > self.quality("text/html")

    @property
    def _data(self) -> float:
        return max(self.quality("application/json"), self.quality("application/problem+json"))

    @property
    def names_html(self) -> bool:
        """Whether HTML is asked for by name, not by `*/*` alone.

        Browsers do so for a page.
        """
        return self._names("text/html", "application/xhtml+xml")

    @property
    def names_json(self) -> bool:
        """Whether JSON is asked for by name."""
        return any(
            (item.value == "application/json" or item.value.endswith("+json")) and item.quality > 0
            for item in self.preferences
        )


class AcceptLanguages(_Accepted):
    """The languages that the client reads; without the header, all.

    Example:
        >>> AcceptLanguages("de-CH, en;q=0.7").best_match(["en", "de"])
        'de'
    """

    __slots__ = ()

    def quality(self, offer: str) -> float:
        """Return how much a language tag is wanted: 0 (refused) to 1.

        Looked up as in RFC 4647, section 3.4: `de` answers `de-CH` where nothing nearer is offered, a little less than
        the exact tag; and a range `de` takes `de-CH` (section 3.3.1).
        """
        if not self.preferences:
            return 1.0
        offer = offer.replace("_", "-").lower()
        best, quality = -1.0, 0.0
        for value, wanted, _ in self.preferences:
            value = value.replace("_", "-")
            if value == offer:
                specificity, factor = 1000.0, 1.0
            elif offer.startswith(value + "-"):
                specificity, factor = float(len(value)), 0.999
            elif value.startswith(offer + "-"):
                # "de-CH;q=0" refuses the Swiss form, not the language.
                if wanted == 0:
                    continue
                specificity, factor = len(offer) - 0.5, 0.998
            elif value == "*":
                specificity, factor = 0.0, 0.99
            else:
                continue
            if specificity > best or (specificity == best and wanted * factor > quality):
                best, quality = specificity, wanted * factor
        return quality


class AcceptEncodings(_Accepted):
    """The content codings that the client can undo; `identity` unless it is refused.

    Example:
        >>> AcceptEncodings("gzip, br;q=0.9").best_match(["br", "gzip"])
        'gzip'
    """

    __slots__ = ()

    def quality(self, offer: str) -> float:
        """Return how much a coding is wanted: 0 (refused) to 1.

        Without the header only `identity` is.
        """
        offer = offer.lower()
        star: float | None = None
        for value, wanted, _ in self.preferences:
            if value == offer or (value == "x-gzip" and offer == "gzip"):
                return wanted
            if value == "*":
                star = wanted
        if offer == "identity":
            # Anything else that is accepted at all is preferred to it.
            return 0.0 if star == 0 else 0.001
        return star or 0.0
