"""Generic views: a model's list, pages, forms and deletes by one class."""

import re
from typing import Any

import pytest

from demijohn import App, Request
from demijohn.db import Database, max_queries
from demijohn.errors import ConfigurationError, Forbidden
from demijohn.forms import ModelForm, ModelViews, Rows
from demijohn.testing import AsyncClient, TestClient
from tests.forms.conftest import control, messages
from tests.forms.shop import Label, Maker, Order, Product


class Products(ModelViews[Product], fields=("name", "code", "price", "about", "maker", "labels")):
    list_display = ("name", "maker", "price", "is_shown")
    search_fields = ("name",)
    lookup = "code"
    per_page = 10


def open_shop(app: App, views: Any = Products, **options: Any) -> TestClient:
    """Include views below `/products` and return a client."""
    app.include(views.blueprint(**options), prefix="/products")
    return TestClient(app, follow_redirects=True)


@pytest.fixture
def full(shop: App) -> App:
    """The shop with thirty products more."""
    database: Any = shop.batteries["db"]
    assert isinstance(database, Database)

    @shop.on_startup
    async def more() -> None:
        async with database.unit():
            maker = await Maker.get_or_404(2)
            for number in range(30):
                await Product(
                    name=f"Jug {number:02}", code=f"jug-{number}", price=number, maker=maker, is_shown=number % 2 == 0
                ).save()

    return shop


def test_a_list_is_paged_searched_and_ordered(full: App) -> None:
    """The list has the columns that were named, pages, a search by words and an order by each column."""
    with open_shop(full) as client:
        page = client.get("/products/").text
        assert re.findall(r'<th scope="col"[^>]*>(?:<a [^>]*>)?(\w+)', page)[:4] == ["Name", "Maker", "Price", "Is"]
        assert re.findall(r'<a href="/products/([\w-]+)">', page)[:2] == ["cup", "jug-0"]
        assert "1 to 10 of 31" in page
        assert "Bo" in page
        assert '<a aria-current="page" href="/products/?page=1">1</a>' in page
        second = client.get("/products/?page=4").text
        assert re.findall(r'<a href="/products/([\w-]+)">', second) == ["jug-29"]
        found = client.get("/products/?q=jug+07").text
        assert re.findall(r'<a href="/products/([\w-]+)">', found) == ["jug-7"]
        dear = client.get("/products/?sort=-price").text
        assert re.findall(r'<a href="/products/([\w-]+)">', dear)[0] == "jug-29"
        assert 'aria-sort="descending"' in dear
        assert "Nothing was found for “&lt;b&gt;”" in client.get("/products/?q=%3Cb%3E").text
        part = client.get("/products/?q=jug", headers={"hx-request": "true"}).text
        assert "<html" not in part
        assert "Jug 00" in part


async def test_pages_take_few_queries(full: App) -> None:
    """A list loads each relation once for all rows; a form asks for the choices of each relation once."""
    full.include(Products.blueprint(), prefix="/products")
    async with AsyncClient(full) as client:
        await client.get("/products/")
        with max_queries(3) as watch:  # the number of rows, the rows, their makers
            await client.get("/products/")
        assert watch.count > 0
        with max_queries(5):  # the record, its two relations, the choices of both
            await client.get("/products/cup/edit")


@pytest.mark.parametrize(
    "query", ["sort=margin", "sort=code", "sort=--price", "sort=maker", "page=0", "page=99", "sort=price;drop"]
)
def test_pages_and_orders_that_are_not_offered(full: App, query: str) -> None:
    """An order by a column that is not shown, and a page beyond the last, is not found."""
    with open_shop(full) as client:
        assert client.get(f"/products/?{query}").status_code == 404


def test_a_record_is_shown_changed_and_deleted(shop: App) -> None:
    """Each page leads to the next; what was done is said on the page that follows."""
    with open_shop(shop) as client:
        page = client.get("/products/cup").text
        assert "<h1><bdi>Cup</bdi></h1>" in page
        assert "<dt>Maker</dt>" in page
        assert "margin" not in page.lower()
        assert 'href="/products/cup/edit"' in page
        form = client.get("/products/cup/edit").text
        assert 'value="Cup"' in control(form, "name")
        typed = {"name": "Big cup", "code": "cup", "price": "6", "maker": "2", "about": "a\n<b>"}
        changed = client.post("/products/cup/edit", data=typed)
        assert "Changed: Big cup." in changed.text
        assert '<div class="long" dir="auto">a\n&lt;b&gt;</div>' in changed.text
        wrong = client.post("/products/cup/edit", data={**typed, "price": "-1"})
        assert (wrong.status_code, messages(wrong.text)) == (422, ["Price: Must be at least 0."])
        assert "Delete Big cup?" in client.get("/products/cup/delete").text
        assert client.get("/products/cup").status_code == 200
        gone = client.post("/products/cup/delete")
        assert "Deleted: Big cup." in gone.text
        assert client.get("/products/cup").status_code == 404


