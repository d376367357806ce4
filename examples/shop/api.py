"""The shop as data, for apps and partners: the models as they are read and written by clients."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

import msgspec

from demijohn import Blueprint, Body, Query, abort
from demijohn.db import now
from demijohn.errors import Conflict

from . import buying, reports
from .models import Address, Customer, Order, OrderLine, Payment, Product, Review, Shipment, Variant

api = Blueprint("api")


@api.get("/products")
async def products(after: str | None = None, q: str = ""):
    """Every page costs the same, however far down it is."""
    found = Product.where(Product.is_listed)
    if q:
        found = found.where(Product.name.icontains(q, autoescape=True))
    return await found.order_by("name").paginate_by_key(after, per_page=50)


@api.get("/products/{product}")
async def product(product: Product):
    return {"product": product, "variants": product.variants, "labels": [label.name for label in product.labels]}


@api.post("/products", status=201)
async def add_product(
    product: Annotated[Product, Body(include=["name", "slug", "description", "category", "brand", "labels"])],
):
    return await product.save()


@api.patch("/products/{product}")
async def change_product(
    product: Annotated[Product, Body(include=["name", "description", "is_listed", "category", "brand", "labels"])],
):
    return await product.save()


@api.post("/products/{product}/variants", status=201)
async def add_variant(product: Product, variant: Annotated[Variant, Body(include=["sku", "name", "price"])]):
    variant.cost = variant.price / 2  # private: no client sends or sees it
    variant.product = product
    return await variant.save()


@api.post("/customers", status=201)
async def add_customer(customer: Annotated[Customer, Body(include=["name", "email"])]):
    return await customer.save()


@api.post("/customers/{customer}/addresses", status=201)
async def add_address(customer: Customer, address: Annotated[Address, Body(include=["street", "city", "country"])]):
    address.customer = customer
    return await address.save()


@api.post("/products/{product}/reviews", status=201)
async def review(product: Product, review: Annotated[Review, Body(include=["stars", "text", "customer"])]):
    review.product = product
    return await review.save()


class Wanted(msgspec.Struct):
    variant: int
    pieces: Annotated[int, msgspec.Meta(ge=1, le=100)]


class NewOrder(msgspec.Struct):
    customer: int
    lines: Annotated[list[Wanted], msgspec.Meta(min_length=1, max_length=50)]
    coupon: str = ""


@api.post("/orders", status=201)
async def order(new: NewOrder):
    customer = await Customer.get_or_404(new.customer)
    variants = await Variant.query().in_bulk([line.variant for line in new.lines])
    if missing := {line.variant for line in new.lines} - variants.keys():
        raise Conflict(f"There is no variant {min(missing)}.")
    pieces: dict[int, int] = {}
    for line in new.lines:
        pieces[line.variant] = pieces.get(line.variant, 0) + line.pieces
    return await buying.place(customer, [(variants[key], count) for key, count in pieces.items()], coupon=new.coupon)


@api.get("/orders/{order:number}")
async def show_order(order: Order):
    lines = await OrderLine.where(order=order).load(OrderLine.variant).order_by("id")
    return {
        "order": order,
        "lines": [{"sku": line.variant.sku, "pieces": line.pieces, "price": line.price} for line in lines],
        "payments": order.payments,
        "shipment": order.shipment,
    }


class NewPayment(msgspec.Struct):
    amount: Decimal
    key: Annotated[str, msgspec.Meta(min_length=8, max_length=60)]


@api.post("/orders/{order:number}/payments")
async def pay(order: Order, new: NewPayment) -> Payment:
    return await buying.pay(order, new.amount, key=new.key)


class NewShipment(msgspec.Struct):
    address: int
    tracking: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


@api.post("/orders/{order:number}/shipment", status=201)
async def ship(order: Order, new: NewShipment) -> Shipment:
    address = await Address.where(id=new.address, customer_id=order.customer_id).get_or_404()
    return await buying.ship(order, address, tracking=new.tracking)


@api.post("/orders/{order:number}/cancel")
async def cancel(order: Order) -> Order:
    return await buying.cancel(order)


REPORTS = {
    "best-sellers": reports.best_sellers,
    "categories": reports.category_tree,
    "customers": reports.customers,
    "stock": reports.stock,
}


@api.get("/reports/days")
async def report_days(days: Annotated[int, Query(ge=1, le=3650)] = 30):
    return await reports.days(now() - timedelta(days=days))


@api.get("/reports/{name}")
async def report(name: str):
    make = REPORTS.get(name) or abort(404, f"The reports are days, {', '.join(REPORTS)}.")
    return await make()
