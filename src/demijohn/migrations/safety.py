"""The safe form of a change: in which steps, before and after the new code is live, each in a file of its own.

What the running code does not mind goes first (`expand`); what it would mind waits (`contract`). Only what this server
does without holding up readers and writers is written; where it cannot, that is said.
"""

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from alembic.operations import ops
from sqlalchemy import Column, DefaultClause, MetaData, String, Table, Text, literal, text
from sqlalchemy.exc import CompileError

from demijohn.db.storage import UTCDateTime
from demijohn.migrations.changes import Changes
from demijohn.migrations.faults import FillWanted, NoSafeForm
from demijohn.migrations.mirroring import Mirror
from demijohn.migrations.naming import RenameColumnOp, RenameTable
from demijohn.migrations.rendering import render, title_for

__all__ = ["Step", "steps_of"]

Fill: TypeAlias = Callable[[str], str | None]
_MY = {"mysql", "mariadb"}
_VOLATILE = ("random", "uuid", "clock_timestamp", "nextval")


@dataclass(slots=True)
class Step:
    """One file of a change.

    Attributes:
        phase: `expand` or `contract`.
        title: What it does, in a line.
        upgrade, downgrade: Their code.
        imports: What the code needs beside the usual.
        accepts: Findings of the linter that are none here.
    """

    phase: str
    title: str
    upgrade: str
    downgrade: str = ""
    imports: str = ""
    accepts: tuple[str, ...] = ()


def steps_of(changes: Changes, *, tables: Mapping[str, Table], fill: Fill) -> list[Step]:
    """Return the files that make a change safely on the database that it was found on.

    Args:
        changes: What the models say and the database does not.
        tables: The tables of the models, by name.
        fill: Returns the SQL that fills a column (`table.column`) in rows that are there, or None.

    Raises:
        FillWanted: Nobody said what a required column holds in rows that are there.
        NoSafeForm: This server cannot do it without holding up or breaking the running code.
    """
    return list(_Plan(changes, tables, fill).steps())


