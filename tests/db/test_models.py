"""Models: what is made for you, what is refused, and that every value comes back as it was given."""

import enum
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint, inspect, select
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import mapped_column, relationship
from sqlalchemy.schema import CreateTable

from demijohn.db import (
    Database,
    Mapped,
    Model,
    ModelError,
    Ordered,
    QueryError,
    SoftDelete,
    StillReferenced,
    Timestamps,
    UniqueViolation,
    UUIDModel,
    belongs_to,
    column,
    has_many,
    many_to_many,
    now,
    on_change,
    uuid7,
)
from demijohn.db.declarative import table_name
from demijohn.errors import ValidationFailed
from demijohn.schema import fields_of, to_builtins


class Base(Model, isolated=True):
    pass


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 100_000


class Address(msgspec.Struct):
    street: str
    number: int = 1


class Everything(Base):
    text: Mapped[str] = column(text=True)
    short: Mapped[str] = column(max_length=10)
    free: Mapped[str]
    whole: Mapped[int]
    large: Mapped[int] = column(big=True)
    real: Mapped[float]
    yes: Mapped[bool]
    money: Mapped[Decimal] = column(max_digits=12, decimal_places=2)
    moment: Mapped[datetime]
    day: Mapped[date]
    clock: Mapped[time]
    span: Mapped[timedelta]
    key: Mapped[UUID]
    raw: Mapped[bytes]
    colour: Mapped[Colour]
    level: Mapped[Level]
    address: Mapped[Address]
    addresses: Mapped[list[Address]]
    anything: Mapped[dict[str, Any]]
    nothing: Mapped[Address | None]


class Shelf(Base):
    name: Mapped[str] = column(max_length=40, unique=True)


class Book(Timestamps, SoftDelete, Base):
    title: Mapped[str] = column(max_length=40)
    pages: Mapped[int] = column(default=100, ge=1)
    tags: Mapped[list[str]] = column(default=[])
    shelf: Mapped[Shelf | None] = belongs_to(back="books")
    double: Mapped[int] = column(generated="pages * 2")

    @hybrid_property
    def is_long(self) -> bool:
        return self.pages > 500

    @is_long.inplace.expression
    @classmethod
    def _is_long(cls) -> Any:
        return cls.pages > 500


class Song(Ordered, Base):
    __order_within__ = ("shelf",)
    name: Mapped[str] = column(max_length=40)
    shelf: Mapped[Shelf] = belongs_to(on_delete="cascade")


class Token(UUIDModel, Base):
    __abstract__ = False
    name: Mapped[str] = column(max_length=10)


class Edition(Base):
    isbn: Mapped[str] = column(primary_key=True, max_length=13, init=True)
    number: Mapped[int] = column(primary_key=True, init=True)
    title: Mapped[str] = column(max_length=40)


class Copy(Base):
    edition: Mapped[Edition] = belongs_to(back="copies", on_delete="cascade")
    place: Mapped[str] = column(max_length=20)


class Vehicle(Base):
    kind: Mapped[str] = column(max_length=20, discriminator=True)
    wheels: Mapped[int] = column(default=4)


class Car(Vehicle):
    doors: Mapped[int | None] = column()


class Lorry(Vehicle):
    __tablename__ = "lorry"
    load_kg: Mapped[int] = column(default=0)


@pytest.fixture
async def tables(database: Database) -> AsyncIterator[Database]:
    """A database with the tables of this file."""
    async with database.unit():
        await database.drop_all(Base)
        await database.create_all(Base)
    yield database
    async with database.unit():
        await database.drop_all(Base)


# -- values ----------------------------------------------------------------------------------------------------------

