"""`demijohn new` and `generate`: what they make runs, passes its tests, its style and its types."""

import asyncio
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from demijohn.cli.sourcing import Source

WARNINGS = {"PYTHONWARNINGS": "ignore"}


def run(*command: str, folder: Path, fails: bool = False, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("DEMIJOHN_APP", "PYTEST"))},
            **environment,
        },
    )
    text = done.stdout + done.stderr
    assert (done.returncode != 0) is fails, text
    return text


def judge(folder: Path) -> None:
    """Hold a project to what it promises."""
    run("ruff", "check", ".", folder=folder)
    run("ruff", "format", "--check", ".", folder=folder)
    run("mypy", ".", folder=folder)
    assert re.search(r"\d+ passed", run("pytest", "-q", "-p", "no:cacheprovider", folder=folder, **WARNINGS))
    assert "error" not in run("demijohn", "check", folder=folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ("--database", "none"),
        ("--no-accounts",),
        ("--single", "--database", "none"),
        ("--single", "--no-accounts"),
        ("--single", "--accounts"),
        ("--accounts", "--database", "sqlite"),
    ],
)
def test_a_new_project_passes_its_own_tests(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Whatever was chosen: tests, ruff, mypy and `demijohn check` are content at once."""
    run("demijohn", "new", "my-shop", "--no-input", *flags, folder=tmp_path)
    project = tmp_path / "my-shop"
    names = {path.name for path in project.iterdir()}
    assert {"pyproject.toml", "README.md", ".gitignore", ".env.example", "Containerfile"} <= names
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    assert settings["tool"]["demijohn"]["app"] == ("app.py" if "--single" in flags else "my_shop.app")
    if "--single" not in flags:
        assert {"app.py", "views.py", "urls.py", "templates", "static"} <= {
            path.name for path in (project / "my_shop").iterdir()
        }
    judge(project)


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend",
    [pytest.param("postgresql", marks=pytest.mark.postgresql), pytest.param("mariadb", marks=pytest.mark.mariadb)],
)
def test_a_new_project_on_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    """A project for a database server, with a feature of its own, passes its tests against that server."""
    own = asyncio.run(own_database(backend))
    try:
        monkeypatch.setenv("DATABASE_URL", own)
        run("demijohn", "new", "shop", "--no-input", "--database", backend, folder=tmp_path)
        project = tmp_path / "shop"
        assert f'database_url: str = "{backend}://' in (project / "shop" / "app.py").read_text()
        run("demijohn", "generate", "feature", "post", "title:str", "at:datetime", "--migrate", folder=project)
        judge(project)
    finally:
        asyncio.run(own_database(backend, remove=True))


async def own_database(backend: str, *, remove: bool = False) -> str:
    """Make or remove an empty database beside the one of the tests, and return its URL."""
    url = os.environ[f"DEMIJOHN_TEST_{backend.upper()}"].replace("mysql://", "mariadb://")
    base, _, name = url.rpartition("/")
    mine = f"{name}_project"
    driver = {"postgresql": "postgresql+asyncpg", "mariadb": "mariadb+asyncmy"}[backend]
    engine = create_async_engine(url.replace(backend, driver, 1), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.exec_driver_sql(f"{'drop' if remove else 'create'} database {mine}")
    await engine.dispose()
    return f"{base}/{mine}"


@pytest.mark.slow
def test_features_of_every_kind(tmp_path: Path) -> None:
    """Fields of each type, relations, a name of several words: what was generated passes as well."""
    run("demijohn", "new", "blog", "--no-input", folder=tmp_path)
    project = tmp_path / "blog"
    kinds = [
        "str",
        "text",
        "email",
        "url",
        "slug!",
        "int",
        "float",
        "decimal",
        "bool",
        "date",
        "datetime",
        "time",
        "uuid",
    ]
    fields = [f"a_{kind.strip('!')}:{kind}" for kind in kinds]
    run("demijohn", "generate", "model", "Category", "name:str!", folder=project)
    run("demijohn", "generate", "model", "tag", folder=project)
    run("demijohn", "generate", "feature", "Everything", *fields, "note:text?", folder=project)
    text = run(
        "demijohn",
        "generate",
        "feature",
        "blog-comment",
        "author:User",
        "category:Category?",
        "tags:Tag[]",
        "body:text",
        folder=project,
    )
    assert "/blog_comments/" in text
    models = (project / "blog" / "models.py").read_text()
    assert 'tags: Mapped[list["Tag"]] = many_to_many(back="blog_comments")' in models
    assert "class Category(Model)" in models
    judge(project)


def test_from_an_empty_folder_to_a_site_with_admin_and_login(tmp_path: Path) -> None:
    """Four commands and no line of code: a model, its pages, its administration, accounts, all behind a login."""
    run("demijohn", "new", "blog", "--no-input", folder=tmp_path)
    project = tmp_path / "blog"
    run("demijohn", "generate", "feature", "post", "title:str", "body:text", "--migrate", folder=project)
    password = "correct horse battery 9"
    run(
        "demijohn",
        "createsuperuser",
        "--email",
        "ann@example.org",
        "--no-input",
        folder=project,
        SUPERUSER_PASSWORD=password,
    )
    script = f"""
from blog.app import app
from demijohn.testing import TestClient

with TestClient(app, follow_redirects=True, headers={{"accept": "text/html"}}) as client:
    assert client.get("/posts/").status_code == 200
    assert client.get("/posts/new").url.path == "/login"
    assert client.get("/admin/").url.path == "/login"
    client.post("/login", data={{"email": "ann@example.org", "password": {password!r}}})
    made = client.post("/posts/new", data={{"title": "Hello", "body": "World"}})
    assert "Hello" in made.text, made.text
    assert "Hello" in client.get("/admin/post/").text
    assert "Posts" in client.get("/posts/").text
"""
    (project / "try_it.py").write_text(script)
    run("try_it", folder=project)
    written = [path for path in (project / "blog").glob("*.py") if path.name != "__init__.py"]
    lines = [line for path in written for line in path.read_text().splitlines()]
    code = [line for line in lines if line.strip() and not line.strip().startswith(("#", '"""', "from ", "import "))]
    assert len(code) <= 36, len(code)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["new", "class"], "cannot be called"),
        (["new", "json"], "cannot be called"),
        (["new", "1st"], "cannot be called"),
        (["new", "x-y", "--database", "none", "--accounts"], "and no database"),
        (["new", "full"], "is not empty"),
        (["generate", "model", "post", "title:str"], "No project"),
        (["generate", "view", "post"], "No project"),
    ],
)
def test_what_cannot_be_made_is_told(tmp_path: Path, arguments: list[str], told: str) -> None:
    """Names that are none, folders that are taken and places without a project are refused, and nothing is written."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    text = run("demijohn", *arguments, *(["--no-input"] if arguments[0] == "new" else []), folder=tmp_path, fails=True)
    assert told in text
    assert "DJN-64" in text
    assert "Traceback" not in text
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "field",
    ["title:strr", "Title:str", "title:", "a-b:str", "x:str%", "x:'str", "__import__('os'):str", "x:str\nimport os"],
)
def test_fields_that_are_none_are_refused(tmp_path: Path, field: str) -> None:
    """A field that cannot be read, or would write something else, changes no file."""
    run("demijohn", "new", "blog", "--no-input", "--no-accounts", folder=tmp_path)
    before = (tmp_path / "blog" / "blog" / "models.py").read_text()
    text = run("demijohn", "generate", "feature", "post", field, folder=tmp_path / "blog", fails=True)
    assert "DJN-641" in text
    assert (tmp_path / "blog" / "blog" / "models.py").read_text() == before


def test_a_field_leads_to_a_model_that_is_there(tmp_path: Path) -> None:
    """A relation to a model that models.py has not would break the whole app, so it is refused; one to itself is none."""
    run("demijohn", "new", "blog", "--no-input", "--no-accounts", folder=tmp_path)
    before = (tmp_path / "blog" / "blog" / "models.py").read_text()
    text = run("demijohn", "generate", "feature", "report", "post:Post", folder=tmp_path / "blog", fails=True)
    assert "demijohn generate model post" in text
    assert (tmp_path / "blog" / "blog" / "models.py").read_text() == before
    run("demijohn", "generate", "model", "post", "title:str", "parent:Post?", folder=tmp_path / "blog")
    run("demijohn", "generate", "feature", "report", "post:Post", folder=tmp_path / "blog")


def test_a_model_is_not_added_twice(tmp_path: Path) -> None:
    """A second class of the same name is refused."""
    run("demijohn", "new", "blog", "--no-input", "--no-accounts", folder=tmp_path)
    run("demijohn", "generate", "model", "post", "title:str", folder=tmp_path / "blog")
    text = run("demijohn", "generate", "model", "Post", "title:str", folder=tmp_path / "blog", fails=True)
    assert "has a class Post already" in text


@pytest.mark.parametrize(
    ("text", "module", "names", "found"),
    [
        ("", "a.b", ["C"], "from a.b import C\n"),
        ('"""Doc."""\n', "a", ["C"], '"""Doc."""\n\nfrom a import C\n'),
        ("from a import B\n\nx = 1\n", "a", ["C", "a_b"], "from a import B, C, a_b\n\nx = 1\n"),
        ("from z import B\n", "a", ["C"], "from a import C\nfrom z import B\n"),
        ("from z import B\n", "datetime", ["date"], "from datetime import date\n\nfrom z import B\n"),
        ("from z import B\n", "own.x", ["Y"], "from z import B\n\nfrom own.x import Y\n"),
        ("from a import B as C\n", "a", ["D"], "from a import B as C\nfrom a import D\n"),
    ],
)
def test_imports_are_sorted_in(tmp_path: Path, text: str, module: str, names: list[str], found: str) -> None:
    """A name joins the import of its module, or a new line stands where ruff would put it."""
    path = tmp_path / "x.py"
    path.write_text(text)
    source = Source(path)
    source.add_import(module, *names, first_party="own")
    source.write()
    assert path.read_text() == found
