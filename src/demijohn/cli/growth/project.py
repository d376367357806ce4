"""The files around a one-file app: what imports it, its folders, its `pyproject.toml`."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from demijohn.cli.growth.statements import Import, Program

__all__ = ["Rewritten", "importers", "is_annotated", "mentions", "new_settings", "rewrite_imports"]

_PASSED_OVER = frozenset(("node_modules", "site-packages", "build", "dist", "migrations", "venv", "env"))


@dataclass(slots=True)
class Rewritten:
    """A file that imported the one-file app, as it has to be now."""

    text: str
    left: list[str] = field(default_factory=list)
    """Lines that have to be changed by hand."""


def importers(folder: Path, stem: str) -> Iterator[Path]:
    """Yield the Python files of a project that import a module."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if any(part in _PASSED_OVER or part.startswith(".") for part in parts) or parts == (f"{stem}.py",):
            continue
        if any((parent / "pyvenv.cfg").exists() for parent in path.parents if parent.is_relative_to(folder)):
            continue
        text = path.read_text(encoding="utf-8")
        if re.search(rf"\b{re.escape(stem)}\b", text) and _imports(text, stem):
            yield path


def _imports(text: str, stem: str) -> bool:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return False
    return any(
        (isinstance(node, ast.ImportFrom) and node.module == stem and not node.level)
        or (isinstance(node, ast.Import) and any(each.name == stem for each in node.names))
        for node in ast.walk(tree)
    )


def rewrite_imports(text: str, program: Program, *, package: str, home: Callable[[str], str | None]) -> Rewritten:
    """Return a file with the imports of the one-file app as imports of the modules of the package.

    Args:
        text: The file.
        program: The one-file app.
        package: The package that it becomes.
        home: Tells the module of a name.
    """
    stem = program.stem
    source = Program(text, stem="other")
    changes: list[tuple[int, int, str]] = []
    left: list[str] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module == stem and not node.level:
            indent = " " * node.col_offset
            taken = [_line_for(each, program, package, home) for each in node.names]
            changes.append((*source.segment(node), f"\n{indent}".join(_merged(taken))))
        elif isinstance(node, ast.Import) and any(each.name == stem for each in node.names):
            known = next(each.asname or each.name for each in node.names if each.name == stem)
            used, inner, rest = _attributes(source, known, package, home)
            changes += inner
            left += rest
            others = [each for each in node.names if each.name != stem]
            lines = [f"import {each.name}" + (f" as {each.asname}" if each.asname else "") for each in others]
            lines += [f"import {package}.{module}" for module in sorted(used or {"app"})]
            changes.append((*source.segment(node), f"\n{' ' * node.col_offset}".join(lines)))
    whole = source.whole
    for begin, end, new in sorted(changes, reverse=True):
        whole = whole[:begin] + new + whole[end:]
    return Rewritten(whole, left)


def _line_for(
    each: ast.alias, program: Program, package: str, home: Callable[[str], str | None]
) -> tuple[str, str, str | None]:
    module = home(each.name)
    if module is not None:
        return f"{package}.{module}", each.name, each.asname
    known: list[Import] = program.imported.get(each.name, [])
    if known and known[-1].name is not None:
        name = str(known[-1].name)
        given = each.asname or (each.name if each.name != name else None)
        return known[-1].module, name, given
    return f"{package}.app", each.name, each.asname


def _merged(lines: list[tuple[str, str, str | None]]) -> list[str]:
    """Return import lines, the names of one module together."""
    found: dict[str, list[str]] = {}
    aliased: list[str] = []
    for module, name, given in sorted(lines, key=lambda line: (line[0], line[1])):
        if given and given != name:
            aliased.append(f"from {module} import {name} as {given}")
        else:
            found.setdefault(module, []).append(f"{name} as {name}" if given else name)
    plain = [f"from {module} import {', '.join(names)}" for module, names in found.items()]
    return sorted([*plain, *aliased])


def _attributes(
    source: Program, known: str, package: str, home: Callable[[str], str | None]
) -> tuple[set[str], list[tuple[int, int, str]], list[str]]:
    """Return the modules that `hello.NAME` leads to, the changes, and the lines that use the module itself."""
    used: set[str] = set()
    changes: list[tuple[int, int, str]] = []
    inner: set[int] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == known:
            module = home(node.attr) or "app"
            used.add(module)
            inner.add(id(node.value))
            changes.append((*source.segment(node.value), f"{package}.{module}"))
    left = [
        source.lines[node.lineno - 1].strip()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Name) and node.id == known and id(node) not in inner
    ]
    return used, changes, left


def mentions(folder: Path, stem: str) -> Iterator[str]:
    """Yield the lines of other files of a project that name the file: `Procfile:1: web: uvicorn hello:app`."""
    wanted = re.compile(rf"(?<![\w./-]){re.escape(stem)}(?:\.py\b|:\w+)")
    for path in sorted(folder.iterdir()):
        is_text = path.suffix in {".md", ".txt", ".toml", ".yml", ".yaml", ".cfg", ".ini", ".sh", ".rst", ""}
        if not path.is_file() or not is_text or path.stat().st_size > 200_000:
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            if wanted.search(line) and not (path.name == "pyproject.toml" and line.startswith("app =")):
                yield f"{path.name}:{number}: {line.strip()[:100]}"


def is_annotated(tree: ast.AST) -> bool:
    """Return whether every function says its types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            plain = [one for one in arguments if one.annotation is None and one.arg not in ("self", "cls")]
            if plain or (node.returns is None and (node.name != "__init__" or not arguments)):
                return False
    return True


def new_settings(text: str, *, package: str, stem: str, has_migrations: bool) -> str:
    """Return a `pyproject.toml` of a one-file app as that of a package; what it says beside that stays.

    Raises:
        ValueError: It would not be good TOML.
    """
    changed = re.sub(
        rf'(?m)^py-modules = \["{re.escape(stem)}"\]$', _packages(package, has_migrations=has_migrations), text
    )
    changed = re.sub(r'(?m)^testpaths = \["test_[^"\]]*\.py"\]$', 'testpaths = ["tests"]\npythonpath = ["."]', changed)
    if re.search(r"(?m)^\[tool\.demijohn\]$", changed):
        section = re.compile(r"(?m)(^\[tool\.demijohn\]\n(?:(?!\[).*\n)*?)^app = .*$")
        if section.search(changed):
            changed = section.sub(rf'\g<1>app = "{package}.app"', changed)
        else:
            changed = re.sub(r"(?m)^\[tool\.demijohn\]$", f'[tool.demijohn]\napp = "{package}.app"', changed)
    else:
        changed = f'{changed.rstrip()}\n\n[tool.demijohn]\napp = "{package}.app"\n'.lstrip("\n")
    read = tomllib.loads(changed)
    if read["tool"]["demijohn"]["app"] != f"{package}.app":
        raise ValueError("[tool.demijohn]")
    return changed


def _packages(package: str, *, has_migrations: bool) -> str:
    migrations = ', "migrations/**"' if has_migrations else ""
    return (
        f'packages = ["{package}"]\n\n[tool.setuptools.package-data]\n'
        f'"{package}" = ["templates/**", "static/**"{migrations}]'
    )
