"""The admin over the accounts of `demijohn.auth`: who comes in, what groups give, who gives rights away."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from demijohn.admin import Admin, LogEntry, ModelAdmin
from demijohn.auth import Group
from demijohn.db import Database
from demijohn.testing import AsyncClient
from tests.admin.conftest import BACKENDS, url_of
from tests.admin.test_changing import fields_of
from tests.auth.site import Article, User, make_app, make_tables

LogIn = Callable[..., Awaitable[AsyncClient]]


@pytest.fixture(params=BACKENDS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Two people, a group and an article on each backend."""
    database = Database(url_of(request.param, tmp_path), connections=5)

    def log(session: Any) -> None:
        LogEntry.__table__.drop(session.connection(), checkfirst=True)  # type: ignore[attr-defined]
        LogEntry.__table__.create(session.connection())  # type: ignore[attr-defined]

    async def make() -> None:
        await make_tables(database)
        await database.run_sync(log)
        await User.create(email="root@example.org", display_name="Root", is_staff=True, is_superuser=True)
        ann = await User.create(email="ann@example.org", display_name="Ann", is_staff=True)
        ann.groups = [await Group.create(name="Editors", permissions=["article.view", "article.edit"])]
        await User.create(email="eve@example.org", display_name="Eve")
        await Article.create(title="First", author=ann)

    await database.run(make())
    yield database
    async with database.unit():
        await database.run_sync(lambda session: LogEntry.__table__.drop(session.connection()))  # type: ignore[attr-defined]
    await database.dispose()


@pytest.fixture
async def log_in(database: Database) -> AsyncIterator[LogIn]:
    """Open the admin as one of the people."""
    app = make_app(database)
    admin = app.use(Admin(models=[User, Group, Article, LogEntry]))

    @admin.register(User)
    class PlainAdmin(ModelAdmin):
        list_display = ["email", "display_name", "is_staff"]

    clients: list[AsyncClient] = []

    async def make(email: str = "") -> AsyncClient:
        client = AsyncClient(app)
        clients.append(client)
        if email:
            async with database.unit():
                user = await User.find_by_email(email)
            async with client.helper("login") as login:
                await login(user)
        return client

    yield make
    for client in clients:
        await client.aclose()
    await app.shutdown()


async def test_who_comes_in(log_in: LogIn) -> None:
    """Nobody is sent to the login page and back; others come in if they are active and staff."""
    nobody = await log_in()
    answer = await nobody.get("/admin/article/?q=x")
    assert answer.status_code == 303
    assert unquote(answer.headers["location"]) == "/login?next=/admin/article/?q=x"
    assert (await (await log_in("eve@example.org")).get("/admin/")).status_code == 403
    assert (await (await log_in("root@example.org")).get("/admin/")).status_code == 200


async def test_groups_give_rights(log_in: LogIn) -> None:
    """Staff see and change what their groups may, and nothing else."""
    ann = await log_in("ann@example.org")
    index = (await ann.get("/admin/")).text
    assert "/admin/site-article/" in index
    assert "/admin/site-user/" not in index
    assert 'name="title"' in (await ann.get("/admin/site-article/1/")).text
    for path in ("site-user/", "auth-group/", "site-article/add/", "site-article/1/delete/", "admin-log-entry/"):
        assert (await ann.get(f"/admin/{path}")).status_code == 403, path


async def test_rights_are_given_by_superusers(database: Database, log_in: LogIn) -> None:
    """Who may edit users cannot make themselves more than they are, nor touch a superuser."""
    ann = await log_in("ann@example.org")
    async with database.unit():
        group = await Group.query().one()
        group.grant("user.view", "user.edit", "user.delete", "group.view", "group.edit")
        await group.save()
    page = (await ann.get("/admin/site-user/2/")).text
    assert 'name="display_name"' in page
    assert 'name="is_superuser"' not in page
    for more in ({"is_superuser": "true"}, {"is_staff": "true"}, {"permissions": ["user.add"]}, {"groups": ["1"]}):
        assert (await ann.post("/admin/site-user/2/", data={**fields_of(page), **more})).status_code == 422
    assert (await ann.post("/admin/site-user/1/", data={"display_name": "Taken"})).status_code == 403
    for path in ("site-user/1/delete/", "site-user/2/delete/", "site-user/1/password/"):
        assert (await ann.post(f"/admin/{path}")).status_code == 403
    held = fields_of((await ann.get("/admin/auth-group/1/")).text)
    assert "permissions" not in held
    assert (await ann.post("/admin/auth-group/1/", data={**held, "permissions": ["user.add"]})).status_code == 422


