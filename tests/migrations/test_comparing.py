"""What `makemigrations` finds: changes of every kind, written so that the next look finds nothing."""

import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
import sqlalchemy as sa

from demijohn.db import Mapped, Model, belongs_to, column, many_to_many, now
from demijohn.db.declarative import NAMING
from demijohn.migrations.faults import AmbiguousRename, Behind, DropRefused
from tests.migrations.conftest import Bench


def metadata(*tables: tuple) -> sa.MetaData:
    """Tables by name and columns, with the names of constraints that models have."""
    made = sa.MetaData(naming_convention=NAMING)
    for name, *parts in tables:
        sa.Table(name, made, sa.Column("id", sa.Integer, primary_key=True), *parts)
    return made


class Zoo(Model, isolated=True):
    """A base of its own, so that these models stay out of other tests."""


class Mood(enum.Enum):
    CALM = "calm"
    WILD = "wild"


class Rank(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Keeper(Zoo):
    name: Mapped[str] = column(index=True)
    boss: Mapped["Keeper | None"] = belongs_to(back="staff")


class Food(Zoo):
    name: Mapped[str] = column(max_length=40, unique=True)


class Animal(Zoo):
    name: Mapped[str] = column(max_length=200)
    about: Mapped[str] = column(text=True)
    mood: Mapped[Mood] = column(default=Mood.CALM)
    rank: Mapped[Rank]
    price: Mapped[Decimal] = column(max_digits=10, decimal_places=2)
    data: Mapped[dict[str, int]]
    span: Mapped[timedelta | None]
    blob: Mapped[bytes | None]
    tame: Mapped[bool] = column(server_default=sa.true())
    weight: Mapped[float | None]
    views: Mapped[int] = column(server_default="0", big=True)
    born: Mapped[date | None]
    woken: Mapped[time | None]
    chip: Mapped[UUID | None]
    seen: Mapped[datetime] = column(default=now)
    keeper: Mapped[Keeper] = belongs_to(back="animals")
    eats: Mapped[list[Food]] = many_to_many(back="eaters")
    __table_args__ = (
        sa.CheckConstraint("views >= 0"),
        sa.UniqueConstraint("name", "born"),
        sa.Index("ix_animal_both", "rank", "views"),
    )


def test_a_zoo_of_models_is_found_once(bench: Bench) -> None:
    """Every type, link, index and constraint of models is written once; the next look finds nothing."""
    Zoo.registry.configure()
    source = bench.step(Zoo.metadata)
    assert "op.create_table(" in source
    assert bench.tables() == {"keeper", "food", "animal", "animal_eats"}
    assert not bench.project.changes(), bench.project.changes().operations
    assert bench.project.make() == []
    bench.project.rollback("zero")
    assert bench.tables() == set()
    bench.project.migrate()
    assert not bench.project.changes()


def test_columns_come_and_change(bench: Bench) -> None:
    """A new column, another size and another nullability are written, and rows are kept."""
    bench.step(metadata(("post", sa.Column("title", sa.String(20), nullable=False))))
    bench.sql("insert into post (id, title) values (1, 'one')")
    wider = metadata(("post", sa.Column("title", sa.String(80), nullable=True), sa.Column("views", sa.Integer)))
    bench.step(wider)
    found = bench.columns("post")
    assert found["title"]["type"].length == 80
    assert found["title"]["nullable"]
    assert bench.sql("select title, views from post") == [("one", None)]
    assert not bench.project.changes()


def test_server_defaults_are_compared_by_what_the_model_said(bench: Bench) -> None:
    """A changed server default is found, whatever the server prints; an unchanged one never is."""
    bench.step(metadata(("post", sa.Column("views", sa.Integer, server_default="1", nullable=False))))
    assert not bench.project.changes()
    bench.step(metadata(("post", sa.Column("views", sa.Integer, server_default="7", nullable=False))))
    bench.sql("insert into post (id) values (1)")
    assert bench.sql("select views from post") == [(7,)]
    bench.step(metadata(("post", sa.Column("views", sa.Integer, nullable=False))))
    assert not bench.project.changes()


def test_checks_are_compared_by_their_text(bench: Bench) -> None:
    """A CHECK whose text changed is replaced; the old one holds no longer and the new one does."""
    bench.step(metadata(("post", sa.Column("views", sa.Integer), sa.CheckConstraint("views < 10", name="few"))))
    bench.step(metadata(("post", sa.Column("views", sa.Integer), sa.CheckConstraint("views < 100", name="few"))))
    bench.sql("insert into post (id, views) values (1, 50)")
    with pytest.raises((sa.exc.IntegrityError, sa.exc.DBAPIError)):
        bench.sql("insert into post (id, views) values (2, 500)")
    assert not bench.project.changes()


def test_values_of_an_enumeration_can_be_added(bench: Bench) -> None:
    """An enumeration stored as text takes its new value, and refuses others."""

    def with_values(*values: str) -> sa.MetaData:
        kind = sa.Enum(*values, native_enum=False, create_constraint=True, length=20)
        return metadata(("post", sa.Column("status", kind)))

    bench.step(with_values("draft", "live"))
    bench.step(with_values("draft", "live", "gone"))
    bench.sql("insert into post (id, status) values (1, 'gone')")
    with pytest.raises(sa.exc.DBAPIError):
        bench.sql("insert into post (id, status) values (2, 'never')")
    assert not bench.project.changes()


@pytest.mark.postgresql
def test_values_of_a_native_enumeration_come_and_go(postgresql: Bench) -> None:
    """PostgreSQL's own enumerations take new values in their place, and lose old ones by being made anew."""

    def with_values(*values: str) -> sa.MetaData:
        return metadata(("post", sa.Column("mood", sa.Enum(*values, name="mood"), server_default=values[0])))

    postgresql.step(with_values("calm", "wild"))
    source = postgresql.step(with_values("calm", "fair", "wild"))
    assert "ADD VALUE" in source
    postgresql.sql("insert into post (id, mood) values (1, 'fair')")
    assert not postgresql.project.changes()
    postgresql.step(with_values("calm", "fair"))
    assert postgresql.sql("select mood::text from post") == [("fair",)]
    assert postgresql.sql("select enumlabel from pg_enum order by enumsortorder") == [("calm",), ("fair",)]
    assert not postgresql.project.changes()


def test_a_rename_is_declared(bench: Bench) -> None:
    """`renamed_from` keeps the data of the column, its index and its constraints follow."""
    bench.step(metadata(("post", sa.Column("title", sa.String(20), nullable=False, index=True))))
    bench.sql("insert into post (id, title) values (1, 'kept')")
    new = sa.Column("headline", sa.String(40), nullable=False, index=True, info={"renamed_from": "title"})
    bench.step(metadata(("post", new)))
    assert bench.sql("select headline from post") == [("kept",)]
    assert bench.columns("post")["headline"]["type"].length == 40
    assert not bench.project.changes()
    bench.project.rollback()
    assert bench.sql("select title from post") == [("kept",)]
    assert bench.columns("post")["title"]["type"].length == 20


def test_a_rename_is_asked_for(bench: Bench) -> None:
    """Where somebody is there, they are asked; yes keeps the data."""
    asked: list[str] = []

    def ask(question: str) -> bool:
        asked.append(question)
        return True

    bench.step(metadata(("post", sa.Column("title", sa.String(20)))))
    bench.sql("insert into post (id, title) values (1, 'kept')")
    bench.step(metadata(("post", sa.Column("name", sa.String(20)))), ask=ask)
    assert asked == ["Was the column post.title renamed to post.name?"]
    assert bench.sql("select name from post") == [("kept",)]


def test_a_possible_rename_stops_where_nobody_is_there(sqlite: Bench) -> None:
    """Without an answer nothing is written: it may be a rename or a loss."""
    sqlite.step(metadata(("post", sa.Column("title", sa.String(20)))))
    project = sqlite.models(metadata(("post", sa.Column("name", sa.String(20)))))
    with pytest.raises(AmbiguousRename, match="title is gone"):
        project.make()
    assert len(project.history) == 1


def test_a_table_is_renamed(bench: Bench) -> None:
    """A table that was renamed keeps its rows; what is left to change is found by the next look."""
    bench.step(metadata(("article", sa.Column("title", sa.String(20), index=True))))
    bench.sql("insert into article (id, title) values (1, 'kept')")
    after = metadata(("post", sa.Column("title", sa.String(20), index=True)))
    bench.step(after, ask=lambda question: True)
    assert bench.sql("select title from post") == [("kept",)]
    bench.step(after, ask=lambda question: True)
    assert not bench.project.changes()


def test_drops_have_to_be_confirmed(bench: Bench) -> None:
    """A column or table that no model has is dropped only when somebody says so."""
    bench.step(metadata(("post", sa.Column("title", sa.String(20))), ("tag",)))
    fewer = metadata(("post",))
    with pytest.raises(DropRefused, match=r"the table tag.*post\.title"):
        bench.models(fewer).make()
    bench.step(fewer, allow_drop=True)
    assert bench.tables() == {"post"}
    assert list(bench.columns("post")) == ["id"]


def test_tables_of_others_are_not_looked_at(bench: Bench) -> None:
    """A table that no migration of this app made is neither dropped nor changed, even with --allow-drop."""
    bench.sql("create table theirs (id integer primary key)")
    bench.step(metadata(("post",)), allow_drop=True)
    bench.step(metadata(("post", sa.Column("title", sa.String(20)))), allow_drop=True)
    assert bench.tables() == {"post", "theirs"}


def test_models_are_compared_with_a_database_that_has_all(sqlite: Bench) -> None:
    """Where a migration is pending, none is written: the difference would hold it twice."""
    project = sqlite.models(metadata(("post",)))
    project.make()
    with pytest.raises(Behind, match="0001_initial"):
        project.make()


def test_rows_survive_the_copy_of_their_parent(sqlite: Bench) -> None:
    """SQLite changes a table by copying it; rows that point to it with ON DELETE CASCADE stay."""

    def models(length: int) -> sa.MetaData:
        key = sa.Column("post_id", sa.ForeignKey("post.id", ondelete="CASCADE"))
        return metadata(("post", sa.Column("title", sa.String(length))), ("comment", key))

    sqlite.step(models(20))
    sqlite.sql("insert into post values (1, 'a')", "insert into comment values (1, 1)")
    sqlite.step(models(30))
    assert sqlite.sql("select count(*) from comment") == [(1,)]
