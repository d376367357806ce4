"""Where templates are: the app's folders first, then those of blueprints and batteries."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jinja2
from jinja2.loaders import split_template_path

from demijohn._lib.source import relative

if TYPE_CHECKING:
    from jinja2 import Environment as JinjaEnvironment

__all__ = ["Folder", "Folders"]


class Folder(NamedTuple):
    """One folder of templates; `owner` is its blueprint or battery, or empty."""

    path: Path
    owner: str = ""


class Folders(jinja2.BaseLoader):
    """Loads templates from folders in their order: an earlier one overrides.

    `name` is searched in all; `owner:name` in the folders of that owner alone, which is how an override extends what it
    overrides. No name leads out of a folder.
    """

    def __init__(self) -> None:
        self._app: list[Folder] = []
        self._others: list[Folder] = []
        self.texts: dict[str, str] = {}
        """Templates that are not files: the markup of components that carry it with them."""

    def add(self, path: Path, owner: str = "") -> None:
        """Add a folder, after those of the same kind; twice the same is once."""
        folder = Folder(path, owner)
        known = self._others if owner else self._app
        if folder not in known:
            known.append(folder)

    def __iter__(self) -> Iterator[Folder]:
        yield from self._app
        yield from self._others

    def described(self) -> list[str]:
        """Return the folders as people write them, in the order they are searched."""
        return [relative(str(folder.path)) for folder in self]

    def find(self, name: str) -> Path | None:
        """Return the file that a name means, or None."""
        owner, colon, rest = name.rpartition(":")
        try:
            parts = split_template_path(rest)
        except jinja2.TemplateNotFound:
            return None
        if not parts:
            return None
        for folder in self:
            if colon and folder.owner != owner:
                continue
            file = folder.path.joinpath(*parts)
            if file.is_file():
                return file
        return None

    def get_source(self, environment: "JinjaEnvironment", template: str) -> tuple[str, str | None, Callable[[], bool]]:
        """Return source, file name and whether both are still so, as Jinja2 asks for.

        Raises:
            jinja2.TemplateNotFound: No folder has it.
        """
        text = self.texts.get(template)
        if text is not None:
            return text, None, lambda: self.texts.get(template) == text
        file = self.find(template)
        if file is None:
            raise jinja2.TemplateNotFound(template)
        changed = file.stat().st_mtime_ns
        source = file.read_text(encoding="utf-8")
        path = str(file)

        def is_current() -> bool:
            try:
                return self.find(template) == file and os.stat(path).st_mtime_ns == changed
            except OSError:
                return False

        return source, path, is_current

    def list_templates(self) -> list[str]:
        """Return the names of all templates, without those of one owner alone."""
        return sorted(self.names())

    def names(self) -> set[str]:
        """Return the names of all templates."""
        return {name for _, name, _ in self.files()}

    def files(self) -> Iterator[tuple[Folder, str, Path]]:
        """Yield each template file with its folder and its name, hidden ones left out."""
        for folder in self:
            if not folder.path.is_dir():
                continue
            for root, directories, names in os.walk(folder.path):
                directories[:] = sorted(name for name in directories if not name.startswith("."))
                for name in sorted(names):
                    if not name.startswith("."):
                        path = Path(root, name)
                        yield folder, path.relative_to(folder.path).as_posix(), path
