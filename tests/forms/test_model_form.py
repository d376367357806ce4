"""`ModelForm[...]`: records made and changed by forms, with what the database refuses beside the field."""

import re
from typing import Annotated, Any

import pytest

from demijohn import App, Fields, Page, redirect
from demijohn.errors import ConfigurationError
from demijohn.forms import Form, ModelForm, Rows
from demijohn.testing import TestClient
from tests.forms.conftest import control, messages
from tests.forms.shop import Label, Line, Maker, Order, Product

ProductForm = Annotated[
    ModelForm[Product], Fields("name", "code", "price", "about", "is_shown", "note", "maker", "spare", "labels")
]
GOOD = {"name": "Jug", "code": "jug", "price": "9", "maker": "1", "labels": ["1", "3"]}


def add_pages(app: App, cls: Any = ProductForm) -> TestClient:
    """Add pages that make and change a product."""

    async def new(form: Any) -> Any:
        if product := await form.save_if_valid():
            return redirect(product)
        return Page("form.html", form=form)

    async def edit(product: Product, form: Any) -> Any:
        if await form.save_if_valid(product):
            return redirect(product)
        return Page("form.html", form=form)

    async def show(product: Product) -> Any:
        return {
            "name": product.name,
            "margin": product.margin,
            "note": product.note,
            "maker": product.maker.name,
            "labels": sorted(label.name for label in product.labels),
            "is_shown": product.is_shown,
        }

    for function in (new, edit):
        function.__annotations__["form"] = cls
    app.add_route("/new", new, methods=["GET", "POST"])
    app.add_route("/products/{product:code}/edit", edit, methods=["GET", "POST"])
    app.add_route("/products/{product:code}", show)
    return TestClient(app, follow_redirects=True)


def test_a_record_is_made(shop: App) -> None:
    """Fields and relations that were chosen are written, and the answer leads to the record."""
    with add_pages(shop) as client:
        page = client.get("/new").text
        assert 'maxlength="40"' in control(page, "name")
        assert r'pattern="[a-z0-9\-]+"' in control(page, "code")
        assert '<option value="1">Ada</option>' in page
        assert page.count('type="checkbox" name="labels"') == 3
        assert "margin" not in page
        assert "made_at" not in page
        found = client.post("/new", data={**GOOD, "is_shown": "true"}).json()
    assert found == {
        "name": "Jug", "margin": 0, "note": None, "maker": "Ada", "labels": ["blue", "red"], "is_shown": True,
    }  # fmt: skip


def test_a_record_is_changed(shop: App) -> None:
    """On GET the form shows the record, on POST it changes it; its own unique value is not taken by others."""
    with add_pages(shop) as client:
        page = client.get("/products/cup/edit").text
        assert 'value="Cup"' in control(page, "name")
        assert '<option value="1" selected>Ada</option>' in page
        found = client.post("/products/cup/edit", data={**GOOD, "code": "cup", "note": "New", "maker": "2"}).json()
        assert (found["name"], found["note"], found["maker"], found["labels"]) == ("Jug", "New", "Bo", ["blue", "red"])
        page = client.get("/products/cup/edit").text
        assert re.findall(r'name="labels" id="[^"]+" value="(\d)" checked', page) == ["1", "3"]
        found = client.post(
            "/products/cup/edit", data={"name": "Jug", "code": "cup", "price": "1", "maker": "2"}
        ).json()
        assert (found["labels"], found["note"], found["is_shown"]) == ([], None, False)


def test_an_emptied_control_means_the_default(shop: App) -> None:
    """Where a record is changed too, a number that is emptied goes back to its default."""

    class Counted(ModelForm[Line], fields=("text", "count")):
        pass

    @shop.route("/line", methods=["GET", "POST"])
    async def change(form: Counted) -> Any:
        line = await Line.get(1)
        if line is None:
            line = Line(text="one", count=5, order=await Order.create(customer="Ann"))
            await line.save()
        if await form.save_if_valid(line):
            return {"count": line.count}
        return Page("form.html", form=form)

    with TestClient(shop) as client:
        assert 'value="5"' in control(client.get("/line").text, "count")
        assert client.post("/line", data={"text": "one", "count": ""}).json() == {"count": 1}


def test_errors_of_the_model_and_the_database(shop: App) -> None:
    """What the model or a unique constraint refuses stands beside its field, with all else that is wrong."""
    with add_pages(shop) as client:
        response = client.post("/new", data={**GOOD, "name": "J", "code": "Not a code", "price": "1001"})
        assert response.status_code == 422
        assert messages(response.text) == [
            "Name: At least 2 characters needed.",
            "Code: This does not have the expected form.",
            "Price: Must be at most 1000.",
        ]
        assert '<option value="1" selected>Ada</option>' in response.text
        taken = client.post("/new", data={**GOOD, "code": "cup"})
        assert taken.status_code == 422
        assert messages(taken.text) == ["Code: This value is taken already."]
        other = client.post("/products/cup/edit", data={**GOOD, "code": "x" * 21})
        assert messages(other.text) == ["Code: At most 20 characters allowed."]


