"""`demijohn routes`."""

import click

from demijohn.cli.target import load_app

__all__ = ["routes"]

OWN_PREFIX = "/__demijohn__/"
"""What the framework serves itself: the files of its batteries, the debugger."""


@click.command()
@click.argument("target", required=False)
@click.option("--grep", metavar="TEXT", help="Only routes whose pattern, name or handler holds the text.")
@click.option("--all", "show_all", is_flag=True, help="Those of the framework too.")
def routes(target: str | None, grep: str | None, show_all: bool) -> None:
    """List the routes: methods, pattern, name, handler."""
    app = load_app(target)
    app.freeze()
    rows = [("Methods", "Pattern", "Name", "Handler")]
    for route in sorted(app.router.routes, key=lambda route: (route.host or "", route.pattern)):
        if route.pattern.startswith(OWN_PREFIX) and not show_all:
            continue
        handler = getattr(route.endpoint, "__qualname__", type(route.endpoint).__name__)
        where = (route.host or "") + route.pattern
        row = (", ".join(route.methods), where, route.name, f"{handler}  {route.place}")
        if grep is None or any(grep.lower() in part.lower() for part in row):
            rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for number, row in enumerate(rows):
        line = "  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]]).rstrip()
        click.secho(line, bold=number == 0)
