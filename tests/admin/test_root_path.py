"""An admin whose app lives below a path: every address that it writes begins with it."""

import re
from collections.abc import AsyncIterator, Callable, Iterable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from demijohn import App
from demijohn.admin import Admin, LogEntry, ModelAdmin
from demijohn.auth import Group
from demijohn.db import Database
from demijohn.testing import AsyncClient
from demijohn.testing.harness import Harness
from tests.admin.shop import Base, Comment, Door, Post, Tag
from tests.admin.test_changing import fields_of
from tests.auth.site import PASSWORD, WEAK, Article, User, make_app, make_tables

ROOT = "/shop"
PAGES = (
    "",
    "post/",
    "post/?q=Post&kind=essay&sort=-title&choose=author",
    "post/?when=2025-01",
    "post/?page=2",
    "tag/?q=nothing",
    "post/add/",
    "post/1/",
    "post/1/history/",
    "post/1/delete/",
    "writer/2/delete/",
    "tag/1/password/",
    "post/999/",
)
BROWSER = {"accept": "text/html"}


class Below:
    """Hands requests to an app as a server does that was told a root path (Any: by the specification of ASGI)."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] != "lifespan":
            scope = {**scope, "root_path": ROOT}
        await self.app(scope, receive, send)


class PostAdmin(ModelAdmin):
    list_display = ["title", "author", "published"]
    list_filter = ["kind", "author"]
    list_per_page = 5
    date_hierarchy = "created_at"
    readonly_fields = ["editor"]

    def has_change_permission(self, user: Any, obj: Any = None) -> bool:
        return obj is None or obj.slug != "post-2"  # whose page shows, with links to its relations


def addresses(page: str) -> list[str]:
    """The addresses that a page leads to, sends forms to, loads, or goes back to."""
    found = re.findall(r'(?:href|action|src|hx-get|formaction)="([^"]*)"', page)
    found += re.findall(r'name="next" value="([^"]*)"', page)
    return [unescape(one) for one in found if not one.startswith("#")]


def strays(found: Iterable[str]) -> list[str]:
    """Those that lead out of the root path."""
    return [one for one in found if not one.startswith(f"{ROOT}/")]


def leads(answer: httpx2.Response) -> str:
    """Where a redirect leads."""
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


@pytest.fixture
async def shop(sqlite: Database, door: Door) -> AsyncIterator[AsyncClient]:
    """A client of a filled shop below a path, with a page of its own."""
    app = App()
    app.use(sqlite)
    admin = app.use(Admin(models=[Base, LogEntry], access=door))
    admin.register(Post)(PostAdmin)

    @admin.page("/reports", title="Reports")
    def reports() -> str:
        return "reports"

    async with AsyncClient(Below(app)) as client:
        yield client


async def test_links_and_forms_stay_below(shop: AsyncClient) -> None:
    """Each link, form and file of each page is below the root path, and so are errors, questions and messages."""
    for path in (*PAGES, "post/3/"):
        page = await shop.get(f"{ROOT}/admin/{path}", headers=BROWSER)
        found = addresses(page.text)
        assert strays(found) == [], path
        assert f"{ROOT}/admin/" in found, path
        assert f"{ROOT}/admin/post/add/" in found, path
        assert f"{ROOT}/admin/-/theme" in found, path
        assert f"{ROOT}/" in found, path
    shown = (await shop.get(f"{ROOT}/admin/post/3/")).text
    assert f'href="{ROOT}/admin/tag/1/"' in shown
    assert f'href="{ROOT}/admin/writer/1/"' in shown
    listed = addresses((await shop.get(f"{ROOT}/admin/post/")).text)
    assert f"{ROOT}/admin/post/12/" in listed
    assert f"{ROOT}/admin/post/?sort=title" in listed
    own = (await shop.get(f"{ROOT}/admin/post/")).text
    assert f'href="{ROOT}/admin/reports"' in own
    asked = await shop.post(f"{ROOT}/admin/post/", data={"action": "delete_selected", "selected": ["1", "2"]})
    assert "Deleted along" in asked.text
    assert f"{ROOT}/admin/comment/1/" in addresses(asked.text)
    assert strays(addresses(asked.text)) == []


async def test_redirects_stay_below(shop: AsyncClient, sqlite: Database) -> None:
    """Adding, changing, deleting, actions, colours: each leads on below the root path."""
    new = {"name": "oak", "_once": "a-token-of-this-form"}
    for button, to in (("_save", "tag/"), ("_another", "tag/add/"), ("_continue", "tag/5/")):
        sent = {**new, "name": f"oak{button}", "_once": button, button: ""}
        if button == "_continue":
            async with sqlite.unit():
                last = await Tag.query().order_by("-id").limit(1).one()
            to = f"tag/{last.id + 1}/"
        assert leads(await shop.post(f"{ROOT}/admin/tag/add/", data=sent)) == f"{ROOT}/admin/{to}"
    again = leads(await shop.post(f"{ROOT}/admin/tag/add/", data={"name": "x", "_once": "_save"}))
    assert re.fullmatch(rf"{ROOT}/admin/tag/\d+/", again)
    said = await shop.get(f"{ROOT}/admin/tag/")
    assert "Open it" in said.text
    assert strays(addresses(said.text)) == []
    held = fields_of((await shop.get(f"{ROOT}/admin/tag/1/")).text)
    changed = await shop.post(f"{ROOT}/admin/tag/1/", data={**held, "name": "ash"})
    assert leads(changed) == f"{ROOT}/admin/tag/"
    assert leads(await shop.post(f"{ROOT}/admin/post/1/delete/")) == f"{ROOT}/admin/post/"
    chosen = {"action": "delete_selected", "selected": ["4"], "confirmed": "1"}
    assert leads(await shop.post(f"{ROOT}/admin/post/?q=Post", data=chosen)) == f"{ROOT}/admin/post/?q=Post"
    nothing = await shop.post(f"{ROOT}/admin/post/", data={"action": "delete_selected"})
    assert leads(nothing) == f"{ROOT}/admin/post/"
    themed = await shop.post(f"{ROOT}/admin/-/theme", data={"theme": "dark", "next": "https://evil.example"})
    assert leads(themed) == f"{ROOT}/admin/"
    assert f"Path={ROOT}/admin" in themed.headers["set-cookie"]
    async with sqlite.unit():
        assert await Comment.query().count() == 10


async def test_accounts_stay_below(sqlite: Database) -> None:
    """The login page leads back below the root path; logging in and out without a page to go to stays there."""

    def log(session: Any) -> None:
        LogEntry.__table__.drop(session.connection(), checkfirst=True)  # type: ignore[attr-defined]
        LogEntry.__table__.create(session.connection())  # type: ignore[attr-defined]

    async with sqlite.unit():
        await make_tables(sqlite)
        await sqlite.run_sync(log)
        root = await User.create(
            email="root@example.org",
            display_name="Root",
            is_staff=True,
            is_superuser=True,
            password_hash=await WEAK.hash(PASSWORD),
        )
    app = make_app(sqlite)
    app.use(Admin(models=[User, Group, Article, LogEntry]))
    async with AsyncClient(Below(app), harness=Harness(app)) as client:
        to = urlsplit(leads(await client.get(f"{ROOT}/admin/article/?q=x")))
        assert to.path == f"{ROOT}/login"
        assert parse_qs(to.query)["next"] == [f"{ROOT}/admin/article/?q=x"]
        async with client.helper("login") as login:
            await login(root)
        page = (await client.get(f"{ROOT}/admin/site-user/1/password/")).text
        assert strays(addresses(page)) == []
        assert f'action="{ROOT}/logout"' in page
        assert leads(await client.get(f"{ROOT}/login", headers=BROWSER)) == f"{ROOT}/"
        changed = {"current": PASSWORD, "password": "another one, unopened"}
        assert leads(await client.post(f"{ROOT}/password-change", data=changed, headers=BROWSER)) == f"{ROOT}/"
        assert leads(await client.post(f"{ROOT}/logout", headers=BROWSER)) == f"{ROOT}/"
