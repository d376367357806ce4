"""The front doors: what is public is listed, exists, is small, and has one name for one thing."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import demijohn

from .repository import SOURCE, is_module, rooms

pytestmark = pytest.mark.house

ROOT_LIMIT = 40
ROOM_LIMIT = 40

# room: (limit, reason). A room that needs more names than ROOM_LIMIT says why.
MORE_NAMES: dict[str, tuple[int, str]] = {
    "http": (80, "the vocabulary of HTTP: a class for each kind of header, message and body"),
    "errors": (60, "one class per status of HTTP, and the tree of mistakes"),
    "middleware": (45, "each rule is a class for an app or a blueprint, and a decorator for one handler"),
    "app": (60, "where everything comes together: declarations, markers, registries, values"),
    "db": (60, "fields, relations, queries and units of work, and a class for each fault that code may want to catch"),
}


def _public(module: ModuleType) -> set[str]:
    """The names a module binds itself: no dunder, no private name, no submodule, nothing it imported by accident."""
    return {name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)}


def _room(name: str) -> ModuleType:
    return importlib.import_module(f"demijohn.{name}")


def test_root_lists_its_names() -> None:
    """`demijohn.__all__` is exactly what the root binds once its names were asked for, and what `dir` shows of it."""
    listed = {name for name in demijohn.__all__ if not name.startswith("__")}
    for name in listed:
        getattr(demijohn, name)
    assert listed == _public(demijohn) - {"TYPE_CHECKING"}
    assert listed <= set(dir(demijohn))


def test_root_is_typed_as_it_runs() -> None:
    """What type checkers read of the root are the same objects from the same rooms as a program gets."""
    tree = ast.parse(Path(demijohn.__file__ or "").read_text(encoding="utf-8"))
    imports = [
        node
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("demijohn")
    ]
    typed = {alias.name: node.module or "" for node in imports for alias in node.names}
    assert typed.keys() == set(demijohn.__all__)
    for name, module in typed.items():
        assert getattr(demijohn, name) is getattr(importlib.import_module(module), name)


def test_root_is_small() -> None:
    """The root offers at most forty names."""
    assert len(getattr(demijohn, "__all__", ())) <= ROOT_LIMIT


@pytest.mark.parametrize("room", rooms())
def test_room_lists_what_it_offers(room: str) -> None:
    """Each room has an `__all__` without doubles, and every name in it exists."""
    module = _room(room)
    names = list(getattr(module, "__all__", ()))
    if not names and not _public(module):
        return  # an empty room
    assert names, f"demijohn.{room} has no __all__: list what is public, sorted"
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(module, name)] == []
    assert [name for name in names if name.startswith("_") and not name.startswith("__")] == []


@pytest.mark.parametrize("room", [room for room in rooms() if not is_module(room)])
def test_room_leaks_nothing(room: str) -> None:
    """A room's `__init__` binds no public name that it does not list."""
    module = _room(room)
    assert _public(module) - set(getattr(module, "__all__", ())) == set()


@pytest.mark.parametrize("room", rooms())
def test_room_is_small(room: str) -> None:
    """A room offers at most forty names, or says why it needs more."""
    limit, _reason = MORE_NAMES.get(room, (ROOM_LIMIT, ""))
    assert len(getattr(_room(room), "__all__", ())) <= limit


@pytest.mark.parametrize("package", ["", *(room for room in rooms() if not is_module(room))])
def test_submodules_hide_no_public_name(package: str) -> None:
    """No submodule has the name of something public beside it: importing it would replace that."""
    module = _room(package) if package else demijohn
    folder = SOURCE / package if package else SOURCE
    submodules = {entry.name for entry in pkgutil.iter_modules([str(folder)])}
    public = set(getattr(module, "__all__", ()))
    assert submodules & public == set()
    assert submodules & set(demijohn.__all__ if hasattr(demijohn, "__all__") else ()) == set()


def test_one_name_is_one_thing() -> None:
    """A public name means the same object wherever it is offered, the root included."""
    seen: dict[str, tuple[str, object]] = {}
    doubles = []
    for room in ("", *rooms()):
        module = _room(room) if room else demijohn
        for name in getattr(module, "__all__", ()):
            if name.startswith("__"):
                continue
            value = getattr(module, name)
            where, first = seen.setdefault(name, (module.__name__, value))
            if first is not value and name not in SAME_NAME:
                doubles.append(f"{name}: {where} and {module.__name__}")
    assert doubles == []


# name: why two rooms may use it for two things
SAME_NAME: dict[str, str] = {
    "Form": "the marker of a parameter, as in FastAPI, and a form, as in Django; `Form[...]` of the first says so",
}
