"""What the shop knows: twenty models in four groups. Each says what it is once, for tables, input, JSON and reports."""

from datetime import datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint

from demijohn.db import (
    Mapped,
    Model,
    Timestamps,
    UUIDModel,
    belongs_to,
    column,
    foreign_key,
    has_many,
    has_one,
    many_to_many,
    now,
)

# -- what is sold ----------------------------------------------------------------------------------------------------


class Category(Model):
    """A tree of categories: books, then novels."""

    name: Mapped[str] = column(max_length=60)
    slug: Mapped[str] = column(max_length=60, unique=True, pattern=r"[a-z0-9-]+")
    parent: Mapped["Category | None"] = belongs_to(back="children", on_delete="cascade", default=None)
    parent_id: Mapped[int | None] = foreign_key("parent")
    children: Mapped[list["Category"]] = has_many(back="parent", order_by="Category.name")
    products: Mapped[list["Product"]] = has_many(back="category")


class Brand(Model):
    name: Mapped[str] = column(max_length=60, unique=True)
    products: Mapped[list["Product"]] = has_many(back="brand")


class Supplier(Model):
    name: Mapped[str] = column(max_length=80, unique=True)
    email: Mapped[str] = column(max_length=120, format="email", private=True)
    brands: Mapped[list[Brand]] = many_to_many(back="suppliers")


class Label(Model):
    """What a product is found by: vegan, new, reduced."""

    name: Mapped[str] = column(max_length=40, unique=True)


class Product(Timestamps, Model):
    __page__ = "shop.product"

    name: Mapped[str] = column(max_length=120, min_length=2, help="Shown in lists and on invoices")
    slug: Mapped[str] = column(max_length=120, unique=True, pattern=r"[a-z0-9-]+")
    description: Mapped[str] = column(text=True, default="")
    is_listed: Mapped[bool] = column(default=True, index=True, label="Listed", help="Shown to customers")
    category: Mapped[Category] = belongs_to(back="products")
    category_id: Mapped[int] = foreign_key("category")
    brand: Mapped[Brand | None] = belongs_to(back="products", default=None)
    labels: Mapped[list[Label]] = many_to_many(back="products")
    variants: Mapped[list["Variant"]] = has_many(back="product", order_by="Variant.price")
    reviews: Mapped[list["Review"]] = has_many(back="product")


class Variant(Model):
    """What is put into a cart: a product in one size or colour, with its price."""

    sku: Mapped[str] = column(max_length=30, unique=True, label="SKU")
    name: Mapped[str] = column(max_length=60, default="")
    price: Mapped[Decimal] = column(max_digits=10, decimal_places=2, gt=0)
    cost: Mapped[Decimal] = column(max_digits=10, decimal_places=2, ge=0, private=True)
    product: Mapped[Product] = belongs_to(back="variants", on_delete="cascade")
    product_id: Mapped[int] = foreign_key("product")
    levels: Mapped[list["StockLevel"]] = has_many(back="variant")


# -- who buys --------------------------------------------------------------------------------------------------------


class Customer(Timestamps, Model):
    name: Mapped[str] = column(max_length=80, min_length=1)
    email: Mapped[str] = column(max_length=120, unique=True, format="email")
    orders: Mapped[list["Order"]] = has_many(back="customer", order_by="Order.id.desc()")
    addresses: Mapped[list["Address"]] = has_many(back="customer")


class Address(Model):
    street: Mapped[str] = column(max_length=120)
    city: Mapped[str] = column(max_length=80)
    country: Mapped[str] = column(max_length=2, pattern=r"[A-Z]{2}", help="Two letters: DE, FR")
    customer: Mapped[Customer] = belongs_to(back="addresses", on_delete="cascade")
    customer_id: Mapped[int] = foreign_key("customer")


class Review(Timestamps, Model):
    __table_args__ = (UniqueConstraint("product_id", "customer_id"),)

    stars: Mapped[int] = column(ge=1, le=5)
    text: Mapped[str] = column(text=True, default="")
    product: Mapped[Product] = belongs_to(back="reviews", on_delete="cascade")
    product_id: Mapped[int] = foreign_key("product")
    customer: Mapped[Customer] = belongs_to(back="reviews", on_delete="cascade")
    customer_id: Mapped[int] = foreign_key("customer")


# -- what is there ---------------------------------------------------------------------------------------------------


class Warehouse(Model):
    name: Mapped[str] = column(max_length=60, unique=True)