class _Plan:
    def __init__(self, changes: Changes, tables: Mapping[str, Table], fill: Fill) -> None:
        self.changes = changes
        self.tables = tables
        self.fill = fill
        self.family = changes.context.dialect.name
        self.made = {one.table_name for one in changes.operations if isinstance(one, ops.CreateTableOp)}
        self.added: set[tuple[str, str]] = set()
        # What is done as it stands, and what takes a file of its own, before and after the new code is live.
        self.first: list[ops.MigrateOperation] = []
        self.between: list[Step] = []
        self.after: list[Step] = []
        self.last: list[ops.MigrateOperation] = []

    def steps(self) -> Iterator[Step]:
        if self.changes.after:
            raise NoSafeForm(
                "Values of an enumeration are gone or stand in another order.",
                why="PostgreSQL can only make the type anew, which writes every table that has it.",
                fix="Keep the old values, or store it as text: column(native_enum=False)",
            )
        for one in self.changes.operations:
            if isinstance(one, ops.ModifyTableOps) and one.table_name not in self.made:
                self.added |= {
                    (one.table_name, step.column.name) for step in one.ops if isinstance(step, ops.AddColumnOp)
                }
                self.added |= {
                    (one.table_name, str(step.modify_name)) for step in one.ops if isinstance(step, RenameColumnOp)
                }
        for one in self.changes.operations:
            if isinstance(one, RenameTable):
                self._rename_table(one)
            elif isinstance(one, ops.DropTableOp):
                self.last.append(one)
            elif isinstance(one, ops.ModifyTableOps) and one.table_name not in self.made:
                for step in one.ops:
                    self._change(step, one)
            else:
                self.first.append(one)
        yield from self._plain(self.first, "expand", before=self.changes.before)
        yield from self.between
        yield from self.after
        yield from self._plain(self.last, "contract")

    # -- one operation ------------------------------------------------------------------------------------------------

    def _change(self, step: ops.MigrateOperation, table: ops.ModifyTableOps) -> None:
        if isinstance(step, ops.AddColumnOp):
            self._add(step, table)
        elif isinstance(step, RenameColumnOp):
            self._rename(step, table)
        elif isinstance(step, ops.DropColumnOp):
            self._drop(step, table)
        elif isinstance(step, ops.AlterColumnOp):
            self._alter(step, table)
        elif isinstance(step, ops.CreateIndexOp):
            self._index(step, table)
        elif isinstance(step, ops.DropIndexOp):
            self._drop_index(step, table)
        elif isinstance(step, ops.CreateUniqueConstraintOp):
            self._unique(step, table)
        elif isinstance(step, ops.CreateForeignKeyOp):
            self._constraint(step, table, [str(name) for name in step.local_cols])
        elif isinstance(step, ops.CreateCheckConstraintOp):
            known = self.tables.get(table.table_name)
            found = (
                next((one for one in known.constraints if one.name == step.constraint_name), None)
                if known is not None
                else None
            )
            self._constraint(step, table, [one.name for one in getattr(found, "columns", ())])
        else:  # a constraint that goes holds nobody up
            self.first.append(_on(table, step))

    def _add(self, step: ops.AddColumnOp, table: ops.ModifyTableOps) -> None:
        column = step.column
        generated = column.computed is not None or column.identity is not None
        default = column.server_default
        volatile = default is not None and any(word in str(getattr(default, "arg", "")) for word in _VOLATILE)
        if generated or (column.nullable and not volatile) or (default is not None and not volatile):
            self.first.append(_on(table, step))
            return
        constant = None if volatile else self._constant(column)
        if constant is not None:
            # Rows that are there, and those that the old code inserts, get it from the server.
            given = _copy(column, server_default=text(constant))
            self.first.append(_on(table, ops.AddColumnOp(table.table_name, given, schema=table.schema)))
            had = DefaultClause(text(constant))
            self.last.append(
                _altered(table, column, nullable=False, existing_server_default=had, modify_server_default=None)
            )
            return
        filling = str(default.arg) if volatile and default is not None else self._filling(column, table.table_name)  # type: ignore[attr-defined]
        bare = _copy(column, nullable=True)
        self.first.append(_on(table, ops.AddColumnOp(table.table_name, bare, schema=table.schema)))
        if volatile:
            self.first.append(
                _altered(table, column, nullable=True, existing_server_default=None, modify_server_default=default)
            )
        self.between.append(self._backfill("expand", table, column, filling))
        if not column.nullable:
            self.after.append(self._backfill("contract", table, column, filling))
            self._require(table, column)

    def _require(self, table: ops.ModifyTableOps, column: Column[Any]) -> None:
        """Have a column hold a value in every row; nobody waits while all rows are looked at."""
        name, field = table.table_name, column.name
        if self.family == "postgresql":
            check = f"ck_{name}_{field}_filled"[:63]
            quoted = self._quoted(field)
            create = (
                f'op.create_check_constraint("{check}", "{name}", sa.text({_string(f"{quoted} IS NOT NULL")}), '
                "postgresql_not_valid=True)"
            )
            drop = f'op.drop_constraint("{check}", "{name}", type_="check")'
            alter = f'op.alter_column("{name}", "{field}", nullable='
            self.after += [
                Step("contract", f"Check {name}.{field}, in new rows.", create, drop),
                self._validate("contract", table, check),
                Step(
                    "contract",
                    f"Require {name}.{field}.",
                    f"# The constraint says already that no row lacks it: none is looked at.\n{alter}False)\n{drop}",
                    f"{create}\n{alter}True)",
                ),
            ]
        elif self.family in _MY:
            self.after.append(
                Step(
                    "contract",
                    f"Require {name}.{field}.",
                    self._modify(table, column, nullable=False),
                    self._modify(table, column, nullable=True),
                )
            )
        else:
            self.last.append(_altered(table, column, nullable=True, modify_nullable=False))

    def _drop(self, step: ops.DropColumnOp, table: ops.ModifyTableOps) -> None:
        column = step.to_column()
        if not column.nullable and column.server_default is None and not column.primary_key:
            # The new code inserts rows without it, while the old code still reads it.
            self._relax(table, column)
            back = ops.AddColumnOp(table.table_name, _copy(column, nullable=True), schema=table.schema)
            step = ops.DropColumnOp(table.table_name, step.column_name, schema=table.schema, _reverse=back)
        self.last.append(_on(table, step))

    def _relax(self, table: ops.ModifyTableOps, column: Column[Any]) -> None:
        if self.family in _MY:
            self.between.insert(
                0,
                Step(
                    "expand",
                    f"Let rows of {table.table_name} lack {column.name}.",
                    self._modify(table, column, nullable=True),
                    self._modify(table, column, nullable=False),
                ),
            )
            return
        self.first.append(_altered(table, column, nullable=False, modify_nullable=True))

    def _alter(self, step: ops.AlterColumnOp, table: ops.ModifyTableOps) -> None:
        where = f"{table.table_name}.{step.column_name}"
        known = self.tables.get(table.table_name)
        column = known.columns.get(step.column_name) if known is not None else None
        if column is None or (self.family == "sqlite" and step.modify_type is not None):
            self.first.append(_on(table, step))
            return
        if step.modify_type is not None:
            if not _widens(step.existing_type, step.modify_type):
                raise NoSafeForm(
                    f"The type of {where} changes from {step.existing_type!r} to {step.modify_type!r}.",
                    why="The server writes the table anew while nobody can use it, and old code sends the old type.",
                    fix="Add a column of the new type beside it, fill it, move the code over, and drop the old one in "
                    "a later release; or, where the table is small: demijohn makemigrations",
                )
            if self.family in _MY:
                before = Column(column.name, step.existing_type, nullable=bool(step.existing_nullable))
                up = self._modify(table, column, nullable=bool(step.existing_nullable))
                down = self._modify(table, before, nullable=bool(step.existing_nullable), online=False)
                self.between.append(Step("expand", f"Give {where} more room.", up, down))
            else:
                before = Column(column.name, step.existing_type)
                only = _altered(table, before, nullable=step.existing_nullable, modify_type=step.modify_type)
                code = render(self._part([only]))
                # More room changes no row, which the statement alone does not tell.
                self.between.append(Step("expand", f"Give {where} more room.", *code, accepts=("type-rewrites",)))
            step.modify_type = None
        if step.modify_nullable is False:
            found = self.fill(where)
            if found is not None:
                self.after.append(self._backfill("contract", table, column, found))
            self._require(table, column)
        elif step.modify_nullable is True:
            self._relax(table, column)
        if step.modify_server_default is not False or step.modify_comment is not False:
            step.modify_nullable = None
            self.first.append(_on(table, step))

    # -- indexes and constraints --------------------------------------------------------------------------------------

    def _index(self, step: ops.CreateIndexOp, table: ops.ModifyTableOps) -> None:
        old = not all((table.table_name, str(getattr(one, "name", one))) in self.added for one in step.columns)
        phase = "contract" if step.unique and old else "expand"
        if self.family != "postgresql":
            self._place(phase, _on(table, step))
            return
        self._step(phase, f"Build {step.index_name}, while others write.", self._concurrent(step, table))

    def _concurrent(self, step: ops.CreateIndexOp, table: ops.ModifyTableOps) -> tuple[str, str, str]:
        step.kw["postgresql_concurrently"] = True
        step.if_not_exists = True
        code, _, imports = render(self._part([_on(table, step)]))
        opened = f'with concurrently("{step.index_name}"):\n'
        options = f'table_name="{table.table_name}", postgresql_concurrently=True, if_exists=True'
        gone = f'op.drop_index("{step.index_name}", {options})'
        return f"{opened}{_indent(code)}", f"{opened}    {gone}", imports

    def _drop_index(self, step: ops.DropIndexOp, table: ops.ModifyTableOps) -> None:
        if self.family != "postgresql" or step._reverse is None:
            self.last.append(_on(table, step))
            return
        up, down, imports = self._concurrent(step._reverse, table)
        self.after.append(Step("contract", f"Drop the index {step.index_name}.", down, up, imports))

    def _unique(self, step: ops.CreateUniqueConstraintOp, table: ops.ModifyTableOps) -> None:
        name = table.table_name
        old = not all((name, str(one)) in self.added for one in step.columns)
        phase = "contract" if old else "expand"
        if self.family != "postgresql" or step.constraint_name is None:
            self._place(phase, _on(table, step))
            return
        label = str(step.constraint_name)
        index = ops.CreateIndexOp(label, name, [str(one) for one in step.columns], schema=table.schema, unique=True)
        self._step(phase, f"Build {label}, a unique index, while others write.", self._concurrent(index, table))
        own, other = self._quoted(name), self._quoted(label)
        self._step(
            phase,
            f"Promote {label}, the index, to a constraint.",
            (
                f"op.execute({_string(f'ALTER TABLE {own} ADD CONSTRAINT {other} UNIQUE USING INDEX {other}')})",
                f'op.drop_constraint("{label}", "{name}", type_="unique")',
                "",
            ),
        )

    def _constraint(
        self, step: ops.CreateForeignKeyOp | ops.CreateCheckConstraintOp, table: ops.ModifyTableOps, columns: list[str]
    ) -> None:
        # Rows of the old code could break it, unless it is about columns alone that the old code does not know.
        phase = "expand" if columns and all((table.table_name, one) in self.added for one in columns) else "contract"
        if self.family != "postgresql":
            self._place(phase, _on(table, step))
            return
        step.kw["postgresql_not_valid"] = True
        label = str(step.constraint_name)
        part = self._part([_on(table, step)])
        self._step(phase, f"Add {label}, for new rows.", render(part))
        self._steps(phase).append(self._validate(phase, table, label))

    def _validate(self, phase: str, table: ops.ModifyTableOps, label: str) -> Step:
        statement = f"ALTER TABLE {self._quoted(table.table_name)} VALIDATE CONSTRAINT {self._quoted(label)}"
        return Step(phase, f"Validate {label}, in old rows.", f"op.execute({_string(statement)})")

    # -- renames ------------------------------------------------------------------------------------------------------

    def _rename(self, step: RenameColumnOp, table: ops.ModifyTableOps) -> None:
        if self.family == "sqlite":
            self.first.append(_on(table, step))
            return
        known = self.tables[table.table_name]
        column = known.columns[str(step.modify_name)]
        if column.primary_key or step.modify_type is not None or table.schema:
            raise NoSafeForm(
                f"{table.table_name}.{step.column_name} is renamed, and is a key or changes its type too.",
                why="Both columns stand side by side for a release, each with the values of the other.",
                fix=f'Keep the name in the database: column("{step.column_name}", ...)',
            )
        before = Column(step.column_name, step.existing_type, nullable=bool(step.existing_nullable))
        if self.family in _MY and not before.nullable:
            self._relax(table, before)
        bare = _copy(column, nullable=True, server_default=None)
        self.first.append(_on(table, ops.AddColumnOp(table.table_name, bare)))
        mirror = Mirror(self.family, table.table_name, step.column_name, column.name, quote=self._quoted)
        up, down = (
            "\n".join(f"op.execute({_string(one)})" for one in lines) for lines in (mirror.create(), mirror.drop())
        )
        title = f"Mirror {table.table_name}.{step.column_name}, in {column.name} and back."
        self.between.append(Step("expand", title, up, down))
        filling = self._quoted(step.column_name)
        self.between.append(self._backfill("expand", table, column, filling))
        if not column.nullable:
            self._require(table, column)
        self.after.append(
            Step("contract", f"Part {table.table_name}.{step.column_name}, from {column.name}.", down, up)
        )
        if column.server_default is not None:
            changed = {"existing_server_default": None, "modify_server_default": column.server_default}
            self.last.append(_altered(table, column, nullable=bool(column.nullable), **changed))
        gone = ops.AddColumnOp(table.table_name, Column(step.column_name, step.existing_type, nullable=True))
        self.last.append(_on(table, ops.DropColumnOp(table.table_name, step.column_name, _reverse=gone)))

    def _rename_table(self, step: RenameTable) -> None:
        if self.family == "sqlite":
            self.first.append(step)
            return
        if self.family != "postgresql" or step.schema:
            raise NoSafeForm(
                f"The table {step.table_name} is renamed to {step.new_table_name}.",
                why="Between the rename and a view of the old name there would be a moment in which the running code "
                "finds no table.",
                fix=f'Keep the name in the database: __tablename__ = "{step.table_name}"',
            )
        old, new = self._quoted(step.table_name), self._quoted(str(step.new_table_name))
        made = f"CREATE VIEW {old} AS SELECT * FROM {new}"  # noqa: S608 - quoted
        view = f"op.execute({_string(made)})"
        drop = f"op.execute({_string(f'DROP VIEW {old}')})"
        rename = f'op.rename_table("{step.table_name}", "{step.new_table_name}")'
        back = f'op.rename_table("{step.new_table_name}", "{step.table_name}")'
        title = f"Rename {step.table_name} to {step.new_table_name}, and leave a view of the old name."
        self.between.append(Step("expand", title, f"{rename}\n{view}", f"{drop}\n{back}"))
        self.after.append(Step("contract", f"Drop the view {step.table_name}.", drop, view))

    # -- pieces -------------------------------------------------------------------------------------------------------

    def _filling(self, column: Column[Any], table: str) -> str:
        where = f"{table}.{column.name}"
        found = self.fill(where)
        if found is not None:
            return found
        if column.default is not None and column.default.is_callable and isinstance(column.type, UTCDateTime):
            return "CURRENT_TIMESTAMP"
        raise FillWanted(where)

    def _constant(self, column: Column[Any]) -> str | None:
        """Return the default of the model as SQL, where it is one value for all rows."""
        if column.default is None or not column.default.is_scalar:
            return None
        value = column.default.arg  # type: ignore[attr-defined]
        if isinstance(value, enum.Enum):
            return None
        try:
            compiled = literal(value, column.type).compile(
                dialect=self.changes.context.dialect, compile_kwargs={"literal_binds": True}
            )
        except (CompileError, NotImplementedError):
            return None
        return str(compiled)

    def _backfill(self, phase: str, table: ops.ModifyTableOps, column: Column[Any], filling: str) -> Step:
        name = table.table_name
        keys = [one.name for one in self.tables[name].primary_key.columns] if name in self.tables else ["id"]
        key = "" if keys == ["id"] else f", key={_string(keys[0]) if len(keys) == 1 else _strings(keys)}"
        where = f"{self._quoted(column.name)} IS NULL"
        what, rows = ("Fill", "rows that are there") if phase == "expand" else ("Refill", "rows that older code wrote")
        return Step(
            phase,
            f"{what} {name}.{column.name}, in {rows}.",
            f'backfill("{name}", {{"{column.name}": sa.text({_string(filling)})}}, where={_string(where)}{key})',
        )

    def _modify(self, table: ops.ModifyTableOps, column: Column[Any], *, nullable: bool, online: bool = True) -> str:
        dialect = self.changes.context.dialect
        copy = _copy(column, nullable=nullable)
        Table(table.table_name, MetaData(), copy)
        compiler: Any = dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type]
        spec = compiler.get_column_specification(copy)
        statement = f"ALTER TABLE {self._quoted(table.table_name)} MODIFY {spec}"
        if online:
            statement += ", ALGORITHM=INPLACE, LOCK=NONE"  # the server refuses, rather than have others wait
        return f"op.execute({_string(statement)})"

    def _part(self, operations: Iterable[ops.MigrateOperation], *, before: Iterable[str] = ()) -> Changes:
        return Changes(self.changes.context, _joined(operations), {}, before=list(before))

    def _plain(
        self, operations: list[ops.MigrateOperation], phase: str, *, before: Iterable[str] = ()
    ) -> Iterator[Step]:
        part = self._part(operations, before=before)
        if part:
            yield Step(phase, title_for(part), *render(part))

    def _place(self, phase: str, operation: ops.MigrateOperation) -> None:
        (self.first if phase == "expand" else self.last).append(operation)

    def _steps(self, phase: str) -> list[Step]:
        return self.between if phase == "expand" else self.after

    def _step(self, phase: str, title: str, code: tuple[str, str, str]) -> None:
        self._steps(phase).append(Step(phase, title, *code))

    def _quoted(self, name: str) -> str:
        return str(self.changes.context.dialect.identifier_preparer.quote(name))


