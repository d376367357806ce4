"""What may happen to an invoice, and in which order."""

from datetime import date, timedelta

from demijohn.db import now
from demijohn.errors import Conflict
from demijohn.i18n import gettext as _
from demijohn.i18n import to_local

from .database import db
from .models import Counter, Event, Invoice, State, User

TERM = timedelta(days=14)


def today() -> date:
    """Return the day where the office is."""
    return to_local(now()).date()


async def note(invoice: Invoice, user: User | None, what: str) -> None:
    """Write down what was done: it is there if and only if it was done."""
    await Event.create(invoice=invoice, user=user, what=what)


async def issue(invoice: Invoice, user: User, day: date | None = None) -> None:
    """Make an invoice of an offer: with the next number of the year, none missing and none twice."""
    day = day or today()
    async with db.transaction():
        invoice = await Invoice.where(id=invoice.id).for_update().one()
        if invoice.state is not State.OFFER:
            raise Conflict(_("It is an invoice already."))
        if not invoice.lines:
            raise Conflict(_("There is nothing to charge."))
        await Counter.get_or_create(year=day.year)
        counter = await Counter.where(year=day.year).for_update().one()
        counter.last += 1
        invoice.assign(
            number=f"{day.year}-{counter.last:04}",
            state=State.ISSUED,
            issued_on=day,
            due_on=day + TERM,
            charged_net=invoice.net,
            charged=invoice.total,
        )
        await note(invoice, user, f"issued as {invoice.number}")


async def pay(invoice: Invoice, user: User) -> None:
    """Note that the money came."""
    if invoice.state is not State.ISSUED:
        raise Conflict(_("Only an issued invoice can be paid."))
    await invoice.assign(state=State.PAID).save()
    await note(invoice, user, "paid")


async def cancel(invoice: Invoice, user: User) -> None:
    """Cancel it; the number stays taken."""
    if invoice.state not in {State.OFFER, State.ISSUED}:
        raise Conflict(_("It cannot be cancelled any more."))
    await invoice.assign(state=State.CANCELLED).save()
    await note(invoice, user, "cancelled")
