"""The site of somebody who makes books: works, a blog, a letter box, in two languages and one file.

    demijohn run examples/portfolio/app.py
    TRUSTED_PROXIES=127.0.0.1 ALLOWED_HOSTS=mara.example SECRET_KEY=... MAIL_URL=smtp://localhost \\
        demijohn serve examples/portfolio/app.py

Nothing of it needs a database: works are a list, posts are files.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated

from markdown_it import MarkdownIt

from demijohn import App, Page, Settings, abort, flash, redirect, url_for
from demijohn.forms import Form
from demijohn.http import Feed, FeedItem, Markup, Response, Sitemap
from demijohn.i18n import Translations, gettext_lazy
from demijohn.i18n import gettext as _
from demijohn.mail import Mail
from demijohn.monitoring import Health
from demijohn.schema import Field

HERE = Path(__file__).parent
MARKDOWN = MarkdownIt("commonmark", {"html": False})


class Site(Settings):
    owner: str = "mara@example.org"


app = App(settings=Site.load())
app.use(Translations(["en", "de"], prefix=True))  # / in English, /de/ in German
app.use(Health())  # /livez and /readyz, for whatever restarts the site


@dataclass
class Work:
    slug: str
    title: str
    year: int
    tags: list[str]
    text: str


@dataclass
class Post:
    slug: str
    title: str
    day: date
    tags: list[str]
    source: str

    @property
    def html(self) -> Markup:
        return Markup(MARKDOWN.render(self.source))


WORKS = [
    Work("atlas", "Atlas of small rivers", 2025, ["book", "map"], "Forty rivers, each on a sheet that folds out."),
    Work("calendar", "A calendar of winds", 2024, ["print"], "Twelve sheets, printed from wood."),
    Work("herbarium", "Herbarium", 2023, ["book"], "Plants of one meadow, pressed and bound."),
]


def read_post(path: Path) -> Post:
    """Read a file: lines of `name: value`, an empty line, Markdown."""
    head, _sep, source = path.read_text("utf-8").partition("\n\n")
    values = dict(line.split(": ", 1) for line in head.splitlines())
    return Post(path.stem, values["title"], date.fromisoformat(values["date"]), values["tags"].split(", "), source)


POSTS = sorted((read_post(path) for path in (HERE / "posts").glob("*.md")), key=lambda post: post.day, reverse=True)


@app.get("/", name="works")
async def works(tag: str | None = None):
    shown = [work for work in WORKS if tag is None or tag in work.tags]
    tags = sorted({tag for work in WORKS for tag in work.tags})
    return Page("works.html#works", works=shown, tags=tags, tag=tag)


@app.get("/works/{slug}")
async def work(slug: str):
    found = next((work for work in WORKS if work.slug == slug), None) or abort(404)
    return Page("work.html", work=found)


@app.get("/blog")
async def blog():
    return Page("blog.html", posts=POSTS)


@app.get("/blog/{slug}")
async def post(slug: str):
    found = next((post for post in POSTS if post.slug == slug), None) or abort(404)
    return Page("post.html", post=found)


@app.get("/about")
async def about():
    return Page("about.html")


@dataclass
class Letter:
    name: Annotated[str, Field(max_length=60, label=gettext_lazy("Name"))]
    email: Annotated[str, Field(format="email", label=gettext_lazy("E-mail"))]
    text: Annotated[str, Field(format="textarea", max_length=2000, label=gettext_lazy("Message"))]


@app.route("/contact", methods=["GET", "POST"])
async def contact(form: Form[Letter], mail: Mail, site: Site):
    if form.is_valid:
        letter = form.data
        message = mail.render("mail/letter", {"letter": letter}, to=site.owner, reply_to=letter.email)
        await mail.send(message)
        flash(_("Thank you, your letter is on its way."), "success")
        return redirect(url_for("contact"))
    return Page("contact.html", form=form)


@app.get("/feed.xml")
async def feed() -> Response:
    items = [
        FeedItem(
            title=post.title,
            link=url_for("post", slug=post.slug, _external=True),
            content=post.html,
            published=datetime.combine(post.day, time(), UTC),
            categories=tuple(post.tags),
        )
        for post in POSTS
    ]
    here = url_for("feed", _external=True)
    return Feed(title="Mara Lindqvist", link=url_for("works", _external=True), items=items, self_link=here).rss()


@app.get("/sitemap.xml")
async def sitemap():
    pages = [url_for(name, _external=True) for name in ("works", "blog", "about", "contact")]
    pages += [url_for("work", slug=work.slug, _external=True) for work in WORKS]
    pages += [url_for("post", slug=post.slug, _external=True) for post in POSTS]
    return Sitemap(pages).response()


@app.get("/robots.txt")
def robots():
    return f"User-agent: *\nAllow: /\nSitemap: {url_for('sitemap', _external=True)}\n"


@app.errorhandler(404)
async def missing():
    return Page("missing.html", status=404)
