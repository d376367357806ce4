"""Routes that list formats: one handler, the answer in the format that the client asks for."""

import json
from typing import Any

import msgspec
import pytest

from demijohn import App, Blueprint, Page, Request, Response
from demijohn.app import Format

from .calling import call

POSTS = [{"id": 1, "title": "A & B"}]


def make_app() -> App:
    """An app with routes that list formats, and pages rendered by a stand-in."""
    app = App()
    app.encoder.add(Page, render)

    @app.get("/posts", formats=["html", "json", "csv", "xml", "yaml", "msgpack"])
    async def posts() -> Any:
        return Page("posts.html", posts=POSTS, headers={"X-One": "1"}, status=203)

    @app.get("/posts/{slug}", formats=["html", "json"])
    async def post(slug: str) -> Any:
        return {"slug": slug}

    @app.get("/late", formats=["html", "json"])
    async def late() -> Any:
        async def load() -> list[int]:
            return [1, 2]

        return Page("late.html", numbers=load())

    @app.get("/tuple", formats=["json"])
    def tuples() -> Any:
        return {"a": 1}, 202, {"X-Two": "2"}

    @app.get("/text", formats=["json", "html"])
    def text() -> Any:
        return "text"

    @app.get("/as-is", formats=["json"])
    def as_is() -> Any:
        return Response(b"raw", content_type="image/png")

    @app.get("/page")
    def page() -> Any:
        return Page("page.html", secret="left out by the template")

    return app


def render(page: Page, request: Request) -> Any:
    """Render a page, after its values if it has to wait for some."""
    if not page.is_pending:
        made = Response(f"<{page.template}>{page.context}", page.status, content_type="text/html; charset=utf-8")
        page.dress(made.headers)
        return made

    async def later() -> Response:
        await page.settle()
        return Response(f"<{page.template}>{page.context}", content_type="text/html; charset=utf-8")

    return later()


@pytest.mark.parametrize(
    ("target", "accept", "kind"),
    [
        ("/posts", "text/html", "text/html; charset=utf-8"),
        ("/posts", "application/json", "application/json"),
        ("/posts", "text/csv", "text/csv; charset=utf-8"),
        ("/posts.json", "text/html", "application/json"),
        ("/posts.xml", "*/*", "application/xml; charset=utf-8"),
        ("/posts.yaml", "*/*", "application/yaml; charset=utf-8"),
        ("/posts.msgpack", "*/*", "application/msgpack"),
        ("/posts?format=csv", "text/html", "text/csv; charset=utf-8"),
        ("/posts.json?format=csv", "text/html", "application/json"),
    ],
)
async def test_one_handler_for_every_format(target: str, accept: str, kind: str) -> None:
    """`Accept`, suffix and query choose; status and headers of the page are those of every format."""
    response = await call(make_app(), "GET", target, headers={"accept": accept})
    assert (response.status, response.content_type, response.headers["x-one"]) == (203, kind, "1")
    if "json" in kind:
        assert json.loads(response.body) == {"posts": POSTS}
    if "msgpack" in kind:
        assert msgspec.msgpack.decode(response.body) == {"posts": POSTS}
    if "csv" in kind:
        assert response.body == b"id,title\r\n1,A & B\r\n"


async def test_vary_is_said_where_accept_decides() -> None:
    """The answer at the plain path varies by `Accept`; those at suffixes and with a query do not."""
    app = make_app()
    vary = {
        target: (await call(app, "GET", target, headers={"accept": "application/json"})).headers.get("vary", "")
        for target in ("/posts", "/posts.json", "/posts?format=json", "/tuple")
    }
    assert vary == {"/posts": "accept, hx-request", "/posts.json": "", "/posts?format=json": "", "/tuple": ""}


async def test_pages_are_html_where_no_format_is_listed() -> None:
    """A route that lists no format answers HTML whatever is asked: no page leaks what its template leaves out."""
    app = make_app()
    response = await call(app, "GET", "/page", headers={"accept": "application/json"})
    assert response.content_type == "text/html; charset=utf-8"
    assert (await call(app, "GET", "/page.json")).status == 404


async def test_406_comes_before_the_handler() -> None:
    """What cannot be answered is refused before anything is done."""
    app = App()
    ran = []

    @app.post("/items", formats=["json"])
    def create() -> dict[str, int]:
        ran.append(1)
        return {}

    response = await call(app, "POST", "/items", headers={"accept": "text/csv"})
    assert (response.status, ran) == (406, [])
    assert json.loads(response.body)["available"] == ["application/json"]
    assert (await call(app, "POST", "/items", headers={"accept": "*/*"})).status == 200


async def test_suffix_after_a_parameter() -> None:
    """`/posts/hello.json` is the post `hello` as JSON, and a suffix that is not offered belongs to the name."""
    app = make_app()
    assert json.loads((await call(app, "GET", "/posts/hello.json")).body) == {"slug": "hello"}
    shown = await call(app, "GET", "/posts/v1.2", headers={"accept": "application/json"})
    assert json.loads(shown.body) == {"slug": "v1.2"}


async def test_values_are_awaited_in_every_format() -> None:
    """A page's coroutine is awaited once, whatever the page becomes."""
    app = make_app()
    assert json.loads((await call(app, "GET", "/late.json")).body) == {"numbers": [1, 2]}
    response = await call(app, "GET", "/late", headers={"accept": "text/html"})
    assert response.body == b"<late.html>{'numbers': [1, 2]}"
    assert response.headers["vary"] == "accept, hx-request"


async def test_tuples_texts_and_responses() -> None:
    """Status and headers of a tuple are kept, text is data where data is asked for, a response is not touched."""
    app = make_app()
    response = await call(app, "GET", "/tuple")
    assert (response.status, response.headers["x-two"], response.body) == (202, "2", b'{"a":1}')
    assert (await call(app, "GET", "/text")).body == b'"text"'
    html = await call(app, "GET", "/text", headers={"accept": "text/html"})
    assert (html.body, html.content_type) == (b"text", "text/plain; charset=utf-8")
    assert (await call(app, "GET", "/as-is")).content_type == "image/png"


async def test_own_formats_of_an_app() -> None:
    """A format that the app adds is negotiated like those in the box."""
    app = App()
    app.formats.add(Format("lines", ["text/x-lines"], encode=lambda value: "\n".join(value).encode()))

    @app.get("/words", formats=["json", "lines"])
    def words() -> list[str]:
        return ["a", "b"]

    assert (await call(app, "GET", "/words.lines")).body == b"a\nb"
    assert (await call(app, "GET", "/words", headers={"accept": "text/x-lines"})).body == b"a\nb"


async def test_urls_of_formats() -> None:
    """`url_for` knows each format by the route's name with its suffix, in blueprints too."""
    app = make_app()
    blog = Blueprint("blog")

    @blog.get("/all", formats=["html", "json"])
    def everything() -> list[int]:
        return []

    app.include(blog, prefix="/blog")
    assert app.url_for("posts") == "/posts"
    assert app.url_for("posts.csv") == "/posts.csv"
    assert app.url_for("post.json", slug="x") == "/posts/x.json"
    assert app.url_for("blog.everything.json") == "/blog/all.json"
    assert app.url_for(everything) == "/blog/all"
