"""A battery of a third party: it plugs in by one line, with everything it has, and out again."""

import os
import secrets
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = """
from demijohn import App
from demijohn.admin import Admin
from demijohn.auth import Auth
from demijohn.auth import User as BaseUser
from demijohn.db import Database, Mapped, column
{imports}
app = App()
app.use(Database("sqlite:///site.db"))


class User(BaseUser):
    display_name: Mapped[str] = column(max_length=60)


app.use(Auth(User))
app.use(Admin())
{uses}
"""
WITH = {"imports": "from demijohn_guestbook import Guestbook", "uses": "app.use(Guestbook())"}
WITHOUT = {"imports": "", "uses": ""}


def demijohn(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "demijohn", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(PROJECT.format(**WITH))
    return tmp_path


def ask(folder: Path, code: str) -> str:
    """Run a few lines with a client of the project's app, in a process of its own."""
    program = (
        f"from app import app\nfrom demijohn.testing import TestClient\nwith TestClient(app) as client:\n    {code}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "DEMIJOHN_ENV": "test", "PYTHONPATH": str(folder)},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_plugs_in_with_all_it_has(folder: Path) -> None:
    """Its migration joins the project's history, pages and command work, and the admin knows it."""
    told = demijohn(folder, "makemigrations")
    assert "guestbook" in told
    brought = [file.read_text() for file in (folder / "migrations").glob("*guestbook*.py")]
    assert len(brought) == 1
    assert 'origin = "guestbook/0001_entries"' in brought[0]
    demijohn(folder, "migrate")
    demijohn(folder, "makemigrations")  # the project's own tables, beside those that were brought
    demijohn(folder, "migrate")
    assert "Wrote" not in demijohn(folder, "makemigrations")

    wrong = "print(client.post('/guestbook/', data={'name': 'Ann', 'message': '', 'approved': 'true'}).text)"
    told = ask(folder, wrong)
    assert "This field is required." in told
    right = "print(client.post('/guestbook/', data={'name': '<b>Ann</b>', 'message': 'Hello there'}).status_code)"
    assert ask(folder, right).strip() == "302"
    assert "Hello there" not in ask(folder, "print(client.get('/guestbook/').text)")
    assert "1 approved" in demijohn(folder, "approve-entries")
    page = ask(folder, "print(client.get('/guestbook/').text)")
    assert "Hello there" in page
    assert "&lt;b&gt;Ann&lt;/b&gt;" in page
    assert "guestbook" in demijohn(folder, "routes")
    admin = "from app import app; print(app.batteries['admin'])"
    assert "EntryAdmin" in ask(folder, "print([cls.__name__ for cls in app.batteries['admin']._options.values()])"), (
        admin
    )


def test_it_plugs_out_again(folder: Path) -> None:
    """Without the line nothing of it is imported; the next migration drops its table."""
    for _ in range(2):
        demijohn(folder, "makemigrations")
        demijohn(folder, "migrate")
    (folder / "app.py").write_text(PROJECT.format(**WITHOUT))
    assert ask(folder, "import sys; print('demijohn_guestbook' in sys.modules)").strip() == "False"
    assert ask(folder, "print(client.get('/guestbook/').status_code)").strip() == "404"
    demijohn(folder, "makemigrations", "drop_guestbook", "--allow-drop")
    demijohn(folder, "migrate", "--unsafe")  # nobody uses this site meanwhile
    with sqlite3.connect(folder / "site.db") as connection:
        tables = {name for (name,) in connection.execute("select name from sqlite_master")}
    connection.close()
    assert "guestbook_entry" not in tables


def test_it_warns_where_it_is_open_to_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its check is one of the deployment's."""
    monkeypatch.setenv("SECRET_KEY", secrets.token_urlsafe(48))
    (folder / "app.py").write_text(PROJECT.format(imports=WITH["imports"], uses="app.use(Guestbook(moderated=False))"))
    assert "guestbook.unmoderated" in demijohn(folder, "check", "--deploy")


def test_it_needs_no_admin(folder: Path) -> None:
    """Where there is no admin, none is imported for its sake."""
    text = PROJECT.format(**WITH).replace("from demijohn.admin import Admin\n", "").replace("app.use(Admin())\n", "")
    (folder / "app.py").write_text(text)
    assert ask(folder, "import sys; print('demijohn.admin' in sys.modules)").strip() == "False"
