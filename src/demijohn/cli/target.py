"""Finding the app: `hello.py`, `hello.py:app`, `package.module:factory`, `[tool.demijohn]`, or what lies here.

This is one of the four places that import by string.
"""

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

from demijohn._lib.advice import add_advice
from demijohn._lib.later import tomllib
from demijohn._lib.text import did_you_mean
from demijohn.app import App
from demijohn.errors import DemijohnError

__all__ = ["TargetError", "get_target", "is_given", "load_app", "using"]

_given: ContextVar[App | None] = ContextVar("demijohn_target", default=None)

USUAL = ("app.py", "main.py", "wsgi.py", "asgi.py", "hello.py")
NAMES = ("app", "application", "create_app", "make_app")

# Packages that start no thread and open nothing when they are imported, so that a process may fork behind that.
_QUIET = frozenset(
    [
        "alembic",
        "argon2",
        "asyncmy",
        "asyncpg",
        "attr",
        "attrs",
        "babel",
        "blinker",
        "brotli",
        "cryptography",
        "demijohn",
        "greenlet",
        "html",
        "httpx2",
        "itsdangerous",
        "jinja2",
        "markupsafe",
        "msgspec",
        "multipart",
        "oracledb",
        "pwdlib",
        "pydantic",
        "pydantic_core",
        "redis",
        "sqlalchemy",
        "typing_extensions",
        "yaml",
    ]
)


class TargetError(DemijohnError):
    """The app that a command works on cannot be found."""

    code = "DJN-600"


@contextmanager
def using(app: App) -> Iterator[None]:
    """Have every command in a `with` block work on this app, as tests do."""
    token = _given.set(app)
    try:
        yield
    finally:
        _given.reset(token)


def is_given() -> bool:
    """Return whether commands work on an app that was given as an object."""
    return _given.get() is not None


def get_target(given: str | None, folder: Path | None = None) -> str:
    """Return the target that was given, or the one of this folder.

    Looked for in this order: the argument, `DEMIJOHN_APP`, `[tool.demijohn] app` in `pyproject.toml`, and a file called
    `app.py`, `main.py`, `wsgi.py`, `asgi.py` or `hello.py`, here and in the one package below.

    Raises:
        TargetError: There is none, or the file that was named is not there.
    """
    named = given or os.environ.get("DEMIJOHN_APP")
    if named:
        return _checked(named)
    here = folder or Path.cwd()
    project = here / "pyproject.toml"
    if project.is_file():
        tool = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}).get("demijohn", {})
        if "app" in tool:
            return str(tool["app"])
    for name in USUAL:
        if (here / name).is_file():
            return name
    for root in (here, here / "src"):
        packages = sorted(path.parent for path in root.glob("*/__init__.py") if path.parent.name != "tests")
        for package in packages:
            for name in USUAL:
                if (package / name).is_file():
                    return f"{package.name}.{name[:-3]}"
    raise TargetError(
        f"No app was found in {here.name!r}.",
        why=f"There is no {', '.join(USUAL)}, and no `app` under [tool.demijohn] in pyproject.toml.",
        fix="Name it:  demijohn run hello.py   or   demijohn run package.module:app",
    )


def load_app(given: str | None = None) -> App:
    """Import the target and return its app; a factory without parameters is called.

    Raises:
        TargetError: The module, the name or the app is not there.
    """
    app = _given.get()
    if app is not None and given is None:
        return app
    target = get_target(given)
    where, _, name = target.partition(":") if not _is_windows_path(target) else (target, "", "")
    try:
        module = _import(where)
    except Exception as error:
        add_advice(error)
        raise
    found = _pick(module, name, target)
    if isinstance(found, App):
        return found
    if callable(found) and not inspect.isclass(found):
        needed = [
            parameter.name
            for parameter in inspect.signature(found).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        ]
        if needed:
            raise TargetError(
                f"The factory {target!r} wants {', '.join(needed)}.",
                why="A command calls it without arguments.",
                fix="Give its parameters defaults.",
                code="DJN-602",
            )
        found = found()
        if isinstance(found, App):
            return found
    raise TargetError(
        f"{target!r} is {type(found).__name__!r}, not an App.",
        why="A command needs the app itself, or a function that makes it.",
        fix="Name the app:  demijohn run hello.py:app",
        code="DJN-603",
    )


