"""`demijohn routes`."""

import click

from demijohn.app import App
from demijohn.cli.target import load_app

__all__ = ["routes"]

OWN_PREFIX = "/__demijohn__/"
"""What the framework serves itself: the files of its batteries, the debugger."""


@click.command()
@click.argument("target", required=False)
@click.option("--grep", metavar="TEXT", help="Only routes whose pattern, name or handler holds the text.")
@click.option("--explain", "url", metavar="PATH", help="Tell what happens to a request for this path, in order.")
@click.option("--method", default="GET", show_default=True, help="The method, for --explain.")
@click.option("--host", default="localhost", show_default=True, help="The host, for --explain.")
@click.option("--all", "show_all", is_flag=True, help="Those of the framework too.")
def routes(target: str | None, grep: str | None, url: str | None, method: str, host: str, show_all: bool) -> None:
    """List the routes: methods, pattern, name, handler; or tell what happens to one request."""
    app = load_app(target)
    app.freeze()
    if url is not None:
        _explain(app, method.upper(), url, host)
        return
    shows_access = bool(app.route_policies)
    rows = [("Methods", "Pattern", "Name", "Who may come" if shows_access else "", "Handler")]
    for route in sorted(app.router.routes, key=lambda route: (route.host or "", route.pattern)):
        if route.pattern.startswith(OWN_PREFIX) and not show_all:
            continue
        handler = getattr(route.endpoint, "__qualname__", type(route.endpoint).__name__)
        where = (route.host or "") + route.pattern
        access = next(filter(None, (policy(route) for policy in app.route_policies)), "")
        row = (", ".join(route.methods), where, route.name, access, f"{handler}  {route.place}")
        if grep is None or any(grep.lower() in part.lower() for part in row):
            rows.append(row)
    columns = range(4) if shows_access else range(3)
    widths = [max(len(row[column]) for row in rows) for column in columns]
    for number, row in enumerate(rows):
        line = "  ".join([*(row[column].ljust(widths[column]) for column in columns), row[4]]).rstrip()
        click.secho(line, bold=number == 0)


def _explain(app: App, method: str, url: str, host: str) -> None:
    from demijohn.app.explaining import explain

    steps = list(explain(app, method, url.partition("?")[0], host=host))
    kinds, names, places = (max(len(step[column]) for step in steps) for column in range(3))
    for step in steps:
        line = "  ".join((step.kind.rjust(kinds), step.name.ljust(names), step.place.ljust(places), step.cost))
        click.secho(line.rstrip(), bold=step.kind == "handler")
