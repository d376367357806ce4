"""The admin in Chromium: with a script and without, wide and narrow, light and dark, by keyboard, read by axe."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from demijohn import App
from demijohn.admin import Admin, LogEntry, ModelAdmin, TabularInline, action
from demijohn.db import Database
from demijohn.testing import TestClient
from tests.admin.shop import Base, Comment, Door, Post, fill
from tests.axe import SOURCE
from tests.examples.conftest import ARGUMENTS

pytestmark = pytest.mark.browser


class CommentInline(TabularInline):
    model = Comment
    fields = ["text"]


class PostAdmin(ModelAdmin):
    list_display = ["title", "author", "kind", "published", "price", "tags", "created_at"]
    list_filter = ["published", "author", "created_at"]
    date_hierarchy = "created_at"
    prepopulated_fields = {"slug": ["title"]}
    inlines = [CommentInline]
    actions = ["publish"]
    list_per_page = 10

    @action(label="Publish")
    async def publish(self, posts: Any) -> str:
        return f"{await posts.update(published=True)} published."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an app with an admin."""
    folder: Path = tmp_path_factory.mktemp("admin")
    app = App()
    database = app.use(Database(f"sqlite:///{folder}/site.db"))
    app.use(Admin(models=[Base, LogEntry], access=Door())).register(Post)(PostAdmin)

    @app.on_startup
    async def start() -> None:
        async def make() -> None:
            await database.create_all(Base)
            await database.run_sync(lambda session: LogEntry.__table__.create(session.connection()))  # type: ignore[attr-defined]
            await fill()

        await database.run(make())

    with TestClient(app, live=True) as client:
        yield str(client.base_url).rstrip("/") + "/admin"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["DEMIJOHN_TEST_CHROMIUM"], args=ARGUMENTS)
        yield browser
        browser.close()


def open_page(browser: Browser, **options: Any) -> tuple[Page, list[str]]:
    """A page, and what its console complains of: violations of the policy among it."""
    page = browser.new_context(**options).new_page()
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "status of 4" not in message.text:
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return page, errors


def test_a_day_in_the_admin(site: str, browser: Browser) -> None:
    """Search by a key, choose rows, filter, add with a slug that follows, add a row, save, read the history."""
    page, errors = open_page(browser, viewport={"width": 1280, "height": 800})
    page.goto(f"{site}/post/")
    expect(page.locator(".bulk")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("Post 0")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=Post*")
    boxes = page.locator('[name="selected"]')
    boxes.nth(1).check()
    boxes.nth(3).click(modifiers=["Shift"])
    expect(page.locator("[data-count]")).to_contain_text("3")
    page.get_by_role("button", name="Publish").click()
    expect(page.locator(".message")).to_contain_text("3 published.")

    page.goto(f"{site}/post/")
    page.locator("#filter-author a").click()
    page.get_by_label("Find Author").fill("bo")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Bob", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(4)
    expect(page.locator(".chip")).to_contain_text("Author: Bob")

    page.get_by_role("link", name="Add post", exact=True).click()
    page.get_by_label("Title").fill("")
    page.get_by_label("Title").press_sequentially("Über die Flasche")
    expect(page.get_by_label("Slug")).to_have_value("uber-die-flasche")
    page.get_by_label("Author").select_option(label="Ann")
    page.get_by_role("button", name="Add another", exact=True).click()
    expect(page.locator(".inline .row")).to_have_count(2)
    expect(page.get_by_label("Title")).to_have_value("Über die Flasche")
    page.locator('[name="comments-0-text"]').fill("A first word")
    page.get_by_role("button", name="Save and continue").click()
    expect(page.locator(".message.success")).to_contain_text("was added")
    page.get_by_role("link", name="History", exact=True).click()
    expect(page.locator(".timeline .diff")).to_contain_text("A first word")
    assert errors == []


def test_everything_works_without_a_script(site: str, browser: Browser) -> None:
    """Filters by relation, choosing, acting with a question, saving and the menu of a phone need no JavaScript."""
    page, _errors = open_page(browser, java_script_enabled=False, viewport={"width": 390, "height": 800})
    page.goto(f"{site}/post/")
    expect(page.locator("#menu")).to_be_hidden()
    page.get_by_role("link", name="Menu", exact=True).click()
    expect(page.locator("#menu")).to_be_visible()
    page.get_by_role("link", name="Tags", exact=True).click()
    expect(page.locator("h1")).to_contain_text("Tags")
    page.goto(f"{site}/post/")
    page.locator("#filter-author a").click()
    page.locator("#filter-author").get_by_role("link", name="Ann", exact=True).click()
    expect(page.locator(".chip")).to_contain_text("Ann")
    page.locator('[name="selected"]').first.check()
    expect(page.locator(".bulk")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("h1")).to_contain_text("Delete: 1 post")
    page.get_by_role("link", name="No, go back").click()
    page.goto(f"{site}/tag/1/")
    page.get_by_label("Name").fill("snake")
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.locator(".message.success")).to_contain_text("snake")
    page.goto(f"{site}/tag/1/history/")
    expect(page.locator(".diff")).to_contain_text("snake")


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_page_is_wider_than_the_screen(site: str, browser: Browser, width: int) -> None:
    """Nothing but the table of a list scrolls sideways, on any screen."""
    page, errors = open_page(browser, viewport={"width": width, "height": 800})
    for path in ("", "post/", "post/2/", "post/add/", "post/2/history/", "writer/1/delete/", "admin-log-entry/"):
        page.goto(f"{site}/{path}")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path}: {wide}"
    assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_axe_finds_nothing(site: str, browser: Browser, scheme: Any, direction: str) -> None:
    """Contrast, names, roles, targets: WCAG 2.2 AA and the best practices, on a wide screen and a narrow one."""
    found = []
    for size in ({"width": 1280, "height": 800}, {"width": 390, "height": 800}):
        page, _errors = open_page(browser, viewport=size, color_scheme=scheme)
        for path in ("", "post/", "post/?choose=author&published=true", "post/2/", "post/add/", "post/2/history/",
                     "writer/1/delete/", "post/1/delete/", "post/?q=nothing", "admin-log-entry/"):  # fmt: skip
            page.goto(f"{site}/{path}")
            page.evaluate(f"document.documentElement.dir = {json.dumps(direction)}")
            page.evaluate(SOURCE)
            tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
            report = page.evaluate(f"axe.run(document, {{runOnly: {json.dumps(tags)}}})")
            found += [(path, one["id"], one["nodes"][0]["target"]) for one in report["violations"]]
        page.close()
    assert found == []
