"""The clauses that need SQLAlchemy by name."""

from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import aliased

from demijohn.admin.paths import Path
from demijohn.db import QuerySet

__all__ = ["bounds_of", "sort_clause"]


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


async def bounds_of(query: QuerySet[Any], attribute: Any) -> tuple[Any, Any]:
    """Return the least and the greatest value of a column (Any: of the column's type)."""
    found = await query.aggregate(least=func.min(attribute), greatest=func.max(attribute))
    return found["least"], found["greatest"]