VALUES: dict[str, Any] = {
    "text": "Ünïcødé 🚀 'quoted' \"twice\" " + "long " * 5000,
    "short": "ten chars!",
    "free": "free",
    "whole": -(2**31),
    "large": 2**62,
    "real": 0.1 + 0.2,
    "yes": True,
    "money": Decimal("1234567890.12"),
    "moment": datetime(2026, 3, 29, 1, 30, 15, 123456, tzinfo=UTC),
    "day": date(1, 1, 1),
    "clock": time(23, 59, 59, 999999),
    "span": timedelta(days=400, microseconds=1),
    "key": UUID("01890000-0000-7000-8000-000000000001"),
    "raw": bytes(range(256)) * 300,
    "colour": Colour.GREEN,
    "level": Level.HIGH,
    "address": Address("Road", 7),
    "addresses": [Address("A"), Address("B", 2)],
    "anything": {"list": [1, None, {"deep": True}], "text": "ü"},
    "nothing": None,
}


async def test_every_value_comes_back(tables: Database) -> None:
    """Each type of value is the same after the database as before, on every backend."""
    async with tables.unit():
        made = await Everything.create(**VALUES)
    async with tables.unit():
        found = await Everything.get_or_404(made.id)
        for name, value in VALUES.items():
            if name == "day" and tables.backend == "mysql":
                continue  # MySQL knows dates from the year 1000 on
            assert getattr(found, name) == value, name
            assert isinstance(getattr(found, name), type(value)), name
        assert found.moment.tzinfo is UTC


async def test_moments_are_compared_in_utc(tables: Database) -> None:
    """A moment of another zone is the same moment; a naive one is refused by name."""
    east = timezone(timedelta(hours=5))
    async with tables.unit():
        made = await Everything.create(**{**VALUES, "moment": datetime(2026, 1, 1, 2, tzinfo=east)})
        assert await Everything.where(Everything.moment == datetime(2025, 12, 31, 21, tzinfo=UTC)).count() == 1
        assert await Everything.where(Everything.moment < datetime(2025, 12, 31, 21, 0, 1, tzinfo=UTC)).exists()
        await made.reload()
        assert made.moment == datetime(2025, 12, 31, 21, tzinfo=UTC)
        with pytest.raises(QueryError, match="no time zone"):
            await Everything.where(Everything.moment < datetime(2026, 1, 1)).count()
        made.moment = datetime(2026, 1, 1)
        with pytest.raises(ValidationFailed):
            await made.save()


async def test_enumerations_are_held(tables: Database) -> None:
    """Only members are taken, in Python and by a CHECK in the database."""
    async with tables.unit():
        with pytest.raises(ValidationFailed):
            await Everything.create(**{**VALUES, "colour": "blue"})
        with pytest.raises(QueryError, match="is no Level"):
            await Everything.where(Everything.level == 7).count()
    ddl = str(CreateTable(Everything.__table__).compile(dialect=tables.resources()[0].engine.dialect))
    assert "ck_everything_colour" in ddl
    assert ddl.count("CHECK") == 1


async def test_json_is_asked_by_key(tables: Database) -> None:
    """A key of a JSON column is compared and ordered by; a key of a client is a value, never SQL."""
    async with tables.unit():
        await Everything.create(**{**VALUES, "anything": {"size": 3, "odd'key": "x"}})
        await Everything.create(**{**VALUES, "anything": {"size": 5}})
        assert await Everything.where(Everything.anything["size"].as_integer() > 3).count() == 1
        for key in ("odd'key", "'; drop table everything; --", '"', "a.b"):
            assert await Everything.where(Everything.anything[key].as_string() == "x").count() == (key == "odd'key")


@given(digits=st.decimals(min_value=Decimal("-9999999999.99"), max_value=Decimal("9999999999.99"), places=2))
async def test_decimals_are_exact(digits: Decimal) -> None:
    """On SQLite too a decimal of the column's size comes back to the last digit; what would not is refused."""
    from demijohn.db.storage import DecimalType

    class SQLite:
        name = "sqlite"

    column_type: Any = DecimalType(12, 2)
    stored = column_type.process_bind_param(digits, SQLite)
    assert column_type.process_result_value(stored, SQLite) == digits
    with pytest.raises(QueryError, match="15 digits"):
        column_type.process_bind_param(Decimal("12345678901234.5678"), SQLite)


