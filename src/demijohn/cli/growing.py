"""`demijohn grow`: an app of one file becomes a package, and a project gets what it was made without."""

import subprocess
import sys
from pathlib import Path

import click

from demijohn.cli.creating import URLS, ProjectError, package_name
from demijohn.cli.growth.additions import Addition
from demijohn.cli.growth.package import Growth
from demijohn.cli.target import get_target

__all__ = ["grow"]


class _Grow(click.Group):
    """A group whose usual command needs no name: `demijohn grow hello.py`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the usual command in front of what names none."""
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["package", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Grow)
def grow() -> None:
    """Make a package of an app in one file, or add what it was made without.

    `demijohn grow hello.py` is short for `demijohn grow package hello.py`.
    The routes keep their names and paths, the models their tables; source text and comments are kept as they are.
    """


@grow.command()
@click.argument("target", required=False)
@click.option("--package", "name", metavar="NAME", help="The name of the package; that of the folder otherwise.")
@click.option("--dry-run", is_flag=True, help="Try it out and tell what would be written; change nothing.")
@click.option("--diff", is_flag=True, help="Print the new files.")
@click.option("--yes", is_flag=True, help="Ask nothing, also where git does not keep the file as it is.")
def package(target: str | None, name: str | None, dry_run: bool, diff: bool, yes: bool) -> None:
    """Make a package of the app in one file (the usual command).

    What is made is tried out first; nothing changes unless its routes, models, commands and checks are the same.
    """
    path = _file_of(get_target(target))
    growth = Growth(path, package=package_name(name or path.parent.name))
    try:
        after = growth.verify()
    finally:  # where it fails, what was made of the file is what one wants to see
        for file, text in growth.writes.items() if diff else ():
            click.secho(f"--- {file}", bold=True)
            click.echo(text)
    if dry_run:
        click.echo(f"{path.name} would become {growth.package}/:\n")
    else:
        if not yes:
            _ask_for_git(path)
        growth.apply()
        click.echo(f"{path.name} became {growth.package}/:\n")
    _tell(growth)
    counts = [_counted(len(after[kind]), kind) for kind in ("routes", "models", "commands") if after[kind]]
    click.echo(f"Loaded and compared: the same {', '.join(counts)}.")
    if not dry_run:
        click.echo("Next:  demijohn test && demijohn run")


@grow.command()
@click.argument("kind", type=click.Choice([kind for kind in URLS if kind != "none"]), default="sqlite")
def database(kind: str) -> None:
    """Add a database to a project that was made without: to app.py, with models.py and forms.py."""
    addition = Addition(Path.cwd(), _package_here())
    addition.add_database(kind)
    _tell_addition(addition)
    click.echo("Next:  demijohn generate feature post title:str --migrate")


@grow.command()
def accounts() -> None:
    """Add users, login and the administration to a project that was made without."""
    addition = Addition(Path.cwd(), _package_here())
    addition.add_accounts()
    _tell_addition(addition)
    click.echo("Next:  demijohn makemigrations && demijohn migrate && demijohn createsuperuser")


def _package_here() -> str:
    where = get_target(None).partition(":")[0]
    package, _, module = where.partition(".")
    if where.endswith(".py") or module != "app":
        raise ProjectError(
            f"The app here is {where!r}, and no package with an app.py.",
            why="The lines are added to the files that `demijohn new` and `demijohn grow` make.",
            fix="Make a package of it first:  demijohn grow",
            code="DJN-668",
        )
    return package


def _tell_addition(addition: Addition) -> None:
    for name in addition.changed:
        click.echo(f"Wrote {name}")


def _file_of(target: str) -> Path:
    where = target.partition(":")[0] if not Path(target).exists() else target
    path = Path(where).resolve()
    if not path.is_file() and Path(f"{where}.py").is_file():
        path = Path(f"{where}.py").resolve()
    if path.is_dir() or (not path.is_file() and not where.endswith(".py")):
        raise ProjectError(
            f"The app {target!r} is a package already.",
            why="`demijohn grow` makes a package of one file.",
            fix="Add to it:  demijohn generate feature post title:str",
            code="DJN-660",
        )
    if not path.is_file():
        raise ProjectError(
            f"There is no file {where!r}.",
            why="The app is read from it.",
            fix="Name it:  demijohn grow hello.py",
            code="DJN-660",
        )
    return path


def _ask_for_git(path: Path) -> None:
    """See to it that git has the file as it is, or that somebody agrees."""
    command = ["git", "status", "--porcelain", "--ignored", "--", path.name]
    try:
        done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)  # noqa: S603
        problem = "has changes that are not committed" if done.stdout.strip() else ""
        problem = problem if done.returncode == 0 else "is not kept by git"
    except OSError:
        problem = "is not kept by git"
    if not problem:
        return
    if sys.stdin.isatty():
        click.confirm(f"{path.name} {problem}, and is removed at the end. Go on?", abort=True)
        return
    raise ProjectError(
        f"{path.name} {problem}.",
        why="It is removed at the end, and could not be had back.",
        fix=f"Commit it, or say that it is fine:  demijohn grow {path.name} --yes",
        code="DJN-667",
    )


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind if count != 1 else kind[:-1]}"


def _tell(growth: Growth) -> None:
    rows: list[tuple[str, str]] = []
    pieces = growth.placement.pieces
    for file in growth.writes:
        folder, _, name = file.rpartition("/")
        module = name.removesuffix(".py")
        told = ""
        if folder == growth.package:
            names = [
                piece.statement.label for piece in pieces if piece.module == module and piece.binds and not piece.routes
            ]
            count = sum(len(piece.routes) for piece in pieces if piece.module == module)
            told = ", ".join([*names, *([_counted(count, "routes")] if count else [])])
        rows.append((file, told))
    verb = "copied to" if growth.others else "moved to"
    rows += [(name, f"{verb} {growth.package}/{name}") for name in growth.folders]
    rows += [(name, "changed") for name in growth.edits]
    rows += [(name, "removed") for name in growth.removals]
    width = max(len(name) for name, _ in rows)
    for name, told in rows:
        click.echo(f"    {name.ljust(width)}  {told[:160]}".rstrip())
    kept = [piece for piece in pieces if piece.reason and piece.module == "app"]
    if kept:
        click.echo("\nStay in app.py, since a module that imports the app could not be imported by it:")
        for piece in kept:
            click.echo(f"    {piece.statement.label}: {piece.reason}")
    if growth.left:
        click.echo("\nTo be changed by hand:")
        for line in growth.left:
            click.echo(f"    {line}")
    click.echo()
