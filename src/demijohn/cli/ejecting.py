"""`demijohn eject`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from demijohn._lib.text import did_you_mean
from demijohn.cli.target import load_app

__all__ = ["eject"]


@click.command()
@click.argument("template", required=False)
@click.option("--to", "name", metavar="NAME", help="Another name below the app's templates.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def eject(template: str | None, name: str | None, force: bool) -> None:
    """Copy a default TEMPLATE into the app's folder, to make it yours.

    Without one, list them.

    Your copy takes the place of the default. A folder (`demijohn/views`) is copied whole.
    """
    app = load_app(None)
    app.freeze()
    app.need("templating")
    known = dict(_templates(app))
    if template is None:
        for one in sorted(known):
            click.echo(one)
        return
    wanted = {one: path for one, path in known.items() if one == template or one.startswith(template.rstrip("/") + "/")}
    if not wanted:
        raise click.UsageError(
            f"There is no default template {template!r}.{did_you_mean(template, known)}\n`demijohn eject` lists them."
        )
    folder: Path = app.template_folder or app.root_path / "templates"
    for one, path in sorted(wanted.items()):
        own = one if name is None else name if one == template else name.rstrip("/") + one[len(template.rstrip("/")) :]
        copy = folder / own
        if not copy.resolve().is_relative_to(folder.resolve()):
            raise click.UsageError(f"{own!r} leads out of {folder}.")
        if copy.exists() and not force:
            click.echo(f"kept   {copy}  (it is there; --force writes over it)")
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        click.echo(f"wrote  {copy}")


def _templates(app: Any) -> Iterator[tuple[str, Path]]:
    """Yield the templates that batteries bring, the first of each name last.

    So that it wins.
    """
    for added in reversed(app.templates.folders):
        folder = Path(added[0] if isinstance(added, tuple) else added)
        for path in folder.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(folder).as_posix(), path