def test_a_record_is_made(shop: App) -> None:
    """The form of a new record leads to its page; an empty list says so."""
    with open_shop(shop) as client:
        client.post("/products/cup/delete")
        assert "There is nothing here yet." in client.get("/products/").text
        made = client.post("/products/new", data={"name": "Jug", "code": "jug", "price": "1", "maker": "1"})
        assert made.url.path == "/products/jug"
        assert "Made: Jug." in made.text


def test_what_others_need_is_not_deleted(shop: App) -> None:
    """A record that others point to stays, and the page says why, as 409."""

    class Makers(ModelViews[Maker], fields=("name",)):
        pass

    with open_shop(shop, Makers) as client:
        response = client.post("/products/1/delete")
        assert response.status_code == 409
        assert "point to this one" in response.text
        assert client.get("/products/1").status_code == 200
        assert client.post("/products/3/delete").status_code == 200


class Own(ModelViews[Product], fields=("name", "code", "price")):
    """Open makers' products only; made for the first maker; nobody deletes cups."""

    lookup = "code"

    def query(self, request: Request) -> Any:
        return Product.where(Product.maker.has(is_open=True))

    def values(self, request: Request) -> dict[str, Any]:
        return {"maker_id": 1}

    async def allows(self, action: str, request: Request, *, record: Product | None = None) -> bool:
        return not (action == "delete" and record is not None and record.code == "cup")

    def context(self, action: str, request: Request) -> dict[str, Any]:
        return {"hint": action}


def test_who_may_do_what(shop: App) -> None:
    """Records outside of the query are not found; what is not allowed is refused, and no link leads there."""
    database: Any = shop.batteries["db"]

    @shop.on_startup
    async def more() -> None:
        async with database.unit():
            await Product(name="Hidden", code="hidden", price=1, maker=await Maker.get_or_404(3)).save()

    with open_shop(shop, Own) as client:
        assert "Hidden" not in client.get("/products/").text
        for path in ("hidden", "hidden/edit", "hidden/delete"):
            assert client.get(f"/products/{path}").status_code == 404, path
        assert client.post("/products/hidden/delete").status_code == 404
        assert "/delete" not in client.get("/products/cup").text
        assert client.get("/products/cup/delete").status_code == 403
        assert client.post("/products/cup/delete").status_code == 403
        made = client.post("/products/new", data={"name": "Jug", "code": "jug", "price": "1"})
        assert "/products/jug/delete" in made.text
        forged = client.post("/products/new", data={"name": "Jug", "code": "jug2", "price": "1", "maker": "3"})
        assert forged.status_code == 422


def test_guards_stand_before_the_handlers(shop: App) -> None:
    """A decorator by action, or for all, runs as on a handler of your own."""
    asked: list[str] = []

    def guarding(name: str) -> Any:
        from demijohn.middleware.marks import mark

        class Guard:
            name = "test"

            def applies(self, methods: frozenset[str]) -> bool:
                return True

            def __call__(self, request: Request) -> None:
                asked.append(f"{label} {request.path}")
                if label == "delete":
                    raise Forbidden

        label = name

        def decorate(function: Any) -> Any:
            mark(function).guards.append(Guard())
            return function

        return decorate

    class Guarded(ModelViews[Product], fields=("name",)):
        guards = {"*": guarding("all"), "delete": guarding("delete")}

    with open_shop(shop, Guarded) as client:
        assert client.get("/products/1").status_code == 200
        assert client.post("/products/1/delete").status_code == 403
    assert asked[0] == "all /products/1"
    assert any(one.startswith("delete") for one in asked)


def test_some_of_the_views(shop: App) -> None:
    """`actions` says which there are: others are not found, and no link leads there."""

    class Labels(ModelViews[Label]):
        actions = ("list", "detail")

    with open_shop(shop, Labels) as client:
        page = client.get("/products/").text
        assert "/new" not in page
        assert "/edit" not in page
        assert client.get("/products/1").status_code == 200
        assert client.post("/products/1/delete").status_code in (404, 405)


