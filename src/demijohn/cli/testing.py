"""`demijohn test`."""

import importlib.util
import subprocess
import sys

import click

__all__ = ["test"]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run the project's tests with pytest; every argument goes to pytest."""
    if importlib.util.find_spec("pytest") is None:
        raise click.ClickException("pytest is not installed.\nInstall it:  pip install pytest")
    # In a process of its own: pytest wants to be there before what it rewrites is imported.
    sys.exit(subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode)  # noqa: S603
