"""The pages of the office."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec
from sqlalchemy import extract, or_

from demijohn import Blueprint, Fields, Page, Query, abort, flash, redirect
from demijohn.auth import requires
from demijohn.forms import ModelForm, ModelViews, Rows
from demijohn.i18n import activate
from demijohn.i18n import gettext as _

from . import billing, reports
from .models import Customer, Invoice, State, User

pages = Blueprint("office")
InvoiceForm = Annotated[
    ModelForm[Invoice],
    Fields("customer", "title"),
    Rows("lines", "text", "quantity", "price", "vat", order="place", minimum=1, maximum=50),
]


class Customers(ModelViews[Customer], fields=("name", "email", "street", "city", "language")):
    """Customers: list, detail, create, update, delete."""

    list_display = ("name", "city", "email")
    search_fields = ("name", "city", "email")
    guards = {
        "list": requires("customer.view"),
        "detail": requires("customer.view"),
        "create": requires("customer.add"),
        "update": requires("customer.edit"),
        "delete": requires("customer.delete"),
    }


pages.include(Customers.blueprint(), prefix="/customers")


@pages.get("/")
@requires("invoice.view")
async def home(state: State | None = None, q: str = "", page: int = 1):
    """List the invoices, the newest first."""
    found = Invoice.where(state=state) if state else Invoice.query()
    if q:
        of_customer = Invoice.customer.has(Customer.name.icontains(q, autoescape=True))
        found = found.where(or_(Invoice.number == q, Invoice.title.icontains(q, autoescape=True), of_customer))
    invoices = await found.load(Invoice.customer, join=True).load(Invoice.lines).paginate(page)
    return Page("invoices/list.html#rows", invoices=invoices, state=state, states=State, q=q)


@pages.route("/invoices/new", methods=["GET", "POST"])
@requires("invoice.add")
async def new(form: InvoiceForm, user: User):
    if invoice := await form.save_if_valid():
        await billing.note(invoice, user, "offered")
        flash(_("Saved."), "success")
        return redirect(invoice)
    return Page("invoices/form.html", form=form)


@pages.route("/invoices/{invoice}/edit", methods=["GET", "POST"])
@requires("invoice.edit")
async def edit(invoice: Invoice, form: InvoiceForm, user: User):
    if invoice.state is not State.OFFER:
        abort(409, _("An invoice that was issued is not changed any more."))
    if await form.save_if_valid(invoice):
        await billing.note(invoice, user, "changed")
        flash(_("Saved."), "success")
        return redirect(invoice)
    return Page("invoices/form.html", form=form, invoice=invoice)


@pages.get("/invoices/{invoice}")
@requires("invoice.view")
async def show(invoice: Invoice):
    """Show one, with what may be done to it."""
    return Page("invoices/show.html", invoice=invoice)


@pages.get("/invoices/{invoice}/print")
@requires("invoice.view")
async def printed(invoice: Invoice):
    """The sheet for the customer, in the customer's language."""
    activate(invoice.customer.language)  # not `with language(...)`: the page is rendered after the handler
    return Page("invoices/print.html", invoice=invoice)


@pages.post("/invoices/{invoice}/issue")
@requires("invoice.issue")
async def issue(invoice: Invoice, user: User):
    await billing.issue(invoice, user)
    return redirect(invoice)


@pages.post("/invoices/{invoice}/pay")
@requires("invoice.pay")
async def pay(invoice: Invoice, user: User):
    await billing.pay(invoice, user)
    return redirect(invoice)


@pages.post("/invoices/{invoice}/cancel")
@requires("invoice.issue")
async def cancel(invoice: Invoice, user: User):
    await billing.cancel(invoice, user)
    return redirect(invoice)


@pages.get("/reports")
@requires("invoice.view")
async def report(year: Annotated[int | None, Query(ge=2000, le=2100)] = None):
    year = year or billing.today().year
    return Page("reports.html", year=year, months=await reports.months(year), customers=await reports.customers(year))


class Row(msgspec.Struct):
    """A line of the export for the tax adviser."""

    number: str | None
    date: date | None
    customer: str
    net: Decimal
    total: Decimal
    state: str


@pages.get("/invoices", name="export", formats=["csv", "json"])
@requires("invoice.view")
async def export(year: int | None = None) -> AsyncIterator[Row]:
    """Send what was issued, row by row: `/invoices.csv`."""
    issued = Invoice.where(Invoice.number.is_not(None)).order_by("number")
    if year:
        issued = issued.where(extract("year", Invoice.issued_on) == year)
    async for invoice in issued.load(Invoice.customer).stream():
        yield Row(
            invoice.number,
            invoice.issued_on,
            invoice.customer.name,
            invoice.charged_net,
            invoice.charged,
            invoice.state.value,
        )
