"""`demijohn test`."""

import sys

import click

__all__ = ["test"]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run the project's tests with pytest; every argument goes to pytest."""
    try:
        import pytest
    except ImportError:
        raise click.ClickException("pytest is not installed.\nInstall it:  pip install pytest") from None
    sys.exit(int(pytest.main(list(arguments))))
