"""The battery: commands, checks and the action of the error page. What it needs is loaded when one of them runs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from demijohn.app import CheckMessage
    from demijohn.migrations.connecting import MigrationLimits
    from demijohn.migrations.project import Project

__all__ = ["Migrations"]


class Migrations:
    """The migrations of an app's databases.

    It comes with a `Database`; `app.use(...)` only configures it.

    Args:
        folder: Where the files are, relative to the app. A database that is not the default one has a folder of its
            alias below it.
        limits: How long locks, statements and other runners are waited for.
        url: A direct URL for migrations, where the app reaches its database through a pooler that forgets sessions.
        metadata: Tables beside those of the models: SQLAlchemy's `MetaData` objects.
        lint: Whether migrations are looked at for what would lock or break a running site.

    Example:
        app.use(Migrations("schema", limits=MigrationLimits(lock=5)))
    """

    name = "migrations"
    requires: tuple[str, ...] = ()

    def __init__(
        self,
        folder: str | Path = "migrations",
        *,
        limits: "MigrationLimits | None" = None,
        url: str | None = None,
        metadata: "Sequence[MetaData]" = (),
        lint: bool = True,
    ) -> None:
        self.folder = Path(folder)
        self.limits = limits
        self.url = url
        self.metadata: list[MetaData] = list(metadata)
        self.lint = lint
        self._app: Any = None

    def install(self, app: Any) -> None:
        """Add commands, checks and the action of the error page (Any: the app)."""
        self._app = app
        app.commands.add_source(self._commands)
        app.checks.add(self._check)
        app.actions.add("migrate", _Apply(self))

    def project(self, alias: str = "default") -> "Project":
        """Return the history and the database of an alias.

        Raises:
            ConfigurationError: The app has no such database.
        """
        from demijohn.migrations.project import project_of

        return project_of(
            self._app, alias, folder=self.folder, metadata=self.metadata, limits=self.limits, url=self.url
        )

    def aliases(self) -> list[str]:
        """Return the aliases of the app's databases."""
        from demijohn.migrations.project import databases_of

        return list(databases_of(self._app))

    def apply_pending(self) -> list[str]:
        """Apply the pending migrations of every database, and return what was done.

        The development error page offers it.
        """
        lines: list[str] = []
        for alias in self.aliases():
            self.project(alias).migrate(say=lines.append)
        return lines

    def _commands(self) -> Iterable[tuple[str | None, Any]]:
        from demijohn.migrations.commands import commands_for

        return [(None, command) for command in commands_for(self.project, self._app, lint=self.lint)]

    def _check(self, app: Any) -> "Iterable[CheckMessage]":
        from demijohn.migrations.checking import check_all

        return check_all(dict.fromkeys(self.aliases(), self.project))


class _Apply:
    """Apply the pending migrations."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    def __call__(self) -> list[str]:
        return self._migrations.apply_pending() or ["No migration is pending."]

    def applies_to(self, error: BaseException) -> bool:
        """Return whether an error says that a table or column is missing."""
        from demijohn.db.missing import is_schema_missing

        return is_schema_missing(error)