def test_uuid7_is_in_order() -> None:
    """Keys made one after the other sort as they were made, and say their version."""
    keys = [uuid7() for _ in range(5000)]
    assert keys == sorted(keys)
    assert len(set(keys)) == 5000
    assert {key.version for key in keys} == {7}
    assert abs(keys[0].int >> 80) - now().timestamp() * 1000 < 5000


# -- what is made for you --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("Post", "post"),
        ("BlogPost", "blog_post"),
        ("HTTPLog", "http_log"),
        ("Page2", "page2"),
        ("OAuth2Token", "o_auth2_token"),
    ],
)
def test_tables_are_named(name: str, table: str) -> None:
    """The name of a table is that of its class, in words."""
    assert table_name(name) == table


def test_constraints_are_named() -> None:
    """Every constraint and index has a name, so that migrations can change it."""

    class Here(Model, isolated=True):
        pass

    class Thing(Here):
        __table_args__ = (
            UniqueConstraint("name", "size"),
            CheckConstraint("size > 0"),
            CheckConstraint("size < 100", name="small"),
            Index(None, "name", "size"),
        )
        name: Mapped[str] = column(max_length=20, unique=True)
        size: Mapped[int] = column(index=True)
        parent: Mapped["Thing | None"] = belongs_to()

    table = Thing.__table__
    names = {str(constraint.name) for constraint in table.constraints} | {str(index.name) for index in table.indexes}
    assert {name for name in names if not name.startswith("ck_")} == {
        "pk_thing",
        "uq_thing_name",
        "uq_thing_name_size",
        "fk_thing_parent_id",
        "ix_thing_size",
        "ix_thing_name_size",
        "ix_thing_parent_id",
        "small",
    }
    assert len([name for name in names if name.startswith("ck_thing_")]) == 1


def test_defaults_are_there_at_once() -> None:
    """A new object has its defaults before it is written; a mutable one is its own."""
    first, second = Book(title="A"), Book(title="B")
    assert (first.pages, first.shelf, first.deleted_at) == (100, None, None)
    assert first.created_at.tzinfo is UTC
    first.tags.append("x")
    assert second.tags == []
    assert isinstance(Token(name="t").id, UUID)


def test_the_constructor_takes_partial_values() -> None:
    """What is missing may come later; what is not known is refused, with what was probably meant."""
    book = Book()
    assert book.title is None
    with pytest.raises(TypeError, match="Did you mean 'title'"):
        Book(titel="A")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Did you mean 'pages'"):
        book.assign(page=3)


async def test_keys(tables: Database) -> None:
    """Keys are integers, UUIDs of version 7, or what the model says; composite ones are given as a tuple."""
    async with tables.unit():
        token = await Token.create(name="t")
        assert await Token.get(token.id) is token
        await Edition.create(isbn="978", number=2, title="Second")
        edition = await Edition.get(("978", 2))
        assert edition is not None
        assert await Edition.get(("978", 3)) is None
        with pytest.raises(QueryError, match="2 columns"):
            await Edition.where(Edition.title == "x").get("978")
        first = await Copy.create(edition=edition, place="A")
        await Copy.create(edition_isbn="978", edition_number=2, place="B")
        assert (first.edition_isbn, first.edition_number) == ("978", 2)  # type: ignore[attr-defined]

    async def related() -> None:
        copies = await Copy.query().order_by("place").all()
        assert [copy.edition.title for copy in copies] == ["Second", "Second"]
        assert [copy.place for copy in copies[0].edition.copies] == ["A", "B"]

    await tables.run(related())


