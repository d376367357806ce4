"""What the tests of the house share: the folders, the rooms, and what git tracks."""

import ast
import importlib
import inspect
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import demijohn

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


def public_things() -> Iterator[tuple[str, object]]:
    """Every class and function that a room offers, and the public methods and properties that a class defines.

    Of a protocol the class docstring alone counts: its members have no bodies to explain.
    """
    for room in ("", *rooms()):
        module = importlib.import_module(f"demijohn.{room}") if room else demijohn
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not (inspect.isclass(thing) or inspect.isroutine(thing)) or not _ours(thing):
                continue
            yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing) and not getattr(thing, "_is_protocol", False):
                for member, value in vars(thing).items():
                    value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
                    if not member.startswith("_") and (inspect.isroutine(value) or isinstance(value, property)):
                        yield f"{module.__name__}.{name}.{member}", getattr(thing, member)


def _ours(thing: object) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] == "demijohn"
