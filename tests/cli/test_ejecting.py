"""`demijohn eject`: default templates become the app's own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from demijohn.cli import cli

APP = """
from demijohn import App, Page
from demijohn.forms import Form
import msgspec

class Note(msgspec.Struct):
    title: str

app = App()

@app.route("/", methods=["GET", "POST"])
async def home(form: Form[Note]):
    return Page("home.html", form=form)
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Run the command in a folder with an app."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("DEMIJOHN_APP", raising=False)
    (tmp_path / "app.py").write_text(APP)

    def command(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["eject", *arguments])

    yield command
    sys.modules.pop("app", None)


def test_a_template_is_copied_once(run: object, tmp_path: Path) -> None:
    """The copy has the text of the default, stands where it takes its place, and is not written over unasked."""
    assert callable(run)
    copy = tmp_path / "templates/demijohn/base.html"
    result = run("demijohn/base.html")
    assert result.exit_code == 0, result.output
    assert "demijohn.css" in copy.read_text()
    copy.write_text("mine")
    assert "kept" in run("demijohn/base.html").output
    assert copy.read_text() == "mine"
    assert run("demijohn/base.html", "--force").exit_code == 0
    assert "demijohn.css" in copy.read_text()


def test_a_folder_and_another_name(run: object, tmp_path: Path) -> None:
    """A folder is copied whole, and either may get another name."""
    assert callable(run)
    assert run("demijohn/forms").exit_code == 0
    assert (tmp_path / "templates/demijohn/forms/widgets/select.html").is_file()
    assert run("demijohn/views", "--to", "posts").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "templates/posts").iterdir()) == [
        "delete.html", "detail.html", "form.html", "list.html",
    ]  # fmt: skip
    assert run("demijohn/base.html", "--to", "layout.html").exit_code == 0
    assert (tmp_path / "templates/layout.html").is_file()


def test_what_cannot_be_ejected(run: object, tmp_path: Path) -> None:
    """Without a name the templates are listed; one that there is not, and a name that leads out, are refused."""
    assert callable(run)
    assert "demijohn/forms/field.html" in run().output.split()
    unknown = run("demijohn/bas.html")
    assert unknown.exit_code == 2
    assert "Did you mean 'demijohn/base.html'" in unknown.output
    assert run("demijohn/base.html", "--to", "../../evil.html").exit_code == 2
    assert not (tmp_path.parent / "evil.html").exists()
