"""What queries of objects and queries of rows have in common: clauses, the statement, and how it runs."""

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import (
    ColumnExpressionArgument,
    Executable,
    Select,
    TextClause,
    and_,
    case,
    func,
    literal_column,
    select,
)
from sqlalchemy import exists as sql_exists
from sqlalchemy.sql.selectable import CompoundSelect

from demijohn._lib.elsewhere import translation
from demijohn.db.ahead import Ahead
from demijohn.db.comparisons import equal as equal_to
from demijohn.db.comparisons import quick_fields
from demijohn.db.declarative import Declarative
from demijohn.db.explaining import explain
from demijohn.db.faults import QueryError
from demijohn.db.lanes import Attempt
from demijohn.db.naming import clause_of, order_of, reversed_order
from demijohn.db.pages import KeysetPage, Paginated, paginate, paginate_by_key
from demijohn.db.shapes import Named
from demijohn.db.streaming import stream_rows
from demijohn.db.units import Unit, current_scope, work
from demijohn.db.waiting import run_now
from demijohn.errors import NameElsewhere

if TYPE_CHECKING:
    from typing import Self, TypeVarTuple

    Ts = TypeVarTuple("Ts")

__all__ = ["Building"]

M = TypeVar("M", bound=Declarative)
R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
_Part = tuple[str, tuple[Any, ...], Mapping[str, Any]]


