"""What a room or a battery keeps with one request, apart from `g`."""

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, overload

from demijohn.errors import DemijohnError

__all__ = ["MissingState", "StateKey"]

T = TypeVar("T")
D = TypeVar("D")


class MissingState(DemijohnError, LookupError):
    """A state was wanted that nobody had kept with what is running."""

    code = "DJN-341"


class HasState(Protocol):
    """A request, a socket, or a unit of work.

    Any: each state is of the type that its key says.
    """

    _states: "dict[StateKey[Any], Any]"


class StateKey(Generic[T]):
    """Where a battery keeps a value of its own with what is running.

    That is a request, a socket or a unit of work. The key itself is the place: what is kept under it is found by
    nobody else, whatever others call theirs, and `g` stays the app's. It lasts as long as the request does. Make the
    key once, in a module.

    Args:
        name: What it is called in errors: that of the battery.
        factory: Makes the value where none was kept yet.

    Example:
        >>> from demijohn import Request
        >>> tenant = StateKey[str]("tenants")
        >>> request = Request("GET", "/", b"/", b"", [])
        >>> tenant.find(request), tenant.set(request, "acme"), tenant.get(request)
        (None, 'acme', 'acme')
    """

    __slots__ = ("factory", "name")

    def __init__(self, name: str, *, factory: Callable[[], T] | None = None) -> None:
        self.name = name
        self.factory = factory

    def get(self, unit: HasState) -> T:
        """Return what is kept, made by the factory at the first time.

        Raises:
            MissingState: Nothing was kept, and there is no factory.
        """
        states = unit._states
        try:
            found: T = states[self]
        except KeyError:
            if self.factory is None:
                raise MissingState(
                    f"The state {self.name!r} was wanted of {unit!r}, and nobody has kept one there.",
                    why="It has no factory, and is set while the request is on its way to who reads it.",
                    fix="Read it with `find`, which returns None, or make the key with a factory:  "
                    f"StateKey({self.name!r}, factory=...)",
                ) from None
            found = states.setdefault(self, self.factory())
        return found

    @overload
    def find(self, unit: HasState) -> T | None: ...
    @overload
    def find(self, unit: HasState, default: D) -> T | D: ...
    def find(self, unit: HasState, default: D | None = None) -> T | D | None:
        """Return what is kept, or `default`; the factory is not asked."""
        return unit._states.get(self, default)

    def set(self, unit: HasState, value: T) -> T:
        """Keep a value, and return it."""
        unit._states[self] = value
        return value

    def pop(self, unit: HasState) -> T | None:
        """Keep it no longer; return what was kept, or None."""
        found: T | None = unit._states.pop(self, None)
        return found

    def __repr__(self) -> str:
        return f"<StateKey {self.name}>"