async def test_a_superuser_gives_rights(database: Database, log_in: LogIn) -> None:
    """Groups and permissions are chosen from those that there are; the history tells."""
    root = await log_in("root@example.org")
    page = (await root.get("/admin/site-user/3/")).text
    assert 'value="article.publish"' in page
    assert "password_hash" not in page
    sent = {**fields_of(page), "is_staff": "true", "groups": ["1"], "permissions": ["article.publish"]}
    answer = await root.post("/admin/site-user/3/", data=sent)
    assert answer.status_code == 303, answer.text
    assert (await root.post("/admin/site-user/3/", data={**sent, "permissions": ["no.such"]})).status_code in {409, 422}
    eve = await log_in("eve@example.org")
    assert (await eve.get("/admin/site-article/")).status_code == 200
    async with database.unit():
        entry = await LogEntry.query().order_by("id").first()
    assert entry is not None
    assert entry.user_label == "root@example.org"
    assert entry.changes["groups"][2] == "Editors"


async def test_a_new_password(database: Database, log_in: LogIn) -> None:
    """A new user leads to the page for a password: it is judged, hashed, not noted, and ends their sessions."""
    root, eve = await log_in("root@example.org"), await log_in("eve@example.org")
    assert (await eve.get("/me")).status_code == 200
    sent = fields_of((await root.get("/admin/site-user/add/")).text)
    added = await root.post("/admin/site-user/add/", data={**sent, "email": "new@example.org", "display_name": "New"})
    assert added.headers["location"] == "/admin/site-user/4/password/"
    url = "/admin/site-user/3/password/"
    assert 'type="password"' in (await root.get(url)).text
    for password, again in (("short", "short"), ("eve@example.org", "eve@example.org"), ("a river of glass", "other")):
        answer = await root.post(url, data={"password": password, "again": again})
        assert answer.status_code == 422, password
        assert password not in answer.text.replace("eve@example.org", "") or "@" in password
    done = await root.post(url, data={"password": "a river of glass", "again": "a river of glass"})
    assert done.status_code == 303
    assert (await eve.get("/me")).status_code == 401
    async with database.unit():
        user = await User.find_by_email("eve@example.org")
        assert user is not None
        assert await user.check_password("a river of glass")
        entry = await LogEntry.where(object_key="3").one()
    assert "river" not in str(entry.changes)
    assert (await root.get("/admin/auth-group/1/password/")).status_code == 404


async def test_nobody_takes_over_who_may_more(database: Database, log_in: LogIn) -> None:
    """Who may change users sets neither the password nor the address of somebody who may what they may not."""
    async with database.unit():
        eve = await User.find_by_email("eve@example.org")
        assert eve is not None
        eve.is_staff = True
        eve.grant("user.view", "user.edit")
        await eve.save()
    client = await log_in("eve@example.org")
    password = {"password": "a river of glass", "again": "a river of glass"}
    page = (await client.get("/admin/site-user/2/")).text
    assert 'name="display_name"' in page
    assert 'name="email"' not in page
    assert "password/" not in page
    assert (await client.post("/admin/site-user/2/password/", data=password)).status_code == 403
    sent = {**fields_of(page), "email": "eve2@example.org"}
    assert (await client.post("/admin/site-user/2/", data=sent)).status_code == 422
    async with database.unit():
        eve = await User.find_by_email("eve@example.org")
        assert eve is not None
        eve.grant("article.view", "article.edit")
        await eve.save()
    assert 'name="email"' in (await client.get("/admin/site-user/2/")).text
    assert (await client.post("/admin/site-user/2/password/", data=password)).status_code == 303
