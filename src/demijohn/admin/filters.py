"""Filters of a list: each knows its choices and the condition that each of them means."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any, ClassVar

from demijohn._lib.translation import gettext as _
from demijohn.admin.database import have_keys
from demijohn.admin.finding import visit_of
from demijohn.admin.naming import NoSuchKey, bare_label, humanize, key_names, label_of, read_key, text_key
from demijohn.admin.options import ModelAdmin
from demijohn.admin.paths import Path, read_path
from demijohn.app import current
from demijohn.db import Model, QuerySet, now
from demijohn.db.descriptions import describe
from demijohn.errors import ConfigurationError
from demijohn.schema import Choice, convert

__all__ = [
    "BooleanFilter",
    "Choice",
    "ChoiceFilter",
    "DateFilter",
    "Filter",
    "NullFilter",
    "RelationFilter",
    "ValuesFilter",
    "default_filters",
    "filters_of",
]

RESERVED = frozenset(("q", "sort", "page", "after", "when", "choose", "find"))
MOST_CHOICES = 30
_MOST_FILTERS = 5
_MOST_LABELS = 500


class Filter:
    """A filter of your own: name its choices and apply them.

    Attributes:
        parameter: What it is called in the URL.
        label: Its heading.

    Example:
        class LengthFilter(Filter):
            parameter, label = "length", "Length"

            def choices(self, user): return [Choice("short", "Short"), Choice("long", "Long")]

            def apply(self, query, value): return query.where(func.length(Post.body) < 500)
    """

    parameter: str = ""
    label: str = ""
    is_lazy: ClassVar[bool] = False

    def __init__(self, admin: ModelAdmin, path: Path | None = None) -> None:
        self.admin = admin
        self.path = path
        if path is not None:
            self.parameter = f"{path.name}_" if path.name in RESERVED else path.name
            self.label = path.label
        elif not self.parameter or self.parameter in RESERVED:
            raise admin.wrong(
                "list_filter",
                type(self).__name__,
                why="A filter without a field needs a name for the URL, which the list itself does not use.",
                fix='parameter = "length"',
            )
        self.label = self.label or humanize(self.parameter)

    def choices(self, user: Any) -> Sequence[Choice]:
        """Return what can be chosen by a user (Any: of any class)."""
        return ()

    async def search(self, user: Any, text: str) -> tuple[Sequence[Choice], bool]:
        """Return the choices that a text finds, and whether there are more.

        Any: a user of any class.
        """
        return self.choices(user), False

    async def name(self, value: str, user: Any) -> str:
        """Return what a user reads for a value that was chosen (Any: of any class)."""
        for choice in self.choices(user):
            if choice.key == value:
                return choice.label
        return value

    def apply(self, query: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the query with a choice applied (Any: objects of any model).

        Raises:
            ValueError: There is no such choice; the client gets 400.
        """
        raise NotImplementedError

    def where(self, query: QuerySet[Any], make: Any) -> QuerySet[Any]:
        """Return the query with a condition on the attribute that the filter looks at.

        Any: a function of an attribute that returns a SQL expression.
        """
        if self.path is None:
            raise TypeError(f"{type(self).__name__} has no field.")
        return query.where(self.path.criterion(make))


