"""The commands on an app: each is run as the command line runs it."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table
from sqlalchemy.exc import DBAPIError

from demijohn.app import App
from demijohn.db import Database, Mapped, Model, belongs_to, column
from demijohn.db.missing import SchemaMissing
from demijohn.errors import DemijohnError
from demijohn.migrations import Migrations
from demijohn.migrations.faults import BadHistory, Behind, ContractWaits, FillWanted, UnsafeMigration
from demijohn.testing.commands import CommandRunner
from tests.migrations.conftest import Bench


class Shelf(Model, isolated=True):
    """A base of its own."""


class Book(Shelf):
    title: Mapped[str] = column(max_length=40)


class Desk(Model, isolated=True):
    """A base of its own."""


class Writer(Desk):
    name: Mapped[str] = column(max_length=40)


class Letter(Desk):
    text: Mapped[str] = column(max_length=40)
    writer: Mapped[Writer] = belongs_to(back="letters")


VOTES = MetaData()
"""The tables of a battery."""


@pytest.fixture
def app(tmp_path: Path) -> App:
    """An app with a database and one model."""
    app = App(debug=True)
    app.root_path = tmp_path
    app.use(Database(f"sqlite:///{tmp_path}/app.db"))
    app.use(Migrations(metadata=[Shelf.metadata, VOTES]))
    return app


@pytest.mark.parametrize("command", ["makemigrations", "migrate", "rollback"])
def test_an_app_is_not_taken_for_a_migration(app: App, tmp_path: Path, command: str) -> None:
    """Who writes the file where `run` takes it is told where it belongs, and nothing is written."""
    result = CommandRunner(app)(command, "hello.py", check=False)
    assert result.exit_code == 2
    assert f"demijohn -A hello.py {command}" in result.output
    assert not (tmp_path / "migrations").exists()


def test_from_nothing_to_rows_and_back(app: App, tmp_path: Path) -> None:
    """The whole way: told what to do, write, look, apply, fill, save, dump, take back."""
    cli = CommandRunner(app)
    assert "demijohn makemigrations" in cli("migrate").output
    written = cli("makemigrations", "--no-input").output
    assert "0001_initial.py" in written
    assert "CREATE TABLE book" in written
    assert (tmp_path / "migrations" / "HEAD").read_text() == "0001_initial\n"
    assert cli("migrate", "--check", check=False).exit_code == 1
    assert [one.id for one in app.run_checks() if one.id == "DJN-845"]
    assert "CREATE TABLE book" in cli("migrate", "--sql").output
    assert "[ ] 0001_initial" in cli("showmigrations").output
    assert "1 applied" in cli("migrate").output
    assert "Up to date" in cli("migrate").output
    assert cli("migrate", "--check").exit_code == 0
    assert "[x] 0001_initial" in cli("showmigrations").output
    assert "CREATE TABLE book" in cli("sqlmigrate", "1").output
    assert not [one for one in app.run_checks() if one.id == "DJN-845"]
    rows = tmp_path / "rows.json"
    rows.write_text('[{"table": "book", "fields": {"id": 1, "title": "One"}}]')
    assert "1 rows" in cli("db", "load", str(rows)).output
    assert json.loads(cli("db", "dump", "book").stdout) == json.loads(rows.read_text())
    copy = tmp_path / "copy.db"
    assert "Wrote" in cli("db", "backup", str(copy)).output
    assert copy.stat().st_size > 0
    with pytest.raises(DemijohnError, match="exists already"):
        cli("db", "backup", str(copy))
    assert "class Book(Model):" in cli("inspectdb").output
    assert "1 taken back" in cli("rollback").output


SEEDS = """
from demijohn.db import Database
from tests.migrations.test_commands import Desk, Letter, Writer
from .words import NAME

async def seed(db: Database):
    await db.create_all(Desk)
    await Letter.create(text="Dear", writer=await Writer.create(name=NAME))
    for letter in await Letter.query().all():
        print(letter.writer.name, len((await Writer.get(1)).letters))
"""


def test_seeds_run_as_a_command_does(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`seed()` may load relations and ask for services, and its file may import from the package that it stands in."""
    package = ModuleType("seeded_site")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "seeded_site", package)
    (tmp_path / "words.py").write_text("NAME = 'Ann'\n")
    (tmp_path / "seeds.py").write_text(SEEDS)
    assert CommandRunner(app)("db", "seed").output == "Ann 1\nSeeded.\n"
    monkeypatch.delitem(sys.modules, "seeded_site.words")


