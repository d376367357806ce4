"""`QuerySet`: a query over the rows of a model, which is a SQLAlchemy `select` at every moment."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from sqlalchemy import ColumnElement, Executable, Row, and_, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from demijohn._lib.translation import gettext as _
from demijohn.db.ahead import loaded_ahead
from demijohn.db.building import Building
from demijohn.db.bulk import delete_rows, update_rows
from demijohn.db.declarative import Declarative
from demijohn.db.descriptions import public_columns
from demijohn.db.faults import QueryError
from demijohn.db.lanes import Attempt
from demijohn.db.loading import make_siblings
from demijohn.db.naming import attribute_of, clause_of
from demijohn.db.shapes import PLAIN, Equal
from demijohn.db.storage import now
from demijohn.db.units import Unit, work
from demijohn.errors import NotFound

if TYPE_CHECKING:
    from typing import Self


__all__ = ["EXTRA", "QuerySet", "RowSet"]

EXTRA = "__demijohn_extra__"
"""Where an object keeps the names of what `annotate` added."""
M = TypeVar("M", bound=Declarative)
R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class QuerySet(Building[M]):
    """A query that returns objects of a model. It runs when it is awaited or iterated.

    Building it costs no statement.

    Example:
        recent = Post.where(Post.published).order_by(Post.created_at.desc()).limit(10)
        for post in await recent: ...
    """

    __slots__ = ()

    def __init__(self, model: type[M], statement: Executable | None = None) -> None:
        super().__init__(model, statement)

    def _is_of_objects(self) -> bool:
        return True

    def _attempt(self, unit: Unit) -> Attempt | None:
        if self._base is not None or self._extra or self._locks:
            return None
        return Attempt(self, unit)

    def _take(self, result: Any) -> list[M]:
        names = self._extra
        if names:
            return _annotated(result, list(names))
        if result.context is not None and getattr(result.context, "requires_uniquing", False):
            result = result.unique()
        found: list[M] = result.scalars().all()
        if len(found) > 1:
            make_siblings(found)
        return found

    # -- building ----------------------------------------------------------------------------------------------------

    def load(self, *relations: Any, join: bool = False) -> "Self":
        """Load relations with the rows, each by one more query.

        Nested relations come after the one that they start from.

        Args:
            relations: `Post.author`, or `Post.comments, Comment.author` (Any: attributes of relations have a type of
                their own).
            join: Load by a JOIN instead, for relations to one.

        Example:
            await Post.where().load(Post.author, Post.comments, Comment.author)
        """
        return self._with("options", loaded_ahead(self._model, relations, join))

    def only(self, *columns: Any) -> "Self":
        """Load these columns (and the key) now, the others when they are read.

        Any: columns or their names.
        """
        from sqlalchemy.orm import load_only

        return self._with("options", load_only(*(attribute_of(self._model, one) for one in columns)))

    def defer(self, *columns: Any) -> "Self":
        """Load these columns only when they are read (Any: columns or their names)."""
        from sqlalchemy.orm import defer

        return self._with("options", *(defer(attribute_of(self._model, one)) for one in columns))

    def annotate(self, **expressions: Any) -> "Self":
        """Add computed values to the objects, as attributes.

        Any: SQL expressions of any type.

        Example:
            for user in await User.query().annotate(posts_count=count_of(User.posts)): user.posts_count
        """
        made = self._with(
            "add_columns", *(clause_of(self._model, one).label(name) for name, one in expressions.items())
        )
        for name in expressions:
            if name in self._model.__mapper__.attrs:
                raise QueryError(
                    f"{self._model.__name__} has a field {name!r} already.",
                    why="The computed value would hide it, and might be written.",
                    fix=f"annotate({name}_value=...)",
                )
        made._extra = {**self._extra, **expressions}
        return made

    def union(self, *others: "QuerySet[M]") -> "QuerySet[M]":
        """Return the rows that are in any of the queries.

        It can be filtered and ordered further.
        """
        return self._combined("union", others)

    def intersection(self, *others: "QuerySet[M]") -> "QuerySet[M]":
        """Return the rows that are in all of the queries."""
        return self._combined("intersect", others)

    def difference(self, *others: "QuerySet[M]") -> "QuerySet[M]":
        """Return the rows that are in this query and in none of the others."""
        return self._combined("except_", others)

    def __and__(self, other: "QuerySet[M]") -> "Self":
        """Return the rows that are in both: how named queries are put together.

        The criteria and loads of the other one are added; its order counts where this one has none.
        """
        made = self._copy()
        for part in other._parts:
            if part[0] in {"limit", "offset", "group_by", "distinct"}:
                raise QueryError(
                    f"A query with {part[0]} stands right of `&`.",
                    why="Its rows are a part of a whole, and criteria cannot say which.",
                    fix="Apply it last, to the combined query; or use `intersection`.",
                )
            if part[0] != "order_by" or not self._has("order_by"):
                made._parts = (*made._parts, part)
        made._extra = {**self._extra, **other._extra}
        return made

    def __or__(self, other: "QuerySet[M]") -> "QuerySet[M]":
        """Return the rows that are in either: `union` by another name."""
        return self.union(other)

    def with_deleted(self) -> "Self":
        """Return the rows that are marked as deleted too, of models with `SoftDelete`."""
        return self.execution_options(demijohn_with_deleted=True)

    def _combined(self, how: str, others: "tuple[QuerySet[M], ...]") -> "QuerySet[M]":
        keys = list(self._model.__mapper__.primary_key)

        def keys_of(query: "QuerySet[M]") -> Any:
            inner = query._without("options", "with_for_update").statement
            if not inner._has_row_limiting_clause:
                return inner.order_by(None).with_only_columns(*keys)
            limited = inner.with_only_columns(
                *keys
            ).subquery()  # a part of a union may have no limit of its own everywhere
            return select(*limited.columns)

        combined = getattr(keys_of(self), how)(*map(keys_of, others)).subquery()
        chosen = select(*combined.columns)
        criterion = keys[0].in_(chosen) if len(keys) == 1 else tuple_(*keys).in_(chosen)
        made: QuerySet[M] = QuerySet(cast("type[M]", self._model))
        return made.where(criterion)

    @overload
    def select(self, a: "InstrumentedAttribute[A] | ColumnElement[A] | type[A]", /) -> "RowSet[Row[A]]": ...
    @overload
    def select(
        self,
        a: "InstrumentedAttribute[A] | ColumnElement[A] | type[A]",
        b: "InstrumentedAttribute[B] | ColumnElement[B] | type[B]",
        /,
    ) -> "RowSet[Row[A, B]]": ...
    @overload
    def select(
        self,
        a: "InstrumentedAttribute[A] | ColumnElement[A] | type[A]",
        b: "InstrumentedAttribute[B] | ColumnElement[B] | type[B]",
        c: "InstrumentedAttribute[C] | ColumnElement[C] | type[C]",
        /,
    ) -> "RowSet[Row[A, B, C]]": ...
    @overload
    def select(
        self,
        a: "InstrumentedAttribute[A] | ColumnElement[A] | type[A]",
        b: "InstrumentedAttribute[B] | ColumnElement[B] | type[B]",
        c: "InstrumentedAttribute[C] | ColumnElement[C] | type[C]",
        d: "InstrumentedAttribute[D] | ColumnElement[D] | type[D]",
        /,
    ) -> "RowSet[Row[A, B, C, D]]": ...
    @overload
    def select(self, *columns: Any) -> "RowSet[Any]": ...
    def select(self, *columns: Any) -> "RowSet[Any]":
        """Return rows of these columns instead of objects: tuples that know their names.

        Any: columns, models, names.

        Example:
            for title, stars in await Post.where().select(Post.title, Post.stars): ...
        """
        return self._rows("rows", columns)

    def values(self, *columns: Any) -> "RowSet[dict[str, Any]]":
        """Return dicts of these columns; by default of all that are not private.

        Any: columns or their names. A dict no longer knows what may be shown, so that private columns have to be named.
        """
        if not columns:
            mapped = self._model.__mapper__.column_attrs
            columns = tuple(name for name in public_columns(self._model) if name in mapped)
        return self._rows("dicts", columns)

    @overload
    def scalars(self, column: "InstrumentedAttribute[A] | ColumnElement[A]", /) -> "RowSet[A]": ...
    @overload
    def scalars(self, column: str, /) -> "RowSet[Any]": ...
    def scalars(self, column: Any, /) -> "RowSet[Any]":
        """Return the values of one column (Any: a column or its name)."""
        return self._rows("scalars", (column,))

    def _rows(self, shape: Literal["rows", "dicts", "scalars"], columns: tuple[Any, ...]) -> "RowSet[Any]":
        made: RowSet[Any] = RowSet(self._model, self._base)
        made._parts = self._without("options")._parts
        made._locks = self._locks
        made._shape = shape
        clauses = [clause_of(self._model, one) for one in columns]
        made._parts = (*made._parts, ("with_only_columns", tuple(clauses), {"maintain_column_froms": True}))
        return made

    # -- running -----------------------------------------------------------------------------------------------------

    async def get(self, key: Any) -> M | None:
        """Return the row with this primary key if it is in the query, or None.

        Any: keys have any type.
        """
        if self._base is not None or self._parts:
            return await self._with_key(key).one_or_none()
        unit = self._unit()
        mapper = self._model.__mapper__
        keys = mapper.primary_key
        known = unit.session.identity_map._dict
        if len(keys) == 1 and type(key) in PLAIN and (mapper._identity_class, (key,), None) not in known:
            name = mapper.get_property_by_column(keys[0]).key
            query = self._with("where", Equal(self._model, name, key))
            attempt = query._attempt(unit)
            if attempt is not None:
                found = await attempt.run() if attempt.is_known else None
                if found is None and attempt.may_learn and type(key) is keys[0].type.python_type:
                    found = await work(unit.scope, query._all, unit, attempt)
                if found is not None:
                    return found[0] if found else None
        return await work(unit.scope, self._get, unit, key)

    def _get(self, unit: Unit, key: Any) -> M | None:
        fresh = unit.database.pin is not None and unit.scope.frame.wants_fresh()
        return cast("M | None", unit.session.get(self._model, key, populate_existing=fresh))

    def _with_key(self, key: Any) -> "Self":
        keys = self._model.__mapper__.primary_key
        values = key if isinstance(key, tuple) else (key,)
        if len(values) != len(keys):
            raise QueryError(
                f"{self._model.__name__} has a key of {len(keys)} columns, {len(values)} values were given.",
                why="Each column of a composite key needs its value.",
                fix=f"{self._model.__name__}.get(({', '.join(str(one.key) for one in keys)}))",
            )
        return self.where(*(column == value for column, value in zip(keys, values, strict=True)))

    async def get_or_404(self, key: Any = None, /) -> M:
        """Return the row with this key, or the only row of the query.

        Any: keys have any type.

        Raises:
            NotFound: There is none; the client gets 404.
        """
        found = await (self.one_or_none() if key is None else self.get(key))
        if found is None:
            raise NotFound(_("No such %(name)s.", name=self._model.__name__))
        return found

    async def in_bulk(self, keys: Sequence[Any] | None = None) -> dict[Any, M]:
        """Return the rows by their keys: all of the query, or only those with these keys.

        Any: keys have any type.
        """
        query = self
        columns = self._model.__mapper__.primary_key
        if keys is not None:
            if not keys:
                return {}
            query = self.where(columns[0].in_(keys) if len(columns) == 1 else tuple_(*columns).in_(keys))
        found: dict[Any, M] = {}
        for one in await query.all():
            identity = self._model.__mapper__.primary_key_from_instance(one)
            found[identity[0] if len(columns) == 1 else tuple(identity)] = one
        return found

    async def contains(self, instance: M) -> bool:
        """Return whether an object's row is in the query."""
        return await self._with_key(tuple(self._model.__mapper__.primary_key_from_instance(instance))).exists()

    async def aggregate(self, **expressions: Any) -> dict[str, Any]:
        """Return computed values over all rows of the query, by name.

        Any: SQL expressions of any type.

        Example:
            await Order.where(Order.paid).aggregate(total=func.sum(Order.amount), biggest=func.max(Order.amount))
        """
        row = await self._run(self._aggregate, [one.label(name) for name, one in expressions.items()])
        return dict(zip(expressions, row, strict=True))

    def _aggregate(self, unit: Unit, columns: list[Any]) -> Any:
        inner = self._without("order_by", "options").statement.order_by(None)
        if inner._has_row_limiting_clause or inner._distinct or self._base is not None:
            keys = inner.with_only_columns(*self._model.__mapper__.primary_key).subquery()
            own = list(self._model.__mapper__.primary_key)
            on = and_(*(a == b for a, b in zip(own, keys.columns, strict=True)))
            statement = select(*columns).select_from(self._model).join(keys, on)
        else:
            statement = inner.with_only_columns(*columns, maintain_column_froms=True)
        return unit.session.execute(statement).one()

    async def sum(self, column: "InstrumentedAttribute[T] | ColumnElement[T]") -> T | None:
        """Return the sum of a column, or None where there are no rows."""
        return (await self.aggregate(value=func.sum(column)))["value"]  # type: ignore[no-any-return]

    async def max(self, column: "InstrumentedAttribute[T] | ColumnElement[T]") -> T | None:
        """Return the greatest value of a column, or None where there are no rows."""
        return (await self.aggregate(value=func.max(column)))["value"]  # type: ignore[no-any-return]

    async def min(self, column: "InstrumentedAttribute[T] | ColumnElement[T]") -> T | None:
        """Return the least value of a column, or None where there are no rows."""
        return (await self.aggregate(value=func.min(column)))["value"]  # type: ignore[no-any-return]

    async def update(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> int:
        """Change all rows of the query in one statement, and return how many there were.

        Values may be expressions: `update(views=Post.views + 1)`. Constraints of fields are checked for plain values.
        """
        return await self._run(update_rows, self, {**(values or {}), **more})

    async def delete(self) -> int:
        """Delete all rows of the query in one statement, and return how many there were.

        Of models with `SoftDelete` they are marked; `purge()` deletes them for good.
        """
        if hasattr(self._model, "deleted_at") and hasattr(self._model, "purge"):
            return await self.update(deleted_at=now())
        return await self.purge()

    async def purge(self) -> int:
        """Delete all rows of the query for good, and return how many there were."""
        return await self._run(delete_rows, self)


def _annotated(result: Any, names: list[str]) -> list[Any]:
    found = []
    for row in result.all():
        instance = row[0]
        instance.__dict__.update(zip(names, row[1:], strict=True))
        instance.__dict__[EXTRA] = names
        found.append(instance)
    return found


class RowSet(Building[R]):
    """A query that returns rows, dicts or single values instead of objects."""

    __slots__ = ("_shape",)
    _shape: Literal["rows", "dicts", "scalars"]

    def _copy(self) -> "Self":
        made = super()._copy()
        made._shape = self._shape
        return made

    def _attempt(self, unit: Unit) -> Attempt | None:
        if self._base is not None or self._locks or self._shape == "rows":
            return None
        return Attempt(self, unit, self._shape)

    def _take(self, result: Any) -> list[R]:
        if self._shape == "scalars":
            return result.scalars().all()  # type: ignore[no-any-return]
        if self._shape == "dicts":
            return [dict(row) for row in result.mappings()]  # type: ignore[misc]
        return result.all()  # type: ignore[no-any-return]

    def _is_of_objects(self) -> bool:
        return self._shape == "scalars"

    def subquery(self, name: str | None = None) -> Any:
        """Return the query as a subquery of another (Any: SQLAlchemy's `Subquery`)."""
        return self.statement.subquery(name)

    def scalar_subquery(self) -> Any:
        """Return the query as a value in another (Any: SQLAlchemy's `ScalarSelect`)."""
        return self.statement.scalar_subquery()
