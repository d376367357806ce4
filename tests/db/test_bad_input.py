"""Bad input on every backend: a clear error for whoever made it, and a database that is as it was."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import extract, func, literal

from demijohn import App
from demijohn.db import Database, Mapped, Model, QueryError, ValueRefused, belongs_to, column
from demijohn.errors import ValidationFailed
from tests.app.calling import call
from tests.db.blog import Post, Tag, User, fill


class Base(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Kind(Enum):
    SMALL = "small"
    LARGE = "large"


class Parcel(Base):
    label: Mapped[str] = column(max_length=10)
    kind: Mapped[Kind] = column(default=Kind.SMALL)
    weight: Mapped[Decimal] = column(max_digits=6, decimal_places=2, default=Decimal(1))
    number: Mapped[int] = column(default=0)
    large: Mapped[int] = column(default=0, big=True)
    sent_at: Mapped[datetime | None]
    photo: Mapped[str | None] = column(max_length=255, format="storage-key")
    inside: Mapped["Parcel | None"] = belongs_to(back="parcels")


@pytest.fixture
async def parcels(database: Database) -> Any:
    """A database with the table of parcels."""
    async with database.unit():
        await database.drop_all(Base)
        await database.create_all(Base)
        await Parcel.create(label="first")
    yield database
    async with database.unit():
        await database.drop_all(Base)


@pytest.mark.parametrize("weight", ["1.005", "0.001", "-3.999"])
async def test_more_decimal_places_than_the_column_has_are_refused(parcels: Database, weight: str) -> None:
    """No database rounds an amount by itself, and none keeps what it does not show: such a value is refused."""

    async def write() -> None:
        first = await Parcel.where(label="first").one()
        for change in (
            lambda: Parcel.create(label="second", weight=Decimal(weight)),
            lambda: Parcel.bulk_create([{"label": "third", "weight": Decimal(weight)}], validate=True),
            lambda: first.assign(weight=Decimal(weight)).save(),
        ):
            with pytest.raises(ValidationFailed) as failed:
                async with parcels.transaction():
                    await change()
            assert [(error.place[-1], error.code) for error in failed.value.errors] == [("weight", "decimal_places")]
            assert "At most 2 decimal places allowed." in str(failed.value)

    await parcels.run(write())


async def test_zeros_behind_the_point_are_no_decimal_places(parcels: Database) -> None:
    """What a computation leaves as 2.5000 is 2.50."""

    async def write() -> None:
        await Parcel.create(label="second", weight=Decimal("2.50000"))
        assert (await Parcel.where(label="second").one()).weight == Decimal("2.5")

    await parcels.run(write())


@pytest.mark.parametrize(
    ("ask", "line"),
    [
        (lambda: Post.where(author__display_name="Ann"), ".where(Post.author.has(display_name=...))"),
        (lambda: Post.where(tags__name="sql"), ".where(Post.tags.any(name=...))"),
        (lambda: Post.query().order_by("-author__display_name"), ".join(Post.author).order_by(User.display_name)"),
        (lambda: Post.where(stars__gte=3), ".where(Post.stars >= value)"),
        (lambda: Post.query().exclude(title__icontains="x"), ".icontains(text, autoescape=True))"),
        (lambda: Post.where(created_at__year=2026), 'extract("year", Post.created_at) == value'),
    ],
)
def test_lookups_of_django_are_told_how_they_are_written_here(ask: Callable[[], Any], line: str) -> None:
    """A name with `__` in it says how to follow a relation and how to compare."""
    with pytest.raises(QueryError) as told:
        ask()
    assert line in str(told.value)


NASTY = [
    'x"; drop table post; --', "x'; drop table post; --", "x`; drop table post; --", "title; select 1", "title)--",
    "\0", "%s", ":a",
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
async def test_no_name_reaches_the_sql(blog: Database, name: str) -> None:
    """Every place that takes the name of a field looks it up, and refuses what is none before anything is sent."""
    await blog.run(fill(2))
    attempts: list[Callable[[], Any]] = [
        lambda: Post.query().order_by(name),
        lambda: Post.query().order_by(f"-{name}"),
        lambda: Post.where(**{name: 1}),
        lambda: Post.query().exclude(**{name: 1}),
        lambda: Post.query().group_by(name),
        lambda: Post.query().distinct(name),
        lambda: Post.query().select(name),
        lambda: Post.query().values(name),
        lambda: Post.query().scalars(name),
        lambda: Post.query().only(name),
        lambda: Post.query().defer(name),
        lambda: Post.query().load(name),
    ]
    writes: list[Callable[[], Awaitable[Any]]] = [
        lambda: Post.where().update(**{name: 1}),
        lambda: Tag.bulk_create([{name: 1}]),
        lambda: Tag.bulk_update([{"id": 1, name: 1}]),
        lambda: Tag.upsert([{"name": "a"}], on=[name]),
        lambda: Tag.upsert([{"name": "a"}], on=["name"], update=[name]),
        lambda: Tag.get_or_create(**{name: 1}),
        lambda: blog.transaction(isolation=name).__aenter__(),
    ]
    async with blog.unit():
        for number, attempt in enumerate(attempts):
            with pytest.raises(QueryError):
                attempt()
                pytest.fail(f"attempt {number} took {name!r}")
        for number, write in enumerate(writes):
            with pytest.raises(QueryError):
                await write()
                pytest.fail(f"write {number} took {name!r}")
        with pytest.raises(TypeError, match="has no field"):
            Tag(**{name: 1})
        with pytest.raises(TypeError, match="has no field"):
            Tag(name="a").assign({name: 1})
        with pytest.raises(QueryError, match="part of a date"):
            await Post.query().select(extract(name, Post.created_at)).all()
        assert await Post.query().count() == 2


@pytest.mark.parametrize("name", [one for one in NASTY if one != "\0"])
async def test_names_of_ones_own_are_quoted(blog: Database, name: str) -> None:
    """An alias may be any text: it is quoted, and comes back as it was given."""
    await blog.run(fill(2))
    async with blog.unit():
        found = await Post.query().annotate(**{name: func.lower(Post.title)}).order_by("id")
        assert [vars(post)[name] for post in found] == ["post 0", "post 1"]
        assert await Post.query().aggregate(**{name: func.count()}) == {name: 2}
        assert await Post.query().count() == 2


async def test_a_server_takes_one_statement_at_a_time(database: Database) -> None:
    """What stands behind a semicolon is refused by the server itself, where text was put together by hand."""
    async with database.unit():
        await database.execute("create table victim (x integer)")
    try:
        with pytest.raises(Exception):  # noqa: B017 - each driver has its own
            async with database.unit():
                await database.execute("select 1; drop table victim")
        async with database.unit():
            assert (await database.execute("select count(*) from victim")).scalar() == 0
    finally:
        async with database.unit():
            await database.execute("drop table victim")


async def test_a_field_that_does_not_exist(parcels: Database) -> None:
    """A filter on an unknown field says which ones there are and what was probably meant."""
    async with parcels.unit():
        with pytest.raises(QueryError, match=r"(?s)no field 'lable'.*'label'.*Its fields are .*weight"):
            Parcel.where(lable="x")
        with pytest.raises(AttributeError):
            Parcel.lable  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"label": "x" * 11}, "label", "max_length"),
        ({"label": "a\0b"}, "label", "characters"),
        ({"label": "a\ud800"}, "label", "characters"),
        ({"label": None}, "label", "missing"),
        ({}, "label", "missing"),
        ({"label": 5}, "label", "type"),
        ({"label": "a", "kind": "medium"}, "kind", "choice"),
        ({"label": "a", "number": 2**31}, "number", "le"),
        ({"label": "a", "number": -(2**31) - 1}, "number", "ge"),
        ({"label": "a", "number": "7"}, "number", "type"),
        ({"label": "a", "large": 2**63}, "large", "le"),
        ({"label": "a", "weight": Decimal(10_000)}, "weight", "lt"),
        ({"label": "a", "sent_at": datetime(2026, 1, 1)}, "sent_at", "timezone"),
        ({"label": "a", "sent_at": "2026-01-01"}, "sent_at", "format"),
        ({"label": "a", "inside_id": 2**63}, "inside_id", "le"),
        ({"label": "a", "photo": "../secrets.env"}, "photo", "format"),
        ({"label": "a", "photo": "/etc/passwd"}, "photo", "format"),
        ({"label": "a", "photo": "a/../b.jpg"}, "photo", "format"),
        ({"label": "a", "photo": "a\\b.jpg"}, "photo", "format"),
        ({"label": "a", "photo": "a//b.jpg"}, "photo", "format"),
    ],
)
async def test_values_that_do_not_fit(parcels: Database, values: dict[str, Any], field: str, code: str) -> None:
    """A value that a column cannot keep is told by its field, alike on every backend; nothing is written."""
    with pytest.raises(ValidationFailed) as failed:
        async with parcels.unit():
            await Parcel.create(**values)
    told = {error.place[-1]: error.code for error in failed.value.errors}
    assert set(told) == {field}
    assert told[field] == code
    async with parcels.unit():
        parcel = await Parcel.where(label="first").one()
        if values.get("label", "a") == "a" and len(values) == 2:
            with pytest.raises(ValidationFailed):
                await Parcel.where(label="first").update(**{field: values[field]})
        assert await Parcel.query().count() == 1
        assert parcel.number == 0


async def test_bulk_rows_of_the_wrong_kind(parcels: Database) -> None:
    """Bulk calls check types always, SQLite's too; the server or `validate=True` checks the rest."""
    for rows in (
        [{"label": "a"}, {"label": 5}],
        [{"label": "a"}, {"label": "b", "number": "many"}],
        [{"label": "a"}, {"label": "b", "sent_at": "yesterday"}],
    ):
        with pytest.raises(ValidationFailed) as failed:
            async with parcels.unit():
                await Parcel.bulk_create(rows)
        assert failed.value.errors[0].place[:2] == ("body", 1)
    with pytest.raises(ValidationFailed):
        async with parcels.unit():
            await Parcel.bulk_create([{"label": "x" * 11}], validate=True)
    with pytest.raises(ValidationFailed):
        async with parcels.unit():
            await Parcel.bulk_update([{"id": 1, "number": "many"}])
    with pytest.raises(ValidationFailed):
        async with parcels.unit():
            await Parcel.upsert([{"label": 5}], on=["id"])
    if parcels.backend != "sqlite":
        with pytest.raises(ValueRefused):
            async with parcels.unit():
                await Parcel.bulk_create([{"label": "x" * 11}])
    async with parcels.unit():
        assert await Parcel.query().count() == 1
        assert await Parcel.bulk_create([{"label": "a", "number": Parcel.id.type.python_type(3), "weight": 2}]) == 1


