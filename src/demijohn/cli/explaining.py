"""`demijohn explain CODE`: the page of an error code, offline."""

from pathlib import Path

import click

from demijohn._lib.text import did_you_mean

__all__ = ["explain", "pages"]


def pages() -> dict[str, Path]:
    """Return the page of each code."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "explanations").glob("DJN-*.md"))}


@click.command()
@click.argument("error_code", metavar="CODE", required=False)
def explain(error_code: str | None) -> None:
    """Print what an error code means, and how to mend it."""
    known = pages()
    if error_code is None:
        for path in known.values():
            click.echo(path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# "))
        return
    wanted = error_code.upper()
    if wanted.isdigit():
        wanted = f"DJN-{wanted.zfill(3)}"
    if wanted not in known:
        raise click.ClickException(f"There is no code {error_code!r}.{did_you_mean(wanted, known)}")
    click.echo(known[wanted].read_text(encoding="utf-8").rstrip())
