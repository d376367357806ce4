"""Customers, what they are offered and owe, and who did what."""

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum

from demijohn.auth import User as BaseUser
from demijohn.db import Mapped, Model, Timestamps, belongs_to, column, foreign_key, has_many, now
from demijohn.i18n import gettext_lazy as _


def to_cents(amount: Decimal) -> Decimal:
    """Round as merchants do."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


class User(BaseUser):
    """Somebody who works here; what they may do is said by their groups."""

    display_name: Mapped[str] = column(max_length=60, default="", label=_("Name"))


class Customer(Timestamps, Model):
    """Who buys."""

    __label__, __label_plural__ = _("customer"), _("customers")
    __order_by__ = "name"
    name: Mapped[str] = column(max_length=120, label=_("Name"))
    email: Mapped[str] = column(max_length=200, format="email", label=_("E-mail"))
    street: Mapped[str] = column(max_length=120, label=_("Street"))
    city: Mapped[str] = column(max_length=120, label=_("Town"))
    language: Mapped[str] = column(
        max_length=5, choices={"en": "English", "de": "Deutsch"}, default="de", label=_("Language")
    )
    invoices: Mapped[list["Invoice"]] = has_many(back="customer")

    def __str__(self) -> str:
        return self.name

    def page_url(self) -> str:
        return f"/customers/{self.id}"


class State(Enum):
    """How far an offer has come."""

    OFFER = "offer"
    ISSUED = "issued"
    PAID = "paid"
    CANCELLED = "cancelled"

    @property
    def label(self):
        """What people read, in forms, filters, pages and the admin."""
        return _LABELS[self.value]


_LABELS = {"offer": _("offer"), "issued": _("open"), "paid": _("paid"), "cancelled": _("cancelled")}


class Invoice(Timestamps, Model):
    """An offer, which becomes an invoice when it gets its number."""

    __label__, __label_plural__ = _("invoice"), _("invoices")
    __permissions__ = ("issue", "pay")
    __order_by__ = "-id"
    customer: Mapped[Customer] = belongs_to(back="invoices", label=_("Customer"))
    customer_id: Mapped[int] = foreign_key("customer")
    title: Mapped[str] = column(max_length=120, label=_("Subject"))
    state: Mapped[State] = column(default=State.OFFER, readonly=True, label=_("State"))
    number: Mapped[str | None] = column(max_length=20, unique=True, default=None, readonly=True, label=_("Number"))
    issued_on: Mapped[date | None] = column(default=None, index=True, readonly=True, label=_("Date"))
    due_on: Mapped[date | None] = column(default=None, readonly=True, label=_("Due"))
    charged_net: Mapped[Decimal] = column(max_digits=14, decimal_places=2, default=Decimal(0), readonly=True)
    charged: Mapped[Decimal] = column(max_digits=14, decimal_places=2, default=Decimal(0), readonly=True)
    reminders: Mapped[int] = column(default=0, readonly=True, label=_("Reminders"))
    reminded_on: Mapped[date | None] = column(default=None, readonly=True, label=_("Last reminder"))
    lines: Mapped[list["Line"]] = has_many(back="invoice", order_by="place", label=_("Lines"))
    events: Mapped[list["Event"]] = has_many(back="invoice", order_by="id", label=_("History"))

    def __str__(self) -> str:
        return self.number or self.title

    def page_url(self) -> str:
        return f"/invoices/{self.id}"

    @property
    def net(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def taxes(self) -> dict[int, Decimal]:
        """The tax by its rate: rounded once for each rate."""
        sums: dict[int, Decimal] = {}
        for line in self.lines:
            sums[line.vat] = sums.get(line.vat, Decimal(0)) + line.amount
        return {rate: to_cents(amount * rate / 100) for rate, amount in sorted(sums.items()) if rate}

    @property
    def total(self) -> Decimal:
        return self.net + sum(self.taxes.values(), Decimal(0))


class Line(Model):
    """One thing that is charged."""

    invoice: Mapped[Invoice] = belongs_to(back="lines", on_delete="cascade")
    invoice_id: Mapped[int] = foreign_key("invoice")
    place: Mapped[int] = column(default=0, readonly=True)
    text: Mapped[str] = column(max_length=200, label=_("What"))
    quantity: Mapped[Decimal] = column(max_digits=10, decimal_places=2, gt=0, default=Decimal(1), label=_("Quantity"))
    price: Mapped[Decimal] = column(max_digits=12, decimal_places=2, label=_("Price"))
    vat: Mapped[int] = column(choices={19: "19 %", 7: "7 %", 0: "0 %"}, default=19, label=_("VAT"))

    def __str__(self) -> str:
        return f"{self.quantity} × {self.text}"

    @property
    def amount(self) -> Decimal:
        return to_cents(self.quantity * self.price)


class Counter(Model):
    """The last number of a year: whoever takes the next one holds this row, so that none is missing."""

    year: Mapped[int] = column(unique=True)
    last: Mapped[int] = column(default=0)


class Event(Model):
    """What somebody did to an invoice: written in the same transaction, changed by nobody."""

    invoice: Mapped[Invoice] = belongs_to(back="events", on_delete="cascade")
    user: Mapped[User | None] = belongs_to(default=None)
    what: Mapped[str] = column(max_length=200)
    at: Mapped[datetime] = column(default=now, readonly=True)
