"""The models of the tests of forms: products with a maker and labels, orders with lines."""

from datetime import datetime

from demijohn.db import Mapped, Model, belongs_to, column, has_many, many_to_many, now


class Shop(Model, isolated=True):
    """Keeps these tables apart from those of other tests."""


class Maker(Shop):
    name: Mapped[str] = column(max_length=40)
    is_open: Mapped[bool] = column(default=True)


class Label(Shop):
    name: Mapped[str] = column(max_length=40, unique=True)


class Product(Shop):
    name: Mapped[str] = column(max_length=40, min_length=2, help="As on the box")
    code: Mapped[str] = column(max_length=20, unique=True, pattern=r"[a-z0-9-]+")
    price: Mapped[int] = column(ge=0, le=1000)
    about: Mapped[str] = column(text=True, default="")
    is_shown: Mapped[bool] = column(default=False)
    note: Mapped[str | None] = column(max_length=40)
    margin: Mapped[int] = column(default=0, private=True)
    maker: Mapped[Maker] = belongs_to(back="products")
    spare: Mapped["Product | None"] = belongs_to()
    labels: Mapped[list[Label]] = many_to_many(back="products")
    made_at: Mapped[datetime] = column(default=now, readonly=True)

    def page_url(self) -> str:
        return f"/products/{self.code}"


class Order(Shop):
    customer: Mapped[str] = column(max_length=40)
    lines: Mapped[list["Line"]] = has_many(back="order")


class Line(Shop):
    text: Mapped[str] = column(max_length=20)
    count: Mapped[int] = column(default=1, ge=1)
    place: Mapped[int] = column(default=0, readonly=True)
    order: Mapped[Order] = belongs_to(back="lines", on_delete="cascade")


async def fill() -> None:
    """Make makers, labels and one product."""
    for name, is_open in (("Ada", True), ("Bo", True), ("Closed", False)):
        await Maker(name=name, is_open=is_open).save()
    for name in ("blue", "green", "red"):
        await Label(name=name).save()
    await Product(name="Cup", code="cup", price=5, maker=await Maker.get_or_404(1)).save()
