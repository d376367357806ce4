"""The admin in Chromium: with a script and without, wide and narrow, light and dark, by keyboard, read by axe."""

import json
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright

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


def turn(page: Page, direction: str) -> None:
    """Have pages arrive in a direction, so that nothing is laid out in another one first."""

    def answer(route: Route) -> None:
        if route.request.resource_type != "document":
            route.continue_()
            return
        response = route.fetch()
        assert 'dir="ltr"' in response.text()
        route.fulfill(response=response, body=response.text().replace('dir="ltr"', f'dir="{direction}"', 1))

    page.route("**/*", answer)


def settle(page: Page) -> None:
    """Wait until fonts are there and the page was laid out with them."""
    page.evaluate(
        "document.fonts.ready.then(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))"
    )


BOXES = """
[...document.querySelectorAll("thead a, .bar :is(a, input, summary, [open] .menu)")].map(one => {
  const box = one.getBoundingClientRect()
  const kind = one.closest("thead") ? "head" : one.classList.contains("menu") ? "menu" : "bar"
  return [kind, box.x, box.y, box.width, box.height]
})
"""


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_targets_of_a_list_can_be_hit_at_every_width(site: str, browser: Browser, direction: str) -> None:
    """Links of heads are 24 pixels wide and high, apart from each other, and nothing that is open lies over them."""
    page, errors = open_page(browser, viewport={"width": 1280, "height": 800})
    turn(page, direction)
    page.goto(f"{site}/post/?choose=author&sort=title,-price")
    expect(page.locator("th[aria-sort]")).to_have_count(2)
    expect(page.locator("thead a.unsort")).to_have_count(2)
    for width in range(780, 1420, 23):
        page.set_viewport_size({"width": width, "height": 800})
        settle(page)
        boxes = page.evaluate(BOXES)
        heads = [box[1:] for box in boxes if box[0] == "head"]
        assert all(box[2] >= 24 and box[3] >= 24 for box in heads), (width, heads)
        rows = sorted((round(y), x, wide) for x, y, wide, _high in heads)
        for before, after in pairwise(rows):
            assert before[0] != after[0] or before[1] + before[2] <= after[1] + 0.5, (width, before, after)
        lowest = max(box[2] + box[4] for box in boxes if box[0] == "menu")
        assert lowest <= min(box[1] for box in heads), width
    assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_axe_finds_nothing(site: str, browser: Browser, scheme: Any, direction: str) -> None:
    """Contrast, names, roles, targets: WCAG 2.2 AA and the best practices, on a wide screen and a narrow one."""
    found = []
    for size in ({"width": 1280, "height": 800}, {"width": 390, "height": 800}):
        page, _errors = open_page(browser, viewport=size, color_scheme=scheme)
        turn(page, direction)
        for path in ("", "post/", "post/?choose=author&published=true", "post/2/", "post/add/", "post/2/history/",
                     "writer/1/delete/", "post/1/delete/", "post/?q=nothing", "admin-log-entry/"):  # fmt: skip
            page.goto(f"{site}/{path}")
            settle(page)
            page.evaluate(SOURCE)
            tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
            report = page.evaluate(f"axe.run(document, {{runOnly: {json.dumps(tags)}}})")
            found += [(path, one["id"], one["nodes"][0]["target"]) for one in report["violations"]]
        page.close()
    assert found == []
