"""What the models say that the database does not: Alembic's comparison, with its gaps closed.

CHECKs and server defaults are compared by hashes of what the models said (`History.texts`), because every server prints
them in a form of its own. Tables that no migration of this app made are not looked at.
"""

from collections.abc import Collection, Iterable
from typing import Any, cast

from alembic.autogenerate.api import produce_migrations
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    DefaultClause,
    Enum,
    Identity,
    MetaData,
    String,
    Table,
    inspect,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql import column as named
from sqlalchemy.sql.elements import conv

from demijohn.migrations.changes import Changes
from demijohn.migrations.history import History, digest
from demijohn.migrations.journal import STEPS
from demijohn.migrations.naming import Renamed

__all__ = ["compare", "own_tables", "table_of", "texts_of"]

_INTERNAL = {"alembic_version", STEPS.name}


def own_tables(metadatas: Iterable[MetaData], alias: str) -> dict[str, Table]:
    """Return the tables that models of this database have, by name, parents first.

    They are copies, whose types say what a table is and nothing of the models: an enumeration that is stored as text is
    a String with a CHECK.
    """
    found: dict[str, Table] = {}
    for metadata in metadatas:
        plain = MetaData(naming_convention=metadata.naming_convention)
        for table in metadata.sorted_tables:
            if table.info.get("database", "default") == alias and not table.info.get("unmanaged"):
                copy = table.to_metadata(plain)
                copy.info.clear()
                _make_plain(copy)
        found |= {table.key: table for table in plain.sorted_tables}
    return found


def _make_plain(table: Table) -> None:
    for column in table.columns:
        kind = column.type
        if not isinstance(kind, Enum) or kind.native_enum:
            continue
        for check in [one for one in table.constraints if isinstance(one, CheckConstraint) and one._type_bound]:
            if any(one is column for one in check.columns):
                table.constraints.remove(check)
                # the conv keeps the naming convention from being put before it again
                table.append_constraint(
                    CheckConstraint(named(column.name).in_(kind.enums), name=conv(f"ck_{table.name}_{column.name}"))
                )
        column.type = String(kind.length)


def texts_of(tables: Iterable[Table]) -> dict[str, str]:
    """Return the hashed texts of models: that a table is owned, server defaults, checks."""
    found: dict[str, str] = {}
    for table in tables:
        found[table.key] = ""
        for column in table.columns:
            default = default_text(column)
            if default is not None:
                found[f"{table.key}.{column.name} default"] = digest(default)
        for check in checks_of(table):
            found[f"{table.key} {check.name}"] = digest(str(check.sqltext.compile(compile_kwargs=_LITERAL)))
    return found


_LITERAL = {"literal_binds": True}


def default_text(column: Column[Any]) -> str | None:
    """Return the SQL of a server default, or None."""
    default = column.server_default
    if not isinstance(default, DefaultClause) or isinstance(default, Computed | Identity):
        return None
    return default.arg if isinstance(default.arg, str) else str(default.arg.compile(compile_kwargs=_LITERAL))


def checks_of(table: Table) -> list[CheckConstraint]:
    """Return the CHECK constraints of a table: its own, and those of enumerations that are stored as text."""
    found = [one for one in table.constraints if isinstance(one, CheckConstraint) and one.name]
    return sorted(found, key=lambda one: str(one.name))


