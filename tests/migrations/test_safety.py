"""The safe form: old and new code work side by side between the phases, nobody waits, and what failed runs again."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from demijohn.migrations.faults import FillWanted, MigrationFailed, NoSafeForm
from tests.migrations.conftest import BACKENDS, Bench
from tests.migrations.test_comparing import metadata
from tests.migrations.test_running import write

SERVERS = BACKENDS[1:]


@dataclass
class Case:
    """A change of a table `post` and what the code before and after it does."""

    before: tuple
    after: tuple
    old: str = "insert into post (id, title) values ({id}, 'Old{id}')"
    new: str = "insert into post (id, title) values ({id}, 'New{id}')"
    old_reads: str = "select id, title from post"
    fills: dict = field(default_factory=dict)
    locks: dict = field(default_factory=dict)
    contracts: bool = True
    shown: str = ""


def title(**options: object) -> sa.Column:
    """The column that every case has."""
    return sa.Column("title", sa.String(40), nullable=False, **options)


def author() -> tuple:
    """A table to point to."""
    return ("author", sa.Column("name", sa.String(9)))


CASES = {
    "required-constant": lambda: Case(
        (("post", title()),),
        (("post", title(), sa.Column("views", sa.Integer, nullable=False, default=7)),),
        new="insert into post (id, title, views) values ({id}, 'New', 8)",
    ),
    "required-filled": lambda: Case(
        (("post", title()),),
        (("post", title(), sa.Column("slug", sa.String(40), nullable=False)),),
        new="insert into post (id, title, slug) values ({id}, 'New', 'new')",
        fills={"post.slug": "lower(title)"},
        shown="backfill(",
    ),
    "index": lambda: Case((("post", title()),), (("post", title(index=True)),), contracts=False),
    "unique": lambda: Case((("post", title()),), (("post", title(unique=True)),)),
    "check": lambda: Case(
        (("post", title()),),
        (("post", title(), sa.CheckConstraint("length(title) > 1", name="title_length")),),
        locks={"mariadb": ["check-locks"]},
    ),
    "foreign-key": lambda: Case(
        (author(), ("post", title(), sa.Column("author_id", sa.Integer, nullable=True))),
        (author(), ("post", title(), sa.Column("author_id", sa.ForeignKey("author.id"), nullable=True))),
        locks={"mariadb": ["foreign-key-locks"]},
    ),
    "new-foreign-key": lambda: Case(
        (author(), ("post", title())),
        (author(), ("post", title(), sa.Column("author_id", sa.ForeignKey("author.id"), nullable=True, index=True))),
        locks={"mariadb": ["foreign-key-locks"]},
        contracts=False,
    ),
    "drop-required": lambda: Case(
        (("post", title(), sa.Column("teaser", sa.String(40), nullable=False)),),
        (("post", title()),),
        old="insert into post (id, title, teaser) values ({id}, 'Old', 'old')",
        old_reads="select id, title, teaser from post",
    ),
    "require": lambda: Case(
        (("post", sa.Column("title", sa.String(40), nullable=True)),),
        (("post", title()),),
        old="insert into post (id, title) values ({id}, null)",
        fills={"post.title": "'none'"},
    ),
    "rename-column": lambda: Case(
        (("post", title()),),
        (("post", sa.Column("headline", sa.String(40), nullable=False, info={"renamed_from": "title"})),),
        new="insert into post (id, headline) values ({id}, 'New')",
    ),
    "wider": lambda: Case(
        (("post", title()),), (("post", sa.Column("title", sa.String(60), nullable=False)),), contracts=False
    ),
}


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    """Each kind of change."""
    return CASES[request.param]()


def make_safely(bench: Bench, *tables: tuple, **fills: str) -> list:
    """Write the safe form, for models of these tables."""
    return bench.models(metadata(*tables)).make(allow_drop=True, safe=fills.get)


def test_old_and_new_code_work_side_by_side(bench: Bench, case: Case) -> None:
    """Between expand and contract both insert and read; the linter is content; at the end the schema is the models'."""
    bench.step(metadata(*case.before))
    bench.sql(*(case.old.format(id=n) for n in (1, 2)))
    made = make_safely(bench, *case.after, **case.fills)
    phases = [one.phase for one in made]
    if bench.backend == "sqlite" and "contract" not in phases:
        bench.project.migrate()
        assert bench.project.make() == []
        return
    assert phases == sorted(phases, reverse=True)  # expand comes first
    assert ("contract" in phases) == case.contracts
    assert case.shown in "".join(one.path.read_text() for one in made)
    if bench.backend != "sqlite":
        assert [one.kind for _, one in bench.project.findings(made)] == case.locks.get(bench.backend, [])
    bench.project.migrate(contract=False, say=bench.said.append)
    bench.sql(case.old.format(id=3), case.new.format(id=4), case.old.format(id=5), case.old_reads)
    assert len(bench.sql("select * from post")) == 5
    bench.project.migrate(say=bench.said.append)
    bench.sql(case.new.format(id=6))
    assert bench.project.make() == []
    bench.sql("delete from post")
    bench.project.rollback("0001")
    bench.sql(case.old.format(id=7))
    bench.project.migrate(say=bench.said.append)
    assert bench.project.make() == []


