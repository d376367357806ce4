"""What is run by hand or by a timer."""

from datetime import timedelta

from sqlalchemy import or_

from demijohn import Blueprint
from demijohn.i18n import language
from demijohn.mail import Mail

from . import billing
from .models import Invoice, State

commands = Blueprint("commands")


@commands.command()
async def dun(mail: Mail, days: int = 7, dry_run: bool = False) -> str:
    """Remind customers of invoices that are due; each again after DAYS."""
    today = billing.today()
    late = Invoice.where(
        Invoice.due_on < today,
        or_(Invoice.reminded_on.is_(None), Invoice.reminded_on <= today - timedelta(days=days)),
        state=State.ISSUED,
    )
    count = 0
    for invoice in await late.order_by("due_on").load(Invoice.customer).load(Invoice.lines):
        count += 1
        if dry_run:
            continue
        invoice.assign(reminders=invoice.reminders + 1, reminded_on=today)
        with language(invoice.customer.language):
            await mail.send(mail.render("mail/reminder", {"invoice": invoice}, to=invoice.customer.email))
        await billing.note(invoice, None, f"reminder {invoice.reminders} sent")
    return f"{count} reminders" + (" would be sent." if dry_run else " sent.")
