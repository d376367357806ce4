"""Every code block of the documentation runs; every link inside it leads somewhere."""

import multiprocessing
import re
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from .pages import Block, blocks_of, run_page
from .repository import ROOT, short

pytestmark = pytest.mark.house

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# pages for the people who build the rooms show outlines of interfaces, not programs
DESIGN = ROOT / "docs" / "design"
WITH_CODE = [page for page in PAGES if DESIGN not in page.parents and any(block.runs for block in blocks_of(page))]
_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\((?P<target>[^)\s]+)\)")


@pytest.fixture(scope="module")
def fork_server() -> ForkServerContext:
    """A process that has the framework loaded already, and forks one child per page."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["demijohn", "demijohn.testing", "tests.house.pages"])
    return context


@pytest.mark.parametrize("page", WITH_CODE, ids=short)
def test_page_runs(page: Path, tmp_path: Path, fork_server: ForkServerContext) -> None:
    """The blocks of a page run one after the other in a folder of their own, and do what they show."""
    for process in sorted({block.process for block in blocks_of(page)}):
        answer, child = multiprocessing.Pipe(duplex=False)
        # not a daemon: a page may start processes of its own
        worker = fork_server.Process(target=run_page, args=(page, process, tmp_path, child))
        worker.start()
        child.close()
        try:
            error = answer.recv() if answer.poll(120) else "it did not end within two minutes"
        except EOFError:
            error = "its process died"
        finally:
            worker.join(2)
            if worker.is_alive():
                worker.kill()
                worker.join()
        if error:
            pytest.fail(f"{short(page)}\n{error}", pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the repository."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    targets = [match["target"].partition("#")[0] for match in _LINK.finditer(text)]
    broken = [
        target for target in targets if not re.match(r"[a-z]+:|$|/", target) and not (page.parent / target).exists()
    ]
    assert broken == []


def test_blocks_are_read_as_written() -> None:
    """The reader of pages sees languages, words, files and processes; otherwise nothing would be tested at all."""
    page = ROOT / "tests" / "house" / "specimen.md"
    blocks = blocks_of(page)
    assert [(block.language, block.words, block.file, block.process, block.runs) for block in blocks] == [
        ("python", (), "hello.py", 0, True),
        ("python", (), None, 0, True),
        ("python", ("notest",), None, 0, False),
        ("html", (), "templates/hello.html", 0, True),
        ("console", (), None, 0, True),
        ("python", (), None, 1, True),
        ("text", (), None, 1, False),
    ]
    assert all(isinstance(block, Block) for block in blocks)


def test_specimen_fails_where_it_should(tmp_path: Path, fork_server: ForkServerContext) -> None:
    """A page whose output differs from what it shows fails, with the line of the page."""
    page = tmp_path / "wrong.md"
    page.write_text("# Wrong\n\n```python\nassert 1 + 1 == 3\n```\n")
    answer, child = multiprocessing.Pipe(duplex=False)
    worker = fork_server.Process(target=run_page, args=(page, 0, tmp_path, child))
    worker.start()
    worker.join(60)
    assert 'wrong.md", line 4' in answer.recv()


def test_specimen_runs(tmp_path: Path, fork_server: ForkServerContext) -> None:
    """Files, namespaces, awaits, commands and fresh processes work as the reader expects."""
    page = ROOT / "tests" / "house" / "specimen.md"
    test_page_runs(page, tmp_path, fork_server)
    assert (tmp_path / "templates" / "hello.html").read_text() == "<p>Hello</p>\n"
