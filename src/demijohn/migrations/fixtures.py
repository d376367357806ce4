"""Rows as JSON: `db dump` writes them, `db load` reads them, on any backend.

A file is a list of `{"table": "post", "fields": {"id": 1, "title": "Hello"}}`, parents before children.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Column, Integer, Table, and_, func, insert, select, text, update
from sqlalchemy.engine import Connection

from demijohn._lib.text import did_you_mean
from demijohn.db.storage import TypedJSON
from demijohn.migrations.faults import BadFixture

__all__ = ["dump", "load"]


def dump(connection: Connection, tables: Iterable[Table], *, only: Iterable[str] = ()) -> bytes:
    """Return the rows of tables as JSON, in the order of their keys.

    Args:
        connection: To the database.
        tables: The tables of the models, parents first.
        only: The names of those that are wanted; all otherwise.

    Raises:
        BadFixture: There is no such table.
    """
    known = {table.name: table for table in tables}
    wanted = _wanted(known, only)
    rows: list[dict[str, Any]] = []
    for table in wanted:
        columns = _stored(table)
        for row in connection.execute(select(*columns).order_by(*table.primary_key)):
            fields = {str(column.name): msgspec.to_builtins(value) for column, value in zip(columns, row, strict=True)}
            rows.append({"table": str(table.name), "fields": fields})
    return msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n"


def load(connection: Connection, tables: Iterable[Table], content: bytes) -> int:
    """Write the rows of a file, new or over those with the same key; return how many.

    All of them are written, or none.

    Args:
        connection: To the database.
        tables: The tables of the models, parents first.
        content: The JSON.

    Raises:
        BadFixture: The file does not fit the models.
    """
    known = {table.name: table for table in tables}
    by_table: dict[str, list[dict[str, Any]]] = {}
    for entry in _entries(content):
        table = _find(known, str(entry.get("table")))
        by_table.setdefault(table.name, []).append(_values(table, entry.get("fields")))
    if connection.in_transaction():
        connection.rollback()
    with connection.begin():
        family = connection.dialect.name
        if family in {"mysql", "mariadb"}:
            connection.execute(text("set foreign_key_checks=0"))
        for name, table in known.items():
            if name in by_table:
                _write(connection, table, by_table[name])
                _advance(connection, table)
        if family in {"mysql", "mariadb"}:
            connection.execute(text("set foreign_key_checks=1"))
        elif family == "sqlite":
            _check_keys(connection)
    return sum(map(len, by_table.values()))


def _check_keys(connection: Connection) -> None:
    broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    if broken:
        raise BadFixture(
            f"{len(broken)} rows of the file point to rows that are not there; the first is in {broken[0][0]}, and "
            f"points to {broken[0][2]}.",
            why="Every foreign key has to find its row. Nothing was written.",
            fix="Add the missing rows to the file, or load the file that has them first.",
        )


def _wanted(known: Mapping[str, Table], only: Iterable[str]) -> list[Table]:
    names = list(only)
    for name in names:
        _find(known, name)
    return [table for name, table in known.items() if not names or name in names]


def _entries(content: bytes) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(content, type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFixture(
            f"The file cannot be read: {error}.",
            why="A fixture is a JSON list of rows.",
            fix='[{"table": "post", "fields": {"id": 1, "title": "Hello"}}]',
        ) from None


def _find(known: Mapping[str, Table], name: str) -> Table:
    if name not in known:
        raise BadFixture(
            f"There is no table {name!r}.{did_you_mean(name, known)}",
            why=f"The models have {', '.join(sorted(known)) or 'none'}.",
            fix="Correct the name.",
        )
    return known[name]


def _values(table: Table, fields: Any) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise BadFixture(
            f"A row of {table.name} has no `fields`.",
            why="They hold its values by the names of the columns.",
            fix=f'{{"table": "{table.name}", "fields": {{"id": 1}}}}',
        )
    columns = {column.name: column for column in _stored(table)}
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in columns:
            raise BadFixture(
                f"The table {table.name} has no column {name!r}.{did_you_mean(name, columns)}",
                why=f"It has {', '.join(columns)}.",
                fix="Correct the name.",
            )
        try:
            values[name] = None if value is None else msgspec.convert(value, _python(columns[name]), strict=False)
        except (msgspec.ValidationError, ValueError) as error:
            raise BadFixture(
                f"{table.name}.{name} cannot be {str(value)[:80]!r}: {error}.",
                why="The value is of another kind than the column.",
                fix="Correct the value.",
            ) from None
    return values


def _python(column: Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, TypedJSON):
        return kind.tp
    try:
        found = kind.python_type
    except NotImplementedError:
        return Any
    return Any if found in {object, dict, list} else found


def _stored(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if column.computed is None]


def _write(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    keys = list(table.primary_key)
    for row in rows:
        has_key = bool(keys) and all(row.get(key.name) is not None for key in keys)
        rest = {name: value for name, value in row.items() if name not in {key.name for key in keys}}
        if has_key:
            place = and_(*(key == row[key.name] for key in keys))
            if connection.execute(select(func.count()).select_from(table).where(place)).scalar_one():
                if rest:
                    connection.execute(update(table).where(place).values(rest))
                continue
        connection.execute(insert(table).values(row))


def _advance(connection: Connection, table: Table) -> None:
    """Have PostgreSQL count on behind the keys that were written."""
    keys = list(table.primary_key)
    if connection.dialect.name != "postgresql" or len(keys) != 1 or not isinstance(keys[0].type, Integer):
        return
    name = connection.dialect.identifier_preparer.format_table(table)
    sequence = connection.execute(
        text("select pg_get_serial_sequence(:table, :column)"), {"table": name, "column": keys[0].name}
    ).scalar()
    highest = connection.execute(select(func.max(keys[0]))).scalar()
    if sequence and highest:
        connection.execute(
            text("select setval(cast(:sequence as regclass), :value)"), {"sequence": sequence, "value": highest}
        )
