"""Forms of objects: which fields a user may set, the form that has them, and saving with its history."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from demijohn.admin.access import Visit
from demijohn.admin.columns import text_of
from demijohn.admin.finding import existing, visit_of
from demijohn.admin.inlines import Inline, fields_of, relation_of, rows_for
from demijohn.admin.naming import bare_label, key_names, text_key
from demijohn.admin.options import ModelAdmin, fixed_names
from demijohn.admin.showing import Fieldset, ShownField, fieldsets_of, show_field
from demijohn.app import current
from demijohn.db import Model, QuerySet
from demijohn.db.descriptions import describe
from demijohn.forms import BaseForm, CheckBoxes, FormField, FormPlan, ModelForm, Radios, RelationSelect, Rows, Widget
from demijohn.schema import Choice, records_of

__all__ = ["Editor", "Group", "rows_seen"]

_SEARCHED_FROM = 50


class Group(NamedTuple):
    """A fieldset as the page shows it: lines of fields, each a control (Any: of the form) or what is only shown."""

    fieldset: Fieldset
    lines: Sequence[Sequence[Any]]
    has_errors: bool


class _Discreet(BaseForm):
    """Keeps from a form what a user may not see: relations offer keys in place of labels, and are not searched."""

    site: ClassVar[Any]

    async def offer_choices(self) -> None:
        """Load the records that relations offer, and take the labels away that are not to be seen."""
        visit = visit_of(current.request)
        hidden = [
            (bound, bound.spec.relation.target)
            for form in (self, *(row for rows in self.row_sets.values() for row in rows))
            for bound in form
            if bound.spec.relation is not None and not visit.sees(self.site.admin_for(bound.spec.relation.target))
        ]
        for bound, _target in hidden:
            bound.search = ""
        await super().offer_choices()
        for bound, target in hidden:
            if bound.offered is not None:
                bound.offered = bound.offered._replace(items=_bare(target, bound.offered.items))
            bound.chosen = _bare(target, bound.chosen)


def _bare(target: type[Any], choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Return choices without what their objects are called, in an order that does not tell it either."""
    return tuple(sorted(Choice(key, bare_label(target, key)) for key, _label in choices))


async def rows_seen(visit: Visit, admin: ModelAdmin, obj: Any) -> list[tuple[str, list[ShownField]]]:
    """Return the objects of the inlines that a user may see, by the heading of their model (Any: of the model)."""
    found = []
    for inline in admin.inlines:
        target = admin.site.admin_for(inline.model)
        if visit.may(target, "view"):
            loaded = await records_of(admin.model).load(obj, relation_of(admin, inline))
            children = [one for one in await existing(visit, target, loaded) if visit.may(target, "view", one)]
            found.append((target.heading, [show_field(visit, target, child, "__str__") for child in children[:50]]))
    return found