def test_sync_handlers(shop: App) -> None:
    """A plain `def` saves by `wait`."""
    from demijohn import wait

    class Named(ModelForm[Label], fields=("name",)):
        pass

    @shop.route("/label", methods=["GET", "POST"])
    def make(form: Named) -> Any:
        label = wait(form.save_if_valid())
        return {"made": label.name} if label is not None else Page("form.html", form=form)

    with TestClient(shop) as client:
        assert 'name="name"' in client.get("/label").text
        assert client.post("/label", data={"name": "new"}).json() == {"made": "new"}
        assert messages(client.post("/label", data={"name": "new"}).text) == ["Name: This value is taken already."]


def test_a_double_submit_is_told(shop: App) -> None:
    """A form that is sent twice makes one record."""
    with add_pages(shop) as client:
        assert client.post("/new", data=GOOD).status_code == 200
        again = client.post("/new", data=GOOD)
    assert (again.status_code, messages(again.text)) == (422, ["Code: This value is taken already."])


def test_a_lost_race_is_told(shop: App) -> None:
    """A value that somebody takes between the check and the write is refused by the database, beside its field."""

    class Racing(ModelForm[Product], fields=("name", "code", "price", "maker")):
        pass

    @shop.route("/race", methods=["GET", "POST"])
    async def race(form: Racing) -> Any:
        from demijohn.schema import records_of

        records = records_of(Product)
        check, records.taken = records.taken, _nobody  # type: ignore[method-assign]
        try:
            if product := await form.save_if_valid():
                return redirect(product)
        finally:
            records.taken = check  # type: ignore[method-assign]
        await Maker.create(name="Kept")
        return Page("form.html", form=form)

    @shop.get("/makers")
    async def makers() -> Any:
        return [maker.name for maker in await Maker.query().all()]

    with add_pages(shop) as client:
        response = client.post("/race", data={"name": "Two", "code": "cup", "price": "1", "maker": "1"})
        assert response.status_code == 422
        assert messages(response.text) == ["Code: This value is taken already."]
        assert 'value="Two"' in control(response.text, "name")
        assert "Kept" in client.get("/makers").json()


async def _nobody(values: Any, /, *, record: Any = None) -> list[Any]:
    return []


@pytest.mark.parametrize("key", ["99", "x", "-1", "1 OR 1=1", "9" * 50, "\0", "1.0", "<b>"])
def test_forged_keys_are_refused(shop: App, key: str) -> None:
    """A record that there is not cannot be chosen, alone or among several."""
    with add_pages(shop) as client:
        alone = client.post("/new", data={**GOOD, "maker": key})
        assert messages(alone.text) == ["Maker: There is no such maker."]
        among = client.post("/new", data={**GOOD, "labels": ["1", key]})
        assert messages(among.text) == ["Labels: There is no such label."]
        assert "<b>" not in alone.text + among.text


def test_mass_assignment_is_impossible(shop: App) -> None:
    """Fields that are not listed, private, readonly or keys are refused, and nothing is written."""
    with add_pages(shop) as client:
        for name in ("margin", "made_at", "id", "maker_id", "labels_id", "__class__x", "metadata"):
            response = client.post("/new", data={**GOOD, name: "1"})
            if name.startswith("_"):
                continue
            assert response.status_code == 422, name
            assert "This field is not known here." in messages(response.text)[0]
        assert client.get("/products/cup").json()["margin"] == 0


def test_choices_are_narrowed_by_a_query(shop: App) -> None:
    """A query says which records may be chosen: others are neither shown nor taken."""

    class Narrow(
        ModelForm[Product],
        fields=("name", "code", "price", "maker"),
        queries={"maker": lambda: Maker.where(Maker.is_open)},
    ):
        pass

    with add_pages(shop, Narrow) as client:
        assert "Closed" not in client.get("/new").text
        refused = client.post("/new", data={"name": "Jug", "code": "jug", "price": "1", "maker": "3"})
        assert messages(refused.text) == ["Maker: There is no such maker."]


