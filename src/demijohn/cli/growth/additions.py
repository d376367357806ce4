"""What a project was made without: a database, accounts; the lines that `demijohn new` would have written."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from demijohn.cli.creating import URLS, ProjectError
from demijohn.cli.growth.facts import facts_of
from demijohn.cli.skeleton import files_of
from demijohn.cli.sourcing import Source

__all__ = ["Addition"]

_EMPTY = {
    "models.py": '"""What is kept in the database: classes that inherit from `demijohn.db.Model`."""\n',
    "forms.py": '"""Forms of your own: classes with fields, or `ModelForm`s."""\n',
}


class Addition:
    """A battery that is added to a project with a package.

    Args:
        folder: The folder of the project.
        package: Its package.

    Raises:
        ProjectError: The project cannot be loaded (DJN-664).
    """

    def __init__(self, folder: Path, package: str) -> None:
        self.folder = folder
        self.package = package
        self.home = folder / package
        self.before = facts_of(f"{package}.app", folder=folder)
        self.texts: dict[Path, str | None] = {}
        self.changed: list[str] = []

    def add_database(self, kind: str) -> None:
        """Add a database of a kind to app.py, and the files that go with it.

        Raises:
            ProjectError: There is one, or app.py makes its app in no way known here (DJN-668).
        """
        if "db" in self.before["batteries"]:
            raise _is_there(self.package, "a database", "demijohn generate model post title:str")
        url = URLS[kind].format(name=self.package)
        app = self._source("app.py")
        name, call = self._app_of(app)
        app.add_import("demijohn.db", "Database", first_party=self.package)
        value = f'"{url}"'
        if call == "App()" and "Settings" not in app.text:
            app.add_import("demijohn", "Settings", first_party=self.package)
            settings = _class_of(self._made(url=url)[f"{self.package}/app.py"], "SiteSettings")
            app.text = re.sub(
                rf"(?m)\n*^{name} = App\(\)$",
                lambda _: f"\n\n\n{settings}\n\n\nsettings = SiteSettings.load()\n{name} = App(settings=settings)",
                app.text,
            )
            value = "settings.database_url"
        app.insert_behind(name, f"db = {name}.use(Database({value}))")
        self._keep(app)
        for file, text in _EMPTY.items():
            if not (self.home / file).exists():
                self._write(self.home / file, text)
        example = self.folder / ".env.example"
        if example.exists() and value != f'"{url}"' and "DATABASE_URL" not in example.read_text(encoding="utf-8"):
            line = f"# Where the data is.\nDATABASE_URL={url}\n"
            self._write(example, example.read_text(encoding="utf-8").rstrip("\n") + f"\n{line}")
        self._extra({"postgresql": "postgresql", "mariadb": "mysql", "mysql": "mysql"}.get(kind, ""))
        self._tell(accounts=False)
        self._finish("db")

    def add_accounts(self) -> None:
        """Add users, login and the administration to models.py, app.py and admin.py.

        Raises:
            ProjectError: There are some, there is no database, or a class is called `User` already (DJN-668).
        """
        if "auth" in self.before["batteries"]:
            raise _is_there(self.package, "accounts", "demijohn createsuperuser")
        if "db" not in self.before["batteries"]:
            raise ProjectError(
                f"{self.package} has no database.",
                why="Users are kept in one.",
                fix="Add it first:  demijohn grow database",
                code="DJN-668",
            )
        models, app = self._source("models.py"), self._source("app.py")
        if models.defines("User"):
            raise _is_there(
                self.package, "a class User", "class User(BaseUser):    # from demijohn.auth import User as BaseUser"
            )
        made = self._made(url="x")
        name, _ = self._app_of(app)
        fresh = made[f"{self.package}/models.py"]
        if not re.search(r"(?m)^(?!\"\"\"|$)", models.text):
            models.text = fresh
        else:
            models.add_import("demijohn.db", "Mapped", "column", first_party=self.package)
            models.add_alias("demijohn.auth", "User", "BaseUser", first_party=self.package)
            models.append(_class_of(fresh, "User"))
        self._keep(models)
        lines = [
            ("mail", "demijohn.mail", "Mail", "mail = {app}.use(Mail())"),
            ("auth", "demijohn.auth", "Auth", "auth = {app}.use(Auth(User))"),
            ("admin", "demijohn.admin", "Admin", 'admin = {app}.use(Admin(title="{title}"))'),
        ]
        last = re.findall(rf"(?m)^(\w+) = {name}\.use\(", app.text)
        behind = last[-1] if last else name
        for battery, module, cls, line in lines:
            if battery not in self.before["batteries"]:
                app.add_import(module, cls, first_party=self.package)
                app.insert_behind(behind, line.format(app=name, title=_title(self.package)))
                behind = battery
        app.add_import(f"{self.package}.models", "User", first_party=self.package)
        if "admin as _admin" not in app.text:
            tail = made[f"{self.package}/app.py"].rstrip("\n").splitlines()[-1]
            app.text = f"{app.text.rstrip()}\n\n{tail}\n"
        self._keep(app)
        if not (self.home / "admin.py").exists():
            self._write(self.home / "admin.py", made[f"{self.package}/admin.py"])
        base = self.home / "templates" / "demijohn" / "base.html"
        if base.is_file():
            text = base.read_text(encoding="utf-8")
            link = '    <li><a href="/admin/">Administration</a></li>\n'
            if link not in text and "    <!-- links -->\n" in text:
                start, _, rest = text.partition("    <!-- links -->\n")
                inner, _, end = rest.partition("  </ul>")
                self._write(base, f"{start}    <!-- links -->\n{inner}{link}  </ul>{end}")
        self._tell(accounts=True)
        self._finish("auth")

    # -- files --------------------------------------------------------------------------------------------------------

    def _source(self, name: str) -> Source:
        return Source(self.home / name)

    def _app_of(self, app: Source) -> tuple[str, str]:
        """Return the name of the app and the call that makes it."""
        found = re.search(r"(?m)^(\w+) = (App\(.*\))$", app.text)
        if found is None:
            raise ProjectError(
                f"{self.package}/app.py makes no app in one line of its own.",
                why="What is plugged in stands behind that line.",
                fix='Write it by hand:  db = app.use(Database("sqlite:///site.db"))',
                code="DJN-668",
            )
        return found[1], found[2]

    def _made(self, *, url: str, database: bool = True, accounts: bool = True) -> dict[str, str]:
        """Return what `demijohn new` would have written."""
        values: dict[str, Any] = {
            "name": re.sub(r"[^a-z0-9]+", "-", self.package).strip("-"),
            "package": self.package,
            "title": _title(self.package),
            "single": False,
            "database": database,
            "url": url,
            "extra": "",
            "accounts": accounts,
            "dependencies": [],
            "root_tests": [],
            "line_length": 100,
            "longest_line": 100,
            "strict": True,
        }
        return files_of("package", values)

    def _extra(self, extra: str) -> None:
        """Note in pyproject.toml the driver, and that migrations belong to the package."""
        path = self.folder / "pyproject.toml"
        text = path.read_text(encoding="utf-8")
        changed = re.sub(r'"demijohn"', f'"demijohn[{extra}]"', text, count=1) if extra else text
        if '"migrations/**"' not in changed:
            changed = changed.replace('"static/**"]', '"static/**", "migrations/**"]')
        if changed != text:
            self._write(path, changed)

    def _tell(self, *, accounts: bool) -> None:
        """Have the README that `demijohn new` wrote tell of what is there now; one that was changed is left alone."""
        path = self.folder / "README.md"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        old = self._made(url="x", database=accounts, accounts=False)["README.md"]
        if text == old:
            self._write(path, self._made(url="x", accounts=accounts)["README.md"])

    def _keep(self, source: Source) -> None:
        self._write(source.path, source.text)

    def _write(self, path: Path, text: str) -> None:
        self.texts.setdefault(path, path.read_text(encoding="utf-8") if path.exists() else None)
        self.changed.append(path.relative_to(self.folder).as_posix())
        path.write_text(text, encoding="utf-8")

    def _finish(self, battery: str) -> None:
        """Load what was written; take it back where it does not load, lacks the battery, or lost a route."""
        try:
            after = facts_of(f"{self.package}.app", folder=self.folder)
            lost = [route for route in self.before["routes"] if route not in after["routes"]]
            if battery not in after["batteries"] or lost:
                raise ProjectError(
                    f"{self.package} would not be the same app with {battery}; nothing was changed.",
                    why=f"It lost {', '.join(lost) or battery}.",
                    fix="Write the lines by hand; `demijohn new example` shows them.",
                    code="DJN-668",
                )
        except BaseException:
            for path, text in self.texts.items():
                back: Callable[[], Any] = (
                    path.unlink if text is None else partial(path.write_text, text, encoding="utf-8")
                )
                back()
            raise


def _title(package: str) -> str:
    return package.replace("_", " ").capitalize()


def _class_of(text: str, name: str) -> str:
    """Return the class of a name as it stands in a text."""
    found = re.search(rf"(?ms)^class {name}\(.*?(?=\n\n\n|\Z)", text)
    return found[0].rstrip() if found else ""


def _is_there(package: str, what: str, line: str) -> ProjectError:
    return ProjectError(
        f"{package} has {what} already.",
        why="It would be there twice.",
        fix=line,
        code="DJN-668",
    )
