"""`demijohn grow`: an app of one file becomes a package that does the same."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demijohn.cli.growth.modules import Modules
from demijohn.cli.growth.placement import Placement
from demijohn.cli.growth.statements import Program, comments_of

from .test_projects import WARNINGS, run

EXAMPLES = Path(__file__).parents[2] / "examples"
SITE = Path(__file__).with_name("grown")


def grow(folder: Path, *arguments: str, fails: bool = False) -> str:
    return run("demijohn", "grow", *arguments, folder=folder, fails=fails)


def routes_of(folder: Path, target: str = "") -> list[str]:
    """Return the routes without the places of their handlers."""
    text = run("demijohn", "routes", *([target] if target else []), folder=folder)
    return [re.sub(r"\s+\S+$", "", line) for line in text.splitlines()]


def split(text: str, package: str = "site") -> dict[str, str]:
    program = Program(text, stem="hello")
    return Modules(program, Placement(program), package=package).texts()


def judge(folder: Path) -> None:
    """Hold a grown app to what it promises."""
    run("ruff", "check", ".", folder=folder)
    run("ruff", "format", "--check", ".", folder=folder)
    run("mypy", ".", folder=folder)
    assert re.search(r"\d+ passed", run("pytest", "-q", "-p", "no:cacheprovider", folder=folder, **WARNINGS))
    assert "error" not in run("demijohn", "check", folder=folder)


@pytest.mark.slow
def test_a_whole_site_grows(tmp_path: Path) -> None:
    """Models, accounts, admin, templates, migrations, data and tests: all is where it belongs, and does the same."""
    folder = tmp_path / "my-site"
    shutil.copytree(SITE, folder)
    for path in folder.glob("*.py.txt"):
        path.rename(path.with_suffix(""))
    run("demijohn", "-A", "bookmarks.py", "makemigrations", "--no-input", folder=folder)
    run("demijohn", "-A", "bookmarks.py", "migrate", folder=folder)
    before, text = routes_of(folder, "bookmarks.py"), (folder / "bookmarks.py").read_text()
    secret = folder / ".demijohn" / "secret_key"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("a7c1f09e5b2d48836e4f0c9b1d75a2e8a7c1f09e5b2d48836e4f0c9b1d75a2e8")

    told = grow(folder, "bookmarks.py", "--yes")
    home = folder / "my_site"
    assert "Stay in app.py" in told
    assert "about: it uses `app`" in told
    assert not (folder / "bookmarks.py").exists()
    assert {path.name for path in home.iterdir()} >= {
        *("__init__.py", "app.py", "models.py", "views.py", "urls.py", "forms.py", "admin.py", "settings.py"),
        *("templates", "static", "migrations", ".demijohn"),
    }
    assert routes_of(folder) == before
    assert "say all that the models do" in run("demijohn", "makemigrations", "--check", folder=folder)
    kept = "\n".join(path.read_text() for path in [*home.glob("*.py")])
    assert [comment for comment in comments_of(text) if comment not in kept] == []
    for name in ("User", "Tag", "Bookmark"):
        assert f"class {name}(" in (home / "models.py").read_text()
    assert 'path("/", views.home, name="front"),  # the front page' in (home / "urls.py").read_text()
    assert "from my_site.app" not in (home / "views.py").read_text()
    assert "import my_site.shared" in (folder / "tests" / "test_bookmarks.py").read_text()
    run("demijohn", "generate", "feature", "note", "text:text", "--migrate", folder=folder)
    judge(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "templates"),
    [
        ("todo.py", ["templates/todo/list.html", "templates/todo/missing.html"]),
        ("hello.py", []),
        ("charter/pages.py", ["templates/posts/list.html", "templates/base.html"]),
        ("charter/staff.py", []),
    ],
)
def test_the_examples_grow(tmp_path: Path, example: str, templates: list[str]) -> None:
    """What the documentation shows in one file grows, its templates with it."""
    folder = tmp_path / "shop"
    folder.mkdir()
    source = EXAMPLES / example
    shutil.copy(source, folder)
    for template in templates:
        (folder / template).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source.parent / template, folder / template)
    before = routes_of(folder, source.name)
    grow(folder, source.name, "--yes")
    assert routes_of(folder) == before
    assert 'path("/' in (folder / "shop" / "urls.py").read_text()
    run("ruff", "check", ".", folder=folder)
    run("ruff", "format", "--check", ".", folder=folder)
    assert re.search(r"\d+ passed", run("pytest", "-q", "-p", "no:cacheprovider", folder=folder, **WARNINGS))


@pytest.mark.slow
def test_a_project_of_one_file_grows(tmp_path: Path) -> None:
    """What `demijohn new --single` makes becomes what `demijohn new` makes: the same files, and its settings."""
    run("demijohn", "new", "shop", "--single", "--accounts", "--no-input", folder=tmp_path)
    folder = tmp_path / "shop"
    (folder / ".gitignore").write_text("mine\n")
    before = routes_of(folder)
    grow(folder, "--yes")
    assert routes_of(folder) == before
    assert (folder / ".gitignore").read_text() == "mine\n"
    assert 'packages = ["shop"]' in (folder / "pyproject.toml").read_text()
    assert "app.py` | the app" in (folder / "README.md").read_text()
    run("demijohn", "new", "shop", "--accounts", "--no-input", folder=tmp_path / "shop" / "tests")
    made = folder / "tests" / "shop" / "shop"
    assert {path.name for path in made.glob("*.py")} == {path.name for path in (folder / "shop").glob("*.py")}
    shutil.rmtree(folder / "tests" / "shop")
    run("demijohn", "generate", "feature", "post", "title:str", folder=folder)
    judge(folder)


@pytest.mark.slow
def test_a_project_gets_what_it_was_made_without(tmp_path: Path) -> None:
    """A database, then accounts: the code is what `demijohn new` would have written, letter by letter."""
    (tmp_path / "whole").mkdir()
    run("demijohn", "new", "shop", "--no-input", folder=tmp_path / "whole")
    run("demijohn", "new", "shop", "--database", "none", "--no-input", folder=tmp_path)
    folder, whole = tmp_path / "shop", tmp_path / "whole" / "shop"
    assert "Add it first:  demijohn grow database" in grow(folder, "accounts", fails=True)
    grow(folder, "database")
    assert "has a database already" in grow(folder, "database", "postgresql", fails=True)
    grow(folder, "accounts")
    assert "has accounts already" in grow(folder, "accounts", fails=True)
    same = ["pyproject.toml", "README.md", ".env.example", "shop/templates/demijohn/base.html"]
    for name in [*same, *(f"shop/{path.name}" for path in (whole / "shop").glob("*.py"))]:
        assert (folder / name).read_text() == (whole / name).read_text(), name
    judge(folder)


def test_what_cannot_be_added_changes_nothing(tmp_path: Path) -> None:
    """An app in one file has no place for the lines; an app.py that would break with them is given back as it was."""
    (tmp_path / "app.py").write_text(ONE)
    assert "Make a package of it first" in grow(tmp_path, "database", fails=True)
    told = run("demijohn", "generate", "model", "post", folder=tmp_path, fails=True)
    assert "Make a package of the one file first:  demijohn grow" in told
    (tmp_path / "app.py").unlink()
    run("demijohn", "new", "shop", "--database", "none", "--no-input", folder=tmp_path)
    folder = tmp_path / "shop"
    told = run("demijohn", "generate", "model", "post", folder=folder, fails=True)
    assert "Add a database first:  demijohn grow database" in told
    app = folder / "shop" / "app.py"
    app.write_text(app.read_text().replace("app.add_routes", "assert 'db' not in globals()\napp.add_routes"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix == ".py"}
    assert "DJN-66" in grow(folder, "database", fails=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix == ".py"} == before


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    """It tells what would be written, and leaves the folder as it was."""
    folder = tmp_path / "shop"
    folder.mkdir()
    shutil.copy(EXAMPLES / "hello.py", folder)
    text = grow(folder, "hello.py", "--dry-run", "--diff")
    assert "hello.py would become shop/" in text
    assert 'path("/hello/{name}", views.hello)' in text
    assert "the same 3 routes" in text
    assert [path.name for path in folder.iterdir() if path.name != ".demijohn"] == ["hello.py"]


ONE = "from demijohn import App\n\napp = App()\n\n\n@app.get('/')\ndef home():\n    return 'x'\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("def (", "DJN-661"),
        ("x = 1\n", "DJN-662"),
        (f"{ONE}\nother = App()\n", "DJN-662"),
        (f"from demijohn import *\n{ONE}", "DJN-663"),
        (f"{ONE}\nfrom . import x\n", "DJN-660"),
        (f"import nowhere_at_all\n{ONE}", "DJN-664"),
        # It asks for its own module: no reading of the file tells which names it needs.
        (f"{ONE}\nimport sys\n@app.get('/y')\ndef y():\n    return ''\nsys.modules[__name__].home.x = 1\n", "DJN-664"),
        # Its name says in which module it stands: the routes would differ.
        (f"{ONE}\n@app.get('/y', name=__name__)\ndef y():\n    return ''\n", "DJN-666"),
    ],
)
def test_what_cannot_grow_is_told_and_left_alone(tmp_path: Path, text: str, code: str) -> None:
    """Each has its code and the line to write; no file is made or changed."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "hello.py").write_text(text)
    told = grow(folder, "hello.py", "--yes", "--diff", fails=True)
    assert f"[{code}]" in told
    assert ("--- shop/views.py" in told) is (code == "DJN-666" or "__name__]" in text)
    assert "Traceback" not in told
    assert (folder / "hello.py").read_text() == text
    assert [path.name for path in folder.iterdir() if path.name not in (".demijohn", "__pycache__")] == ["hello.py"]


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    """A folder in the way is told, and another name helps."""
    folder = tmp_path / "shop"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "mine.txt").write_text("mine")
    (folder / "hello.py").write_text(ONE)
    assert "DJN-665" in grow(folder, "hello.py", "--yes", fails=True)
    assert (folder / "hello.py").exists()
    grow(folder, "hello.py", "--yes", "--package", "store")
    assert (folder / "store" / "views.py").exists()
    assert (folder / "shop" / "mine.txt").read_text() == "mine"
    assert "is a package already" in grow(folder, fails=True)


