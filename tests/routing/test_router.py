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
    router = make("/a{x}", "/ab{x}", "/{x}.b", "/{x}.ab", "/a{x}.b")
    assert found(router, "/abc") == ("/ab{x}", {"x": "c"})
    assert found(router, "/ac") == ("/a{x}", {"x": "c"})
    assert found(router, "/c.ab") == ("/{x}.ab", {"x": "c"})
    assert found(router, "/ac.b") == ("/a{x}.b", {"x": "c"})


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


def test_several_parameters_share_a_segment():
    """Literals part the parameters of a segment, each as long as it can be; typed ones settle where one ends."""
    router = make("/f/{name}.{extension}", "/{year:int}-{month:int}-{slug}", "/@{user}", "/v{version:float}/x")
    assert found(router, "/f/archive.tar.gz") == ("/f/{name}.{extension}", {"name": "archive.tar", "extension": "gz"})
    assert found(router, "/f/.gz") is None
    assert found(router, "/f/a.") is None
    assert found(router, "/f/.a.b")[1] == {"name": ".a", "extension": "b"}
    assert found(router, "/2024-05-my-first-post")[1] == {"year": 2024, "month": 5, "slug": "my-first-post"}
    assert found(router, "/2024-May-post") is None
    assert found(router, "/@") is None
    assert found(router, "/v1.5/x")[1] == {"version": 1.5}


def test_a_path_parameter_may_stand_in_the_middle():
    """What comes before and after a parameter with slashes must still fit; the longest value wins."""
    router = make("/{page:path}/edit", "/{page:path}", "/raw-{page:path}.txt")
    assert found(router, "/a/b/edit") == ("/{page:path}/edit", {"page": "a/b"})
    assert found(router, "/edit/edit/edit")[1] == {"page": "edit/edit"}
    assert found(router, "/edit") == ("/{page:path}", {"page": "edit"})
    assert found(router, "/raw-a/b.txt") == ("/raw-{page:path}.txt", {"page": "a/b"})
    assert found(router, "/raw-/b.txt") == ("/{page:path}", {"page": "raw-/b.txt"})
    assert found(router, "//a") is None


def test_doubled_braces_mean_themselves():
    """`{{` and `}}` are the characters, in static patterns and beside parameters."""
    router = make("/{{x}}", "/{{{name}}}")
    assert found(router, "/{x}") == ("/{{x}}", {})
    assert found(router, "/{y}") == ("/{{{name}}}", {"name": "y"})
    assert router.url_for("/{{{name}}}", name="y") == "/%7By%7D"


def test_methods_are_apart():
    """A path that has other methods says which; HEAD follows GET; several routes of a path add up."""
    router = Router()
    router.add(Route("/posts/{id:int}", endpoint, methods=["GET"], name="get"))
    router.add(Route("/posts/{slug}", endpoint, methods=["put", "DELETE"], name="put"))
    router.add(Route("/posts/me", endpoint, methods=["PATCH"], name="me"))
    router.compile()
    assert found(router, "/posts/7", "HEAD") == ("/posts/{id:int}", {"id": 7})
    assert found(router, "/posts/7", "PUT") == ("/posts/{slug}", {"slug": "7"})
    assert found(router, "/posts/me", "DELETE") == ("/posts/{slug}", {"slug": "me"})
    assert router.match("POST", "/posts/7").allowed == ("DELETE", "GET", "HEAD", "PUT")
    assert router.match("POST", "/posts/me").allowed == ("DELETE", "PATCH", "PUT")
    assert router.match("POST", "/nothing") == ((None, {}, None, (), None, False))


def test_a_route_for_any_method_answers_what_is_left():
    """`methods=None` takes every method, WebSockets too; a route that names the method goes first."""
    router = Router()
    router.add(Route("/old/{rest:path}", endpoint, methods=None, name="mount"))
    router.add(Route("/old", endpoint, methods=None, name="root"))
    router.add(Route("/old", print, methods=["GET"], name="own"))
    router.compile()
    assert found(router, "/old/a/b", "PROPFIND") == ("/old/{rest:path}", {"rest": "a/b"})
    assert found(router, "/old/a", "WEBSOCKET") is not None
    assert router.match("GET", "/old").target is print
    assert router.match("POST", "/old").target is endpoint


def test_websockets_are_no_method_of_http():
    """A WebSocket route answers no request and is in no `Allow`; the match says that it is there."""
    router = Router()
    router.add(Route("/ws", endpoint, methods=["WEBSOCKET"]))
    router.compile()
    assert found(router, "/ws", "WEBSOCKET") == ("/ws", {})
    match = router.match("GET", "/ws")
    assert (match.route, match.allowed, match.websocket) == (None, (), True)


