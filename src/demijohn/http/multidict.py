"""A read-only mapping in which a name may come more than once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar, cast, overload

__all__ = ["MultiDict"]

V_co = TypeVar("V_co", covariant=True)
T = TypeVar("T")
D = TypeVar("D")


class MultiDict(Mapping[str, V_co], Generic[V_co]):
    """Names and values in their order; a name may come more than once.

    As a mapping it shows the *last* value of each name (as Django and Starlette do);
    `getlist` returns all of them and `multi_items` every pair.

    Example:
        >>> query = MultiDict([("tag", "a"), ("tag", "b")])
        >>> query["tag"], query.getlist("tag")
        ('b', ['a', 'b'])
    """

    __slots__ = ("_last", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, V_co]] | Mapping[str, V_co] = (), /) -> None:
        # pyright takes a mapping for an iterable of pairs too
        items = cast("Iterable[tuple[str, V_co]]", pairs.items() if isinstance(pairs, Mapping) else pairs)
        self._pairs: list[tuple[str, V_co]] = list(items)
        self._last: dict[str, V_co] = dict(self._pairs)

    def __getitem__(self, name: str, /) -> V_co:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def __contains__(self, name: object) -> bool:
        return name in self._last

    @overload
    def get(self, name: str, /) -> V_co | None: ...
    @overload
    def get(self, name: str, default: V_co | D, /) -> V_co | D: ...
    @overload
    def get(self, name: str, /, *, type: Callable[[Any], T]) -> T | None: ...
    @overload
    def get(self, name: str, default: D, /, *, type: Callable[[Any], T]) -> T | D: ...
    def get(
        self,
        name: str,
        default: Any = None,
        /,
        *,
        type: Callable[[Any], Any] | None = None,  # noqa: A002 - the name in Flask
    ) -> Any:
        """Return the last value of `name`, or `default`.

        With `type=int` (any callable of one argument) the value is converted, and the default stands for what
        cannot be (`ValueError` or `TypeError`).
        """
        if type is None:
            return self._last.get(name, default)
        if name not in self._last:
            return default
        try:
            return type(self._last[name])
        except (ValueError, TypeError):
            return default

    @property
    def last(self) -> Mapping[str, V_co]:
        """The last value of each name, as a plain mapping that is quick to read."""
        return self._last

    def getlist(self, name: str) -> list[V_co]:
        """Return every value of `name` in its order; empty where there is none."""
        return [value for key, value in self._pairs if key == name]

    def multi_items(self) -> list[tuple[str, V_co]]:
        """Return every pair in its order."""
        return list(self._pairs)

    def to_dict(self) -> dict[str, list[V_co]]:
        """Return all values by name."""
        result: dict[str, list[V_co]] = {}
        for name, value in self._pairs:
            result.setdefault(name, []).append(value)
        return result

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MultiDict):
            return self._pairs == other._pairs
        if isinstance(other, Mapping):
            return len(self._pairs) == len(self._last) and self._last == dict(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs!r})"
