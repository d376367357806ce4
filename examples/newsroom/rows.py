"""The front page: what people credit Flask and Django with, each row with a link that shows it here and now."""

import asyncio
import inspect
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from demijohn import App, Blueprint, Page, Query, Request, View, current, run_in_process, url_for
from demijohn.db import Database
from demijohn.errors import NotFound
from demijohn.schema import Field, fields_of
from demijohn.sessions import Session
from examples.newsroom.models import Article, User

rows = Blueprint("rows")
ROOT = Path(__file__).resolve().parents[2]


class Row(NamedTuple):
    """One property: who is praised for it, what it is, where it is shown, and the test that holds it."""

    by: str
    what: str
    link: str
    label: str
    test: str


ROWS = [
    Row(
        "Flask",
        "Small things stay small: one file, five lines",
        "/source/hello",
        "hello.py",
        "tests/examples/test_one_file.py",
    ),
    Row(
        "Flask", "A server and a debugger in the browser", "/fail", "fail, and look around", "tests/debug/test_page.py"
    ),
    Row("Flask", "Tests come with it", "/source/tests", "the tests of this site", "tests/testing/test_client.py"),
    Row("Flask", "Cookies that nobody reads or changes", "/cookie", "your cookie, as it travels", "tests/sessions"),
    Row(
        "Flask",
        "WSGI, and moving into an existing application",
        "/archive/",
        "a Flask site inside",
        "tests/app/test_mounting.py",
    ),
    Row("Flask", "Jinja2 templates", "/source/template", "a template of this site", "tests/templating"),
    Row(
        "Flask",
        "Full control, any library, plug-ins",
        "/guestbook/",
        "a battery of a third party",
        "tests/examples/test_guestbook.py",
    ),
    Row("Flask", "URLs to functions and to classes", "/clock/Europe/Berlin", "a class-based view", "tests/routing"),
    Row(
        "Flask",
        "Single-page applications",
        "/app/anything/below",
        "one page for every path",
        "tests/app/test_assets.py",
    ),
    Row("Flask", "Machine learning, data, cloud", "/tokens", "a token stream", "tests/app/test_streaming.py"),
    Row("Flask", "Configuration that adapts", "/settings", "each setting and its origin", "tests/app/test_settings.py"),
    Row("Django", "Everything in one place", "/batteries", "what this site uses", "tests/house/test_import_budget.py"),
    Row(
        "Django",
        "Any kind of site",
        "/news",
        "this one is a news site; in examples/: shop, social, business, portfolio, pages (content management)",
        "tests/examples/test_newsroom.py",
    ),
    Row("Django", "Content in any format", "/formats", "one URL in five formats", "tests/app/test_formats.py"),
    Row("Django", "Objects for rows, on four databases", "/query", "a query and its SQL", "tests/db"),
    Row("Django", "Transactions", "/transaction", "a write that is taken back", "tests/db/test_units.py"),
    Row("Django", "Accounts and permissions", "/desk/", "the desk, for those who may", "tests/auth"),
    Row(
        "Django",
        "Security as a matter of course",
        "/headers",
        "the headers of this answer",
        "tests/app/test_protection.py",
    ),
    Row("Django", "An admin", "/admin/", "the admin of this site", "tests/admin"),
    Row("Django", "A tool that begins the project", "/tool", "its commands", "tests/cli"),
    Row("Django", "Models, templates, views", "/source/view", "a view of this site", "tests/app/test_page.py"),
    Row("both", "Models know their pages", "/page-of", "from a row to its page", "tests/db/test_app.py"),
    Row("Django", "Many languages", "/de/news", "auf Deutsch", "tests/i18n"),
    Row("Django", "Don't repeat yourself", "/once", "one declaration, five uses", "tests/forms"),
    Row("Django", "It scales", "/metrics", "what is measured", "tests/monitoring"),
    Row("Django", "Discipline in large projects", "/checks", "what the strict switch says", "tests/app/test_strict.py"),
    Row("both", "Open source, documented", "/source/licence", "the licence", "tests/house/test_docs.py"),
]


@rows.get("/", name="front")
async def front(user: User | None):
    """The rows, each with its link."""
    return Page("rows/front.html", rows=ROWS, user=user)


SOURCES = {
    "hello": "examples/hello.py",
    "tests": "tests/examples/test_newsroom.py",
    "template": "examples/newsroom/templates/news/index.html",
    "view": "examples/newsroom/views.py",
    "licence": "LICENSE",
}


@rows.get("/source/{name}", name="source")
async def source(name: str):
    """A file of this project, as it is."""
    if name not in SOURCES:
        raise NotFound
    text = await asyncio.to_thread((ROOT / SOURCES[name]).read_text)
    return Page("rows/text.html", title=SOURCES[name], text=text)


@rows.get("/fail", name="fail")
async def fail():
    """A mistake, for the debugger."""
    articles = await Article.public().limit(3).all()
    shortest = min(articles, key=lambda article: len(article.title))
    return shortest.headline  # there is no such attribute


@rows.get("/cookie", name="cookie")
async def cookie(request: Request, session: Session):
    """What the session holds, and what of it can be read on the way: nothing."""
    session["visits"] = session.get("visits", 0) + 1
    sent = next((value for name, value in request.cookies.items() if "session" in name), "")
    facts = {"in the session": dict(session), "in the cookie of this request": sent or "none yet: load this page again"}
    return Page("rows/facts.html", title="Your cookie", facts=facts)


