"""The safe defaults in a real browser: what it sends, what it runs, and what it stops."""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from demijohn import App, Request, Secret, Settings
from demijohn.http import html
from demijohn.middleware import CORS, Security, SecurityHeaders, csp_nonce, csrf_token
from demijohn.testing import TestClient

pytestmark = pytest.mark.browser

SETTINGS = Settings(secret_key=Secret("a7c1f09e5b2d48836e4f0c9b1d75a2e8"))
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["DEMIJOHN_TEST_CHROMIUM"], args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that has no cookies yet; its console is kept."""
    context = browser.new_context()
    page = context.new_page()
    page.console = []  # type: ignore[attr-defined]
    page.on("console", lambda message: page.console.append(message.text))  # type: ignore[attr-defined]
    yield page
    context.close()


def serve(stack: ExitStack, app: App) -> str:
    """Serve an app on a free port, and return its URL."""
    client = stack.enter_context(TestClient(app, live=True))
    return str(client.base_url).rstrip("/")


def site(**options: Any) -> App:
    app = App(settings=SETTINGS, **options)

    @app.get("/form")
    async def form(request: Request) -> Any:
        token = csrf_token(request)
        return html(
            '<!doctype html><title>form</title><link rel="icon" href="data:,"><form method="post" action="/take">'
            '<input type="hidden" name="csrf_token" value="{}"><input name="name" value="Ann"><button>Send</button>',
            token,
        )

    @app.post("/take")
    async def take(request: Request) -> Any:
        return html(
            '<!doctype html><title>taken</title><link rel="icon" href="data:,">taken {}',
            str((await request.form())["name"]),
        )

    @app.get("/scripts")
    async def scripts(request: Request) -> Any:
        return html(
            "<!doctype html><title>scripts</title><body><script nonce={}>document.title = 'with nonce'</script>"
            "<script>document.title = 'without nonce'</script>"
            "<style nonce={}>body {{ color: rgb(1, 2, 3) }}</style><p onclick='x()'>text</p>",
            csp_nonce(request),
            csp_nonce(request),
        )

    return app


def test_a_form_of_our_own(page: Page) -> None:
    """A form of our own page is taken, with nothing in the console."""
    with ExitStack() as stack:
        ours = serve(stack, site())
        page.goto(f"{ours}/form")
        page.click("button")
        assert page.inner_text("body") == "taken Ann"
        assert page.console == []  # type: ignore[attr-defined]


def test_a_form_of_another_site(page: Page) -> None:
    """A form on another site, sent by its visitor's browser with our cookie, is refused; a trusted site's is taken."""
    evil = App(settings=SETTINGS, security=Security(headers=no_policy()))

    @evil.get("/")
    async def trap(to: str) -> Any:
        return html('<form method="post" action="{}"><input name="name" value="Eve"><button>Win</button></form>', to)

    with ExitStack() as stack:
        other = serve(stack, evil).replace("127.0.0.1", "localhost")
        ours = serve(stack, site())
        friendly = serve(stack, site(security=Security(trusted_origins=[other])))
        for to, said in ((ours, "another site"), (friendly, "taken Eve")):
            page.goto(f"{to}/form")
            page.goto(f"{other}/?to={to}/take")
            page.click("button")
            assert said in page.inner_text("body")


def test_scripts_with_and_without_a_nonce(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    """Inline code with the nonce runs, without it does not, and in development the log says what to write."""
    with ExitStack() as stack, caplog.at_level(logging.WARNING, "demijohn.security"):
        ours = serve(stack, site(debug=True))
        with page.expect_response("**/csp-report"):
            page.goto(f"{ours}/scripts")
        page.wait_for_load_state("networkidle")
        assert page.title() == "with nonce"
        assert page.eval_on_selector("p", "element => getComputedStyle(element).color") == "rgb(1, 2, 3)"
    assert '<script nonce="{{ csp_nonce() }}">' in caplog.text


def test_scripts_of_other_origins(page: Page) -> None:
    """`fetch` from an allowed origin may read and send, with a preflight; from another it may not."""
    app = App(settings=SETTINGS)
    caller = App(settings=SETTINGS, security=Security(headers=no_policy()))

    @caller.get("/")
    async def blank() -> Any:
        return html("<!doctype html><title>caller</title>")

    @app.route("/items", methods=["GET", "PUT"])
    async def items() -> list[str]:
        return ["one"]

    ask = """async ([url, method]) => {
        try {
            const headers = {"content-type": "application/json"};
            return await (await fetch(url, {method, headers, credentials: "include"})).text();
        } catch (error) {
            return "refused";
        }
    }"""
    with ExitStack() as stack:
        theirs = serve(stack, caller)
        app.middleware(CORS([theirs.replace("127.0.0.1", "localhost")], credentials=True))
        ours = serve(stack, app)
        for origin, answer in ((theirs.replace("127.0.0.1", "localhost"), '["one"]'), (theirs, "refused")):
            page.goto(origin)
            for method in ("GET", "PUT"):
                assert page.evaluate(ask, [f"{ours}/items", method]) == answer


def no_policy() -> SecurityHeaders:
    """Headers of a site that protects itself from nothing, and whose forms say where they come from."""
    return SecurityHeaders(content_security_policy=None, opener_policy=None, referrer_policy=None)