def load_ahead(names: list[str]) -> None:
    """Import the modules, of those that an app has loaded, that never change while it is developed.

    The development server calls it in the process that lasts; the processes forked from it have them from the start.
    """
    for name in names:
        if name.partition(".")[0] in _QUIET and name not in sys.modules:
            try:
                importlib.import_module(name)  # noqa: TID251 - one of the four named places
            except Exception:  # noqa: S112 - then the app loads it, and tells what is wrong
                continue


def _checked(target: str) -> str:
    """Return a target whose file, if it names one, is there: no later change would mend a wrong name."""
    path = Path(target if _is_windows_path(target) else target.partition(":")[0])
    if path.suffix == ".py" and not path.is_file():
        near = did_you_mean(path.name, [file.name for file in path.resolve().parent.glob("*.py")])
        raise TargetError(
            f"There is no file {str(path)!r}.{near}",
            why="The app is imported from it.",
            fix="Check the spelling, or change to its folder.",
            code="DJN-601",
        )
    return target


def _is_windows_path(target: str) -> bool:
    return len(target) > 2 and target[1] == ":" and target[2] in "\\/"


def _import(where: str) -> ModuleType:
    path = Path(where)
    if where.endswith(".py") or path.is_file():
        return _import_file(path)
    if path.is_dir() and (path / "__init__.py").is_file():
        where = path.name
        folder = path.resolve().parent
    else:
        folder = Path.cwd()
    for entry in (folder / "src", folder):
        if entry.is_dir() and str(entry) not in sys.path:
            sys.path.insert(0, str(entry))
    try:
        return importlib.import_module(where)  # noqa: TID251 - one of the four named places
    except ModuleNotFoundError as error:
        if error.name is None or not (where == error.name or where.startswith(error.name + ".")):
            raise
        raise TargetError(
            f"There is no module {where!r}.",
            why=f"It was looked for in {folder.name!r} and where Python looks for packages.",
            fix="Check the spelling, or change to the folder of the project.",
            code="DJN-601",
        ) from error


def _import_file(path: Path) -> ModuleType:
    path = path.resolve()
    names = [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if names[-1] == "__init__":
        names.pop()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    module = importlib.import_module(".".join(names))  # noqa: TID251 - one of the four named places
    if Path(module.__file__ or "").resolve() != path and names[-1] != path.parent.name:
        # Another module of that name was imported first, one of the standard library perhaps.
        spec = importlib.util.spec_from_file_location(f"_demijohn_{path.stem}", path)
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            sys.modules[module.__name__] = module
            spec.loader.exec_module(module)
    return module


def _pick(module: ModuleType, name: str, target: str) -> Any:
    if name:
        found: Any = module
        for part in name.removesuffix("()").split("."):
            try:
                found = getattr(found, part)
            except AttributeError:
                raise TargetError(
                    f"{module.__name__!r} has no {part!r}.{did_you_mean(part, vars(module))}",
                    why=f"{target!r} names it.",
                    fix="Name what the module has.",
                    code="DJN-604",
                ) from None
        return found
    apps = {key: value for key, value in vars(module).items() if isinstance(value, App)}
    for usual in NAMES:
        if usual in apps or (usual in vars(module) and callable(vars(module)[usual])):
            return vars(module)[usual]
    distinct = list({id(app): app for app in apps.values()}.values())
    if len(distinct) == 1:
        return distinct[0]
    if distinct:
        raise TargetError(
            f"{module.__name__!r} has more than one app: {', '.join(sorted(apps))}.",
            why="A command works on one.",
            fix=f"Name it:  {target}:{min(apps)}",
            code="DJN-605",
        )
    raise TargetError(
        f"{module.__name__!r} has no app.",
        why=f"None of its names is an App, and it has no {', '.join(NAMES)}.",
        fix="Write in it:  app = App()",
        code="DJN-606",
    )
