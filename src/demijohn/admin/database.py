"""The clauses that need SQLAlchemy by name."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, tuple_
from sqlalchemy.orm import aliased

from demijohn.admin.paths import Path
from demijohn.db import QuerySet

__all__ = ["bounds_of", "have_keys", "sort_clause"]


def sort_clause(query: QuerySet[Any], path: Path, *, down: bool) -> tuple[QuerySet[Any], Any]:
    """Return the query, joined to where a path ends, and the clause that sorts by it.

    Any: objects of any model, and clauses of SQLAlchemy.
    """
    at: Any = path.model
    for link in path.links:
        if path.link is link:
            break  # the path ends at the relation itself, which is sorted by its key
        target = aliased(link.cls)
        query = query.join(getattr(at, link.name).of_type(target), outer=True)
        at = target
    if path.link is not None:
        attribute = getattr(at, path.link.keys[0])
    else:
        attribute = getattr(at, path.names[-1])
    return query, attribute.desc() if down else attribute.asc()


def have_keys(columns: Sequence[Any], keys: Sequence[tuple[Any, ...]]) -> Any:
    """Return the condition that columns hold one of some keys (Any: attributes, and a SQL expression)."""
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return tuple_(*columns).in_(keys)


async def bounds_of(query: QuerySet[Any], attribute: Any) -> tuple[Any, Any]:
    """Return the least and the greatest value of a column (Any: of the column's type)."""
    found = await query.aggregate(least=func.min(attribute), greatest=func.max(attribute))
    return found["least"], found["greatest"]