@pytest.mark.parametrize("backend", SERVERS, indirect=True)
def test_a_renamed_column_has_its_value_under_both_names(bench: Bench) -> None:
    """What either code writes, the other reads: inserts and updates, in both directions, and rows from before."""
    bench.step(metadata(("post", title())))
    bench.sql("insert into post (id, title) values (1, 'a'), (2, 'b')")
    headline = sa.Column("headline", sa.String(40), nullable=False, info={"renamed_from": "title"})
    make_safely(bench, ("post", headline))
    bench.project.migrate(contract=False)
    bench.sql(
        "insert into post (id, title) values (3, 'c')",
        "insert into post (id, headline) values (4, 'd')",
        "update post set title = 'A' where id = 1",
        "update post set headline = 'B' where id = 2",
    )
    rows = bench.sql("select title, headline from post order by id")
    assert rows == [("A", "A"), ("B", "B"), ("c", "c"), ("d", "d")]
    bench.project.migrate()
    assert bench.sql("select headline from post order by id") == [("A",), ("B",), ("c",), ("d",)]


@pytest.mark.postgresql
def test_a_renamed_table_keeps_a_view_for_old_code(postgresql: Bench) -> None:
    """Old code inserts into the old name and reads what new code wrote; at the end the old name is gone."""
    postgresql.step(metadata(("article", title())))
    article = metadata(("post", title()))
    project = postgresql.models(article)
    made = project.make(ask=lambda question: True, safe=lambda where: None)
    assert [one.phase for one in made] == ["expand", "contract"]
    project.migrate(contract=False)
    postgresql.sql(
        "insert into article (title) values ('old')",
        "insert into post (title) values ('new')",
        "update article set title = 'newer' where title = 'new'",
    )
    assert postgresql.sql("select title from article order by id") == [("old",), ("newer",)]
    project.migrate()
    with pytest.raises(sa.exc.DBAPIError):
        postgresql.sql("select * from article")


def test_what_has_no_safe_form_is_refused(bench: Bench) -> None:
    """A type that is written anew, and a required column without a value, stop with the way round; no file is left."""
    bench.step(metadata(("post", title(), sa.Column("votes", sa.Integer))))
    with pytest.raises(FillWanted, match=r"--fill post.slug"):
        make_safely(
            bench,
            ("post", title(), sa.Column("votes", sa.Integer), sa.Column("slug", sa.String(40), nullable=False)),
        )
    if bench.backend != "sqlite":
        with pytest.raises(NoSafeForm, match=r"post\.votes"):
            make_safely(bench, ("post", title(), sa.Column("votes", sa.String(20))))
    assert len(bench.project.history) == 1


@contextmanager
def held(bench: Bench, statement: str) -> Iterator[Callable[[], None]]:
    """Hold a transaction open that has run a statement; what is yielded ends it."""
    begun, done = threading.Event(), threading.Event()

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.text(statement))
        begun.set()
        assert done.wait(120)
        connection.rollback()

    thread = threading.Thread(target=lambda: bench.project.call(work, reading=False))
    thread.start()
    try:
        assert begun.wait(60)
        yield done.set
    finally:
        done.set()
        thread.join()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


BUSY = (
    "select 1 from pg_stat_activity where pid <> pg_backend_pid() and wait_event_type = 'Lock' "
    "and query ilike '%create%index concurrently%'"
)
STRONG = "select mode from pg_locks where relation = 'post'::regclass and mode in ('AccessExclusiveLock', 'ShareLock')"


@pytest.mark.postgresql
def test_nobody_waits_while_an_index_waits_for_a_long_transaction(postgresql: Bench) -> None:
    """The index waits for an old reader beyond the lock limit, holds no strong lock, and writers go on."""
    postgresql.step(metadata(("post", title())))
    postgresql.sql("insert into post (id, title) values (1, 'a')")
    make_safely(postgresql, ("post", title(index=True)))
    failed: list[BaseException] = []

    def migrate() -> None:
        try:
            postgresql.project.migrate(say=postgresql.said.append)
        except BaseException as error:
            failed.append(error)

    with held(postgresql, "select * from post") as release:
        runner = threading.Thread(target=migrate)
        runner.start()
        until(lambda: bool(postgresql.sql(BUSY)))
        assert postgresql.sql(STRONG) == []
        postgresql.sql("insert into post (id, title) values (2, 'b')", "update post set title = 'c' where id = 1")
        release()
        runner.join()
    assert failed == []
    assert postgresql.project.pending() == []


