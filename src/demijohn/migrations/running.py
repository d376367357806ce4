"""Applying migrations and taking them back: one transaction each where the server can, a journal where it cannot."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, MetaData, String, Table, delete, event, insert, inspect, select, text, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from demijohn.migrations.connecting import USUAL, MigrationLimits, is_mysql
from demijohn.migrations.faults import BrokenKeys, MigrationFailed, NotReversible
from demijohn.migrations.history import History, Migration
from demijohn.migrations.journal import Journal, code_of
from demijohn.migrations.locking import runner_lock

__all__ = ["VERSIONS", "Runner", "applied_of", "sql_of", "stamp"]

VERSIONS = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Where the database notes its last migration; it is Alembic's table, so that its tools work too."""

Say = Callable[[str], None]


def applied_of(connection: Connection, history: History) -> set[str]:
    """Return the migrations that a database has."""
    return history.ancestors(_rows(connection))


def _rows(connection: Connection) -> set[str]:
    if not inspect(connection).has_table(VERSIONS.name):
        return set()
    return set(connection.execute(select(VERSIONS.c.version_num)).scalars())


def stamp(connection: Connection, names: set[str]) -> None:
    """Note these as the last migrations, without running anything."""
    with connection.begin():
        VERSIONS.create(connection, checkfirst=True)
        connection.execute(delete(VERSIONS))
        for name in sorted(names):
            connection.execute(insert(VERSIONS), {"version_num": name})


class Runner:
    """Runs the migrations of one history on one connection.

    Args:
        connection: From `connect(engine_for(...))`.
        history: The files.
        limits: How long locks are waited for.
        say: Is told what happens, a line at a time.
    """

    def __init__(
        self, connection: Connection, history: History, *, limits: MigrationLimits = USUAL, say: Say = print
    ) -> None:
        self.history = history
        self.limits = limits
        self.say = say
        self.connection = connection

    def upgrade(self, target: str | None = None, *, contract: bool = True) -> list[str]:
        """Apply what is missing, up to a migration or all; returns the names.

        Args:
            target: The last one to apply.
            contract: Go on past files that wait for the new code. A database that has nothing yet has no old code
                either, and gets all of them.

        Raises:
            MigrationFailed: One raised; those before it are applied, it is not.
            LockTaken: Another runner did not end in time.
            TwoHeads: Nobody said in which order two branches run.
        """
        head = self.history.head
        goal = self.history.ancestors({self.history.get(target).name if target else head or ""} - {""})
        done: list[str] = []
        with self._alone():
            if not contract and not _rows(self.connection):
                contract = True
            while True:
                name = self._attempt(lambda: self._next(goal, contract=contract), "upgrade")
                if name is None:
                    return done
                done.append(name)

    def rollback(self, target: str | None = None, *, steps: int = 1) -> list[str]:
        """Take back the last migrations: down to a target (which stays), or so many steps; returns the names.

        Args:
            target: A migration, or `zero` for all.
            steps: How many, where there is no target.

        Raises:
            NotReversible: One has no `downgrade`.
        """
        keep = set() if target in {None, "zero"} else self.history.ancestors({self.history.get(str(target)).name})
        done: list[str] = []
        with self._alone():
            while target is not None or len(done) < steps:
                name = self._attempt(lambda: self._last(keep), "downgrade")
                if name is None:
                    break
                done.append(name)
        return done

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if is_mysql(self.connection):
            self.connection.execution_options(isolation_level="AUTOCOMMIT")
        with runner_lock(self.connection, wait=self.limits.runner, say=self.say):
            yield

    def _attempt(self, action: Callable[[], str | None], verb: str) -> str | None:
        """Do one migration, again where it did not get its locks in time."""
        for attempt in range(self.limits.retries + 1):
            try:
                return action()
            except _NoLock as error:
                if attempt == self.limits.retries:
                    raise MigrationFailed(
                        f"{error.name} did not get its locks in {attempt + 1} attempts of {self.limits.lock:g} s.",
                        why="Other transactions hold the table. A migration that waits for it longer would make "
                        "everybody else wait behind it.",
                        fix="Run it in a quiet hour, end long transactions, or raise the limit: "
                        "Migrations(limits=MigrationLimits(lock=10))",
                    ) from error.cause
                self.say(f"  {error.name}: a lock was not free; trying again.")
                time.sleep(min(0.2 * 2**attempt, 5.0))
        return None

    def _next(self, goal: set[str], *, contract: bool) -> str | None:
        with self._transaction() as context:
            VERSIONS.create(self.connection, checkfirst=True)
            rows = _rows(self.connection)
            applied = self.history.ancestors(rows)
            self._forget_replaced(rows)
            waiting = [one for one in self.history if one.name in goal and one.name not in applied]
            if not waiting or (waiting[0].contracts and not contract):
                return None
            one = waiting[0]
            self._run(context, one, "upgrade", one.name)
            rows = _rows(self.connection)
            gone = [parent for parent in one.parents if parent in rows]
            self._note(one.name, replacing=gone)
        if is_mysql(self.connection):
            Journal.clear(self.connection, one.name)
        return one.name

    def _last(self, keep: set[str]) -> str | None:
        with self._transaction() as context:
            applied = applied_of(self.connection, self.history)
            waiting = [one for one in self.history if one.name in applied and one.name not in keep]
            if not waiting:
                return None
            one = waiting[-1]
            self._run(context, one, "downgrade", f"{one.name}:down")
            left = applied - {one.name}
            followed = {parent for name in left for parent in self.history.migrations[name].parents}
            rows = _rows(self.connection)
            heads = left - followed
            for name in sorted(heads - rows):
                self.connection.execute(insert(VERSIONS), {"version_num": name})
            self.connection.execute(delete(VERSIONS).where(VERSIONS.c.version_num.notin_(heads)))
        if is_mysql(self.connection):
            Journal.clear(self.connection, f"{one.name}:down")
            Journal.clear(self.connection, one.name)
        return one.name

    def _note(self, name: str, *, replacing: list[str]) -> None:
        if replacing:  # one statement, so that no server ever sees neither
            self.connection.execute(
                update(VERSIONS).where(VERSIONS.c.version_num == replacing[0]).values(version_num=name)
            )
            self.connection.execute(delete(VERSIONS).where(VERSIONS.c.version_num.in_(replacing[1:])))
        else:
            self.connection.execute(insert(VERSIONS), {"version_num": name})

    def _forget_replaced(self, rows: set[str]) -> None:
        for one in self.history:
            if one.replaces and one.replaces[-1] in rows:
                self._note(one.name, replacing=[one.replaces[-1]])

    @contextmanager
    def _transaction(self) -> Iterator[MigrationContext]:
        if self.connection.in_transaction():
            self.connection.rollback()
        options = {"transactional_ddl": not is_mysql(self.connection)}
        context = MigrationContext.configure(self.connection, opts=options)
        with context.begin_transaction():
            yield context
            if self.connection.dialect.name == "sqlite":
                self._check_keys()
        if self.connection.in_transaction():
            self.connection.commit()

    def _check_keys(self) -> None:
        broken = self.connection.execute(text("PRAGMA foreign_key_check")).all()
        if broken:
            table, row, parent, _ = broken[0]
            raise BrokenKeys(
                f"{len(broken)} rows point to rows that are not there; the first is row {row} of {table}, which points "
                f"to {parent}.",
                why="Foreign keys are off while SQLite copies a table, and are checked before the commit. Nothing was "
                "changed.",
                fix=f"Mend or delete those rows first: PRAGMA foreign_key_check({table})",
            )

    def _run(self, context: MigrationContext, one: Migration, verb: str, key: str) -> None:
        module = one.load()
        function = getattr(module, verb, None)
        if function is None:
            raise NotReversible(
                f"{one.name} has no function `downgrade`.",
                why="What it did cannot be taken back, or nobody wrote how.",
                fix="Restore a backup from before it, or write `downgrade` into it.",
            )
        if is_mysql(self.connection):
            journal = Journal(self.connection, key)
            journal.watch(context.impl)
            if journal.resumes:
                done = sum(mark for _, mark in journal.known.values())
                self.say(f"  {one.name}: {done} steps are done; going on where it stopped.")
        began = time.monotonic()
        before = context._transaction
        try:
            with Operations.context(context):
                function()
        except (DBAPIError, OperationalError) as error:
            if _is_lock(error) and (context._transaction is before or is_mysql(self.connection)):
                raise _NoLock(one.name, error) from error
            raise self._failed(one, verb, error, whole=context._transaction is before) from error
        self.say(f"  {one.name} {'applied' if verb == 'upgrade' else 'taken back'} ({time.monotonic() - began:.2f} s)")

    def _failed(self, one: Migration, verb: str, error: DBAPIError, *, whole: bool) -> MigrationFailed:
        statement = " ".join((error.statement or "").split())[:300]
        after = (
            "The steps before it stay done on this server; run it again when the cause is mended, and it goes on here."
            if is_mysql(self.connection)
            else "It was rolled back as a whole: the database is as it was before it."
            if whole
            else "What it committed on its own (batches, an index built CONCURRENTLY) stays. Run again, "
            "`backfill` goes on and a half-built index is cleared away."
        )
        return MigrationFailed(
            f"{one.name} failed: {error.orig}",
            why=f"The statement was: {statement}\n{after}",
            fix=f"Mend {one.path.name} or the data, and run `demijohn migrate` again."
            if verb == "upgrade"
            else f"Mend `downgrade` in {one.path.name}.",
        )


