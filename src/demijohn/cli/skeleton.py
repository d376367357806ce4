"""The files of a new project and the parts that are added to it: templates in `skeletons/`, filled in by Jinja2.

Their marks are `<< value >>` and `<% if ... %>`, so that the marks of the pages they hold stay as they are.
"""

import re
from pathlib import Path
from typing import Any

__all__ = ["SKELETONS", "files_of", "render_part"]

SKELETONS = Path(__file__).with_name("skeletons")
_DOTTED = {"gitignore": ".gitignore", "env.example": ".env.example"}


def _environment() -> Any:
    from jinja2 import Environment, StrictUndefined

    return Environment(  # noqa: S701 - files of a project, no pages
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def files_of(kind: str, values: dict[str, Any]) -> dict[str, str]:
    """Return the files of a project by their names: the common ones, and those of a kind (Any: what fills them)."""
    environment = _environment()
    found: dict[str, str] = {}
    for folder in (SKELETONS / "common", SKELETONS / kind):
        for path in sorted(folder.rglob("*.tmpl")):
            name = str(path.relative_to(folder)).removesuffix(".tmpl").replace("@package@", str(values["package"]))
            name = _DOTTED.get(name, name)
            text = _tidy(environment.from_string(path.read_text(encoding="utf-8")).render(values))
            if name.endswith(".toml"):
                text = re.sub(r"\n{3,}", "\n\n", text)
            if text or name.endswith("__init__.py"):
                found[name] = text
    return found


def render_part(name: str, values: dict[str, Any]) -> str:
    """Return a part that is added to a file (Any: what fills it)."""
    text = (SKELETONS / "parts" / f"{name}.tmpl").read_text(encoding="utf-8")
    return _tidy(_environment().from_string(text).render(values), keep_start=name != "test")


def _tidy(text: str, *, keep_start: bool = False) -> str:
    """Return a text with no more empty lines than a formatter leaves, and one line feed at the end."""
    text = re.sub(r"[ \t]+\n", "\n", text)
    text = re.sub(r"\n{4,}", "\n\n\n", text)
    # Between an import and what is no class or function one line is empty, between imports of one package none.
    text = re.sub(r"(?m)^(from [^\n]*)\n{3,}(?=[a-z_]+ = |from )", r"\1\n\n", text)
    while (closer := re.sub(r"(?m)^(from demijohn[^\n]*)\n\n(?=from demijohn)", r"\1\n", text)) != text:
        text = closer
    text = text.rstrip("\n") + "\n" if text.strip() else ""
    return text if keep_start else text.lstrip("\n")
