"""What goes when objects are deleted: the foreign keys are followed as the database will."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from demijohn._lib.translation import ngettext
from demijohn.admin.access import Visit
from demijohn.admin.database import have_keys
from demijohn.admin.finding import existing
from demijohn.admin.naming import humanize, key_names, key_of, label_of, pluralize, text_key, words_of
from demijohn.admin.options import ModelAdmin
from demijohn.db import Model
from demijohn.db.relations import links_of

__all__ = ["Consequence", "Preview", "preview_of"]

SHOWN = 8
_MOST_KEYS = 500
_DEEPEST = 8


class Consequence(NamedTuple):
    """What happens to the rows of one model: how many there are, and the first of them."""

    noun: str
    nouns: str
    relation: str
    number: int
    is_more: bool
    items: Sequence[tuple[str, str]]

    @property
    def label(self) -> str:
        """The number and the noun."""
        more = "+" if self.is_more else ""
        return ngettext("%(count)s %(noun)s", "%(count)s %(nouns)s", self.number, count=f"{self.number}{more}",
                        noun=self.noun, nouns=self.nouns)  # fmt: skip


class Preview:
    """What a delete would do.

    Attributes:
        goes: What is deleted along.
        emptied: What loses its link and stays.
        blocked: What stands in the way: rows that point here and must not be left alone.
        forbidden: Nouns of what would go along and the user may not delete.
    """

    def __init__(self) -> None:
        self.goes: list[Consequence] = []
        self.emptied: list[Consequence] = []
        self.blocked: list[Consequence] = []
        self.forbidden: list[str] = []

    @property
    def is_allowed(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.blocked and not self.forbidden


async def preview_of(visit: Visit, admin: ModelAdmin, objects: Sequence[Any]) -> Preview:
    """Return what happens when these objects are deleted (Any: of the model)."""
    preview = Preview()
    keys = [key_of(obj) for obj in objects[:_MOST_KEYS]]
    seen: dict[type[Model], set[tuple[Any, ...]]] = {admin.model: set(keys)}
    await _follow(visit, admin, admin.model, keys, preview, seen, _DEEPEST)
    return preview


def _pointing_at(model: type[Model]) -> list[Any]:
    found = []
    for mapper in model.registry.mappers:
        own = mapper.class_.__dict__.get("__links__", {})
        found += [link for link in own.values() if link.kind == "belongs_to" and issubclass(model, link.cls)]
    return sorted(found, key=lambda link: (link.owner.__name__, link.name))


def _fate(link: Any) -> str:
    chosen = link.options["on_delete"] or ("set null" if link.target.nullable else "restrict")
    return str(chosen)


async def _follow(
    visit: Visit,
    admin: ModelAdmin,
    model: type[Model],
    keys: list[tuple[Any, ...]],
    preview: Preview,
    seen: dict[type[Model], set[tuple[Any, ...]]],
    depth: int,
) -> None:
    for link in _pointing_at(model):
        owner: type[Model] = link.owner
        query = owner.query().where(have_keys([getattr(owner, name) for name in link.keys], keys))
        rows = await query.limit(_MOST_KEYS + 1).all()
        known = seen.setdefault(owner, set())
        rows = [row for row in rows if key_of(row) not in known]
        if not rows:
            continue
        target = admin.site.find_for(owner)
        fate = _fate(link)
        known_here = rows if target is None else await existing(visit, target, rows)
        consequence = _consequence(visit, link, rows, target, known_here)
        if fate in {"set null", "set default"}:
            preview.emptied.append(consequence)
            continue
        if fate in {"restrict", "no action"}:
            preview.blocked.append(consequence)
            continue
        preview.goes.append(consequence)
        if target is not None and target.noun not in preview.forbidden:
            # What does not exist for a user is not theirs to delete; superusers are told only.
            unknown = len(known_here) < len(rows) and not getattr(visit.user, "is_superuser", False)
            if unknown or not all(visit.may(target, "delete", row) for row in rows):
                preview.forbidden.append(target.noun)
        found = [key_of(row) for row in rows[:_MOST_KEYS]]
        known.update(found)
        if depth:
            await _follow(visit, admin, owner, found, preview, seen, depth - 1)
    for link in links_of(model).values():
        if link.kind == "many_to_many" and link.options["through"] is None and model is admin.model:
            target_model: type[Model] = link.cls
            if link.back is None and link.options.get("made"):
                continue
            count = await _linked(link, model, keys)
            if count:
                words = words_of(target_model.__name__)
                preview.emptied.append(Consequence(words, pluralize(words), humanize(link.name), count, False, ()))


async def _linked(link: Any, model: type[Model], keys: list[tuple[Any, ...]]) -> int:
    back = link.back
    target: type[Model] = link.cls
    if back is None:
        return 0
    wanted = have_keys([getattr(model, name) for name in key_names(model)], keys)
    return await target.query().where(getattr(target, back).any(wanted)).count()


def _consequence(
    visit: Visit, link: Any, rows: list[Any], target: ModelAdmin | None, known: Sequence[Any]
) -> Consequence:
    words = words_of(link.owner.__name__)
    visible = [row for row in known if target is None or visit.may(target, "view", row)]
    shown = [
        (label_of(row), visit.url(target.slug, text_key(row)) if target is not None else "") for row in visible[:SHOWN]
    ]
    return Consequence(
        target.noun if target is not None else words,
        target.nouns if target is not None else pluralize(words),
        link.field.replace(name=link.name).title,
        min(len(rows), _MOST_KEYS),
        len(rows) > _MOST_KEYS,
        shown,
    )
