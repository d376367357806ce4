"""The commands: `demijohn makemigrations`, `migrate` and their like, as Click commands."""

import sys
from collections.abc import Callable
from itertools import takewhile
from typing import Any, TypeAlias

import click

from demijohn.migrations.databases import database_group
from demijohn.migrations.faults import ContractWaits, UnsafeMigration
from demijohn.migrations.history import Migration
from demijohn.migrations.inspecting import models_of
from demijohn.migrations.naming import Ask
from demijohn.migrations.project import Project
from demijohn.migrations.safety import Fill

Find: TypeAlias = Callable[[str], Project]

__all__ = ["commands_for"]

_DATABASE = click.option("--database", default="default", show_default=True, help="The alias of the database.")


def _ask(no_input: bool) -> Ask | None:
    if no_input or not sys.stdin.isatty():
        return None
    return lambda question: click.confirm(question, default=False)


def _filling(given: tuple[str, ...], no_input: bool) -> Fill:
    known: dict[str, str] = {}
    for one in given:
        where, equals, sql = one.partition("=")
        if not equals or "." not in where or not sql.strip():
            raise click.BadParameter(f"{one!r} is not TABLE.COLUMN=SQL.", param_hint="--fill")
        known[where.strip()] = sql.strip()
    asks = not no_input and sys.stdin.isatty()

    def fill(where: str) -> str | None:
        if where not in known and asks:
            known[where] = click.prompt(
                f"SQL that fills {where} in rows that are there", default="", show_default=False
            )
        return known.get(where) or None

    return fill


