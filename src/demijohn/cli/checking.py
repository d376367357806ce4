"""`demijohn check`."""

import sys

import click

from demijohn.cli.target import load_app

__all__ = ["check"]

COLOURS = {"debug": "white", "info": "white", "warning": "yellow", "error": "red", "critical": "red"}


@click.command()
@click.argument("target", required=False)
@click.option("--deploy", is_flag=True, help="Judge a deployment too.")
@click.option("--fail-level", type=click.Choice(["warning", "error", "critical"]), default="error", show_default=True)
def check(target: str | None, deploy: bool, fail_level: str) -> None:
    """Look for mistakes in the wiring, without serving a request."""
    app = load_app(target)
    app.freeze()
    messages = app.run_checks(deploy=deploy)
    for message in messages:
        click.secho(str(message), fg=COLOURS[message.level])
    failed = [message for message in messages if message.is_at_least(fail_level)]  # type: ignore[arg-type]
    if failed:
        click.echo(f"{len(failed)} of {len(messages)} findings are {fail_level} or worse.")
        sys.exit(1)
    found = f"{len(messages)} to look at, none is {fail_level}" if messages else "No mistakes found"
    click.secho(f"{found} ({len(app.router.routes)} routes).", fg="yellow" if messages else "green")
