"""Program 2.5 of the charter: a login, a permission, and the admin of the models, nothing else said."""

import os
import subprocess
import sys
from pathlib import Path

# In a process of its own: its models have the names of those of program 2.3.
WALK = """
from demijohn import wait
from demijohn.testing import TestClient
from examples.charter.staff import Post, User, app, db

with TestClient(app) as client, app.context():
    wait(db.create_all())
    root = wait(User.create(email="root@example.org", display_name="Root", is_staff=True, is_superuser=True))
    ann = wait(User.create(email="ann@example.org", display_name="Ann", permissions=["post.edit"]))
    wait(Post.create(title="Of glass", slug="of-glass", body="and cork", author=ann))

with TestClient(app) as client:
    assert client.get("/admin/").headers["location"].startswith("/login?next=")
    with client.helper("login") as login:
        login(ann)
    assert [post["title"] for post in client.get("/drafts").json()] == ["Of glass"]
    assert client.get("/admin/").status_code == 403  # no staff
    with client.helper("login") as login:
        login(root)
    assert client.get("/drafts").json() == []
    page = client.get("/admin/post/?q=cork&published=false").text
    assert "Of glass" in page and "Root" in client.get("/admin/user/").text
    assert [message.text for message in app.run_checks() if message.id.startswith(("DJN", "admin", "auth"))] == []
print("done")
"""


def test_the_program_runs(tmp_path):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    command = [sys.executable, "-W", "error", "-c", WALK]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "done", done.stdout + done.stderr