def test_a_handler_for_a_route_of_your_own(shop: App) -> None:
    """A single handler can be given to any route."""

    class Labels(ModelViews[Label]):
        actions = ("list",)

    shop.add_route("/labels", Labels().handler("list"), name="list")
    with TestClient(shop) as client:
        assert "blue" in client.get("/labels").text


def test_other_templates(shop: App, tmp_path: Any) -> None:
    """Templates of your own are used by their folder, and see what `context` gives."""

    class Mine(Own):
        templates = "mine"

    folder = tmp_path / "templates/mine"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "detail.html").write_text("{{ hint }}: {{ views.label_of(record) }}")
    with open_shop(shop, Mine) as client:
        assert client.get("/products/cup").text == "detail: Cup"


def test_a_form_and_rows_of_your_own(shop: App) -> None:
    """A class of forms takes the place of the list of fields; rows go into either."""

    class OrderForm(ModelForm[Order], fields=("customer",), rows=[Rows("lines", "text")]):
        def clean_customer(self, value: str) -> str:
            return value.upper()

    class Orders(ModelViews[Order]):
        form = OrderForm
        list_display = ("customer", "lines")

    class Plain(ModelViews[Order], fields=("customer",), rows=[Rows("lines", "text")]):
        actions = ("create",)

    shop.include(Orders.blueprint(), prefix="/orders")
    shop.include(Plain.blueprint("plain"), prefix="/plain")
    with TestClient(shop, follow_redirects=True) as client:
        sent = {"customer": "ann", "lines-0-_key": "", "lines-0-text": "one"}
        assert "<bdi>ANN</bdi>" in client.post("/orders/new", data=sent).text
        assert "lines-0-text" in client.get("/plain/new").text
        assert "lines-0-text" in client.get("/orders/1/edit").text


async def test_accounts_guard_views(tmp_path: Any) -> None:
    """With accounts, guards ask who comes, and values say whose a new record is."""
    from demijohn import current
    from demijohn.auth import login_required, requires
    from demijohn.db import now
    from tests.auth.site import WEAK, Article, User, make_app, make_tables

    database = Database(f"sqlite:///{tmp_path}/site.db")
    await make_tables(database)
    hashed = await WEAK.hash("a bottle in the cellar")

    async def make() -> User:
        return await User.create(
            email="ann@example.org", display_name="Ann", password_hash=hashed, email_verified_at=now()
        )

    ann = await database.run(make())
    app = make_app(database)

    class Articles(ModelViews[Article], fields=("title",)):
        guards = {"create": login_required, "delete": requires("article.delete")}

        async def values(self, request: Request) -> dict[str, Any]:
            return {"author": await current.resolve(User)}

    app.include(Articles.blueprint(), prefix="/pieces")
    client = AsyncClient(app)
    try:
        refused = await client.post("/pieces/new", data={"title": "Mine"}, headers={"accept": "text/html"})
        assert refused.status_code == 303
        assert "/login" in refused.headers["location"]
        async with client.harness.open("login") as login:
            await login(ann)
            made = await client.post("/pieces/new", data={"title": "Mine"})
            assert made.headers["location"] == "/pieces/1"
            assert (
                "Ann" in (await client.get("/pieces/1")).text
                or "ann@example.org" in (await client.get("/pieces/1")).text
            )
            assert (await client.post("/pieces/1/delete")).status_code == 403
        assert (await client.get("/pieces/")).status_code == 200
    finally:
        await client.aclose()
        await app.shutdown()
        await database.dispose()


def test_other_sites_are_refused(shop: App) -> None:
    """Another site deletes nothing."""
    with open_shop(shop) as client:
        assert client.post("/products/cup/delete", headers={"sec-fetch-site": "cross-site"}).status_code == 403
        assert client.get("/products/cup").status_code == 200


@pytest.mark.parametrize(
    "options",
    [
        {"model": int},
        {"list_display": ("nam",)},
        {"search_fields": ("nam",)},
        {"actions": ("list", "make")},
        {"fields": ()},
    ],
)
def test_mistakes_are_found_at_once(options: dict[str, Any]) -> None:
    """What cannot be shown is told when the routes are made, with the line to write."""
    views = type("Views", (ModelViews[Product],), {"fields": ("name",), **options})
    with pytest.raises(ConfigurationError, match="DJN-910"):
        views.blueprint()


def test_fields_are_checked_at_the_start(shop: App) -> None:
    """A field that no client may set is refused when the app is built."""

    class Wrong(ModelViews[Order], fields=("customer", "lines")):
        pass

    shop.include(Wrong.blueprint(), prefix="/orders")
    with pytest.raises(ConfigurationError, match="DJN-902"):
        shop.freeze()