def _shorter(path: object) -> str:
    from pathlib import Path

    try:
        return str(Path(str(path)).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def commands_for(find: Find, app: Any, *, lint: bool = True) -> list[click.Command]:
    """Return the commands that work on the databases of an app.

    Args:
        find: Returns the project of an alias.
        app: The app (Any: for its settings, and for `db seed`).
        lint: Whether migrations are looked at before they run.
    """
    strict = lint and not app.debug
    return [
        *_making(find, lint=lint),
        *_running(find, app, lint=lint, strict=strict),
        *_joining(find),
        database_group(find, app),
    ]


def _no_app(context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse the file of an app where a migration is named: `run` and `routes` take it in that place."""
    if value is not None and value.endswith(".py"):
        raise click.UsageError(
            f"{value!r} is an app, which is named before the command:  demijohn -A {value} {context.info_name}", context
        )
    return value


def _making(find: Find, *, lint: bool) -> list[click.Command]:
    @click.command()
    @click.argument("name", required=False, callback=_no_app)
    @_DATABASE
    @click.option("--empty", is_flag=True, help="Write a file with nothing in it, for SQL or data of your own.")
    @click.option("--allow-drop", is_flag=True, help="What is gone from the models may be dropped.")
    @click.option("--check", is_flag=True, help="Write nothing; exit with 1 where a migration is missing.")
    @click.option("--no-input", is_flag=True, help="Never ask; stop where a question would come.")
    @click.option("--safe", is_flag=True, help="Write the form in several files that a running site does not notice.")
    @click.option(
        "--fill",
        multiple=True,
        metavar="TABLE.COLUMN=SQL",
        help="With --safe: what a required column holds in rows that are there.",
    )
    def makemigrations(
        name: str | None,
        database: str,
        empty: bool,
        allow_drop: bool,
        check: bool,
        no_input: bool,
        safe: bool,
        fill: tuple[str, ...],
    ) -> None:
        """Write the next migration: what the models say and the database does not have yet."""
        project = find(database)
        if empty:
            made = [project.make_empty(name or "data")]
        elif check:
            if project.changes(allow_drop=True):
                click.echo("The models say more than the migrations do. Run: demijohn makemigrations")
                raise SystemExit(1)
            click.echo("The migrations say all that the models do.")
            return
        else:
            filling = _filling(fill, no_input) if safe or fill else None
            made = project.make(name, ask=_ask(no_input), allow_drop=allow_drop, safe=filling)
        if not made:
            click.echo("Nothing to write: the migrations say all that the models do.")
        for one in made:
            click.echo(f"Wrote {_shorter(one.path)}{_phase(one)}: {one.doc}")
            if not empty:
                _print_sql(project, one.name)
        if made and not empty and lint:
            _print_findings(project, made, made=True)
        if made and not empty:
            click.echo("Read it, then: demijohn migrate")

    return [makemigrations]


def _print_findings(project: Project, migrations: list[Migration], *, made: bool = False) -> bool:
    findings = project.findings(migrations)
    for one, finding in findings:
        click.secho(f"{one.name}: {finding}", fg="yellow", err=True)
    if findings:
        kinds = ", ".join(f'"{kind}"' for kind in dict.fromkeys(finding.kind for _, finding in findings))
        if any(finding.written for _, finding in findings) and made:
            names = " ".join(dict.fromkeys(_shorter(one.path) for one, _ in findings))
            click.secho(f"For the safe form:  rm {names} && demijohn makemigrations --safe", fg="yellow", err=True)
        click.secho(f"Where that is all right, write into the file:  accepts = ({kinds},)", fg="yellow", err=True)
    return bool(findings)


def _print_sql(project: Project, name: str, *, down: bool = False) -> None:
    for statement in project.sql(name, down=down):
        click.secho("".join(f"    {line}\n" for line in f"{statement};".splitlines()), nl=False, dim=True)


def _running(find: Find, app: Any, *, lint: bool, strict: bool) -> list[click.Command]:
    @click.command()
    @click.argument("target", required=False, callback=_no_app)
    @_DATABASE
    @click.option("--check", is_flag=True, help="Change nothing; exit with 1 where migrations are pending.")
    @click.option("--sql", is_flag=True, help="Change nothing; print the SQL of what is pending.")
    @click.option("--fake", is_flag=True, help="Note the migrations as applied without running them.")
    @click.option("--unsafe", is_flag=True, help="Run what the linter warns of.")
    @click.option("--contract", is_flag=True, help="The new code is live everywhere: apply what waits for that too.")
    def migrate(
        target: str | None, database: str, check: bool, sql: bool, fake: bool, unsafe: bool, contract: bool
    ) -> None:
        """Apply the migrations that the database lacks: all, or up to TARGET.

        Outside of development it stops before those of the phase `contract`, unless --contract is given.
        """
        project = find(database)
        if not len(project.history):
            _tell_empty(project)
            return
        lacking = project.pending()
        # Where nothing was applied yet, or in development, no older code runs.
        contract = contract or app.debug or len(lacking) == len(project.history)
        pending = lacking if contract else list(takewhile(lambda one: not one.contracts, lacking))
        waiting = lacking[len(pending) :]
        behind = [one.name for one in waiting if not one.contracts]
        if check:
            for one in lacking:
                waits = one.contracts and one in waiting
                click.echo(f"{'waits for the new code' if waits else 'pending'}: {one.name}")
            if not lacking:
                click.echo("No migration is pending.")
            raise SystemExit(1 if pending or behind else 0)
        if sql:
            for one in lacking:
                click.echo(f"-- {one.name}{_phase(one)}: {one.doc}")
                for statement in project.sql(one.name):
                    click.echo(f"{statement};")
            return
        if fake:
            names = {project.history.get(target).name} if target else set(project.history.heads)
            project.fake(names)
            click.echo(f"Noted as applied: {', '.join(sorted(names))}")
            return
        if lint and not unsafe and _print_findings(project, pending) and strict:
            raise UnsafeMigration(
                "A pending migration would lock a table that has rows, or break code that still runs.",
                why="This is not a development run, so the site may be in use.",
                fix="Write the form in several steps, or `accepts = (...)`; or: demijohn migrate --unsafe",
            )
        done = project.migrate(target, contract=contract, say=click.echo)
        if done or not waiting:
            click.echo(f"{len(done)} applied." if done else "Up to date: no migration is pending.")
        if waiting and target is None:
            if behind:
                raise ContractWaits(waiting[0].name, behind)
            click.echo(
                f"Stopped before {waiting[0].name}: it waits until no older code runs.\n"
                "When the new code is live everywhere, run: demijohn migrate --contract"
            )
        elif target is not None and project.history.get(target) in waiting:
            raise ContractWaits(waiting[0].name, [project.history.get(target).name])

    @click.command()
    @click.argument("target", required=False, callback=_no_app)
    @_DATABASE
    @click.option("--steps", default=1, show_default=True, help="How many, where there is no TARGET.")
    def rollback(target: str | None, database: str, steps: int) -> None:
        """Take back the last migration, or all behind TARGET (`zero` for every one)."""
        done = find(database).rollback(target, steps=steps, say=click.echo)
        click.echo(f"{len(done)} taken back." if done else "Nothing to take back.")

    @click.command()
    @_DATABASE
    def showmigrations(database: str) -> None:
        """List the migrations, and which of them the database has."""
        project = find(database)
        if not len(project.history):
            _tell_empty(project)
            return
        applied = project.applied()
        for one in project.history:
            mark = "x" if one.name in applied else " "
            origin = f" (from {one.origin})" if one.origin else ""
            click.echo(f"[{mark}] {one.name}{_phase(one)}  {one.doc}{origin}")
        if len(project.history.heads) > 1:
            click.secho(f"Two heads: {', '.join(project.history.heads)}. See: demijohn explain DJN-840", fg="red")

    @click.command()
    @click.argument("name")
    @_DATABASE
    @click.option("--down", is_flag=True, help="The SQL that takes it back.")
    def sqlmigrate(name: str, database: str, down: bool) -> None:
        """Print the SQL of a migration, as this database gets it."""
        project = find(database)
        if project.history.get(name).contracts:
            click.echo("-- contract: it runs when the new code is live everywhere")
        for statement in project.sql(name, down=down):
            click.echo(f"{statement};")

    return [migrate, rollback, showmigrations, sqlmigrate]


def _phase(one: Migration) -> str:
    return " (contract)" if one.contracts else ""


def _tell_empty(project: Project) -> None:
    """Say what `migrate` would do where there is no migration, and why it does nothing."""
    folder = _shorter(project.folder)
    changes = project.changes(allow_drop=True)
    if not changes:
        click.echo(
            f"Nothing to do. `migrate` applies the files of {folder}/ to the database; there are none, and no model "
            "asks for a table.\nDeclare one (`class Post(Model): ...`) in a module that the app imports, then run: "
            "demijohn makemigrations"
        )
        return
    names = ", ".join(sorted(key for key in changes.texts if " " not in key))
    click.echo(
        f"Nothing was changed. `migrate` applies the files of {folder}/, and there are none yet.\n"
        f"The models ask for these tables: {names}.\n"
        "Write the first file from them: demijohn makemigrations"
    )


def _joining(find: Find) -> list[click.Command]:
    @click.command()
    @click.argument("name", default="merge")
    @_DATABASE
    def merge(name: str, database: str) -> None:
        """Write a migration that follows both heads, where both were deployed."""
        one = find(database).merge(name)
        click.echo(f"Wrote {_shorter(one.path)}: {one.doc}")

    @click.command()
    @click.argument("head")
    @_DATABASE
    def rebase(head: str, database: str) -> None:
        """Put the branch that ends in HEAD behind the other; it must not have been deployed."""
        for old, new in find(database).rebase(head):
            click.echo(f"{old} is now {new}")

    @click.command()
    @click.argument("name", default="squashed")
    @_DATABASE
    def squash(name: str, database: str) -> None:
        """Put all migrations into one that makes the schema of today."""
        made, old = find(database).squash(name)
        click.echo(f"Wrote {_shorter(made.path)}, in the place of {len(old)} files.")
        by_hand = [one.name for one in old if one.changes_data]
        if by_hand:
            click.echo(f"Read it: what these did to data is not in it: {', '.join(by_hand)}")

    @click.command()
    @click.argument("tables", nargs=-1)
    @_DATABASE
    def inspectdb(tables: tuple[str, ...], database: str) -> None:
        """Print models for the tables that the database has already."""
        click.echo(find(database).call(lambda connection: models_of(connection, only=tables)), nl=False)

    return [merge, rebase, squash, inspectdb]
