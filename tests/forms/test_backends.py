"""Forms on every backend: what is refused, undone and kept is the same everywhere."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest

from demijohn import App, Fields, Page, redirect
from demijohn.db import Database
from demijohn.forms import ModelForm, Rows
from demijohn.schema import records_of
from demijohn.testing import TestClient
from tests.db.conftest import BACKENDS, url_of
from tests.forms.conftest import messages
from tests.forms.shop import Label, Line, Order, Product, Shop, fill


@pytest.fixture(params=BACKENDS)
def client(request: pytest.FixtureRequest, make_app: Callable[..., App], tmp_path: Any) -> Any:
    """A client of a shop on each backend."""
    app = make_app()
    database = app.use(Database(url_of(request.param, tmp_path)))

    @app.on_startup
    async def prepare() -> None:
        async with database.unit():
            await database.drop_all(Shop)
            await database.create_all(Shop)
            await fill()

    @app.on_shutdown
    async def clear() -> None:
        async with database.unit():
            await database.drop_all(Shop)

    @app.route("/product", methods=["GET", "POST"])
    async def product(
        form: Annotated[ModelForm[Product], Fields("name", "code", "price", "maker", "labels")], blind: bool = False
    ) -> Any:
        records = records_of(Product)
        check = records.taken
        if blind:
            records.taken = _nobody  # type: ignore[method-assign]
        try:
            await Label.create(name=f"before {await Label.query().count()}")
            if await form.save_if_valid():
                return redirect("/counts")
        finally:
            records.taken = check  # type: ignore[method-assign]
        return Page("form.html", form=form)

    @app.route("/order", methods=["GET", "POST"])
    async def order(
        form: Annotated[ModelForm[Order], Fields("customer"), Rows("lines", "text", "count", order="place")],
    ) -> Any:
        if await form.save_if_valid(await Order.get(1)):
            return redirect("/counts")
        return Page("form.html", form=form)

    @app.get("/counts")
    async def counts() -> Any:
        lines = await Line.query().order_by(Line.place).all()
        return {
            "products": await Product.query().count(),
            "before": await Label.where(Label.name.startswith("before")).count(),
            "orders": [one.customer for one in await Order.query().all()],
            "lines": [[line.text, line.count] for line in lines],
        }

    with TestClient(app, follow_redirects=True) as client:
        yield client


async def _nobody(values: Any, /, *, record: Any = None) -> list[Any]:
    return []


GOOD = {"name": "Jug", "code": "jug", "price": "1", "maker": "1", "labels": ["1", "2"]}


def test_a_unique_value_is_refused_twice_over(client: TestClient) -> None:
    """The look-up says that a value is taken, and where it was too early the database does; what came before stays."""
    assert client.post("/product", data=GOOD).json()["products"] == 2
    for query in ("", "?blind=true"):
        response = client.post(f"/product{query}", data={**GOOD, "code": "cup"})
        assert (response.status_code, messages(response.text)) == (422, ["Code: This value is taken already."]), query
    counts = client.get("/counts").json()
    assert (counts["products"], counts["before"]) == (2, 3)


def test_rows_are_written_or_none(client: TestClient) -> None:
    """Children are made, changed, moved and deleted with their parent, and a wrong one undoes all of it."""
    sent: dict[str, Any] = {"customer": "Ann"}
    for number, text in enumerate(("one", "two", "three")):
        sent |= {f"lines-{number}-_key": "", f"lines-{number}-text": text, f"lines-{number}-count": "1"}
    made = client.post("/order", data=sent).json()
    assert (made["orders"], made["lines"]) == (["Ann"], [["one", 1], ["two", 1], ["three", 1]])
    changed: dict[str, Any] = {"customer": "Bo"}
    for number, (key, text) in enumerate((("3", "three"), ("1", "one!"), ("", "four"), ("2", "two"))):
        changed |= {f"lines-{number}-_key": key, f"lines-{number}-text": text, f"lines-{number}-count": "2"}
    changed["lines-3-_removed"] = "true"
    found = client.post("/order", data=changed).json()
    assert (found["orders"], found["lines"]) == (["Bo"], [["three", 2], ["one!", 2], ["four", 2]])
    wrong = client.post("/order", data={**changed, "customer": "Cy", "lines-0-count": "0", "lines-3-_key": ""})
    assert wrong.status_code == 422
    assert client.get("/counts").json()["orders"] == ["Bo"]
