"""An object as it is shown and not changed: its fields in their groups, relations with links."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from demijohn.admin.access import Visit
from demijohn.admin.columns import Shown, make_column, related_label, text_of
from demijohn.admin.naming import text_key
from demijohn.admin.options import ModelAdmin
from demijohn.db import Model
from demijohn.db.descriptions import describe

__all__ = ["Fieldset", "ShownField", "fieldsets_of", "show_field", "show_fields"]

_MOST_RELATED = 30


class ShownField(NamedTuple):
    """A field as a page shows it."""

    name: str
    label: str
    markup: Markup
    help: str


class Fieldset(NamedTuple):
    """A group of fields: names, two in a tuple side by side."""

    title: str
    names: Sequence[str | tuple[str, ...]]
    description: str
    collapse: bool


def fieldsets_of(admin: ModelAdmin, user: Any, obj: Any = None) -> list[Fieldset]:
    """Return the groups of fields that a page of an object has for a user (Any: of any class)."""
    given = admin.fieldsets_for(user, obj)
    if given is not None:
        return [
            Fieldset(
                title or "", list(about.get("fields", ())), about.get("description", ""), bool(about.get("collapse"))
            )
            for title, about in given
        ]
    names = admin.fields_for(user, obj)
    return [Fieldset("", default_fields(admin) if names is None else list(names), "", False)]


def default_fields(admin: ModelAdmin) -> list[str]:
    """Return the fields of a model whose options name none: all but keys, private ones and other halves."""
    found = []
    made: set[str] = getattr(admin.model, "__made__", set())
    for name, field in describe(admin.model).items():
        link = field.extra.get("relation")
        if field.private or "key_of" in field.extra or name in admin.exclude:
            continue
        if link is not None and (link.kind in {"has_many", "has_one"} or link.options.get("made")):
            continue
        if link is None and name in made:
            continue
        if name == "id" and field.readonly:
            continue
        found.append(name)
    described = describe(admin.model)
    return sorted(found, key=lambda name: described[name].readonly)


def show_field(visit: Visit, admin: ModelAdmin, obj: Any, given: Any) -> ShownField:
    """Return a field, or what a function makes, as a page shows it (Any: of the model)."""
    column = make_column(admin, given, option="readonly_fields").for_visit(visit, admin)
    field = describe(admin.model).get(column.name)
    link = None if field is None else field.extra.get("relation")
    if link is not None:
        markup = _related(visit, admin, getattr(obj, column.name))
    elif field is not None and field.type is str and not field.choices:
        markup = Markup('<span class="text">{}</span>').format(getattr(obj, column.name) or admin.empty_value)
    elif field is not None and field.type in {dict, list}:
        markup = Markup("<code>{}</code>").format(text_of(getattr(obj, column.name)))
    else:
        markup = column.cell(obj)
    return ShownField(column.name, column.label, markup, (field.help or "") if field is not None else "")


def _related(visit: Visit, admin: ModelAdmin, value: Any) -> Markup:
    if value is None or value == []:
        return Markup(Shown(empty=admin.empty_value)(None))  # noqa: S704 - escaped there
    many = value if isinstance(value, list) else [value]
    links = [related_link(visit, admin, one) for one in many[:_MOST_RELATED]]
    more = Markup(" …") if len(many) > _MOST_RELATED else Markup()
    return Markup(", ").join(links) + more


def related_link(visit: Visit, admin: ModelAdmin, obj: Model) -> Markup:
    """Return the label of an object with a link to its page; where the user may not see it, its key alone."""
    target = admin.site.find_for(type(obj))
    label = related_label(visit, admin.site.admin_for(type(obj)), obj)
    if target is None or not visit.may(target, "view"):
        return escape(label)
    return Markup('<a href="{}">{}</a>').format(visit.url(target.slug, text_key(obj)), label)


def show_fields(visit: Visit, admin: ModelAdmin, obj: Any) -> list[tuple[Fieldset, list[ShownField]]]:
    """Return all that a page shows of an object that the user may not change (Any: of the model)."""
    found = []
    for fieldset in fieldsets_of(admin, visit.user, obj):
        names: list[str] = []
        for name in fieldset.names:
            names += [name] if isinstance(name, str) else name
        found.append((fieldset, [show_field(visit, admin, obj, name) for name in names if name not in admin.exclude]))
    return found
