"""Writing many rows at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import delete, insert, select, text, tuple_, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError

from demijohn.db.building import Building
from demijohn.db.checking import check_rows, check_types, is_expression, unchecked
from demijohn.db.declarative import Declarative
from demijohn.db.faults import QueryError
from demijohn.db.naming import attribute_of
from demijohn.db.units import Unit, current_scope, work
from demijohn.db.violations import refused_value, translate

__all__ = ["bulk_create", "bulk_update", "delete_rows", "update_rows", "upsert"]

M = TypeVar("M", bound=Declarative)
_CHUNK = 1000
T = TypeVar("T")


def _told(unit: Unit, model: type[Declarative], function: Callable[..., T], *arguments: Any) -> T:
    """Run a statement, and tell what the database refuses as errors of fields."""
    try:
        return function(unit, model, *arguments)
    except IntegrityError as error:
        raise translate(error, unit.session, model=model) from error
    except DBAPIError as error:
        refused = refused_value(error)
        if refused is None:
            raise
        raise refused from error


def _check_names(model: type[Declarative], rows: Sequence[Mapping[str, Any]], *, are_alike: bool = False) -> None:
    """Refuse names that are no columns; rows of one call usually have the same names, so each set is looked at once."""
    seen: set[tuple[str, ...]] = set()
    columns = model.__mapper__.column_attrs
    for row in rows[:1] if are_alike else rows:
        names = tuple(row)
        if names not in seen:
            seen.add(names)
            for name in names:
                if name not in columns:
                    attribute_of(model, name)
                    raise QueryError(
                        f"{model.__name__}.{name} is a relation, and rows take columns.",
                        why="Bulk statements write one table.",
                        fix=f"Give its key: {name}_id=...",
                    )


async def bulk_create(model: type[M], rows: Sequence[Any], ignore_conflicts: bool, validate: bool) -> Any:
    """Insert many rows: objects or mappings."""
    if not rows:
        return []
    unit = current_scope().unit_for(model)
    if isinstance(rows[0], Mapping):
        are_alike = _are_alike(rows)
        _check_names(model, rows, are_alike=are_alike)
        if validate:
            check_rows(model, rows, complete=True)
        else:
            check_types(model, rows, are_alike=are_alike)
        groups = [list(rows)] if are_alike else _alike(rows)
        return await work(unit.scope, _told, unit, model, _insert, groups, ignore_conflicts)
    if ignore_conflicts:
        raise QueryError(
            "bulk_create(ignore_conflicts=True) was given objects.",
            why="Rows that are left out get no key, and the objects would not know it.",
            fix="Give mappings: `bulk_create([{...}, {...}], ignore_conflicts=True)`.",
        )
    return await work(unit.scope, _add_all, unit, rows, validate)


def _add_all(unit: Unit, rows: Sequence[Any], validate: bool) -> list[Any]:

    session = unit.session
    session.add_all(rows)
    if validate:
        session.flush()
    else:
        with unchecked(session):
            session.flush()
    return list(rows)


def _insert(unit: Unit, model: type[Declarative], groups: list[list[dict[str, Any]]], ignore_conflicts: bool) -> int:
    count = 0
    unit.session.flush()
    for group in groups:
        if ignore_conflicts:
            statement = _insert_ignoring(unit, model)
        else:
            target: Any = model.__table__ if _is_one_table(model) else model
            statement = insert(target)
        result = unit.session.execute(statement, group)
        written = getattr(result, "rowcount", -1)
        count += written if ignore_conflicts and written >= 0 else len(group)
    if unit.database.backend == "postgresql":
        for group in groups:
            _advance(unit, model, group)
    return count


_ADVANCE = text(
    "select setval(seq, greatest(:highest, coalesce(pg_sequence_last_value(seq), 1))) "
    "from (select cast(pg_get_serial_sequence(:table, :column) as regclass) as seq) as it where seq is not null"
)


def _advance(unit: Unit, model: type[Declarative], rows: Sequence[Mapping[str, Any]]) -> None:
    """Let PostgreSQL count on behind keys that were given; the other servers do it by themselves."""
    table: Any = model.__table__
    column = table.autoincrement_column
    if column is None:
        return
    key = model.__mapper__.get_property_by_column(column).key
    if key not in rows[0]:  # rows of one group have the same names
        return
    given = [row[key] for row in rows if isinstance(row[key], int)]
    if given:
        name = unit.session.connection().dialect.identifier_preparer.format_table(table)
        unit.session.execute(_ADVANCE, {"highest": max(given), "table": name, "column": column.name})


def _alike(rows: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """Group rows that set the same fields: one statement sets the same for all of its rows."""
    if _are_alike(rows):
        return [list(rows)]  # type: ignore[arg-type]  # they are dicts
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(sorted(row)), []).append(dict(row))
    return list(groups.values())


def _are_alike(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether all rows are dicts with the same names in the same order."""
    return set(map(type, rows)) == {dict} and all(map(tuple(rows[0]).__eq__, map(tuple, rows)))


