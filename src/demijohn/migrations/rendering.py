"""Operations as Python: a file that people read, with types that outlive the models."""

import re
from typing import Any, Literal

from alembic.autogenerate.api import AutogenContext, render_python_code
from alembic.operations import ops
from sqlalchemy import BigInteger, Integer, SmallInteger, String
from sqlalchemy.types import TypeEngine

from demijohn.db import storage
from demijohn.migrations import kinds
from demijohn.migrations.changes import Changes
from demijohn.migrations.history import slug_of

__all__ = ["render", "render_file", "slug_for", "title_for"]


def render_file(
    name: str,
    parents: tuple[str, ...],
    *,
    title: str,
    upgrade: str,
    downgrade: str,
    imports: str = "",
    texts: dict[str, str | None] | None = None,
    extra: dict[str, Any] | None = None,
) -> str:
    """Return the source of a migration."""
    body = f"{upgrade}\n{downgrade}"
    down = "None" if not parents else f'"{parents[0]}"' if len(parents) == 1 else _literal(parents)
    names = [one for one in ("backfill", "concurrently", "kinds", "op") if re.search(rf"\b{one}\b[.(]", body)]
    lines = [f'"""{title}"""', ""]
    if "sa." in body:
        lines.append("import sqlalchemy as sa")
    lines += [line for line in imports.splitlines() if line.strip()]
    if names:
        if len(lines) > 2:
            lines.append("")
        lines.append(f"from demijohn.migrations import {', '.join(names)}")
    lines += ["", f'revision = "{name}"', f"down_revision = {down}"]
    for key, value in (extra or {}).items():
        lines.append(f"{key} = {_literal(value)}")
    if texts:
        lines += ["# What the models said, as hashes: a database prints its defaults and checks in a form of its own."]
        lines += ["texts = {", *(f"    {_literal(key)}: {_literal(value)}," for key, value in texts.items()), "}"]
    lines += ["", "", "def upgrade() -> None:", _indented(upgrade or "pass")]
    lines += ["", "", "def downgrade() -> None:", _indented(downgrade or "pass"), ""]
    return "\n".join(lines)


