"""The clauses that need SQLAlchemy by name."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import false, func, tuple_
from sqlalchemy.orm import aliased

from demijohn.admin.paths import Path
from demijohn.db import QuerySet

__all__ = ["NEVER", "bounds_of", "have_keys", "sort_clause"]

NEVER: Any = false()
"""The condition that nothing fulfils (Any: a SQL expression)."""


def sort_clause(query: QuerySet[Any], path: Path, *, down: bool) -> tuple[QuerySet[Any], Any]:
    """Return the query, joined to where a path ends, and the clause that sorts by it.

    Any: objects of any model, and clauses of SQLAlchemy.
    """
    query, attribute = _join(query, path)
    return query, attribute.desc() if down else attribute.asc()


def _join(query: QuerySet[Any], path: Path) -> tuple[QuerySet[Any], Any]:
    at: Any = path.model
    for link in path.links:
        if path.link is link:
            break  # the path ends at the relation itself, which is sorted by its key
        target = aliased(link.cls)
        query = query.join(getattr(at, link.name).of_type(target), outer=True)
        at = target
    return query, getattr(at, path.names[-1] if path.link is None else path.link.keys[0])


def have_keys(columns: Sequence[Any], keys: Sequence[tuple[Any, ...]]) -> Any:
    """Return the condition that columns hold one of some keys (Any: attributes, and a SQL expression)."""
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return tuple_(*columns).in_(keys)


async def bounds_of(query: QuerySet[Any], path: Path) -> tuple[Any, Any]:
    """Return the least and the greatest value where a path ends (Any: of the field's type)."""
    query, attribute = _join(query, path)
    found = await query.aggregate(least=func.min(attribute), greatest=func.max(attribute))
    return found["least"], found["greatest"]
