"""Accounts in Chromium: the flows as people go through them, on a phone, in the dark, and without JavaScript."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demijohn import App, Page
from demijohn.db import Database
from demijohn.serving import Server, ServerConfig
from tests.auth.site import PASSWORD, WEAK, User, make_app, make_tables
from tests.auth.test_flows import NEW
from tests.axe import violations

pytestmark = pytest.mark.browser
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[App, str]]:
    """The site on a port of its own, with Ann in it: the app, and its URL."""
    database = Database(f"sqlite:///{tmp_path}/site.db")
    await make_tables(database)
    hashed = await WEAK.hash(PASSWORD)
    async with database.unit():
        await User.create_user(email="ann@example.org", password=PASSWORD, display_name="Ann")
        await User.where(email="ann@example.org").update(password_hash=hashed)
    app = make_app(database)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "home.html").write_text(
        '{% extends "demijohn/base.html" %}{% block title %}Home{% endblock %}'
        "{% block content %}<h1>Home</h1><p id=who>{{ user.display_name if user else 'nobody' }}</p>{% endblock %}"
    )
    app.template_folder = tmp_path / "templates"

    @app.get("/")
    async def home(user: User | None) -> Page:
        return Page("home.html", user=user)

    async with Server(app, ServerConfig(bind="127.0.0.1:0")) as server:
        yield app, server.url.replace("127.0.0.1", "localhost")
    await database.dispose()


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    """Chromium."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=os.environ["DEMIJOHN_TEST_CHROMIUM"], args=FLAGS)
        yield made
        await made.close()


async def fill(page: Any, **fields: str) -> None:
    """Fill in the form of a page and send it."""
    for name, value in fields.items():
        await page.locator(f"input#id_{name}").fill(value)
    await page.get_by_role("button").first.click()
    await page.wait_for_load_state()


@pytest.mark.parametrize(
    "look",
    [
        {"viewport": {"width": 1100, "height": 800}, "color_scheme": "light"},
        {"viewport": {"width": 390, "height": 780}, "color_scheme": "dark", "java_script_enabled": False},
    ],
    ids=["desk", "phone"],
)
async def test_the_flows(site: tuple[App, str], browser: Any, look: dict[str, Any]) -> None:
    """Sign-up, the link in the mail, login, a new password and logout, with nothing wider than the screen."""
    app, url = site
    context = await browser.new_context(**look)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Security" in message.text else None)
    mail: Any = app.batteries["mail"]
    with mail.recorded() as mailbox:
        await page.goto(f"{url}/me")
        assert page.url.endswith("/login?next=%2Fme")
        await page.get_by_role("link", name="Make an account").click()
        await fill(page, email="ben@example.org", display_name="<i>Ben</i>", password="password1234")
        assert await page.locator("ul.errors").get_by_text("among those that are tried first").is_visible()
        assert (
            await page.get_by_label("Password", exact=True).get_attribute("aria-describedby")
            == "id_password_help id_password_errors"
        )
        assert await page.get_by_label("Display name").input_value() == "<i>Ben</i>"
        await fill(page, password=NEW)
        assert await page.get_by_role("heading", name="Look into your mail").is_visible()
        await page.goto(mailbox[-1].links[0])
        await page.get_by_role("button", name="Confirm").click()
        assert await page.get_by_text("Your e-mail address is confirmed.").is_visible()
        await fill(page, email="ben@example.org", password="not this one")
        assert "This e-mail address and password do not go together." in await page.get_by_role("alert").inner_text()
        await fill(page, password=NEW)
        assert await page.locator("#who").inner_text() == "<i>Ben</i>"
        await page.goto(f"{url}/password-change")
        await fill(page, current=NEW, password=f"{NEW} again")
        assert await page.get_by_text("Your password is changed").is_visible()
        for path in ("/login", "/signup", "/password-reset", "/password-change", "/logout", "/verify/x"):
            await page.goto(f"{url}{path}")
            width = look["viewport"]["width"]
            box = await page.locator("article, main").first.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        await page.goto(f"{url}/logout")
        await page.get_by_role("button", name="Log out").click()
        assert await page.get_by_text("You are logged out.").is_visible()
        assert await page.locator("#who").inner_text() == "nobody"
        await page.goto(f"{url}/password-reset")
        await fill(page, email="ben@example.org")
        await page.goto(mailbox[-1].links[0])
        await fill(page, password=NEW)
        assert await page.get_by_text("Your password is set. Log in with it.").is_visible()
    assert complaints == []
    await context.close()


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_can_be_used_by_all(site: tuple[App, str], browser: Any, scheme: str, direction: str) -> None:
    """axe-core finds nothing on the pages, with errors too, and nothing is wider than a phone."""
    _, url = site
    context = await browser.new_context(viewport={"width": 390, "height": 780}, color_scheme=scheme)
    page = await context.new_page()
    for path in ("/login", "/signup", "/password-reset", "/verify", "/logout", "/password-reset/x"):
        await page.goto(f"{url}{path}")
        await page.evaluate(f"document.documentElement.dir = '{direction}'")
        assert await violations(page) == [], path
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    await page.goto(f"{url}/signup")
    await fill(page, email="ann@example.org", display_name="Ann", password="short")
    assert await violations(page) == []
    await page.goto(f"{url}/login")
    await fill(page, email="ann@example.org", password="wrong")
    assert await violations(page) == []
    await fill(page, email="ann@example.org", password=PASSWORD)
    for path in ("/password-change", "/password-confirm", "/email-change"):
        await page.goto(f"{url}{path}")
        await page.evaluate(f"document.documentElement.dir = '{direction}'")
        assert await violations(page) == [], path
    await context.close()


