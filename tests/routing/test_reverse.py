"""URLs from names and functions."""

from datetime import date
from enum import Enum
from functools import partial, wraps
from typing import Any

import pytest

from demijohn.routing import Converter, Route, Router, URLBuildError


def home() -> None: ...
def show() -> None: ...
def other() -> None: ...


class Color(Enum):
    RED = "red"


@pytest.fixture
def router() -> Router:
    router = Router()
    router.add(Route("/", home))
    router.add(Route("/posts/{id:int}", show, name="post"))
    router.add(Route("/posts/{id:int}", show, methods=["DELETE"], name="delete"))
    router.add(Route("/files/{name:path}", other, name="file"))
    router.add(Route("/blog/{slug}", other, name="show", namespace="blog"))
    router.add(Route("/blog/admin/", other, name="list", namespace="blog.admin"))
    router.add(Route("/api", other, name="api", host="{tenant}.example.com"))
    router.add(Route("/list", other, name="list-1", defaults={"page": 1}))
    router.compile()
    return router


@pytest.mark.parametrize(
    ("wanted", "params", "url"),
    [
        ("home", {}, "/"),
        (home, {}, "/"),
        ("post", {"id": 3}, "/posts/3"),
        (show, {"id": "3"}, "/posts/3"),
        ("post", {"id": 3, "q": ["a", "b"], "none": None, "empty": []}, "/posts/3?q=a&q=b"),
        ("home", {"a": True, "d": date(2024, 1, 2), "c": Color.RED, "x": 1.5}, "/?a=true&d=2024-01-02&c=red&x=1.5"),
        ("home", {"q": "a b&c=é/ü"}, "/?q=a+b%26c%3D%C3%A9%2F%C3%BC"),
        ("home", {"_query": {"page[size]": 5, "_x": 1}, "_anchor": "top é"}, "/?page%5Bsize%5D=5&_x=1#top%20%C3%A9"),
        ("file", {"name": "a b/c?.txt"}, "/files/a%20b/c%3F.txt"),
        ("file", {"name": "50%2F"}, "/files/50%252F"),
        ("blog.show", {"slug": "é"}, "/blog/%C3%A9"),
        (".show", {"slug": "x", "_namespace": "blog"}, "/blog/x"),
        (".home", {"_namespace": ""}, "/"),
        (".list", {"_namespace": "blog.admin"}, "/blog/admin/"),
        ("delete", {"id": 3, "_method": "delete"}, "/posts/3"),
        ("post", {"id": 3, "_root": "/app"}, "/app/posts/3"),
        ("post", {"id": 3, "_external": True, "_host": "x.example:8000", "_scheme": "http"}, "http://x.example:8000/posts/3"),
        ("post", {"id": 3, "_external": True, "_host": "x.example"}, "https://x.example/posts/3"),
        ("post", {"id": 3, "_external": False, "_host": "x.example"}, "/posts/3"),
        ("post", {"id": 3, "_scheme": "http", "_host": "x.example"}, "http://x.example/posts/3"),
        ("api", {"tenant": "ann", "_external": False, "_host": "ann.example.com:8000"}, "/api"),
        ("api", {"tenant": "bob", "_external": False, "_host": "ann.example.com:8000"}, "//bob.example.com:8000/api"),
        ("api", {"tenant": "Bob", "_external": True, "_host": "example.com", "_scheme": "http"}, "http://bob.example.com/api"),
        ("list-1", {}, "/list"),
        ("list-1", {"page": 1, "q": 2}, "/list?q=2"),
    ],
)  # fmt: skip
def test_urls(router: Router, wanted: Any, params: dict[str, Any], url: str) -> None:
    """Parameters of the pattern go into the path, others into the query, all encoded; options shape the rest."""
    assert router.url_for(wanted, **params) == url


@pytest.mark.parametrize(
    ("wanted", "params", "code", "words"),
    [
        ("psot", {"id": 3}, "DJN-110", "Did you mean 'post'"),
        ("show", {"slug": "x"}, "DJN-110", "Did you mean 'blog.show'"),
        (".nope", {"_namespace": "blog"}, "DJN-110", "'blog.nope'"),
        (len, {}, "DJN-110", "url_for(len)"),
        (5, {}, "DJN-110", "no route leads to it"),
        ([], {}, "DJN-110", "no route leads to it"),
        ("post", {}, "DJN-111", "lacks 'id' of '/posts/{id:int}'"),
        ("post", {"id": None}, "DJN-111", "'id' is None"),
        ("post", {"idd": 3}, "DJN-111", "did you mean 'id'?"),
        (show, {}, "DJN-111", "Write url_for(show, id=...)"),
        ("api", {}, "DJN-111", "'{tenant}.example.com/api'"),
        ("list-1", {"page": 2}, "DJN-111", "{'page': 1}"),
        ("post", {"id": "x"}, "DJN-112", "{id:int}"),
        ("post", {"id": 3.5}, "DJN-112", "not an int"),
        ("post", {"id": True}, "DJN-112", "not an int"),
        ("blog.show", {"slug": "a/b"}, "DJN-112", "slash"),
        ("blog.show", {"slug": ".."}, "DJN-112", "'..'"),
        ("blog.show", {"slug": ""}, "DJN-112", "empty"),
        ("blog.show", {"slug": "\0"}, "DJN-112", "NUL"),
        ("blog.show", {"slug": "\ud800"}, "DJN-112", "surrogates"),
        ("blog.show", {"slug": b"x"}, "DJN-112", "no obvious text"),
        ("blog.show", {"slug": object()}, "DJN-112", "no obvious text"),
        ("file", {"name": "/etc/passwd"}, "DJN-112", "slash"),
        ("file", {"name": "a/../b"}, "DJN-112", "'..'"),
        ("home", {"q": object()}, "DJN-112", "query"),
        ("home", {"q": "\ud800"}, "DJN-112", "query"),
        ("home", {"_anchr": "x"}, "DJN-114", "Did you mean '_anchor'"),
        ("home", {"_external": True}, "DJN-115", "no host is known"),
        ("post", {"id": 3, "_method": "PUT"}, "DJN-110", "'PUT'"),
        ("delete", {"id": 3, "_method": "GET"}, "DJN-110", "It has 'DELETE'"),
    ],
)
def test_wrong_urls(router: Router, wanted: Any, params: dict[str, Any], code: str, words: str) -> None:
    """What cannot be built says what is near, what is missing, and what to write."""
    with pytest.raises(URLBuildError) as caught:
        router.url_for(wanted, **params)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert caught.value.fix


