"""What the tests of the house share: the folders, the rooms, and what git tracks."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "demijohn"


@cache
def rooms() -> tuple[str, ...]:
    """The public rooms: packages and modules directly below `demijohn`."""
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    modules = {path.stem for path in SOURCE.glob("*.py")}
    return tuple(sorted(name for name in packages | modules if not name.startswith("_")))


def is_module(room: str) -> bool:
    """Whether the room is a single file."""
    return (SOURCE / f"{room}.py").is_file()


@cache
def source_files() -> tuple[Path, ...]:
    """Every Python file of the package."""
    return tuple(sorted(SOURCE.rglob("*.py")))


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, in the repository."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    return tuple(path for name in sorted(set(listing.split("\0"))) if name and (path := ROOT / name).is_file())


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(), filename=str(path))


def short(path: Path) -> str:
    """The path as a person writes it, relative to the repository."""
    return path.relative_to(ROOT).as_posix()
