"""A one-file app as a package: what is written, moved and changed, tried in a folder of its own before it is done."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from demijohn.cli.creating import ProjectError
from demijohn.cli.growth.facts import differences, facts_of
from demijohn.cli.growth.modules import DOCSTRINGS, Modules
from demijohn.cli.growth.placement import Placement
from demijohn.cli.growth.project import importers, is_annotated, mentions, new_settings, rewrite_imports
from demijohn.cli.growth.statements import Program
from demijohn.cli.skeleton import files_of

__all__ = ["Growth", "read_program"]

_COMMON = ("pyproject.toml", "README.md", ".gitignore", ".env.example", "Containerfile")
_EXTRAS = {"postgresql": "[postgresql]", "postgres": "[postgresql]", "mysql": "[mysql]", "mariadb": "[mysql]"}
_TEST = '''"""The site, as it is put together."""

from demijohn import App


def test_the_checks_find_no_error(app: App) -> None:
    """Routes, models and templates fit together."""
    app.freeze()
    assert [message for message in app.run_checks() if message.level == "error"] == []
'''


def read_program(path: Path) -> Program:
    """Read a one-file app.

    Raises:
        ProjectError: It is a package already (DJN-660), no good Python (DJN-661), or hides names (DJN-663).
    """
    inside = (path.parent / "__init__.py").is_file()
    try:
        program = Program(path.read_text(encoding="utf-8"), stem=path.stem)
    except (SyntaxError, UnicodeDecodeError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ProjectError(
            f"{path.name} cannot be read: {getattr(error, 'msg', error)}{line}.",
            why="Its statements are moved by the syntax tree, and it has none.",
            fix=f"Mend it first:  python -m py_compile {path.name}",
            code="DJN-661",
        ) from None
    if inside or program.relative:
        raise _is_package(path.name)
    if program.stars:
        raise ProjectError(
            f"{path.name} imports everything from a module (line {program.stars[0]}).",
            why="The names that it brings stand nowhere, so no module can import those that it needs.",
            fix="Name them:  from demijohn import App, Page",
            code="DJN-663",
        )
    return program


def _is_package(name: str) -> ProjectError:
    return ProjectError(
        f"The app in {name} is part of a package already.",
        why="`demijohn grow` makes a package of one file.",
        fix="Add to it:  demijohn generate feature post title:str",
        code="DJN-660",
    )


class Growth:
    """What becomes of a one-file app.

    Args:
        path: The file.
        package: The name of the package.
    """

    def __init__(self, path: Path, *, package: str) -> None:
        self.path = path
        self.folder = path.parent
        self.package = package
        self.program = read_program(path)
        self.placement = Placement(self.program)
        self.before = facts_of(path.name, folder=self.folder)
        self.others = [
            one.name
            for one in sorted(self.folder.glob("*.py"))
            if one != path and re.search(r"^\w+ = (?:\w+\.)?App\(", one.read_text(encoding="utf-8"), re.MULTILINE)
        ]
        beside = [one.stem for one in self.folder.glob("*.py") if one != path]
        self.folders = _outermost(self.before["folders"])
        self.modules = Modules(self.program, self.placement, package=package, beside=beside, moved=self.folders)
        self.writes: dict[str, str] = {}
        self.edits: dict[str, str] = {}
        self.removals = [path.name]
        self.left: list[str] = []
        self.formatted: list[str] = []
        self.line_length = 100
        self.has_database = "db" in self.before["batteries"] or "models" in self.modules.names
        self._plan()

    # -- the plan -----------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        ending = "\r\n" if b"\r\n" in self.path.read_bytes() else "\n"
        self.ending = ending
        is_formatted = self._find_line_length()
        home = f"{self.package}/"
        title = self.package.replace("_", " ").capitalize()
        self.writes[f"{home}__init__.py"] = f'"""{title}."""\n'
        texts = self.modules.texts()
        if self.has_database:
            for name in ("models", "forms", *(["admin"] if "admin" in self.before["batteries"] else [])):
                texts.setdefault(name, f'"""{DOCSTRINGS[name]}"""\n')
        for name, text in texts.items():
            self.writes[f"{home}{name}.py"] = text
            if is_formatted or name == "urls":
                self.formatted.append(f"{home}{name}.py")
        self.left += self.modules.notes
        named = re.compile(rf"(?<![\w./-]){re.escape(self.path.stem)}\.py\b")
        self.left += [f"{home}app.py: {line.strip()}" for line in texts["app"].splitlines() if named.search(line)]
        strict = is_annotated(self.program.tree)
        strict = self._plan_importers() and strict
        strict = self._plan_tests() and strict
        self._plan_common(title, strict=strict)
        self.left += mentions(self.folder, self.path.stem)
        taken = [name for name in self.writes if (self.folder / name).exists()]
        if (self.folder / self.package).exists():
            taken.insert(0, home)
        if taken:
            raise ProjectError(
                f"{taken[0]} is there already.",
                why="Nothing that exists is written over.",
                fix=f"Move it away, or name the package:  demijohn grow {self.path.name} --package my_site",
                code="DJN-665",
            )

    def _plan_importers(self) -> bool:
        """Change the imports of what imports the file; return whether all of it says its types."""
        strict = True
        for path in importers(self.folder, self.path.stem):
            text = path.read_text(encoding="utf-8")
            name = path.relative_to(self.folder).as_posix()
            changed = rewrite_imports(text, self.program, package=self.package, home=self.placement.module_of)
            self.edits[name] = changed.text
            self.left += [f"{name}: {line}" for line in changed.left]
            strict = strict and is_annotated(ast.parse(text))
        return strict

    def _plan_tests(self) -> bool:
        """Move tests that lie beside the file into `tests`; return whether they say their types."""
        strict = True
        found = list((self.folder / "tests").glob("**/test_*.py"))
        beside = [*self.folder.glob("test_*.py"), *self.folder.glob("*_test.py"), *self.folder.glob("conftest.py")]
        for path in sorted(beside):
            text = path.read_text(encoding="utf-8")
            if self.others and path.name not in self.edits:
                continue
            found.append(path)
            strict = strict and is_annotated(ast.parse(text))
            if self.others or "__file__" in text or (self.folder / "tests" / path.name).exists():
                continue
            self.writes[f"tests/{path.name}"] = self.edits.pop(path.name, text)
            self.removals.append(path.name)
        if not found and not any(line.startswith("error:") for line in self.before["checks"]):
            self.writes["tests/test_site.py"] = _TEST
        if any(name.startswith("tests/") for name in self.writes) and not (self.folder / "tests/__init__.py").exists():
            self.writes["tests/__init__.py"] = ""
        return strict

    def _plan_common(self, title: str, *, strict: bool) -> None:
        url = re.search(r'database_url: str = "([^"]*)"', self.program.text)
        kinds = {_EXTRAS[one] for one in re.findall(r"\"(\w+)(?:\+\w+)?://", self.program.text) if one in _EXTRAS}
        values: dict[str, Any] = {
            "name": re.sub(r"[^a-z0-9]+", "-", self.package).strip("-"),
            "package": self.package,
            "title": title,
            "single": False,
            "database": self.has_database,
            "url": url[1] if url else "",
            "extra": min(kinds, default=""),
            "accounts": "auth" in self.before["batteries"],
            "dependencies": self._dependencies(),
            "line_length": self.line_length,
            "longest_line": self.longest_line,
            "strict": strict,
            "root_tests": sorted(
                one.name for one in self.folder.glob("*test*.py") if one.name not in self.removals and not self.others
            ),
        }
        made = files_of("package", values)
        for name in _COMMON:
            if name in made and not (self.folder / name).exists():
                self.writes[name] = made[name]
        settings = self.folder / "pyproject.toml"
        if settings.exists():
            text = settings.read_text(encoding="utf-8")
            try:
                self.edits["pyproject.toml"] = new_settings(
                    text, package=self.package, stem=self.path.stem, has_migrations=self.has_database
                )
            except (ValueError, KeyError):
                self.left.append(f'pyproject.toml: write  [tool.demijohn]  app = "{self.package}.app"')
        readme = self.folder / "README.md"
        if readme.exists():
            text, line = (
                readme.read_text(encoding="utf-8"),
                "Everything is in `app.py`; `demijohn grow` makes a package of it when it gets long.\n",
            )
            table = re.search(r"(?s)\| file \| \|.*?(?=\nSettings come)", made["README.md"])
            if line in text and table:
                self.edits["README.md"] = text.replace(line, table[0])

    def _dependencies(self) -> list[str]:
        """Return the distributions of the modules that the file imports, beside our own."""
        known = packages_distributions()
        tops = {one.module.partition(".")[0] for several in self.program.imported.values() for one in several}
        beside = {one.stem for one in self.folder.glob("*.py")} | {"demijohn"} | sys.stdlib_module_names
        found = {known[top][0].lower() for top in tops - beside if known.get(top)}
        return sorted(found)

    # -- style --------------------------------------------------------------------------------------------------------

    def _find_line_length(self) -> bool:
        """Return whether the file is formatted, and note how long its lines may be."""
        longest = max((len(line) for line in self.program.text.splitlines()), default=0)
        self.longest_line = min(longest, 320)
        if not _has_ruff():
            return False
        own = any((self.folder / name).exists() for name in ("ruff.toml", ".ruff.toml")) or (
            (self.folder / "pyproject.toml").exists() and "[tool.ruff" in (self.folder / "pyproject.toml").read_text()
        )
        for length in [0] if own else [100, 88, 79, 120]:
            given = [f"--line-length={length}", "--isolated"] if length else []
            if _ruff("format", "--check", "--quiet", *given, self.path.name, folder=self.folder):
                self.line_length = length or self.line_length
                return True
        return False

    # -- trying it out ------------------------------------------------------------------------------------------------

    @contextmanager
    def built(self) -> Iterator[Path]:
        """Build it all in a folder of its own, for the length of a `with` block."""
        with tempfile.TemporaryDirectory(prefix="demijohn-grow-") as name:
            place = Path(name).resolve()
            for one in self.folder.glob("*.py"):
                if one.name not in {*self.removals, *self.edits}:
                    (place / one.name).symlink_to(one.resolve())
            for file in ("ruff.toml", ".ruff.toml", "pyproject.toml"):
                if (self.folder / file).exists() and file not in self.edits:
                    shutil.copy(self.folder / file, place / file)
            for file, text in (self.writes | self.edits).items():
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                (place / file).write_text(text, encoding="utf-8")
            self._tidy(place)
            for inner in self.folders:
                (place / self.package / inner).parent.mkdir(parents=True, exist_ok=True)
                (place / self.package / inner).symlink_to((self.folder / inner).resolve())
            yield place

    def _tidy(self, place: Path) -> None:
        """Have ruff sort the imports and, where the file was formatted, break the lines as it does."""
        if not _has_ruff():
            return
        changed = [name for name in (*self.writes, *self.edits) if name.endswith(".py")]
        _ruff("check", "--select=I", "--fix", "--quiet", *changed, folder=place)
        _ruff("format", "--quiet", *self.formatted, *self._formatted_before(changed), folder=place)
        for names in (self.writes, self.edits):
            for name in names:
                names[name] = (place / name).read_text(encoding="utf-8")

    def _formatted_before(self, changed: list[str]) -> list[str]:
        given = [name for name in changed if not name.startswith(f"{self.package}/")]
        where = {name: name if (self.folder / name).exists() else name.removeprefix("tests/") for name in given}
        return [
            name
            for name, old in where.items()
            if (self.folder / old).exists() and _ruff("format", "--check", "--quiet", old, folder=self.folder)
        ]

    def verify(self) -> dict[str, Any]:
        """Load what was built, and return what it is (Any: JSON).

        Raises:
            ProjectError: It is not the same app (DJN-666), or cannot be loaded (DJN-664).
        """
        with self.built() as place:
            after = facts_of(f"{self.package}.app", folder=self.folder, path=place)
        told = differences(self.before, after)
        if told:
            raise ProjectError(
                f"{self.package}/ would not be the app that {self.path.name} is; nothing was changed.",
                why="They differ in\n" + "\n".join(f"    {line}" for line in told),
                fix=f"Look at what would be written:  demijohn grow {self.path.name} --dry-run --diff",
                code="DJN-666",
            )
        return after

    # -- doing it -----------------------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Write the files, move the folders, and remove the file; take it all back where something fails."""
        undo: list[Callable[[], Any]] = []
        try:
            for name, text in self.writes.items():
                target = self.folder / name
                for parent in reversed(target.parents):
                    if not parent.exists():
                        parent.mkdir()
                        undo.append(parent.rmdir)
                self._write(target, text)
                undo.append(target.unlink)
            for name in self.folders:
                source, target = self.folder / name, self.folder / self.package / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if self.others:
                    shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
                    undo.append(partial(_remove, target))
                else:
                    shutil.move(source, target)
                    undo.append(partial(shutil.move, target, source))
            for name, text in self.edits.items():
                target = self.folder / name
                undo.append(partial(target.write_bytes, target.read_bytes()))
                self._write(target, text)
        except BaseException:
            for take_back in reversed(undo):
                take_back()
            raise
        for name in self.removals:
            (self.folder / name).unlink()

    def _write(self, target: Path, text: str) -> None:
        with target.open("w", encoding="utf-8", newline=self.ending) as file:
            file.write(text)


def _outermost(folders: list[str]) -> list[str]:
    return [one for one in folders if not any(Path(one).is_relative_to(other) for other in folders if other != one)]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _has_ruff() -> bool:
    return importlib.util.find_spec("ruff") is not None


def _ruff(*arguments: str, folder: Path) -> bool:
    if len(arguments) < 2:
        return True
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0  # noqa: S603