def test_a_function_with_several_routes() -> None:
    """The route that takes the most of the parameters is chosen, the first of equals, and the method may decide."""
    router = Router()
    router.add(Route("/", show))
    router.add(Route("/posts", show, defaults={"page": 1}))
    router.add(Route("/posts/{page:int}", show))
    router.add(Route("/posts/{page:int}/{slug}", show, methods=["POST"]))
    router.compile()
    assert router.url_for(show) == "/"
    assert router.url_for(show, page=1) == "/posts"
    assert router.url_for(show, page=2) == "/posts/2"
    assert router.url_for(show, page=2, slug="x") == "/posts/2/x"
    assert router.url_for(show, page=2, slug="x", _method="GET") == "/posts/2?slug=x"


def test_decorated_functions_are_found() -> None:
    """A function is found through decorators that keep what they wrap, methods and unhashable callables too."""

    def decorate(function: Any) -> Any:
        @wraps(function)
        def wrapper() -> Any:
            return function()

        return wrapper

    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self) -> None: ...

        def method(self) -> None: ...

    class Plain:
        def method(self) -> None: ...

    unhashable, plain, part = Unhashable(), Plain(), partial(show)
    router = Router()
    router.add(Route("/show", show))
    router.add(Route("/home", decorate(home)))
    router.add(Route("/unhashable", unhashable))
    router.add(Route("/method", plain.method))
    router.add(Route("/partial", part))
    router.compile()
    assert router.url_for(decorate(show)) == "/show"
    assert router.url_for(home) == "/home"
    assert router.url_for(unhashable) == "/unhashable"
    assert router.url_for("Unhashable") == "/unhashable"
    assert router.url_for(plain.method) == "/method"
    assert router.url_for(part) == "/partial"


def test_a_name_that_two_functions_have() -> None:
    """Two functions may be called the same; only asking by that name is a mistake, and a name by hand goes before."""

    def twin() -> None: ...

    first = twin

    def twin() -> None: ...

    router = Router()
    router.add(Route("/a", first))
    router.add(Route("/b", twin))
    router.compile()
    assert router.url_for(first) == "/a"
    with pytest.raises(URLBuildError, match="DJN-113") as caught:
        router.url_for("twin")
    assert "'/a'" in caught.value.seen
    assert "'/b'" in caught.value.seen
    router = Router()
    router.add(Route("/a", first))
    router.add(Route("/b", twin, name="twin"))
    router.compile()
    assert router.url_for("twin") == "/b"


def test_mixed_segments_must_read_back() -> None:
    """Values that would be read back otherwise are refused."""
    router = Router()
    router.add(Route("/{name}.{extension}", show))
    router.compile()
    assert router.url_for(show, name="a.b", extension="c") == "/a.b.c"
    with pytest.raises(URLBuildError, match="reads back as"):
        router.url_for(show, name="a", extension="b.c")


def test_objects_are_formatted_by_their_converter() -> None:
    """A converter that the app supplies turns an object into text: url_for(show, post=post)."""

    class Post:
        slug = "hello world"

    class Column(Converter[Any]):
        def convert(self, text: str) -> str:
            return text

        def format(self, value: Any) -> str:
            return value.slug

    router = Router()
    router.add(Route("/posts/{post:slug}", show))
    router.compile(resolve_converter=lambda parameter, route: Column())
    assert router.url_for(show, post=Post()) == "/posts/hello%20world"
    with pytest.raises(URLBuildError, match="has no attribute 'slug'"):
        router.url_for(show, post=5)


def test_before_compile() -> None:
    """A URL may be asked for before the app has started, where the pattern takes plain text."""
    router = Router()
    router.add(Route("/posts/{id:int}", show))
    assert router.url_for(show, id=3, q=1) == "/posts/3?q=1"
    router.compile()
    with pytest.raises(URLBuildError, match="DJN-112"):
        router.url_for(show, id="x")