def test_many_records_are_searched(shop: App) -> None:
    """Where there are more records than a list bears, a search finds them, without JavaScript too."""

    class Searched(ModelForm[Product], fields=("name", "code", "price", "maker")):
        pass

    @shop.on_startup
    async def more() -> None:
        database: Any = shop.batteries["db"]
        async with database.unit():
            for number in range(120):
                await Maker(name=f"Maker {number:03}").save()

    with add_pages(shop, Searched) as client:
        page = client.get("/new").text
        assert page.count("<option") == 101
        assert "There are more" in page
        typed = {"name": "Kept", "code": "", "maker": "1", "_action": "search:maker", "_search_maker": "maker 11"}
        response = client.post("/new", data=typed)
        assert response.status_code == 200
        assert messages(response.text) == []
        assert re.findall(r"<option[^>]*>(.*?)</option>", response.text)[0] == "Ada"
        assert response.text.count("Maker 11") == 10
        assert 'value="Kept"' in control(response.text, "name")
        chosen = client.post("/new", data={"name": "Jug", "code": "jug", "price": "1", "maker": "120"})
        assert chosen.json()["maker"] == "Maker 116"


OrderForm = Annotated[
    ModelForm[Order],
    Fields("customer"),
    Rows("lines", "text", "count", order="place", minimum=1, maximum=3),
]


def add_orders(app: App, cls: Any = OrderForm) -> TestClient:
    """Add pages that make and change an order with its lines."""

    async def new(form: Any) -> Any:
        if order := await form.save_if_valid():
            return redirect(f"/orders/{order.id}")
        return Page("form.html", form=form)

    async def edit(order: Order, form: Any) -> Any:
        if await form.save_if_valid(order):
            return redirect(f"/orders/{order.id}")
        return Page("form.html", form=form)

    async def show(order: Order) -> Any:
        lines = sorted(order.lines, key=lambda line: line.place)
        return {"customer": order.customer, "lines": [[line.id, line.text, line.count] for line in lines]}

    for function in (new, edit):
        function.__annotations__["form"] = cls
    app.add_route("/orders/new", new, methods=["GET", "POST"])
    app.add_route("/orders/{order}/edit", edit, methods=["GET", "POST"])
    app.add_route("/orders/{order}", show)
    return TestClient(app, follow_redirects=True)


def line(number: int, text: str, count: str = "1", key: str = "") -> dict[str, str]:
    """What the controls of one row send."""
    return {f"lines-{number}-_key": key, f"lines-{number}-text": text, f"lines-{number}-count": count}


def test_children_are_written_with_their_parent(shop: App) -> None:
    """Rows become children in their order, empty ones are passed over, and gaps in their numbers do not matter."""
    with add_orders(shop) as client:
        page = client.get("/orders/new").text
        assert 'name="lines-0-text"' in page
        assert "required" not in control(page, "lines-0-text")
        sent = {"customer": "Ann", **line(0, "one"), **line(2, ""), **line(7, "two", "5")}
        assert client.post("/orders/new", data=sent).json() == {
            "customer": "Ann",
            "lines": [[1, "one", 1], [2, "two", 5]],
        }


def test_children_are_changed_removed_and_moved(shop: App) -> None:
    """What is there is changed, removed and put in another order; what is new is added."""
    with add_orders(shop) as client:
        client.post("/orders/new", data={"customer": "Ann", **line(0, "one"), **line(1, "two")})
        page = client.get("/orders/1/edit").text
        assert 'name="lines-0-_key" value="1"' in page
        assert 'value="two"' in control(page, "lines-1-text")
        sent = {"customer": "Bo", **line(0, "two!", "2", "2"), **line(1, "new"), **line(2, "one", key="1")}
        sent["lines-2-_removed"] = "true"
        found = client.post("/orders/1/edit", data=sent).json()
        assert found == {"customer": "Bo", "lines": [[2, "two!", 2], [3, "new", 1]]}


def test_buttons_change_rows_without_saving(shop: App) -> None:
    """Rows are added, removed and moved by buttons that send the form, which keeps what was typed and says no error."""
    with add_orders(shop) as client:
        sent = {"customer": "", **line(0, "one"), **line(1, "two")}
        added = client.post("/orders/new", data={**sent, "_action": "add:lines"})
        assert (added.status_code, messages(added.text)) == (200, [])
        assert added.text.count('class="row"') == 3
        assert "Add another" not in added.text
        moved = client.post("/orders/new", data={**sent, "_action": "down:lines:0"}).text
        assert 'value="two"' in control(moved, "lines-0-text")
        assert 'value="one"' in control(moved, "lines-1-text")
        removed = client.post("/orders/new", data={**sent, "_action": "remove:lines:0"}).text
        assert removed.count('class="row"') == 1
        assert 'value="two"' in control(removed, "lines-0-text")
        client.post("/orders/new", data={**sent, "customer": "Ann"})
        marked = client.post(
            "/orders/1/edit", data={**sent, **line(0, "one", key="1"), "_action": "remove:lines:0"}
        ).text
        assert 'name="lines-0-_removed" value="true"' in marked
        assert "Keep" in marked


