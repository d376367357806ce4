"""The newsroom, served: every row of its front page leads somewhere that works, for readers, writers and editors."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.axe import SOURCE
from tests.house.repository import ROOT

pytestmark = pytest.mark.slow

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site, with a database of its own."""
    folder = tmp_path_factory.mktemp("newsroom")
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "demijohn", "run", str(ROOT / "examples" / "newsroom" / "app.py"), "--port", "0"],
            cwd=folder,
            stdout=output,
            stderr=output,
            env={**os.environ, "DEMIJOHN_TOOLBAR": "0"},
        )
    found = None
    for _ in range(600):
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        if found or server.poll() is not None:
            break
        time.sleep(0.1)
    assert found, log.read_text()
    yield f"http://localhost:{found[1]}"
    server.send_signal(signal.SIGINT)
    server.wait(20)


@pytest.fixture
def reader(site: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=site, headers=HTML, timeout=30) as client:
        yield client


@pytest.fixture
def editor(site: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=site, headers={**HTML, "sec-fetch-site": "same-origin"}, timeout=30) as client:
        assert client.post("/demo-login/editor").status_code == 302
        yield client


def rows_of(page: str) -> list[tuple[str, str]]:
    """The link and the test of each row of the front page."""
    return re.findall(r'<td><a href="([^"]+)">[^<]+</a></td><td><code>([^<]+)</code>', page)


def test_every_row_is_shown_and_held(reader: httpx2.Client, editor: httpx2.Client) -> None:
    """Each link answers, to a reader or to an editor, and each test is there."""
    rows = rows_of(reader.get("/").text)
    assert len(rows) == 27
    for link, test in rows:
        assert (ROOT / test).exists(), test
        answer = reader.get(link)
        if answer.status_code == 303:
            assert answer.headers["location"].startswith("/login")
            answer = editor.get(link)
        assert answer.status_code == (500 if link == "/fail" else 200), (link, answer.text[:500])


def test_one_url_in_five_formats(reader: httpx2.Client) -> None:
    """The same handler answers as a page, JSON, XML, CSV and YAML."""
    assert "The bottle that outlived its ship" in reader.get("/news").text
    found = json.loads(reader.get("/news.json").text)
    assert len(found["articles"]["items"]) == 6
    assert "<title>" in reader.get("/news.xml").text
    assert list(csv.reader(reader.get("/news.csv").text.splitlines()))
    assert "title: " in reader.get("/news.yaml").text
    assert reader.get("/news", headers={"accept": "application/json"}).headers["content-type"] == "application/json"


def test_nothing_private_comes_out(reader: httpx2.Client) -> None:
    """Hashes of passwords, stamps and addresses of people are in no format."""
    for link in ("/news.json", "/news.xml", "/news.csv", "/news.yaml"):
        text = reader.get(link).text
        assert "password" not in text
        assert "session_stamp" not in text


def test_four_languages(reader: httpx2.Client) -> None:
    """The site and the framework's own texts speak English, German, Spanish and Arabic."""
    for path, language, word in (
        ("/news", "en", "News"),
        ("/de/news", "de", "Nachrichten"),
        ("/ar/news", "ar", "الأخبار"),
    ):
        page = reader.get(path).text
        assert f'lang="{language}"' in page
        assert f"<h1>{word}</h1>" in page
    assert 'dir="rtl"' in reader.get("/ar/news").text


def test_drafts_are_for_those_who_may(reader: httpx2.Client, editor: httpx2.Client) -> None:
    """A draft is 404 to readers; an editor reads and publishes it, and then everybody reads it."""
    assert reader.get("/news/a-draft-about-corks").status_code == 404
    publish = "/desk/publish/a-draft-about-corks"
    assert reader.post(publish, headers={"sec-fetch-site": "same-origin"}).headers["location"].startswith("/login")
    assert editor.get("/news/a-draft-about-corks").status_code == 200
    assert "A draft about corks" in editor.get("/desk/").text
    assert editor.post("/desk/publish/a-draft-about-corks").status_code == 302
    assert reader.get("/news/a-draft-about-corks").status_code == 200


def test_a_comment(reader: httpx2.Client, editor: httpx2.Client) -> None:
    """Who is logged in comments; markup is text; others are sent to the login page."""
    page = "/news/a-letter-about-lids"
    answer = reader.post(page, data={"text": "Hello"}, headers={"sec-fetch-site": "same-origin"})
    assert answer.headers["location"].startswith("/login")
    assert editor.post(page, data={"text": "<b>I agree</b>"}).status_code == 302
    assert "&lt;b&gt;I agree&lt;/b&gt;" in reader.get(page).text
    assert editor.post(page, data={"text": "x", "author": "2"}).status_code == 422


def test_other_sites_change_nothing(site: str, editor: httpx2.Client) -> None:
    """A form of another site is refused, although the cookie comes along."""
    elsewhere = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    for path in ("/demo-login/editor", "/desk/new", "/news/a-letter-about-lids"):
        assert editor.post(path, headers=elsewhere).status_code == 403


@pytest.fixture
def page(site: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=os.environ["DEMIJOHN_TEST_CHROMIUM"], args=arguments)
        yield browser.new_page()
        browser.close()


@pytest.mark.browser
def test_a_walk_through_the_site(page: Page, site: str) -> None:
    """Search as one types, a stream of words, a login, the admin; nothing is blocked by the policy."""
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.goto(f"{site}/news")
    page.fill("#q", "glass")
    expect(page.locator(".stories article")).to_have_count(1)
    expect(page.locator(".stories h2")).to_have_text("Glass remembers how it was cooled")
    page.goto(f"{site}/tokens")
    expect(page.locator("#tokens")).to_contain_text("to be carried by one person.", timeout=20000)
    page.goto(site)
    page.click("text=Be an editor")
    expect(page).to_have_url(re.compile("/admin/"))
    page.goto(f"{site}/admin/article/")
    expect(page.get_by_text("The bottle that outlived its ship").first).to_be_visible()
    assert wrong == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(page: Page, site: str, scheme: str) -> None:
    """axe-core finds nothing on the pages of the site, of accounts and of the guestbook, either way round."""
    page.emulate_media(color_scheme=scheme)
    found = []
    for path in (
        "/",
        "/news",
        "/ar/news",
        "/news/a-letter-about-lids",
        "/login",
        "/de/signup",
        "/password-reset",
        "/guestbook/",
    ):
        page.goto(f"{site}{path}")
        page.evaluate(SOURCE)
        report = page.evaluate("axe.run().then(result => result.violations)")
        found += [(path, one["id"], one["nodes"][0]["html"][:200]) for one in report]
    assert found == []