def _literal(value: Any) -> str:
    if isinstance(value, tuple | list):
        inner = ", ".join(map(_literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" if line.strip() else "" for line in code.splitlines()).rstrip()


def render(changes: Changes) -> tuple[str, str, str]:
    """Return the code of `upgrade` and `downgrade`, and the imports that it needs."""
    upgrade_ops = ops.UpgradeOps(_plain(changes.operations))
    downgrade_ops = upgrade_ops.reverse()
    dropped = {one.table_name for one in downgrade_ops.ops if isinstance(one, ops.DropTableOp)}
    # An index goes with its table; MariaDB does not let go one that a foreign key needs.
    downgrade_ops.ops[:] = [
        one for one in downgrade_ops.ops if not (isinstance(one, ops.DropIndexOp) and one.table_name in dropped)
    ]
    up = _code(upgrade_ops, changes)
    down = _code(downgrade_ops, changes)
    dialects = sorted(set(re.findall(r"\b(mysql|postgresql|sqlite|oracle)\.", up + down)))
    imports = f"from sqlalchemy.dialects import {', '.join(dialects)}" if dialects else ""
    before = "".join(f"op.execute({_literal(line)})\n" for line in changes.before)
    after = "".join(f"op.execute({_literal(line)})\n" for line in changes.after)
    if changes.before or changes.after:
        down = "# The values of an enumeration stay: PostgreSQL cannot take one back.\n" + (down or "pass")
    return (before + up + ("\n" if up and after else "") + after).strip("\n"), down, imports


def _code(container: ops.UpgradeOps | ops.DowngradeOps, changes: Changes) -> str:
    def item(kind: str, thing: Any, context: AutogenContext) -> str | Literal[False]:
        return _type(thing) if kind == "type" else False

    batch = changes.context.dialect.name == "sqlite"
    code = render_python_code(
        container,
        sqlalchemy_module_prefix="sa.",
        alembic_module_prefix="op.",
        render_as_batch=batch,
        render_item=item,
        migration_context=changes.context,
    )
    lines = [line.removeprefix("    ") for line in code.splitlines()]
    lines = [line.rstrip() for line in lines if not line.lstrip().startswith("# ###")]
    code = "\n".join(lines).strip("\n")
    code = code.replace(", schema=None) as batch_op", ") as batch_op")
    code = re.sub(r"create_table\('(\w+)',\n", r"create_table(\n'\1',\n", code)
    return "" if code.strip() == "pass" else _tidy(code)


def _plain(found: list[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Put the indexes of new tables beside them: nothing has to be altered for those."""
    made = {one.table_name for one in found if isinstance(one, ops.CreateTableOp)}
    result: list[ops.MigrateOperation] = []
    for one in found:
        if isinstance(one, ops.ModifyTableOps) and one.table_name in made:
            result += one.ops
        else:
            result.append(one)
    return result


def _tidy(code: str) -> str:
    """Indent what stands within brackets, and use double quotes where a string has none."""
    depth = 0
    lines: list[str] = []
    for line in code.splitlines():
        clean = line.strip()
        lead = line[: len(line) - len(line.lstrip())]
        closing = clean.startswith((")", "]"))
        lines.append((lead + "    " * (depth - closing) + clean) if clean else "")
        bare = _STRING.sub("", clean)
        depth += sum(map(bare.count, "([{")) - sum(map(bare.count, ")]}"))
    return _STRING.sub(_requoted, "\n".join(lines))


_STRING = re.compile(r"\'(?:[^'\\\n]|\\.)*\'|\"(?:[^\"\\\n]|\\.)*\"")


def _requoted(found: re.Match[str]) -> str:
    text = found[0]
    if text[0] == "'" and '"' not in text and "\\" not in text:
        return f'"{text[1:-1]}"'
    return text


def _type(thing: TypeEngine[Any]) -> str | Literal[False]:
    named = (
        (storage.BIG_KEY, "kinds.BigKey()"),
        (kinds.LongText(), "kinds.LongText()"),
        (kinds.Name(), "kinds.Name()"),
        (kinds.Binary(), "kinds.Binary()"),
    )
    for one, text in named:
        if thing is one or (type(thing) is type(one) and thing._variant_mapping and repr(thing) == repr(one)):
            return text
    if isinstance(thing, storage.UTCDateTime):
        return "kinds.DateTime()"
    if isinstance(thing, storage.DecimalType):
        return f"kinds.Decimal({thing.precision}, {thing.scale})"
    if isinstance(thing, storage.TypedJSON):
        return "kinds.JSON()"
    if isinstance(thing, storage.IntEnumType):
        return "sa.BigInteger()" if thing.wide else "sa.SmallInteger()"
    if isinstance(thing, storage._Duration):
        return "kinds.Duration()"
    if type(thing) is String and thing.length is not None and thing.collation is None and not thing._variant_mapping:
        return f"sa.String({thing.length})"
    if type(thing) in {BigInteger, Integer, SmallInteger} and not thing._variant_mapping:
        return f"sa.{type(thing).__name__}()"
    return False


def title_for(changes: Changes) -> str:
    """Return what a migration does, in a line."""
    parts: list[str] = []
    operations = _plain(changes.operations)
    made = [one.table_name for one in operations if isinstance(one, ops.CreateTableOp)]
    if made:
        parts.append(f"Create {', '.join(made)}")
    for one in operations:
        if isinstance(one, ops.DropTableOp):
            parts.append(f"Drop {one.table_name}")
        elif isinstance(one, ops.RenameTableOp):
            parts.append(f"Rename {one.table_name} to {one.new_table_name}")
        elif isinstance(one, ops.ModifyTableOps):
            parts += _about(one)
    if changes.before or changes.after:
        parts.append("Change the values of an enumeration")
    text = "; ".join(dict.fromkeys(parts)) or "Note what the models say"
    return (text if len(text) < 100 else f"{text[:96]}...") + "."


def _about(change: ops.ModifyTableOps) -> list[str]:
    found: list[str] = []
    for one in change.ops:
        if isinstance(one, ops.AddColumnOp):
            found.append(f"Add {change.table_name}.{one.column.name}")
        elif isinstance(one, ops.DropColumnOp):
            found.append(f"Drop {change.table_name}.{one.column_name}")
        elif isinstance(one, ops.AlterColumnOp) and one.modify_name:
            found.append(f"Rename {change.table_name}.{one.column_name} to {one.modify_name}")
        elif isinstance(one, ops.AlterColumnOp):
            found.append(f"Change {change.table_name}.{one.column_name}")
        elif isinstance(one, ops.CreateIndexOp | ops.DropIndexOp):
            found.append(f"Change the indexes of {change.table_name}")
        else:
            found.append(f"Change the constraints of {change.table_name}")
    return found


def slug_for(changes: Changes, *, first: bool) -> str:
    """Return words for the name of the file."""
    if first:
        return "initial"
    title = title_for(changes).rstrip(".")
    return slug_of(title.partition(";")[0].replace("Change the ", "").replace("...", ""))
