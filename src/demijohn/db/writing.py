"""Writing single objects."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, object_session
from sqlalchemy.orm.attributes import set_committed_value

from demijohn.db.declarative import Declarative
from demijohn.db.faults import QueryError
from demijohn.db.loading import load_for
from demijohn.db.querysets import QuerySet
from demijohn.db.relations import links_of
from demijohn.db.units import Unit, UnitSession, current_scope, work
from demijohn.errors import Conflict, ValidationFailed

__all__ = ["delete", "get_or_create", "load", "reload", "revert", "save", "update_or_create"]

M = TypeVar("M", bound=Declarative)


def _unit_of(instance: Declarative) -> Unit:
    """Return the unit of work of an object, or the current one for an object that has none."""
    session = object_session(instance)
    scope = current_scope()
    unit = scope.unit_for(type(instance))
    if isinstance(session, UnitSession) and session is not unit.session:
        raise QueryError(
            f"{instance!r} belongs to another unit of work.",
            why="It was read in one that is still open, and one object cannot be written by two.",
            fix=f"Read it again here: `await {type(instance).__name__}.get(...)`.",
        )
    return unit


async def save(instance: M) -> M:
    """Write an object now."""
    unit = _unit_of(instance)
    await work(unit.scope, _save, unit, instance)
    if unit.waiting:
        await unit.tell()
    return instance


def _save(unit: Unit, instance: M) -> M:
    session = unit.session
    _readmit(instance)
    session.add(instance)
    try:
        session.flush()
    except (ValidationFailed, Conflict):
        _refuse(session, instance)
        raise
    return instance


_REFUSED = "__demijohn_refused__"


def _refuse(session: Session, instance: Declarative) -> None:
    """Take an object that was not accepted out of the session, so that the next flush does not write it.

    It keeps its values, to be shown and mended; what its relations had told the other side is taken back.
    """
    state = inspect(instance)
    names = []
    for link in links_of(type(instance)).values():
        value = instance.__dict__.get(link.name)
        if link.kind not in {"belongs_to", "many_to_many"} or not value:
            continue
        if state.persistent and link.name not in state.committed_state:
            continue
        many = link.kind == "many_to_many"
        kept = list(value) if many else value
        setattr(instance, link.name, [] if many else None)
        set_committed_value(instance, link.name, kept)
        names.append(link.name)
    if instance in session:
        session.expunge(instance)
    if names:
        vars(instance)[_REFUSED] = names


def _readmit(instance: Declarative) -> None:
    """Tell the other side of relations again, before a refused object is written once more."""
    for name in vars(instance).pop(_REFUSED, ()):
        value = instance.__dict__.get(name)
        many = isinstance(value, list)
        kept: Any = list(value) if isinstance(value, list) else value
        set_committed_value(instance, name, [] if many else None)
        setattr(instance, name, kept)


async def revert(instance: Declarative) -> None:
    """Bring an object that was refused back to what its row says, and into the session again."""
    unit = _unit_of(instance)

    def run() -> None:
        vars(instance).pop(_REFUSED, None)
        session = unit.session
        with session.no_autoflush:
            session.add(instance)
            session.expire(instance)
            session.refresh(instance)

    await work(unit.scope, run)


async def delete(instance: Declarative) -> None:
    """Delete the row of an object now."""
    unit = _unit_of(instance)
    await work(unit.scope, _delete, unit, instance)
    if unit.waiting:
        await unit.tell()


def _delete(unit: Unit, instance: Declarative) -> None:
    state = inspect(instance)
    if state.transient:
        raise QueryError(
            f"{instance!r} was never written.",
            why="There is no row to delete.",
            fix="Drop the object; nothing else is needed.",
        )
    if state.pending:
        unit.session.expunge(instance)
        return
    unit.session.delete(instance)
    unit.session.flush()


async def reload(instance: M, fields: Sequence[str]) -> M:
    """Read an object's row again."""
    unit = _unit_of(instance)

    def run() -> M:
        session = unit.session
        if instance not in session:
            session.add(instance)
        session.refresh(instance, fields or None)
        return instance

    return await work(unit.scope, run)


async def load(instance: M, relations: Sequence[Any]) -> M:
    """Load relations of an object and its siblings."""
    unit = _unit_of(instance)
    keys = [relation if isinstance(relation, str) else relation.key for relation in relations]
    for key in keys:
        if key not in type(instance).__mapper__.attrs:
            from demijohn.db.naming import attribute_of

            attribute_of(type(instance), key)
    await work(unit.scope, load_for, [instance], keys)
    return instance


async def get_or_create(model: type[M], defaults: Mapping[str, Any], lookup: Mapping[str, Any]) -> tuple[M, bool]:
    """Return the row with these values, or make it."""
    unit = current_scope().unit_for(model)
    found = await QuerySet(model).where(**lookup).one_or_none()
    if found is not None:
        return found, False
    return await work(unit.scope, _create_or_find, unit, model, {**lookup, **_called(defaults)}, lookup)


def _called(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value() if callable(value) else value for name, value in values.items()}


def _create_or_find(unit: Unit, model: type[M], values: dict[str, Any], lookup: Mapping[str, Any]) -> tuple[M, bool]:
    session = unit.session
    unit.begin()
    made = model(**values)
    savepoint = session.begin_nested()
    try:
        session.add(made)
        session.flush()
    except (IntegrityError, Conflict) as error:
        savepoint.rollback()
        # Somebody else was faster: the row is there now.
        found: M | None = session.execute(QuerySet(model).where(**lookup).statement).scalars().one_or_none()
        if found is None:
            raise error
        return found, False
    except BaseException:
        savepoint.rollback()
        raise
    savepoint.commit()
    return made, True


async def update_or_create(model: type[M], defaults: Mapping[str, Any], lookup: Mapping[str, Any]) -> tuple[M, bool]:
    """Set values on the row with these values, or make it."""
    unit = current_scope().unit_for(model)
    present = await QuerySet(model).where(**lookup).for_update().one_or_none()
    if present is None:
        found, made = await work(unit.scope, _create_or_find, unit, model, {**lookup, **_called(defaults)}, lookup)
        if made:
            return found, True
        present = found
    present.assign(_called(defaults))
    return await save(present), False
