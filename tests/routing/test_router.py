"""The router: what answers, what does not, and in which order."""

import pytest

from demijohn.errors import ConfigurationError
from demijohn.routing import Converter, Parameter, Route, Router


def endpoint() -> None: ...


def make(*patterns: str, **options) -> Router:
    router = Router(**options)
    for pattern in patterns:
        router.add(Route(pattern, endpoint, name=pattern))
    router.compile()
    return router


def found(router: Router, path: str, method: str = "GET", host: str = ""):
    match = router.match(method, path, host=host)
    quick = router.find(method, path, host=host)
    assert (quick is None) == (match.route is None)
    if match.route is None:
        return None
    assert quick == (match.target, match.params)
    return match.route.pattern, match.params


def test_static_routes_are_one_look_up():
    """A static route is in `static` by path and method, HEAD included, and `find` knows it too."""
    router = make("/", "/posts", "/posts/")
    assert router.static["/posts"] == {"GET": endpoint, "HEAD": endpoint}
    assert found(router, "/posts") == ("/posts", {})
    assert found(router, "/posts/") == ("/posts/", {})
    assert found(router, "/") == ("/", {})
    assert found(router, "") is None
    assert found(router, "posts") is None


def test_parameters_are_converted():
    """A parameter with a converter gives its value; what the converter refuses does not match."""
    router = make("/posts/{id:int}", "/files/{rest:path}")
    assert found(router, "/posts/42") == ("/posts/{id:int}", {"id": 42})
    assert found(router, "/posts/x") is None
    assert found(router, "/files/a/b.txt") == ("/files/{rest:path}", {"rest": "a/b.txt"})
    assert found(router, "/files/") is None


def test_the_specific_goes_before_the_general():
    """A literal goes before a typed parameter, that before text, that before a path; declaration order is no matter."""
    router = make("/{rest:path}", "/{name}", "/{id:int}", "/@{user}", "/new")
    assert found(router, "/new") == ("/new", {})
    assert found(router, "/7") == ("/{id:int}", {"id": 7})
    assert found(router, "/@ann") == ("/@{user}", {"user": "ann"})
    assert found(router, "/ann") == ("/{name}", {"name": "ann"})
    assert found(router, "/ann/x") == ("/{rest:path}", {"rest": "ann/x"})


def test_a_dead_end_goes_back():
    """Where a literal leads nowhere, the parameter beside it is tried, with none of the values of the dead end."""
    router = make("/a/{x}/c", "/{y}/{z}/d")
    assert found(router, "/a/b/d") == ("/{y}/{z}/d", {"y": "a", "z": "b"})
    assert found(router, "/a/b/c") == ("/a/{x}/c", {"x": "b"})


def test_duplicates_name_both_places():
    """Two routes for the same requests are refused at start-up, and the message has the line of each."""
    router = Router()
    router.add(Route("/posts/{id}", endpoint, name="a"))
    router.add(Route("/posts/{slug}", endpoint, name="b"))
    with pytest.raises(ConfigurationError, match="DJN-101") as caught:
        router.compile()
    assert caught.value.seen.count("test_router.py:") == 2


def test_the_app_settles_converters():
    """The resolver is asked first, with the bare word; None leaves the parameter to the converters known by name."""

    class Column(Converter[str]):
        def convert(self, text: str) -> str:
            return text.upper()

    asked: list[str] = []

    def resolve(parameter: Parameter, route: Route):
        asked.append(str(parameter))
        return Column() if parameter.name == "post" else None

    router = Router()
    router.add(Route("/posts/{post:slug}/{other:slug}", endpoint))
    router.compile(resolve_converter=resolve)
    assert asked == ["{post:slug}", "{other:slug}"]
    assert found(router, "/posts/a/b") == ("/posts/{post:slug}/{other:slug}", {"post": "A", "other": "b"})