def compare(
    connection: Connection,
    tables: dict[str, Table],
    history: History,
    *,
    renamed: Renamed | None = None,
    fresh: bool = False,
    apart: Collection[str] = (),
) -> Changes:
    """Return what a new migration has to do.

    Args:
        connection: To a database that has all migrations.
        tables: From `own_tables`.
        history: The migrations so far.
        renamed: What was renamed, as declared or answered.
        fresh: As if the database had nothing: what makes all of it.
        apart: Tables that are not looked at.
    """
    known = {} if fresh else history.texts()
    owned = {key for key in known if " " not in key}

    def include(thing: SchemaItem, name: str | None, kind: str, reflected: bool, other: SchemaItem | None) -> bool:
        if kind == "table":
            key = thing.key if isinstance(thing, Table) else name
            return key not in _INTERNAL and key not in apart and (key in tables or (reflected and key in owned))
        return True

    context = MigrationContext.configure(
        connection,
        opts={
            "include_object": include,
            "include_name": lambda name, kind, parents: not (fresh and kind == "table"),
            "compare_type": _types_differ,
            "compare_server_default": False,
            "render_as_batch": connection.dialect.name == "sqlite",
        },
    )
    metadatas = list(dict.fromkeys(table.metadata for table in tables.values()))
    script = produce_migrations(context, cast("MetaData", metadatas or [MetaData()]))  # it takes lists too
    found = list(script.upgrade_ops.ops) if script.upgrade_ops is not None else []
    changes = Changes(context, found, {})
    if renamed is not None:
        renamed.apply(changes)
        known = renamed.texts(known)
    tables = {key: table for key, table in tables.items() if key not in apart}
    _add_texts(connection, changes, tables, known)
    if connection.dialect.name == "postgresql" and not fresh:
        _add_enums(connection, changes, tables)
    old = {} if fresh else history.texts()
    new = texts_of(tables.values())
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key) and table_of(key) not in apart:
            changes.texts[key] = new.get(key)
    return changes


def table_of(key: str) -> str:
    """Return the table that a key of `History.texts` is about."""
    return key.removesuffix(" default").rpartition(".")[0] if key.endswith(" default") else key.partition(" ")[0]


def _types_differ(
    context: MigrationContext, found: Column[Any], wanted: Column[Any], found_type: Any, wanted_type: Any
) -> bool | None:
    dialect = context.dialect
    there = _plain(found_type.compile(dialect=dialect))
    asked = _plain(wanted_type.dialect_impl(dialect).compile(dialect=dialect))
    if there == asked:
        return False
    if dialect.name in {"mysql", "mariadb"}:
        same = {("LONGTEXT", "JSON"), ("TINYINT(1)", "BOOL"), ("TINYINT", "BOOL")}
        if (there, asked) in same:
            return False
    if dialect.name == "sqlite":
        return there.partition("(")[0] != asked.partition("(")[0] or _size(there) != _size(asked)
    return None


def _plain(sql: str) -> str:
    """Cut what does not matter from the SQL of a type: width of integers, character set, case."""
    words = sql.upper().replace('"', "")
    for name in ("BIGINT", "INTEGER", "SMALLINT", "INT"):
        if words.startswith(f"{name}("):
            words = name + words.partition(")")[2]
    words = words.partition(" CHARACTER SET")[0].partition(" COLLATE")[0]
    words = words.replace("TINYINT(1)", "BOOL").replace("BOOLEAN", "BOOL").replace(", ", ",")
    return {"INT": "INTEGER"}.get(words, words)


def _size(sql: str) -> str:
    return sql.partition("(")[2]