class Building(Generic[R]):
    """What queries of objects and queries of rows have in common.

    Every method returns a new query.
    """

    __slots__ = ("_base", "_extra", "_locks", "_model", "_parts")

    def __init__(self, model: type[Declarative], base: Executable | None = None) -> None:
        self._model = model
        self._base = base
        self._parts: tuple[_Part, ...] = ()
        self._extra: dict[str, Any] = {}
        self._locks = False

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            written = translation("QuerySet", name)
            if not written:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            raise NameElsewhere.of(type(self).__name__, name, written.replace("Post", self._model.__name__))

    def _copy(self) -> "Self":
        made = type(self).__new__(type(self))
        made._model, made._base, made._parts = self._model, self._base, self._parts
        made._extra, made._locks = self._extra, self._locks
        return made

    def _with(self, name: str, *arguments: Any, **options: Any) -> "Self":
        made = self._copy()
        made._parts = (*self._parts, (name, arguments, options))
        return made

    def _unordered(self) -> "Self":
        return self._without("order_by") if self._has("order_by") else self

    # -- building ----------------------------------------------------------------------------------------------------

    def where(self, *criteria: ColumnExpressionArgument[bool], **equal: Any) -> "Self":
        """Keep the rows that meet all criteria; keywords compare a field with a value.

        Any: of the field's type.
        """
        if equal:
            model = self._model
            criteria = (*criteria, *[equal_to(model, name, value) for name, value in equal.items()])
        return self._with("where", *criteria) if criteria else self

    def exclude(self, *criteria: ColumnExpressionArgument[bool], **equal: Any) -> "Self":
        """Keep the rows that do not meet all criteria.

        Where they are unknown (NULL) the row stays.
        """
        wanted = [*criteria, *(equal_to(self._model, name, value) for name, value in equal.items())]
        return self._with("where", case((and_(*wanted), 0), else_=1) == 1) if wanted else self

    def order_by(self, *clauses: Any) -> "Self":
        """Order the rows; the last call counts. Names may begin with `-`.

        No name reaches the SQL unchecked.

        Clauses are columns, expressions or names (Any: as SQLAlchemy takes them).
        """
        return self._unordered()._with("order_by", *[self._named(clause) for clause in clauses])

    def _named(self, clause: Any) -> Any:
        model = self._model
        if isinstance(clause, str):
            name = clause.removeprefix("-")
            if name in quick_fields(model) or name in model.__mapper__.column_attrs:
                return Named(model, clause)
        return order_of(model, clause)

    def reverse(self) -> "Self":
        """Turn the order round."""
        order = self._order()
        return self._unordered()._with("order_by", *(reversed_order(clause) for clause in order))

    def limit(self, count: int | None) -> "Self":
        """Return at most `count` rows."""
        return self._with("limit", count)

    def offset(self, count: int) -> "Self":
        """Leave out the first rows."""
        return self._with("offset", count)

    def distinct(self, *columns: Any) -> "Self":
        """Leave out doubles; with columns, PostgreSQL's DISTINCT ON.

        Any: columns or their names.
        """
        return self._with("distinct", *(clause_of(self._model, one) for one in columns))

    def join(self, relation: Any, on: Any = None, *, outer: bool = False) -> "Self":
        """Join a relation (`Post.author`), or a model with its condition.

        Their columns may be used in what follows (Any: as SQLAlchemy takes them).
        """
        arguments = (relation,) if on is None else (relation, on)
        return self._with("join", *arguments, isouter=outer)

    def group_by(self, *columns: Any) -> "Self":
        """Group the rows (Any: columns or their names)."""
        return self._with("group_by", *(clause_of(self._model, one) for one in columns))

    def having(self, *criteria: ColumnExpressionArgument[bool]) -> "Self":
        """Keep the groups that meet all criteria."""
        return self._with("having", *criteria)

    def for_update(
        self, *, nowait: bool = False, skip_locked: bool = False, share: bool = False, of: Any = None
    ) -> "Self":
        """Lock the rows until the transaction ends, and read them fresh.

        On SQLite this begins the write transaction.

        Args:
            nowait: Fail instead of waiting.
            skip_locked: Leave out rows that somebody else has locked.
            share: Others may read, not write.
            of: The models whose rows are locked, where several are joined (Any: as in SQLAlchemy).
        """
        made = self._with("with_for_update", nowait=nowait, skip_locked=skip_locked, read=share, of=of)
        made = made._with("execution_options", populate_existing=True)
        made._locks = True
        return made

    def options(self, *options: Any) -> "Self":
        """Add loader options of SQLAlchemy (Any: their types are many)."""
        return self._with("options", *options)

    def execution_options(self, **options: Any) -> "Self":
        """Add execution options of SQLAlchemy (Any: their types are many)."""
        return self._with("execution_options", **options)

    def pipe(self, function: "Callable[[Self], T]") -> T:
        """Hand the query to a function that goes on with it.

        `Post.where(...).pipe(recent)`.
        """
        return function(self)

    # -- the statement -----------------------------------------------------------------------------------------------

    @property
    def statement(self) -> Select[Any]:
        """Return the plain SQLAlchemy `select` (Any: its row type is that of the query)."""
        statement = self._start()
        ordered = False
        for name, arguments, options in self._parts:
            ordered = ordered or name == "order_by"
            if name == "options":
                statement = statement.options(
                    *chain(*[one.options if type(one) is Ahead else (one,) for one in arguments])
                )
                continue
            statement = getattr(statement, name)(*arguments, **options)
        if (
            not ordered
            and self._model.__order_by__
            and isinstance(statement, Select)
            and not statement._group_by_clauses
        ):
            statement = statement.order_by(*self._order())
        return statement  # type: ignore[no-any-return]

    def _start(self) -> Any:
        base = self._base
        if base is None:
            return select(self._model)
        if isinstance(base, TextClause):
            return select(self._model).from_statement(base)
        if isinstance(base, CompoundSelect):
            return select(self._model).from_statement(base)
        return base

    def _order(self) -> tuple[Any, ...]:
        for name, arguments, _ in self._parts:
            if name == "order_by":
                return arguments
        default = self._model.__order_by__
        names = (default,) if isinstance(default, str) else default
        return tuple(order_of(self._model, name) for name in names)

    def _ordered(self) -> "Self":
        """Return the query in its own order, or by key where it has none."""
        return self if self._order() else self._with("order_by", *self._model.__mapper__.primary_key)

    def _without(self, *names: str) -> "Self":
        made = self._copy()
        made._parts = tuple(part for part in self._parts if part[0] not in names)
        return made

    def _has(self, *names: str) -> bool:
        return any(part[0] in names for part in self._parts)

    # -- running -----------------------------------------------------------------------------------------------------

    def _unit(self) -> Unit:
        return current_scope().unit_for(self._model)

    async def _run(self, function: "Callable[..., T]", *arguments: Any) -> T:
        unit = self._unit()
        return await work(unit.scope, function, unit, *arguments)

    def _attempt(self, unit: Unit) -> Attempt | None:
        """Return a try to run the query beside SQLAlchemy's path, or None where it never can."""
        return None

    def _take(self, result: Any) -> list[R]:
        raise NotImplementedError

    def _all(self, unit: Unit, attempt: Attempt | None = None) -> list[R]:
        if self._locks:
            unit.begin()
        statement = self.statement
        result = unit.session.execute(statement)
        if attempt is not None and attempt.may_learn:
            attempt.learn(statement, result)
        return self._take(result)

    def _all_now(self, unit: Unit) -> list[R]:
        attempt = self._attempt(unit)
        if attempt is not None and attempt.is_known:
            found = attempt.run_now()
            if found is not None:
                return found
        return self._all(unit, attempt)

    async def all(self) -> list[R]:
        """Return all rows as a list. `await query` is the same."""
        unit = current_scope().unit_for(self._model)
        attempt = self._attempt(unit)
        if attempt is not None and attempt.is_known:
            found = await attempt.run()
            if found is not None:
                return found
        return await work(unit.scope, self._all, unit, attempt)

    def __await__(self) -> Generator[Any, Any, list[R]]:
        return self.all().__await__()

    def __iter__(self) -> Iterator[R]:
        return iter(run_now(self._unit(), self._all_now))

    async def __aiter__(self) -> AsyncIterator[R]:
        for row in await self.all():
            yield row

    def __bool__(self) -> bool:
        raise QueryError(
            "A query was asked whether it is true.",
            why="That would need a statement, and a query is not its result.",
            fix="`if await query.exists():`",
        )

    async def first(self) -> R | None:
        """Return the first row, or None; by key where nothing else orders."""
        rows = await self._ordered().limit(1).all()
        return rows[0] if rows else None

    async def last(self) -> R | None:
        """Return the last row, or None; by key where nothing else orders."""
        return await self._ordered().reverse().first()

    async def one(self) -> R:
        """Return the only row.

        Raises:
            QueryError: There is none, or more than one.
        """
        row = await self.one_or_none()
        if row is None:
            raise QueryError(
                f"No {self._model.__name__} was found where one was expected.",
                why="`one()` is for rows that have to be there.",
                fix="`one_or_none()`, `first()` or `get_or_404()` are for rows that may be missing.",
            )
        return row

    async def one_or_none(self) -> R | None:
        """Return the only row, or None.

        Raises:
            QueryError: There is more than one.
        """
        rows = await (self if self._has("limit") else self.limit(2)).all()
        if len(rows) > 1:
            raise QueryError(
                f"More than one {self._model.__name__} was found where one was expected.",
                why="Nothing says which of them is meant.",
                fix="Filter by something unique, or take `first()` in an order.",
            )
        return rows[0] if rows else None

    async def count(self) -> int:
        """Return how many rows there are."""
        return int(await self._scalar("count", self._count))

    async def _scalar(self, name: str, function: "Callable[[Unit, Attempt | None], Any]") -> Any:
        """Return one value of the database, by a lane where there is one."""
        unit = self._unit()
        attempt = None
        if self._base is None:
            attempt = Attempt(self._without("order_by", "options", "with_for_update"), unit, name)
            found = await attempt.run() if attempt.is_known else None
            if found is not None:
                return found[0]
        return await work(unit.scope, function, unit, attempt)

    def _scalar_of(self, unit: Unit, attempt: Attempt | None, statement: Any) -> Any:
        result = unit.session.execute(statement)
        if attempt is not None and attempt.may_learn:
            attempt.learn(statement, result)
        return result.scalar()

    def _count(self, unit: Unit, attempt: Attempt | None = None) -> int:
        plain = self._without("order_by", "options", "with_for_update")
        if self._base is None and not plain._has("limit", "offset", "distinct", "group_by", "join"):
            statement = select(func.count()).select_from(self._model)
            for name, arguments, options in plain._parts:
                statement = getattr(statement, name)(*arguments, **options)
        else:
            inner = plain.statement
            if isinstance(inner, Select):
                inner = inner.order_by(None) if not inner._has_row_limiting_clause else inner
                inner = inner.with_only_columns(*self._model.__mapper__.primary_key) if _is_plain(inner) else inner
            statement = select(func.count()).select_from(inner.subquery())
        return int(self._scalar_of(unit, attempt, statement))

    async def exists(self) -> bool:
        """Return whether there is a row."""
        return bool(await self._scalar("exists", self._exists))

    def _exists(self, unit: Unit, attempt: Attempt | None = None) -> bool:
        inner = self._without("order_by", "options", "with_for_update").statement
        if isinstance(inner, Select):
            inner = inner.order_by(None) if not inner._has_row_limiting_clause else inner
            if _is_plain(inner):
                one: Any = literal_column("1")
                found = inner.with_only_columns(one, maintain_column_froms=True).limit(one)
                return bool(self._scalar_of(unit, attempt, found))
        statement = select(case((sql_exists(inner.subquery().select()), 1), else_=0))
        return bool(self._scalar_of(unit, attempt, statement))

    async def explain(self, *, analyze: bool = False) -> str:
        """Return the plan of the database for this query.

        Args:
            analyze: Run it too, and return what it took (PostgreSQL, MySQL, MariaDB).
        """
        return await self._run(explain, self.statement, analyze)

    async def stream(self, *, chunk: int = 500) -> AsyncIterator[R]:
        """Yield the rows one by one, reading `chunk` at a time from the server.

        Relations load once per chunk.

        Other statements of the unit of work may run meanwhile.

        Example:
            async for post in Post.where(Post.published).stream(): ...
        """
        rows = stream_rows(self._unit(), self.statement, chunk=chunk, of_objects=self._is_of_objects())
        try:
            async for row in rows:
                yield row
        finally:
            await rows.aclose()  # type: ignore[attr-defined]  # an async generator, which typing does not say

    def _is_of_objects(self) -> bool:
        return False

    async def paginate(self, page: int = 1, *, per_page: int = 20, count: bool = True) -> "Paginated[R]":
        """Return one page by number, with the number of all rows.

        Args:
            page: The page, from 1.
            per_page: Rows on a page.
            count: Count all rows; without it only whether there is a next page is known.

        Raises:
            NotFound: The page is below 1 or beyond the last one; the client gets 404.
        """
        return await paginate(self._ordered(), page, per_page, count)

    async def paginate_by_key(self, after: str | None = None, *, per_page: int = 20) -> "KeysetPage[R]":
        """Return the rows after a cursor, in the query's order.

        Every page costs the same, and none is shown twice.

        Args:
            after: The `next` of the page before, or None for the first one.
            per_page: Rows on a page.

        Raises:
            ValidationFailed: The cursor is none of this query's; the client gets 422.
        """
        return await paginate_by_key(self._ordered(), after, per_page)


def _is_plain(statement: Select[Any]) -> bool:
    return not statement._group_by_clauses and not statement._distinct and not statement._has_row_limiting_clause
