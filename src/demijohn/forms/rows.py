"""`Rows`: which fields of the children of a record its form shows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from demijohn.forms.widgets import Widget

__all__ = ["Rows"]

_MOST = 200


class Rows:
    """Says which fields of the children a form shows.

    `Rows("lines", "product", "count")`.

    Args:
        name: The relation of the parent: a `has_many`.
        fields: The fields of a child that are shown; no other is taken.
        extra: Empty rows to begin with.
        minimum, maximum: How many children there may be.
        order: A field of the child that holds its place: rows get buttons to move them, and saving sets it.
        can_delete: Whether a child that is there may be deleted.
        widgets, queries: As in a form.
    """

    def __init__(
        self,
        name: str,
        *fields: str,
        extra: int = 1,
        minimum: int = 0,
        maximum: int = 50,
        order: str = "",
        can_delete: bool = True,
        widgets: Mapping[str, Widget] | None = None,
        queries: Mapping[str, Callable[[], Any]] | None = None,
    ) -> None:
        self.name = name
        self.fields = fields
        self.extra = extra
        self.minimum = minimum
        self.maximum = min(maximum, _MOST)
        self.order = order
        self.can_delete = can_delete
        self.widgets = dict(widgets or {})
        self.queries = dict(queries or {})

    async def known(self, children: Sequence[Any]) -> Sequence[Any]:
        """Return the children that stand in the form (Any: records).

        The others are neither shown nor changed. Overridden where not everybody may change all of them.
        """
        return children

    def may_delete(self, child: Any) -> bool:
        """Return whether a child may be deleted here (Any: a record)."""
        return self.can_delete

    def __repr__(self) -> str:
        return f"Rows({', '.join(map(repr, (self.name, *self.fields)))})"
