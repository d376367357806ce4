"""The language in the path: taken off before routing, put into every URL that is built."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn import App, Blueprint, Page, Request, url_for
from demijohn.i18n import Prefix, Translations, language, language_url
from demijohn.i18n import gettext as _
from demijohn.i18n.prefixes import Paths
from demijohn.testing import TestClient

Make = Callable[..., tuple[App, Translations]]


def pages(app: App) -> None:
    @app.get("/", name="home")
    async def home() -> str:
        return _("Hello, World!")

    @app.get("/posts/{slug}", name="post")
    async def post(slug: str, request: Request) -> dict[str, str]:
        return {
            "slug": slug,
            "path": request.path,
            "url": str(request.url),
            "own": url_for("post", slug="a b", page=2),
            "full": url_for("home", _external=True),
            "api": url_for("api", _external=True),
            "text": _("Hello, World!"),
        }

    @app.get("/folder/", name="folder")
    async def folder() -> str:
        return "folder"

    @app.get("/api/items", name="api")
    async def items() -> str:
        return _("Hello, World!")

    @app.get("/admin/x")
    async def admin() -> str:
        return _("Hello, World!") + url_for("home")

    @app.get("/mail")
    async def mail() -> str:
        with language("de"):
            return url_for("post", slug="x")


def test_the_path_names_the_language(make_app: Make) -> None:
    """`/de/...` is the German page, the path without a prefix that of the default language, whatever a browser says."""
    app, _battery = make_app(prefix=True)
    pages(app)
    with TestClient(app) as client:
        client.cookies.set("language", "ar")
        headers = {"accept-language": "ar"}
        assert client.get("/", headers=headers).text == "Hello, World!"
        assert client.get("/de/", headers=headers).text == "Hallo, Welt!"
        assert client.get("/de", headers=headers).text == "Hallo, Welt!"
        found = client.get("/de/posts/a%2Fb%20c?x=1").json()
    assert found == {
        "slug": "a%2Fb c",
        "path": "/posts/a%2Fb c",
        "url": "http://localhost/de/posts/a%2Fb%20c?x=1",
        "own": "/de/posts/a%20b?page=2",
        "full": "http://localhost/de/",
        "api": "http://localhost/api/items",
        "text": "Hallo, Welt!",
    }


def test_the_default_language_has_one_path(make_app: Make) -> None:
    """A prefix of the default language, of an unknown one, in capitals or before an exempt path is not found."""
    app, _battery = make_app(prefix=True)
    pages(app)
    with TestClient(app) as client:
        for path in ("/en/", "/fr/", "/DE/", "/de/api/items", "/de/de/", "/dex/"):
            assert client.get(path).status_code == 404, path
        response = client.get("/de/", headers={"accept-language": "ar"})
    assert response.headers["content-language"] == "de"
    assert "vary" not in response.headers


def test_exempt_paths_follow_the_other_rules(make_app: Make) -> None:
    """An API has no prefix; its language is that of the client."""
    app, _battery = make_app(prefix=True)
    pages(app)
    with TestClient(app) as client:
        response = client.get("/api/items", headers={"accept-language": "de"})
        assert client.get("/admin/x", headers={"accept-language": "de"}).text == "Hallo, Welt!/de/"
        assert client.get("/de/admin/x").status_code == 404
    assert response.text == "Hallo, Welt!"
    assert response.headers["vary"] == "Cookie, Accept-Language"


def test_redirects_and_links_in_other_languages_keep_their_prefix(make_app: Make) -> None:
    """A slash that lacks leads to the same language, and a block of another language builds its URLs."""
    app, _battery = make_app(prefix=True)
    pages(app)
    with TestClient(app) as client:
        assert client.get("/de/folder", follow_redirects=False).headers["location"] == "/de/folder/"
        assert client.get("/mail").text == "/de/posts/x"
        assert client.get("/ar/mail").text == "/de/posts/x"
    with app.context():
        assert url_for("home") == "/"
        with language("ar"):
            assert url_for("home") == "/ar/"


def test_every_language_may_have_a_prefix(make_app: Make) -> None:
    """With `Prefix(default=True)` a page without one leads to the language of the visitor; other things do not."""
    app, _battery = make_app(prefix=Prefix(default=True, exempt=("/api", "/static", "/mail")))
    pages(app)
    with TestClient(app) as client:
        response = client.get("/posts/x?a=1", headers={"accept-language": "ar"}, follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (302, "/ar/posts/x?a=1")
        assert response.headers["vary"] == "Cookie, Accept-Language"
        assert client.get("/", follow_redirects=False).headers["location"] == "/en/"
        assert client.get("/en/").text == "Hello, World!"
        assert client.get("/api/items").status_code == 200
        assert client.get("/nowhere", follow_redirects=False).status_code == 404
        assert client.post("/posts/x", follow_redirects=False).status_code == 405


@pytest.mark.parametrize("is_early", [True, False])
def test_a_page_without_a_prefix_leads_where_the_selector_says(folder: Path, is_early: bool) -> None:
    """The language of the user goes before cookie and header, whether the selector or the battery is there first."""
    app = App(debug=False)
    battery = Translations(["en", "de", "ar"], folder=folder, prefix=Prefix(default=True))

    def of_user(request: Request) -> str | None:
        return request.query.get("speaks")

    if is_early:
        battery.locale_selector(of_user)
    app.use(battery)
    if not is_early:
        battery.locale_selector(of_user)
    pages(app)
    with TestClient(app) as client:
        client.cookies.set("language", "ar")
        answer = client.get("/posts/x?speaks=de", follow_redirects=False)
        assert answer.headers["location"] == "/de/posts/x?speaks=de"
        assert client.get("/posts/x", follow_redirects=False).headers["location"] == "/ar/posts/x"


def test_a_mounted_app_knows_where_it_is(make_app: Make) -> None:
    """The prefix is a part of the root path that a mounted app is given."""
    app, _battery = make_app(prefix=True)

    def old(environ: dict[str, str], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}|{environ['REQUEST_URI']}".encode()]

    app.mount("/old", old)
    with TestClient(app) as client:
        assert client.get("/de/old/x%20y").text == "/de/old|/x y|/de/old/x%20y"


def test_pages_tell_their_other_languages(make_app: Make, tmp_path: Path) -> None:
    """The menu and the `hreflang` lines name the same page in each language, escaped."""
    app, _battery = make_app(prefix=True)
    (tmp_path / "page.html").write_text(
        '<html lang="{{ language }}" dir="{{ language.direction }}">{{ hreflang() }}'
        "{% for choice in languages() %}[{{ choice.url }} {{ choice.name }}{{ '*' if choice.is_present }}]{% endfor %}"
    )
    app.template_folder = tmp_path

    @app.get("/{name}")
    async def page(name: str) -> Page:
        return Page("page.html")

    with TestClient(app) as client:
        text = client.get("/ar/a&b?q=1").text
    assert '<html lang="ar" dir="rtl">' in text
    assert '<link rel="alternate" hreflang="de" href="http://localhost/de/a&amp;b">' in text
    assert '<link rel="alternate" hreflang="x-default" href="http://localhost/a&amp;b">' in text
    assert "[/a&amp;b?q=1 English][/de/a&amp;b?q=1 Deutsch][/ar/a&amp;b?q=1 العربية*]" in text


@given(path=st.text(alphabet="/deнx-%\\?#.", max_size=12))
def test_taking_a_prefix_never_leaves_the_site(path: str) -> None:
    """Whatever the path, what is routed is a path, and root and path together are the path that came."""

    class Connection:
        root_path = ""

    connection = Connection()
    connection.path = f"/{path}"  # type: ignore[attr-defined]
    connection.raw_path = connection.path.encode()  # type: ignore[attr-defined]
    tag = Paths(Prefix(), ["en", "de"], "en").take(connection)
    assert connection.path.startswith("/")  # type: ignore[attr-defined]
    assert tag in (None, "de")
    whole = connection.root_path + connection.path  # type: ignore[attr-defined]
    assert whole.rstrip("/") == f"/{path}".rstrip("/")


@pytest.mark.parametrize(
    ("url", "root", "tag", "found"),
    [
        ("/posts", "", "de", "/de/posts"),
        ("/de/posts", "/de", "en", "/posts"),
        ("/de/posts", "/de", "ar", "/ar/posts"),
        ("/sub/de/posts?x=1", "/sub/de", "ar", "/sub/ar/posts?x=1"),
        ("/sub/posts", "/sub", "de", "/sub/de/posts"),
        ("/sub/de/__demijohn__/static/theme/x.css", "/sub/de", "de", "/sub/__demijohn__/static/theme/x.css"),
        ("https://example.org/de/", "/de", "ar", "https://example.org/ar/"),
        ("https://de.example.org/de/x", "/de", "en", "https://de.example.org/x"),
        ("https://example.org", "", "de", "https://example.org"),
        ("/de/api/x", "/de", "de", "/api/x"),
        ("/apix", "", "de", "/de/apix"),
    ],
)
def test_urls_are_led_to_a_language(url: str, root: str, tag: str, found: str) -> None:
    """The prefix a URL was built with is replaced, below whatever the app is mounted at."""
    assert Paths(Prefix(), ["en", "de", "ar"], "en").adjust(url, root=root, tag=tag) == found


def test_a_login_leads_back_to_the_language(make_app: Make) -> None:
    """Whoever has to log in first is sent to the page in the same language, and from there back to it."""
    from demijohn.auth import Auth, login_required
    from demijohn.auth import User as BaseUser
    from demijohn.db import Database

    class I18nUser(BaseUser):
        pass

    app, _battery = make_app(prefix=True)
    app.use(Database("sqlite:///:memory:"))
    app.use(Auth(I18nUser))

    @app.get("/mine")
    @login_required
    async def mine() -> str:
        return "mine"

    with TestClient(app) as client:
        response = client.get("/de/mine", headers={"accept": "text/html"}, follow_redirects=False)
        assert response.headers["location"] == "/de/login?next=%2Fde%2Fmine"
        assert "Anmelden" in client.get("/de/login").text


@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("path", ["/de//evil.example", "/de/\\evil.example/x", "//evil.example", "/\\/evil.example"])
async def test_no_language_leads_to_another_host(make_app: Make, path: str, prefix: bool) -> None:
    """A path that begins with two slashes makes no link of a language menu that a browser takes for a host."""
    app, _battery = make_app(prefix=prefix)

    @app.errorhandler(404)
    async def menu(request: Request, error: Exception) -> list[str]:
        return [language_url(tag) for tag in ("en", "de")]

    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [
        (b"host", b"localhost")], "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1), "server": None,
        "root_path": ""}  # fmt: skip
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    urls = json.loads(body)
    assert len(urls) == 2
    assert all(url[0] == "/" and url[1:2] not in ("/", "\\") for url in urls), urls


@pytest.mark.parametrize("every", [False, True])
def test_static_files_have_no_language(make_app: Make, tmp_path: Path, every: bool) -> None:
    """The files of the app and of a blueprint have one URL in all languages, and are served at it."""
    folders = [tmp_path / "own", tmp_path / "blog"]
    for folder in folders:
        folder.mkdir()
        (folder / "x.css").write_text("b{}")
    app, _battery = make_app(prefix=Prefix(default=every, exempt=()))
    app.static_folder = folders[0]
    blog = Blueprint("blog", static=folders[1])
    app.include(blog, prefix="/blog")
    app.template_folder = tmp_path / "templates"
    app.template_folder.mkdir()
    (app.template_folder / "x.html").write_text("{{ static('x.css') }} {{ static('x.css', namespace='blog') }}")
    app.get("/page")(lambda: Page("x.html"))
    with TestClient(app) as client:
        own, other = client.get("/de/page").text.split()
        assert own.startswith("/static/x.")
        assert other.startswith("/blog/static/x.")
        for url in (own, other, "/blog/static/x.css"):
            assert client.get(url, follow_redirects=False).text == "b{}"
        assert {"/static/", "/blog/static/"} <= {*app.static_prefixes}
        made = app.static_prefixes
        app.url_for("static", filename="x.css")
        assert app.static_prefixes is made