@pytest.mark.postgresql
def test_rows_are_looked_at_while_others_write(postgresql: Bench) -> None:
    """VALIDATE runs beside a transaction that has written to the table, and takes no lock that a writer minds."""
    postgresql.step(metadata(("post", title())))
    postgresql.sql("insert into post (id, title) values (1, 'aa')")
    check = sa.CheckConstraint("length(title) > 1", name="title_length")
    made = make_safely(postgresql, ("post", title(), check))
    assert ["VALIDATE" in one.path.read_text() for one in made] == [False, True]
    postgresql.project.migrate(made[0].name)
    with held(postgresql, "insert into post (id, title) values (2, 'bb')"):
        postgresql.project.migrate()
    assert postgresql.project.pending() == []


@pytest.mark.postgresql
def test_an_index_that_was_left_half_built_is_built_again(postgresql: Bench) -> None:
    """Doubles make a unique index fail and leave it invalid; when they are mended, the same command goes on."""
    postgresql.step(metadata(("post", title())))
    postgresql.sql("insert into post (id, title) values (1, 'a'), (2, 'a')")
    make_safely(postgresql, ("post", title(unique=True)))
    with pytest.raises(MigrationFailed, match="half-built"):
        postgresql.project.migrate()
    assert postgresql.sql("select count(*) from pg_index where not indisvalid") == [(1,)]
    postgresql.sql("update post set title = 'b' where id = 2")
    postgresql.project.migrate()
    assert postgresql.sql("select count(*) from pg_index where not indisvalid") == [(0,)]
    assert postgresql.project.make() == []


def test_keys_of_any_kind_are_walked(bench: Bench) -> None:
    """Batches go along UUIDs and keys of several columns, and each row is changed once."""
    write(
        bench,
        "0001_first",
        """
        op.create_table("u", sa.Column("id", sa.Uuid, primary_key=True), sa.Column("n", sa.Integer))
        op.create_table(
            "c", sa.Column("a", sa.Integer, primary_key=True), sa.Column("b", sa.String(9), primary_key=True),
            sa.Column("n", sa.Integer),
        )
        """,
    )
    bench.project.migrate()
    plain = bench.backend == "sqlite"
    keys = [uuid.uuid4() for _ in range(23)]
    bench.sql(*(f"insert into u (id, n) values ('{one.hex if plain else one}', 0)" for one in keys))
    bench.sql(*(f"insert into c (a, b, n) values ({n % 4}, 'k{n}', 0)" for n in range(23)))
    body = """
    assert backfill("u", {"n": sa.column("n") + 1}, size=5) == 23
    assert backfill("c", {"n": sa.column("n") + 1}, key=("a", "b"), size=5) == 23
    assert backfill("c", {"n": sa.column("n") + 1}, key=("a", "b"), where="b = 'k1' or b = 'k2'", size=1) == 2
    """
    write(bench, "0002_fill", body, after="0001_first")
    bench.project.migrate()
    assert bench.sql("select count(*), sum(n) from u") == [(23, 23)]
    assert bench.sql("select count(*), sum(n) from c") == [(23, 25)]


@pytest.mark.parametrize("backend", SERVERS, indirect=True)
def test_a_backfill_that_failed_goes_on_where_it_stopped(bench: Bench) -> None:
    """The batches before the failure stay done, and the next run changes only the rest."""
    write(bench, "0001_first", 'op.create_table("t", sa.Column("id", sa.Integer, primary_key=True), '
          'sa.Column("n", sa.Integer), sa.CheckConstraint("n <> 7", name="no_seven"))')  # fmt: skip
    bench.project.migrate()
    bench.sql(*(f"insert into t (id) values ({n})" for n in range(1, 11)))
    write(bench, "0002_fill", 'backfill("t", {"n": sa.column("id")}, where="n is null", size=2)', after="0001_first")
    with pytest.raises(MigrationFailed):
        bench.project.migrate()
    assert bench.sql("select count(*) from t where n is not null") == [(6,)]
    bench.sql("delete from t where id = 7", "update t set n = -n where n is not null")
    bench.project.migrate()
    assert bench.sql("select sum(n) from t") == [(-21 + 8 + 9 + 10,)]