def test_fields_are_described_once() -> None:
    """The schema room reads labels, bounds, defaults and relations from the model."""
    fields = fields_of(Book)
    assert fields["title"].max_length == 40
    assert fields["title"].required
    assert fields["pages"].ge == 1
    assert fields["pages"].default == 100
    assert not fields["pages"].required
    assert fields["shelf"].nullable
    assert fields["shelf"].type is Shelf
    assert fields["shelf_id"].extra["key_of"] == "shelf"
    assert fields["created_at"].readonly
    assert fields["deleted_at"].private
    assert fields["double"].readonly
    assert fields["tags"].type == list[str]


def test_private_fields_are_not_shown() -> None:
    """An object as data has its public columns, and nothing else."""
    shown = to_builtins(Book(title="A", pages=3))
    assert set(shown) == {"id", "title", "pages", "tags", "shelf_id", "double", "created_at", "updated_at"}


async def test_generated_columns_and_hybrids(tables: Database) -> None:
    """The server computes a column; a hybrid is Python on an object and SQL in a query."""
    async with tables.unit():
        book = await Book.create(title="Long", pages=600)
        await Book.create(title="Short", pages=10)
        await book.reload()
        assert book.double == 1200
        assert book.is_long
        assert [one.title for one in await Book.where(Book.is_long)] == ["Long"]


async def test_inheritance(tables: Database) -> None:
    """Classes share a table, or have one of their own, and come back as what they are."""
    async with tables.unit():
        await Car.create(doors=5)
        await Lorry.create(wheels=10, load_kg=9000)
    async with tables.unit():
        found = await Vehicle.query().order_by("id").all()
        assert [(type(one).__name__, one.kind, one.wheels) for one in found] == [
            ("Car", "car", 4),
            ("Lorry", "lorry", 10),
        ]
        assert [one.load_kg for one in await Lorry.where(Lorry.wheels > 4)] == [9000]
        assert await Car.query().count() == 1
    assert Car.__table__ is Vehicle.__table__
    assert Lorry.__table__ is not Vehicle.__table__


async def test_sqlalchemy_works_unchanged(sqlite: Database) -> None:
    """`mapped_column`, `relationship`, explicit tables and plain `select` live beside what is ours."""

    class Here(Model, isolated=True):
        pass

    from sqlalchemy import ForeignKey

    class Parent(Here):
        __tablename__ = "parents"
        key: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(20), index=True)
        children: Mapped[list["Child"]] = relationship(back_populates="parent", lazy="selectin")

    class Child(Here):
        parent_key: Mapped[int] = mapped_column(ForeignKey("parents.key"))
        parent: Mapped[Parent] = relationship(back_populates="children")

    async with sqlite.unit():
        await sqlite.create_all(Here)
        parent = Parent(name="P", children=[Child(), Child()])
        sqlite.session.add(parent)
        await parent.save()
    async with sqlite.unit():
        rows = (await sqlite.execute(select(Parent.name, Child.id).join(Child.parent))).all()
        assert rows == [("P", 1), ("P", 2)]
    assert "id" not in Parent.__mapper__.columns


# -- mixins and events -----------------------------------------------------------------------------------------------


async def test_timestamps(tables: Database) -> None:
    """`updated_at` moves with each change, `created_at` does not."""
    async with tables.unit():
        book = await Book.create(title="A")
        before = book.created_at, book.updated_at
        book.title = "B"
        await book.save()
        await book.reload()
        assert book.created_at == before[0]
        assert book.updated_at > before[1]


async def test_soft_deletion(tables: Database) -> None:
    """A row that is marked is passed over by queries and relations, until it is restored or purged."""

    async def main() -> None:
        shelf = await Shelf.create(name="S")
        books = [await Book.create(title=title, shelf=shelf) for title in "ABC"]
        await books[0].delete()
        assert await Book.query().count() == 2
        assert await Book.query().with_deleted().count() == 3
        assert await Book.where(Book.shelf.has(name="S")).scalars(Book.title).order_by("title").all() == ["B", "C"]
        await shelf.reload("books")  # type: ignore[attr-defined]
        await books[0].restore()
        assert await Book.query().count() == 3
        assert await Book.where(title="B").delete() == 1
        assert await Book.query().count() == 2
        await books[2].purge()
        assert await Book.query().with_deleted().count() == 2

    await tables.run(main())


