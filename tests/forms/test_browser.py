"""Forms and generic views in Chromium: what people see, click and type, with JavaScript and without."""

import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest

from demijohn import App, Fields, Page, redirect
from demijohn.forms import ModelForm, ModelViews, Rows
from demijohn.testing import LiveServer
from tests.axe import violations
from tests.forms.shop import Label, Maker, Order, Product

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1100, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1100, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 800}},
}


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    """A browser of the test's own."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=os.environ["DEMIJOHN_TEST_CHROMIUM"], args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def site(shop: App) -> AsyncIterator[str]:
    """A site with forms and views, and many makers to search."""

    @shop.route("/product", methods=["GET", "POST"])
    async def product(
        form: Annotated[ModelForm[Product], Fields("name", "code", "price", "about", "is_shown", "maker", "labels")],
    ) -> Any:
        if made := await form.save_if_valid():
            return redirect(f"/products/{made.code}")
        return Page("form.html", form=form)

    @shop.route("/order", methods=["GET", "POST"])
    async def order(
        form: Annotated[ModelForm[Order], Fields("customer"), Rows("lines", "text", "count", order="place", maximum=4)],
    ) -> Any:
        if await form.save_if_valid():
            return redirect("/orders")
        return Page("form.html", form=form)

    @shop.get("/orders")
    async def orders() -> Any:
        return [
            [line.text for line in sorted(one.lines, key=lambda line: line.place)] for one in await Order.query().all()
        ]

    @shop.route("/quick", methods=["GET", "POST"])
    async def quick(form: Annotated[ModelForm[Label], Fields("name")]) -> Any:
        if await form.save_if_valid():
            return redirect("/orders")
        return Page("quick.html", form=form)

    class Products(ModelViews[Product], fields=("name", "code", "price", "maker")):
        list_display = ("name", "maker", "price", "is_shown", "made_at")
        lookup = "code"

    shop.include(Products.blueprint(), prefix="/products")
    assert shop.template_folder is not None
    (shop.template_folder / "quick.html").write_text(
        "{% extends 'demijohn/base.html' %}{% block title %}Quick{% endblock %}"
        "{% block content %}<h1>Quick</h1>{{ form.render(htmx=true) }}{% endblock %}"
    )
    database: Any = shop.batteries["db"]

    @shop.on_startup
    async def more() -> None:
        async with database.unit():
            for number in range(120):
                await Maker(name=f"Maker {number:03}").save()

    async with LiveServer(shop) as server:
        yield server.url


async def open_page(browser: Any, look: str = "light", **options: Any) -> tuple[Any, list[str]]:
    """Open a page, and gather what its console says."""
    context = await browser.new_context(**LOOKS[look], **options)
    page = await context.new_page()
    said: list[str] = []
    # /orders is no page of ours, so that the browser asks for an icon that there is not
    page.on("console", lambda message: said.append(message.text) if "404" not in message.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return page, said


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("look", list(LOOKS))
async def test_pages_can_be_used_by_all(browser: Any, site: str, look: str, direction: str) -> None:
    """axe-core finds nothing on forms, with and without errors, and on views; nothing is wider than the window."""
    page, said = await open_page(browser, look)
    for path in ("/product", "/order", "/products/", "/products/cup", "/products/new", "/products/cup/delete"):
        await page.goto(site + path)
        await page.evaluate(f"document.documentElement.dir = '{direction}'")
        assert await violations(page) == [], path
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    assert said == []
    for path in ("/product", "/order"):
        await page.goto(site + path)
        await page.evaluate("document.querySelector('form').noValidate = true")
        await page.click(".actions button")
        await page.wait_for_selector(".error-summary")
        assert await violations(page) == [], path
    assert all("422" in text for text in said), said


async def test_errors_are_found_by_keyboard(browser: Any, site: str) -> None:
    """The summary has the focus, and its links lead to the fields."""
    page, _said = await open_page(browser)
    await page.goto(f"{site}/product")
    await page.evaluate("document.querySelector('form').noValidate = true")
    await page.click(".actions button")
    await page.wait_for_selector(".error-summary")
    assert await page.evaluate("document.activeElement.className") == "error-summary"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "id_name"


async def test_the_browser_checks_what_the_field_says(browser: Any, site: str) -> None:
    """Constraints of the model hold in the browser: nothing is sent until they do."""
    page, said = await open_page(browser)
    await page.goto(f"{site}/product")
    await page.fill("#id_name", "Jug")
    await page.fill("#id_code", "Not a code")
    await page.fill("#id_price", "2000")
    assert await page.evaluate("document.querySelector('#id_code').validity.patternMismatch")
    assert await page.evaluate("document.querySelector('#id_price').validity.rangeOverflow")
    await page.fill("#id_code", "a-code")
    assert await page.evaluate("document.querySelector('#id_code').validity.valid")
    assert said == []


async def test_a_relation_is_searched(browser: Any, site: str) -> None:
    """Typing into the search exchanges the choices; what was typed elsewhere stays."""
    page, said = await open_page(browser)
    await page.goto(f"{site}/product")
    await page.fill("#id_name", "Jug")
    await page.type("#id_maker_search", "maker 077", delay=20)
    await page.wait_for_selector("#id_maker option:nth-child(3)", state="detached")
    assert await page.input_value("#id_maker_search") == "maker 077"
    await page.select_option("#id_maker", label="Maker 077")
    await page.fill("#id_code", "jug")
    await page.fill("#id_price", "3")
    await page.fill("#id_about", "About")
    await page.click(".actions button")
    await page.wait_for_url("**/products/jug")
    assert "Maker 077" in await page.inner_text("main")
    assert said == []


@pytest.mark.parametrize("javascript", [True, False])
async def test_rows_are_added_moved_and_removed(browser: Any, site: str, javascript: bool) -> None:
    """Buttons change the rows, by htmx without leaving the page, and without JavaScript by sending the form."""
    page, said = await open_page(browser, java_script_enabled=javascript)
    await page.goto(f"{site}/order")
    await page.fill("#id_customer", "Ann")
    await page.fill("#id_lines-0-text", "one")
    await page.click("text=Add another")
    await page.wait_for_selector("#id_lines-1-text")
    await page.fill("#id_lines-1-text", "two")
    await page.click("text=Add another")
    await page.wait_for_selector("#id_lines-2-text")
    await page.fill("#id_lines-2-text", "three")
    await page.click("button[value='up:lines:2']")
    await page.wait_for_selector("#id_lines-1-text[value='three']")
    await page.click("button[value='remove:lines:0']")
    await page.wait_for_selector("#id_lines-2-text", state="detached")
    assert await page.input_value("#id_customer") == "Ann"
    await page.click(".actions button")
    await page.wait_for_url("**/orders")
    assert await page.inner_text("body") == '[["three","two"]]'
    assert said == []


async def test_htmx_keeps_the_page(browser: Any, site: str) -> None:
    """A form that htmx sends comes back with its errors in its place, and leads the page on when it is right."""
    page, _said = await open_page(browser)
    await page.goto(f"{site}/quick")
    await page.evaluate("window.stays = true")
    await page.fill("#id_name", "blue")
    await page.click(".actions button")
    await page.wait_for_selector(".error-summary")
    assert await page.evaluate("window.stays")
    assert "This value is taken already." in await page.inner_text("form")
    assert await page.locator("h1").count() == 1
    await page.fill("#id_name", "yellow")
    await page.click(".actions button")
    await page.wait_for_url("**/orders")


async def test_a_list_is_searched_while_one_types(browser: Any, site: str) -> None:
    """The results alone are exchanged, and the address says what is shown."""
    page, said = await open_page(browser)
    await page.goto(f"{site}/products/")
    await page.type("[name=q]", "nothing", delay=10)
    await page.wait_for_selector(".empty")
    assert "q=nothing" in page.url
    assert await page.input_value("[name=q]") == "nothing"
    assert said == []


async def test_htmx_gets_the_form_and_no_page(browser: Any, site: str) -> None:
    """What comes back to a form, its rows and a search within it is the form: with errors, filled again, as 422."""
    page, said = await open_page(browser)
    answers: list[tuple[int, str]] = []

    async def note(response: Any) -> None:
        if response.request.method == "POST" and "hx-request" in response.request.headers:
            answers.append((response.status, await response.text()))

    page.on("response", note)
    await page.goto(f"{site}/quick")
    await page.evaluate("document.querySelectorAll('form').forEach(form => form.noValidate = true)")
    async with page.expect_response(lambda response: response.request.method == "POST") as sent:
        await page.get_by_role("button", name="Save").click()
    await (await sent.value).finished()
    await page.locator(".error-summary").wait_for()
    assert await page.get_by_role("heading", name="Quick").is_visible()  # the rest of the page stays
    await page.goto(f"{site}/order")
    async with page.expect_response(lambda response: response.request.method == "POST") as sent:
        await page.get_by_role("button", name="Add another").click()
    await (await sent.value).finished()
    await page.locator('[name="lines-1-text"]').wait_for()
    await page.goto(f"{site}/product")
    async with page.expect_response(lambda response: response.request.method == "POST") as sent:
        await page.get_by_label("Search Maker").press_sequentially("Maker 077")
    await page.locator("option", has_text="Maker 077").wait_for(state="attached")
    assert [status for status, _text in answers[:2]] == [422, 200]
    assert len(answers) >= 3
    for _status, text in answers:
        assert text.startswith("<form ")
        assert text.endswith("</form>")
    assert [line for line in said if "422" not in line] == []
    await page.context.close()
