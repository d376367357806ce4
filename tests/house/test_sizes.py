"""Sizes and shapes: short modules, short constructors, few positional parameters, plain file names."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from .repository import SOURCE, public_things, short, source_files, tracked_files, tree_of

pytestmark = pytest.mark.house

MODULE_LINES = 600
CONSTRUCTOR_PARAMETERS = 8
POSITIONAL_PARAMETERS = 2
FORBIDDEN_STEMS = {"util", "utils", "helper", "helpers", "common", "misc", "stuff", "tools", "base_utils"}

# path: (lines, reason)
LONG_MODULES: dict[str, tuple[int, str]] = {}
# "path:Class": (parameters, reason)
LONG_CONSTRUCTORS: dict[str, tuple[int, str]] = {}
# the public name, as in "demijohn.http.Response": reason
_AS_FLASK = "body, status and headers, in the order of Flask, Werkzeug and Starlette"
_HOT = "built by the transports for every request, where keywords cost time"
_AS_GETTEXT = "the arguments of gettext, as everywhere"
MANY_POSITIONAL: dict[str, str] = {
    "demijohn.http.Connection": _HOT,
    "demijohn.http.HTMLResponse": _AS_FLASK,
    "demijohn.http.JSONResponse": _AS_FLASK,
    "demijohn.http.Markup.replace": "a text, as str is",
    "demijohn.http.PlainTextResponse": _AS_FLASK,
    "demijohn.http.RedirectResponse": _AS_FLASK,
    "demijohn.http.Request": _HOT,
    "demijohn.http.Response": _AS_FLASK,
    "demijohn.http.StreamResponse": _AS_FLASK,
    "demijohn.i18n.ngettext": _AS_GETTEXT,
    "demijohn.i18n.ngettext_lazy": _AS_GETTEXT,
    "demijohn.i18n.npgettext": _AS_GETTEXT,
    "demijohn.i18n.npgettext_lazy": _AS_GETTEXT,
}
# "path:Protocol.method": reason
MANY_POSITIONAL_IN_PROTOCOLS: dict[str, str] = {
    "src/demijohn/_lib/translation.py:Catalog.ngettext": _AS_GETTEXT,
    "src/demijohn/_lib/translation.py:Catalog.npgettext": _AS_GETTEXT,
    "src/demijohn/i18n/extraction.py:Templates.parse": "a method of Jinja2's environment",
}


def _functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Every function and method at the top of a module or class: its name, its node, whether it is a method."""
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node, False
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{inner.name}", inner, not _is_static(inner)


def _is_static(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(decorator, ast.Name) and decorator.id == "staticmethod" for decorator in node.decorator_list)


def test_modules_are_short() -> None:
    """No module is longer than 600 lines without a reason."""
    long = []
    for path in source_files():
        lines = path.read_text().count("\n")
        limit, _reason = LONG_MODULES.get(short(path), (MODULE_LINES, ""))
        if lines > limit:
            long.append(f"{short(path)}: {lines} lines")
    assert not long, "\n" + "\n".join(long)


def test_constructors_are_short() -> None:
    """No constructor takes more than eight parameters without a reason."""
    long = []
    for path in source_files():
        for name, node, method in _functions(path):
            if not name.endswith(".__init__"):
                continue
            arguments = node.args
            count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs) - method
            place = f"{short(path)}:{name.partition('.')[0]}"
            limit, _reason = LONG_CONSTRUCTORS.get(place, (CONSTRUCTOR_PARAMETERS, ""))
            if count > limit:
                long.append(f"{place}: {count} parameters")
    assert not long, "\n" + "\n".join(long)


def test_public_functions_take_two_positional_parameters() -> None:
    """What a room offers takes at most two positional parameters; the rest are keyword-only.

    Counted are functions, methods and written constructors; the fields of a plain value are free.
    """
    many = []
    for name, thing in public_things():
        if inspect.isclass(thing):
            thing = vars(thing).get("__init__")
        if isinstance(thing, property) or not inspect.isfunction(inspect.unwrap(thing) if callable(thing) else thing):
            continue
        kinds = [parameter.kind for parameter in inspect.signature(thing).parameters.values()]
        count = kinds.count(inspect.Parameter.POSITIONAL_ONLY) + kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if "." in getattr(thing, "__qualname__", "") and not inspect.ismethod(thing):
            count -= 1  # self
        if name.count(".") == 1:
            continue  # judged in the room that makes it
        if count > POSITIONAL_PARAMETERS and name not in MANY_POSITIONAL:
            many.append(f"{name}: {count}")
    assert not many, "\n" + "\n".join(many)


def test_protocols_take_two_positional_parameters() -> None:
    """What a protocol asks of others keeps to the same: at most two positional parameters, the rest keyword-only."""
    many = set()
    for path in source_files():
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.ClassDef) or not any(_is_protocol(base) for base in node.bases):
                continue
            for method in node.body:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                    count = len(method.args.posonlyargs) + len(method.args.args) - (not _is_static(method))
                    if count > POSITIONAL_PARAMETERS:
                        many.add(f"{short(path)}:{node.name}.{method.name}")
    assert many == set(MANY_POSITIONAL_IN_PROTOCOLS)


def _is_protocol(base: ast.expr) -> bool:
    return ast.unparse(base).partition("[")[0] in ("Protocol", "typing.Protocol")


def test_files_have_plain_names() -> None:
    """No file or folder is a junk room."""
    junk = [
        short(path)
        for path in tracked_files()
        if path.suffix == ".py" and FORBIDDEN_STEMS & {path.stem, *path.relative_to(SOURCE.parents[1]).parts[1:-1]}
    ]
    assert not junk, "\n" + "\n".join(junk)


def test_exceptions_are_still_needed() -> None:
    """An exception whose file is gone, or which has no reason, is taken off the list."""
    for place, (_limit, reason) in (LONG_MODULES | LONG_CONSTRUCTORS).items():
        assert (SOURCE.parents[1] / place.partition(":")[0]).is_file(), place
        assert len(reason) > 10, place
    names = {name for name, _thing in public_things()}
    for name, reason in MANY_POSITIONAL.items():
        assert name in names, name
        assert len(reason) > 10, name
