"""What came in, by month and by customer: sums that the database makes."""

from datetime import date
from typing import Any

from sqlalchemy import extract, func

from .models import Customer, Invoice, State

_CHARGED = Invoice.state.in_([State.ISSUED, State.PAID])
_NET = func.sum(Invoice.charged_net)


async def months(year: int) -> list[dict[str, Any]]:
    """Return how many invoices there are in each month of a year, and what they come to."""
    month = extract("month", Invoice.issued_on)
    rows = (
        Invoice.where(_CHARGED, extract("year", Invoice.issued_on) == year)
        .select(month, func.count(), _NET)
        .group_by(month)
        .order_by(month)
    )
    return [{"month": date(year, int(number), 1), "invoices": count, "net": net} for number, count, net in await rows]


async def customers(year: int) -> list[dict[str, Any]]:
    """Return the ten best customers of a year."""
    rows = (
        Invoice.where(_CHARGED, extract("year", Invoice.issued_on) == year)
        .join(Invoice.customer)
        .select(Customer.name, _NET)
        .group_by(Customer.id, Customer.name)
        .order_by(_NET.desc())
        .limit(10)
    )
    return [{"name": name, "net": net} for name, net in await rows]