class BooleanFilter(Filter):
    """Yes, no, and unknown where that can be."""

    def choices(self, user: Any) -> Sequence[Choice]:
        """Return yes and no, and unknown for a field that may be null."""
        found = [Choice("true", _("Yes")), Choice("false", _("No"))]
        if self.path is not None and self.path.field.nullable:
            found.append(Choice("null", _("Unknown")))
        return found

    def apply(self, query: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the query with a choice applied."""
        if value == "null":
            return self.where(query, lambda attribute: attribute.is_(None))
        if value not in {"true", "false"}:
            raise ValueError(value)
        wanted = value == "true"
        return self.where(query, lambda attribute: attribute.is_(wanted))


class ChoiceFilter(Filter):
    """The choices of a field, an enumeration's members, or the values that there are."""

    def _pairs(self) -> list[tuple[Any, str]]:
        if self.path is None:
            return []
        field = self.path.field
        if field.choices:
            return [(value, str(label)) for value, label in field.choices]
        if isinstance(field.type, type) and issubclass(field.type, Enum):
            return [(one, str(getattr(one, "label", None) or humanize(one.name))) for one in field.type]
        return []

    def choices(self, user: Any) -> Sequence[Choice]:
        """Return the choices of the field."""
        found = [Choice(_text(value), label) for value, label in self._pairs()]
        if self.path is not None and self.path.field.nullable:
            found.append(Choice("null", _("None")))
        return found

    def apply(self, query: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the query with one choice or several, separated by commas, applied."""
        wanted = []
        known = {_text(one): one for one, _label in self._pairs()}
        for part in value.split(","):
            if part == "null":
                return self.where(query, lambda attribute: attribute.is_(None))
            if part not in known:
                raise ValueError(part)
            wanted.append(known[part])
        return self.where(query, lambda attribute: attribute.in_(wanted))

    async def name(self, value: str, user: Any) -> str:
        """Return the labels of the values that were chosen (Any: a user of any class)."""
        labels = dict(self.choices(user))
        return ", ".join(labels.get(part, part) for part in value.split(","))


class NullFilter(Filter):
    """Whether a field or relation is empty."""

    def choices(self, user: Any) -> Sequence[Choice]:
        """Return empty and filled."""
        return [Choice("empty", _("Empty")), Choice("filled", _("Filled"))]

    def apply(self, query: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the query with a choice applied."""
        if value not in {"empty", "filled"}:
            raise ValueError(value)
        path = self.path
        many = path is not None and path.link is not None and path.is_many

        def empty(attribute: Any) -> Any:
            if many:
                return ~attribute.any()
            return attribute == None  # noqa: E711 - SQL: IS NULL, for relations too

        return self.where(query, empty if value == "empty" else lambda attribute: ~empty(attribute))


class DateFilter(Filter):
    """Today, the last days, this month and year.

    And any span of days: `2026-01-01..2026-01-31`.
    """

    def _spans(self) -> dict[str, tuple[str, date, date]]:
        today = now().date()
        month = today.replace(day=1)
        following = (month + timedelta(days=32)).replace(day=1)
        tomorrow = today + timedelta(days=1)
        return {
            "today": (_("Today"), today, tomorrow),
            "week": (_("Past 7 days"), today - timedelta(days=6), tomorrow),
            "month": (_("This month"), month, following),
            "year": (_("This year"), today.replace(month=1, day=1), today.replace(year=today.year + 1, month=1, day=1)),
        }

    def choices(self, user: Any) -> Sequence[Choice]:
        """Return the usual spans."""
        found = [Choice(value, label) for value, (label, _from, _to) in self._spans().items()]
        if self.path is not None and self.path.field.nullable:
            found.append(Choice("null", _("No date")))
        return found

    def apply(self, query: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the query with a span applied."""
        if value == "null":
            return self.where(query, lambda attribute: attribute.is_(None))
        spans = self._spans()
        if value in spans:
            return self.between(query, begin=spans[value][1], end=spans[value][2])
        first, dots, last = value.partition("..")
        if not dots or not (first or last):
            raise ValueError(value)
        begin = date.fromisoformat(first) if first else None
        end = date.fromisoformat(last) + timedelta(days=1) if last else None
        return self.between(query, begin=begin, end=end)

    def between(self, query: QuerySet[Any], *, begin: date | None, end: date | None) -> QuerySet[Any]:
        """Return the query for days from `begin` on and before `end`."""
        if begin is not None:
            query = self.where(query, lambda attribute: attribute >= self.moment(begin))
        if end is not None:
            query = self.where(query, lambda attribute: attribute < self.moment(end))
        return query

    def moment(self, day: date) -> date | datetime:
        """Return the beginning of a day as the field has it."""
        if self.path is not None and self.path.field.type is datetime:
            return datetime.combine(day, time(), UTC)
        return day

    async def name(self, value: str, user: Any) -> str:
        """Return what a span is called (Any: a user of any class)."""
        first, dots, last = value.partition("..")
        if dots:
            return f"{first or '…'} – {last or '…'}"
        return await super().name(value, user)


class RelationFilter(Filter):
    """The objects that a relation points to.

    They are looked up when the filter is opened, and may be searched.
    """

    is_lazy = True

    def target(self) -> ModelAdmin:
        """Return the options of the model that the relation points to."""
        if self.path is None or self.path.link is None:
            raise TypeError(f"{type(self).__name__} needs a relation.")
        admin: ModelAdmin = self.admin.site.admin_for(self.path.link.cls)
        return admin

    async def search(self, user: Any, text: str) -> tuple[Sequence[Choice], bool]:
        """Return the objects that a text finds."""
        target = self.target()
        query = target.query(user)
        if target.has_view_permission(user) or target.has_change_permission(user):
            searched = target.site.plan(target).search.apply(query, text, visit=visit_of(current.request))
            found = await searched.limit(MOST_CHOICES + 1).all()
        else:
            # A search of fields that they may not see would tell letter by letter what those hold.
            word = text.strip().lower()
            found = [one for one in await query.limit(_MOST_LABELS).all() if word in self.label_for(one, user).lower()]
        choices = [Choice(text_key(one), self.label_for(one, user)) for one in found[:MOST_CHOICES]]
        if not text and self.path is not None and (self.path.is_many or self.path.link.target.nullable):
            choices.append(Choice("null", _("None")))
        return choices, len(found) > MOST_CHOICES

    async def name(self, value: str, user: Any) -> str:
        """Return the label of the object that was chosen (Any: a user of any class)."""
        if value == "null":
            return _("None")
        try:
            target = self.target()
            found = await target.query(user).get(read_key(target.model, value))
        except NoSuchKey:
            return value
        return value if found is None else self.label_for(found, user)

    def label_for(self, obj: Any, user: Any) -> str:
        """Return what an object is called, or its key where they may not see it.

        Any: an object of the model, a user of any class.
        """
        target = self.target()
        for one in (None, obj):
            if target.has_view_permission(user, one) or target.has_change_permission(user, one):
                return label_of(obj)
        return bare_label(type(obj), text_key(obj))

    def apply(self, query: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the query for objects that point to the chosen one."""
        path = self.path
        if path is None:
            raise ValueError(value)
        many = path.link.kind in {"has_many", "many_to_many"}
        if value == "null":
            return self.where(query, lambda attribute: ~attribute.any() if many else attribute == None)  # noqa: E711
        model: type[Model] = path.link.cls
        try:
            key = read_key(model, value)
        except NoSuchKey:
            raise ValueError(value) from None
        if path.link.kind == "belongs_to" and len(path.names) == 1:
            names = path.link.keys
            return query.where(**dict(zip(names, key, strict=True)))
        wanted = have_keys([getattr(model, name) for name in key_names(model)], [key])

        def points_to(attribute: Any) -> Any:
            return attribute.any(wanted) if many else attribute.has(wanted)

        return self.where(query, points_to)


class ValuesFilter(Filter):
    """The values that there are in a field of texts or numbers.

    They are looked up when the filter is opened.
    """

    is_lazy = True

    async def search(self, user: Any, text: str) -> tuple[Sequence[Choice], bool]:
        """Return the values that a text finds (Any: a user of any class)."""
        path = self.path
        if path is None or len(path.names) != 1:
            return (), False
        query = self.admin.query(user).where(path.attribute.is_not(None))
        if text and path.field.type is str:
            query = query.where(path.attribute.icontains(text[:100], autoescape=True))
        found = await query.scalars(path.attribute).order_by(path.attribute).distinct().limit(MOST_CHOICES + 1).all()
        return [Choice(str(one), str(one)) for one in found[:MOST_CHOICES]], len(found) > MOST_CHOICES

    def apply(self, query: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the query for a value."""
        if self.path is None:
            raise ValueError(value)
        wanted = convert(value, self.path.field.type, text=True)
        return self.where(query, lambda attribute: attribute == wanted)


def _text(value: Any) -> str:
    bare = value.value if isinstance(value, Enum) else value
    return str(bare)


def _kind_of(path: Path) -> type[Filter] | None:
    field = path.field
    if path.link is not None:
        return RelationFilter
    if field.choices or (isinstance(field.type, type) and issubclass(field.type, Enum)):
        return ChoiceFilter
    if field.type is bool:
        return BooleanFilter
    if field.type in {date, datetime}:
        return DateFilter
    if field.type in {str, int} and (field.type is int or field.max_length is not None):
        return ValuesFilter
    return NullFilter if field.nullable else None


def _make(admin: ModelAdmin, given: Any) -> Filter:
    if isinstance(given, type) and issubclass(given, Filter):
        return given(admin)
    chosen = None
    if isinstance(given, tuple):
        given, chosen = given
    path = read_path(admin.model, given)
    kind = chosen or _kind_of(path)
    if kind is None:
        raise admin.wrong(
            "list_filter",
            path.name,
            why="A filter offers choices, and this field has any value.",
            fix="Give the field `choices=`, write a `Filter` of your own, or name it in `search_fields`.",
        )
    return kind(admin, path)


def default_filters(admin: ModelAdmin) -> list[str]:
    """Return the fields that a list is filtered by where its options name none."""
    found: list[str] = []
    for name, field in describe(admin.model).items():
        if field.private or "key_of" in field.extra or len(found) >= _MOST_FILTERS:
            continue
        path = read_path(admin.model, name)
        if path.is_many and path.link.kind == "has_many":
            continue
        if _kind_of(path) in {BooleanFilter, ChoiceFilter, DateFilter, RelationFilter}:
            found.append(name)
    return found


def filters_of(admin: ModelAdmin) -> dict[str, Filter]:
    """Return the filters of a model's list by their parameters.

    Raises:
        ConfigurationError: An entry names what is not there, or two have one parameter.
    """
    given = default_filters(admin) if admin.list_filter is None else admin.list_filter
    found: dict[str, Filter] = {}
    for one in given:
        made = _make(admin, one)
        if made.parameter in found:
            raise ConfigurationError(
                f"{type(admin).__name__}.list_filter of {admin.model.__name__} has two filters {made.parameter!r}.",
                why="They would read the same part of the URL.",
                fix="Give one of them another `parameter`.",
                code="DJN-951",
            )
        found[made.parameter] = made
    return found
