"""The commands: `demijohn messages extract`, `update` and `compile`."""

from io import BytesIO
from pathlib import Path
from typing import Any

import click
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from demijohn._lib.source import relative
from demijohn.i18n.catalogs import FRAMEWORK, Source, compile_po, read_catalog
from demijohn.i18n.extraction import extract_catalog, python_files, template_files
from demijohn.i18n.locales import name_of, parse_locale
from demijohn.i18n.offer import Offer

__all__ = ["commands_for", "update_catalog", "write_catalog"]

_FRAMEWORK = Path(__file__).resolve().parents[1]
_LEFT_OUT = tuple(
    f'"{name}:'.encode()
    for name in ("POT-Creation-Date", "PO-Revision-Date", "Report-Msgid-Bugs-To", "Last-Translator", "Language-Team")
)


def commands_for(battery: Offer, app: Any) -> click.Group:
    """Return the group of commands (Any: the app)."""

    @click.group()
    def messages() -> None:
        """Keep the catalogs of translations: extract, update, compile."""

    @messages.command()
    def extract() -> None:
        """Collect the texts of the code and the templates into the template of the catalogs (.pot)."""
        for source, catalog in _templates(battery, app):
            write_catalog(source.pot, catalog)
            click.echo(f"{relative(str(source.pot))}: {len(catalog)} messages")
        click.echo("Then: demijohn messages update")

    @messages.command()
    @click.argument("languages", nargs=-1)
    def update(languages: tuple[str, ...]) -> None:
        """Bring the catalogs (.po) of LANGUAGES, or of all, up to date; one that is not there is made."""
        tags = [battery.messages(tag).language for tag in languages] or [
            tag for tag in battery.locales if tag != battery.default
        ]
        for source, catalog in _templates(battery, app):
            write_catalog(source.pot, catalog)
            for tag in tags:
                locale = parse_locale(tag)
                click.echo(update_catalog(source, catalog, tag))
                click.echo(f"  edit {relative(str(source.po(locale)))}")
        click.echo("Then: demijohn messages compile")

    @messages.command(name="compile")
    def compile_() -> None:
        """Write the compiled form (.mo) of every catalog, as production reads it."""
        for source in battery.sources():
            if source is FRAMEWORK:
                continue
            for tag in battery.locales:
                locale = parse_locale(tag)
                if source.po(locale).is_file():
                    source.mo(locale).write_bytes(compile_po(source.po(locale), locale))
                    click.echo(f"Wrote {relative(str(source.mo(locale)))}")

    return messages


def _templates(battery: Offer, app: Any) -> list[tuple[Source, Catalog]]:
    """Return for the app and each of its blueprints in a folder of its own where its catalogs are, and its texts."""
    scaffolds = list(app.scaffolds())
    roots: dict[Path, list[Any]] = {}
    for scaffold in scaffolds:
        root = Path(scaffold.root_path)
        if root == Path(app.root_path) or _is_ours(root):
            roots.setdefault(root, []).append(scaffold)
    environment = None
    if any(scaffold.template_folder is not None for scaffold in scaffolds):
        environment = getattr(app.need("templating"), "environment", None)
    inner = [root for root in roots if any(other != root and other in root.parents for other in roots)]
    with_own = [root for root in inner if (root / battery.folder).is_dir()]
    found = []
    for root, here in roots.items():
        if root in inner and root not in with_own:
            continue  # its texts belong to the app that it lies in
        others = [other for other in with_own if other != root and root in other.parents]
        sources = [path for path in python_files(root) if not any(other in path.parents for other in others)]
        folders = {
            Path(scaffold.template_folder)
            for scaffold in scaffolds
            if scaffold.template_folder is not None and _belongs(Path(scaffold.template_folder), root, others)
        }
        folders |= {Path(scaffold.template_folder) for scaffold in here if scaffold.template_folder is not None}
        owner = getattr(here[0], "name", "") or root.name
        catalog = extract_catalog(sources, template_files(sorted(folders)), environment=environment, project=owner)
        if len(catalog) or root == Path(app.root_path):
            found.append((Source(root / battery.folder, battery.domain, owner), catalog))
    return found


def _is_ours(root: Path) -> bool:
    """Return whether a folder is part of the project: what is installed keeps the catalogs that it came with."""
    is_installed = "site-packages" in root.parts or _FRAMEWORK in root.parents
    return not is_installed and Path.cwd() in root.parents


def _belongs(folder: Path, root: Path, others: list[Path]) -> bool:
    return root in folder.parents and not any(other in folder.parents for other in others)


def update_catalog(source: Source, template: Catalog, tag: str) -> str:
    """Write the catalog of a language anew from a template, its translations kept; say what changed."""
    locale = parse_locale(tag)
    path = source.po(locale)
    if path.is_file():
        catalog = read_catalog(path, locale)
        catalog.update(template, no_fuzzy_matching=False, update_header_comment=False)
    else:
        catalog = Catalog(locale=locale, project=source.owner, version="1", charset="utf-8", fuzzy=False)
        catalog.update(template)
        catalog.fuzzy = False
    write_catalog(path, catalog)
    lacking = sum(1 for message in catalog if message.id and not all(_texts(message.string)))
    fuzzy = sum(1 for message in catalog if message.id and message.fuzzy)
    name = name_of(locale, parse_locale("en"))
    return f"{name}: {len(catalog)} messages, {lacking} to translate, {fuzzy} fuzzy"


def _texts(string: Any) -> list[str]:
    return list(string) if isinstance(string, list | tuple) else [string]


def write_catalog(path: Path, catalog: Catalog) -> None:
    """Write a catalog in the order of the places, without dates and names, so that a diff shows texts alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    language = "" if catalog.locale is None else f"{name_of(parse_locale(str(catalog.locale)), parse_locale('en'))}: "
    catalog.header_comment = f"# {language}the texts of {catalog.project}."
    buffer = BytesIO()
    write_po(buffer, catalog, width=100, sort_by_file=True, ignore_obsolete=True)
    path.write_bytes(b"".join(line for line in buffer.getvalue().splitlines(True) if not line.startswith(_LEFT_OUT)))