def _is_one_table(model: type[Declarative]) -> bool:
    """Return whether rows may go to the table of a model as they are, without the detour by its mapper."""
    mapper = model.__mapper__
    return (
        mapper.inherits is None
        and mapper.polymorphic_on is None
        and mapper.version_id_col is None
        and len(mapper.tables) == 1
        and all(attribute.key == attribute.columns[0].key for attribute in mapper.column_attrs)
    )


def _insert_ignoring(unit: Unit, model: type[Declarative]) -> Any:
    backend = unit.database.backend
    if backend == "postgresql":
        return postgresql.insert(model).on_conflict_do_nothing()
    if backend == "sqlite":
        return sqlite.insert(model).on_conflict_do_nothing()
    if backend in {"mysql", "mariadb"}:
        return insert(model).prefix_with("IGNORE")
    raise _unsupported(backend, "ignore_conflicts")


def _unsupported(backend: str, what: str) -> QueryError:
    return QueryError(
        f"{what} was asked for on {backend}.",
        why="SQLAlchemy writes no such statement for it.",
        fix="Use get_or_create or update_or_create.",
    )


async def upsert(
    model: type[M],
    rows: Sequence[Mapping[str, Any]] | Mapping[str, Any],
    on: Sequence[str],
    change: Sequence[str] | None,
) -> int:
    """Insert rows, or update those that are there."""
    many = [rows] if isinstance(rows, Mapping) else list(rows)
    if not many:
        return 0
    unit = current_scope().unit_for(model)
    _check_names(model, many)
    _check_names(model, [dict.fromkeys([*on, *(change or ())])])
    check_types(model, many)
    return await work(unit.scope, _told, unit, model, _upsert, many, list(on), change)


def _upsert(
    unit: Unit, model: type[Declarative], rows: list[Mapping[str, Any]], on: list[str], change: Sequence[str] | None
) -> int:
    backend = unit.database.backend
    mapper = model.__mapper__
    unit.session.flush()
    for group in _alike(rows):
        names = [name for name in group[0] if name not in on] if change is None else list(change)
        columns = [mapper.column_attrs[name].columns[0] for name in names]
        statement: Any
        if backend in {"postgresql", "sqlite"}:
            made = postgresql.insert(model) if backend == "postgresql" else sqlite.insert(model)
            keys = [mapper.column_attrs[name].columns[0] for name in on]
            values = {column.name: made.excluded[column.name] for column in columns}
            statement = (
                made.on_conflict_do_update(index_elements=keys, set_=values)
                if values
                else made.on_conflict_do_nothing(index_elements=keys)
            )
        elif backend in {"mysql", "mariadb"}:
            inserted = mysql.insert(model)
            values = {column.name: inserted.inserted[column.name] for column in columns}
            statement = inserted.on_duplicate_key_update(values) if values else insert(model).prefix_with("IGNORE")
        else:
            raise _unsupported(backend, "upsert")
        for start in range(0, len(group), _CHUNK):
            unit.session.execute(statement, group[start : start + _CHUNK])
    # Objects that are in the session may be out of date now.
    for instance in list(unit.session.identity_map.values()):
        if isinstance(instance, model):
            unit.session.expire(instance)
    return len(rows)


