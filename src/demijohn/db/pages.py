"""Pages of a query: by number, or by the key of the last row."""

import base64
import binascii
from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec
from sqlalchemy import UnaryExpression, and_, or_
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import operators

from demijohn._lib.translation import gettext
from demijohn.db.faults import QueryError
from demijohn.errors import FieldError, NotFound, ValidationFailed

if TYPE_CHECKING:
    from typing import Self

__all__ = ["KeysetPage", "Paginated", "cursor_of", "paginate", "paginate_by_key"]

R = TypeVar("R")


class Pageable(Protocol[R]):
    """What pages need of a query (Any: its clauses and its model)."""

    _model: Any

    def _order(self) -> tuple[Any, ...]: ...

    def _without(self, *names: str) -> "Self": ...

    def where(self, *criteria: Any) -> "Self": ...

    def order_by(self, *clauses: Any) -> "Self": ...

    def limit(self, count: int | None) -> "Self": ...

    def offset(self, count: int) -> "Self": ...

    async def count(self) -> int: ...

    async def all(self) -> list[R]: ...


class Paginated(Generic[R]):
    """One page of a query; iterate it, or ask for its neighbours.

    Attributes:
        items: The rows.
        page, per_page: Its number, from 1, and how many rows a page has.
        total: How many rows there are in all; None where they were not counted.
        has_next, has_previous: Whether there are neighbours.
    """

    __slots__ = ("has_next", "items", "page", "per_page", "total")

    def __init__(self, items: list[R], page: int, *, per_page: int, total: int | None, has_next: bool) -> None:
        self.items = items
        self.page = page
        self.per_page = per_page
        self.total = total
        self.has_next = has_next

    def __iter__(self) -> Iterator[R]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> R:
        return self.items[index]

    def __repr__(self) -> str:
        return f"<Page {self.page} of {self.pages or '?'}: {len(self.items)} rows>"

    @property
    def has_previous(self) -> bool:
        """Return whether there is a page before."""
        return self.page > 1

    @property
    def pages(self) -> int | None:
        """Return how many pages there are, at least one; None where rows were not counted."""
        return None if self.total is None else max(1, ceil(self.total / self.per_page))

    @property
    def next_page(self) -> int | None:
        """Return the number of the next page, or None."""
        return self.page + 1 if self.has_next else None

    @property
    def previous_page(self) -> int | None:
        """Return the number of the page before, or None."""
        return self.page - 1 if self.has_previous else None

    def numbers(self, *, around: int = 2, ends: int = 1) -> list[int | None]:
        """Return the page numbers to link to, None for a gap.

        `[1, None, 4, 5, 6, None, 9]`.
        """
        last = self.pages or self.page + int(self.has_next)
        wanted = {
            *range(1, ends + 1),
            *range(self.page - around, self.page + around + 1),
            *range(last - ends + 1, last + 1),
        }
        numbers: list[int | None] = []
        before = 0
        for number in sorted(number for number in wanted if 1 <= number <= last):
            if number == before + 2:
                numbers.append(number - 1)
            elif number > before + 2:
                numbers.append(None)
            numbers.append(number)
            before = number
        return numbers


class KeysetPage(Generic[R]):
    """Some rows of a query, and the cursor of what comes after them.

    Attributes:
        items: The rows.
        next: What to give as `after` for the rows that follow, or None at the end.
    """

    __slots__ = ("items", "next")

    def __init__(self, items: list[R], following: str | None) -> None:
        self.items = items
        self.next = following

    def __iter__(self) -> Iterator[R]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def check_size(per_page: int) -> None:
    """Refuse a page without rows."""
    if per_page < 1:
        raise QueryError(f"per_page={per_page} was asked for.", why="A page has at least one row.", fix="per_page=20")


async def paginate(query: "Pageable[R]", page: int, per_page: int, count: bool) -> Paginated[R]:
    """Return one page by number."""
    check_size(per_page)
    if page < 1 or page > 2**53 // per_page:
        raise NotFound(gettext("There is no such page."))
    total = await query.count() if count else None
    # One row more than asked for says whether there is a next page.
    rows = await query.offset((page - 1) * per_page).limit(per_page + 1).all()
    if not rows and page > 1:
        raise NotFound(gettext("There is no such page."))
    has_next = len(rows) > per_page
    return Paginated(rows[:per_page], page, per_page=per_page, total=total, has_next=has_next)


async def paginate_by_key(query: "Pageable[R]", after: str | None, per_page: int) -> KeysetPage[R]:
    """Return the rows after a cursor."""
    check_size(per_page)
    columns = _columns(query)
    ordered = query._without("order_by").order_by(
        *(column.desc() if down else column.asc() for column, down in columns)
    )
    if after is not None:
        ordered = ordered.where(_after(columns, _decode(after, columns)))
    rows = await ordered.limit(per_page + 1).all()
    following = None
    if len(rows) > per_page:
        rows = rows[:per_page]
        following = _encode(columns, rows[-1])
    return KeysetPage(rows, following)


def cursor_of(query: "Pageable[Any]", row: Any) -> str | None:
    """Return what to give as `after` for the rows that follow one of a query's.

    So a list goes on by key where it began by number. None where its order does not allow it (Any: rows of any model).
    """
    try:
        return _encode(_columns(query), row)
    except (QueryError, UnmappedColumnError):
        return None


def _columns(query: "Pageable[Any]") -> list[tuple[Any, bool]]:
    """Return the columns of the order, each with whether it goes down; the key comes last, so no two rows are alike."""
    found: list[tuple[Any, bool]] = []
    for clause in query._order():
        element = clause.__clause_element__() if hasattr(clause, "__clause_element__") else clause
        down = False
        if isinstance(element, UnaryExpression) and element.modifier in {operators.asc_op, operators.desc_op}:
            down = element.modifier is operators.desc_op
            element = element.element
        if not hasattr(element, "table") or getattr(element, "nullable", True):
            raise QueryError(
                f"Pages by key were asked for, in the order of {element}.",
                why="The order has to be by columns of the model that are never null: the next page starts after "
                "their values.",
                fix="Order by such columns, or take `paginate()`.",
            )
        found.append((element, down))
    known = {id(query._model.__mapper__.get_property_by_column(_plain(column))) for column, _ in found}
    down = found[-1][1] if found else False
    mapper = query._model.__mapper__
    return found + [(key, down) for key in mapper.primary_key if id(mapper.get_property_by_column(key)) not in known]


def _plain(column: Any) -> Any:
    return getattr(column, "_deannotate", lambda: column)()


def _after(columns: list[tuple[Any, bool]], values: list[Any]) -> Any:
    choices = []
    for index, (column, down) in enumerate(columns):
        equal = [one == value for (one, _), value in zip(columns[:index], values, strict=False)]
        choices.append(and_(*equal, column < values[index] if down else column > values[index]))
    return or_(*choices)


def _encode(columns: list[tuple[Any, bool]], row: Any) -> str:
    mapper = row.__mapper__
    values = [getattr(row, mapper.get_property_by_column(_plain(column)).key) for column, _ in columns]
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()


def _decode(cursor: str, columns: list[tuple[Any, bool]]) -> list[Any]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        values = msgspec.json.decode(raw, type=list[Any])
        if len(values) != len(columns):
            raise ValueError(len(values))
        return [
            msgspec.convert(value, column.type.python_type) for value, (column, _) in zip(values, columns, strict=True)
        ]
    except (binascii.Error, ValueError, msgspec.DecodeError, msgspec.ValidationError):
        error = FieldError(("query", "after"), "cursor", gettext("This is no cursor of this list."))
        raise ValidationFailed([error]) from None
