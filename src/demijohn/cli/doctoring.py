"""`demijohn doctor`."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

import click

from demijohn.cli.target import get_target, load_app
from demijohn.errors import DemijohnError

__all__ = ["doctor"]

_SLOW = 20_000
"""Microseconds from which on an import is worth a line."""


class Finding(NamedTuple):
    """One thing that was looked at: whether it is well, what it is, and what to do."""

    mark: str
    text: str
    hint: str = ""


@click.command()
@click.argument("target", required=False)
def doctor(target: str | None) -> None:
    """Look at what the app stands on: versions, drivers, settings, checks, and which imports are slow."""
    groups = [("Python", _python()), ("Packages", _packages()), ("App", _app(target)), ("Imports", _imports(target))]
    colours = {"ok": "green", "--": "white", "!!": "red", "..": "yellow"}
    ill = 0
    for title, findings in groups:
        click.secho(title, bold=True)
        for finding in findings:
            ill += finding.mark == "!!"
            click.echo(f"  {click.style(finding.mark, fg=colours[finding.mark])}  {finding.text}")
            if finding.hint:
                click.echo(f"      {finding.hint}")
    if ill:
        sys.exit(1)


def _python() -> Iterator[Finding]:
    text = f"Python {platform.python_version()} ({platform.python_implementation()}, {platform.system()})"
    if sys.version_info < (3, 12):
        yield Finding("..", text, "From 3.12 on handlers start without waiting for a turn of the loop.")
    else:
        yield Finding("ok", text)
    if sys.flags.dont_write_bytecode:
        hint = "Every start compiles every module again. Unset PYTHONDONTWRITEBYTECODE."
        yield Finding("..", "Byte code is not kept.", hint)
    if sys.prefix == sys.base_prefix:
        yield Finding("..", "There is no virtual environment.", "python3 -m venv .venv")


def _packages() -> Iterator[Finding]:
    """Yield what the framework's own metadata names: what it needs, and what its extras bring."""
    yield Finding("ok", f"demijohn {version('demijohn')}")
    for line in requires("demijohn") or ():
        name, _, extra = line.partition(";")
        plain = name.split("[")[0].split(">")[0].split("<")[0].split("=")[0].split("~")[0].strip()
        if plain == "demijohn" or ("sys_platform" in extra and "uvloop" not in plain):
            continue
        of = extra.partition("extra ==")[2].strip(" '\"")
        try:
            yield Finding("ok", f"{plain} {version(plain)}" + (f"  ({of})" if of else ""))
        except PackageNotFoundError:
            if not of:
                yield Finding("!!", f"{plain} is missing", f"pip install {plain}")
            elif of != "full":
                yield Finding(
                    "--", f"{plain} is not installed  ({of})", f'pip install "demijohn[{of}]" where it is wanted'
                )


def _app(target: str | None) -> Iterator[Finding]:
    try:
        app = load_app(target)
        app.freeze()
    except DemijohnError as error:
        yield Finding("!!", str(error).partition("\n")[0], "demijohn check says more")
        return
    except Exception as error:
        yield Finding("!!", f"The app cannot be loaded: {type(error).__name__}: {error}", "demijohn check says more")
        return
    yield Finding("ok", f"{len(app.router.routes)} routes, batteries: {', '.join(app.batteries) or 'none'}")
    for message in app.run_checks():
        mark = "!!" if message.is_at_least("error") else ".." if message.is_at_least("warning") else "--"
        yield Finding(mark, f"[{message.id}] {message.text}", message.hint)


def _imports(target: str | None) -> Iterator[Finding]:
    """Yield the slowest imports of the app, from a fresh process that loads it."""
    try:
        found = get_target(target)
    except DemijohnError:
        return
    code = f"from demijohn.cli.target import load_app; load_app({found!r})"
    done = subprocess.run(  # noqa: S603 - this Python, with a target that was found already
        [sys.executable, "-X", "importtime", "-c", code],
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (os.getcwd(), os.environ.get("PYTHONPATH"))))},
        check=False,
    )
    rows: dict[str, int] = {}
    whole = 0
    for line in done.stderr.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) != 3 or not parts[0].strip().isdigit():
            continue
        own, package = int(parts[0]), parts[2].strip().partition(".")[0]
        whole += own
        rows[package] = rows.get(package, 0) + own
    if not whole:
        return
    yield Finding("ok", f"{whole / 1000:.0f} ms for all imports of the app")
    slow = sorted(((own, name) for name, own in rows.items() if own >= _SLOW), reverse=True)
    for own, name in slow[:8]:
        yield Finding("..", f"{own / 1000:.0f} ms  {name}")
