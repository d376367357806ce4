"""The same as data, for other programs."""

from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec

from demijohn import Blueprint, Body
from demijohn.auth import requires

from . import billing
from .models import Customer, Invoice, State, User

api = Blueprint("api")
FIELDS = ("text", "quantity", "price", "vat")


class LineRead(msgspec.Struct):
    """One thing that is charged."""

    text: str
    quantity: Decimal
    price: Decimal
    vat: int


class InvoiceRead(msgspec.Struct):
    """An offer or invoice."""

    id: int
    number: str | None
    title: str
    state: State
    issued_on: date | None
    customer_id: int
    total: Decimal
    lines: list[LineRead]


def read(invoice: Invoice) -> InvoiceRead:
    return msgspec.convert(invoice, InvoiceRead, from_attributes=True)


@api.get("/invoices")
@requires("invoice.view")
async def list_invoices(state: State | None = None, page: int = 1) -> list[InvoiceRead]:
    """List invoices, the newest first."""
    invoices = Invoice.where(state=state) if state else Invoice.query()
    return [read(invoice) for invoice in await invoices.load(Invoice.lines).paginate(page, per_page=50)]


@api.post("/invoices", status=201)
@requires("invoice.add")
async def add_invoice(
    invoice: Annotated[
        Invoice, Body(include=["customer", "title", "lines.text", "lines.quantity", "lines.price", "lines.vat"])
    ],
    user: User,
) -> InvoiceRead:
    """Make an offer with its lines."""
    await invoice.save()
    await billing.note(invoice, user, "offered")
    return read(invoice)


@api.get("/invoices/{invoice}")
@requires("invoice.view")
async def get_invoice(invoice: Invoice) -> InvoiceRead:
    """Read one."""
    return read(invoice)


@api.post("/invoices/{invoice}/issue")
@requires("invoice.issue")
async def issue_invoice(invoice: Invoice, user: User) -> InvoiceRead:
    """Give it the next number."""
    await billing.issue(invoice, user)
    return read(invoice)


@api.get("/customers")
@requires("customer.view")
async def list_customers(q: str = "") -> list[Customer]:
    """Find customers by name."""
    return await Customer.where(Customer.name.icontains(q, autoescape=True)).limit(50).all()