async def test_keys_that_were_given_are_not_given_again(parcels: Database) -> None:
    """After rows with keys of their own the server counts on behind the highest, PostgreSQL too."""
    async with parcels.unit():
        await Parcel.bulk_create([{"id": 40, "label": "a"}, {"id": 50, "label": "b"}])
        assert (await Parcel.create(label="c")).id == 51
        await Parcel.bulk_create([{"id": 45, "label": "d"}])
        assert (await Parcel.create(label="e")).id == 52


async def test_naive_moments_and_bad_members_in_filters(parcels: Database) -> None:
    """A comparison with a naive moment or with no member of the enumeration is refused before it is sent."""
    async with parcels.unit():
        with pytest.raises(QueryError, match="no time zone"):
            await Parcel.where(Parcel.sent_at < datetime(2026, 1, 1)).all()
        with pytest.raises(Exception, match="medium"):
            await Parcel.where(kind="medium").all()


WRONG: list[tuple[str, Any, str]] = [
    ("published", "maybe", r"Post\.published was compared with 'maybe' \(str\), and it takes True or False"),
    ("published", 1, "takes True or False"),
    ("stars", "5", r"compared with '5' \(str\), and it takes a whole number"),
    ("stars", 1.5, "takes a whole number"),
    ("stars", [1, 2], r"(?s)takes a whole number.*Post\.where\(Post\.stars\.in_"),
    ("title", 5, "takes a text"),
    ("title", b"x", "takes a text"),
    ("created_at", "2026-01-31", "takes a datetime with its time zone"),
    ("created_at", date(2026, 1, 31), "takes a datetime with its time zone"),
    ("created_at", datetime(2026, 1, 31), r"Post\.created_at was compared with .* no time zone"),
    ("author", 1, r"(?s)takes User or None.*`author_id=\.\.\.`"),
    ("author", "Ann", "takes User or None"),
    ("tags", 1, r"(?s)relation to many.*Post\.tags\.contains"),
    ("titel", "x", r"no field 'titel'.*'title'"),
    ("title; drop table post", "x", "no field"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
async def test_values_of_another_kind_in_filters(sqlite: Database, name: str, value: Any, said: str) -> None:
    """A keyword filter names the field, the value and what the field takes; nothing is found silently or sent."""
    for build in (Post.where, Post.query().where, Post.query().exclude, Post.query().select(Post.id).where):
        with pytest.raises(QueryError, match=said):
            build(**{name: value})


async def test_values_of_the_right_kind_in_filters(parcels: Database) -> None:
    """What a field can hold, None and expressions are taken, on every path."""
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    async with parcels.unit():
        await Parcel.create(label="right", kind=Kind.SMALL, sent_at=moment, number=3)
        good: list[dict[str, Any]] = [
            {"label": "right"},
            {"kind": Kind.SMALL},
            {"kind": Kind.SMALL.value},
            {"sent_at": moment.astimezone(timezone(timedelta(hours=2)))},
            {"number": 3},
            {"number": literal(3)},
            {"number": Parcel.number},
            {"inside": None},
        ]
        for equal in good:
            for _ in range(3):
                assert [one.label for one in await Parcel.where(Parcel.id > 1, **equal)] == ["right"]
        for wrong in ({"kind": "medium"}, {"kind": 1}):
            with pytest.raises(QueryError, match=r"Parcel\.kind was compared with .* one of Kind\.SMALL"):
                Parcel.where(**wrong)


async def test_keys_of_clients(blog: Database) -> None:
    """Whatever stands in the path in the place of a key is a row or 404, and in a body an error of its field."""
    await blog.run(fill(2))
    app = App()
    app.use(blog)

    @app.get("/posts/{post}")
    async def by_key(post: Post) -> str:
        return post.title

    @app.get("/slugs/{post:slug}")
    async def by_slug(post: Post) -> str:
        return post.title

    @app.get("/search")
    async def search(stars: int = 0, title: str = "") -> int:
        return await Post.where(Post.stars >= stars, Post.title.contains(title, autoescape=True)).count()

    for key in ("0", "-1", "9" * 30, "1e3", "1%00", "%F0%9F%8D%8A", "' or 1=1"):
        assert (await call(app, "GET", f"/posts/{key}")).status == 404, key
    for slug in ("x" * 5000, "a%00b", "' or '1'='1", "%25"):
        assert (await call(app, "GET", f"/slugs/{slug}")).status == 404, slug
    assert (await call(app, "GET", "/search?title=%25")).body == b"0"
    assert (await call(app, "GET", f"/search?stars={'9' * 30}")).status in {200, 422}
    assert (await call(app, "GET", "/search?title=a%00b")).status in {200, 422}
    async with blog.unit():
        assert await User.query().count() == 2


async def test_files_are_kept_by_their_key(parcels: Database) -> None:
    """A key of a storage is a relative path of plain names."""
    async with parcels.unit():
        for key in ("cover.jpg", "covers/2026/Moby Dick (2).jpg", "ümlaut/ä.png", "a/b-c_d+e@2x.webp"):
            assert (await Parcel.create(label="a", photo=key)).photo == key


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=10))
async def test_texts_come_back_or_are_refused(parcels: Database, text: str) -> None:
    """Any text of the right length is stored as it is, or refused by its field; it is never changed."""
    try:
        async with parcels.unit():
            parcel = await Parcel.create(label=text)
    except ValidationFailed:
        assert "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)
        return
    async with parcels.unit():
        found = await Parcel.get_or_404(parcel.id)
        assert found.label == text
        await found.delete()


async def test_bodies_of_models_take_no_other_fields(parcels: Database) -> None:
    """A client cannot set what was not listed, nor nest something deep, nor send a million rows unseen."""
    from typing import Annotated

    from demijohn import Body

    app = App()
    app.use(parcels)

    @app.post("/parcels")
    async def create(parcel: Annotated[Parcel, Body(include=["label", "inside"])]) -> object:
        return await parcel.save()

    async def send(body: Any) -> int:
        answer = await call(
            app, "POST", "/parcels", body=msgspec.json.encode(body), headers={"content-type": "application/json"}
        )
        return answer.status

    assert await send({"label": "a"}) == 200
    assert await send({"label": "a", "id": 7}) == 422
    assert await send({"label": "a", "inside_id": 1}) == 422
    assert await send({"label": "a", "inside": 2**63}) == 422
    assert await send({"label": "a", "inside": {"label": "b"}}) == 422
    assert await send({"label": "a\0"}) == 422
    assert await send([]) == 422
    assert await send({"label": "a", "inside": 12345}) == 422
