"""Names of fields in queries: each is looked up among the fields of the model, and none reaches the SQL as text."""

from typing import Any

from sqlalchemy import UnaryExpression
from sqlalchemy.sql import operators

from demijohn.db.declarative import Declarative
from demijohn.db.faults import QueryError, unknown

__all__ = ["attribute_of", "clause_of", "order_of", "reversed_order"]


def attribute_of(model: type[Declarative], name: Any) -> Any:
    """Return the attribute of a model by its name.

    What is an attribute already is returned as it is (Any: both).

    Raises:
        QueryError: The model has no such field.
    """
    if not isinstance(name, str):
        return name
    mapper = model.__mapper__
    if name in mapper.attrs or name in mapper.all_orm_descriptors:
        return getattr(model, name)
    if (told := _lookup(model, *name.split("__", 1))) is not None:
        raise told
    raise QueryError(
        f"{model.__name__} has no field {name[:80]!r}.{unknown(name[:80], mapper.attrs.keys())}",
        why=f"Its fields are {', '.join(sorted(mapper.attrs.keys()))}.",
        fix=f"{model.__name__}.where({model.__name__}.{next(iter(mapper.column_attrs)).key} == ...)",
    )


_LOOKUPS = {
    "exact": "{0} == value",
    "iexact": "func.lower({0}) == value",
    "gt": "{0} > value",
    "gte": "{0} >= value",
    "lt": "{0} < value",
    "lte": "{0} <= value",
    "in": "{0}.in_(values)",
    "range": "{0}.between(least, most)",
    "isnull": "{0}.is_(None)",
    "contains": "{0}.contains(text, autoescape=True)",
    "icontains": "{0}.icontains(text, autoescape=True)",
    "startswith": "{0}.startswith(text, autoescape=True)",
    "istartswith": "{0}.istartswith(text, autoescape=True)",
    "endswith": "{0}.endswith(text, autoescape=True)",
    "iendswith": "{0}.iendswith(text, autoescape=True)",
    "regex": "{0}.regexp_match(pattern)",
    "year": 'extract("year", {0}) == value',
    "month": 'extract("month", {0}) == value',
    "day": 'extract("day", {0}) == value',
    "date": "func.date({0}) == value",
}
"""What stands behind `__` in Django, as it is written here."""


def _lookup(model: type[Declarative], name: str, rest: str = "") -> QueryError | None:
    """Return what to say of a name with `__` in it, which is how Django follows relations and compares."""
    if not rest or name not in model.__mapper__.attrs:
        return None
    here = f"{model.__name__}.{name}"
    relation = model.__mapper__.relationships.get(name)
    if relation is not None:
        target, inner = relation.mapper.class_.__name__, rest.split("__")[0]
        follow = "any" if relation.uselist else "has"
        fix = f".where({here}.{follow}({inner}=...));  to sort: .join({here}).order_by({target}.{inner})"
    elif rest in _LOOKUPS:
        fix = f".where({_LOOKUPS[rest].format(here)})"
    else:
        return None
    return QueryError(
        f"{model.__name__} has no field {f'{name}__{rest}'[:80]!r}.",
        why="A name is that of a field; comparisons are Python, and relations are followed by `has` and `any`.",
        fix=fix,
    )


def clause_of(model: type[Declarative], thing: Any) -> Any:
    """Return a column or expression that may stand in a statement.

    Any: a name, an attribute or an expression.
    """
    thing = attribute_of(model, thing)
    if isinstance(thing, (bool, int, float, bytes)) or thing is None:
        raise QueryError(
            f"{thing!r} was given where a column or an expression belongs.",
            why="A plain value has no place in the list of columns.",
            fix="`literal(value)` of SQLAlchemy makes one of it.",
        )
    return thing


def order_of(model: type[Declarative], clause: Any) -> Any:
    """Return a clause of ORDER BY: `"title"`, `"-title"`, a column or an expression.

    Any: all of these.
    """
    if isinstance(clause, str):
        descending = clause.startswith("-")
        attribute = attribute_of(model, clause.removeprefix("-"))
        return attribute.desc() if descending else attribute.asc()
    return clause_of(model, clause)


_OPPOSITE = {operators.asc_op: operators.desc_op, operators.desc_op: operators.asc_op}
_NULLS = {operators.nulls_first_op: "nulls_last", operators.nulls_last_op: "nulls_first"}


def reversed_order(clause: Any) -> Any:
    """Return a clause of ORDER BY the other way round (Any: any expression)."""
    element = clause.__clause_element__() if hasattr(clause, "__clause_element__") else clause
    if isinstance(element, UnaryExpression):
        if element.modifier in _OPPOSITE:
            return element.element.asc() if element.modifier is operators.desc_op else element.element.desc()
        if element.modifier in _NULLS:
            return getattr(reversed_order(element.element), _NULLS[element.modifier])()
    return element.desc()
