"""The linter: what locks and what breaks, by server and version, and what is let through."""

import pytest
import sqlalchemy as sa

from demijohn.migrations.linting import lint
from tests.migrations.conftest import Bench
from tests.migrations.test_comparing import metadata


@pytest.mark.parametrize(
    ("family", "statement", "kinds"),
    [
        ("postgresql", "CREATE INDEX ix_a ON post (a)", ["index-locks"]),
        ("postgresql", "CREATE INDEX CONCURRENTLY ix_a ON post (a)", []),
        ("postgresql", "ALTER TABLE post ALTER COLUMN a SET NOT NULL", ["not-null-scans"]),
        ("postgresql", "ALTER TABLE post ADD CONSTRAINT f FOREIGN KEY(a) REFERENCES t (id)", ["foreign-key-locks"]),
        ("postgresql", "ALTER TABLE post ADD CONSTRAINT f FOREIGN KEY(a) REFERENCES t (id) NOT VALID", []),
        ("postgresql", "ALTER TABLE post ADD CONSTRAINT c CHECK (a > 1)", ["check-locks"]),
        ("postgresql", "ALTER TABLE post ADD CONSTRAINT u UNIQUE (a)", ["unique-locks"]),
        ("postgresql", "ALTER TABLE post ADD CONSTRAINT u UNIQUE USING INDEX ix", []),
        ("postgresql", "ALTER TABLE post ALTER COLUMN a TYPE BIGINT", ["type-rewrites"]),
        ("postgresql", "ALTER TABLE post ALTER COLUMN a TYPE TEXT", []),
        ("postgresql", "ALTER TABLE post ADD COLUMN a INTEGER DEFAULT 1 NOT NULL", []),
        ("postgresql", "ALTER TABLE post ADD COLUMN a UUID DEFAULT gen_random_uuid()", ["volatile-default"]),
        ("postgresql", "ALTER TABLE post ADD COLUMN a INTEGER NOT NULL", ["required-column"]),
        ("postgresql", "ALTER TABLE post ADD COLUMN a INTEGER", []),
        ("postgresql", "ALTER TABLE post DROP COLUMN a", ["drop-column"]),
        ("postgresql", "ALTER TABLE post DROP CONSTRAINT a", []),
        ("postgresql", "ALTER TABLE post RENAME a TO b", ["rename-column"]),
        ("postgresql", "ALTER TABLE post RENAME TO b", ["rename-table"]),
        ("postgresql", "DROP TABLE post", ["drop-table"]),
        ("postgresql", "UPDATE post SET a = 1", ["unbounded-write"]),
        ("mariadb", "ALTER TABLE post CHANGE a b INTEGER", ["rename-column", "type-rewrites"]),
        ("mariadb", "ALTER TABLE post MODIFY a BIGINT", ["type-rewrites"]),
        ("mariadb", "CREATE INDEX ix_a ON post (a)", []),
        ("sqlite", "CREATE TABLE _alembic_tmp_post (id INTEGER)", ["copies-table"]),
        ("sqlite", "ALTER TABLE post ADD COLUMN a INTEGER NOT NULL", ["required-column"]),
    ],
)
def test_each_danger_is_known(family: str, statement: str, kinds: list[str]) -> None:
    """A statement that locks or breaks is found, its safe form is not."""
    found = list(lint([statement], family=family, version=(15, 2)))
    assert [one.kind for one in found] == kinds
    assert all(one.instead and one.why for one in found)


def test_old_versions_rewrite_for_a_default() -> None:
    """What a version of the server cannot do without a rewrite is told for that version only."""
    statement = "ALTER TABLE post ADD COLUMN a INTEGER DEFAULT 1"
    assert [one.kind for one in lint([statement], family="postgresql", version=(10, 4))] == ["default-rewrites"]
    assert not list(lint([statement], family="postgresql", version=(11,)))


def test_new_empty_and_accepted_are_let_through() -> None:
    """A table made by the same migration, an empty one, and what somebody accepted raise nothing."""
    index = "CREATE INDEX ix_a ON post (a)"
    assert not list(lint(["CREATE TABLE post (a INTEGER)", index], family="postgresql"))
    assert not list(lint([index], family="postgresql", is_empty=lambda table: table == "post"))
    assert not list(lint([index], family="postgresql", accepts=["index-locks"]))
    assert list(lint(["DROP TABLE post"], family="postgresql", is_empty=lambda table: True))


def test_a_project_is_told(bench: Bench) -> None:
    """The findings of a written migration are those of this database; the first one has none."""
    first = bench.models(metadata(("post", sa.Column("title", sa.String(20)))))
    made = first.make()
    assert first.findings(made) == []
    first.migrate()
    bench.sql("insert into post (id, title) values (1, 'x')")
    after = bench.models(metadata(("post", sa.Column("title", sa.String(20), index=True))))
    found = [one.kind for _, one in after.findings(after.make())]
    assert found == (["index-locks"] if bench.backend == "postgresql" else [])


def test_a_small_table_of_sqlite_is_copied_without_a_word(sqlite: Bench) -> None:
    """A copy holds nobody up while the table is small; from ten thousand rows on it is told."""
    first = sqlite.models(metadata(("post", sa.Column("title", sa.String(20)))))
    first.make()
    first.migrate()
    sqlite.sql("insert into post (id, title) values (1, 'x')")
    after = sqlite.models(metadata(("post", sa.Column("title", sa.String(40)))))
    made = after.make()
    assert after.findings(made) == []
    sqlite.sql(
        "with recursive n(i) as (select 2 union all select i + 1 from n where i < 10001) "
        "insert into post (id, title) select i, 'x' from n"
    )
    assert [one.kind for _, one in after.findings(made)] == ["copies-table"]
