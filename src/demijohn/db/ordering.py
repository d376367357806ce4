"""The order of the lists of relations, written as that of queries."""

from collections.abc import Callable
from typing import Any

from demijohn.db.faults import ModelError, unknown

__all__ = ["order_of_list"]


def order_of_list(title: str, order: Any, find_model: Callable[[], Any]) -> Any:
    """Return what SQLAlchemy takes as `order_by` of a relation.

    Args:
        title: The relation, for messages.
        order: `"-created_at"`, a tuple of such, or what SQLAlchemy takes, which stays as it is; None for the order
            that the target has by itself.
        find_model: Returns the target (Any: models are made above this module).
    """
    names = (order,) if isinstance(order, str) else order
    if names is None:
        return lambda: _clauses(title, find_model(), find_model().__order_by__) or False
    if isinstance(names, tuple | list) and all(
        isinstance(name, str) and name.removeprefix("-").isidentifier() for name in names
    ):
        return lambda: _clauses(title, find_model(), names)
    return order


def _clauses(title: str, model: Any, names: Any) -> list[Any]:
    columns = model.__mapper__.column_attrs
    clauses = []
    for name in (names,) if isinstance(names, str) else names:
        field = name.removeprefix("-")
        if field not in columns:
            known = sorted(columns.keys())
            raise ModelError(
                f"{title} is ordered by {name!r}, and {model.__name__} has no such column.{unknown(field, known)}",
                why=f"Its columns are {', '.join(known)}.",
                fix=f'has_many(order_by="{known[0]}"), or "-{known[0]}" for the other way round',
            )
        attribute = getattr(model, field)
        clauses.append(attribute.desc() if name != field else attribute.asc())
    return clauses