def _add_texts(connection: Connection, changes: Changes, tables: dict[str, Table], known: dict[str, str]) -> None:
    """Add what Alembic does not compare, or compares by a server's print: CHECKs and server defaults."""
    inspector = inspect(connection)
    existing = set(inspector.get_table_names())
    for table in tables.values():
        source = next((key for key in (table.key,) if key in known), None)
        if source is None or table.name not in existing:
            continue
        now = texts_of([table])
        steps: list[ops.MigrateOperation] = []
        checks = {f"{table.key} {one.name}": one for one in checks_of(table)}
        prefix = f"{table.key} "
        for key in [one for one in known if one.startswith(prefix)]:
            if now.get(key) != known[key]:
                name = key.removeprefix(prefix)
                old = next(
                    (one for one in inspector.get_check_constraints(table.name, table.schema) if one["name"] == name),
                    None,
                )
                if old is not None:
                    back = ops.CreateCheckConstraintOp(conv(name), table.name, old["sqltext"], schema=table.schema)
                    steps.append(
                        ops.DropConstraintOp(conv(name), table.name, "check", schema=table.schema, _reverse=back)
                    )
        for key, check in checks.items():
            if known.get(key) != now[key]:
                steps.append(_create_check(check, table))
        there = {one["name"]: one for one in inspector.get_columns(table.name, schema=table.schema)}
        for column in table.columns:
            key = f"{table.key}.{column.name} default"
            if column.name not in there or known.get(key) == now.get(key):
                continue
            printed = there[column.name]["default"]
            steps.append(
                ops.AlterColumnOp(
                    table.name,
                    column.name,
                    schema=table.schema,
                    existing_type=column.type,
                    existing_nullable=bool(there[column.name]["nullable"]),
                    existing_server_default=text(printed) if printed is not None else None,
                    modify_server_default=column.server_default,
                )
            )
        if steps:
            _into(changes, table, steps)


def _create_check(check: CheckConstraint, table: Table) -> ops.CreateCheckConstraintOp:
    return ops.CreateCheckConstraintOp(conv(str(check.name)), table.name, check.sqltext, schema=table.schema)


def _into(changes: Changes, table: Table, steps: list[ops.MigrateOperation]) -> None:
    for one in reversed(changes.operations):
        if isinstance(one, ops.ModifyTableOps) and one.table_name == table.name and one.schema == table.schema:
            # a constraint that goes stands first, so that a column that it names may go too
            drops = [step for step in steps if isinstance(step, ops.DropConstraintOp)]
            one.ops[:] = [*drops, *one.ops, *(step for step in steps if step not in drops)]
            return
    changes.operations.append(ops.ModifyTableOps(table.name, steps, schema=table.schema))


def _add_enums(connection: Connection, changes: Changes, tables: dict[str, Table]) -> None:
    """Compare the values of PostgreSQL's own enumerations, and add or recreate."""
    inspector = inspect(connection)
    if not isinstance(inspector, postgresql.base.PGInspector):
        return
    there = {one["name"]: list(one["labels"]) for one in inspector.get_enums()}
    wanted: dict[str, tuple[list[str], list[Column[Any]]]] = {}
    for table in tables.values():
        for column in table.columns:
            if isinstance(column.type, Enum) and column.type.native_enum and column.type.name in there:
                wanted.setdefault(column.type.name, (list(column.type.enums), []))[1].append(column)
    for name, (values, columns) in wanted.items():
        old = there[name]
        if old == values:
            continue
        if [value for value in values if value in old] == old:
            for position, value in enumerate(values):
                if value not in old:
                    place = f" AFTER {_literal(values[position - 1])}" if position else f" BEFORE {_literal(old[0])}"
                    changes.before.append(f"ALTER TYPE {_name(name)} ADD VALUE IF NOT EXISTS {_literal(value)}{place}")
        else:
            changes.after += _recreate(name, values, columns)


def _recreate(name: str, values: list[str], columns: list[Column[Any]]) -> list[str]:
    old = f"{name}_old"
    lines = [
        f"ALTER TYPE {_name(name)} RENAME TO {_name(old)}",
        f"CREATE TYPE {_name(name)} AS ENUM ({', '.join(map(_literal, values))})",
    ]
    for column in columns:
        default = default_text(column)
        table = f"ALTER TABLE {_name(column.table.name)} ALTER COLUMN {_name(column.name)}"
        if default is not None:
            lines.append(f"{table} DROP DEFAULT")
        lines.append(f"{table} TYPE {_name(name)} USING {_name(column.name)}::text::{_name(name)}")
        if default is not None:
            lines.append(f"{table} SET DEFAULT {_literal(default.strip(chr(39)))}")
    return [*lines, f"DROP TYPE {_name(old)}"]


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return postgresql.dialect().identifier_preparer.quote(value)  # type: ignore[no-untyped-call]
