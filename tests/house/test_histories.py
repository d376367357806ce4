"""The migrations that batteries bring: files of a history, which a project copies, and no modules of a room."""

import ast
from pathlib import Path

import pytest

import demijohn

FOLDERS = sorted(Path(demijohn.__file__).parent.glob("*/migrations"))
FILES = [path for folder in FOLDERS for path in sorted(folder.glob("*.py"))]
ALLOWED = {"sqlalchemy", "demijohn.migrations"}


def test_there_are_some() -> None:
    """The rule below looks at something, and no folder is a package that a room could import."""
    assert FILES
    assert not [path for path in FILES if path.name == "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}/{path.name}")
def test_a_file_of_a_history_imports_what_a_project_has(path: Path) -> None:
    """It is the one thing in a room that names `demijohn.migrations`, above it, and it names nothing of its room."""
    tree = ast.parse(path.read_text())
    seen = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    seen |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert seen <= ALLOWED