class _NoLock(Exception):
    def __init__(self, name: str, cause: DBAPIError) -> None:
        super().__init__(name)
        self.name = name
        self.cause = cause


def _is_lock(error: DBAPIError) -> bool:
    return code_of(error) in {"55P03", 1205, 1969} or "database is locked" in str(error.orig)


# -- as SQL -----------------------------------------------------------------------------------------------------------


def sql_of(history: History, one: Migration, connection: Connection, *, down: bool = False) -> list[str]:
    """Return the statements of a migration, as this database gets them; nothing is changed.

    On SQLite, where a change depends on the table as it is, the history runs on an empty database in memory.
    """
    if connection.dialect.name == "sqlite":
        return _sql_in_memory(history, one, down=down)
    buffer = io.StringIO()
    context = MigrationContext.configure(
        dialect=connection.dialect, opts={"as_sql": True, "output_buffer": buffer, "literal_binds": True}
    )
    module = one.load()
    with Operations.context(context):
        (module.downgrade if down else module.upgrade)()
    return [part.strip() for part in buffer.getvalue().split(";\n") if part.strip()]


def _sql_in_memory(history: History, one: Migration, *, down: bool) -> list[str]:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    found: list[str] = []
    engine = create_engine("sqlite://", poolclass=StaticPool)
    before = history.ancestors({one.name})
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            for other in history:
                if other.name in before and (other.name != one.name or down):
                    other.load().upgrade()

            def note(c: Any, cursor: Any, statement: str, parameters: Any, x: Any, many: bool) -> None:
                clean = statement.strip()
                if not clean.upper().startswith(("PRAGMA", "SELECT")):
                    found.append(clean)

            event.listen(engine, "before_cursor_execute", note)
            module = one.load()
            (module.downgrade if down else module.upgrade)()
    engine.dispose()
    return found
