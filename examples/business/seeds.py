"""Customers and the invoices of a year: `demijohn -A examples.business.app db seed`."""

from datetime import timedelta
from decimal import Decimal

from demijohn.auth import Group

from .billing import issue, pay, today
from .models import Customer, Invoice, Line, User

PASSWORD = "a bottle in the cellar"
CUSTOMERS = [
    ("Weingut Keller", "Mainz", "de"),
    ("Glashütte Ost", "Zwiesel", "de"),
    ("Harbour Tea Ltd", "Bristol", "en"),
    ("Marsh & Daughters", "York", "en"),
]


async def seed() -> None:
    """Make a boss, a seller and a bookkeeper, and what they did; once."""
    if await User.query().exists():
        return
    boss = await User.create_user(email="boss@example.org", password=PASSWORD, display_name="Bea Boss")
    boss.is_staff = boss.is_superuser = True
    for name, role in (("sales", "Sales"), ("books", "Accounting")):
        user = await User.create_user(email=f"{name}@example.org", password=PASSWORD, display_name=name.title())
        user.groups.append(await Group.where(name=role).one())
    customers = []
    for name, city, language in CUSTOMERS:
        address = f"office@{city.lower()}.example"
        customers.append(
            await Customer.create(name=name, email=address, street="Glass Lane 1", city=city, language=language)
        )
    start = today().replace(month=1, day=10)
    for number in range(30):
        invoice = await Invoice.create(customer=customers[number % 4], title=f"Delivery {number + 1}")
        for place, (text, quantity, price, vat) in enumerate(
            [("Demijohn 25 l", Decimal(number % 5 + 1), "38.50", 19), ("Cork tea", Decimal("2.5"), "12.90", 7)]
        ):
            await Line.create(invoice=invoice, place=place, text=text, quantity=quantity, price=Decimal(price), vat=vat)
        day = start + timedelta(days=number * 11)
        if number < 26 and day <= today():
            await issue(invoice, boss, day)
            if number < 20:
                await pay(invoice, boss)