class Clock(View):
    """The time of a place, by a class with a method for each verb."""

    async def get(self, place: str) -> Any:
        from datetime import datetime
        from zoneinfo import ZoneInfo

        try:
            moment = datetime.now(ZoneInfo(place))
        except (ValueError, OSError, KeyError) as error:
            raise NotFound(f"There is no time zone {place!r}.") from error
        return Page("rows/facts.html", title=place, facts={"time": f"{moment:%H:%M:%S}", "offset": f"{moment:%z}"})


rows.route("/clock/{place:path}", name="clock")(Clock)


@rows.get("/tokens", name="tokens")
async def tokens():
    """Words as a language model gives them: one after the other, without a thread."""
    return Page("rows/tokens.html")


@rows.get("/tokens/stream", name="token_stream")
async def token_stream() -> AsyncIterator[str]:
    text = "A demijohn is a very large flask. It was made to carry more than a bottle, and to be carried by one person."
    for word in text.split():
        yield f"{word} "
        await asyncio.sleep(0.08)


@rows.get("/predict", name="predict")
async def predict(x: Annotated[float, Query(ge=-1e6, le=1e6)]):
    """A number that is worked out in another process."""
    return {"x": x, "square": await run_in_process(pow, x, 2)}


@rows.get("/settings", name="settings")
async def show_settings(app: App):
    origins = {origin.name: f"{origin.shown}  ({origin.source})" for origin in app.settings.origins()}
    return Page("rows/facts.html", title="Settings", facts=origins)


@rows.get("/batteries", name="batteries")
async def batteries(app: App):
    found = {name: type(battery).__module__ for name, battery in app.batteries.items()}
    return Page("rows/facts.html", title="Batteries of this site", facts=found)


@rows.get("/formats", name="formats")
async def formats():
    links = {name.upper(): url_for(f"news.index.{name}") for name in ("json", "xml", "csv", "yaml")}
    return Page("rows/links.html", title="One URL in five formats", links={"HTML": url_for("news.index"), **links})


@rows.get("/query", name="query")
async def query():
    """A query, the SQL that it is, and what it found."""
    found = Article.public().where(Article.author.has(User.display_name.startswith("A"))).limit(3)
    facts = {
        "query": 'Article.public().where(Article.author.has(User.display_name.startswith("A"))).limit(3)',
        "statement": " ".join(str(found.statement).split()),
        "rows": [f"{article.title} — {article.author}" for article in await found.all()],
    }
    return Page("rows/facts.html", title="A query", facts=facts)


@rows.get("/transaction", name="transaction")
async def transaction(db: Database):
    """An article is deleted in a savepoint that fails: it is still there."""
    before = await Article.query().count()
    try:
        async with db.transaction():
            first = await Article.query().first()
            assert first is not None
            await first.delete()
            inside = await Article.query().count()
            raise LookupError("something went wrong")
    except LookupError as error:
        reason = str(error)
    facts = {"before": before, "inside": inside, "then": reason, "afterwards": await Article.query().count()}
    return Page("rows/facts.html", title="A write that is taken back", facts=facts)


@rows.get("/headers", name="headers")
async def headers(app: App):
    sent = {name.decode(): value.decode() for name, value in app.default_headers}
    return Page("rows/facts.html", title="Headers of every answer", facts=sent)


@rows.get("/tool", name="tool")
async def tool():
    commands = {
        "demijohn new NAME": "a project with tests, types and lint that pass",
        "demijohn grow hello.py": "an app in one file becomes such a project, and does the same",
        "demijohn generate model|view|admin|feature": "the next part of it",
        "demijohn makemigrations, migrate": "the schema",
        "demijohn run, serve": "in development, in production",
        "demijohn check --deploy": "what is missing",
        "demijohn routes --explain PATH": "what happens to a request",
    }
    return Page("rows/facts.html", title="The tool", facts=commands)


@rows.get("/page-of", name="page_of")
async def page_of():
    articles = await Article.public().limit(5).all()
    return Page(
        "rows/links.html", title="From a row to its page", links={each.title: each.page_url() for each in articles}
    )


@rows.get("/once", name="once")
async def once():
    """What the declaration of `Article.title` is read for."""
    field: Field = fields_of(Article)["title"]
    source = re.search(r"    title: .*", inspect.getsource(Article))
    facts = {
        "declared": source[0].strip() if source else "",
        "table": str(Article.__table__.c.title.type),
        "validation": f"min_length={field.min_length}, max_length={field.max_length}",
        "form": "the field “Title” at /desk/new",
        "admin": "/admin/article/",
        "documentation": "/docs",
    }
    return Page("rows/facts.html", title="Said once", facts=facts)


@rows.get("/checks", name="checks")
async def checks():
    """What the strict switch would say of a small app."""
    strict = App(settings=current.app.settings, strict=True)

    @strict.get("/greet/{name}")
    def greet(name):  # type: ignore[no-untyped-def]
        return name

    strict.freeze()
    found = {message.id: message.text for message in strict.run_checks()}
    return Page("rows/facts.html", title="App(strict=True)", facts=found)


class Health(msgspec.Struct):
    """How the site is."""

    articles: int
    readers: int


@rows.get("/api/health", name="api_health")
async def api_health() -> Health:
    """Count articles and readers."""
    return Health(await Article.query().count(), await User.query().count())