def test_targets_may_be_set_late():
    """`set_target` reaches the compiled tables, static and dynamic, for all methods or for one."""
    router = Router()
    static = Route("/a", endpoint, methods=["GET", "POST"])
    dynamic = Route("/b/{x}", endpoint, methods=["GET", "POST"])
    router.add(static)
    router.add(dynamic)
    static.set_target("early")
    router.compile()
    assert router.static["/a"]["GET"] == "early"
    for route in (static, dynamic):
        route.set_target("late")
        route.set_target("post", method="POST")
    assert router.static["/a"] == {"GET": "late", "HEAD": "late", "POST": "post"}
    assert router.find("GET", "/a") == ("late", {})
    assert router.find("HEAD", "/b/1") == ("late", {"x": "1"})
    assert router.find("POST", "/b/1") == ("post", {"x": "1"})
    dynamic.set_target("get", method="GET")
    assert router.find("HEAD", "/b/1") == ("get", {"x": "1"})


def test_defaults_are_parameters():
    """Defaults come with every match, in a dict of its own; such a static route is not in `static`."""
    router = Router()
    router.add(Route("/posts", endpoint, defaults={"page": 1}))
    router.add(Route("/posts/{page:int}", endpoint, defaults={"sort": "new"}))
    router.compile()
    assert router.static["/posts"] == {}
    first = router.find("GET", "/posts")
    assert first == (endpoint, {"page": 1})
    first[1]["page"] = 2
    assert router.find("GET", "/posts") == (endpoint, {"page": 1})
    assert found(router, "/posts/3")[1] == {"page": 3, "sort": "new"}


@pytest.mark.parametrize(
    ("pattern", "asked", "redirect"),
    [
        ("/posts/", "/posts", "/posts/"),
        ("/posts", "/posts/", "/posts"),
        ("/posts/{id:int}", "/posts/7/", "/posts/7"),
        ("/a b/{name}/", "/a b/é", "/a%20b/%C3%A9/"),
        ("/posts", "/posts//", None),
        ("/posts/", "/posts//", None),
        ("/{name}/{host}/", "//evil.example", None),
        ("/{name}", "/\\evil.example/", "/%5Cevil.example"),
        ("/f/{name}", "/f/a%2Fb/", "/f/a%2Fb"),
    ],
)
def test_the_other_form_is_redirected_to(pattern: str, asked: str, redirect: str | None):
    """Where only the form with, or without, the slash at the end is a route, the match leads there, within the site."""
    match = make(pattern).match("GET", asked)
    assert match.route is None
    assert match.redirect == redirect


def test_slash_policies():
    """Strict routes answer as written, ignoring ones both forms; a route's own policy goes first."""
    assert make("/posts/", slash="strict").match("GET", "/posts").redirect is None
    ignoring = make("/posts/", "/users/{id:int}", "/both", "/both/", "/files/{rest:path}", "/", slash="ignore")
    assert found(ignoring, "/posts") == found(ignoring, "/posts/") == ("/posts/", {})
    assert found(ignoring, "/users/1/") == ("/users/{id:int}", {"id": 1})
    assert found(ignoring, "/both/") == ("/both/", {})
    assert found(ignoring, "/files/a/")[1] == {"rest": "a/"}
    assert "/posts" in ignoring.static
    router = Router(slash="strict")
    router.add(Route("/a/", endpoint, slash="redirect", name="a"))
    router.add(Route("/b/", endpoint, slash="ignore", name="b"))
    router.add(Route("/c/", endpoint, name="c"))
    router.compile()
    assert router.match("GET", "/a").redirect == "/a/"
    assert found(router, "/b", "HEAD") == ("/b/", {})
    assert router.match("GET", "/c") == ((None, {}, None, (), None, False))
    assert router.match("POST", "/a").redirect is None


def test_hosts():
    """Hosts are tried first, literal ones before patterns, and a route without a host answers on every one."""
    router = Router()
    for pattern, host in [
        ("/", "api.example.com"),
        ("/", "{tenant}.example.com"),
        ("/{id:int}", "{tenant}.example.com"),
        ("/", None),
        ("/about", None),
    ]:
        router.add(Route(pattern, endpoint, host=host, name=f"{host}{pattern}"))
    router.compile()
    assert router.static == {}
    assert router.match("GET", "/", host="API.example.com:8000").route.name == "api.example.com/"
    assert router.match("GET", "/", host="ann.example.com").params == {"tenant": "ann"}
    assert router.match("GET", "/7", host="ann.example.com.").params == {"tenant": "ann", "id": 7}
    assert router.match("GET", "/7", host="api.example.com").params == {"tenant": "api", "id": 7}
    assert found(router, "/about", host="ann.example.com") == ("/about", {})
    assert found(router, "/", host="a.b.example.com") == ("/", {})
    assert found(router, "/", host="[::1]:8000") == ("/", {})
    assert found(router, "/") == ("/", {})
    assert router.match("GET", "/7", host="example.com").route is None
    assert router.match("POST", "/", host="ann.example.com").allowed == ("GET", "HEAD")


