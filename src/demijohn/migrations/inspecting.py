"""`inspectdb`: models for the tables that a database has already."""

import keyword
import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Numeric, inspect
from sqlalchemy.engine import Connection, Inspector
from sqlalchemy.types import TypeEngine

from demijohn.db.declarative import table_name

__all__ = ["models_of"]

_INTERNAL = {"alembic_version", "demijohn_migration_step"}


def models_of(connection: Connection, *, only: Iterable[str] = ()) -> str:
    """Return a module of models for the tables of a database.

    Args:
        connection: To the database.
        only: These tables; all of them otherwise.
    """
    inspector = inspect(connection)
    wanted = set(only)
    tables = [name for name in inspector.get_table_names() if name not in _INTERNAL and (not wanted or name in wanted)]
    joins = {name for name in tables if _is_join(inspector, name)}
    classes = {name: _class_name(name) for name in tables if name not in joins}
    imports: set[str] = set()
    bodies = [_model(inspector, name, classes, joins, imports) for name in sorted(classes)]
    standard = sorted(
        one for one in imports if one.startswith("from") and "demijohn" not in one and "sqlalchemy" not in one
    )
    third = sorted(one for one in imports if "sqlalchemy" in one)
    names = sorted(
        {one.removeprefix("db:") for one in imports if one.startswith("db:")} | {"Mapped", "Model", "column"}
    )
    head = ['"""Models of the tables that were there; read them, and give the relations their names."""', ""]
    blocks = [block for block in (standard, third, [f"from demijohn.db import {', '.join(names)}"]) if block]
    for block in blocks:
        head += [*block, ""]
    return "\n".join(head) + "\n\n" + "\n\n\n".join(bodies) + "\n"


def _is_join(inspector: Inspector, table: str) -> bool:
    """Return whether a table only joins two others: its key is two foreign keys, and it has nothing else."""
    columns = {one["name"] for one in inspector.get_columns(table)}
    keys = inspector.get_foreign_keys(table)
    linked = {name for one in keys for name in one["constrained_columns"]}
    primary = set(inspector.get_pk_constraint(table)["constrained_columns"])
    usual = all(one["constrained_columns"] == [f"{one['referred_table']}_id"] for one in keys)
    return len(keys) == 2 and columns == linked == primary and usual


def _model(inspector: Inspector, table: str, classes: dict[str, str], joins: set[str], imports: set[str]) -> str:
    lines = [f"class {classes[table]}(Model):"]
    if table_name(classes[table]) != table:
        lines.append(f'    __tablename__ = "{table}"')
    primary = inspector.get_pk_constraint(table)["constrained_columns"]
    unique = {tuple(one["column_names"]) for one in inspector.get_unique_constraints(table)}
    indexed = {tuple(one["column_names"]): one for one in inspector.get_indexes(table)}
    links = {
        one["constrained_columns"][0]: one
        for one in inspector.get_foreign_keys(table)
        if len(one["constrained_columns"]) == 1 and one["referred_table"] in classes
    }
    if len(lines) > 1:
        lines.append("")
    used: set[str] = set()
    for found in inspector.get_columns(table):
        name = str(found["name"])
        if name in links and name not in primary:
            lines += _link(name, links[name], found, classes, used, imports)
            continue
        attribute = _attribute(name, used)
        annotation = _annotation(found["type"], imports)
        if found["nullable"] and name not in primary:
            annotation += " | None"
        options = _options(found, attribute, primary, imports)
        if (name,) in unique or ((name,) in indexed and indexed[name,].get("unique")):
            options.append("unique=True")
        elif (name,) in indexed:
            options.append("index=True")
        if name in links:
            target = links[name]
            imports.add("from sqlalchemy import ForeignKey")
            options.insert(0, f'ForeignKey("{target["referred_table"]}.{target["referred_columns"][0]}")')
            imports.add("from sqlalchemy.orm import mapped_column")
            options = [one for one in options if not one.startswith(("max_length", "text", "max_digits", "decimal"))]
            lines.append(f"    {attribute}: Mapped[{annotation}] = mapped_column({', '.join(options)})")
            continue
        usual = inspector.dialect.name == "sqlite" or "BIG" in str(found["type"]).upper()
        if (
            usual
            and attribute == "id"
            and primary == ["id"]
            and annotation == "int"
            and options == ["primary_key=True"]
        ):
            continue
        tail = f" = column({', '.join(options)})" if options else ""
        lines.append(f"    {attribute}: Mapped[{annotation}]{tail}")
    lines += _many(inspector, table, classes, joins, used, imports)
    if len(lines) == 1:
        lines.append("    pass")
    return "\n".join(lines)