class StockLevel(Model):
    """How many pieces of a variant lie in a warehouse. The database refuses to sell what is not there."""

    __table_args__ = (UniqueConstraint("variant_id", "warehouse_id"), CheckConstraint("pieces >= 0"))

    pieces: Mapped[int] = column(default=0, ge=0)
    variant: Mapped[Variant] = belongs_to(back="levels", on_delete="cascade")
    variant_id: Mapped[int] = foreign_key("variant")
    warehouse: Mapped[Warehouse] = belongs_to(back="levels", on_delete="cascade")
    warehouse_id: Mapped[int] = foreign_key("warehouse")


class Reason(Enum):
    BOUGHT = "bought"
    SOLD = "sold"
    RETURNED = "returned"


class StockMovement(Model):
    """Why a level changed. Rows are only ever added: the sum of all of them is the level."""

    pieces: Mapped[int]
    reason: Mapped[Reason]
    moved_at: Mapped[datetime] = column(default=now, readonly=True)
    level: Mapped[StockLevel] = belongs_to(back="movements", on_delete="cascade")
    level_id: Mapped[int] = foreign_key("level")
    order: Mapped["Order | None"] = belongs_to(back="movements", default=None)
    order_id: Mapped[int | None] = foreign_key("order")


# -- what is bought --------------------------------------------------------------------------------------------------


class Coupon(Model):
    code: Mapped[str] = column(max_length=20, unique=True, pattern=r"[A-Z0-9]+")
    percent: Mapped[int] = column(ge=1, le=100)
    uses_left: Mapped[int] = column(default=1, ge=0)


class Cart(Timestamps, UUIDModel):
    """What a visitor has chosen so far. The key goes into a cookie, so it cannot be guessed."""

    lines: Mapped[list["CartLine"]] = has_many(back="cart", delete_orphans=True)

    @property
    def total(self) -> Decimal:
        return sum((line.pieces * line.variant.price for line in self.lines), Decimal())


class CartLine(Model):
    __table_args__ = (UniqueConstraint("cart_id", "variant_id"),)

    pieces: Mapped[int] = column(default=1, ge=1, le=100)
    cart: Mapped[Cart] = belongs_to(back="lines", on_delete="cascade")
    cart_id: Mapped[UUID] = foreign_key("cart")
    variant: Mapped[Variant] = belongs_to(on_delete="cascade")
    variant_id: Mapped[int] = foreign_key("variant")


class State(Enum):
    PLACED = "placed"
    PAID = "paid"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


class Order(Model):
    __page__ = "shop.order"

    number: Mapped[str] = column(max_length=20, unique=True, readonly=True)
    state: Mapped[State] = column(default=State.PLACED, readonly=True, index=True)
    total: Mapped[Decimal] = column(max_digits=12, decimal_places=2, readonly=True)
    placed_at: Mapped[datetime] = column(default=now, readonly=True, index=True)
    customer: Mapped[Customer] = belongs_to(back="orders")
    customer_id: Mapped[int] = foreign_key("customer")
    coupon: Mapped[Coupon | None] = belongs_to(back="orders", default=None)
    lines: Mapped[list["OrderLine"]] = has_many(back="order")
    payments: Mapped[list["Payment"]] = has_many(back="order")
    shipment: Mapped["Shipment | None"] = has_one(back="order")
    movements: Mapped[list[StockMovement]] = has_many(back="order")


class OrderLine(Model):
    """A line keeps the price of the day: what the variant costs later does not change it."""

    pieces: Mapped[int] = column(ge=1)
    price: Mapped[Decimal] = column(max_digits=10, decimal_places=2)
    order: Mapped[Order] = belongs_to(back="lines", on_delete="cascade")
    order_id: Mapped[int] = foreign_key("order")
    variant: Mapped[Variant] = belongs_to(back="sold")
    variant_id: Mapped[int] = foreign_key("variant")


class Payment(Model):
    """Money that came. `key` is the client's: the same payment sent twice is one row."""

    key: Mapped[str] = column(max_length=60, unique=True)
    amount: Mapped[Decimal] = column(max_digits=12, decimal_places=2, gt=0)
    paid_at: Mapped[datetime] = column(default=now, readonly=True)
    order: Mapped[Order] = belongs_to(back="payments")
    order_id: Mapped[int] = foreign_key("order")
    refunds: Mapped[list["Refund"]] = has_many(back="payment")


class Refund(Model):
    amount: Mapped[Decimal] = column(max_digits=12, decimal_places=2, gt=0)
    refunded_at: Mapped[datetime] = column(default=now, readonly=True)
    payment: Mapped[Payment] = belongs_to(back="refunds")
    payment_id: Mapped[int] = foreign_key("payment")


class Shipment(Model):
    tracking: Mapped[str] = column(max_length=40, unique=True)
    shipped_at: Mapped[datetime] = column(default=now, readonly=True)
    order: Mapped[Order] = belongs_to(back="shipment", unique=True)
    order_id: Mapped[int] = foreign_key("order")
    address: Mapped[Address] = belongs_to()
