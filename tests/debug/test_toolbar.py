"""The development toolbar: what it shows, to whom, and that it is nothing where it is off."""

import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from demijohn import App, Settings, html
from demijohn.db import Database, Mapped, Model, column
from demijohn.debug import toolbar_of
from demijohn.mail import Mail, Mailbox, Message
from demijohn.templating import Templates, render_template_string
from demijohn.testing import TestClient

PREFIX = "/__demijohn__/debug"


class Base(Model, isolated=True):
    pass


class Jar(Base):
    label: Mapped[str] = column(max_length=40)


def make_app(*, env: str = "development", debug: bool = True, **settings: object) -> App:
    app = App(settings=Settings.load({}, files=(), env=env, secret_key="k" * 40, **settings), debug=debug)
    logger = logging.getLogger("tests.jars")
    logger.setLevel(logging.INFO)

    @app.get("/")
    def home():
        logger.info("home was looked at, password=hunter2")
        return html("<html><body><h1>Jars</h1></body></html>")

    @app.get("/data")
    async def data():
        return {"jars": 3}

    return app


def local(app: App) -> TestClient:
    return TestClient(app, base_url="http://localhost")


def shown(client: TestClient, page: str) -> str:
    """The page of the toolbar for the request that made a page."""
    name = re.search(r'data-request="([^"]+)"', page)
    assert name is not None
    return client.get(f"{PREFIX}/requests?id={name[1]}").text


def test_a_page_has_the_bar() -> None:
    """A page of development loads the bar by a script with its nonce; the policy of the page allows no other."""
    with local(make_app()) as client:
        answer = client.get("/")
        script = re.search(r'<script src="([^"]+live\.js)" nonce="([^"]+)"[^>]*></script></body>', answer.text)
        assert script is not None
        assert f"'nonce-{script[2]}'" in answer.headers["content-security-policy"]
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert "EventSource" in client.get(script[1]).text


@pytest.mark.parametrize(
    "app",
    [
        make_app(env="test"),
        make_app(env="production", debug=False, allowed_hosts=("localhost",)),
        make_app(debug=False),
        make_app(toolbar=False),
    ],
    ids=["test", "production", "no debug", "switched off"],
)
def test_elsewhere_there_is_nothing(app: App) -> None:
    """Where it is off no page has it, nothing listens, and nothing of it answers."""
    with local(app) as client:
        assert client.get("/").text == "<html><body><h1>Jars</h1></body></html>"
        assert client.get(f"{PREFIX}/live.js").status_code == 404
        assert client.get(f"{PREFIX}/requests").status_code == 404
        assert client.get(f"{PREFIX}/events").status_code == 404
    assert app.notes is None
    assert app.observers == []


def test_what_is_no_page_is_left_alone() -> None:
    """JSON and the parts that htmx asks for have no bar, and are kept all the same."""
    app = make_app()
    with local(app) as client:
        assert client.get("/data").json() == {"jars": 3}
        assert "live.js" not in client.get("/", headers={"hx-request": "true"}).text
    assert [entry.request.path for entry in toolbar_of(app).entries] == ["/data", "/"]
    assert toolbar_of(app).entries[1].is_partial


def test_what_a_request_did() -> None:
    """Its page shows the statements with the lines that made them, templates, log lines and headers, without secrets."""
    app = make_app()
    db = app.use(Database("sqlite://"))
    app.use(Templates())

    @app.get("/jars/{number:int}")
    async def jars(number: int, token: str = ""):
        await db.create_all(Base)
        for _ in range(3):
            await Jar.where(Jar.id == number).count()
        logging.getLogger("tests.jars").warning("one <b>line</b>")
        return html("{}", render_template_string("<body>{{ number }}</body>", number=number))

    with local(app) as client:
        page = client.get("/jars/7?token=t-12345", headers={"authorization": "Bearer abcdefgh"}).text
        told = shown(client, page)
    assert "3 times" in told
    assert "test_toolbar.py:" in told
    assert "SELECT count(*)" in told
    assert "one &lt;b&gt;line&lt;/b&gt;" in told
    assert "/jars/{number:int}" in told
    for secret in ("t-12345", "abcdefgh"):
        assert secret not in told


