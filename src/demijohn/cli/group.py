"""The command group: its own commands, loaded when called, and those of the app."""

import os
import sys
from typing import Any

import click

from demijohn._lib.extras import MissingExtra
from demijohn._lib.text import did_you_mean
from demijohn.errors import DemijohnError

__all__ = ["Commands", "cli", "main"]

# Name -> (module, attribute, short help): a command's module is imported when it is called.
OWN: dict[str, tuple[str, str]] = {
    "run": ("serving", "Serve the app for development, with reload and debugger."),
    "serve": ("serving", "Serve the app in production."),
    "routes": ("routes", "List the routes."),
    "shell": ("shell", "Open a Python prompt with the app loaded and `await`."),
    "settings": ("showing", "Show each setting and where it comes from."),
    "check": ("checking", "Look for mistakes in the wiring."),
    "test": ("testing", "Run the tests of the project with pytest."),
    "eject": ("ejecting", "Copy a default template into the app, to make it yours."),
    "explain": ("explaining", "Print the page of an error code."),
    "doctor": ("doctoring", "Look at what the app stands on: versions, drivers, slow imports."),
    "new": ("creating", "Make a project."),
    "generate": ("generating", "Add a model, its pages, its administration and tests."),
    "grow": ("growing", "Make a package of an app in one file; add a database or accounts."),
    "version": ("about", "Print the versions."),
}

# What people reach for who come from elsewhere.
ELSEWHERE = {
    "runserver": "run",
    "startproject": "new",
    "startapp": "generate",
    "dbshell": "db shell",
    "url-map": "routes",
    "show_urls": "routes",
    "dev": "run",
    "start": "serve",
    "shell_plus": "shell",
    "makemessages": "messages update",
    "compilemessages": "messages compile",
    "dumpdata": "db dump",
    "loaddata": "db load",
    "squashmigrations": "squash",
    "diffsettings": "settings",
    "testserver": "run",
    "init": "new",
    "db init": "makemigrations",
    "db migrate": "makemigrations",
    "db revision": "makemigrations",
    "db upgrade": "migrate",
    "db downgrade": "rollback",
    "db stamp": "migrate --fake",
    "db history": "showmigrations",
    "db current": "showmigrations",
    "alembic": "makemigrations",
}
NEEDLESS = {
    "collectstatic": "Static files are served as they are, by URLs with their hash; nothing is collected.",
    "clearsessions": "Sessions live in the cookie, or in a store that forgets those that are over.",
    "findstatic": "In the shell:  app.static_url('app.css')",
}


class Commands(click.Group):
    """The group of all commands; those of the app are there when an app is found."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the framework's commands and of the app's."""
        return [*OWN, *(name for name in sorted(self._of_app(ctx)) if name not in OWN)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, imported now."""
        if cmd_name in OWN:
            return _load(OWN[cmd_name][0], cmd_name)
        return self._of_app(ctx, wanted=cmd_name).get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may be meant."""
        name, pair = args[0], " ".join(args[:2])
        found = None if name in OWN else self.get_command(ctx, name)
        if pair in ELSEWHERE and isinstance(found, click.Group) and args[1] not in found.commands:
            raise click.UsageError(f"There is no command {pair!r}. Write `demijohn {ELSEWHERE[pair]}`.", ctx)
        if name not in OWN and found is None:
            failed = ctx.meta.get("demijohn.failed")
            if failed is not None and pair not in ELSEWHERE and name not in {*ELSEWHERE, *NEEDLESS}:
                raise click.ClickException(
                    f"The app could not be loaded, so `demijohn {name}`, which comes with it, is not known.\n"
                    f"{failed}\n`demijohn check` shows the whole traceback."
                )
            if name in NEEDLESS:
                hint = f" {NEEDLESS[name]}"
            elif pair in ELSEWHERE or name in ELSEWHERE:
                hint = f" Write `demijohn {ELSEWHERE.get(pair) or ELSEWHERE[name]}`."
            else:
                hint = did_you_mean(name, self.list_commands(ctx))
            problem = ctx.meta.get("demijohn.problem")
            told = f"\n\nNo app was found that could have more commands:\n{problem}" if problem else ""
            raise click.UsageError(f"There is no command {name!r}.{hint}{told}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into the help, without importing any of the framework's."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in OWN.items()])
        others = {name: command for name, command in self._of_app(ctx).items() if name not in OWN}
        if others:
            with formatter.section("Commands of this app"):
                formatter.write_dl([(name, others[name].get_short_help_str(80)) for name in sorted(others)])
        elif "demijohn.problem" in ctx.meta:
            formatter.write_paragraph()
            formatter.write_text(f"(The app could not be loaded: {ctx.meta['demijohn.problem']})")

    def _of_app(self, ctx: click.Context, *, wanted: str | None = None) -> dict[str, click.Command]:
        found = ctx.meta.get("demijohn.commands")
        if found is None:
            found = {}
            given = ctx.params.get("app")
            if wanted is not None or given or os.environ.get("DEMIJOHN_APP") or _likely():
                from demijohn.cli.commands import commands_of

                try:
                    found = commands_of(given)
                except Exception as error:
                    ctx.meta["demijohn.problem"] = str(error).partition("\n")[0] or type(error).__name__
                    if not _is_nothing_there(error):
                        ctx.meta["demijohn.failed"] = _told(error)
            ctx.meta["demijohn.commands"] = found
        result: dict[str, click.Command] = found
        return result


