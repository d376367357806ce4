"""The office, as its owner would test it: money, numbers, roles, languages, and what other programs get."""

import asyncio
import runpy
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from demijohn import App
from demijohn.auth import Group
from demijohn.db import max_queries
from demijohn.errors import Conflict

from . import billing, seeds
from .app import app as office
from .database import db as database
from .models import Counter, Customer, Event, Invoice, Line, State, User

MIGRATION = Path(__file__).parent / "migrations" / "0002_roles.py"
ROLES = runpy.run_path(str(MIGRATION))["ROLES"]  # as the site has them
GERMAN = {"accept-language": "de"}


@pytest.fixture
def app() -> App:
    return office


@pytest.fixture
async def people(db):
    """Somebody who sells, somebody who keeps the books, and the boss."""
    made = []
    for name in ("Sales", "Accounting", "Boss"):
        user = User(email=f"{name.lower()}@example.org", display_name=name, is_superuser=name == "Boss", is_staff=True)
        if name in ROLES:
            user.groups.append(await Group.create(name=name, permissions=ROLES[name]))
        made.append(await user.save())
    return made


@pytest.fixture
async def offer(db):
    customer = await Customer.create(
        name="Weingut Keller", email="keller@example.org", street="Glass Lane 1", city="Mainz", language="de"
    )
    invoice = await Invoice.create(customer=customer, title="Bottles")
    await Line.create(invoice=invoice, place=0, text="Bottle", quantity=Decimal("2.50"), price=Decimal("19.99"))
    await Line.create(invoice=invoice, place=1, text="Tea", quantity=Decimal(3), price=Decimal("0.33"), vat=7)
    return invoice


async def test_money_is_rounded_where_the_law_says(offer):
    await offer.load("lines")
    assert [line.amount for line in offer.lines] == [Decimal("49.98"), Decimal("0.99")]
    assert offer.taxes == {7: Decimal("0.07"), 19: Decimal("9.50")}
    assert offer.total == Decimal("60.54")


async def test_the_form_keeps_an_offer_with_its_lines(async_client, people, offer, login):
    await login(people[0])
    typed = {
        "customer": offer.customer_id,
        "title": "More",
        "lines-0-text": "Bottle",
        "lines-0-quantity": "2",
        "lines-0-price": "19.999",
        "lines-0-vat": "19",
    }
    refused = await async_client.post("/invoices/new", data=typed, headers=GERMAN)
    assert refused.status_code == 422
    assert "2 Nachkommastellen" in refused.text
    answer = await async_client.post("/invoices/new", data={**typed, "lines-0-price": "19.99"})
    page = (await async_client.get(answer.headers["location"], headers=GERMAN)).text
    assert "47,58\xa0€" in page  # 39.98 and the tax
    assert "Angebot" in page
    assert "offered" in page


async def test_numbers_have_no_gap(people, offer):
    boss = people[2]
    for _ in range(2):
        await billing.issue(await copied(offer), boss, date(2026, 3, 1))
    with pytest.raises(ZeroDivisionError):
        await issue_and_fail(await copied(offer), boss)  # what is undone gives its number back
    await billing.issue(await copied(offer), boss, date(2026, 3, 1))
    await billing.issue(await copied(offer), boss, date(2027, 1, 1))
    numbers = await Invoice.where(state=State.ISSUED).order_by("number").scalars(Invoice.number).all()
    assert numbers == ["2026-0001", "2026-0002", "2026-0003", "2027-0001"]
    assert await Counter.query().count() == 2


async def issue_and_fail(invoice: Invoice, boss: User) -> None:
    async with database.transaction():
        await billing.issue(invoice, boss, date(2026, 3, 1))
        raise ZeroDivisionError


async def copied(offer: Invoice) -> Invoice:
    made = await Invoice.create(customer=offer.customer, title="Copy")
    await Line.create(invoice=made, text="Bottle", price=Decimal(10))
    return made


async def test_what_is_issued_stays(async_client, people, offer, login):
    sales, books, _ = people
    await billing.issue(offer, people[2])
    await login(sales)
    assert (await async_client.get(f"/invoices/{offer.id}/edit")).status_code == 409
    await login(books)
    assert (await async_client.post(f"/invoices/{offer.id}/pay")).status_code == 302
    assert (await async_client.post(f"/invoices/{offer.id}/pay")).status_code == 409
    with pytest.raises(Conflict):
        await billing.issue(offer, books)
    assert await Event.query().order_by("id").scalars(Event.what).all() == [f"issued as {offer.number}", "paid"]