class Editor:
    """The form of one object, or of a new one, for one user.

    Objects are `Any`: of the model.
    """

    def __init__(self, visit: Visit, admin: ModelAdmin, obj: Any = None) -> None:
        self.visit = visit
        self.admin = admin
        self.obj = obj
        self.fieldsets = fieldsets_of(admin, visit.user, obj)
        self.readonly = self._readonly()
        self.names = self._names()
        self.inlines = [one for one in admin.inlines if self._may_edit(one)]
        cls, plan = self._form_class()
        self.form: ModelForm[Any] = cls(plan)

    def _offer(self, plan: FormPlan) -> None:
        """Let fields offer what the options say."""
        for name, field in plan.fields.items():
            given = self.admin.choices_for(name)
            if given is not None and field.relation is None:
                offered: Any = Literal[tuple(given)] if given else str
                tp = list[offered] if field.is_many else offered
                plan.fields[name] = FormField(
                    name, field.field.replace(type=tp), widget=CheckBoxes() if field.is_many else None
                )

    # -- what it has --------------------------------------------------------------------------------------------------

    def _flat(self) -> list[str]:
        found: list[str] = []
        for fieldset in self.fieldsets:
            for entry in fieldset.names:
                found += [entry] if isinstance(entry, str) else entry
        return found

    def _readonly(self) -> set[str]:
        fixed = fixed_names(self.admin, self.visit.user, self.obj)
        described = describe(self.admin.model)
        relations = records_of(self.admin.model).relations
        keys = set(key_names(self.admin.model))
        for name in self._flat():
            field = described.get(name)
            if field is None or field.readonly or (name in relations and not relations[name].writable):
                fixed.add(name)
            elif self.obj is not None and name in keys:
                fixed.add(name)  # an object keeps its key
        return fixed

    def _names(self) -> tuple[str, ...]:
        described = describe(self.admin.model)
        left_out = {*self.admin.exclude, *self.readonly}
        return tuple(
            name
            for name in dict.fromkeys(self._flat())
            if name not in left_out and name in described and not described[name].private
        )

    def _may_edit(self, inline: type[Inline]) -> bool:
        target = self.admin.site.admin_for(inline.model)
        may = self.visit.may(target, "change") and self.visit.may(target, "add")
        return may and bool(self._inline_fields(inline))

    def _inline_fields(self, inline: type[Inline]) -> tuple[str, ...]:
        """Return the fields of an inline that the user may set, in rows as on the objects' own pages."""
        fixed = fixed_names(self.admin.site.admin_for(inline.model), self.visit.user)
        return tuple(name for name in fields_of(self.admin, inline) if name not in fixed)

    def _form_class(self) -> tuple[type[ModelForm[Any]], FormPlan]:
        base = self.admin.form_for(self.visit.user, self.obj)
        deleting = tuple(self.visit.may(self.admin.site.admin_for(one.model), "delete") for one in self.inlines)
        fields = tuple(self._inline_fields(one) for one in self.inlines)
        key = (base, self.names, tuple(self.inlines), fields, deleting)
        made: dict[Any, tuple[type[ModelForm[Any]], FormPlan]] = self.admin.site.plan(self.admin).forms
        known = made.get(key)
        if known is None:
            rows = [
                rows_for(self.admin, one, names, can_delete=may, queries=self._queries_of)
                for one, names, may in zip(self.inlines, fields, deleting, strict=True)
            ]
            cls = self._make_class(base, rows)
            plan = cls.plan(where=f"{type(self.admin).__name__} of {self.admin.model.__name__}")
            self._offer(plan)
            known = made[key] = cls, plan
        return known

    def _make_class(self, base: type[ModelForm[Any]] | None, rows: Sequence[Rows]) -> type[ModelForm[Any]]:
        model: Any = self.admin.model
        parent: Any = base if base is not None else ModelForm[model]
        queries = {name: query for name, query in self._queries_of(model).items() if name in self.names}
        widgets = {name: widget for name, widget in self._widgets().items() if name in self.names}
        made: type[ModelForm[Any]] = type(parent)(
            f"{model.__name__}AdminForm",
            (_Discreet, parent),
            {"__module__": __name__, "site": self.admin.site},
            fields=self.names,
            queries={**queries, **{k: v for k, v in parent.own_queries.items() if k in self.names}},
            widgets={**widgets, **{k: v for k, v in parent.own_widgets.items() if k in self.names}},
            rows=rows,
        )
        return made

    def _queries_of(self, model: type[Model]) -> Mapping[str, Callable[[], QuerySet[Any]]]:
        """Return what may be chosen for each relation: the objects that exist for whoever asks."""
        site = self.admin.site

        def query_for(target: type[Model]) -> Callable[[], QuerySet[Any]]:
            def query() -> QuerySet[Any]:
                options = site.admin_for(target)
                return options.query(visit_of(current.request).user)

            return query

        return {name: query_for(one.target) for name, one in records_of(model).relations.items() if one.writable}

    def _widgets(self) -> dict[str, Widget]:
        found: dict[str, Widget] = {name: Radios() for name in self.admin.radio_fields}
        for name, relation in records_of(self.admin.model).relations.items():
            if relation.writable and not relation.is_many:
                limit = 0 if name in self.admin.autocomplete_fields else _SEARCHED_FROM
                found[name] = RelationSelect(limit=limit)
        return found

    # -- showing ------------------------------------------------------------------------------------------------------

    async def fill(self) -> None:
        """Show what the object holds, or what a new one begins with."""
        if self.obj is not None:
            await self.form.edit(self.obj)
            return
        self.form.fill(self.admin.initial(self.visit.request))
        await self.form.offer_choices()

    def groups(self) -> list[Group]:
        """Return the fieldsets with their controls and with what is only shown."""
        found = []
        for fieldset in self.fieldsets:
            lines = []
            bad = False
            for entry in fieldset.names:
                names = (entry,) if isinstance(entry, str) else entry
                line = [shown for name in names if (shown := self._control(name)) is not None]
                bad = bad or any(self.form[name].errors for name in names if name in self.form)
                if line:
                    lines.append(line)
            if lines:
                found.append(Group(fieldset, lines, bad))
        return found

    def _control(self, name: str) -> Any:
        if name in self.form:
            return self.form[name]
        if name in self.admin.exclude or self.obj is None:
            return None
        return show_field(self.visit, self.admin, self.obj, name)

    def shown_inlines(self) -> list[tuple[type[Inline], Any]]:
        """Return the inlines with their rows, in their order (Any: the rows of the form)."""
        return [(one, self.form.row_sets[relation_of(self.admin, one)]) for one in self.inlines]

    async def other_rows(self) -> list[tuple[str, list[ShownField]]]:
        """Return the objects of inlines that the user may see and not change, by the heading of their model."""
        found = []
        for inline in self.admin.inlines:
            target = self.admin.site.admin_for(inline.model)
            if self.obj is None or not self.visit.may(target, "view"):
                continue
            name = relation_of(self.admin, inline)
            loaded = await records_of(self.admin.model).load(self.obj, name)
            children = [
                one for one in await existing(self.visit, target, loaded) if self.visit.may(target, "view", one)
            ]
            if inline in self.inlines:
                changed_here = await self.form.row_sets[name].plan.options.known(loaded)
                children = [one for one in children if one not in changed_here]
                if not children:
                    continue
            fields = [show_field(self.visit, target, child, "__str__") for child in children[:50]]
            found.append((target.heading, fields))
        return found

    def related(self) -> dict[str, tuple[str, str]]:
        """Return where an object for a relation is added, and what it is called, by the field of the form."""
        found = {}
        site = self.admin.site
        for name, relation in records_of(self.admin.model).relations.items():
            target = site.find_for(relation.target) if name in self.form else None
            if target is not None and self.visit.may(target, "add"):
                found[name] = (self.visit.url(target.slug, "add"), target.noun)
        return found

    def prepopulated(self) -> dict[str, list[str]]:
        """Return the fields that follow others while one types, where both are in the form."""
        return {
            name: [one for one in sources if one in self.form]
            for name, sources in self.admin.prepopulated_fields.items()
            if name in self.form
        }

    # -- saving -------------------------------------------------------------------------------------------------------

    async def children(self) -> dict[str, tuple[str, str]]:
        """Return what the objects of the inlines hold, as texts by the name of their relation."""
        found: dict[str, tuple[str, str]] = {}
        if self.obj is None:
            return found
        records = records_of(self.admin.model)
        for _inline, rows in self.shown_inlines():
            children = await rows.plan.options.known(await records.load(self.obj, rows.name))
            fields = list(rows.plan.form.fields)
            lines = [
                f"{text_key(child)}: " + "; ".join(f"{name}={text_of(getattr(child, name))}" for name in fields)
                for child in children
            ]
            found[rows.name] = (str(rows.label), "\n".join(sorted(lines)))
        return found