def _is_nothing_there(error: Exception) -> bool:
    from demijohn.cli.target import TargetError

    return isinstance(error, TargetError)


def _told(error: Exception) -> str:
    """Return what failed while an app was loaded, and the last line of the project's own code on the way there."""
    from pathlib import Path
    from traceback import extract_tb

    said = str(error) if isinstance(error, DemijohnError) else f"{type(error).__name__}: {error}"
    here = Path.cwd()
    for frame in reversed(extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(here) and "site-packages" not in path.parts:
            return f"{path.relative_to(here)}:{frame.lineno}: {frame.line}\n{said}"
    return said


def _likely() -> bool:
    from pathlib import Path

    from demijohn.cli.target import is_given

    if is_given():
        return True
    return any(Path(name).is_file() for name in ("app.py", "main.py", "pyproject.toml"))


def _load(module: str, command: str) -> click.Command:
    # Spelled out: modules are not imported by string.
    if module == "serving":
        from demijohn.cli import serving

        return serving.run if command == "run" else serving.serve_command
    if module == "routes":
        from demijohn.cli import listing

        return listing.routes
    if module == "shell":
        from demijohn.cli import prompt

        return prompt.shell
    if module == "showing":
        from demijohn.cli import showing

        return showing.settings
    if module == "checking":
        from demijohn.cli import checking

        return checking.check
    if module == "creating":
        from demijohn.cli import creating

        return creating.new
    if module == "generating":
        from demijohn.cli import generating

        return generating.generate
    if module == "growing":
        from demijohn.cli import growing

        return growing.grow
    if module == "testing":
        from demijohn.cli import testing

        return testing.test
    if module == "doctoring":
        from demijohn.cli import doctoring

        return doctoring.doctor
    if module == "ejecting":
        from demijohn.cli import ejecting

        return ejecting.eject
    if module == "explaining":
        from demijohn.cli import explaining

        return explaining.explain
    from demijohn.cli import about

    return about.version


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--app", "-A", metavar="TARGET", help="The app: hello.py, hello.py:app or package.module:factory.")
def cli(app: str | None) -> None:
    """Demijohn: as small as Flask on day one, as complete as Django on day one hundred."""
    if app:
        os.environ["DEMIJOHN_APP"] = app


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; mistakes of the developer are told without a traceback.

    The traceback of another failure begins in the code of the app.
    """
    try:
        return cli.main(arguments, prog_name="demijohn")
    except (DemijohnError, MissingExtra) as error:
        click.secho(f"Error: {error}", fg="red", err=True)
    except Exception as error:
        from demijohn._lib import tracebacks

        click.echo(tracebacks.told(error), err=True, nl=False)
    sys.exit(1)
