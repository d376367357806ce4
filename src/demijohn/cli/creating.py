"""`demijohn new`: a project that runs, with tests that pass."""

import keyword
import re
import sys
from pathlib import Path

import click

from demijohn.cli.skeleton import files_of
from demijohn.errors import DemijohnError

__all__ = ["URLS", "ProjectError", "new", "package_name"]

URLS = {
    "sqlite": "sqlite:///{name}.db",
    "postgresql": "postgresql://localhost/{name}",
    "mariadb": "mariadb://localhost/{name}",
    "mysql": "mysql://localhost/{name}",
    "none": "",
}


class ProjectError(DemijohnError):
    """A project cannot be made or changed as was asked."""

    code = "DJN-640"


@click.command()
@click.argument("name")
@click.option("--single", is_flag=True, help="One file, app.py, in the place of a package.")
@click.option("--database", type=click.Choice(list(URLS)), help="Where data is kept.")
@click.option("--accounts/--no-accounts", default=None, help="Users, login and the administration.")
@click.option("--no-input", is_flag=True, help="Ask nothing; take SQLite, and accounts for a package.")
def new(name: str, single: bool, database: str | None, accounts: bool | None, no_input: bool) -> None:
    """Make a project in the folder NAME: an app with pages, tests and settings.

    Without flags it asks for the database, and whether there are accounts.
    """
    folder = Path(name)
    package = package_name(folder.name)
    if folder.exists() and any(folder.iterdir()):
        raise ProjectError(
            f"The folder {str(folder)!r} is there, and is not empty.",
            why="A new project would be mixed with what is in it.",
            fix=f"Choose another name, or move it away:  demijohn new {folder.name}-site",
        )
    asks = not no_input and sys.stdin.isatty()
    if database is None:
        database = click.prompt("Database", type=click.Choice(list(URLS)), default="sqlite") if asks else "sqlite"
    if accounts is None:
        has_database = database != "none"
        accounts = has_database and not single
        if asks and has_database:
            accounts = click.confirm("Users, login and administration?", default=accounts)
    if accounts and database == "none":
        raise ProjectError(
            "Accounts were asked for, and no database.",
            why="Users are kept in a database.",
            fix=f"Choose one:  demijohn new {folder.name} --database sqlite --accounts",
        )
    extras = {"postgresql": "[postgresql]", "mariadb": "[mysql]", "mysql": "[mysql]"}
    values = {
        "name": re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-"),
        "package": package,
        "title": package.replace("_", " ").capitalize(),
        "single": single,
        "database": database != "none",
        "url": URLS[database].format(name=package),
        "extra": extras.get(database, ""),
        "accounts": accounts,
        "dependencies": [],
        "root_tests": [],
        "line_length": 100,
        "longest_line": 100,
        "strict": True,
    }
    for file, text in files_of("single" if single else "package", values).items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    click.echo(f"Made {folder}/. Next:\n")
    click.echo(f"    cd {folder}")
    if database != "none" and accounts:
        click.echo("    demijohn makemigrations && demijohn migrate")
        click.echo("    demijohn createsuperuser")
    click.echo("    demijohn run")


def package_name(name: str) -> str:
    """Return the name of the package for a project.

    Raises:
        ProjectError: No name of a module can be made of it.
    """
    made = re.sub(r"\W+", "_", name.replace("-", "_")).strip("_").lower()
    if not made.isidentifier() or keyword.iskeyword(made) or made in _TAKEN or made in sys.stdlib_module_names:
        raise ProjectError(
            f"A project cannot be called {name!r}.",
            why=f"Its package would be {made!r}, which is no name, or the name of something that Python has already.",
            fix="Choose another one:  demijohn new my-site",
        )
    return made


_TAKEN = frozenset(("demijohn", "tests", "app", "site", "test"))
