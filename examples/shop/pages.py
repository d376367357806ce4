"""The shop as pages: a catalogue, a cart that is remembered, and what the owner looks at."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from demijohn import Blueprint, Form, Page, flash, redirect, url_for
from demijohn.db import now
from demijohn.errors import Conflict
from demijohn.sessions import Session

from . import buying, reports
from .models import Cart, CartLine, Category, Customer, Order, Product, Variant

pages = Blueprint("shop")


async def find_cart(session: Session) -> Cart:
    """Return the cart of the visitor, made at the first visit."""
    key = session.get("cart")
    cart = await Cart.get(UUID(key)) if key else None
    if cart is None:
        cart = await Cart.create()
        session["cart"] = str(cart.id)
    return cart


@pages.get("/", formats=["html", "json"])
async def home(page: int = 1, category: str = ""):
    found = Product.where(Product.is_listed).order_by("name")
    if category:
        found = found.where(Product.category.has(slug=category))
    return Page(
        "shop/home.html#products",
        products=await found.load(Product.variants, Product.category).paginate(page),
        categories=await Category.where(Category.parent_id.is_(None)).order_by("name"),
        chosen=category,
    )


@pages.get("/products/{product:slug}")
async def product(product: Product):
    return Page("shop/product.html", product=product)


class Choice(msgspec.Struct):
    variant: int
    pieces: Annotated[int, msgspec.Meta(ge=-100, le=100)] = 1


@pages.post("/cart")
async def put(choice: Annotated[Choice, Form()], session: Session):
    variant = await Variant.get_or_404(choice.variant)
    await buying.put(await find_cart(session), variant, choice.pieces)
    return redirect(url_for("shop.cart"), status=303)


@pages.get("/cart")
async def cart(session: Session):
    key = session.get("cart")
    found = await Cart.get(UUID(key)) if key else None
    lines = await CartLine.where(cart=found).load(CartLine.variant, Variant.product).order_by("id") if found else []
    return Page("shop/cart.html", lines=lines, total=sum(line.pieces * line.variant.price for line in lines))


class Buyer(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    email: Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=120)]
    coupon: str = ""


@pages.post("/orders")
async def buy(buyer: Annotated[Buyer, Form()], session: Session):
    customer, _ = await Customer.get_or_create({"name": buyer.name}, email=buyer.email)
    try:
        order = await buying.check_out(await find_cart(session), customer, coupon=buyer.coupon)
    except Conflict as refused:
        flash(str(refused), "error")
        return redirect(url_for("shop.cart"), status=303)
    flash(f"Thank you! Your order is {order.number}.")
    session["orders"] = [*session.get("orders", []), order.number][-20:]
    return redirect(order, status=303)


@pages.get("/orders/{order:number}", name="order")
async def show_order(order: Order, session: Session):
    if order.number not in session.get("orders", []):
        return Page("shop/order.html", order=None), 404  # orders of others are not there
    return Page("shop/order.html", order=order)


@pages.get("/owner")
async def owner():
    return Page(
        "shop/owner.html",
        days=await reports.days(now() - timedelta(days=14)),
        best=await reports.best_sellers(),
        categories=await reports.category_tree(),
        customers=await reports.customers(),
        stock=await reports.stock(),
    )
