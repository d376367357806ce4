"""Columns of a list: what each one is called, sorted by, and how a value is shown."""

import enum
from collections.abc import Callable, Sequence
from copy import copy
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from markupsafe import Markup, escape

from demijohn._lib.translation import LazyString
from demijohn._lib.translation import gettext as _
from demijohn.admin.access import Visit
from demijohn.admin.naming import bare_label, capitalize, humanize, label_of, text_key
from demijohn.admin.options import Display, ModelAdmin
from demijohn.admin.paths import Path, read_path
from demijohn.app.context import find_unit
from demijohn.db import Model
from demijohn.db.descriptions import describe
from demijohn.schema import to_json

__all__ = ["Column", "Shown", "columns_of", "default_columns", "make_column", "moment", "related_label", "text_of"]

LONGEST = 140
_NUMBERS = (int, float, Decimal)
_MOST_COLUMNS = 6


class Shown:
    """How values become markup; one per column, so that what is known about the field is looked up once."""

    __slots__ = ("boolean", "choices", "empty", "local")

    def __init__(self, *, empty: str, boolean: bool = False, choices: Any = None) -> None:
        self.empty = empty
        self.boolean = boolean
        self.choices = {_bare(value): label for value, label in choices} if choices else None

    def __call__(self, value: Any) -> str:
        """Return the markup of a value (Any: fields have any type), escaped."""
        cls = value.__class__
        if value is None or value == "":
            return f'<span class="none">{escape(self.empty)}</span>'
        if cls is bool or self.boolean:
            return _mark(bool(value))
        if self.choices is not None and not isinstance(value, list):
            return str(escape(self.choices.get(_bare(value), value)))
        if cls is str:
            return str(escape(value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"))
        if cls is int:
            return str(value)
        if isinstance(value, datetime):
            return f'<time datetime="{value.isoformat()}">{escape(moment(value))}</time>'
        if isinstance(value, date | time):
            name, form = ("format_date", "medium") if isinstance(value, date) else ("format_time", "short")
            written = _localized(name, value, form) or value.isoformat()
            return f'<time datetime="{value.isoformat()}">{escape(written)}</time>'
        html = getattr(value, "__html__", None)
        if html is not None:
            return str(html())
        if isinstance(value, list | tuple | set) and all(isinstance(one, Model) for one in value):
            return (
                '<span class="tags">' + " ".join(f"<span>{escape(label_of(one))}</span>" for one in value) + "</span>"
            )
        text = text_of(value)
        return str(escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"))


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _mark(value: bool) -> str:
    word = _("Yes") if value else _("No")
    return f'<span class="mark {"yes" if value else "no"}"><span class="hidden">{word}</span></span>'


def moment(value: datetime, *, seconds: bool = False) -> str:
    """Return a date and time as people read it: as the present language writes it where the app speaks several.

    In UTC otherwise, so that it is the same everywhere.
    """
    localized = _localized("format_datetime", value, "medium" if seconds else "short")
    return localized or (f"{value:%Y-%m-%d %H:%M:%S} UTC" if seconds else f"{value:%Y-%m-%d %H:%M}")


def _localized(name: str, value: Any, form: str = "short") -> str:
    """Return a value as the present language writes it; nothing where the app speaks one language alone."""
    unit = find_unit()
    write = None if unit is None else unit.app.templates.filters.get(name)
    return "" if write is None else str(write(value, form))


def text_of(value: Any) -> str:
    """Return a value as plain text, for cells, histories and files (Any: fields have any type)."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, Model):
        return label_of(value)
    if isinstance(value, enum.Enum):
        return str(getattr(value, "label", None) or humanize(value.name))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int | float | Decimal | UUID):
        return str(value)
    if isinstance(value, bytes):
        return _("%(count)s bytes", count=len(value))
    if isinstance(value, list | tuple | set):
        return ", ".join(text_of(one) for one in value)
    if isinstance(value, dict):
        return to_json(value).decode()
    return str(value)


class Column:
    """One column of a list.

    Attributes:
        name: How it is called in the URL.
        label: Its heading.
        path: The field that it shows, or None for a function.
        sort: The field that it is sorted by, or None.
        down: Whether the sort goes the other way round.
        is_number: Whether it is aligned like a number.
    """

    __slots__ = ("down", "get", "is_number", "label", "name", "path", "shown", "sort")

    def __init__(self, name: str, label: str, get: Callable[[Any], Any], shown: Shown) -> None:
        self.name = name
        self.label = label
        self.get = get
        self.shown = shown
        self.path: Path | None = None
        self.sort: Path | None = None
        self.down = False
        self.is_number = False

    def __repr__(self) -> str:
        return f"<Column {self.name}>"

    def for_visit(self, visit: Visit, admin: ModelAdmin) -> "Column":
        """Return the column as a user may see it: of objects that they may not see it tells the keys, and no fields."""
        path = self.path
        if path is None or visit.sees_path(admin, path):
            return self
        column = copy(self)
        column.get = partial(_visible, visit, admin.site, path)
        return column

    def cell(self, obj: Any) -> Markup:
        """Return what the column shows of an object (Any: of the model)."""
        return Markup(self.shown(self.get(obj)))  # noqa: S704 - escaped by `Shown`


def _visible(visit: Visit, site: Any, path: Path, obj: Any) -> Any:
    """Return what a user may see at the end of a path (Any: the site, an object, a value)."""
    for name, link in zip(path.names, path.links, strict=False):
        obj = getattr(obj, name)
        if obj is None:
            return None
        target = site.admin_for(link.cls)
        if name == path.names[-1] and len(path.names) == len(path.links):
            if isinstance(obj, list):
                return [related_label(visit, target, one) for one in obj]
            return related_label(visit, target, obj)
        if not visit.sees(target, obj):
            return None
    return getattr(obj, path.names[-1])


def related_label(visit: Visit, target: ModelAdmin, obj: Any) -> str:
    """Return the label of an object, or its key where the user may not see it (Any: of the model)."""
    return label_of(obj) if visit.sees(target, obj) else bare_label(type(obj), text_key(obj))


def make_column(admin: ModelAdmin, given: Any, *, option: str = "list_display") -> Column:
    """Return the column that an entry of an option stands for (Any: a name, an attribute or a function)."""
    if given == "__str__":
        return _named(admin)
    if isinstance(given, str):
        own = getattr(admin, given, None) if not given.startswith("_") else None
        if callable(own) and given not in describe(admin.model):
            return _of_function(admin, given, own)
        if given in describe(admin.model) or "__" in given:
            return _of_path(admin, read_path(admin.model, given))
        descriptor = getattr(admin.model, given, None)
        if callable(descriptor) and not isinstance(descriptor, type) and not hasattr(descriptor, "property"):
            return _of_function(admin, given, descriptor)
        if isinstance(descriptor, property):
            return _of_function(admin, given, _reader(given, descriptor))
        return _of_path(admin, read_path(admin.model, given))
    if hasattr(given, "property") and hasattr(given, "key"):
        return _of_path(admin, read_path(admin.model, given))
    if callable(given):
        return _of_function(admin, given.__name__.strip("<>"), given)
    raise admin.wrong(
        option,
        given,
        why="A column is a field's name, an attribute of the model, or a function of the object.",
        fix=f'{option} = ["title"]',
    )


def _reader(name: str, descriptor: property) -> Callable[[Any], Any]:
    def read(obj: Any) -> Any:
        return getattr(obj, name)

    if descriptor.fget is not None and hasattr(descriptor.fget, "__demijohn_display__"):
        read.__demijohn_display__ = descriptor.fget.__demijohn_display__  # type: ignore[attr-defined]
    return read


def _named(admin: ModelAdmin) -> Column:
    label: Any = LazyString(lambda: capitalize(admin.noun), (), {})  # Any: it is looked up when it is shown
    column = Column("__str__", label, label_of, Shown(empty=admin.empty_value))
    from demijohn.admin.naming import label_field

    name = label_field(admin.model)
    if name is not None:
        column.sort = read_path(admin.model, name)
    return column


def _of_path(admin: ModelAdmin, path: Path) -> Column:
    field = path.field
    if path.is_many and len(path.names) > 1:
        raise admin.wrong(
            "list_display",
            path.name,
            why="It goes over a relation to many, so there is no one value.",
            fix="Name the relation itself, or write a method that puts them together.",
        )
    get: Callable[[Any], Any] = path.value
    if len(path.names) == 1:
        get = _attribute(path.names[0])
    if path.link is not None and not path.is_many:
        whole = get

        def get_label(obj: Any) -> Any:
            found = whole(obj)
            return None if found is None else label_of(found)

        get = get_label
    column = Column(path.name, path.label, get, Shown(empty=admin.empty_value, choices=field.choices))
    column.path = path
    column.sort = path.sortable()
    column.is_number = field.type in _NUMBERS and not field.choices
    return column


def _attribute(name: str) -> Callable[[Any], Any]:
    from operator import attrgetter

    return attrgetter(name)


def _of_function(admin: ModelAdmin, name: str, function: Callable[[Any], Any]) -> Column:
    about = getattr(function, "__demijohn_display__", None) or Display(None, None, False, None)
    shown = Shown(empty=admin.empty_value if about.empty is None else about.empty, boolean=about.boolean)
    column = Column(name, about.label or humanize(name), function, shown)
    ordering = about.ordering
    if ordering is not None:
        if isinstance(ordering, str) and ordering.startswith("-"):
            column.down, ordering = True, ordering[1:]
        column.sort = read_path(admin.model, ordering).sortable()
    return column


def default_columns(admin: ModelAdmin) -> list[str]:
    """Return the columns of a model whose options name none: what names the object, then its short fields."""
    fields = describe(admin.model)
    found = ["__str__"]
    from demijohn.admin.naming import label_field

    first = label_field(admin.model)
    if first is not None:
        found = [first]
    for name, field in fields.items():
        link = field.extra.get("relation")
        if name == first or name == "id" or field.private or "key_of" in field.extra or len(found) >= _MOST_COLUMNS:
            continue
        if link is not None:
            if link.kind == "belongs_to":
                found.append(name)
        elif field.type in {dict, list, bytes} or _is_long(field):
            continue
        else:
            found.append(name)
    return found


def _is_long(field: Any) -> bool:
    return field.type is str and (field.max_length is None or field.max_length > 255) and not field.choices


def columns_of(admin: ModelAdmin) -> Sequence[Column]:
    """Return the columns of a model's list.

    Raises:
        ConfigurationError: An entry names what is not there.
    """
    return [make_column(admin, given) for given in (admin.list_display or default_columns(admin))]
