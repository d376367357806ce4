"""What was done: snapshots of objects, the difference between two, and the entries that keep it."""

import difflib
import hashlib
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

from demijohn.admin.access import Visit
from demijohn.admin.columns import text_of
from demijohn.admin.models import LogEntry
from demijohn.admin.naming import label_of, text_key
from demijohn.admin.options import ModelAdmin
from demijohn.admin.showing import fieldsets_of
from demijohn.db.descriptions import describe
from demijohn.schema import records_of, to_json

__all__ = ["Change", "Snapshot", "changes_of", "entries_of", "hidden_names", "record", "snapshot", "version_of"]

LONGEST = 20_000
HIDDEN = "••••••"

Snapshot = Mapping[str, tuple[str, str]]
"""The label and the text of each field by its name; of a private field its digest."""


class Change(NamedTuple):
    """What became of one field: its label, the text before and after, and for long texts the lines that differ."""

    label: str
    old: str
    new: str
    lines: Sequence[tuple[str, str]]


def _fields(admin: ModelAdmin) -> list[tuple[str, Any]]:
    return [
        (name, field)
        for name, field in describe(admin.model).items()
        if "key_of" not in field.extra
        and (field.extra.get("relation") is None or field.extra["relation"].kind in {"belongs_to", "many_to_many"})
    ]


def snapshot(admin: ModelAdmin, obj: Any) -> Snapshot:
    """Return what an object holds, as texts (Any: of the model). Relations that are read load themselves."""
    found = {}
    for name, field in _fields(admin):
        value = getattr(obj, name)
        if field.private:
            text = "" if value in (None, "") else hashlib.blake2b(text_of(value).encode(), digest_size=8).hexdigest()
        else:
            text = text_of(
                sorted(value, key=label_of) if isinstance(value, list) and field.extra.get("relation") else value
            )
        found[name] = (str(field.title), text[:LONGEST])
    return found


def version_of(admin: ModelAdmin, obj: Any) -> str:
    """Return a digest of what an object holds, without what is private: a page carries it, and is out of date when it
    is another one (Any: of the model).
    """
    values: list[Any] = []
    for name, field in _fields(admin):
        if field.private:
            continue
        link = field.extra.get("relation")
        if link is None:
            values.append(getattr(obj, name))
        elif link.kind == "belongs_to":
            values.append([getattr(obj, key) for key in link.keys])
        else:
            values.append(sorted(text_key(one) for one in getattr(obj, name)))
    return hashlib.blake2b(to_json(values), digest_size=15).hexdigest()


def difference(admin: ModelAdmin, before: Snapshot, after: Snapshot) -> dict[str, list[str]]:
    """Return label, old and new text of each field that changed; of private ones only that they did."""
    private = {name for name, field in describe(admin.model).items() if field.private}
    found = {}
    for name, (label, new) in after.items():
        old = before.get(name, (label, ""))[1]
        if old != new:
            found[name] = (
                [label, HIDDEN if old else "", HIDDEN if new else ""] if name in private else [label, old, new]
            )
    return found


async def record(
    visit: Visit,
    admin: ModelAdmin,
    obj: Any,
    *,
    action: str,
    changes: Mapping[str, list[str]] | None = None,
    token: str = "",
) -> None:
    """Write an entry, in the transaction of what was done (Any: an object of the model).

    A token can be used once: who sends a form twice writes one object.
    """
    await LogEntry.create(
        user_key=visit.user_key,
        user_label=str(visit.user)[:200],
        action=action,
        model=admin.name[:100],
        object_key=text_key(obj)[:200],
        object_label=label_of(obj)[:200],
        changes=dict(changes or {}),
        token=token or None,
    )


async def entries_of(admin: ModelAdmin, obj: Any, *, limit: int = 100) -> list[LogEntry]:
    """Return what was done to an object, newest first (Any: of the model)."""
    return await LogEntry.where(model=admin.name, object_key=text_key(obj)).limit(limit).all()


def hidden_names(visit: Visit, admin: ModelAdmin, obj: Any) -> set[str]:
    """Return what a history does not tell a user of an object: what its page does not show them (Any: of the model).

    That are fields that nobody sees there, those that this user does not, and objects of a model that they may not see.
    """
    found = set(admin.exclude)
    if type(admin).fields_for is not ModelAdmin.fields_for or type(admin).fieldsets_for is not ModelAdmin.fieldsets_for:
        shown: set[str] = set()
        for fieldset in fieldsets_of(admin, visit.user, obj):
            for entry in fieldset.names:
                shown.update([entry] if isinstance(entry, str) else entry)
        found |= {name for name, _field in _fields(admin) if name not in shown}
    for name, relation in records_of(admin.model).relations.items():
        if not visit.may(admin.site.admin_for(relation.target), "view"):
            found.add(name)
    return found


def changes_of(entry: LogEntry, *, hidden: Container[str] = ()) -> list[Change]:
    """Return the changes of an entry as a page shows them."""
    found = []
    for name, (label, old, new) in entry.changes.items():
        if name in hidden:
            continue
        lines: list[tuple[str, str]] = []
        if "\n" in old or "\n" in new or len(old) > 120 or len(new) > 120:
            for line in difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1):
                if line.startswith(("---", "+++")):
                    continue
                kind = {"+": "ins", "-": "del", "@": "gap"}.get(line[:1], "same")
                lines.append((kind, "" if kind == "gap" else line[1:]))
        found.append(Change(label, old, new, lines))
    return found