def _link(name: str, link: Any, found: Any, classes: dict[str, str], used: set[str], imports: set[str]) -> list[str]:
    imports.add("db:belongs_to")
    attribute = _attribute(re.sub(r"(?i)(?:_id|(?<=[a-z])Id)$", "", name) or name, used)
    if attribute == name:
        attribute = f"{attribute}_"
    target = classes[link["referred_table"]]
    annotation = f'"{target} | None"' if found["nullable"] else f'"{target}"'
    options: list[str] = []
    action = (link.get("options") or {}).get("ondelete")
    if action:
        options.append(f'on_delete="{action.lower()}"')
    else:
        options.append('on_delete="no action"')
    lines = [f"    {attribute}: Mapped[{annotation}] = belongs_to({', '.join(options)})"]
    if f"{attribute}_id" != name:
        imports.add("db:foreign_key")
        kind = _annotation(found["type"], imports) + (" | None" if found["nullable"] else "")
        lines.append(f'    {attribute}_id: Mapped[{kind}] = foreign_key("{attribute}", name="{name}")')
    return lines


def _many(
    inspector: Inspector, table: str, classes: dict[str, str], joins: set[str], used: set[str], imports: set[str]
) -> list[str]:
    lines: list[str] = []
    for join in sorted(joins):
        first, second = inspector.get_foreign_keys(join)
        if first["referred_table"] != table or second["referred_table"] not in classes:
            continue
        imports.add("db:many_to_many")
        attribute = _attribute(f"{second['referred_table']}s".lower(), used)
        target = classes[second["referred_table"]]
        lines.append(f'    {attribute}: Mapped[list["{target}"]] = many_to_many(table="{join}")')
    return lines


def _options(found: Any, attribute: str, primary: list[str], imports: set[str]) -> list[str]:
    kind = found["type"]
    options: list[str] = []
    if attribute != found["name"]:
        options.append(f'name="{found["name"]}"')
    if found["name"] in primary:
        options.append("primary_key=True")
    python = _python(kind)
    if python is str:
        length = getattr(kind, "length", None)
        options.append(f"max_length={length}" if length else "text=True")
    if python is int and "BIG" in str(kind).upper() and found["name"] not in primary:
        options.append("big=True")
    if isinstance(kind, Numeric) and python.__name__ == "Decimal" and kind.precision:
        options.append(f"max_digits={kind.precision}, decimal_places={kind.scale or 0}")
    default = found.get("default")
    if default is not None and found["name"] not in primary and "nextval" not in str(default):
        imports.add("from sqlalchemy import text")
        options.append(f"server_default=text({str(default)!r})")
    return options


def _python(kind: TypeEngine[Any]) -> type[Any]:
    if "TINYINT(1)" in str(kind):
        return bool
    try:
        return kind.python_type
    except NotImplementedError:
        return str


def _annotation(kind: TypeEngine[Any], imports: set[str]) -> str:
    python = _python(kind)
    if python.__name__ in {"datetime", "date", "time", "timedelta"}:
        imports.add(f"from datetime import {python.__name__}")
    elif python.__name__ in {"Decimal", "UUID"}:
        imports.add(f"from {python.__module__} import {python.__name__}")
    elif python is dict or python is list:
        imports.add("from typing import Any")
        return "Any"
    return python.__name__


def _class_name(table: str) -> str:
    words = re.split(r"[^0-9A-Za-z]+", table)
    name = "".join(word[:1].upper() + word[1:] for word in words if word)
    return f"{name}_" if keyword.iskeyword(name) or not name.isidentifier() else name


def _attribute(name: str, used: set[str]) -> str:
    clean = re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).lower().strip("_") or "field"
    if keyword.iskeyword(clean) or clean[0].isdigit() or clean in {"metadata", "registry", "query"}:
        clean = f"{clean}_"
    while clean in used:
        clean = f"{clean}_"
    used.add(clean)
    return clean
