"""The page of a 404 or 405 in development: why, and which routes there are; in production there is none of it."""

import pytest

from demijohn import App, Blueprint, Settings, abort
from demijohn.debug.missing import find_nearest
from demijohn.routing import Route
from demijohn.testing import TestClient

from .conftest import HTML


def make_app(*, env: str = "development", debug: bool = True) -> App:
    """An app with a few routes."""
    app = App(
        settings=Settings.load({"SECRET_KEY": "k" * 40, "ALLOWED_HOSTS": "localhost"}, files=(), env=env), debug=debug
    )
    blog = Blueprint("blog")

    @app.get("/about")
    def about() -> str:
        return "About"

    @app.get("/items/{id:int}")
    def item(id: int) -> str:
        abort(404, f"There is no item <b>{id}</b>")

    @blog.get("/posts/{slug}")
    def post(slug: str) -> str:
        return slug

    @app.post("/send")
    def send() -> str:
        return "sent"

    app.include(blog, prefix="/blog")
    return app


def ask(app: App, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Ask as a browser does."""
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.request(method, path, headers={**HTML, **headers})
        return answer.status_code, answer.text


def test_the_nearest_route_is_named_and_all_are_listed() -> None:
    """A path that is nearly right is told so; the routes are listed with their handlers, a static one as a link."""
    status, page = ask(make_app(), "/blog/post/hello")
    assert status == 404
    assert "No route matches /blog/post/hello" in page
    assert "Did you mean <code>/blog/posts/{slug}</code>?" in page
    assert '<a href="/about">/about</a>' in page
    assert "blog.post" in page
    assert "test_missing.py" in page
    assert "/__demijohn__/debug/{name}" not in page


def test_a_converter_that_refuses_is_told() -> None:
    """A path that fits but for a converter is not called unknown."""
    assert "<code>/items/{id:int}</code> fits, but its converters refuse" in ask(make_app(), "/items/seven")[1]


def test_where_nothing_is_near_the_lines_to_write_are_shown() -> None:
    """An address that is like no route gets the code that would answer it."""
    page = ask(make_app(), "/zzz/qqq")[1]
    assert "Did you mean" not in page
    assert "@app.get(&#34;/zzz/qqq&#34;)" in page
    assert "def zzz_qqq():" in page


def test_a_handler_that_found_nothing_is_named_with_its_line() -> None:
    """`abort(404)` shows who raised it, and its words are text."""
    status, page = ask(make_app(), "/items/7")
    assert status == 404
    assert "There is no item &lt;b&gt;7&lt;/b&gt;" in page
    assert "<code>/items/{id:int}</code>" in page
    assert "test_missing.py:" in page
    assert "No route matches" not in page


def test_a_method_that_is_not_answered() -> None:
    """A 405 says which methods are, and keeps its `Allow`."""
    with TestClient(make_app(), base_url="http://localhost") as client:
        answer = client.get("/send", headers=HTML)
    assert answer.status_code == 405
    assert "/send does not answer GET." in answer.text
    assert "It answers POST." in answer.text
    assert answer.headers["allow"] == "OPTIONS, POST"


def test_other_clients_get_what_production_sends() -> None:
    """An API client gets the problem document, in development too."""
    with TestClient(make_app(), base_url="http://localhost") as client:
        answer = client.get("/nowhere", headers={"accept": "application/json"})
    assert answer.json() == {"type": "about:blank", "title": "Not Found", "status": 404}


@pytest.mark.parametrize(("env", "debug"), [("production", False), ("production", True), ("development", False)])
def test_without_debug_nothing_is_listed(env: str, debug: bool) -> None:
    """Neither production nor an app that is not debugged tells its routes."""
    status, page = ask(make_app(env=env, debug=debug), "/blog/post/hello")
    assert status == 404
    assert "<h1>Not Found</h1>" in page
    assert "posts" not in page


def test_an_error_handler_of_the_app_answers_instead() -> None:
    """Who wrote a page for 404 sees it in development too."""
    app = make_app()

    @app.errorhandler(404)
    def not_found(error: Exception) -> str:
        return "our own page"

    assert ask(app, "/blog/post/hello") == (404, "our own page")


def test_what_the_client_sent_is_text() -> None:
    """A path with markup stays text, in the title, the suggestion and the code."""
    page = ask(make_app(), "/%3Cscript%3Ealert(1)%3C/script%3E")[1]
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/abuot", "/about"),
        ("/user/7/post", "/users/{id}/posts"),
        ("/file/a/b/c", "/files/{name:path}"),
        ("/x/y", None),
    ],
)
def test_nearest(path: str, nearest: str | None) -> None:
    """Words are compared with words, and a parameter with anything."""
    routes = [Route(pattern, print) for pattern in ("/about", "/users/{id}/posts", "/files/{name:path}", "/{a}/{b}")]
    assert [route.pattern for route in find_nearest(routes, path)][:1] == ([nearest] if nearest else [])
