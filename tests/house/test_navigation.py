"""The documentation as a site: every page in the menu, every room in the reference, no warning in the build."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .repository import ROOT, SOURCE, rooms

pytestmark = pytest.mark.house

MENU = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]


def test_every_page_is_in_the_menu() -> None:
    """A page that the menu of mkdocs.yml does not list is never found, and one that is gone cannot be opened."""
    listed = set(re.findall(r"[\w/-]+\.md", MENU))
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert there - listed == set(), "add a line to the menu at the end of mkdocs.yml"
    assert listed - there == set(), "the menu of mkdocs.yml lists pages that are not there"


def test_every_guide_is_on_the_front_page() -> None:
    """Who reads the pages as files has no menu: the first page leads to each of them."""
    front = (ROOT / "docs/index.md").read_text()
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").glob("*/*.md")}
    missing = sorted(page for page in pages if not page.startswith("design/") and f"]({page})" not in front)
    assert missing == [], "add a link to docs/index.md"


def test_every_room_is_in_the_reference() -> None:
    """Each room that offers something has a page of the API reference."""
    offering = [room for room in rooms() if "__all__" in _front_door(room).read_text()]
    missing = [room for room in offering if f"reference/api/{room}.md" not in MENU]
    assert missing == [], "add docs/reference/api/ROOM.md (two lines, as its neighbours) and its line in mkdocs.yml"


def _front_door(room: str) -> Path:
    module = SOURCE / f"{room}.py"
    return module if module.is_file() else SOURCE / room / "__init__.py"


@pytest.mark.slow
def test_site_builds(tmp_path: Path) -> None:
    """Zensical builds the pages in strict mode, and links between them hold."""
    program = Path(sys.executable).with_name("zensical")
    if not program.is_file():
        pytest.skip("zensical is not installed in this environment")
    for name in ("docs", "scripts", "src"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    command = [str(program), "build", "--strict", "--clean"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
