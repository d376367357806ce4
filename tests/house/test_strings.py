"""Strings that must not be in the repository: paths of one machine, hosts of registries, notes to self."""

import re
from pathlib import Path

import pytest

from .repository import short, tracked_files

pytestmark = pytest.mark.house

# With a class of one letter in each, so that this file does not hold them itself.
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.-])/(?:wor[k]/(?:trees|shared|main|\.library)|roo[t]/[\w.])"),
    "the host of a registry": re.compile("pypi[.]org|pythonhosted[.]org|registry[.]npmjs|deb[.]debian"),
    "a note to self": re.compile(r"TO[D]O\b|FIX[M]E\b|\bX{3}\b"),
    "a mark of a merge": re.compile(r"^(?:<{7} |>{7} |={7}$)", re.MULTILINE),
}
BINARY = {".png", ".jpg", ".gif", ".ico", ".woff2", ".webp", ".mo", ".zip", ".gz", ".br", ".pdf"}
MINIFIED = {".min.js", ".min.css"}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_nothing_forbidden_is_tracked(kind: str) -> None:
    """No tracked text file holds it, and none is unreadable."""
    pattern = FORBIDDEN[kind]
    found: list[str] = []
    for path in tracked_files():
        if path.suffix in BINARY or any(path.name.endswith(end) for end in MINIFIED):
            continue
        text = path.read_text(encoding="utf-8")
        found.extend(
            f"{short(path)}:{text.count(chr(10), 0, m.start()) + 1}: {m.group()}" for m in pattern.finditer(text)
        )
    assert not found, "\n" + "\n".join(found)


def test_no_file_is_huge() -> None:
    """A tracked file of more than half a megabyte is an accident."""
    assert [short(path) for path in tracked_files() if _size(path) > 512 * 1024] == []


def _size(path: Path) -> int:
    return path.stat().st_size
