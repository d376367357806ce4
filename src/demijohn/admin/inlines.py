"""Inlines: objects that belong to another one and are changed on its page."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from demijohn.admin.finding import existing, visit_of
from demijohn.admin.options import ModelAdmin, fixed_names
from demijohn.admin.showing import default_fields
from demijohn.app import current
from demijohn.db import Model
from demijohn.errors import ConfigurationError
from demijohn.forms import Rows, Widget
from demijohn.schema import records_of

__all__ = ["Inline", "InlineRows", "StackedInline", "TabularInline", "fields_of", "relation_of", "rows_for"]


class Inline:
    """Objects of another model that point to the one of a page, as rows of its form.

    Attributes:
        model: Their model.
        relation: The name of the relation from the page's model to them, where it has several to that model.
        fields: The fields that each row has; all that can be set otherwise.
        extra: Empty rows to begin with.
        min_num, max_num: How many there have to be, and may be.
        can_delete: Whether they can be deleted here.
        ordering: A field that holds their place: rows can be moved then.
        widgets: Controls for some of the fields.

    Example:
        class CommentInline(TabularInline):
            model = Comment
            fields = ["text"]
    """

    model: ClassVar[type[Model]]
    relation: ClassVar[str] = ""
    fields: ClassVar[Sequence[str] | None] = None
    extra: ClassVar[int] = 1
    min_num: ClassVar[int] = 0
    max_num: ClassVar[int] = 200
    can_delete: ClassVar[bool] = True
    ordering: ClassVar[str] = ""
    widgets: ClassVar[Mapping[str, Widget]] = {}
    look: ClassVar[str] = "stacked"


class StackedInline(Inline):
    """Rows whose fields stand below each other."""


class TabularInline(Inline):
    """Rows whose fields stand side by side, as in a table."""

    look = "tabular"


def relation_of(admin: ModelAdmin, inline: type[Inline]) -> str:
    """Return the relation that leads from a model to the objects of an inline.

    Raises:
        ConfigurationError: There is none, or more than one (`DJN-951`).
    """
    relations = records_of(admin.model).relations
    found = [
        name
        for name, relation in relations.items()
        if relation.kind == "has_many" and relation.back and issubclass(relation.target, inline.model)
    ]
    if inline.relation:
        found = [name for name in found if name == inline.relation]
    if len(found) == 1:
        return found[0]
    raise ConfigurationError(
        f"{type(admin).__name__}.inlines of {admin.model.__name__} has {inline.__name__}, and {len(found)} relations "
        f"lead to {inline.model.__name__}.",
        why="Its rows are the other half of one `belongs_to`.",
        fix=f'{inline.model.__name__}: belongs_to(back="...")' if not found else f'relation = "{found[0]}"',
        code="DJN-951",
    )


def fields_of(admin: ModelAdmin, inline: type[Inline]) -> tuple[str, ...]:
    """Return the fields that the rows of an inline have, for somebody who may set all of them."""
    if inline.fields is not None:
        return tuple(inline.fields)
    target = admin.site.admin_for(inline.model)
    back = records_of(admin.model).relations[relation_of(admin, inline)].back
    described = records_of(inline.model).fields
    return tuple(
        one for one in default_fields(target) if one not in {back, inline.ordering} and not described[one].readonly
    )


class InlineRows(Rows):
    """The rows of those objects that exist for whoever asks, and that they may change.

    Users and objects are `Any`: of any class.
    """

    target: ModelAdmin

    async def known(self, children: Sequence[Any]) -> Sequence[Any]:
        """Return the objects that the user of this request may change, in each of the fields."""
        visit = visit_of(current.request)
        fields = set(self.fields)
        return [
            child
            for child in await existing(visit, self.target, children)
            if visit.may(self.target, "change", child) and not fields & fixed_names(self.target, visit.user, child)
        ]

    def may_delete(self, child: Any) -> bool:
        """Return whether the user of this request may delete an object."""
        visit = visit_of(current.request)
        return self.can_delete and visit.may(self.target, "delete", child)


def rows_for(
    admin: ModelAdmin, inline: type[Inline], fields: Sequence[str], *, can_delete: bool, queries: Any
) -> InlineRows:
    """Return the rows of a form that an inline means (Any: functions that return queries, by relation)."""
    made = InlineRows(
        relation_of(admin, inline),
        *fields,
        extra=inline.extra,
        minimum=inline.min_num,
        maximum=inline.max_num,
        order=inline.ordering,
        can_delete=inline.can_delete and can_delete,
        widgets={one: widget for one, widget in inline.widgets.items() if one in fields},
        queries={one: query for one, query in queries(inline.model).items() if one in fields},
    )
    made.target = admin.site.admin_for(inline.model)
    return made