def test_secrets_of_the_log_are_hidden() -> None:
    """What stands behind the name of a secret in a line of the log is not shown."""
    with local(make_app()) as client:
        told = shown(client, client.get("/").text)
    assert "home was looked at" in told
    assert "hunter2" not in told


def test_mail_and_signals_are_told() -> None:
    """Mail that a request sent, and the signals that it gave, have panels of their own."""
    app = make_app()
    mail = app.use(Mail(backend=Mailbox()))
    paid = app.signals.signal("paid")
    paid.connect(lambda sender, **values: None, weak=False)

    @app.get("/pay")
    async def pay():
        paid.send(app, amount=3)
        await mail.send(Message(to=["ann@example.org"], subject="Paid", text="Thank you."))
        return html("<body>paid</body>")

    with local(app) as client:
        client.get("/")  # the toolbar is there from the first answer on
        told = shown(client, client.get("/pay").text)
    for text in ("Mail", "ann@example.org", "Paid", "Signals", "paid", "amount: int"):
        assert text in told


def test_the_last_fifty() -> None:
    """Fifty requests are kept, and no more."""
    app = make_app()
    with local(app) as client:
        for _ in range(60):
            client.get("/data")
        page = client.get("/").text
        assert shown(client, page).count('<a href="') == 50
    assert not app.notes


def test_who_may_look() -> None:
    """Neither through a proxy, nor under another host, nor from another site."""
    with local(make_app()) as client:
        client.get("/")
        for headers in ({"x-forwarded-for": "1.2.3.4"}, {"host": "evil.example"}, {"sec-fetch-site": "cross-site"}):
            for name in ("requests", "events", "live.js"):
                assert client.get(f"{PREFIX}/{name}", headers=headers).status_code in (400, 403)
        answer = client.get(f"{PREFIX}/requests")
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


def test_it_is_told_what_happens() -> None:
    """An open page hears of the request that made it, and of those that follow."""
    with local(make_app()) as client:
        name = re.search(r'data-request="([^"]+)"', client.get("/").text)
        assert name is not None
        seen = []
        with client.stream("GET", f"{PREFIX}/events?id={name[1]}") as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    seen.append(line)
                    if len(seen) == 2:
                        client.get("/data")
                if len(seen) == 3:
                    break
    assert f'"id":"{name[1]}"' in seen[1]
    assert '"path":"/data"' in seen[2]


SITE = """
from demijohn import App, Page

app = App()

@app.get("/")
def home():
    return Page("home.html")
"""
PAGE = "<!doctype html><html lang='en'><head><title>One</title></head><body><h1>Hello</h1></body></html>"


@pytest.mark.browser
def test_an_open_page_follows_the_code(tmp_path: Path) -> None:
    """A changed template, an app that cannot be loaded and its mend show in the open page by themselves."""
    (tmp_path / "templates").mkdir()
    template, program = tmp_path / "templates" / "home.html", tmp_path / "app.py"
    template.write_text(PAGE)
    program.write_text(SITE)
    log = tmp_path / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "demijohn", "run", "app.py", "--port", "0"],
            cwd=tmp_path,
            stdout=output,
            stderr=output,
        )
    try:
        url = None
        for _ in range(300):
            url = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
            if url:
                break
            time.sleep(0.1)
        assert url is not None, log.read_text()
        with sync_playwright() as playwright:
            path = os.environ["DEMIJOHN_TEST_CHROMIUM"]
            page = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"]).new_page()
            page.goto(url[0])
            page.wait_for_selector("demijohn-toolbar", state="attached")
            page.wait_for_timeout(1000)
            template.write_text(PAGE.replace("One", "Two"))
            expect(page).to_have_title("Two", timeout=15000)
            page.wait_for_timeout(1000)
            program.write_text(SITE.replace("def home():", "def home("))
            expect(page).to_have_title(re.compile("SyntaxError"), timeout=15000)
            program.write_text(SITE)
            expect(page).to_have_title("Two", timeout=15000)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
