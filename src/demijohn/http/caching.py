"""The `Cache-Control` header of a response (RFC 9111, section 5.2; RFC 5861; RFC 8246)."""

from datetime import timedelta
from typing import Any, TypedDict, Unpack

from demijohn.errors import ConfigurationError

__all__ = ["CacheControl", "CacheDirectives"]

Age = int | timedelta


class CacheDirectives(TypedDict, total=False):
    """The directives of `Cache-Control`; times are seconds or timedeltas."""

    public: bool
    private: bool
    max_age: Age
    s_maxage: Age
    no_cache: bool
    no_store: bool
    no_transform: bool
    must_revalidate: bool
    proxy_revalidate: bool
    must_understand: bool
    immutable: bool
    stale_while_revalidate: Age
    stale_if_error: Age


class CacheControl:
    """A `Cache-Control` value that does not contradict itself.

    Args:
        directives: As in the header, with underscores for the hyphens.

    Raises:
        ConfigurationError: Two directives contradict each other, or a time is negative (`DJN-747`).

    Example:
        >>> str(CacheControl(public=True, max_age=3600, stale_while_revalidate=60))
        'public, max-age=3600, stale-while-revalidate=60'
    """

    __slots__ = ("shared", "text")

    text: str
    shared: bool
    """Whether it lets shared caches keep the response."""

    def __init__(self, **directives: Unpack[CacheDirectives]) -> None:
        given: dict[str, Any] = {name: value for name, value in directives.items() if value is not False}
        for name in given:
            if name not in CacheDirectives.__annotations__:
                raise _wrong(f"Cache-Control has no directive {name!r}.")
        if "public" in given and ("private" in given or "no_store" in given):
            raise _wrong("The cache control is public, and private or no_store at once.")
        if "no_store" in given and ({"max_age", "s_maxage", "immutable"} & given.keys()):
            raise _wrong("The cache control is no_store, and says for how long to store.")
        if "private" in given and "s_maxage" in given:
            raise _wrong("The cache control is private, and says how long shared caches may keep it.")
        written = []
        for name, value in given.items():
            word = name.replace("_", "-")
            if value is True:
                written.append(word)
                continue
            seconds = int(value.total_seconds()) if isinstance(value, timedelta) else int(value)
            if seconds < 0:
                raise _wrong(f"The cache control has {name}={seconds}.")
            written.append(f"{word}={seconds}")
        self.text = ", ".join(written)
        self.shared = "public" in given or "s_maxage" in given

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<CacheControl {self.text}>"

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, CacheControl) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)


def _wrong(seen: str) -> ConfigurationError:
    return ConfigurationError(
        seen,
        why="Caches would each take it in their own way.",
        fix="Write:  @cache_control(public=True, max_age=300)   or   @cache_control(private=True, no_cache=True)",
        code="DJN-747",
    )
