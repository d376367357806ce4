"""`demijohn settings`."""

import click

from demijohn.cli.target import load_app

__all__ = ["settings"]


@click.command()
@click.argument("target", required=False)
def settings(target: str | None) -> None:
    """Show each setting, its value and where it comes from; secrets are shown as ***."""
    rows = list(load_app(target).settings.origins())
    name_width = max(len(row.name) for row in rows)
    value_width = min(40, max(len(row.shown) for row in rows))
    for row in rows:
        click.echo(f"{row.name.ljust(name_width)}  {row.shown.ljust(value_width)}  {row.source}")