@pytest.mark.parametrize("look", [{"color_scheme": "light"}, {"color_scheme": "dark"}], ids=["light", "dark"])
async def test_a_new_address_in_a_browser(site: tuple[App, str], browser: Any, look: dict[str, Any]) -> None:
    """The link says why it wants a login, and to another user that it is not theirs; a button leads on.

    Who has no password is offered a link to one. axe-core finds nothing on these pages.
    """
    app, url = site
    database: Database = app.batteries["db"]  # type: ignore[assignment]
    async with database.unit():
        ann = await User.find_by_email("ann@example.org")
        assert ann is not None
        ben = await User.create(email="ben@example.org", display_name="Ben", email_verified_at=ann.email_verified_at)
        await User.where(id=ben.id).update(password_hash=ann.password_hash)
    context = await browser.new_context(viewport={"width": 390, "height": 780}, **look)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    mail: Any = app.batteries["mail"]
    with mail.recorded() as mailbox:
        await page.goto(f"{url}/login?next=/email-change")
        await fill(page, email="ann@example.org", password=PASSWORD)
        await fill(page, email="anna@example.org")
        assert await page.get_by_role("heading", name="Look into your mail").is_visible()
        link = mailbox[0].links[0]
        await page.goto(f"{url}/logout")
        await page.get_by_role("button", name="Log out").click()
        await page.goto(link)
        assert await page.get_by_text("Log in to the account that is to have the new e-mail address.").is_visible()
        assert await violations(page) == []
        await fill(page, email="ben@example.org", password=PASSWORD)
        assert await page.get_by_role("heading", name="This link is not for this account").is_visible()
        assert "ann" not in (await page.locator("main").inner_text()).lower()
        assert await violations(page) == []
        await page.get_by_role("button", name="Log out and go on").click()
        await fill(page, email="ann@example.org", password=PASSWORD)
        assert await page.get_by_role("heading", name="Confirm your new e-mail address").is_visible()
        assert await violations(page) == []
        await page.get_by_role("button", name="Confirm").click()
        assert await page.get_by_text("Your e-mail address is changed.").is_visible()
        async with database.unit():
            await User.where(id=ann.id).update(password_hash="")
        await page.goto(f"{url}/password-confirm")
        assert await violations(page) == []
        await page.get_by_role("link", name="Set a password").click()
        assert await violations(page) == []
        await page.get_by_role("button", name="Send the link").click()
        assert await page.get_by_role("heading", name="Look into your mail").is_visible()
        await page.goto(mailbox[-1].links[0])
        await fill(page, password=NEW)
        assert await page.get_by_text("Your password is set. Log in with it.").is_visible()
    await context.close()


async def test_another_site_posts_in_a_browser(site: tuple[App, str], browser: Any) -> None:
    """A form of another origin that posts to ours, with the visitor's cookies, changes nothing."""
    _, url = site
    context = await browser.new_context()
    context.set_default_timeout(10_000)
    page = await context.new_page()
    await page.goto(f"{url}/login")
    await fill(page, email="ann@example.org", password=PASSWORD)
    assert await page.locator("#who").inner_text() == "Ann"
    evil = url.replace("localhost", "127.0.0.1")  # another site, as far as the browser is concerned
    await page.route("**/evil", lambda route: route.fulfill(body=_evil(url), content_type="text/html"))
    await page.goto(f"{evil}/evil")
    async with page.expect_response(f"{url}/logout") as found:
        await page.get_by_role("button").click()
    assert (await found.value).status == 403
    await page.goto(url)
    assert await page.locator("#who").inner_text() == "Ann"
    await context.close()


def _evil(url: str) -> str:
    return f'<form method="post" action="{url}/logout"><button>Win</button></form>'
