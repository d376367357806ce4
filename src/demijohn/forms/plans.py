"""What a form is made of, decided once at start-up.

Its fields and rows, checked against its class or model.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from demijohn._lib.text import did_you_mean, listing
from demijohn.app.signatures import name_of
from demijohn.forms.faults import FormMistake
from demijohn.forms.fields import FormField
from demijohn.forms.rows import Rows
from demijohn.forms.widgets import Widget
from demijohn.schema import Field, Records, fields_of, has_records, records_of

__all__ = ["FormPlan", "RowsPlan", "plan_fields", "plan_form"]

Queries = Mapping[str, Callable[[], Any]]


class FormPlan:
    """The fields of a form and its rows, prepared."""

    __slots__ = ("fields", "records", "rows", "takes_files", "target")

    def __init__(self, target: Any, fields: dict[str, FormField], *, rows: "Mapping[str, RowsPlan]") -> None:
        self.target = target
        self.records: Records[Any] | None = records_of(target) if has_records(target) else None
        self.fields = fields
        self.rows = rows
        self.takes_files: bool = any(field.widget.takes_file for field in fields.values()) or any(
            plan.form.takes_files for plan in rows.values()
        )


class RowsPlan:
    """The rows of a child model within the form of its parent, prepared."""

    __slots__ = ("back", "form", "name", "options", "records")

    def __init__(self, name: str, options: Rows, form: FormPlan, back: str, records: Records[Any]) -> None:
        self.name = name
        self.options = options
        self.form = form
        self.back = back
        self.records = records


def plan_form(
    target: Any,
    names: Iterable[str] | None,
    *,
    where: str,
    widgets: Mapping[str, Widget],
    queries: Queries,
    rows: "Mapping[str, Rows]",
) -> FormPlan:
    """Return the plan of a form (Any: a class with fields, or a model).

    Raises:
        FormMistake: DJN-900, a model without a list of fields; DJN-901, a field that there is not; DJN-902, one that no
            client may set; DJN-903, rows of what is no list of children.
    """
    fields = plan_fields(target, names, where=where, widgets=widgets, queries=queries)
    planned = {name: _plan_rows(target, name, options, where=where) for name, options in rows.items()}
    return FormPlan(target, fields, rows=planned)


def plan_fields(
    target: Any, names: Iterable[str] | None, *, where: str, widgets: Mapping[str, Widget], queries: Queries
) -> dict[str, FormField]:
    """Return the fields that a form shows, in their order.

    Any: a class with fields, or a model.

    Raises:
        FormMistake: As `plan_form`.
    """
    described: Mapping[str, Field] = fields_of(target)
    is_model = has_records(target)
    if names is None:
        if is_model:
            raise _no_list(target, described, where)
        names = [name for name, field in described.items() if not field.readonly and not field.private]
    listed = list(names)
    relations = records_of(target).relations if is_model else {}
    for name in (*listed, *widgets, *queries):
        _check_name(target, name, described, where, listed)
    for name in listed:
        _check_access(target, name, described[name], where)
        if name in relations and not relations[name].writable:
            raise FormMistake(
                f"{where} lists {name!r}, which is the other half of a relation.",
                why=f"{name_of(relations[name].target)} holds the key, so it cannot be chosen here.",
                fix=f'Let its rows be written in the same form:  Rows("{name}", ...)',
                code="DJN-902",
            )
    return {
        name: FormField(
            name, described[name], relation=relations.get(name), widget=widgets.get(name), query=queries.get(name)
        )
        for name in listed
    }


def _no_list(target: Any, described: Mapping[str, Field], where: str) -> FormMistake:
    shown = [
        name
        for name, field in described.items()
        if not field.readonly and not field.private and name != "id" and "key_of" not in field.extra
    ]
    return FormMistake(
        f"{where} is a form of {name_of(target)}, and nothing says which fields it shows.",
        why="What a form shows a client may set: every column, those of the admin included.",
        fix=f"form: Annotated[ModelForm[{name_of(target)}], Fields({', '.join(map(repr, shown[:4]))})]".replace(
            "'", '"'
        ),
    )


def _check_name(target: Any, name: str, described: Mapping[str, Field], where: str, listed: list[str]) -> None:
    if name not in described:
        raise FormMistake(
            f"{where} names {name!r}, and {name_of(target)} has no such field.{did_you_mean(name, described)}",
            why=f"Its fields are {listing(described, last='and')}.",
            fix="Name fields that there are.",
            code="DJN-901",
        )
    if name not in listed:
        raise FormMistake(
            f"{where} has a widget or a query for {name!r}, which it does not show.",
            why=f"It shows {listing(listed, last='and')}.",
            fix=f"Add {name!r} to its fields, or take the widget away.",
            code="DJN-901",
        )


def _check_access(target: Any, name: str, field: Field, where: str) -> None:
    owner = field.extra.get("key_of")
    if owner:
        raise FormMistake(
            f"{where} lists {name!r}, the key column of {owner!r}.",
            why="A number would be typed where a record is to be chosen.",
            fix=f"Write {owner!r} in its place.",
            code="DJN-902",
        )
    if field.readonly or field.private:
        kind = "readonly" if field.readonly else "private"
        raise FormMistake(
            f"{where} lists {name!r}, which is {kind}.",
            why=f"{name_of(target)}.{name} is {kind}: no client may write it.",
            fix=f"Take it out of the list, and set it in the handler:  await form.save_if_valid({name}=...)",
            code="DJN-902",
        )


def _plan_rows(target: Any, name: str, options: Rows, *, where: str) -> RowsPlan:
    relations = records_of(target).relations if has_records(target) else {}
    relation = relations.get(name)
    if relation is None or relation.kind != "has_many" or relation.back is None:
        near = did_you_mean(name, [one.name for one in relations.values() if one.kind == "has_many"])
        raise FormMistake(
            f"{where} has rows {name!r}, and {name_of(target)} has no such list of children.{near}",
            why="Rows are records of another model that point to this one, by a `belongs_to` that is declared there.",
            fix=f'{name}: Mapped[list["Child"]] = has_many(back="parent")',
            code="DJN-903",
        )
    inside = f"Rows({name!r}) of {where}"
    fields = plan_fields(
        relation.target, options.fields, where=inside, widgets=options.widgets, queries=options.queries
    )
    if relation.back in fields or not fields:
        raise FormMistake(
            f"{inside} shows {'no fields' if not fields else repr(relation.back)}.",
            why="A row belongs to the record of its form; what it shows are its other fields.",
            fix=f'Rows("{name}", "title")',
            code="DJN-903",
        )
    form = FormPlan(relation.target, fields, rows={})
    return RowsPlan(name, options, form, relation.back, records_of(relation.target))