async def test_an_order_by_hand(tables: Database) -> None:
    """Rows are appended to their list and moved within it; other lists do not change."""

    async def names(shelf: Shelf) -> list[str]:
        return await Song.where(shelf=shelf).scalars(Song.name).all()

    async def main() -> None:
        shelves = [await Shelf.create(name=name) for name in "XY"]
        songs = {}
        for name in "abcd":
            songs[name] = await Song(name=name, shelf=shelves[0]).append_to_list()
        await Song(name="other", shelf=shelves[1]).append_to_list()
        assert await names(shelves[0]) == ["a", "b", "c", "d"]
        await songs["d"].move_to(1)
        assert await names(shelves[0]) == ["a", "d", "b", "c"]
        await songs["a"].reload()
        await songs["a"].move_to(3)
        assert await names(shelves[0]) == ["d", "b", "c", "a"]
        assert await Song.where(name="other").scalars(Song.position).one() == 0

    await tables.run(main())


async def test_changes_are_told(tables: Database) -> None:
    """Receivers learn what was written: in the transaction, and again once it is safe."""
    seen: list[tuple[str, str, str]] = []

    class Here(Model, isolated=True):
        pass

    class Shelf(Here):
        name: Mapped[str] = column(max_length=40)

    @on_change(Shelf, when="flush")
    async def in_transaction(shelf: Shelf, kind: str) -> None:
        seen.append(("flush", kind, shelf.name))
        if shelf.name == "refused":
            raise ValueError("refused")

    @on_change(Shelf, "created", "deleted")
    def after_commit(shelf: Shelf, kind: str) -> None:
        seen.append(("commit", kind, shelf.name))

    async with tables.unit():
        await tables.create_all(Here)
        shelf = await Shelf.create(name="one")
        shelf.name = "two"
        await shelf.save()
        assert seen == [("flush", "created", "one"), ("flush", "updated", "two")]
    assert seen[2:] == [("commit", "created", "two")]
    seen.clear()
    with pytest.raises(ValueError, match="refused"):
        async with tables.unit():
            await Shelf.create(name="refused")
    async with tables.unit():
        await (await Shelf.where(name="two").one()).delete()
        assert await Shelf.query().count() == 0
    assert seen == [("flush", "created", "refused"), ("flush", "deleted", "two"), ("commit", "deleted", "two")]


# -- writing ---------------------------------------------------------------------------------------------------------


async def test_a_refused_object_is_not_written_later(tables: Database) -> None:
    """What `save` refuses is left out by the commit, keeps its values, and can be mended and saved."""
    async with tables.unit():
        shelf = await Shelf.create(name="S")
        book = Book(title="x" * 41, shelf=shelf)
        with pytest.raises(ValidationFailed):
            await book.save()
        assert book.shelf is shelf
        await Shelf.create(name="T")
    async with tables.unit():
        assert await Book.query().count() == 0
        assert await Shelf.query().count() == 2
        book.title = "Mended"
        book.shelf = await Shelf.where(name="T").one()
        await book.save()
    async with tables.unit():
        found = await Book.query().load(Book.shelf).one()
        assert found.shelf is not None
        assert (found.title, found.shelf.name) == ("Mended", "T")


