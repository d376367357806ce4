"""The admin and the pages of accounts in German, Spanish and Arabic: no English is left over."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from demijohn import App
from demijohn._lib.translation import LazyString
from demijohn.admin import Admin, LogEntry, ModelAdmin
from demijohn.auth import Group
from demijohn.db import Database, now
from demijohn.i18n import Translations, get_language
from demijohn.testing import AsyncClient
from tests.auth.site import PASSWORD, WEAK, Article, User, make_app, make_tables

ANONYMOUS = ("/login", "/signup", "/password-reset", "/verify", "/password-reset/x", "/verify/x", "/nowhere")
INSIDE = (
    "/logout", "/password-change", "/password-confirm", "/email-change", "/email-change/x",
    "/admin/", "/admin/site-user/", "/admin/site-user/?q=none", "/admin/site-user/?is_staff=true",
    "/admin/site-user/add/", "/admin/site-user/{}/", "/admin/site-user/{}/history/", "/admin/site-user/{}/password/",
    "/admin/site-user/{}/delete/", "/admin/auth-group/", "/admin/auth-group/add/", "/admin/admin-log-entry/",
    "/admin/auth-group/1/delete/", "/admin/nowhere/", "/admin/site-user/999999/", "/admin/site-article/",
)  # fmt: skip
SHOWN = {"aria-label", "title", "placeholder", "alt"}
# What a project says itself, names, and words that are the same in another language.
OWN = re.compile(
    r"article|author|display name|@example\.org|^ann$|^[a-z_]+\.[a-z]+$|^CSV$|^Superuser$|^Name$|^No$|“none”",
    re.IGNORECASE,
)


class Texts(HTMLParser):
    """All that a page says: texts, and attributes that are read out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._silent = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent = tag in ("script", "style")
        self.found |= {value for name, value in attrs if name in SHOWN and value}

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.found.add(" ".join(data.split()))


class ArticleAdmin(ModelAdmin):
    """Named by texts that are looked up when they are shown."""

    label = LazyString(lambda: f"one-{get_language()}", (), {})  # type: ignore[assignment]
    label_plural = LazyString(lambda: f"many-{get_language()}", (), {})  # type: ignore[assignment]


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """A site with accounts and an admin, in four languages, and somebody who may do everything."""
    database = Database(f"sqlite:///{tmp_path}/test.db")
    await make_tables(database)
    async with database.unit():
        await database.run_sync(lambda session: LogEntry.__table__.create(session.connection()))  # type: ignore[attr-defined]
    hashed = await WEAK.hash(PASSWORD)
    rights = {"is_superuser": True, "is_staff": True, "email_verified_at": now()}
    async with database.unit():
        await User.create(email="ann@example.org", display_name="Ann", password_hash=hashed, **rights)
        await Group.create(name="ann")
    app = make_app(database)
    app.use(Translations(["en", "de", "es", "ar"]))
    admin = app.use(Admin(models=[User, Group, Article, LogEntry]))
    admin.register(Article)(ArticleAdmin)
    yield app
    await database.dispose()


async def read(app: App, language: str) -> dict[str, set[str]]:
    """What each page says in a language."""
    headers = {"accept": "text/html,*/*;q=0.8", "accept-language": language}
    found: dict[str, set[str]] = {}
    async with AsyncClient(app, headers=headers) as client:
        for path in ANONYMOUS:
            found[path] = Texts((await client.get(path)).text).found
        wrong = await client.post("/login", data={"email": "ann@example.org", "password": "x"})
        found["a wrong login"] = Texts(wrong.text).found
        wrong = await client.post("/signup", data={"email": "no", "password": "short", "display_name": ""})
        found["a wrong sign-up"] = Texts(wrong.text).found
        assert (await client.post("/login", data={"email": "ann@example.org", "password": PASSWORD})).status_code == 303
        (key,) = set(re.findall(r"/admin/site-user/(\d+)/", (await client.get("/admin/site-user/")).text))
        for path in INSIDE:
            page = await client.get(path.format(key))
            assert page.status_code in (200, 403, 404), path
            found[path] = Texts(page.text).found
        wrong = await client.post("/admin/auth-group/add/", data={"name": ""})
        found["a wrong group"] = Texts(wrong.text).found
    return found


async def test_no_english_is_left_over(app: App) -> None:
    """What a page says in English it says in no other language, but for words of the project and names."""
    english = await read(app, "en")
    assert len(english) == len(ANONYMOUS) + len(INSIDE) + 3
    for language in ("de", "es", "ar"):
        other = await read(app, language)
        left = {path: _foreign(texts & english[path]) for path, texts in other.items()}
        assert {path: texts for path, texts in left.items() if texts} == {}, language


def _foreign(texts: set[str]) -> set[str]:
    return {text for text in texts if re.search("[A-Za-z]{2}", text) and not OWN.search(text)}


async def test_a_model_is_called_by_the_language_of_the_visitor(app: App) -> None:
    """A lazy label of a `ModelAdmin` is looked up for each visitor."""
    for language in ("de", "ar", "de"):
        texts = (await read(app, language))["/admin/site-article/"]
        assert f"Many-{language}" in texts
