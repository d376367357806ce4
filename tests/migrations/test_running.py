"""Running migrations: several runners at once, failures at every statement, locks, two heads, and the way back."""

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from demijohn.migrations.faults import (
    BadHistory,
    BrokenKeys,
    MigrationFailed,
    MigrationUnknown,
    NotReversible,
    TwoHeads,
)
from tests.migrations.conftest import Bench


def write(bench: Bench, name: str, body: str, *, after: str | None = None, down: str | None = "pass") -> None:
    """Write a migration by hand."""
    bench.folder.mkdir(exist_ok=True)
    lines = [
        "import sqlalchemy as sa",
        "from demijohn.migrations import backfill, kinds, op",
        f"revision = {name!r}",
        f"down_revision = {after!r}",
        "def upgrade():",
        textwrap.indent(textwrap.dedent(body).strip(), "    "),
    ]
    if down is not None:
        lines += ["def downgrade():", textwrap.indent(textwrap.dedent(down).strip(), "    ")]
    (bench.folder / f"{name}.py").write_text("\n".join(lines) + "\n")
    bench.models(sa.MetaData())


RUNNER = """
import sys
from pathlib import Path
from sqlalchemy import MetaData
from demijohn.db import Database
from demijohn.migrations.project import Project

project = Project(Database(sys.argv[1]), Path(sys.argv[2]), metadata=[MetaData()])
sys.stdin.readline()
print(len(project.migrate(say=lambda line: None)))
"""


