"""The list of a model: from the query of a URL to a query of the database, and to what the page shows."""

import calendar
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from demijohn._lib.translation import gettext as _
from demijohn.admin.access import Visit
from demijohn.admin.actions import actions_of
from demijohn.admin.columns import Column, columns_of
from demijohn.admin.database import bounds_of, sort_clause
from demijohn.admin.filters import DateFilter, Filter, filters_of
from demijohn.admin.naming import text_key
from demijohn.admin.options import ModelAdmin
from demijohn.admin.paths import Path, read_path
from demijohn.admin.searching import Search
from demijohn.db import QuerySet
from demijohn.db.naming import order_of
from demijohn.db.pages import cursor_of
from demijohn.errors import BadRequest, NotFound, ValidationFailed
from demijohn.http import Request
from demijohn.schema import Choice

__all__ = ["Listing", "Plan", "Shown"]

_OWN = frozenset(("q", "sort", "page", "after", "when", "choose", "find"))
_MOST_SORTS = 3


class Heading(NamedTuple):
    """The heading of a column: its label, how it is sorted, and where its links lead."""

    name: str
    label: str
    is_number: bool
    direction: str
    place: int
    toggle: str
    remove: str


class FilterShown(NamedTuple):
    """A filter as the page shows it."""

    parameter: str
    label: str
    value: str
    value_label: str
    options: Sequence[tuple[str, str, bool]]
    open_url: str
    clear_url: str
    is_open: bool
    is_span: bool
    has_more: bool
    text: str


class Row(NamedTuple):
    """A row as the page shows it (Any: the object is of the model)."""

    key: str
    url: str
    obj: Any
    cells: Sequence[str]


class Shown(NamedTuple):
    """What one page of a list shows."""

    rows: Sequence[Row]
    headings: Sequence[Heading]
    filters: Sequence[FilterShown]
    total: int | None
    is_capped: bool
    first: int
    number: int
    next_url: str
    previous_url: str
    numbers: Sequence[tuple[int | None, str]]
    periods: "Periods | None"
    clear_url: str


class Periods(NamedTuple):
    """The years, months or days that a date hierarchy leads to, and back."""

    back: str
    at: str
    links: Sequence[tuple[str, str]]


class Plan:
    """What the options of a model mean, compiled once: for its list, its search, its actions, its forms.

    Attributes:
        forms: The classes of forms that were made so far, with their plans, by what they depend on (Any: see `Editor`).

    Raises:
        ConfigurationError: An option names what is not there.
    """

    def __init__(self, admin: ModelAdmin) -> None:
        self.admin = admin
        self.columns = columns_of(admin)
        self.by_name = {column.name: column for column in self.columns}
        self.filters = filters_of(admin)
        self.search = Search(admin)
        self.actions = actions_of(admin)
        self.forms: dict[Any, tuple[Any, Any]] = {}
        self.dates: DateFilter | None = None
        if admin.date_hierarchy:
            self.dates = DateFilter(admin, read_path(admin.model, admin.date_hierarchy))
        links = admin.list_display_links
        if links is None:
            self.links: set[str] = set()
        else:
            self.links = set(links) or {self.columns[0].name}
        for name in (*self.links, *admin.list_editable):
            if name not in self.by_name:
                raise admin.wrong(
                    "list_display_links" if name in self.links else "list_editable",
                    name,
                    why=f"It is no column: those are {', '.join(self.by_name)}.",
                    fix="Name a column of `list_display`.",
                )
        self.joined: dict[tuple[str, ...], list[Any]] = {}
        self.loaded: list[str] = []
        for column in self.columns:
            path = column.path
            if path is not None and path.links:
                if path.is_many:
                    self.loaded.append(path.name)
                else:
                    self.joined[tuple(link.name for link in path.links)] = path.relations()
        self.ordering = [self._order(given) for given in admin.ordering]

    def _order(self, given: Any) -> tuple[Path | None, bool, Any]:
        if isinstance(given, str):
            down, name = given.startswith("-"), given.removeprefix("-")
            path = read_path(self.admin.model, name).sortable()
            if path is None:
                raise self.admin.wrong("ordering", given, why="It has no order.", fix='ordering = ["-id"]')
            return path, down, None
        return None, False, given

    def join(self, query: QuerySet[Any]) -> QuerySet[Any]:
        """Return the query with the relations to one that the columns show (Any: objects of any model)."""
        for relations in self.joined.values():
            query = query.load(*relations, join=True)
        return query

    def load(self, query: QuerySet[Any]) -> QuerySet[Any]:
        """Return the query with all relations that the columns show (Any: objects of any model)."""
        return self.join(query).load(*self.loaded) if self.loaded else self.join(query)