@pytest.mark.parametrize(
    ("path", "sales", "books"),
    [
        ("/invoices/new", 200, 403),
        ("/invoices/{id}/edit", 200, 403),
        ("/invoices/{id}", 200, 200),
        ("/invoices.csv", 200, 200),
        ("/customers/new", 200, 403),
        ("/api/invoices", 200, 200),
    ],
)
async def test_roles(async_client, people, offer, login, path, sales, books):
    path = path.format(id=offer.id)
    assert (await async_client.get(path)).status_code == 401
    for user, status in zip(people, (sales, books, 200), strict=True):
        await login(user)
        assert (await async_client.get(path)).status_code == status


async def test_sales_cannot_issue_and_books_cannot_sell(async_client, people, offer, login):
    sales, books, _ = people
    await login(sales)
    assert (await async_client.post(f"/invoices/{offer.id}/issue")).status_code == 403
    await login(books)
    assert (await async_client.post(f"/invoices/{offer.id}/issue")).status_code == 302
    assert (await offer.reload()).state is State.ISSUED


async def test_the_sheet_speaks_the_language_of_the_customer(async_client, people, offer, login):
    await billing.issue(offer, people[2], date(2026, 3, 1))
    await login(people[0])
    sheet = (await async_client.get(f"/invoices/{offer.id}/print", headers={"accept-language": "en"})).text
    assert "Rechnung 2026-0001" in sheet
    assert "bis zum 15. März 2026" in sheet
    assert "60,54\xa0€" in sheet
    english = (await async_client.get(f"/invoices/{offer.id}", headers={"accept-language": "en"})).text
    assert "€60.54" in english
    assert "Mar 1, 2026" in english


async def test_reports_add_up_what_was_issued(async_client, people, offer, login):
    boss = people[2]
    await billing.issue(offer, boss, date(2026, 3, 1))
    await billing.issue(await copied(offer), boss, date(2026, 3, 9))
    await billing.issue(await copied(offer), boss, date(2026, 5, 1))
    await copied(offer)  # an offer is no turnover
    await login(boss)
    page = (await async_client.get("/reports?year=2026", headers=GERMAN)).text
    for text in ("März", "60,97", "Mai", "10,00", "70,97"):
        assert text in page
    assert "Keine." in (await async_client.get("/reports?year=2025", headers=GERMAN)).text


async def test_the_export(async_client, people, offer, login):
    await billing.issue(offer, people[2], date(2026, 3, 1))
    await login(people[1])
    rows = (await async_client.get("/invoices.csv?year=2026")).text.splitlines()
    assert rows == [
        "number,date,customer,net,total,state",
        "2026-0001,2026-03-01,Weingut Keller,50.97,60.54,issued",
    ]


async def test_a_list_costs_the_same_for_more_invoices(async_client, people, offer, login):
    for _ in range(15):
        await copied(offer)
    await login(people[0])
    with max_queries(5):  # the user, their groups, how many, the invoices with their customers, the lines
        assert (await async_client.get("/")).text.count("<tr>") == 17


async def test_the_api(async_client, people, offer, login):
    await login(people[0])
    line = {"text": "Cork", "quantity": "2", "price": "1.50", "vat": 19}
    made = await async_client.post("/api/invoices", json={"customer": offer.customer_id, "title": "A", "lines": [line]})
    assert made.status_code == 201
    assert made.json()["total"] == "3.57"
    wrong = await async_client.post(
        "/api/invoices", json={"customer": 99, "title": "A", "number": "1", "lines": [{**line, "price": "1.505"}]}
    )
    codes = {tuple(error["place"]): error["code"] for error in wrong.json()["errors"]}
    assert codes[("body", "number")] == "unknown"
    assert codes[("body", "lines", 0, "price")] == "decimal_places"
    document = (await async_client.get("/openapi.json")).json()
    assert document["paths"]["/api/invoices"]["post"]["summary"] == "Make an offer with its lines"


async def test_reminders(people, offer, mailbox, cli):
    today = billing.today()
    await billing.issue(offer, people[2], today - timedelta(days=20))
    runs = [(await asyncio.to_thread(cli, "dun", *options)).output.strip() for options in (["--dry-run"], [], [])]
    assert runs == ["1 reminders would be sent.", "1 reminders sent.", "0 reminders sent."]
    assert mailbox[-1].to == "keller@example.org"
    assert mailbox[-1].subject == f"Erinnerung: Rechnung {offer.number}"
    assert "60,54\xa0€" in mailbox[-1].text


async def test_the_admin_shows_and_keeps(async_client, people, offer, login):
    await billing.issue(offer, people[2])
    await login(people[2])
    page = (await async_client.get(f"/admin/invoice/{offer.id}/", headers=GERMAN)).text
    assert "Weingut Keller" in page
    assert "offen" in page  # the label of its state
    assert "2.50 × Bottle" in page  # the lines are shown
    assert 'name="title"' not in page  # and nothing can be changed


async def test_the_seeds(async_client, people, login, db):
    await User.where().delete()
    await seeds.seed()
    assert await Invoice.where(state=State.OFFER).count() >= 4
    assert await Customer.query().count() == 4
