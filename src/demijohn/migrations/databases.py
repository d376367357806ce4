"""`demijohn db ...`: the client of the database, backups, and rows as JSON."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import click
from sqlalchemy import text
from sqlalchemy.engine import URL, Connection

from demijohn.app import UnitCall
from demijohn.migrations.faults import MigrationFailed
from demijohn.migrations.fixtures import dump, load
from demijohn.migrations.project import Project

__all__ = ["backup", "client_of", "database_group"]

Find: TypeAlias = Callable[[str], Project]
_DATABASE = click.option("--database", default="default", show_default=True, help="The alias of the database.")


def client_of(url: URL, *, dumps: Path | None = None) -> tuple[list[str], dict[str, str]]:
    """Return the command line of a database's own client, and what goes into its environment.

    The password goes there, where no list of processes shows it.

    Args:
        url: Where the database is.
        dumps: Write a backup into this file, instead of opening a prompt.
    """
    family = url.get_backend_name()
    if family == "sqlite":
        if shutil.which("sqlite3"):
            return ["sqlite3", str(url.database)], {}
        return [sys.executable, "-m", "sqlite3", str(url.database)], {}
    environment: dict[str, str] = {}
    if family == "postgresql":
        words = ["pg_dump", "--format=custom", f"--file={dumps}"] if dumps else ["psql"]
        flags = {"--host": url.host, "--port": url.port, "--username": url.username, "--dbname": url.database}
        if url.password:
            environment["PGPASSWORD"] = str(url.password)
    else:
        client = "mariadb" if shutil.which("mariadb") else "mysql"
        words = [f"{client}-dump" if client == "mariadb" else "mysqldump"] if dumps else [client]
        words += ["--single-transaction", f"--result-file={dumps}"] if dumps else []
        flags = {"--host": url.host, "--port": url.port, "--user": url.username}
        if url.password:
            environment["MYSQL_PWD"] = str(url.password)
    words += [f"{name}={value}" for name, value in flags.items() if value is not None]
    if family != "postgresql":
        words.append(str(url.database))
    return words, environment


def backup(project: Project, target: Path) -> None:
    """Write a copy of a database into a file, while it is in use.

    Raises:
        MigrationFailed: The file exists, or the tool of the server failed.
    """
    if target.exists():
        raise MigrationFailed(
            f"{target} exists already.", why="A backup is never written over another.", fix="Name another file."
        )
    url = project.database.plan.url
    if url.get_backend_name() == "sqlite":

        def copy(connection: Connection) -> None:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("VACUUM INTO :target"), {"target": str(target)})

        project.call(copy)
        return
    words, environment = client_of(url, dumps=target)
    if shutil.which(words[0]) is None:
        raise MigrationFailed(
            f"The program {words[0]} is not installed.",
            why="It writes the backups of this database.",
            fix="Install the client tools of the server.",
        )
    done = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise MigrationFailed(f"{words[0]} failed: {done.stderr.strip()}", why="It said so.", fix="See its message.")


def database_group(find: Find, app: Any) -> click.Group:
    """Return the commands under `demijohn db` (Any: the app, for `seed`)."""

    @click.group()
    def db() -> None:
        """The database itself: its prompt, backups, and rows as JSON."""

    @db.command()
    @_DATABASE
    def shell(database: str) -> None:
        """Open the prompt of the database's own client."""
        words, environment = client_of(find(database).database.plan.url)
        if shutil.which(words[0]) is None:
            raise click.ClickException(f"{words[0]} is not installed.")
        raise SystemExit(subprocess.run(words, env={**os.environ, **environment}, check=False).returncode)  # noqa: S603

    @db.command(name="backup")
    @click.argument("target", required=False, type=click.Path(path_type=Path))
    @_DATABASE
    def back_up(target: Path | None, database: str) -> None:
        """Write a copy of the database into a file, while it is in use."""
        project = find(database)
        suffix = {"sqlite": "db", "postgresql": "dump"}.get(project.database.backend, "sql")
        target = target or Path(f"backup-{datetime.now(UTC):%Y%m%d-%H%M%S}.{suffix}")
        backup(project, target)
        click.echo(f"Wrote {target} ({target.stat().st_size} bytes).")

    @db.command(name="dump")
    @click.argument("tables", nargs=-1)
    @click.option("--output", "-o", type=click.Path(path_type=Path), help="The file; printed otherwise.")
    @_DATABASE
    def dump_rows(tables: tuple[str, ...], output: Path | None, database: str) -> None:
        """Write the rows of TABLES, or of all models, as JSON."""
        project = find(database)
        content = project.call(lambda connection: dump(connection, project.tables(), only=tables))
        if output is None:
            click.echo(content, nl=False)
        else:
            output.write_bytes(content)

    @db.command(name="load")
    @click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
    @_DATABASE
    def load_rows(files: tuple[Path, ...], database: str) -> None:
        """Write the rows of JSON files, new or over those with the same key."""
        project = find(database)
        for file in files:
            content = file.read_bytes()
            count = project.call(partial(load, tables=project.tables(), content=content), reading=False)
            click.echo(f"{file}: {count} rows")

    @db.command()
    @click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
    def seed(file: Path | None) -> None:
        """Run `seed()` of FILE, or of `seeds.py` beside the app: the rows that every installation starts with."""
        path = file or app.root_path / "seeds.py"
        if not path.exists():
            raise click.ClickException(f"There is no {path}. Write `async def seed(): ...` into it.")
        values: dict[str, Any] = {"__name__": "seeds", "__file__": str(path), "__package__": _package_of(path.parent)}
        exec(compile(path.read_bytes(), str(path), "exec"), values)  # noqa: S102 - the project's own file
        function = values.get("seed")
        if not callable(function):
            raise click.ClickException(f"{path} has no function `seed`.")
        asyncio.run(_seed(app, function))
        click.echo("Seeded.")

    return db


async def _seed(app: Any, function: Callable[[], Any]) -> None:
    call = UnitCall(function, app.services)
    async with app.context() as unit:
        await call(unit, {})


def _package_of(folder: Path) -> str | None:
    """Return the package that a folder is, where the app has loaded it: a file in it may import relatively."""
    for name, module in list(sys.modules.items()):
        if str(folder.resolve()) in map(str, getattr(module, "__path__", None) or ()):
            return name
    return None
