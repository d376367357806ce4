"""Finding the texts in Python and in templates, with their places and the comments for translators."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from babel.messages.catalog import Catalog
from babel.messages.extract import extract

from demijohn._lib.source import relative
from demijohn.errors import ConfigurationError

__all__ = ["KEYWORDS", "Templates", "extract_catalog", "framework_catalog", "python_files", "template_files"]

KEYWORDS: dict[str, tuple[Any, ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
"""The functions whose arguments are texts."""
_TAG = "Translators:"
_COMMENT = re.compile(r"\{#-?\s*(Translators:.*?)-?#\}", re.DOTALL)
_LEFT_OUT = frozenset(
    ("__pycache__", "node_modules", "migrations", "tests", "venv", "env", "site-packages", "build", "dist")
)


class Templates(Protocol):
    """What reads templates: the environment of the battery that renders them."""

    def parse(self, source: str, name: str | None = None, filename: str | None = None) -> Any:
        """Return the tree of a template (Any: of Jinja2)."""
        raise NotImplementedError


def python_files(folder: Path) -> Iterator[Path]:
    """Yield the Python files below a folder, without tests, migrations, environments and hidden folders."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if not any(part in _LEFT_OUT or part.startswith(".") for part in parts[:-1]) and parts[-1] != "conftest.py":
            yield path


def template_files(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the templates in some folders."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in (".html", ".txt", ".xml", ".jinja", ".j2", ".md", ".svg"):
                yield path


def extract_catalog(
    sources: Iterable[Path],
    templates: Iterable[Path] = (),
    *,
    environment: Templates | None = None,
    project: str = "app",
) -> Catalog:
    """Return the template of the catalogs: every text that the files mark.

    Args:
        sources: Python files.
        templates: Templates.
        environment: What parses them.
        project: The name for the head of the file.

    Raises:
        ConfigurationError: DJN-975, a text is written as an f-string, which nobody can look up.
    """
    catalog = Catalog(project=project, version="1", copyright_holder=project, charset="utf-8")
    for path in sources:
        text = path.read_bytes()
        _refuse_f_strings(text.decode(), path)
        for line, message, comments, context in extract(
            "python", io.BytesIO(text), keywords=KEYWORDS, comment_tags=[_TAG], strip_comment_tags=True
        ):
            _add(catalog, message, path, line, comments, context)
    if environment is not None:
        for path in templates:
            _extract_template(catalog, path, environment)
    return catalog


def _extract_template(catalog: Catalog, path: Path, environment: Templates) -> None:
    from jinja2.ext import extract_from_ast

    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return  # no template
    comments = {
        source.count("\n", 0, found.end()) + 1: " ".join(found[1].removeprefix(_TAG).split())
        for found in _COMMENT.finditer(source)
    }
    tree = environment.parse(source, path.name, str(path))
    for line, function, message in extract_from_ast(tree, tuple(KEYWORDS), babel_style=True):
        keyword = KEYWORDS[function]
        given: list[Any] = [*message] if isinstance(message, tuple) else [message]
        context, texts = _sort(given, keyword)
        if not texts or any(not isinstance(text, str) for text in texts):
            continue
        comment = comments.get(line) or comments.get(line - 1)
        plain = [str.__str__(text) for text in texts]
        found = plain[0] if len(plain) == 1 else tuple(plain)
        _add(catalog, found, path, line, [comment] if comment else [], context)


def _sort(given: Sequence[Any], keyword: tuple[Any, ...] | None) -> tuple[str | None, list[Any]]:
    """Return the context and the texts among the arguments of a call."""
    if keyword is None:
        return None, list(given[:1])
    context: str | None = None
    texts = []
    for place in keyword:
        index = place[0] if isinstance(place, tuple) else place
        if len(given) < index:
            return None, []
        if isinstance(place, tuple):
            context = given[index - 1]
        else:
            texts.append(given[index - 1])
    return context, texts


def _add(catalog: Catalog, message: Any, path: Path, line: int, comments: Sequence[str], context: str | None) -> None:
    place = Path(relative(str(path))).as_posix()
    catalog.add(message, None, [(place, line)], auto_comments=list(comments), context=context)


_F_STRING = re.compile(r"\b(?:_|n?p?gettext(?:_lazy|_noop)?)\(\s*[fF][rR]?[\"']")


def _refuse_f_strings(text: str, path: Path) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        if _F_STRING.search(line):
            raise ConfigurationError(
                f"A text is an f-string: {line.strip()[:80]} ({relative(str(path))}:{number}).",
                why="It is filled in before it is looked up, so no catalog can hold it.",
                fix='Name the value instead:  _("Hello %(name)s", name=name)',
                code="DJN-975",
            )


def framework_catalog(environment: Templates) -> Catalog:
    """Return the template of the framework's own catalogs, from its source as it is installed."""
    import demijohn
    from demijohn.i18n.catalogs import FRAMEWORK

    room = Path(demijohn.__file__).parent
    folders = [path for path in sorted(room.glob("*/templates")) if path.is_dir()]
    return extract_catalog(
        sorted(room.rglob("*.py")), template_files(folders), environment=environment, project=FRAMEWORK.owner
    )