def test_git_has_to_keep_the_file(tmp_path: Path) -> None:
    """Without a terminal nothing is removed that git does not have as it is."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "hello.py").write_text(ONE)
    assert "DJN-667" in grow(folder, "hello.py", fails=True)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "hello.py"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    (folder / "hello.py").write_text(f"{ONE}# more\n")
    assert "changes that are not committed" in grow(folder, "hello.py", fails=True)
    subprocess.run([*git, "commit", "-qam", "x"], cwd=folder, check=True)
    grow(folder, "hello.py")
    assert not (folder / "hello.py").exists()


def test_a_battery_that_views_use_is_made_apart() -> None:
    """`db` has a module of its own, so that views never import the app; alone it stays where it was."""
    text = (
        "from demijohn import App\nfrom demijohn.db import Database\n\napp = App()\n"
        'db = app.use(Database("sqlite://"))  # kept nowhere\n\n\n@app.get("/")\nasync def home():\n    {}\n'
    )
    made = split(text.format("async with db.transaction():\n        return ''"))
    assert 'db = Database("sqlite://")  # kept nowhere' in made["batteries"]
    assert "app.use(db)" in made["app"]
    assert "from site.batteries import db" in made["views"]
    made = split(text.format("return ''"))
    assert 'db = app.use(Database("sqlite://"))  # kept nowhere' in made["app"]
    assert "batteries" not in made


@pytest.mark.parametrize(
    ("extra", "module", "line"),
    [
        (
            "def other():\n    return app.name\n\n\n@app.get('/x')\ndef x():\n    return other()\n",
            "app",
            "@app.get('/x')",
        ),
        ("def wrap(f):\n    return f\n\n\n@wrap\n@app.get('/x')\ndef x():\n    return ''\n", "app", "@app.get('/x')"),
        (
            "@app.get('/x', name='a')\ndef x():\n    return ''\n\n\n@app.get('/y')\ndef x():\n    return ''\n",
            "app",
            "def x():",
        ),
        ("OPTIONS = {'name': 'y'}\n\n\n@app.get('/x', **OPTIONS)\ndef x():\n    return ''\n", "app", "**OPTIONS"),
        (
            "N = 0\n\n\n@app.before_request\ndef c():\n    global N\n    N += 1\n\n\n@app.get('/x')\ndef x():\n    return str(N)\n",
            "app",
            "def x():",
        ),
        ("N = []\nN.append(1)\n\n\n@app.get('/x')\ndef x():\n    return N\n", "views", "N.append(1)"),
        ("def x():\n    return ''\n\n\napp.add_route('/x', x)\n", "views", "def x():"),
        (
            "from demijohn import Blueprint\nb = Blueprint('b')\n\n\n@b.get('/x')\ndef x():\n    return ''\n\n\napp.include(b)\n",
            "views",
            "@b.get('/x')",
        ),
        ("PLACE = '/x'\n\n\n@app.get(PLACE)\ndef x():\n    return ''\n", "urls", "path(PLACE, views.x)"),
        (
            "from demijohn import View\n\n\n@app.route('/x')\nclass X(View):\n    def post(self):\n        return ''\n",
            "urls",
            "path('/x', views.X)",
        ),
        ("@app.websocket('/x')\nasync def x(socket): ...\n", "urls", "path('/x', views.x, methods=[\"WEBSOCKET\"])"),
        (
            (
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from decimal import Decimal  # for the checker\n\n\n"
                "@app.get('/x')\ndef x() -> 'Decimal | None': ...\n"
            ),
            "views",
            "if TYPE_CHECKING:\n    # for the checker\n    from decimal import Decimal",
        ),
        (
            (
                "from demijohn import url_for\nfrom demijohn.db import Model\n\n\nclass P(Model):\n    def page_url(self):\n"
                "        return url_for(x)\n\n\n@app.get('/x')\ndef x():\n    return P.query()\n"
            ),
            "urls",
            "path('/x', models.x)",
        ),
        ("def views():\n    return ''\n\n\n@app.get('/x')\ndef x():\n    return views()\n", "urls", "_views.x"),
        (
            "def later(x: 'Kind'):\n    return x\n\n\nclass Kind:\n    pass\n\n\n@app.get('/x')\ndef x():\n    return later\n",
            "views",
            "class Kind",
        ),
    ],
)
def test_what_belongs_together_stays_together(extra: str, module: str, line: str) -> None:
    """What needs the app, changes a value, or has a name twice goes where it still works."""
    assert line in split(f"{ONE}\n\n{extra}")[module]


def test_a_factory_moves_whole(tmp_path: Path) -> None:
    """An app that a function makes stays in that function."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text(
        "from demijohn import App\n\nWORD = 'x'\n\n\ndef create_app():\n    app = App()\n\n"
        "    @app.get('/')\n    def home():\n        return WORD\n\n    return app\n"
    )
    before = routes_of(folder)
    grow(folder, "--yes")
    assert routes_of(folder) == before


