"""Every error code has its page, every page its code, and every page is worth opening."""

import ast
import re
from collections import defaultdict

import pytest

from .repository import SOURCE, short

pytestmark = pytest.mark.house

PAGES = SOURCE / "cli" / "explanations"
CODE = re.compile(r"\bDJN-\d{3}\b")
_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _used() -> dict[str, list[str]]:
    """Each code that the source names, with the files that do."""
    used: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*")):
        if path.suffix in {".py", ".html", ".jinja", ".txt"} and PAGES not in path.parents:
            for code in set(CODE.findall(path.read_text())):
                used[code].append(short(path))
    return used


def test_every_code_has_a_page() -> None:
    """A code in the source without a page cannot be explained."""
    missing = {code: files for code, files in _used().items() if not (PAGES / f"{code}.md").is_file()}
    assert missing == {}


def test_every_page_has_a_code() -> None:
    """A page for a code that nothing raises is out of date."""
    assert sorted(path.stem for path in PAGES.glob("*") if path.stem not in _used()) == []


@pytest.mark.parametrize("name", [path.name for path in sorted(PAGES.glob("*.md"))])
def test_page_is_well_formed(name: str) -> None:
    """A page has its title line, some text, and a block with the line to write, which is good Python."""
    text = (PAGES / name).read_text()
    code = name.removesuffix(".md")
    first, *rest = text.splitlines()
    assert re.fullmatch(rf"# {code}: \S.{{2,70}}", first), (
        f"the first line must be '# {code}: short name', not {first!r}"
    )
    assert 8 <= len(rest) <= 60, "10 to 30 lines are a page"
    blocks = _BLOCK.findall(text)
    assert blocks, "show how to mend it in a code block"
    headings = [line for line in _BLOCK.sub("", text).splitlines() if line.startswith("#")]
    assert headings[1:] in (["## How to mend it"], ["## Why", "## How to mend it"]), (
        "what was seen stands first; then, where it is more than a clause, `## Why`; then `## How to mend it`"
    )
    seen, mended = text.split("\n## ")[0], text.split("## How to mend it")[1]
    assert len(seen.splitlines()) > 2, "say what was seen"
    assert "```" in mended, "the line to write stands below its heading"
    for language, body in blocks:
        if language in {"python", "py"}:
            compile(body, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert text.endswith("\n")
