"""What a handler says about itself beyond its types."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct

__all__ = ["Description", "describe", "description_of"]

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE = "__openapi__"


class Description(Struct, frozen=True, kw_only=True):
    """What `describe` was given."""

    summary: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    operation_id: str | None = None
    deprecated: bool = False
    hidden: bool | None = None
    responses: Mapping[int, Any] = {}


def describe(
    *,
    summary: str | None = None,
    description: str | None = None,
    tags: Sequence[str] | None = None,
    operation_id: str | None = None,
    deprecated: bool = False,
    hidden: bool | None = None,
    responses: Mapping[int, Any] | None = None,
) -> Callable[[F], F]:
    """Say about a handler what its signature and docstring do not.

    Args:
        summary: One line; the first of the docstring otherwise.
        description: More, in Markdown; the rest of the docstring otherwise.
        tags: The groups that it belongs to; the blueprint otherwise.
        operation_id: Its name for generated clients; made from the route's name otherwise.
        deprecated: Still there, no longer recommended.
        hidden: `True` leaves it out, `False` puts in a page that would be left out.
        responses: More answers by status: a sentence, a type, or both as a pair (Any: types are of many kinds).

    Example:
        >>> @describe(deprecated=True, responses={404: "There is no such item."})
        ... def show(id: int) -> dict[str, int]: ...
    """
    made = Description(
        summary=summary,
        description=description,
        tags=None if tags is None else tuple(tags),
        operation_id=operation_id,
        deprecated=deprecated,
        hidden=hidden,
        responses=dict(responses or {}),
    )

    def decorate(function: F) -> F:
        setattr(function, _ATTRIBUTE, made)
        return function

    return decorate


def description_of(function: Any) -> Description:
    """Return what `describe` said of a function (Any: a handler of any kind); nothing where it was not used."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Description) else Description()
