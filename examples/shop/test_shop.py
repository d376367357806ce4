"""The shop, as its owner would test it: by the app's own fixtures, each test in a transaction that is rolled back."""

import asyncio
import re
from decimal import Decimal

import pytest

from demijohn import App
from demijohn.db import Model, max_queries
from demijohn.errors import Conflict

from . import buying, seeds
from .app import app as shop
from .models import (
    Brand,
    Cart,
    Category,
    Coupon,
    Customer,
    Order,
    OrderLine,
    Product,
    Refund,
    State,
    StockLevel,
    StockMovement,
    Variant,
    Warehouse,
)


@pytest.fixture
def app() -> App:
    return shop


@pytest.fixture
async def vase(db):
    category = await Category.create(name="Glass", slug="glass")
    product = await Product.create(
        name="Blue vase", slug="blue-vase", category=category, brand=await Brand.create(name="Delft")
    )
    variant = await Variant.create(sku="V-1", name="small", price=Decimal("19.90"), cost=Decimal(8), product=product)
    for name, pieces in (("North", 3), ("South", 2)):
        await StockLevel.create(variant=variant, warehouse=await Warehouse.create(name=name), pieces=pieces)
    return variant


@pytest.fixture
async def ann(db):
    return await Customer.create(name="Ann", email="ann@example.org")


async def pieces(variant: Variant) -> list[int]:
    return [level.pieces for level in await StockLevel.where(variant=variant).order_by("id")]


async def test_from_order_to_parcel(async_client, vase, ann):
    order = await async_client.post(
        "/api/orders", json={"customer": ann.id, "lines": [{"variant": vase.id, "pieces": 4}]}
    )
    assert order.status_code == 201, order.text
    number = order.json()["number"]
    assert order.json()["total"] == "79.60"
    assert await pieces(vase) == [0, 1]
    refused = await async_client.post(f"/api/orders/{number}/shipment", json={"address": 1, "tracking": "T1"})
    assert refused.status_code == 404
    address = await async_client.post(
        f"/api/customers/{ann.id}/addresses", json={"street": "Canal 1", "city": "Delft", "country": "NL"}
    )
    assert address.status_code == 201
    body = {"address": address.json()["id"], "tracking": "T1"}
    unpaid = await async_client.post(f"/api/orders/{number}/shipment", json=body)
    assert (unpaid.status_code, unpaid.json()["detail"]) == (409, f"The order {number} is placed.")
    for _ in range(2):  # the same payment sent twice is one payment
        paid = await async_client.post(f"/api/orders/{number}/payments", json={"amount": "79.60", "key": "payment-1"})
        assert paid.status_code == 200
    shipped = await async_client.post(f"/api/orders/{number}/shipment", json=body)
    assert shipped.status_code == 201
    shown = (await async_client.get(f"/api/orders/{number}")).json()
    assert shown["order"]["state"] == "shipped"
    assert [payment["amount"] for payment in shown["payments"]] == ["79.60"]
    assert shown["lines"] == [{"sku": "V-1", "pieces": 4, "price": "19.90"}]


async def test_what_is_not_there_is_not_sold(async_client, vase, ann):
    order = {"customer": ann.id, "lines": [{"variant": vase.id, "pieces": 6}]}
    refused = await async_client.post("/api/orders", json=order)
    assert (refused.status_code, refused.json()["detail"]) == (409, "V-1 is not there in that number.")
    assert await pieces(vase) == [3, 2]
    assert await Order.where().count() == 0
    assert await StockMovement.where().count() == 0
    nobody = await async_client.post("/api/orders", json={**order, "customer": 12345})
    assert nobody.status_code == 404


async def test_a_cancelled_order_gives_everything_back(vase, ann):
    order = await buying.place(ann, [(vase, 4)])
    await buying.pay(order, order.total, key="payment-2")
    await buying.cancel(order)
    assert await pieces(vase) == [3, 2]
    assert await StockMovement.where().sum(StockMovement.pieces) == 0
    assert await Refund.where().sum(Refund.amount) == order.total
    with pytest.raises(buying.WrongState):
        await buying.cancel(order)


async def test_a_coupon_is_used_once(vase, ann):
    await Coupon.create(code="HALF", percent=50, uses_left=1)
    order = await buying.place(ann, [(vase, 1)], coupon="HALF")
    assert order.total == Decimal("9.95")
    with pytest.raises(Conflict):
        await buying.place(ann, [(vase, 1)], coupon="HALF")
    assert await pieces(vase) == [2, 2]