@pytest.mark.parametrize("path", ["/x/..", "/x/.", "/x/../y", "/x/a\0b", "/x//", "x/y", "*", ""])
def test_paths_that_lead_elsewhere_match_nothing(path: str):
    """Dot segments, NULs and empty segments are never the value of a parameter, nor part of one."""
    router = make("/x/{name}", "/x/{rest:path}", "/{a}/{b}/{c}")
    assert router.find("GET", path) is None
    assert router.match("GET", path).route is None


def test_own_converters():
    """A class of one's own converts and formats; its regular expression and its ValueError both mean no match."""

    class Even(Converter[int]):
        regex = "[0-9]+"

        def convert(self, text: str) -> int:
            if int(text) % 2:
                raise ValueError(text)
            return int(text)

        def format(self, value: int) -> str:
            return f"{value:03}"

    router = Router()
    router.add_converter("even", Even)
    router.add(Route("/{n:even}", endpoint, name="even"))
    router.add(Route("/{n:even}-{m:even}", endpoint, name="two"))
    router.compile()
    assert found(router, "/8") == ("/{n:even}", {"n": 8})
    assert found(router, "/7") is None
    assert found(router, "/x") is None
    assert found(router, "/2-4")[1] == {"n": 2, "m": 4}
    assert found(router, "/2-5") is None
    assert router.url_for("even", n=8) == "/008"


def test_a_converter_of_many_segments():
    """A converter that spans segments sees the slashes, and may refuse the longest value for a shorter one."""

    class Pair(Converter[tuple[str, ...]]):
        spans_segments = True

        def convert(self, text: str) -> tuple[str, ...]:
            left, right = text.split("/")
            return left, right

        def format(self, value: tuple[str, ...]) -> str:
            return "/".join(value)

    router = Router()
    router.add_converter("pair", Pair)
    router.add(Route("/{pair:pair}/{rest}", endpoint, name="rest"))
    router.add(Route("/{pair:pair}", endpoint, name="end"))
    router.compile()
    assert found(router, "/a/b/c") == ("/{pair:pair}/{rest}", {"pair": ("a", "b"), "rest": "c"})
    assert found(router, "/a/b") == ("/{pair:pair}", {"pair": ("a", "b")})
    assert found(router, "/a") is None
    assert router.url_for("end", pair=("x", "y z")) == "/x/y%20z"


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("/{v:int(min=1, max=9)}", {"1": 1, "9": 9}, ["0", "10", "x", "٣", "1_0", "+1", " 1", "-", "9" * 5000]),
        ("/{v:int}", {"-5": -5, "007": 7}, ["1.0", "--1", "²", "9" * 5000]),
        ("/{v:str(min=2, max=3)}", {"ab": "ab", "abc": "abc"}, ["a", "abcd"]),
        ("/{v:str(length=2)}", {"de": "de"}, ["d", "deu"]),
        ("/{v:any(draft, public)}", {"draft": "draft"}, ["drafts", "draft,public"]),
        ("/{v:regex([A-Z]{2}[0-9]+)}", {"AB1": "AB1"}, ["AB", "AB1\n", "xAB1"]),
        ("/{v:float}", {"1.5": 1.5, "-2": -2.0}, ["nan", "inf", "1e5", "1.", "9" * 400]),
        ("/{v:slug}", {"a-B_9": "a-B_9"}, ["é", "a.b"]),
        ("/{v:date}", {}, ["2024-13-01", "20240101", "2024-W01-1", "2024-1-01"]),
        ("/{v:time}", {}, ["25:00", "12", "12:00:00Z"]),
        ("/{v:datetime}", {}, ["2024-01-01", "2024-01-01T25:00", "0001-01-01T00:00+05:00"]),
        ("/{v:uuid}", {}, ["0" * 32, "{00000000-0000-0000-0000-000000000000}"]),
    ],
)
def test_converters_take_theirs_and_nothing_else(pattern: str, good: dict[str, object], bad: list[str]):
    """Each converter reads its own forms, in ASCII, and refuses all others."""
    router = make(pattern)
    for text, value in good.items():
        assert found(router, "/" + text)[1] == {"v": value}
    for text in bad:
        assert found(router, "/" + text) is None, text


