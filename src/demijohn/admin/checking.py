"""Options of forms, checked at the start; those of lists are checked where they are compiled."""

from demijohn._lib.text import did_you_mean
from demijohn.admin.columns import make_column
from demijohn.admin.editable import check_editable
from demijohn.admin.inlines import fields_of, rows_for
from demijohn.admin.options import ModelAdmin
from demijohn.db.descriptions import describe
from demijohn.schema import records_of

__all__ = ["check_options"]


def check_options(admin: ModelAdmin) -> None:
    """Look at every name in the options of a form.

    Raises:
        ConfigurationError: One of them names what is not there (`DJN-951`).
    """
    described = describe(admin.model)
    relations = records_of(admin.model).relations
    for option in ("exclude", "radio_fields", "autocomplete_fields"):
        for name in getattr(admin, option):
            if name not in described or (option == "autocomplete_fields" and name not in relations):
                kind = "relation" if option == "autocomplete_fields" else "field"
                raise admin.wrong(
                    option,
                    name,
                    why=f"The model has no {kind} of that name.{did_you_mean(name, described)}",
                    fix=f"Its fields are {', '.join(one for one, field in described.items() if not field.private)}.",
                )
    check_editable(admin)
    for given in admin.readonly_fields:
        make_column(admin, given, option="readonly_fields")
    for option, entries in _entries(admin):
        for entry in entries:
            for name in (entry,) if isinstance(entry, str) else entry:
                if name not in described or described[name].private:
                    make_column(admin, name, option=option)
    for name, sources in admin.prepopulated_fields.items():
        for one in (name, *sources):
            if one not in described:
                raise admin.wrong(
                    "prepopulated_fields",
                    one,
                    why="The model has no field of that name.",
                    fix='prepopulated_fields = {"slug": ["title"]}',
                )
    for inline in admin.inlines:
        rows_for(admin, inline, fields_of(admin, inline), can_delete=True, queries=lambda model: {})


def _entries(admin: ModelAdmin) -> list[tuple[str, list[str | tuple[str, ...]]]]:
    found: list[tuple[str, list[str | tuple[str, ...]]]] = [("fields", list(admin.fields or ()))]
    found += [("fieldsets", list(about.get("fields", ()))) for _title, about in admin.fieldsets or ()]
    return found
