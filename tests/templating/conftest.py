"""What the tests of the templating room share: an environment over a folder of a test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from demijohn.templating.environment import Environment


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write templates by name into the test's folder."""

    def write_all(files: dict[str, str], folder: str = "templates") -> Path:
        root = tmp_path / folder
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    return write_all


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment whose only folder is the test's."""
    made = Environment()
    made.folders.add(tmp_path / "templates")
    return made
