"""What happens to rows, told to functions of the app: after they were written, and after the commit."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from demijohn.db.declarative import Declarative

__all__ = ["Change", "Kind", "calls_for", "changes_of", "on_change", "receivers"]

M = TypeVar("M", bound=Declarative)
Kind: TypeAlias = Literal["created", "updated", "deleted"]
When: TypeAlias = Literal["flush", "commit"]
Receiver: TypeAlias = Callable[[M, Kind], Awaitable[None] | None]

_receivers: dict[When, list[tuple[type[Declarative], frozenset[Kind], Callable[..., Any]]]] = {
    "flush": [],
    "commit": [],
}


class Change(NamedTuple):
    """One object that was written, and what was done to it."""

    instance: Declarative
    kind: Kind


def on_change(
    model: type[M], *kinds: Kind, when: When = "commit"
) -> Callable[[Callable[[M, Kind], Awaitable[None] | None]], Callable[[M, Kind], Awaitable[None] | None]]:
    """Call a function, sync or async, for each object of a model that was written.

    Statements over many rows (`update`, `delete`, `bulk_create` of mappings) write no objects, and tell nothing.

    Args:
        model: The model; subclasses count too.
        kinds: `"created"`, `"updated"`, `"deleted"`; all three by default.
        when: `"commit"`: once the work is safe, for mails and caches; an exception is logged. `"flush"`: right after
            the row was written, in the same transaction, which an exception rolls back.

    Example:
        @on_change(Post, "created")
        async def announce(post: Post, kind: str) -> None:
            await mail.send(...)
    """
    chosen: frozenset[Kind] = frozenset(kinds or ("created", "updated", "deleted"))

    def register(
        function: Callable[[M, Kind], Awaitable[None] | None],
    ) -> Callable[[M, Kind], Awaitable[None] | None]:
        _receivers[when].append((model, chosen, function))
        return function

    return register


def receivers(when: When) -> bool:
    """Return whether anybody wants to know."""
    return bool(_receivers[when])


def changes_of(new: Any, dirty: Any, deleted: Any) -> list[Change]:
    """Return what a flush does, as far as somebody wants to know.

    (Any: collections of objects).
    """
    wanted = tuple({model for entries in _receivers.values() for model, _, _ in entries})
    if not wanted:
        return []
    found = [Change(instance, "created") for instance in new if isinstance(instance, wanted)]
    found += [Change(instance, "updated") for instance in dirty if isinstance(instance, wanted)]
    found += [Change(instance, "deleted") for instance in deleted if isinstance(instance, wanted)]
    return found


def calls_for(when: When, changes: list[Change]) -> list[Callable[[], Any]]:
    """Return the calls to make for some changes.

    (Any: receivers return nothing, or an awaitable of it).
    """
    calls: list[Callable[[], Any]] = []
    for change in changes:
        for model, kinds, function in _receivers[when]:
            if change.kind in kinds and isinstance(change.instance, model):
                calls.append(partial(function, change.instance, change.kind))
    return calls