def test_a_datetime_is_aware():
    """Datetimes of a path are in UTC, with or without an offset."""
    router = make("/{v:datetime}")
    assert str(found(router, "/2024-05-01T12:00+02:00")[1]["v"]) == "2024-05-01 10:00:00+00:00"
    assert str(found(router, "/2024-05-01T12:00:30.5Z")[1]["v"]) == "2024-05-01 12:00:30.500000+00:00"
    assert str(found(router, "/2024-05-01T12:00")[1]["v"]) == "2024-05-01 12:00:00+00:00"


@pytest.mark.parametrize(
    ("pattern", "code", "words"),
    [
        ("posts", "DJN-100", "Write '/posts'"),
        ("", "DJN-100", "slash"),
        ("/a//b", "DJN-100", "//"),
        ("/a/../b", "DJN-100", ".."),
        ("/{id", "DJN-100", "never closed"),
        ("/id}", "DJN-100", "never opened"),
        ("/{a}{b}", "DJN-100", "side by side"),
        ("/{1d}", "DJN-100", "Python name"),
        ("/{class}", "DJN-100", "Python name"),
        ("/{_id}", "DJN-100", "underscore"),
        ("/{id:}", "DJN-100", "converter"),
        ("/{id:in t}", "DJN-100", "converter"),
        ("/<int:id>", "DJN-100", "'{id:int}'"),
        ("/<string:name>", "DJN-100", "'{name}'"),
        ("/a?b", "DJN-100", "query"),
        ("/a%20b", "DJN-100", "'%20'"),
        ("/a\nb", "DJN-100", "printed"),
        ("/{a}/{a}", "DJN-102", "'a' twice"),
        ("/{a:path}/x/{b:path}", "DJN-102", "both take slashes"),
        ("/{a:path}-{b}", "DJN-102", "in one segment"),
        ("/{id:itn}", "DJN-103", "Did you mean 'int'"),
        ("/{id:int(5)}", "DJN-107", "cannot be made"),
        ("/{id:any()}", "DJN-107", "at least one word"),
        ("/{id:regex([)}", "DJN-107", "cannot be made"),
    ],
)
def test_bad_patterns_are_found_at_start(pattern: str, code: str, words: str):
    """Each mistake in a pattern is told with its place, why it cannot be, and what to write."""
    with pytest.raises(ConfigurationError) as caught:
        make(pattern)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert "test_router.py:" in caught.value.seen
    assert caught.value.why
    assert caught.value.fix


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"methods": "GET"}, "DJN-106", "['GET']"),
        ({"methods": []}, "DJN-106", "no method"),
        ({"methods": ["GE T"]}, "DJN-106", "'GE T'"),
        ({"slash": "both"}, "DJN-106", "'redirect'"),
        ({"defaults": {"id": 1}}, "DJN-106", "'id'"),
        ({"name": ""}, "DJN-106", "empty name"),
        ({"host": "https://example.com"}, "DJN-100", "not a host"),
        ({"host": "example.com:80"}, "DJN-100", "not a host"),
        ({"host": ".example.com"}, "DJN-100", "empty label"),
        ({"host": ""}, "DJN-100", "not a host"),
        ({"host": "{id}.example.com"}, "DJN-102", "'id'"),
        ({"host": "{h:path}.example.com"}, "DJN-106", "label"),
    ],
)
def test_bad_arguments_are_found_at_start(options: dict[str, object], code: str, words: str):
    """Each argument of a route that makes no sense is told with what to write."""

    def start() -> None:
        router = Router()
        router.add(Route("/posts/{id}", endpoint, **options))
        router.compile()

    with pytest.raises(ConfigurationError) as caught:
        start()
    assert caught.value.code == code
    assert words in str(caught.value)


def test_routes_are_frozen_after_compile():
    """Neither a route nor a converter can be added once the router is compiled; compiling again changes nothing."""
    router = make("/a")
    router.compile()
    with pytest.raises(ConfigurationError, match="DJN-105"):
        router.add(Route("/b", endpoint))
    with pytest.raises(ConfigurationError, match="DJN-105"):
        router.add_converter("x", Converter)
    with pytest.raises(ConfigurationError, match="DJN-107"):
        Router().add_converter("x", 5)


def test_one_name_for_two_functions():
    """A name given by hand to two functions with different URLs is refused; one function may have it often."""
    router = Router()
    router.add(Route("/a", endpoint, name="x"))
    router.add(Route("/a", print, methods=["POST"], name="x"))
    router.add(Route("/b", endpoint, name="x"))
    router.compile()
    assert router.url_for("x") == "/a"
    router = Router()
    router.add(Route("/a", endpoint, name="x"))
    router.add(Route("/b", print, name="x"))
    with pytest.raises(ConfigurationError, match="DJN-104") as caught:
        router.compile()
    assert "'/a'" in caught.value.seen
    assert "'/b'" in caught.value.seen
