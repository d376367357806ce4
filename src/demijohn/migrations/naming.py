"""Renames: declared by the models, or asked for; never guessed, because a wrong guess loses a column."""

from collections.abc import Callable
from typing import Any

from alembic.autogenerate.render import renderers
from alembic.operations import ops
from sqlalchemy import Table
from sqlalchemy.engine import Dialect

from demijohn.migrations.changes import Changes
from demijohn.migrations.faults import AmbiguousRename, DropRefused

__all__ = ["Ask", "RenameColumnOp", "Renamed"]

Ask = Callable[[str], bool]


class RenameColumnOp(ops.AlterColumnOp):
    """A column with another name, which can be taken back."""

    def reverse(self) -> "RenameColumnOp":
        turned = super().reverse()
        made = RenameColumnOp(
            turned.table_name, str(self.modify_name), schema=turned.schema, modify_name=self.column_name
        )
        for name in vars(turned):
            if name not in {"column_name", "modify_name", "table_name"}:
                setattr(made, name, getattr(turned, name))
        return made


class RenameTable(ops.RenameTableOp):
    """A table with another name, which can be taken back."""

    def reverse(self) -> "RenameTable":
        return RenameTable(self.new_table_name, self.table_name, schema=self.schema)


@renderers.dispatch_for(RenameTable)
def _rename_table(context: Any, one: RenameTable) -> str:
    schema = "" if one.schema is None else f", schema={one.schema!r}"
    return f"op.rename_table({one.table_name!r}, {one.new_table_name!r}{schema})"


class Renamed:
    """Finds renames among what was added and what was dropped.

    Args:
        tables: The tables of the models.
        declared: Tables by their new name, with the name they had (`__renamed_from__`).
        ask: Asks yes or no; None where nobody is there to answer.
        allow_drop: Whether what is gone from the models may be dropped.
    """

    def __init__(
        self, tables: dict[str, Table], *, declared: dict[str, str], ask: Ask | None, allow_drop: bool = False
    ) -> None:
        self.tables = tables
        self.declared = declared
        self.ask = ask
        self.allow_drop = allow_drop
        self.renamed_tables: dict[str, str] = {}
        self.renamed_columns: dict[tuple[str, str], str] = {}

    def texts(self, known: dict[str, str]) -> dict[str, str]:
        """Return the known texts under their new names."""
        new = dict(known)
        for (table, old), name in self.renamed_columns.items():
            value = new.pop(f"{table}.{old} default", None)
            if value is not None:
                new[f"{table}.{name} default"] = value
        return new

    def apply(self, changes: Changes) -> None:
        """Put renames in the place of pairs of an addition and a drop.

        Raises:
            AmbiguousRename: It may be one, and nobody is there to ask.
            DropRefused: Something would be dropped, and nobody said that it may.
        """
        self._tables(changes)
        for one in list(changes.operations):
            if isinstance(one, ops.ModifyTableOps):
                steps = self._columns(one, changes.context.dialect)
                if steps:
                    # Each apart: what goes has the old name of the column, what comes has the new one.
                    gone = [step for step in one.ops if isinstance(step, ops.DropIndexOp | ops.DropConstraintOp)]
                    one.ops[:] = [step for step in one.ops if step not in gone]
                    place = changes.operations.index(one)
                    changes.operations[place:place] = [
                        ops.ModifyTableOps(one.table_name, part, schema=one.schema) for part in (gone, steps) if part
                    ]
        changes.operations[:] = [
            one for one in changes.operations if not isinstance(one, ops.ModifyTableOps) or one.ops
        ]
        self._refuse_drops(changes)

    def _tables(self, changes: Changes) -> None:
        added = [one for one in changes.operations if isinstance(one, ops.CreateTableOp)]
        gone = [one for one in changes.operations if isinstance(one, ops.DropTableOp)]
        for new in added:
            for old in list(gone):
                if not self._is_rename("table", new.table_name, old.table_name, self.declared.get(new.table_name)):
                    continue
                gone.remove(old)
                self.renamed_tables[old.table_name] = new.table_name
                break
        if self.renamed_tables:
            # The rest is compared when the table has its new name: names of constraints follow it.
            changes.operations[:] = [
                RenameTable(old, new, schema=self.tables[new].schema if new in self.tables else None)
                for old, new in self.renamed_tables.items()
            ]

    def _columns(self, change: ops.ModifyTableOps, dialect: Dialect) -> list[ops.MigrateOperation]:
        steps: list[ops.MigrateOperation] = []
        added = [one for one in change.ops if isinstance(one, ops.AddColumnOp)]
        gone = [one for one in change.ops if isinstance(one, ops.DropColumnOp)]
        for new in added:
            declared = new.column.info.get("renamed_from")
            for old in gone:
                where = f"{change.table_name}."
                if not self._is_rename(
                    "column", where + new.column.name, where + old.column_name, declared and where + declared
                ):
                    continue
                gone.remove(old)
                change.ops.remove(new)
                change.ops.remove(old)
                steps.append(self._rename(change, new, old, dialect))
                self.renamed_columns[change.table_name, old.column_name] = new.column.name
                break
        return steps

    def _rename(
        self, change: ops.ModifyTableOps, new: ops.AddColumnOp, old: ops.DropColumnOp, dialect: Dialect
    ) -> RenameColumnOp:
        before, after = old.to_column(), new.column
        options: dict[str, Any] = {"existing_type": before.type, "existing_nullable": before.nullable}
        if before.type.compile(dialect=dialect) != after.type.dialect_impl(dialect).compile(dialect=dialect):
            options["modify_type"] = after.type
        if before.nullable != after.nullable:
            options["modify_nullable"] = after.nullable
        return RenameColumnOp(
            change.table_name, old.column_name, schema=change.schema, modify_name=after.name, **options
        )

    def _is_rename(self, kind: str, new: str, old: str, declared: str | None) -> bool:
        if declared:
            return declared == old
        if self.ask is not None:
            return self.ask(f"Was the {kind} {old} renamed to {new}?")
        if self.allow_drop:
            return False
        short = old.rpartition(".")[2]
        line = f'renamed_from="{short}" in column(...)' if kind == "column" else f'__renamed_from__ = "{short}"'
        raise AmbiguousRename(
            f"The {kind} {old} is gone and {new} is new.",
            why="It may be a rename, which keeps the data, or a drop, which loses it. Nobody is here to be asked.",
            fix=f"{line}     or, if the data may go: demijohn makemigrations --allow-drop",
        )

    def _refuse_drops(self, changes: Changes) -> None:
        if self.allow_drop:
            return
        lost = [f"the table {one.table_name}" for one in changes.operations if isinstance(one, ops.DropTableOp)]
        for one in changes.operations:
            if isinstance(one, ops.ModifyTableOps):
                lost += [
                    f"the column {one.table_name}.{step.column_name}"
                    for step in one.ops
                    if isinstance(step, ops.DropColumnOp)
                ]
        if lost and not (self.ask is not None and self.ask(f"Drop {', '.join(lost)}, with all that is in it?")):
            raise DropRefused(
                f"No model has {', '.join(lost)} any more.",
                why="Dropping it destroys what it holds. A model that was only not imported looks the same.",
                fix="Import the module of the model; or, if the data may go: demijohn makemigrations --allow-drop",
            )