def test_a_driver_that_is_not_installed_is_told(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first command that wants a server without its driver says what to install."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    other = App()
    other.root_path = app.root_path
    other.use(Database("postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(ImportError, match=r'pip install "demijohn\[postgresql\]"'):
        CommandRunner(other)("migrate")


def test_the_linter_stops_what_is_not_development(app: App, tmp_path: Path) -> None:
    """Outside of development a dangerous migration does not run unless somebody says so."""
    cli = CommandRunner(app)
    cli("makemigrations")
    cli("migrate")
    name = cli("makemigrations", "--empty", "break it").output.split()[1].rstrip(":")
    path = tmp_path / "migrations" / Path(name).name
    source = path.read_text().replace(
        "def upgrade() -> None:\n    pass", "def upgrade() -> None:\n    op.drop_table('book')"
    )
    path.write_text("from demijohn.migrations import op\n" + source)
    app.debug = False
    with pytest.raises(UnsafeMigration):
        cli("migrate")
    assert "1 applied" in cli("migrate", "--unsafe").output


def test_migrations_of_a_battery_join_the_history(app: App, tmp_path: Path) -> None:
    """What a battery of somebody else brings is copied behind the head, once, and runs in order."""

    class Votes:
        name = "votes"
        requires: tuple[str, ...] = ()
        migrations = tmp_path / "votes"

        def install(self, app: App) -> None:
            pass

    folder = tmp_path / "votes"
    folder.mkdir()
    (folder / "0001_start.py").write_text(
        '"""Votes."""\nimport sqlalchemy as sa\nfrom demijohn.migrations import op\nrevision = "0001_start"\n'
        'down_revision = None\ntexts = {"vote": ""}\ndef upgrade():\n'
        '    op.create_table("vote", sa.Column("id", sa.Integer, primary_key=True))\n'
        'def downgrade():\n    op.drop_table("vote")\n'
    )
    votes = Table("vote", VOTES, Column("id", Integer, primary_key=True))
    app.use(Votes())
    cli = CommandRunner(app)
    written = cli("makemigrations").output  # theirs, and behind it what the models ask for, in one run
    assert written.index("0001_votes_start") < written.index("0002_")
    assert written.count("CREATE TABLE vote") == written.count("CREATE TABLE book") == 1
    with pytest.raises(Behind):
        cli("makemigrations")
    assert "2 applied" in cli("migrate").output
    assert "Nothing to write" in cli("makemigrations").output
    (folder / "0002_name.py").write_text(
        '"""Name."""\nimport sqlalchemy as sa\nfrom demijohn.migrations import op\nrevision = "0002_name"\n'
        'down_revision = "0001_start"\ndef upgrade():\n    op.add_column("vote", sa.Column("name", sa.String(9)))\n'
    )
    votes.append_column(Column("name", String(9)))
    try:
        assert "0003_votes_name" in cli("makemigrations").output
        cli("migrate")
        assert "Nothing to write" in cli("makemigrations").output
    finally:
        VOTES.clear()


def test_squash_keeps_the_schema(app: App, tmp_path: Path) -> None:
    """Many migrations become one; a database that had them all is up to date, a new one gets the same schema."""
    cli = CommandRunner(app)
    cli("makemigrations")
    cli("makemigrations", "--empty", "data", check=False)
    cli("migrate")
    assert "in the place of 2 files" in cli("squash").output
    assert "Up to date" in cli("migrate").output
    assert sorted(path.name for path in (tmp_path / "migrations").glob("*.py")) == ["0003_squashed.py"]
    assert "Nothing to write" in cli("makemigrations").output
    (tmp_path / "app.db").unlink()
    assert "1 applied" in cli("migrate").output
    assert "Nothing to write" in cli("makemigrations").output


def test_the_error_page_can_apply_what_is_pending(app: App) -> None:
    """The action of the development error page applies the pending migrations and tells what it did."""
    CommandRunner(app)("makemigrations")
    lines = app.actions.required("migrate")()
    assert "0001_initial applied" in lines[0]


async def test_the_error_page_offers_it_where_a_table_is_missing(bench: Bench) -> None:
    """A missing table or column is what a pending migration mends, on every server; another error is not."""
    app = App()
    app.use(bench.database)
    app.freeze()
    applies = app.actions.required("migrate").applies_to
    for statement in ("select * from nowhere_to_be_found", "select no_such_column from (select 1 as a) as t"):
        with pytest.raises(SchemaMissing) as missing:
            async with bench.database.unit():
                await bench.database.execute(statement)
        assert applies(missing.value), statement
    with pytest.raises(DBAPIError) as other:
        async with bench.database.unit():
            await bench.database.execute("select from where")
    assert not applies(other.value)
    assert not applies(ZeroDivisionError())
    await bench.database.dispose()


def test_the_battery_comes_with_a_database(tmp_path: Path) -> None:
    """An app that uses a Database has the commands without a line for them."""
    app = App(debug=True)
    app.root_path = tmp_path
    app.use(Database(f"sqlite:///{tmp_path}/app.db"))
    app.freeze()
    assert "migrations" in app.batteries
    assert {"migrate", "makemigrations", "db"} <= {command.name for _, command in app.all_commands()}


def _contract(app: App, name: str, *, phase: str = "contract") -> str:
    """Write an empty migration of a phase, and return its name."""
    output = CommandRunner(app)("makemigrations", "--empty", name).output
    path = app.root_path / "migrations" / Path(output.split()[1].rstrip(":")).name
    path.write_text(path.read_text().replace("down_revision", f'phase = "{phase}"\ndown_revision', 1))
    return path.stem


def test_what_contracts_waits_for_the_new_code(app: App) -> None:
    """Outside of development `migrate` stops before a contract file and says so; --contract goes on."""
    cli = CommandRunner(app)
    cli("makemigrations")
    cli("migrate")
    _contract(app, "more", phase="expand")
    name = _contract(app, "less")
    app.debug = False
    assert "pending: 0002_more" in cli("migrate", "--check", check=False).output
    told = cli("migrate").output
    assert "1 applied" in told
    assert f"Stopped before {name}" in told
    assert "demijohn migrate --contract" in told
    checked = cli("migrate", "--check")
    assert (checked.exit_code, checked.output) == (0, f"waits for the new code: {name}\n")
    assert cli("migrate", "--check", "--contract", check=False).exit_code == 1
    assert [one.level for one in app.run_checks() if one.id == "DJN-845"] == ["info"]
    assert f"[ ] {name} (contract)" in cli("showmigrations").output
    assert cli("sqlmigrate", name).output.startswith("-- contract")
    with pytest.raises(ContractWaits):
        cli("migrate", name)
    with pytest.raises(Behind, match="migrate --contract"):
        cli("makemigrations")
    assert "1 applied" in cli("migrate", "--contract").output
    assert "1 taken back" in cli("rollback").output
    assert "Stopped before" in cli("migrate").output


def test_what_the_new_code_needs_is_not_left_behind_a_contract(app: App) -> None:
    """An expand file behind one that waits fails the deployment, and the error says in which order to go."""
    cli = CommandRunner(app)
    cli("makemigrations")
    cli("migrate")
    name = _contract(app, "less")
    later = _contract(app, "later", phase="expand")
    app.debug = False
    assert cli("migrate", "--check", check=False).exit_code == 1
    with pytest.raises(ContractWaits, match=f"{later} cannot be applied yet: {name}"):
        cli("migrate")
    cli("migrate", name, "--contract")
    assert "1 applied" in cli("migrate").output


def test_nothing_waits_where_no_older_code_runs(app: App) -> None:
    """A new database, and development, get contract files at once."""
    cli = CommandRunner(app)
    cli("makemigrations")
    _contract(app, "less")
    app.debug = False
    assert "2 applied" in cli("migrate").output
    cli("rollback")
    app.debug = True
    assert "1 applied" in cli("migrate").output


def test_a_phase_is_one_of_two(app: App) -> None:
    """A phase that does not exist is an error that names the line."""
    cli = CommandRunner(app)
    cli("makemigrations")
    _contract(app, "odd", phase="shrink")
    with pytest.raises(BadHistory, match="phase = 'shrink'"):
        cli("migrate")


def test_the_linter_names_the_command_that_writes_the_safe_form(app: App, tmp_path: Path) -> None:
    """A finding of `makemigrations` says how to get the safe form; run so, --fill says what the rows get."""
    cli = CommandRunner(app)
    cli("makemigrations")
    cli("migrate")
    cli("db", "load", str(_rows(tmp_path)))
    column_ = Column("shelf_mark", String(9), nullable=False)
    Shelf.metadata.tables["book"].append_column(column_)
    try:
        told = cli("makemigrations", "--no-input").output
        assert "required-column" in told
        assert "makemigrations --safe" in told
        (written,) = (tmp_path / "migrations").glob("0002*.py")
        assert f"{written.name} && demijohn makemigrations --safe" in told
        written.unlink()
        with pytest.raises(FillWanted, match=r"--fill book\.shelf_mark"):
            cli("makemigrations", "--safe", "--no-input")
        assert cli("makemigrations", "--fill", "book.shelf_mark", check=False).exit_code == 2
        made = cli("makemigrations", "--safe", "--fill", "book.shelf_mark=upper(title)").output
        assert "(contract)" in made
        assert "0003_fill_book_shelf_mark.py" in made
        app.debug = False
        assert "Stopped before" in cli("migrate").output
        cli("migrate", "--contract")
        assert "Nothing to write" in cli("makemigrations").output
        assert '"shelf_mark": "ONE"' in cli("db", "dump", "book").stdout
    finally:
        Shelf.metadata.tables["book"]._columns.remove(column_)


def _rows(folder: Path) -> Path:
    path = folder / "rows.json"
    path.write_text('[{"table": "book", "fields": {"id": 1, "title": "One"}}]')
    return path