def test_nothing_is_written_where_a_row_is_wrong(shop: App) -> None:
    """An error in any row is told with its row, and neither parent nor children are written."""

    @shop.get("/count")
    async def count() -> Any:
        return [await Order.query().count(), await Line.query().count()]

    with add_orders(shop) as client:
        sent = {"customer": "Ann", **line(0, "one"), **line(1, "x" * 21, "0"), **line(2, "", "4")}
        response = client.post("/orders/new", data=sent)
        assert response.status_code == 422
        assert messages(response.text) == [
            "Lines 2, Text: At most 20 characters allowed.",
            "Lines 2, Count: Must be at least 1.",
            "Lines 3, Text: This field is required.",
        ]
        assert '<a href="#id_lines-1-text">' in response.text
        few = client.post("/orders/new", data={"customer": "Ann"})
        assert messages(few.text) == ["Lines: At least 1 of these are needed."]
        many = client.post(
            "/orders/new", data={"customer": "Ann", **{k: v for n in range(9) for k, v in line(n, "a").items()}}
        )
        assert messages(many.text) == ["Lines: At most 3 of these are allowed."]
        assert client.get("/count").json() == [0, 0]


def test_children_of_others_are_out_of_reach(shop: App) -> None:
    """A row that names a child of another parent, twice the same, or fields that are not shown, is refused."""
    with add_orders(shop) as client:
        client.post("/orders/new", data={"customer": "Ann", **line(0, "hers")})
        client.post("/orders/new", data={"customer": "Bo", **line(0, "his")})
        for key in ("1", "99", "x"):
            response = client.post("/orders/2/edit", data={"customer": "Bo", **line(0, "mine", key=key)})
            assert messages(response.text) == ["Lines 1: This row is not there any more."], key
        twice = client.post("/orders/2/edit", data={"customer": "Bo", **line(0, "a", key="2"), **line(1, "b", key="2")})
        assert messages(twice.text) == ["Lines 2: This row is not there any more."]
        for name in (
            "lines-0-order",
            "lines-0-id",
            "lines-0-place",
            "lines-x-text",
            "other-0-text",
            "lines-0-order_id",
        ):
            response = client.post("/orders/2/edit", data={"customer": "Bo", **line(0, "his", key="2"), name: "1"})
            assert response.status_code == 422, name
        assert client.get("/orders/1").json()["lines"] == [[1, "hers", 1]]


def test_htmx_gets_where_to_go(shop: App) -> None:
    """A form that htmx sends is answered by its own part of the page, and a redirect by a header."""
    with add_pages(shop) as client:
        headers = {"hx-request": "true", "hx-target": "form#id_form", "hx-request-type": "full"}
        wrong = client.post("/new", data={"name": "J"}, headers=headers)
        assert wrong.status_code == 422
        assert '<form method="post" id="id_form"' in wrong.text
        right = client.post("/new", data=GOOD, headers=headers)
        assert (right.status_code, right.headers["hx-redirect"], right.text) == (204, "/products/jug", "")


@pytest.mark.parametrize(
    ("cls", "code"),
    [
        (ModelForm[Product], "DJN-900"),
        (Form[Product], "DJN-900"),
        (Annotated[ModelForm[Product], Fields("nam")], "DJN-901"),
        (Annotated[ModelForm[Product], Fields("margin")], "DJN-902"),
        (Annotated[ModelForm[Product], Fields("made_at")], "DJN-902"),
        (Annotated[ModelForm[Product], Fields("maker_id")], "DJN-902"),
        (Annotated[ModelForm[Order], Fields("lines")], "DJN-902"),
        (Annotated[ModelForm[Order], Fields("customer"), Rows("lins", "text")], "DJN-903"),
        (Annotated[ModelForm[Product], Fields("name"), Rows("labels", "name")], "DJN-903"),
        (Annotated[ModelForm[Order], Fields("customer"), Rows("lines", "order")], "DJN-903"),
        (Annotated[ModelForm[Order], Fields("customer"), Rows("lines", "place")], "DJN-902"),
    ],
)
def test_mistakes_are_found_at_the_start(shop: App, cls: Any, code: str) -> None:
    """A form that shows what it may not is refused when the app starts, with the line to write."""

    async def page(form: Any) -> Any: ...

    page.__annotations__["form"] = cls
    shop.add_route("/wrong", page, methods=["GET", "POST"])
    with pytest.raises(ConfigurationError, match=code):
        shop.freeze()


def test_the_line_to_write_is_said() -> None:
    """A form of a model without a list of fields names those that a client may set."""
    with pytest.raises(ConfigurationError, match=r'Fields\("name", "code", "price", "about"\)'):
        ModelForm[Product].plan()
    assert [field.name for field in ModelForm[Label].plan(["name"]).fields.values()] == ["name"]
