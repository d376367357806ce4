"""Steps that are done, for servers that commit each change of the schema at once (MySQL, MariaDB).

A migration that fails half way is run again, and goes on at the statement that failed: each statement of `op` is noted
before it runs and marked when it is done.
"""

import hashlib
from typing import Any

from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, delete, insert, inspect, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from demijohn.migrations.faults import MigrationFailed

__all__ = ["STEPS", "Journal"]

STEPS = Table(
    "demijohn_migration_step",
    MetaData(),
    Column("migration", String(64), primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("done", Boolean, nullable=False),
)

# What a server says when a change is there already: table, column, key, constraint or index exists; nothing to drop.
_THERE = {1050, 1060, 1061, 1068, 1091, 1022, 1826, 3822, 1051}


class Journal:
    """The steps of one migration, on one connection that commits each statement."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.name = name
        self.step = 0
        STEPS.create(connection, checkfirst=True)
        rows = connection.execute(select(STEPS).where(STEPS.c.migration == name)).all()
        self.known = {row.step: (row.digest, bool(row.done)) for row in rows}

    @property
    def resumes(self) -> bool:
        """Return whether an earlier run did some of it."""
        return bool(self.known)

    def watch(self, impl: Any) -> None:
        """Have every statement of Alembic's implementation go through this journal (Any: it is private there)."""
        run = impl._exec

        def noted(construct: Any, *arguments: Any, **options: Any) -> Any:
            return self.do(str(_text(construct, self.connection)), lambda: run(construct, *arguments, **options))

        impl._exec = noted

    def do(self, statement: str, action: Any) -> Any:
        """Run one step, unless it is done (Any: what the statement returns)."""
        self.step += 1
        digest = hashlib.sha256(" ".join(statement.split()).encode()).hexdigest()
        known = self.known.get(self.step)
        if known is not None and known[0] != digest:
            if known[1]:
                raise MigrationFailed(
                    f"Step {self.step} of {self.name} is another statement than the one that ran.",
                    why="An earlier run did some of its steps, and this server cannot take them back. The file was "
                    "changed before its end.",
                    fix="Restore the file, finish the migration, and put the change into a new one.",
                )
            self._forget()  # it failed and was mended
            known = None
        if known is not None and known[1]:
            return None
        key = (STEPS.c.migration == self.name) & (STEPS.c.step == self.step)
        if known is None:
            row = {"migration": self.name, "step": self.step, "digest": digest, "done": False}
            self.connection.execute(insert(STEPS), row)
        try:
            result = action()
        except DBAPIError as error:
            # A run that was killed between the change and its mark: the change is there.
            if known is None or code_of(error) not in _THERE:
                raise
            result = None
        self.connection.execute(update(STEPS).where(key).values(done=True))
        return result

    def _forget(self) -> None:
        self.connection.execute(
            delete(STEPS).where((STEPS.c.migration == self.name) & (STEPS.c.step >= self.step)),
        )

    @staticmethod
    def clear(connection: Connection, name: str) -> None:
        """Forget the steps of a migration that is applied as a whole."""
        if inspect(connection).has_table(STEPS.name):
            connection.execute(delete(STEPS).where(STEPS.c.migration == name))


def code_of(error: DBAPIError) -> int | str | None:
    """Return the code that the server gave: a number (MySQL, MariaDB) or an SQLSTATE (PostgreSQL)."""
    original = error.orig
    first = original.args[0] if original is not None and original.args else None
    if isinstance(first, int):
        return first
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    return None if state is None else str(state)


def _text(construct: Any, connection: Connection) -> Any:
    if isinstance(construct, str):
        return construct
    try:
        return construct.compile(dialect=connection.dialect)
    except Exception:
        return repr(construct)
