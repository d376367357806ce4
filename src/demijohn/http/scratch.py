"""A place for whatever a request carries along: `request.g`, as in Flask."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from demijohn._lib.text import did_you_mean, listing
from demijohn.errors import DemijohnError

__all__ = ["MissingScratch", "Scratch"]


class MissingScratch(DemijohnError, AttributeError):
    """A name was read from `g` that nobody had set in this request."""

    code = "DJN-303"


class Scratch:
    """Attributes of one request, set and read by name.

    The values are `Any`: each app knows what it keeps there.

    For names that a checker knows, annotate a subclass and give it to the app, or ask for a service by type.

    Example:
        >>> g = Scratch()
        >>> g.started = 1.5
        >>> g.started, "user" in g, g.get("user", "nobody")
        (1.5, False, 'nobody')
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        names = list(self.__dict__)
        raise MissingScratch(
            f"`g.{name}` was read and has not been set in this request.{did_you_mean(name, names)}",
            why=f"Set are: {listing(names, last='and')}."
            if names
            else "Nothing is set: `g` is empty at the start of each request.",
            fix=f'Set it first:  request.g.{name} = ...   or read it with a default:  request.g.get("{name}")',
        )

    if TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None: ...

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a name, or `default`."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: Any = None) -> Any:
        """Remove a name and return its value, or `default`."""
        return self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return the value of a name, which is `default` from now on where it was not set."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        return f"Scratch({', '.join(self.__dict__)})"
