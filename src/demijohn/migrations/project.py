"""One database with its history: what the commands, the checks and the error page do."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import MetaData, Table, text
from sqlalchemy import inspect as sqlalchemy_inspect
from sqlalchemy.engine import Connection

from demijohn._lib.text import did_you_mean
from demijohn.db import Database, Model
from demijohn.errors import ConfigurationError
from demijohn.migrations.changes import Changes
from demijohn.migrations.comparing import compare, own_tables, table_of
from demijohn.migrations.connecting import USUAL, MigrationLimits, connect, engine_for, run, version_of
from demijohn.migrations.faults import BadHistory, Behind
from demijohn.migrations.history import History, Migration, slug_of
from demijohn.migrations.linting import Filled, Finding, lint
from demijohn.migrations.naming import Ask, Renamed
from demijohn.migrations.origins import bring
from demijohn.migrations.rendering import render, render_file, slug_for, title_for
from demijohn.migrations.running import Runner, applied_of, sql_of, stamp
from demijohn.migrations.safety import Fill, Step, steps_of

__all__ = ["Project", "databases_of", "project_of"]

T = TypeVar("T")
Say = Callable[[str], None]


def databases_of(app: Any) -> dict[str, Database]:
    """Return the databases of an app by alias (Any: the app)."""
    found = [battery for battery in app.batteries.values() if isinstance(battery, Database)]
    return {database.alias: database for database in found}


def project_of(
    app: Any, alias: str, *, folder: Path, metadata: Iterable[MetaData], limits: MigrationLimits | None, url: str | None
) -> "Project":
    """Return the database of an alias with its history.

    Args:
        app: The app (Any: it has registries of every kind).
        alias: The alias of the database.
        folder: Where the files are, relative to the app.
        metadata: Tables beside those of the models.
        limits: How long things may take.
        url: A direct URL of the default database.

    Raises:
        ConfigurationError: There is no such database.
    """
    databases = databases_of(app)
    if alias not in databases:
        raise ConfigurationError(
            f"The app has no database {alias!r}.{did_you_mean(alias, databases)}",
            why=f"It has {', '.join(map(repr, databases)) or 'none'}.",
            fix='db = app.use(Database("sqlite:///app.db"))',
            code="DJN-852",
        )
    folder = app.root_path / folder
    brought = {
        name: Path(path)
        for name, one in app.batteries.items()
        if (path := getattr(one, "migrations", None)) is not None and isinstance(path, str | Path)
    }
    project = Project(
        databases[alias],
        folder if alias == "default" else folder / alias,
        metadata=[Model.metadata, *metadata],
        limits=limits or USUAL,
        url=url if alias == "default" else None,
    )
    project.brought = brought if alias == "default" else {}
    return project


class Project:
    """A database and the folder of its migrations.

    Args:
        database: The database.
        folder: The folder; it need not exist yet.
        metadata: Where the tables of the models are.
        limits: How long things may take.
        url: A direct URL, where it differs from that of the app.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        metadata: Iterable[MetaData] = (Model.metadata,),
        limits: MigrationLimits = USUAL,
        url: str | None = None,
    ) -> None:
        self.database = database
        self.folder = folder
        self.metadata = list(dict.fromkeys(metadata))
        self.limits = limits
        self.url = url
        self.history = History(folder)
        self.brought: dict[str, Path] = {}

    def call(self, function: Callable[[Connection], T], *, reading: bool = True) -> T:
        """Run a function with a connection for migrations."""

        def work() -> T:
            engine = engine_for(self.database, url=self.url, limits=self.limits)
            with connect(engine, reading=reading) as connection:
                return function(connection)

        return run(work)

    def applied(self) -> set[str]:
        """Return the names of the migrations that the database has."""
        return self.call(lambda connection: applied_of(connection, self.history))

    def pending(self) -> list[Migration]:
        """Return the migrations that the database lacks, in their order."""
        if not len(self.history):
            return []
        applied = self.applied()
        return [one for one in self.history if one.name not in applied]

    def migrate(self, target: str | None = None, *, contract: bool = True, say: Say = print) -> list[str]:
        """Apply what is missing; returns the names.

        Args:
            target: The last one to apply.
            contract: Go on past files of the phase `contract`.
            say: Is told what happens, a line at a time.
        """
        return self.call(
            lambda connection: Runner(connection, self.history, limits=self.limits, say=say).upgrade(
                target, contract=contract
            ),
            reading=False,
        )

    def rollback(self, target: str | None = None, *, steps: int = 1, say: Say = print) -> list[str]:
        """Take back the last migrations; returns the names."""
        return self.call(
            lambda connection: Runner(connection, self.history, limits=self.limits, say=say).rollback(
                target, steps=steps
            ),
            reading=False,
        )

    def sql(self, name: str, *, down: bool = False) -> list[str]:
        """Return the statements of a migration on this database."""
        one = self.history.get(name)
        return self.call(lambda connection: sql_of(self.history, one, connection, down=down))

    def fake(self, names: set[str]) -> None:
        """Note migrations as applied without running them."""
        self.call(lambda connection: stamp(connection, names), reading=False)

    # -- writing ------------------------------------------------------------------------------------------------------

    def changes(
        self, *, ask: Ask | None = None, allow_drop: bool = False, brought: Iterable[Migration] = ()
    ) -> Changes:
        """Return what the models say that the database does not.

        Args:
            ask: As in `make`.
            allow_drop: As in `make`.
            brought: Migrations of batteries that are about to be applied; their tables are left to them.

        Raises:
            Behind: The database lacks migrations.
        """
        Model.registry.configure()
        tables = own_tables(self.metadata, self.database.alias)
        coming = {one.name: one for one in brought}
        theirs = {one.battery for one in coming.values()}
        apart = {table_of(key) for one in self.history if theirs and one.battery in theirs for key in one.texts}
        renamed = Renamed(tables, declared=_declared(), ask=ask, allow_drop=allow_drop)

        def work(connection: Connection) -> Changes:
            applied = applied_of(connection, self.history)
            pending = [one.name for one in self.history if one.name not in applied and one.name not in coming]
            if pending:
                raise Behind(pending, contract=any(self.history.migrations[one].contracts for one in pending))
            return compare(connection, tables, self.history, renamed=renamed, apart=apart)

        return self.call(work)

    def make(
        self, name: str | None = None, *, ask: Ask | None = None, allow_drop: bool = False, safe: Fill | None = None
    ) -> list[Migration]:
        """Write the next migration from the models; none where there is nothing to say.

        What is new of the batteries comes before it.

        Args:
            name: Words for the name of the file.
            ask: Asks whether something was renamed or may be dropped; without it both are refused.
            allow_drop: Whether what is gone from the models may be dropped.
            safe: Write the safe form, in several files; it is asked for the SQL that fills a required column.

        Raises:
            Behind: The database lacks migrations.
            AmbiguousRename, DropRefused, FillWanted: Nobody is there to ask.
            NoSafeForm: This server has none.
            TwoHeads: The history has two ends.
        """
        self.history.head  # noqa: B018 - two heads are told before anything is written
        if self.brought and (pending := self.pending()):
            raise Behind([one.name for one in pending], contract=any(one.contracts for one in pending))
        brought = bring(self.history, self.brought)
        head = self.history.head
        changes = self.changes(ask=ask, allow_drop=allow_drop, brought=brought)
        if not changes:
            return brought
        if safe is not None and head is not None:
            tables = own_tables(self.metadata, self.database.alias)
            steps = self.call(lambda _: steps_of(changes, tables=tables, fill=safe)) or [_noting(changes)]
        else:
            code = self.call(lambda _: render(changes))
            steps = [Step("expand", title_for(changes), *code)]
            name = name or slug_for(changes, first=head is None)
        return [*brought, *self._write(steps, name, changes.texts)]

    def _write(self, steps: list[Step], name: str | None, texts: dict[str, str | None]) -> list[Migration]:
        made: list[Migration] = []
        for position, step in enumerate(steps, start=1):
            words = name if name and len(steps) == 1 else f"{name}_{position}" if name else step.title.partition(",")[0]
            full = self.history.next_name(slug_of(words))
            head = self.history.head
            extra: dict[str, Any] = {} if step.phase == "expand" else {"phase": step.phase}
            if step.accepts:
                extra["accepts"] = step.accepts
            source = render_file(
                full,
                () if head is None else (head,),
                title=step.title,
                upgrade=step.upgrade,
                downgrade=step.downgrade,
                imports=step.imports,
                texts=texts if position == len(steps) else None,
                extra=extra,
            )
            made.append(self.history.add(full, source))
        return made

    def make_empty(self, name: str) -> Migration:
        """Write a migration with nothing in it, for SQL or data of one's own."""
        head = self.history.head
        full = self.history.next_name(slug_of(name))
        title = name.strip().capitalize().rstrip(".") + "."
        source = render_file(full, () if head is None else (head,), title=title, upgrade="", downgrade="")
        return self.history.add(full, source)

    def merge(self, name: str = "merge") -> Migration:
        """Write a migration that follows both heads and does nothing else.

        Raises:
            BadHistory: There is only one head.
        """
        heads = self.history.heads
        if len(heads) < 2:
            raise BadHistory(
                f"The history has {len(heads)} head.",
                why="There is nothing to bring together.",
                fix="demijohn showmigrations",
            )
        full = self.history.next_name(slug_of(name))
        source = render_file(
            full, tuple(heads), title=f"Bring {' and '.join(heads)} together.", upgrade="", downgrade=""
        )
        return self.history.add(full, source)

    def squash(self, name: str = "squashed") -> tuple[Migration, list[Migration]]:
        """Put all migrations into one that makes the schema of today; return it and those that it replaces.

        A database that has all of them takes it for applied; one that has only some is told so.

        Raises:
            Behind: The database lacks migrations.
            BadHistory: There is nothing to put together, or the models say more than the migrations.
        """
        if self.changes(allow_drop=True):
            raise BadHistory(
                "The models say more than the migrations do.",
                why="What is put together has to be the whole.",
                fix="demijohn makemigrations && demijohn migrate",
            )
        old = list(self.history)
        if len(old) < 2 or self.history.head is None:
            raise BadHistory(
                f"The history has {len(old)} migration.", why="There is nothing to put together.", fix="Leave it."
            )
        tables = own_tables(self.metadata, self.database.alias)

        def work(connection: Connection) -> tuple[Changes, tuple[str, str, str]]:
            changes = compare(connection, tables, self.history, fresh=True)
            return changes, render(changes)

        changes, (upgrade, downgrade, imports) = self.call(work)
        full = self.history.next_name(slug_of(name))
        replaced = tuple(dict.fromkeys(before for one in old for before in (*one.replaces, one.name)))
        source = render_file(
            full,
            (),
            title=f"All migrations up to {old[-1].name} as one.",
            upgrade=upgrade,
            downgrade=downgrade,
            imports=imports,
            texts=changes.texts,
            extra={"replaces": replaced},
        )
        for one in old:
            one.path.unlink()
        return self.history.add(full, source), old

    def tables(self) -> list[Table]:
        """Return the tables of the models, parents first, with the types of the models."""
        Model.registry.configure()
        return [
            table
            for metadata in self.metadata
            for table in metadata.sorted_tables
            if table.info.get("database", "default") == self.database.alias
        ]

    def findings(self, migrations: Iterable[Migration]) -> list[tuple[Migration, Finding]]:
        """Return what the linter says of migrations on this database; nothing where nobody uses it yet."""
        wanted = list(migrations)

        def work(connection: Connection) -> list[tuple[Migration, Finding]]:
            if not applied_of(connection, self.history):
                return []
            there = set(sqlalchemy_inspect(connection).get_table_names())

            def is_empty(name: str) -> bool:
                if name not in there:
                    return False
                quoted = connection.dialect.identifier_preparer.quote(name)
                # A file of SQLite is copied at a million rows a second: a small table holds nobody up.
                few = 10_000 if connection.dialect.name == "sqlite" else 0
                first = f"select 1 from {quoted} limit 1 offset {few}"  # noqa: S608 - quoted
                return connection.execute(text(first)).first() is None

            version, family = version_of(connection), connection.dialect.name
            filled = Filled(_checks(connection))
            return [
                (one, found)
                for one in wanted
                for found in lint(
                    sql_of(self.history, one, connection),
                    family=family,
                    version=version,
                    # When it runs, no code is left that knows what it drops.
                    accepts=(*one.accepts, "drop-table", "drop-column") if one.contracts else one.accepts,
                    is_empty=is_empty,
                    filled=filled,
                )
            ]

        return self.call(work) if wanted else []

    def rebase(self, name: str) -> list[tuple[str, str]]:
        """Put the branch of a head behind the other; returns pairs of old and new names."""
        return self.history.rebase(name, applied=self.applied())


def _checks(connection: Connection) -> list[tuple[str, str]]:
    """Return the constraints of PostgreSQL that it has looked at every row for, by table."""
    if connection.dialect.name != "postgresql":
        return []
    rows = connection.execute(
        text(
            "select relname, pg_get_constraintdef(pg_constraint.oid) from pg_constraint "
            "join pg_class on pg_class.oid = conrelid where contype = 'c' and convalidated"
        )
    )
    return [(str(table), str(sql)) for table, sql in rows]


def _noting(changes: Changes) -> Step:
    return Step("expand", title_for(changes), "")


def _declared() -> dict[str, str]:
    found: dict[str, str] = {}
    for mapper in Model.registry.mappers:
        old = mapper.class_.__dict__.get("__renamed_from__")
        if old:
            found[str(mapper.class_.__table__.name)] = old
    return found
