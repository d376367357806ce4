"""Bodies with rows inside of rows: made and changed with their object, each error with its place."""

from typing import Annotated, Any

import msgspec
import pytest

from demijohn import App, Body
from demijohn.db import Database, Mapped, Model, belongs_to, column, has_many, max_queries
from demijohn.errors import ConfigurationError
from tests.app.calling import call


class Base(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Maker(Base):
    name: Mapped[str] = column(max_length=10)


class Bill(Base):
    number: Mapped[str] = column(max_length=10)
    maker: Mapped[Maker | None] = belongs_to(back="bills", default=None)
    lines: Mapped[list["Line"]] = has_many(back="bill", delete_orphans=True)
    notes: Mapped[list["Note"]] = has_many(back="bill")


class Line(Base):
    text: Mapped[str] = column(max_length=10, min_length=2)
    pieces: Mapped[int] = column(default=1, ge=1)
    secret: Mapped[str | None] = column(private=True, max_length=10)
    bill: Mapped[Bill] = belongs_to(back="lines", on_delete="cascade")


class Note(Base):
    text: Mapped[str] = column(max_length=10)
    bill: Mapped[Bill] = belongs_to(back="notes", on_delete="cascade")


@pytest.fixture
async def app(database: Database) -> Any:
    """An app that takes bills with their lines."""
    async with database.unit():
        await database.drop_all(Base)
        await database.create_all(Base)
    app = App()
    app.use(database)
    fields = ["number", "maker.name", "lines.text", "lines.pieces"]

    @app.post("/bills", status=201)
    async def create(bill: Annotated[Bill, Body(include=fields)]) -> Any:
        return await bill.save()

    @app.patch("/bills/{bill}")
    async def change(bill: Annotated[Bill, Body(include=fields)]) -> Any:
        return await bill.save()

    class LineRead(msgspec.Struct):
        text: str
        pieces: int

    class BillRead(msgspec.Struct):
        number: str
        lines: list[LineRead]

    @app.get("/bills")
    async def bills() -> list[BillRead]:
        with max_queries(2):
            return msgspec.convert(await Bill.query().order_by("id"), list[BillRead], from_attributes=True)

    yield app
    async with database.unit():
        await database.drop_all(Base)


async def send(app: App, method: str, path: str, body: Any) -> tuple[int, Any]:
    """The status and data of an answer."""
    kind = {"content-type": "application/json"}
    answer = await call(app, method, path, body=msgspec.json.encode(body), headers=kind)
    return answer.status, msgspec.json.decode(answer.body)


async def test_rows_are_made_with_their_object(app: App, database: Database) -> None:
    """A bill comes with its lines and its maker; what is not sent has its default."""
    body = {"number": "1", "maker": {"name": "Ann"}, "lines": [{"text": "glass", "pieces": 2}, {"text": "cork"}]}
    status, bill = await send(app, "POST", "/bills", body)
    assert (status, bill["number"]) == (201, "1")
    assert await send(app, "POST", "/bills", {"number": "2"}) == (201, {"id": 2, "number": "2", "maker_id": None})
    async with database.unit():
        lines = await Line.query().order_by("id").values("text", "pieces", "bill_id")
        assert lines == [{"text": "glass", "pieces": 2, "bill_id": 1}, {"text": "cork", "pieces": 1, "bill_id": 1}]
        assert await Maker.query().scalars(Maker.name).all() == ["Ann"]


async def test_rows_are_replaced_and_objects_changed(app: App, database: Database) -> None:
    """PATCH with lines replaces them, without it leaves them; the maker that is there is changed."""
    await send(app, "POST", "/bills", {"number": "1", "maker": {"name": "Ann"}, "lines": [{"text": "glass"}]})
    assert (await send(app, "PATCH", "/bills/1", {"number": "9"}))[0] == 200
    assert (await send(app, "PATCH", "/bills/1", {"maker": {"name": "Bob"}}))[0] == 200
    async with database.unit():
        assert await Line.query().scalars(Line.text).all() == ["glass"]
        assert await Maker.query().scalars(Maker.name).all() == ["Bob"]
    assert (await send(app, "PATCH", "/bills/1", {"lines": [{"text": "cork"}, {"text": "wax"}]}))[0] == 200
    async with database.unit():
        assert await Line.query().order_by("id").scalars(Line.text).all() == ["cork", "wax"]


async def test_errors_have_their_place(app: App, database: Database) -> None:
    """A wrong, unknown or forbidden field of the third line is told as such, and nothing is written."""
    body = {"number": "1", "lines": [{"text": "glass"}, {"text": "x"}, {"text": "cork", "secret": "s"}]}
    status, problem = await send(app, "POST", "/bills", body)
    assert status == 422
    places = {tuple(error["place"]): error["code"] for error in problem["errors"]}
    assert places == {("body", "lines", 1, "text"): "min_length", ("body", "lines", 2, "secret"): "unknown"}
    async with database.unit():
        assert await Bill.query().count() == 0


async def test_read_schemas_are_structs(app: App) -> None:
    """A Struct says what a client sees, nested, and relations are loaded for all rows at once."""
    for number in ("1", "2"):
        await send(app, "POST", "/bills", {"number": number, "lines": [{"text": "glass"}]})
    status, bills = await send(app, "GET", "/bills", None)
    assert status == 200
    assert bills == [{"number": n, "lines": [{"text": "glass", "pieces": 1}]} for n in ("1", "2")]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (["number.text"], "no relation that owns its rows"),
        (["lines.secret"], "lets a client set a private field"),
        (["lines.nothing"], "no such field"),
        (["notes.text"], "delete_orphans=True"),
    ],
)
async def test_what_cannot_be_nested(fields: list[str], words: str) -> None:
    """A wrong list is an error at start-up, with the line to write."""
    app = App()

    @app.patch("/bills/{bill}")
    async def change(bill: Annotated[Bill, Body(include=fields)]) -> None: ...

    app.use(Database("sqlite://"))
    with pytest.raises(ConfigurationError, match=words):
        app.freeze()


async def test_forms_may_hold_more_than_their_fields(app: App, database: Database) -> None:
    """`Body(form=True)` reads the form of a browser, whose token and button are no fields of the model."""

    @app.post("/makers", status=201)
    async def create(maker: Annotated[Maker, Body(include=["name"], form=True)]) -> Any:
        return await maker.save()

    kind = {"content-type": "application/x-www-form-urlencoded"}
    made = await call(app, "POST", "/makers", body=b"csrf_token=abc&name=Ann&save=1", headers=kind)
    assert made.status == 201, made.body
    wrong = await call(app, "POST", "/makers", body=b"name=much+too+long+a+name", headers=kind)
    assert (wrong.status, b"max_length" in wrong.body) == (422, True)
    assert (await send(app, "POST", "/makers", {"name": "Bob"}))[0] == 201
    async with database.unit():
        assert await Maker.query().order_by("id").scalars(Maker.name).all() == ["Ann", "Bob"]