async def test_refusals_of_the_database_name_the_field(tables: Database) -> None:
    """A taken value, a key to nowhere and a row that others point to are told as errors of fields."""
    async with tables.unit():
        shelf = await Shelf.create(name="S")
        await Book.create(title="A", shelf=shelf)
    async with tables.unit():
        with pytest.raises(UniqueViolation) as taken:
            await Shelf.create(name="S")
        assert [error.place for error in taken.value.errors] == [("body", "name")]
        assert "name: This value is taken already." in str(taken.value)
    async with tables.unit():
        with pytest.raises(ValidationFailed) as nowhere:
            await Song.create(name="x", shelf_id=99999)
        assert [(error.place, error.code) for error in nowhere.value.errors] == [(("body", "shelf"), "foreign_key")]
    async with tables.unit():
        with pytest.raises(ValidationFailed) as missing:
            await Song.create(name="x")
        assert [(error.place, error.code) for error in missing.value.errors] == [(("body", "shelf"), "missing")]
    async with tables.unit():
        await Edition.create(isbn="1", number=1, title="One")
        await Copy.create(edition_isbn="1", edition_number=1, place="A")  # type: ignore[call-arg]
        await (await Edition.get_or_404(("1", 1))).delete()
        assert await Copy.query().count() == 0, "the database cascades"


async def test_a_row_that_others_point_to_stays(tables: Database) -> None:
    """`on_delete="restrict"` refuses the deletion with 409, and `"set null"` empties the key."""

    class Here(Model, isolated=True):
        pass

    class Owner(Here):
        name: Mapped[str] = column(max_length=10)

    class Owned(Here):
        owner: Mapped[Owner] = belongs_to(back="things")

    class Loose(Here):
        owner: Mapped[Owner | None] = belongs_to(back="loose")

    async with tables.unit():
        await tables.drop_all(Here)
        await tables.create_all(Here)
        kept, loose = await Owner.create(name="kept"), await Owner.create(name="loose")
        await Owned.create(owner=kept)
        await Loose.create(owner=loose)
    async with tables.unit():
        with pytest.raises(StillReferenced):
            await (await Owner.where(name="kept").one()).delete()
    async with tables.unit():
        await (await Owner.where(name="loose").one()).delete()
    async with tables.unit():
        assert (await Loose.query().load(Loose.owner).one()).owner is None
        await tables.drop_all(Here)


# -- refused at start-up ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["query", "where", "get", "save", "load", "create", "metadata", "assign"])
def test_a_field_that_hides_a_method_is_refused(name: str) -> None:
    """A field with the name of a method is an error when the class is made, with the way around it."""

    class Here(Model, isolated=True):
        pass

    with pytest.raises(ModelError, match=f"has a field '{name}'"):
        type("Thing", (Here,), {"__annotations__": {name: Mapped[str]}, "__module__": __name__})


def test_relations_that_cannot_be() -> None:
    """A target that is missing or named twice, a half that is taken, a null that may not be: each is told by name."""

    class Here(Model, isolated=True):
        pass

    class Target(Here):
        name: Mapped[str] = column(max_length=10)

    with pytest.raises(ModelError, match="no annotation"):
        type("NoHint", (Here,), {"target": belongs_to(), "__module__": __name__})
    with pytest.raises(ModelError, match="may not be null"):

        class NotNull(Here):
            target: Mapped[Target] = belongs_to(on_delete="set null")

    with pytest.raises(ModelError, match="has already"):

        class Taken(Here):
            target: Mapped[Target] = belongs_to(back="name")

    class Lost(Here):
        gone: Mapped["Gone"] = belongs_to()  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ModelError, match="'Gone' that does not exist"):
        Here.registry.configure()


def test_links_know_their_other_half() -> None:
    """The other half of a relation is made, or found where it is declared."""

    class Here(Model, isolated=True):
        pass

    class Person(Here):
        written: Mapped[list["Letter"]] = has_many(back="sender")
        friends: Mapped[list["Person"]] = many_to_many(back="friend_of")

    class Letter(Here):
        sender: Mapped[Person] = belongs_to(back="written")
        receiver: Mapped[Person] = belongs_to(back="received")

    Here.registry.configure()
    mapper = inspect(Person)
    assert set(mapper.relationships.keys()) == {"written", "received", "friends", "friend_of"}
    assert mapper.relationships["received"].back_populates == "receiver"
    assert inspect(Letter).relationships["sender"].back_populates == "written"
    assert [column.name for column in Here.metadata.tables["person_friends"].columns] == [
        "from_person_id",
        "to_person_id",
    ]
