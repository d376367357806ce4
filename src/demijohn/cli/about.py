"""`demijohn version`."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

import click

__all__ = ["version"]

PARTS = ("msgspec", "uvicorn", "httptools", "uvloop", "jinja2", "sqlalchemy", "alembic", "cryptography")


@click.command()
def version() -> None:
    """Print the versions of Demijohn, Python and what they stand on."""
    click.echo(f"Demijohn {version_of('demijohn')}")
    click.echo(f"Python {platform.python_version()} ({platform.python_implementation()}, {platform.system()})")
    for part in PARTS:
        try:
            click.echo(f"{part} {version_of(part)}")
        except PackageNotFoundError:
            click.echo(f"{part} is not installed")
