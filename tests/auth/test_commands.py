"""`createsuperuser` and `changepassword`: functions of the app, run as all its commands are."""

import asyncio
import inspect
from pathlib import Path

from click.testing import CliRunner, Result

from demijohn import App
from demijohn.cli.commands import click_command
from demijohn.db import Database
from tests.auth.site import WEAK, User, make_app, make_tables

GOOD, OTHER = "correct horse battery 9", "another battery horse 7"


def run(app: App, name: str, *arguments: str, typed: str = "", password: str | None = None) -> Result:
    app.freeze()
    functions = {getattr(each, "__name__", ""): each for _, each in app.all_commands()}
    assert inspect.iscoroutinefunction(functions[name])
    command = click_command(app, None, functions[name])
    return CliRunner().invoke(command, list(arguments), input=typed, env={"SUPERUSER_PASSWORD": password})


def test_a_superuser_is_made_and_gets_another_password(tmp_path: Path) -> None:
    """The commands write in a unit of work of the app; what is missing or wrong is told, and nothing is written."""
    url = f"sqlite:///{tmp_path / 'site.db'}"

    async def prepare() -> None:
        database = Database(url)
        await make_tables(database)
        await database.dispose()

    async def look(email: str) -> tuple[bool, bool]:
        async def find() -> tuple[bool, str]:
            user = await User.find_by_email(email)
            assert user is not None
            return user.is_superuser and user.is_staff, user.password_hash or ""

        database = Database(url)
        may, hashed = await database.run(find())
        await database.dispose()
        return may, (await WEAK.verify(OTHER, hashed))[0]

    asyncio.run(prepare())
    app = make_app(Database(url))
    given = ("createsuperuser", "--email", "Root@Example.org", "--field", "display_name=Root")
    weak = run(app, *given, "--no-input", password="short")
    assert (weak.exit_code, "not good enough" in weak.output) == (1, True)
    assert "no field x" in run(app, *given, "--field", "x=1", "--no-input", password=GOOD).output
    made = run(app, *given, "--no-input", password=GOOD)
    assert (made.exit_code, made.output) == (0, "Root@Example.org may do everything.\n")
    again = run(app, *given, "--no-input", password=GOOD)
    assert (again.exit_code, "email" in again.output) == (1, True)
    asked = run(app, "createsuperuser", typed=f"nobody\neve@example.org\nEve\n{OTHER}\n")
    assert asked.exit_code == 0, asked.output
    assert asyncio.run(look("root@example.org")) == (True, False)
    changed = run(app, "changepassword", "root@example.org", "--no-input", password=OTHER)
    assert (changed.exit_code, changed.output) == (0, "The password of root@example.org is changed.\n")
    assert "no user who@example.org" in run(app, "changepassword", "who@example.org", "--no-input").output
    assert asyncio.run(look("root@example.org")) == asyncio.run(look("eve@example.org")) == (True, True)


def test_missing_tables_are_told(tmp_path: Path) -> None:
    """Before the first migration both commands name the command to run."""
    app = make_app(Database(f"sqlite:///{tmp_path / 'empty.db'}"))
    making = ["createsuperuser", "--email", "a@b.example", "--field", "display_name=A"]
    for command in (making, ["changepassword", "a@b.example"]):
        told = run(app, command[0], *command[1:], "--no-input", password=GOOD)
        assert told.exit_code == 1
        assert "demijohn makemigrations && demijohn migrate" in told.output
