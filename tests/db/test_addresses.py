"""The page of an object: said once by its route, for links, redirects and the canonical address."""

import pytest

from demijohn import App, redirect
from demijohn.db import Database, Mapped, Model, ModelError, belongs_to, column
from demijohn.db.addresses import canonical_link
from tests.app.calling import call


class Base(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Shelf(Base):
    name: Mapped[str] = column(max_length=20, unique=True)


class Book(Base):
    slug: Mapped[str] = column(max_length=20, unique=True)
    shelf: Mapped[Shelf] = belongs_to(back="books")


@pytest.fixture
async def app(sqlite: Database) -> App:
    """An app with one book."""
    app = App()
    app.use(sqlite)
    async with sqlite.unit():
        await sqlite.create_all(Base)
        await Book.create(slug="moby", shelf=await Shelf.create(name="sea"))
    return app


async def answer(app: App, path: str) -> str:
    """The text of an answer."""
    found = await call(app, "GET", path)
    assert found.status in {200, 302}, found.body
    return found.headers.get("location") or found.body.decode()


async def test_the_route_that_ends_in_the_model_is_its_page(app: App) -> None:
    """Nothing has to be declared where one route shows the object; redirects and the canonical link follow."""

    @app.get("/books/{book:slug}")
    async def show(book: Book) -> str:
        return book.page_url()

    @app.get("/books/{book:slug}/pages")
    async def pages(book: Book) -> str:
        return str(canonical_link(book))

    @app.post("/books/{book}")
    async def change(book: Book) -> str:
        return ""

    @app.get("/first")
    async def first() -> object:
        return redirect(await Book.query().one())

    assert await answer(app, "/books/moby") == "/books/moby"
    assert await answer(app, "/first") == "/books/moby"
    assert (await answer(app, "/books/moby/pages")).endswith('/books/moby">')


async def test_several_pages_have_to_be_told_apart(app: App) -> None:
    """Two routes that show the same model are no answer; the message names both and the line to write."""

    @app.get("/books/{book:slug}", name="book")
    async def show(book: Book) -> str:
        return ""

    @app.get("/api/books/{book}", name="api_book")
    async def data(book: Book) -> str:
        return ""

    @app.get("/url")
    async def url() -> str:
        with pytest.raises(ModelError, match=r"(?s)2 routes.*book \(/books/\{book:slug\}\).*__page__"):
            (await Book.query().one()).page_url()
        Book.__page__ = "book"
        return (await Book.query().one()).page_url()

    try:
        assert await answer(app, "/url") == "/books/moby"
    finally:
        del Book.__page__


async def test_other_parameters_come_from_the_object(app: App) -> None:
    """A page below another object takes that one from the relation."""

    @app.get("/{shelf:name}/{book:slug}", name="below")
    async def show(shelf: Shelf, book: Book) -> str:
        return ""

    @app.get("/url")
    async def url() -> str:
        return (await Book.query().one()).page_url()

    Book.__page__ = "below"
    try:
        assert await answer(app, "/url") == "/sea/moby"
    finally:
        del Book.__page__


async def test_no_page_is_told(app: App) -> None:
    """A model that no route shows says which route is missing."""

    @app.get("/url")
    async def url() -> str:
        with pytest.raises(ModelError, match=r"(?s)Book has no page.*/book/\{book\}"):
            (await Book.query().one()).page_url()
        return "told"

    assert await answer(app, "/url") == "told"


def test_a_page_that_no_route_has_is_found_at_start_up(tmp_path: object) -> None:
    """`demijohn check` tells a `__page__` that names no route, with what was probably meant."""

    class Leaf(Model):
        __page__ = "shwo_leaf"

    app = App()
    app.use(Database("sqlite://"))
    app.add_route("/leaves/{leaf}", lambda leaf: "", name="show_leaf")
    try:
        told = [one for one in app.run_checks() if one.id == "DJN-805"]
        assert len(told) == 1
        assert "show_leaf" in told[0].text
    finally:
        Leaf.registry._dispose_cls(Leaf)
        Leaf.metadata.remove(Leaf.__table__)
