"""Commands by the names that they have in Django and Flask: each says what it is called here."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from demijohn.cli import cli
from demijohn.cli.group import ELSEWHERE, NEEDLESS


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without an app."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEMIJOHN_APP", raising=False)


@pytest.mark.parametrize("words", [name for name in ELSEWHERE if " " not in name])
def test_commands_of_other_frameworks(words: str) -> None:
    """`runserver` says `run`, and nothing that is translated is there."""
    done = CliRunner().invoke(cli, [words])
    assert done.exit_code == 2
    assert f"There is no command {words!r}. Write `demijohn {ELSEWHERE[words]}`." in done.output


@pytest.mark.parametrize("name", sorted(NEEDLESS))
def test_commands_that_nobody_needs(name: str) -> None:
    """`collectstatic` says why there is none."""
    assert NEEDLESS[name] in CliRunner().invoke(cli, [name]).output


def test_commands_of_a_group_that_is_there_for_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`db upgrade`, as Flask has it, says `migrate`, though there are other commands of `db`; those go on."""
    (tmp_path / "grouped_app.py").write_text(
        "from demijohn import App\nfrom demijohn.db import Database\napp = App()\napp.use(Database('sqlite:///x.db'))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("DEMIJOHN_APP", "grouped_app.py")
    told = CliRunner().invoke(cli, ["db", "upgrade"])
    assert "There is no command 'db upgrade'. Write `demijohn migrate`." in told.output
    assert "Did you mean 'shell'" in CliRunner().invoke(cli, ["db", "shel"]).output
    assert CliRunner().invoke(cli, ["db", "dump", "--help"]).exit_code == 0
