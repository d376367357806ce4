"""Values over the rows of a relation, for each row of a query: how many posts a user has."""

from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, ColumnExpressionArgument, case, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, RelationshipProperty, aliased

from demijohn.db.faults import QueryError

__all__ = ["avg_of", "count_of", "exists_of", "max_of", "min_of", "sum_of"]

T = TypeVar("T")


def _subquery(relation: Any, make: Any, criteria: tuple[ColumnExpressionArgument[bool], ...]) -> Any:
    """Return the correlated subquery over a relation; `make` gets the alias of its rows.

    Any: constructs of SQLAlchemy.
    """
    prop = getattr(relation, "property", None)
    if not isinstance(prop, RelationshipProperty):
        raise QueryError(
            f"{relation} is no relation.", why="Its rows are to be counted or summed.", fix="count_of(User.posts)"
        )
    target = prop.mapper.class_
    alias = aliased(target)
    adapted = [_adapt(criterion, target, alias) for criterion in criteria]
    parent = getattr(relation, "parent", prop.parent)
    statement = select(make(alias)).where(relation.of_type(alias), *adapted)
    return statement.correlate(parent.selectable if hasattr(parent, "selectable") else parent)


def _adapt(criterion: Any, target: type, alias: Any) -> Any:
    """Let an expression over the target speak of its alias: a relation may lead back to the same table."""
    from sqlalchemy import inspect
    from sqlalchemy.sql.util import ClauseAdapter

    selectable = inspect(alias).selectable
    return ClauseAdapter(selectable).traverse(
        criterion.__clause_element__() if hasattr(criterion, "__clause_element__") else criterion
    )


def count_of(relation: Any, *criteria: ColumnExpressionArgument[bool]) -> ColumnElement[int]:
    """Return how many rows a relation has, of those that meet the criteria.

    Any: attributes of relations have a type of their own.

    Example:
        await User.query().annotate(drafts=count_of(User.posts, ~Post.published))
    """
    made: ColumnElement[int] = _subquery(relation, lambda alias: func.count(), criteria).scalar_subquery()
    return made


def exists_of(relation: Any, *criteria: ColumnExpressionArgument[bool]) -> ColumnElement[bool]:
    """Return whether a relation has a row that meets the criteria.

    The value is 0 or 1.

    Any: attributes of relations have a type of their own. In `where`, `User.posts.any(...)` reads better.
    """
    inner = _subquery(relation, lambda alias: func.count(), criteria)
    return cast("ColumnElement[bool]", case((exists(inner.with_only_columns(1)), 1), else_=0))


def sum_of(
    relation: Any, column: "InstrumentedAttribute[T]", *criteria: ColumnExpressionArgument[bool]
) -> ColumnElement[T | None]:
    """Return the sum of a column over the rows of a relation.

    It is NULL where there are none.

    Any: attributes of relations have a type of their own.
    """
    return cast("ColumnElement[T | None]", _of(func.sum, relation, column, criteria))


def max_of(
    relation: Any, column: "InstrumentedAttribute[T]", *criteria: ColumnExpressionArgument[bool]
) -> ColumnElement[T | None]:
    """Return the greatest value of a column over the rows of a relation.

    Any: attributes of relations have a type of their own.
    """
    return cast("ColumnElement[T | None]", _of(func.max, relation, column, criteria))


def min_of(
    relation: Any, column: "InstrumentedAttribute[T]", *criteria: ColumnExpressionArgument[bool]
) -> ColumnElement[T | None]:
    """Return the least value of a column over the rows of a relation.

    Any: attributes of relations have a type of their own.
    """
    return cast("ColumnElement[T | None]", _of(func.min, relation, column, criteria))


def avg_of(
    relation: Any, column: "InstrumentedAttribute[Any]", *criteria: ColumnExpressionArgument[bool]
) -> ColumnElement[float | None]:
    """Return the average of a column over the rows of a relation.

    Any: attributes of relations have a type of their own.
    """
    return cast("ColumnElement[float | None]", _of(func.avg, relation, column, criteria))


def _of(function: Any, relation: Any, column: Any, criteria: tuple[Any, ...]) -> Any:
    key = column.key
    return _subquery(relation, lambda alias: function(getattr(alias, key)), criteria).scalar_subquery()
