"""The first day: from an empty folder to a served site with a model, its admin and a login."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.examples.conftest import EXAMPLES

PROGRAM = EXAMPLES / "shelf.py"
PASSWORD = "a bottle in the cellar"
# The fifth is what installs the framework.
COMMANDS = ("makemigrations", "migrate", "createsuperuser --email ann@example.org", "run --port 0 --no-reload")


def environment() -> dict[str, str]:
    """What somebody has who has nothing yet."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEMIJOHN_", "PYTEST"))}
    return {**kept, "SUPERUSER_PASSWORD": PASSWORD}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The site, made in an empty folder by the commands."""
    shutil.copy(PROGRAM, tmp_path / "app.py")
    *once, run = COMMANDS
    for command in once:
        done = subprocess.run(
            [sys.executable, "-m", "demijohn", *command.split()],
            cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    with subprocess.Popen(
        [sys.executable, "-m", "demijohn", *run.split()],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"Serving at (http://\S+)", line):
                    yield found[1]
                    break
            else:
                raise AssertionError("it did not serve")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


def test_it_is_short() -> None:
    """At most thirty lines, blank ones counted, and four commands after the one that installs."""
    assert len(PROGRAM.read_text().splitlines()) <= 30
    assert len(COMMANDS) + 1 <= 5


def test_a_site_with_a_model_its_admin_and_a_login(url: str) -> None:
    """Who logs in adds a book in the admin, and everybody sees it on the page; nobody else comes in."""
    with httpx2.Client(base_url=url, headers={"accept": "text/html"}, timeout=60) as stranger:
        assert "<h1>A shelf</h1>" in stranger.get("/").text
        assert stranger.get("/admin/").headers["location"] == "/login?next=%2Fadmin%2F"
    with httpx2.Client(base_url=url, headers={"accept": "text/html", "origin": url}, timeout=60) as ann:
        entered = ann.post("/login", data={"email": "ann@example.org", "password": PASSWORD, "next": "/admin/book/"})
        assert (entered.status_code, entered.headers["location"]) == (303, "/admin/book/")
        form = ann.get("/admin/book/add/").text
        assert "Read already" in form
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
        hidden.pop("next")  # of the button for the colours
        added = ann.post("/admin/book/add/", data={**hidden, "title": "Moby <Dick>", "read": "true"})
        assert added.status_code == 303
        assert "Moby &lt;Dick&gt;" in ann.get("/admin/book/").text
        assert "<h1>The shelf of ann@example.org</h1>" in ann.get("/").text
    with httpx2.Client(base_url=url, timeout=60) as stranger:
        assert "<li>Moby &lt;Dick&gt;</li>" in stranger.get("/").text