async def bulk_update(model: type[M], rows: Sequence[Any], validate: bool) -> int:
    """Update many rows by their keys."""
    if not rows:
        return 0
    unit = current_scope().unit_for(model)
    if isinstance(rows[0], Mapping):
        _check_names(model, rows)
        keys = {model.__mapper__.get_property_by_column(key).key for key in model.__mapper__.primary_key}
        for row in rows:
            if not keys <= row.keys():
                raise QueryError(
                    f"A row of bulk_update has no {', '.join(sorted(keys - row.keys()))}.",
                    why="Rows are found by their key.",
                    fix=f"{model.__name__}.bulk_update([{{'id': 1, ...}}])",
                )
        if validate:
            check_rows(model, rows)
        else:
            check_types(model, rows)
        await work(unit.scope, _told, unit, model, _update, rows)
        return len(rows)
    await work(unit.scope, _add_all, unit, rows, validate)
    return len(rows)


def _update(unit: Unit, model: type[Declarative], rows: Sequence[Mapping[str, Any]]) -> None:
    unit.session.flush()
    for group in _alike(rows):
        unit.session.execute(update(model), group)
    keys = [model.__mapper__.get_property_by_column(key).key for key in model.__mapper__.primary_key]
    for row in rows:
        identity = model.__mapper__.identity_key_from_primary_key(tuple(row[key] for key in keys))
        instance = unit.session.identity_map.get(identity)
        if instance is not None:
            unit.session.expire(instance, [name for name in row if name not in keys])


def _criteria(query: Building[Any]) -> Any:
    """Return what restricts an UPDATE or DELETE to the rows of a query."""
    if query._base is None and not query._has("limit", "offset", "distinct", "group_by", "join", "add_columns"):
        return [criterion for name, arguments, _ in query._parts if name == "where" for criterion in arguments]
    keys = list(query._model.__mapper__.primary_key)
    inner = query._without("options").statement.with_only_columns(*keys).subquery()
    chosen = select(
        *select(*inner.columns).subquery().columns
    )  # MySQL reads no table that it changes but through a table of its own
    return [keys[0].in_(chosen) if len(keys) == 1 else tuple_(*keys).in_(chosen)]


def update_rows(unit: Unit, query: Building[Any], values: Mapping[str, Any]) -> int:
    """Change all rows of a query; runs inside of a greenlet."""

    model = query._model
    if not values:
        raise QueryError(
            "update() was given no values.", why="There is nothing to change.", fix="update(published=True)"
        )
    plain = {name: value for name, value in values.items() if not is_expression(value)}
    settings: dict[str, Any] = {}
    for name, value in values.items():
        attribute = attribute_of(model, name)
        link = model.__mapper__.relationships.get(name)
        if link is None:
            settings[attribute.key] = value
            continue
        for local, remote in link.local_remote_pairs:
            key = model.__mapper__.get_property_by_column(local).key
            settings[key] = None if value is None else getattr(value, link.mapper.get_property_by_column(remote).key)
    check_rows(model, [{name: value for name, value in plain.items() if name not in model.__mapper__.relationships}])
    statement = update(model).where(*_criteria(query)).values(settings)
    return _told(unit, query._model, _changed, statement, _synchronizing(query))


def delete_rows(unit: Unit, query: Building[Any]) -> int:
    """Delete all rows of a query; runs inside of a greenlet."""
    statement = delete(query._model).where(*_criteria(query))
    return _told(unit, query._model, _changed, statement, _synchronizing(query))


def _changed(unit: Unit, model: type[Declarative], statement: Any, synchronize: str) -> int:
    result = unit.session.execute(statement, execution_options={"synchronize_session": synchronize})
    return int(getattr(result, "rowcount", 0))


def _synchronizing(query: Building[Any]) -> str:
    return "fetch" if query._has("limit", "offset", "distinct", "group_by", "join") else "auto"