def runners(bench: Bench, count: int) -> list[subprocess.Popen[str]]:
    """Start so many processes that migrate as soon as they get a line."""
    return [
        subprocess.Popen(
            [sys.executable, "-c", RUNNER, bench.url, str(bench.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]


def tables(count: int) -> str:
    """The body of a migration that makes so many tables."""
    return "\n".join(f'op.create_table("t{n}", sa.Column("id", sa.Integer, primary_key=True))' for n in range(count))


def test_five_runners_at_once_run_each_migration_once(bench: Bench) -> None:
    """R23: of five processes that migrate at the same time all end well, and every migration runs once."""
    write(bench, "0001_tables", tables(5))
    write(bench, "0002_row", "op.execute('insert into t0 values (1)')", after="0001_tables")
    started = runners(bench, 5)
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    ended = [one.communicate(timeout=120) for one in started]
    assert [one.returncode for one in started] == [0] * 5, ended
    assert sum(int(out) for out, _ in ended) == 2
    assert bench.sql("select count(*) from t0") == [(1,)]
    assert bench.project.pending() == []


def test_a_killed_runner_leaves_no_lock(bench: Bench) -> None:
    """R23: a runner that is killed in the middle leaves the lock to the next, which finishes its work."""
    marker = bench.folder.parent / "reached"
    write(
        bench,
        "0001_slow",
        f"""
        op.create_table("t0", sa.Column("id", sa.Integer, primary_key=True))
        import pathlib, time
        mark = pathlib.Path({str(marker)!r})
        if not mark.exists():
            mark.touch()
            time.sleep(60)
        op.create_table("t1", sa.Column("id", sa.Integer, primary_key=True))
        """,
    )
    (victim,) = runners(bench, 1)
    assert victim.stdin is not None
    victim.stdin.write("go\n")
    victim.stdin.flush()
    turn = threading.Event()
    while not marker.exists():
        assert victim.poll() is None, victim.communicate()
        turn.wait(0.05)
    victim.kill()
    victim.communicate()
    bench.project.migrate()
    assert bench.tables() == {"t0", "t1"}


@pytest.mark.parametrize("failing", range(4))
def test_a_migration_that_fails_half_way(bench: Bench, failing: int) -> None:
    """R24: a failure at statement k of 4 leaves nothing (SQLite, PostgreSQL) or is gone on with (MariaDB)."""
    good = [f'op.create_table("t{n}", sa.Column("id", sa.Integer, primary_key=True))' for n in range(4)]
    bad = list(good)
    bad.insert(failing, "op.execute('insert into nothing_there values (1)')")
    write(bench, "0001_tables", "\n".join(bad))
    with pytest.raises(MigrationFailed, match="nothing_there"):
        bench.project.migrate()
    assert [one.name for one in bench.project.pending()] == ["0001_tables"]
    assert len(bench.tables()) == (failing if bench.backend == "mariadb" else 0)
    write(bench, "0001_tables", "\n".join(good))
    bench.project.migrate()
    assert bench.tables() == {"t0", "t1", "t2", "t3"}
    assert bench.project.pending() == []


@pytest.mark.mariadb
def test_steps_that_ran_are_not_changed_behind_their_back(mariadb: Bench) -> None:
    """A statement that ran before the failure and reads otherwise now is refused: nobody knows what to undo."""
    write(mariadb, "0001_tables", tables(2) + "\nop.execute('insert into nothing_there values (1)')")
    with pytest.raises(MigrationFailed):
        mariadb.project.migrate()
    write(mariadb, "0001_tables", tables(2).replace('"t1"', '"other"'))
    with pytest.raises(MigrationFailed, match="Step 2"):
        mariadb.project.migrate()


@pytest.mark.mariadb
def test_a_step_that_ran_but_was_not_marked_is_known(mariadb: Bench) -> None:
    """A runner killed between a change and its mark finds the change there, and goes on."""
    write(mariadb, "0001_tables", tables(2) + "\nop.execute('insert into nothing_there values (1)')")
    with pytest.raises(MigrationFailed):
        mariadb.project.migrate()
    mariadb.sql("update demijohn_migration_step set done = 0 where step = 2")
    write(mariadb, "0001_tables", tables(3))
    mariadb.project.migrate()
    assert mariadb.tables() == {"t0", "t1", "t2"}


@pytest.mark.parametrize(
    "family",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
def test_a_migration_waits_for_locks_in_short_turns(family: str, request: pytest.FixtureRequest) -> None:
    """A table that a transaction holds is tried again and again, each time briefly, until it is free."""
    bench: Bench = request.getfixturevalue(family)
    write(bench, "0001_tables", tables(1))
    bench.project.migrate()
    write(bench, "0002_more", 'op.add_column("t0", sa.Column("n", sa.Integer))', after="0001_tables")
    held, free = threading.Event(), threading.Event()

    def hold(connection: sa.Connection) -> None:
        connection.execute(sa.text("insert into t0 values (1)"))
        held.set()
        free.wait(20)
        connection.commit()

    holder = threading.Thread(target=bench.project.call, args=(hold,), kwargs={"reading": False})
    holder.start()
    held.wait(10)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        free.set()  # the first refusal was heard

    bench.project.migrate(say=say)
    holder.join()
    assert any("trying again" in line for line in said)
    assert "n" in bench.columns("t0")


def test_sqlite_refuses_rows_that_point_to_nothing(sqlite: Bench) -> None:
    """Foreign keys are off during a migration of SQLite, and checked before its commit."""
    write(
        sqlite,
        "0001_tables",
        """
        op.create_table("a", sa.Column("id", sa.Integer, primary_key=True))
        op.create_table("b", sa.Column("a_id", sa.Integer, sa.ForeignKey("a.id")))
        """,
    )
    sqlite.project.migrate()
    write(sqlite, "0002_bad", "op.execute('insert into b values (7)')", after="0001_tables")
    with pytest.raises(BrokenKeys, match="row 1 of b"):
        sqlite.project.migrate()
    assert sqlite.sql("select count(*) from b") == [(0,)]


def test_two_heads_are_refused_and_rebased(sqlite: Bench) -> None:
    """Two branches that were merged stop every run until one is put behind the other, files and names."""
    write(sqlite, "0001_first", tables(1))
    write(sqlite, "0002_theirs", "pass", after="0001_first")
    write(sqlite, "0002_mine", 'op.execute("select 1")', after="0001_first")
    write(sqlite, "0003_mine_too", "pass", after="0002_mine")
    with pytest.raises(TwoHeads, match="2 heads: 0002_theirs, 0003_mine_too"):
        sqlite.project.migrate()
    pairs = sqlite.project.rebase("0003_mine_too")
    assert pairs == [("0002_mine", "0003_mine"), ("0003_mine_too", "0004_mine_too")]
    assert (sqlite.folder / "HEAD").read_text() == "0004_mine_too\n"
    assert sqlite.project.migrate() == ["0001_first", "0002_theirs", "0003_mine", "0004_mine_too"]


def test_what_is_applied_is_not_rebased(sqlite: Bench) -> None:
    """A migration that this database has keeps its name."""
    write(sqlite, "0001_first", tables(1))
    write(sqlite, "0002_mine", "pass", after="0001_first")
    sqlite.project.migrate()
    write(sqlite, "0002_theirs", "pass", after="0001_first")
    with pytest.raises(BadHistory, match="0002_mine would move"):
        sqlite.project.rebase("0002_mine")
    assert sqlite.project.merge().parents == ("0002_mine", "0002_theirs")
    assert sqlite.project.migrate() == ["0002_theirs", "0003_merge"]
    assert sqlite.project.rollback() == ["0003_merge"]
    assert len(sqlite.project.applied()) == 3


def test_the_way_back(bench: Bench) -> None:
    """`rollback` takes back one, several or all, and stops by name where there is no way back."""
    drop = 'op.drop_table("t0")'
    write(bench, "0001_first", tables(1), down=drop)
    write(bench, "0002_second", 'op.add_column("t0", sa.Column("n", sa.Integer))', after="0001_first", down=None)
    bench.project.migrate()
    with pytest.raises(NotReversible, match="0002_second"):
        bench.project.rollback()
    write(bench, "0002_second", 'op.add_column("t0", sa.Column("n", sa.Integer))', after="0001_first", down="pass")
    assert bench.project.rollback("zero") == ["0002_second", "0001_first"]
    assert bench.tables() == set()


def test_a_migration_that_nobody_has_is_named(sqlite: Bench) -> None:
    """A database that is ahead of the files says which migration is missing."""
    write(sqlite, "0001_first", tables(1))
    write(sqlite, "0002_second", "pass", after="0001_first")
    sqlite.project.migrate()
    (sqlite.folder / "0002_second.py").unlink()
    with pytest.raises(MigrationUnknown, match="0002_second"):
        sqlite.models(sa.MetaData()).pending()


def test_rows_are_changed_in_batches(bench: Bench) -> None:
    """`backfill` changes the rows that `where` chooses, a span of keys at a time, and tells how many."""
    write(
        bench,
        "0001_first",
        'op.create_table("t", sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer))',
    )
    bench.project.migrate()
    values = ",".join(f"({n}, {n if n % 2 else 'null'})" for n in range(1, 26))
    bench.sql(f"insert into t (id, n) values {values}")
    body = 'assert backfill("t", {"n": sa.column("id") * 10}, where="n is null", size=4) == 12'
    write(bench, "0002_fill", body, after="0001_first")
    bench.project.migrate()
    assert bench.sql("select count(*), sum(n) from t where n >= 20 and id % 2 = 0") == [(12, 1560)]


def test_the_sql_is_known_before_it_runs(bench: Bench) -> None:
    """`sqlmigrate` tells the statements and changes nothing."""
    write(bench, "0001_first", tables(1), down='op.drop_table("t0")')
    assert "CREATE TABLE t0" in bench.project.sql("1")[0]
    assert bench.project.sql("0001_first", down=True)[0].split() == ["DROP", "TABLE", "t0"]
    assert bench.tables() == set()


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("revision = '0001_other'\ndown_revision = None\n", "revision = '0001_other'"),
        ("revision = '0001_x'\ndown_revision = '0000_gone'\n", "0000_gone"),
        ("revision = '0001_x'\ndown_revision = '0001_x'\n", "circle"),
        ("<<<<<<< mine\n", "cannot be read"),
    ],
)
def test_a_history_that_does_not_fit(sqlite: Bench, source: str, seen: str) -> None:
    """A file that was renamed, merged badly or torn from its chain is told, not guessed at."""
    sqlite.folder.mkdir()
    Path(sqlite.folder / "0001_x.py").write_text(source)
    with pytest.raises(BadHistory, match=seen):
        sqlite.models(sa.MetaData())