PARTS = [
    "LIMIT_{n} = {n}  # limit {n}\n",
    "# above {n}\nTABLE_{n}: dict[str, int] = {{}}\nTABLE_{n}['x'] = {n}  # set {n}\n",
    "\n\ndef helper_{n}(x: int) -> int:\n    # inside {n}\n    return x + {use}\n",
    "\n\n@dataclass\nclass Data_{n}:\n    # data {n}\n    x: int = {use}\n",
    "\n\n@app.get('/p{n}')  # at {n}\ndef page_{n}() -> str:\n    return str({use})\n",
    "\n\n# route {n}\n@app.route(\n    '/q{n}/{{x:int}}',  # pattern {n}\n    methods=['POST'],\n    name='name_{n}',\n)\nasync def post_{n}(x: int) -> str:\n    return url_for('name_{n}', x={use})\n",
    "\n\n@app.before_request\ndef hook_{n}() -> None:\n    str({use})  # hook {n}\n",
    "\n\n@app.errorhandler({status})\ndef failed_{n}(error: Exception) -> str:\n    return str({use})\n",
    "\n\n@app.command()\ndef tell_{n}() -> str:\n    '''Tell {n}.'''\n    return str({use})\n",
    "\n\nclass Form_{n}(Form):\n    number: int = {use}  # field {n}\n",
    "\n\nclass Model_{n}(Model):\n    x: Mapped[int] = column(default={use})  # column {n}\n",
    "\n\n@app.get('/db{n}')\nasync def with_db_{n}() -> str:\n    async with db.transaction():\n        return str({use})\n",
    "\n\n@app.get('/app{n}')\nasync def with_app_{n}() -> str:\n    return str((app.name, {use}))\n",
    "\n\nCOUNT_{n} = 0\n\n\n@app.get('/count{n}')\ndef count_{n}() -> str:\n    global COUNT_{n}\n    COUNT_{n} += {use}\n    return str(COUNT_{n})\n",
]
MADE = ["LIMIT_{n}", "len(TABLE_{n})", "helper_{n}(1)", "Data_{n}().x", *["{n}"] * 10]
HEAD = (
    "# head\n'''A program.'''\n\nfrom __future__ import annotations\n\nfrom dataclasses import dataclass  # for data\n\n"
    "from demijohn import App, url_for\nfrom demijohn.db import Database, Mapped, Model, column\n"
    "from demijohn.forms import Form\n\napp = App()  # the app\ndb = app.use(Database('sqlite://'))  # the data\n"
)


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Return an app of one file: routes, models, forms, hooks, constants and helpers that use what stands above."""
    text, known = HEAD, ["0"]
    for number in range(draw(st.integers(1, 14))):
        kind = draw(st.integers(0, len(PARTS) - 1))
        use = draw(st.sampled_from(known))
        text += PARTS[kind].format(n=number, use=use, status=400 + number)
        known.append(MADE[kind].format(n=number))
    return text + "# tail\n"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_no_comment_is_lost_and_no_module_imports_one_above(text: str) -> None:
    """Whatever the mix: every comment and definition is kept once, and imports lead down alone."""
    made = split(text)
    order = ["settings", "shared", "models", "batteries", "forms", "views", "urls", "app", "admin"]
    whole = "\n".join(made.values())
    for comment in comments_of(text):
        assert whole.count(comment) >= 1, comment
    for name in re.findall(r"(?m)^(?:def|async def|class) (\w+)|^(\w+)(?:: .*)? = ", text):
        assert re.search(rf"(?m)^(?:def |async def |class )?{name[0] or name[1]}\b", whole), name
    for module, source in made.items():
        compile(source, module, "exec")
        for other in re.findall(r"(?m)^from site(?:\.(\w+)| import (\w+))", source):
            if module != "app" or other[1] != "admin":
                assert order.index(other[0] or other[1]) < order.index(module), (module, other)


@pytest.mark.slow
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=programs())
def test_a_mix_of_everything_grows(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """What was grown loads, with the same routes, models and commands: the command compares them itself."""
    folder = tmp_path_factory.mktemp("grown") / "shop"
    folder.mkdir()
    (folder / "hello.py").write_text(text)
    before = routes_of(folder, "hello.py")
    assert "Loaded and compared: the same" in grow(folder, "hello.py", "--yes")
    assert routes_of(folder) == before
    run("ruff", "check", "--select", "F821,F811,E402,I", ".", folder=folder)
