"""Records to choose: those that a relation offers, and those that were chosen."""

from typing import Any

from demijohn._lib.sentinels import MISSING
from demijohn.errors import FieldError
from demijohn.forms.fields import BoundField
from demijohn.schema import Choice, Records, field_error, records_of

__all__ = ["offer", "read_related"]


async def read_related(bound: BoundField, place: tuple[str, ...]) -> tuple[Any, list[FieldError]]:
    """Return the records that were chosen, and what is wrong with them.

    Any: a record, a list of them, or None.
    """
    relation = bound.spec.relation
    if relation is None:
        return MISSING, []
    records: Records[Any] = records_of(relation.target)
    query = bound.spec.query() if bound.spec.query is not None else None
    if relation.is_many:
        keys: list[str] = list(bound.raw or ())
        found = await records.find_many(keys, query=query)
        unknown = [key for key in keys if key not in found]
        errors = [field_error(place, "foreign_key", target=records.name)] if unknown else []
        if not found and not errors and (bound.spec.field.min_length or 0) > 0:
            errors = [field_error(place, "missing")]
        return [found[key] for key in keys if key in found], errors
    if bound.raw is None:
        return None, [field_error(place, "missing")] if relation.required else []
    record = await records.find(str(bound.raw), query=query)
    return record, [] if record is not None else [field_error(place, "foreign_key", target=records.name)]


async def offer(bound: BoundField) -> None:
    """Load the records that a relation offers, once, and find those that are chosen."""
    relation = bound.spec.relation
    if relation is None:
        return
    records: Records[Any] = records_of(relation.target)
    query = bound.spec.query() if bound.spec.query is not None else None
    if bound.offered is None:
        limit = getattr(bound.widget, "limit", 100)
        bound.offered = await records.choices(search=bound.search, limit=limit, query=query)
    chosen: list[Choice] = []
    if bound.form.is_filled_in:
        keys = bound.widget.show(bound.raw)
        wanted = [key for key in (keys if isinstance(keys, list) else [keys]) if key]
        if wanted:
            found = await records.find_many(wanted, query=query)
            chosen = [Choice(key, records.label_of(record)) for key, record in found.items()]
    elif bound.value is not MISSING and bound.value is not None:
        chosen = [
            Choice(records.key_of(record), records.label_of(record))
            for record in (bound.value if relation.is_many else [bound.value])
        ]
    bound.chosen = chosen
