"""The page of the document: readable without a script, escaped, in the language of the reader; tried in Chromium."""

import os
import re
from typing import Annotated

import pytest

from demijohn import App, Query
from demijohn.i18n import Prefix, Translations
from demijohn.openapi import OpenAPI, describe
from demijohn.testing import TestClient


def site() -> App:
    app = App()
    app.use(OpenAPI("<Shop> & Co", description="Sells `<things>`."))

    @app.get("/api/sum/{a:int}")
    @describe(description="Adds </script><script>alert(1)</script>.")
    async def add(a: int, b: Annotated[int, Query(le=9)] = 1) -> dict[str, int]:
        """Add two numbers."""
        return {"sum": a + b}

    return app


def test_the_page_is_readable_and_escaped() -> None:
    """Everything stands in the HTML, what people wrote is text, and all that is loaded is ours and hashed."""
    with TestClient(site()) as client:
        response = client.get("/docs")
        assert response.status_code == 200
        text = response.text
        loaded = re.findall(r'(?:href|src)="(/__demijohn__[^"]+)"', text)
        assert len(loaded) == 2
        for url in loaded:
            assert "immutable" in client.get(url).headers["cache-control"]
    assert "&lt;Shop&gt; &amp; Co" in text
    assert "<code>&lt;things&gt;</code>" in text
    assert "<script>alert" not in text
    assert "Add two numbers" in text
    assert not re.search(r"https?://", text)
    assert not re.search(r"\son\w+=|style=|<style", text)
    assert "script-src 'self'" in response.headers["content-security-policy"]


def test_the_page_speaks_the_language_of_the_reader() -> None:
    """Beside translations its own words are translated, and its links keep the prefix."""
    app = site()
    app.use(Translations(["en", "de", "ar"], prefix=Prefix(exempt=())))
    with TestClient(app) as client:
        text = client.get("/de/docs").text
        assert "Ausprobieren" in text
        assert 'href="/de/openapi.json"' in text
        assert 'dir="rtl"' in client.get("/ar/docs").text


@pytest.mark.browser
def test_an_operation_can_be_tried_in_a_browser() -> None:
    """Under the strict policy a request is sent from the page and its answer shown; finding hides the rest."""
    from playwright.sync_api import sync_playwright

    path = os.environ["DEMIJOHN_TEST_CHROMIUM"]
    with TestClient(site(), live=True) as client, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--headless", "--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        page.goto(str(client.base_url).rstrip("/") + "/docs")
        page.locator("#add summary").click()
        page.locator("#add input[name=a]").fill("4")
        page.locator("#add input[name=b]").fill("5")
        page.locator("#add button").click()
        page.wait_for_selector("#add output pre")
        assert '"sum": 9' in page.locator("#add output pre").inner_text()
        page.locator("#filter").fill("nowhere")
        assert page.locator("nav li:visible").count() == 0
        assert wrong == []
        browser.close()
