"""`demijohn generate`: a model, its pages, its administration and its tests, added to a project."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from demijohn._lib.text import did_you_mean
from demijohn.cli.creating import ProjectError
from demijohn.cli.skeleton import render_part
from demijohn.cli.sourcing import Source

__all__ = ["generate"]

# written type: (annotation, options of `column`, module and names to import, a value for the test)
_TYPES: dict[str, tuple[str, str, tuple[str, str] | None, str]] = {
    "str": ("str", "max_length=200", None, '"Hello"'),
    "text": ("str", "text=True", None, '"Hello"'),
    "email": ("str", 'max_length=254, format="email"', None, '"ann@example.org"'),
    "url": ("str", 'max_length=2000, format="url"', None, '"https://example.org/"'),
    "slug": ("str", 'max_length=200, format="slug"', None, '"hello"'),
    "int": ("int", "", None, "7"),
    "float": ("float", "", None, "1.5"),
    "decimal": ("Decimal", "", ("decimal", "Decimal"), '"1.50"'),
    "bool": ("bool", "default=False", None, "True"),
    "date": ("date", "", ("datetime", "date"), ""),
    "datetime": ("datetime", "", ("datetime", "datetime"), ""),
    "time": ("time", "", ("datetime", "time"), ""),
    "uuid": ("UUID", "", ("uuid", "UUID"), ""),
}
_SEARCHED = frozenset(("str", "text", "email", "slug"))


@dataclass(frozen=True, slots=True)
class FieldGiven:
    """One `name:type` of the command line."""

    name: str
    kind: str
    unique: bool
    nullable: bool
    target: str = ""
    many: bool = False

    def line(self, plural: str) -> str:
        """Return the declaration in the class."""
        if self.target:
            if self.many:
                return f'{self.name}: Mapped[list["{self.target}"]] = many_to_many(back="{plural}")'
            tp = f'"{self.target} | None"' if self.nullable else f'"{self.target}"'
            return f'{self.name}: Mapped[{tp}] = belongs_to(back="{plural}")'
        annotation, options, _, _ = _TYPES[self.kind]
        tp = f"{annotation} | None" if self.nullable else annotation
        given = [options, "unique=True" if self.unique else ""]
        return f"{self.name}: Mapped[{tp}] = column({', '.join(filter(None, given))})"


def read_field(written: str) -> FieldGiven:
    """Return the field of `name:type`; behind the type `?` may be empty, `!` is unique, `[]` is many.

    Raises:
        ProjectError: DJN-641, it is no such thing.
    """
    found = re.fullmatch(
        r"(?P<name>[a-z][a-z0-9_]*)(?::(?P<kind>[A-Za-z]\w*)(?P<many>\[\])?(?P<marks>[?!]*))?", written
    )
    if found is None:
        raise ProjectError(
            f"The field {written!r} cannot be read.",
            why="A field is a name in small letters and a type.",
            fix="Write:  title:str  published:bool  author:User  tags:Tag[]  note:text?  slug:slug!",
            code="DJN-641",
        )
    kind, marks = found["kind"] or "str", found["marks"] or ""
    target = kind if kind[0].isupper() else ""
    if not target and kind not in _TYPES:
        raise ProjectError(
            f"The field {written!r} has the type {kind!r}.{did_you_mean(kind, _TYPES)}",
            why=f"There are {', '.join(_TYPES)}; a type with a capital letter is another model.",
            fix=f"Write:  {found['name']}:str",
            code="DJN-641",
        )
    return FieldGiven(found["name"], kind, "!" in marks, "?" in marks, target, bool(found["many"]))


class Project:
    """The project in a folder, as its `pyproject.toml` says.

    Raises:
        ProjectError: DJN-642, there is none that has a package with `models.py`.
    """

    def __init__(self, folder: Path) -> None:
        file = folder / "pyproject.toml"
        app = ""
        if file.is_file():
            app = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("demijohn", {}).get("app", "")
        self.folder = folder
        self.package = app.partition(":")[0].partition(".")[0]
        self.home = folder / self.package
        if not self.package or not (self.home / "models.py").is_file():
            fix = "Change to the folder of the project, or make one:  demijohn new my-site"
            if self.package and (self.home / "app.py").is_file():
                fix = "Add a database first:  demijohn grow database"
            elif (folder / f"{self.package or 'app'}.py").is_file():
                fix = "Make a package of the one file first:  demijohn grow"
            raise ProjectError(
                f"No project with a package and models.py was found in {folder.name!r}.",
                why="`generate` adds to the files that `demijohn new` makes, and [tool.demijohn] names their package.",
                fix=fix,
                code="DJN-642",
            )
        made = [path for name in ("app.py", "batteries.py") if (path := self.home / name).is_file()]
        self.has_accounts = any("Auth(" in path.read_text(encoding="utf-8") for path in made)

    def source(self, name: str) -> Source:
        """Return a file of the package, to be added to."""
        return Source(self.home / name)

    def tidy(self) -> None:
        """Have ruff break long lines in what is added to, where the project uses it."""
        if importlib.util.find_spec("ruff") is None:
            return
        files = [self.home / name for name in ("models.py", "views.py", "admin.py", "app.py")]
        present = [str(path) for path in (*files, *(self.folder / "tests").glob("test_*.py")) if path.is_file()]
        command = [sys.executable, "-m", "ruff", "format", "--quiet", *present]
        subprocess.run(command, cwd=self.folder, check=False)  # noqa: S603


@click.group()
def generate() -> None:
    """Add a model, its pages, its administration and tests to the project.

    Fields are written NAME:TYPE, with the types str, text, int, float, decimal, bool, date, datetime, time, email, url,
    slug and uuid, or the name of another model. Behind the type, ? may be empty, ! is unique, [] is many.
    """


def _arguments(function: Any) -> Any:
    function = click.argument("fields", nargs=-1, metavar="[FIELD:TYPE]...")(function)
    return click.argument("name")(function)


@generate.command()
@_arguments
def model(name: str, fields: tuple[str, ...]) -> None:
    """Add a model with these fields to models.py, and a test."""
    project = Project(Path.cwd())
    given = [read_field(one) for one in fields]
    add_model(project, name, given)
    add_test(project, name, given, viewed=False)
    project.tidy()


@generate.command()
@_arguments
def view(name: str, fields: tuple[str, ...]) -> None:
    """Add the pages of a model to views.py and app.py."""
    project = Project(Path.cwd())
    add_views(project, name, [read_field(one) for one in fields])
    project.tidy()


@generate.command()
@_arguments
def admin(name: str, fields: tuple[str, ...]) -> None:
    """Add how the administration shows a model to admin.py."""
    project = Project(Path.cwd())
    add_admin(project, name, [read_field(one) for one in fields])
    project.tidy()


@generate.command()
@_arguments
@click.option("--migrate", is_flag=True, help="Write the migration as well, and apply it.")
def feature(name: str, fields: tuple[str, ...], migrate: bool) -> None:
    """Add a model with its pages, its administration and tests."""
    project = Project(Path.cwd())
    given = [read_field(one) for one in fields]
    add_model(project, name, given)
    add_views(project, name, given)
    if project.has_accounts:
        add_admin(project, name, given)
    add_test(project, name, given, viewed=True)
    project.tidy()
    if migrate:
        for command in (["makemigrations", "--no-input"], ["migrate"]):
            subprocess.run([sys.executable, "-m", "demijohn", *command], cwd=project.folder, check=True)  # noqa: S603
    else:
        click.echo("Then: demijohn makemigrations && demijohn migrate")


def names_of(name: str) -> tuple[str, str, str]:
    """Return of the name of a model: the class, its plural, and the noun.

    Raises:
        ProjectError: DJN-641, no class can be called that.
    """
    words = [word for word in re.split(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])", name) if word]
    cls = "".join(word[:1].upper() + word[1:] for word in words)
    if not cls.isidentifier() or cls in ("Model", "User", "None"):
        raise ProjectError(
            f"A model cannot be called {name!r}.",
            why="It would be no class, or one that is there already.",
            fix="Name it in the singular:  demijohn generate model post title:str",
            code="DJN-641",
        )
    noun = " ".join(words).lower()
    plural = (
        cls[:-1] + "ies" if re.search(r"[^aeiou]y$", cls) else cls + ("es" if re.search(r"(s|x|ch|sh)$", cls) else "s")
    )
    return cls, plural, noun


def add_model(project: Project, name: str, fields: list[FieldGiven]) -> None:
    """Add a model to models.py.

    Raises:
        ProjectError: DJN-641, there is one of that name, or none that a field leads to.
    """
    cls, plural, noun = names_of(name)
    source = project.source("models.py")
    if source.defines(cls):
        raise ProjectError(
            f"{project.package}/models.py has a class {cls} already.",
            why="A second one would hide it.",
            fix=f"Change it there, or choose another name than {name!r}.",
            code="DJN-641",
        )
    for field in fields:
        if field.target and field.target != cls and re.search(rf"\b{field.target}\b", source.text) is None:
            raise ProjectError(
                f"The field {field.name!r} leads to a model {field.target!r}, which {project.package}/models.py lacks.",
                why="Nothing of the app could be loaded: a relation needs the model that it leads to.",
                fix=f"Make that one first:  demijohn generate model {field.target.lower()} name:str",
                code="DJN-641",
            )
    back = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plural).lower()
    lines = [field.line(back) for field in fields] or ["name: Mapped[str] = column(max_length=200)"]
    shown = (
        next((field.name for field in fields if field.kind in _SEARCHED and not field.target), "") if fields else "name"
    )
    helpers = {"Mapped", "Model"}
    helpers |= {"column"} if any("column(" in line for line in lines) else set()
    helpers |= {"belongs_to"} if any("belongs_to(" in line for line in lines) else set()
    helpers |= {"many_to_many"} if any("many_to_many(" in line for line in lines) else set()
    source.add_import("demijohn.db", *helpers, first_party=project.package)
    for field in fields:
        needed = _TYPES[field.kind][2] if not field.target else None
        if needed is not None:
            source.add_import(needed[0], needed[1], first_party=project.package)
    source.append(render_part("model", {"cls": cls, "noun": noun, "lines": lines, "shown": shown}))
    source.write()
    click.echo(f"Added {cls} to {project.package}/models.py")


def add_views(project: Project, name: str, fields: list[FieldGiven]) -> None:
    """Add the pages of a model to views.py, and include them in app.py."""
    cls, plural, _ = names_of(name)
    source = project.source("views.py")
    source.add_import("demijohn.forms", "ModelViews", first_party=project.package)
    if project.has_accounts:
        source.add_import("demijohn.auth", "login_required", first_party=project.package)
    source.add_import(f"{project.package}.models", cls, first_party=project.package)
    source.append(render_part("views", _values(project, name, fields)))
    source.write()
    app = project.source("app.py")
    app.add_import(project.package, "urls", "views", first_party=project.package)
    path = _path(plural)
    line = f'app.include(views.{plural}.blueprint(), prefix="/{path}")'
    if not app.insert_after(("app.include(", "app.add_routes("), line):
        app.append(line)
    app.write()
    base = project.home / "templates" / "demijohn" / "base.html"
    if base.is_file():
        text = base.read_text(encoding="utf-8")
        link = f"    <li><a href=\"{{{{ url_for('{path}.list') }}}}\">{_words(plural)}</a></li>\n"
        base.write_text(text.replace("    <!-- links -->\n", f"    <!-- links -->\n{link}"), encoding="utf-8")
    click.echo(f"Added {plural} to {project.package}/views.py, at /{path}/")


def add_admin(project: Project, name: str, fields: list[FieldGiven]) -> None:
    """Add how the administration shows a model."""
    cls = names_of(name)[0]
    source = project.source("admin.py")
    source.add_import("demijohn.admin", "ModelAdmin", first_party=project.package)
    source.add_import(f"{project.package}.app", "admin", first_party=project.package)
    source.add_import(f"{project.package}.models", cls, first_party=project.package)
    source.append(render_part("admin", _values(project, name, fields)))
    source.write()
    click.echo(f"Added {cls} to {project.package}/admin.py")


def add_test(project: Project, name: str, fields: list[FieldGiven], *, viewed: bool) -> None:
    """Add a test of a model and its list."""
    values = _values(project, name, fields)
    path = project.folder / "tests" / f"test_{values['path']}.py"
    if path.exists():
        return
    needed = [field for field in fields if not field.nullable and not field.many]
    written = {field.name: _TYPES[field.kind][3] for field in needed if not field.target and _TYPES[field.kind][3]} or (
        {"name": '"Hello"'} if not fields else {}
    )
    if not viewed and not all(not field.target and _TYPES[field.kind][3] for field in needed):
        return  # what points to other models is tested with them
    makeable = all(not field.target and _TYPES[field.kind][3] for field in needed)
    shown = ", ".join(f'"{key}": {value}' for key, value in written.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    text = render_part("test", {**values, "values": shown, "makeable": makeable, "viewed": viewed})
    path.write_text(text, encoding="utf-8")
    click.echo(f"Added {path.relative_to(project.folder)}")


def _values(project: Project, name: str, fields: list[FieldGiven]) -> dict[str, Any]:
    cls, plural, noun = names_of(name)
    names = [field.name for field in fields] or ["name"]
    listed = [field.name for field in fields if not field.many and field.kind != "text"][:5] or names[:1]
    searched = [field.name for field in fields if field.kind in _SEARCHED] if fields else names
    filtered = [field.name for field in fields if field.kind in ("bool", "date", "datetime") or field.target]
    return {
        "cls": cls,
        "plural": plural,
        "plural_words": _words(plural),
        "noun": noun,
        "path": _path(plural),
        "package": project.package,
        "accounts": project.has_accounts,
        "names": _tuple(names),
        "listed": _tuple(listed),
        "searched": _tuple(searched),
        "listed_list": _list(listed),
        "searched_list": _list(searched),
        "filtered": _list([one for one in filtered if one]),
    }


def _tuple(names: list[str]) -> str:
    return _list(names) + ("," if len(names) == 1 else "")


def _list(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _words(plural: str) -> str:
    return _path(plural).replace("_", " ").capitalize()


def _path(plural: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plural).lower()