def _on(table: ops.ModifyTableOps, step: ops.MigrateOperation) -> ops.MigrateOperation:
    return ops.ModifyTableOps(table.table_name, [step], schema=table.schema)


def _altered(
    table: ops.ModifyTableOps, column: Column[Any], *, nullable: bool | None, **changes: Any
) -> ops.MigrateOperation:
    """Return a change of a column whose type and nullability, as given, are those of the database."""
    step = ops.AlterColumnOp(
        table.table_name,
        column.name,
        schema=table.schema,
        existing_type=column.type,
        existing_nullable=nullable,
        **changes,
    )
    return _on(table, step)


def _joined(operations: Iterable[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Put what changes one table into one block, where it stands side by side."""
    found: list[ops.MigrateOperation] = []
    for one in operations:
        last = found[-1] if found else None
        if (
            isinstance(one, ops.ModifyTableOps)
            and isinstance(last, ops.ModifyTableOps)
            and (last.table_name, last.schema) == (one.table_name, one.schema)
        ):
            last.ops = [*last.ops, *one.ops]
        else:
            found.append(one)
    return found


def _copy(column: Column[Any], **changes: Any) -> Column[Any]:
    copy = column._copy()
    for name, value in changes.items():
        setattr(copy, name, value)
    if "server_default" in changes and changes["server_default"] is not None:
        copy = Column(copy.name, copy.type, nullable=copy.nullable, server_default=changes["server_default"])
    return copy


def _widens(before: Any, after: Any) -> bool:
    """Return whether a type only gets more room, for which no row is written anew."""
    if not isinstance(before, String) or not isinstance(after, String):
        return False
    if isinstance(before, Text):
        return isinstance(after, Text)
    return after.length is None or (before.length is not None and before.length <= after.length)


def _string(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _strings(values: Iterable[str]) -> str:
    return f"({', '.join(map(_string, values))})"


def _indent(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.splitlines())
