"""The one strict switch: what large teams agree on, as checks with ids."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demijohn._lib.source import place_of
from demijohn.app.checks import CheckMessage
from demijohn.app.operations import Operation
from demijohn.app.signatures import stripped
from demijohn.routing import WEBSOCKET

__all__ = ["strict_checks"]


def strict_checks(app: Any) -> Iterator[CheckMessage]:
    """Yield where an app with `strict=True` breaks what it promises (Any: the app)."""
    if not app.strict:
        return
    for route, functions in _handlers(app):
        for function, operations in functions.items():
            yield from _untyped(route, function)
            yield from _without_policy(app, route, operations)
    yield from _across_features(app)


def _handlers(app: Any) -> Iterator[tuple[Any, dict[Any, list[Operation]]]]:
    """Yield each route that the app's people wrote, with what each of its functions answers."""
    ours = str(Path(__file__).resolve().parent.parent)
    for route in app.router.routes:
        if getattr(route.endpoint, "__module__", "").startswith("demijohn."):
            continue
        functions: dict[Any, list[Operation]] = {}
        for operation in route.details.values():
            functions.setdefault(operation.function, []).append(operation)
        plain = [inspect.unwrap(function) for function in functions]
        if any(getattr(one, "__code__", None) and one.__code__.co_filename.startswith(ours) for one in plain):
            continue
        yield route, functions


def _untyped(route: Any, function: Any) -> Iterator[CheckMessage]:
    try:
        signature = inspect.signature(inspect.unwrap(function))
    except (TypeError, ValueError):
        return
    missing = [
        name
        for index, (name, parameter) in enumerate(signature.parameters.items())
        if parameter.annotation is parameter.empty and not (index == 0 and name in ("self", "cls"))
    ]
    if signature.return_annotation is signature.empty and WEBSOCKET not in route.methods:
        missing.append("return")
    if missing:
        yield CheckMessage(
            level="error",
            id="strict.untyped",
            text=f"The handler of {route.pattern} says no type for {', '.join(missing)}.",
            hint="Annotate every parameter and the result; they are checked, documented and completed by the editor.",
            place=place_of(inspect.unwrap(function)),
        )


def _without_policy(app: Any, route: Any, operations: list[Operation]) -> Iterator[CheckMessage]:
    first = operations[0]  # one function: the same plan and marks for all of its methods
    if any(hasattr(guard, "policy") for guard in first.marks.guards):
        return
    asked = [stripped(key) for key in first.services]
    if any(isinstance(one, type) and issubclass(one, known) for one in asked for known in app.policy_types):
        return
    yield CheckMessage(
        level="error",
        id="strict.policy",
        text=f"Nobody said who may use {', '.join(operation.method for operation in operations)} {route.pattern}.",
        hint='Write @requires("..."), @login_required or @public (demijohn.auth), or take the user as a parameter.',
        place=place_of(inspect.unwrap(first.function)),
    )


def _across_features(app: Any) -> Iterator[CheckMessage]:
    """Yield imports from one feature into the inside of another.

    A feature is a package beside the app in which a blueprint of the app stands; what it offers to others stands in its
    `__init__.py`.
    """
    root: Path = app.root_path
    features = {
        folder
        for blueprint in app.scaffolds()
        if blueprint is not app and (folder := _feature_of(root, blueprint.root_path)) is not None
    }
    if not features:
        return
    package = _package_of(root)
    for folder in sorted(features):
        for file in sorted(folder.rglob("*.py")):
            for line, target in _imports(file, root, package):
                other = root / target.partition(".")[0]
                if other in features and other != folder and "." in target:
                    name = target.partition(".")[0]
                    yield CheckMessage(
                        level="error",
                        id="strict.front_door",
                        text=f"The feature {folder.name!r} imports {target!r}, which lies inside of {name!r}.",
                        hint=f"Offer it in {name}/__init__.py, and write  from ..{name} import ...",
                        place=f"{file.relative_to(root)}:{line}",
                    )


def _feature_of(root: Path, path: Path) -> Path | None:
    try:
        parts = path.resolve().relative_to(root.resolve()).parts
    except ValueError:
        return None
    if not parts or not (root / parts[0] / "__init__.py").is_file():
        return None
    return root / parts[0]


def _package_of(root: Path) -> str:
    """Return the dotted name of the folder of the app, or nothing where it is no package."""
    names: list[str] = []
    folder = root
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return ".".join(names)


def _imports(file: Path, root: Path, package: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the target of each import that stays below the root, relative to it."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return
    inside = file.relative_to(root).parent.parts
    prefix = f"{package}." if package else ""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                above = len(inside) - (node.level - 1)
                if above < 0:
                    continue
                base = prefix + ".".join(inside[:above])
                names = [f"{base.rstrip('.')}.{node.module}" if node.module else base.rstrip(".")]
            else:
                names = [node.module or ""]
            # `from shop.orders import models` reaches a module, `from shop.orders import Order` a name of the package.
            names = [_deepest(root, name, alias.name, prefix) for name in names for alias in node.names]
        for name in names:
            if name.startswith(prefix) and name != package:
                yield getattr(node, "lineno", 0), name.removeprefix(prefix)


def _deepest(root: Path, module: str, name: str, prefix: str) -> str:
    below = module.removeprefix(prefix) if module.startswith(prefix) else module
    folder = root.joinpath(*below.split(".")) if below and below + "." != prefix else root
    if (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file():
        return f"{module}.{name}"
    return module
