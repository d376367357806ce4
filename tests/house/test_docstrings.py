"""Docstrings: there for everything public, short in the first line, and their examples run."""

import ast
import doctest
import importlib
import inspect
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .repository import ROOT, SOURCE, public_things, short, source_files, tree_of

pytestmark = pytest.mark.house

FIRST_LINE = 80


def test_public_names_are_documented() -> None:
    """Every public class, function, method and property says what it is or does."""
    bare = [name for name, thing in public_things() if not inspect.getdoc(thing)]
    assert not bare, "\n" + "\n".join(bare)


def test_first_lines_are_short() -> None:
    """The first line of a docstring fits in eighty characters and is a whole sentence or phrase."""
    long = []
    for name, thing in public_things():
        first = (inspect.getdoc(thing) or " ").splitlines()[0]
        if len(first) > FIRST_LINE or not first.strip():
            long.append(f"{name}: {len(first)}: {first}")
    assert not long, "\n" + "\n".join(long)


def _tests() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield f"{short(path)}:{node.lineno} {node.name}", node


def test_tests_say_what_they_hold() -> None:
    """Every test states the behaviour it holds in a docstring."""
    # a test inside a test is the text of a program under test, not one of ours
    bare = [place for place, node in _tests() if not ast.get_docstring(node) and node.col_offset in {0, 4}]
    assert not bare, "\n" + "\n".join(bare)


def _has_examples(path: Path) -> bool:
    return ">>>" in path.read_text()


@pytest.mark.parametrize("path", [path for path in source_files() if _has_examples(path)], ids=short)
def test_examples_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples in the docstrings of a module give what they say."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testmod(
        module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, report=True
    )
    assert failed == 0
    assert attempted > 0, "an example in a string that is no docstring, or one that doctest does not see"


def test_scripts_are_sound() -> None:
    """Every script is executable (what is sourced is not), and bash can read it."""
    for path in sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file()):
        text = path.read_text()
        assert text.startswith("#!") == bool(path.stat().st_mode & 0o100), path.name
        if "bash" in text.partition("\n")[0] or not path.suffix:
            subprocess.run(["bash", "-n", str(path)], check=True)