async def test_a_visitor_buys(async_client, vase):
    page = await async_client.get("/products/blue-vase")
    assert "<h1>Blue vase</h1>" in page.text
    assert '/products/blue-vase">' in page.text
    same_site = {"sec-fetch-site": "same-origin"}
    for _ in range(2):
        await async_client.post("/cart", data={"variant": vase.id}, headers=same_site)
    assert "39.80" in (await async_client.get("/cart")).text
    bad = await async_client.post("/orders", data={"name": "", "email": "no"}, headers=same_site)
    assert bad.status_code == 422
    done = await async_client.post(
        "/orders", data={"name": "Bob", "email": "bob@example.org"}, headers=same_site, follow_redirects=True
    )
    assert done.status_code == 200
    assert re.search(r"<h1>Order A\d{8}</h1>", done.text)
    assert "Thank you!" in done.text
    assert await Cart.where(Cart.lines.any()).count() == 0
    order = await Order.where().one()
    assert (order.total, order.state) == (Decimal("39.80"), State.PLACED)
    async_client.cookies.clear()
    assert (await async_client.get(f"/orders/{order.number}")).status_code == 404, "orders of others are not shown"


async def test_the_api_tells_every_error(async_client, vase):
    made = await async_client.post("/api/products", json={"name": "x", "slug": "NO", "category": 99})
    assert made.status_code == 422
    codes = {error["place"][-1]: error["code"] for error in made.json()["errors"]}
    assert {"name": "min_length", "slug": "pattern"}.items() <= codes.items()
    category = (await Category.where().one()).id
    body = {"name": "Red vase", "slug": "blue-vase", "category": category}
    taken = await async_client.post("/api/products", json=body)
    assert taken.status_code == 409
    patched = await async_client.patch(f"/api/products/{vase.product_id}", json={"name": "Azure vase"})
    assert (patched.json()["name"], patched.json()["slug"]) == ("Azure vase", "blue-vase")
    assert "cost" not in (await async_client.get(f"/api/products/{vase.product_id}")).text


async def test_a_page_of_products_costs_the_same_however_many_there_are(async_client, vase):
    rows = [{"name": f"Vase {n:03d}", "slug": f"vase-{n}", "category_id": vase.product.category_id} for n in range(120)]
    await Product.bulk_create(rows)
    with max_queries(6):
        page = await async_client.get("/?page=2")
    assert page.text.count("<tr>") == 21
    names = []
    after = None
    while True:
        part = (await async_client.get("/api/products", params={"after": after} if after else {})).json()
        names += [item["name"] for item in part["items"]]
        after = part["next"]
        if after is None:
            break
    assert names == sorted(names)
    assert len(names) == 121


async def test_reports_of_a_seeded_shop(async_client, db):
    assert await seeds.seed(scale=0.02) > 1500
    days = (await async_client.get("/api/reports/days?days=3650")).json()
    assert days[-1]["so_far"] == str(sum(Decimal(day["revenue"]) for day in days))
    assert days[0]["change"] is None
    best = (await async_client.get("/api/reports/best-sellers")).json()
    assert {row["place"] for row in best} <= {1, 2, 3}
    tree = (await async_client.get("/api/reports/categories")).json()
    revenue = {row["category"]: Decimal(str(row["revenue"])) for row in tree}
    assert revenue["Books"] == revenue["Novels"] + revenue["Poetry"] + revenue["Cooking"]
    top = (await async_client.get("/api/reports/customers")).json()
    assert [row["spent"] for row in top] == sorted((row["spent"] for row in top), key=Decimal, reverse=True)
    assert top[0]["quarter"] == 1
    assert len((await async_client.get("/api/reports/stock")).json()) == 2
    owner = await async_client.get("/owner")
    assert "<h2>Best sellers</h2>" in owner.text


def test_there_are_twenty_models(app):
    here = {mapper.class_ for mapper in Model.registry.mappers if mapper.class_.__module__.endswith("shop.models")}
    assert len(here) == 20


def test_nothing_is_wrong_with_it(app):
    assert [message for message in app.run_checks() if message.is_at_least("error")] == []


async def test_two_buyers_and_one_piece(tmp_path):
    """Outside of the fixtures, on a database of its own: two units of work really run at once."""
    from demijohn.db import Database

    from .database import db

    real = Database(f"sqlite:///{tmp_path}/shop.db")
    before, db.plan = db.plan, real.plan
    try:
        async with db.unit():
            await db.create_all()
            category = await Category.create(name="Glass", slug="glass")
            product = await Product.create(name="Vase", slug="vase", category=category)
            vase = await Variant.create(sku="V-1", price=Decimal(10), cost=Decimal(5), product=product)
            await StockLevel.create(variant=vase, warehouse=await Warehouse.create(name="North"), pieces=1)
            people = [await Customer.create(name=name, email=f"{name}@example.org") for name in ("ann", "bob")]

        async def buy(customer: Customer) -> None:
            async with db.unit():
                found = await Variant.where(sku="V-1").one()
                await buying.place(await Customer.get_or_404(customer.id), [(found, 1)])

        results = await asyncio.gather(*(buy(one) for one in people), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["NoneType", "OutOfStock"]
        async with db.unit():
            assert await pieces(vase) == [0]
            assert await OrderLine.where().count() == 1
    finally:
        await db.dispose()
        db.plan = before
