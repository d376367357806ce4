"""Shapes of queries: what a query asks, without its values; two queries of one shape have one statement.

A shape is made of the parts of a query by walking what people write most: columns, comparisons with values, AND, OR,
NOT, orders, limits, IN. It is a tuple that costs a microsecond or two. Columns and types stand in it by `id`, which
is safe as long as the query that it was made of is kept beside it. What is not known here has no shape (`Unshaped`).
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.annotation import annotated_classes
from sqlalchemy.sql.elements import (
    AsBoolean,
    BinaryExpression,
    BindParameter,
    BooleanClauseList,
    ExpressionClauseList,
    False_,
    Grouping,
    Null,
    True_,
    UnaryExpression,
)
from sqlalchemy.sql.schema import Column

from demijohn.db.ahead import Ahead
from demijohn.db.naming import attribute_of, order_of

if TYPE_CHECKING:
    from demijohn.db.declarative import Declarative

__all__ = ["PLAIN", "Equal", "Named", "Sink", "Unshaped", "shape_of"]

PLAIN = frozenset((int, float, str, bytes, Decimal, UUID, datetime, date, bool, type(None)))
"""The types of values that `Equal` is for: what they are compared with decides about everything else."""
_MOST_IN = 64


class Unshaped(Exception):
    """A query is made of something that has no shape here."""


class Equal:
    """`column == value`, which becomes an expression of SQLAlchemy only if somebody asks for it."""

    __slots__ = ("_clause", "_model", "name", "value")

    def __init__(self, model: "type[Declarative]", name: str, value: Any) -> None:
        self._model = model
        self.name = name
        self.value = value
        self._clause: Any = None

    def __clause_element__(self) -> Any:
        clause = self._clause
        if clause is None:
            clause = self._clause = attribute_of(self._model, self.name) == self.value
        return clause


class Named:
    """An order by a name, `"title"` or `"-title"`, which becomes an expression only if somebody asks for it."""

    __slots__ = ("_clause", "_model", "name")

    def __init__(self, model: "type[Declarative]", name: str) -> None:
        self._model = model
        self.name = name
        self._clause: Any = None

    def __clause_element__(self) -> Any:
        clause = self._clause
        if clause is None:
            clause = self._clause = order_of(self._model, self.name)
        return clause


class Sink:
    """Takes the values of a query while its shape is made, in order.

    Attributes:
        values: One for each parameter.
        holders: What each came from: a `BindParameter`, an `Equal`, or the name of the part.
    """

    __slots__ = ("holders", "values")

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.holders: list[Any] = []


class _Query(Protocol):
    @property
    def _model(self) -> "type[Declarative]": ...
    @property
    def _parts(self) -> tuple[Any, ...]: ...


def shape_of(query: _Query, sink: Sink) -> tuple[Any, ...]:
    """Return the shape of a query and put its values into a sink.

    Raises:
        Unshaped: It has none.
    """
    shape: list[Any] = [query._model]
    for name, arguments, options in query._parts:
        shape.append(name)
        if name == "where" or name == "order_by":
            for argument in arguments:
                shape.append(_SHAPES.get(type(argument), _none)(argument, sink))  # noqa: PERF401 - quicker so
        elif name == "limit" or name == "offset":
            (number,) = arguments
            if type(number) is not int:
                raise Unshaped
            sink.values.append(number)
            sink.holders.append(name)
        elif name == "options":
            for argument in arguments:
                if type(argument) is not Ahead:
                    raise Unshaped
                shape.append(id(argument))
        elif name == "with_only_columns":
            for argument in arguments:
                if type(argument) is not InstrumentedAttribute:
                    raise Unshaped
                shape.append(id(argument))
        elif name == "join":
            for argument in arguments:
                if type(argument) is not InstrumentedAttribute:
                    raise Unshaped
                shape.append(id(argument))
            shape.append(options["isouter"])
        elif name != "distinct" or arguments:
            raise Unshaped
    return tuple(shape)


def _none(thing: Any, sink: Sink) -> Any:
    raise Unshaped


def _by_id(thing: Any, sink: Sink) -> Any:
    return id(thing)


def _constant(thing: Any, sink: Sink) -> Any:
    return type(thing)


def _equal(equal: Equal, sink: Sink) -> Any:
    value = equal.value
    if value is None or value is True or value is False:
        return equal._model, equal.name, "is", value
    sink.values.append(value)
    sink.holders.append(equal)
    return equal._model, equal.name, type(value)


def _named(named: Named, sink: Sink) -> Any:
    return named._model, named.name


def _binary(clause: Any, sink: Sink) -> Any:
    left, right, modifiers = clause.left, clause.right, clause.modifiers
    return (
        clause.operator,
        _SHAPES.get(type(left), _none)(left, sink),
        _SHAPES.get(type(right), _none)(right, sink),
        tuple(modifiers.items()) if modifiers else None,
        id(clause.type),
    )


def _unary(clause: Any, sink: Sink) -> Any:
    element = clause.element
    return type(clause), clause.operator, clause.modifier, _SHAPES.get(type(element), _none)(element, sink)


def _grouping(clause: Any, sink: Sink) -> Any:
    element = clause.element
    return Grouping, _SHAPES.get(type(element), _none)(element, sink)


def _list(clause: Any, sink: Sink) -> Any:
    parts = [_SHAPES.get(type(one), _none)(one, sink) for one in clause.clauses]
    return (type(clause), clause.operator, clause.group, *parts)


def _bind(bind: Any, sink: Sink) -> Any:
    if not bind.unique or bind.literal_execute or bind.required or bind.isoutparam:
        raise Unshaped
    sink.holders.append(bind)
    if bind.expanding:
        value = bind.value
        if bind.callable is not None or not isinstance(value, (list, tuple)) or not 0 < len(value) <= _MOST_IN:
            raise Unshaped
        for one in value:
            if type(one) not in PLAIN:  # tuples, enums and whatever else is taken apart by SQLAlchemy
                raise Unshaped
        sink.values.append(value)
        return "in", len(value), id(bind.type), bind.expand_op
    if bind.callable is None:
        sink.values.append(bind.value)
        return id(bind.type)
    sink.values.append(bind.effective_value)
    return "called", id(bind.type)


_SHAPES: dict[type, Callable[[Any, Sink], Any]] = {
    InstrumentedAttribute: _by_id,
    Column: _by_id,
    annotated_classes[Column]: _by_id,
    Equal: _equal,
    Named: _named,
    BinaryExpression: _binary,
    UnaryExpression: _unary,
    AsBoolean: _unary,
    Grouping: _grouping,
    BooleanClauseList: _list,
    ExpressionClauseList: _list,
    BindParameter: _bind,
    True_: _constant,
    False_: _constant,
    Null: _constant,
}