class Listing:
    """One request for a list: its parameters, checked, and the query that they mean."""

    def __init__(self, plan: Plan, visit: Visit, request: Request) -> None:
        self.plan = plan
        self.admin = plan.admin
        self.visit = visit
        self.base = request.root_path + request.path
        # What goes through objects that the user may not see is not there: each answer would tell what they hold.
        self.filters = {name: one for name, one in plan.filters.items() if self._may_ask(one)}
        self.dates = plan.dates if plan.dates is not None and self._may_ask(plan.dates) else None
        self.is_searched = bool(plan.search.fields_for(visit))
        query = request.query
        self.given: dict[str, str] = {}
        spans: dict[str, dict[str, str]] = {}
        for name, value in query.multi_items():
            bare, dot, end = name.rpartition(".")
            if dot and end in {"from", "to"} and isinstance(self.filters.get(bare), DateFilter):
                spans.setdefault(bare, {})[end] = value
                continue
            if name not in _OWN and name not in self.filters:
                visit.note(name)
                raise BadRequest(_("This list has no filter “%(name)s”.", name=name[:80]))
            if value:
                self.given[name] = value
        for name, span in spans.items():
            if any(span.values()):
                self.given[name] = f"{span.get('from', '')}..{span.get('to', '')}"
        self.text = self.given.get("q", "")
        self.columns = [column.for_visit(visit, self.admin) for column in self.plan.columns]
        self.sorts = self._sorts(self.given.get("sort", ""))
        self.after = self.given.get("after")
        self.page = self._page(self.given.get("page", "1"))

    # -- parameters ---------------------------------------------------------------------------------------------------

    def _may_ask(self, one: Filter) -> bool:
        return one.path is None or self.visit.sees_path(self.admin, one.path, to_key=True)

    def _page(self, text: str) -> int:
        if not text.isdecimal() or len(text) > 9 or int(text) < 1:
            raise NotFound(_("There is no such page."))
        return int(text)

    def _sorts(self, text: str) -> list[tuple[Column, bool]]:
        found: list[tuple[Column, bool]] = []
        for part in text.split(",") if text else ():
            column = self.plan.by_name.get(part.removeprefix("-"))
            if column is None or column.sort is None:
                self.visit.note(part)
                raise BadRequest(_("This list cannot be sorted by “%(name)s”.", name=part[:80]))
            if all(column is not other for other, _down in found):
                found.append((column, part.startswith("-")))
        return found[:_MOST_SORTS]

    def url(self, **changes: str | None) -> str:
        """Return the address of this list with some parameters changed; None takes one away."""
        left = {**self.given, **changes}
        pairs = [(name, value) for name, value in left.items() if value]
        return f"{self.base}?{urlencode(pairs)}" if pairs else self.base

    @property
    def is_filtered(self) -> bool:
        """Whether a search, a filter or a date is set."""
        return any(name in self.filters or name in {"q", "when"} for name in self.given)

    def kept(self, *without: str) -> list[tuple[str, str]]:
        """Return the parameters for hidden fields of a form that sets some others."""
        gone = {*without, "page", "after", "choose", "find"}
        return [(name, value) for name, value in self.given.items() if name not in gone]

    # -- the query ----------------------------------------------------------------------------------------------------

    def filtered(self) -> QuerySet[Any]:
        """Return the query for all objects that the list is about, in no order (Any: objects of the model)."""
        query = self.admin.query(self.visit.user)
        for name, filter_ in self.filters.items():
            value = self.given.get(name)
            if value is None:
                continue
            try:
                query = filter_.apply(query, value)
            except (ValueError, OverflowError, ValidationFailed):
                self.visit.note(f"{name}={value}")
                raise BadRequest(_("“%(value)s” is no choice of this filter.", value=value[:80])) from None
        when = self.given.get("when")
        if when is not None:
            if self.dates is None:
                raise BadRequest(_("This list has no dates to go through."))
            try:
                begin, end = _span(when)
                query = self.dates.between(query, begin=begin, end=end)
            except (ValueError, OverflowError):
                raise BadRequest(_("“%(value)s” is no choice of this filter.", value=when[:80])) from None
        if self.text:
            query = self.plan.search.apply(query, self.text, visit=self.visit)
        return query

    def ordered(self, query: QuerySet[Any]) -> QuerySet[Any]:
        """Return a query in the order that was asked for, by key between equals (Any: objects of the model)."""
        model = self.admin.model
        clauses = []
        for column, down in self.sorts:
            if column.sort is not None:
                query, clause = sort_clause(query, self._told(column.sort), down=down != column.down)
                clauses.append(clause)
        if not clauses:
            for path, down, given in self.plan.ordering:
                if path is None:
                    clauses.append(order_of(model, given))
                else:
                    query, clause = sort_clause(query, self._told(path), down=down)
                    clauses.append(clause)
        if not clauses:
            default = model.__order_by__
            names = (default,) if isinstance(default, str) else default
            clauses = [order_of(model, name) for name in names]
        columns = model.__mapper__.primary_key
        keys = [getattr(model, model.__mapper__.get_property_by_column(one).key) for one in columns]
        clauses += [key.asc() if clauses else key.desc() for key in keys]
        return query.order_by(*clauses)

    def _told(self, path: Path) -> Path:
        """Return what to sort by: the key of a relation where the order of its objects would tell what is not seen."""
        for index, link in enumerate(path.links):
            if not self.visit.sees(self.admin.site.admin_for(link.cls)):
                return path.to_link(index)
        return path

    # -- the page -----------------------------------------------------------------------------------------------------

    async def show(self) -> Shown:
        """Return what the page shows.

        One query brings the rows with what they join, one each relation to many; one counts, up to the bound, where the
        rows do not tell.
        """
        size, bound = self.admin.list_per_page, self.admin.site.count_limit
        query = self.filtered()
        rows, following, number = await self._rows(query, size, bound)
        first = (number - 1) * size + 1
        total: int | None = None
        capped = False
        if self.after is not None:
            total, capped = bound, True
        elif not following and (rows or number == 1):
            total = first + len(rows) - 1
        else:
            total = await query.limit(bound + 1).count()
            total, capped = min(total, bound), total > bound
        if not rows and number > 1:
            raise NotFound(_("There is no such page."))
        return Shown(
            rows=[self._row(obj) for obj in rows],
            headings=[self._heading(column) for column in self.plan.columns],
            filters=[await self._filter(one) for one in self.filters.values()],
            total=total,
            is_capped=capped,
            first=first,
            number=number,
            next_url=following,
            previous_url=self.url(page=str(number - 1), after=None) if number > 1 and self.after is None else "",
            numbers=self._numbers(number, size, total, capped),
            periods=await self._periods(query),
            clear_url=self.base if not self.sorts else f"{self.base}?{urlencode({'sort': self.given['sort']})}",
        )

    async def _rows(self, query: QuerySet[Any], size: int, bound: int) -> tuple[list[Any], str, int]:
        ordered = self.plan.load(self.ordered(query))
        if self.after is not None:
            found = await ordered.paginate_by_key(self.after, per_page=size)
            following = self.url(after=found.next, page=str(self.page + 1)) if found.next else ""
            return list(found), following, self.page
        offset = (self.page - 1) * size
        if offset > bound + size:
            raise NotFound(_("There is no such page."))
        rows = await ordered.offset(offset).limit(size + 1).all()
        following = ""
        if len(rows) > size:
            rows = rows[:size]
            following = self.url(page=str(self.page + 1))
            if offset + size >= bound:
                cursor = cursor_of(ordered, rows[-1])
                following = self.url(page=str(self.page + 1), after=cursor) if cursor else ""
        return rows, following, self.page

    def _numbers(self, number: int, size: int, total: int | None, capped: bool) -> list[tuple[int | None, str]]:
        if total is None or self.after is not None or total <= size:
            return []
        last = (total + size - 1) // size
        wanted = sorted({1, *range(number - 2, number + 3), *(() if capped else (last,))})
        found: list[tuple[int | None, str]] = []
        before = 0
        for one in wanted:
            if not 1 <= one <= last:
                continue
            if one > before + 1 and before:
                found.append((None, ""))
            found.append((one, self.url(page=None if one == 1 else str(one), after=None)))
            before = one
        return found

    def _row(self, obj: Any) -> Row:
        key = text_key(obj)
        return Row(key, f"{self.base}{key}/", obj, [column.shown(column.get(obj)) for column in self.columns])

    def _heading(self, column: Column) -> Heading:
        direction, place = "", 0
        others = [(other, down) for other, down in self.sorts if other is not column]
        if column.sort is None:
            return Heading(column.name, column.label, column.is_number, "", 0, "", "")
        for index, (other, down) in enumerate(self.sorts):
            if other is column:
                direction, place = "descending" if down else "ascending", index + 1
        flipped = "" if direction == "descending" else "-" if direction == "ascending" else ""
        toggle = ",".join([f"{flipped}{column.name}", *(f"{'-' * down}{other.name}" for other, down in others)])
        remove = ",".join(f"{'-' * down}{other.name}" for other, down in others)
        return Heading(
            column.name,
            column.label,
            column.is_number,
            direction,
            place if len(self.sorts) > 1 else 0,
            self.url(sort=toggle, page=None, after=None),
            self.url(sort=remove or None, page=None, after=None) if place else "",
        )

    async def _filter(self, one: Filter) -> FilterShown:
        value = self.given.get(one.parameter, "")
        is_open = self.given.get("choose") == one.parameter
        choices: Sequence[Choice] = ()
        more, text = False, self.given.get("find", "") if is_open else ""
        if not one.is_lazy:
            choices = one.choices(self.visit.user)
        elif is_open:
            choices, more = await one.search(self.visit.user, text)
        where = {"page": None, "after": None, "choose": None, "find": None}
        return FilterShown(
            parameter=one.parameter,
            label=one.label,
            value=value,
            value_label=await one.name(value, self.visit.user) if value else "",
            options=[
                (label, self.url(**{**where, one.parameter: choice}), choice == value) for choice, label in choices
            ],
            open_url=self.url(**{**where, "choose": one.parameter}) if one.is_lazy else "",
            clear_url=self.url(**{**where, one.parameter: None}),
            is_open=is_open,
            is_span=isinstance(one, DateFilter),
            has_more=more,
            text=text,
        )

    async def _periods(self, query: QuerySet[Any]) -> Periods | None:
        dates = self.dates
        if dates is None or dates.path is None:
            return None
        when = self.given.get("when", "")
        parts = when.split("-") if when else []
        link = self.url
        gone: dict[str, str | None] = {"page": None, "after": None}
        if not parts:
            least, greatest = await bounds_of(query, dates.path)
            years = range(least.year, greatest.year + 1) if least is not None else range(0)
            return Periods("", "", [(str(year), link(when=str(year), **gone)) for year in list(years)[-20:]])
        back = link(when="-".join(parts[:-1]) or None, **gone)
        if len(parts) == 1:
            months = [(f"{parts[0]}-{month:02}", link(when=f"{parts[0]}-{month:02}", **gone)) for month in range(1, 13)]
            return Periods(back, when, months)
        if len(parts) == 2:
            count = calendar.monthrange(int(parts[0]), int(parts[1]))[1]
            days = [(f"{day}", link(when=f"{when}-{day:02}", **gone)) for day in range(1, count + 1)]
            return Periods(back, when, days)
        return Periods(back, when, [])


def _span(text: str) -> tuple[date, date]:
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 1:
        return date(parts[0], 1, 1), date(parts[0] + 1, 1, 1)
    if len(parts) == 2:
        begin = date(parts[0], parts[1], 1)
        return begin, (begin + timedelta(days=32)).replace(day=1)
    if len(parts) == 3:
        begin = date(*parts)
        return begin, begin + timedelta(days=1)
    raise ValueError(text)
