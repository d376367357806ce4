"""Properties of routing: the tree agrees with a slow matcher, and every URL leads back to its route."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from demijohn._lib.paths import decode_path
from demijohn.errors import ConfigurationError
from demijohn.routing import Parameter, Route, Router, URLBuildError, parse_path

REGEXES = {
    None: "[^/]+",
    "str": "[^/]+",
    "int": "-?[0-9]+",
    "slug": "[A-Za-z0-9_-]+",
    "any": "a|ab|1",
    "path": "[^/].*",
}
WEIGHTS = {None: 90, "str": 90, "int": 20, "slug": 60, "any": 10, "path": 100}

literals = st.text("ab1-.", min_size=1, max_size=2).filter(lambda text: text not in (".", ".."))
converters = st.sampled_from([None, "str", "int", "slug", "any"])


def write(name: str, converter: str | None) -> str:
    if converter is None:
        return f"{{{name}}}"
    return f"{{{name}:any(a,ab,1)}}" if converter == "any" else f"{{{name}:{converter}}}"


@st.composite
def segments(draw: st.DrawFn, index: int) -> str:
    """One segment: a literal, a parameter, or a mix of both with literals between the parameters."""
    kind = draw(st.sampled_from(["literal", "literal", "plain", "plain", "mixed"]))
    if kind == "literal":
        return draw(literals)
    if kind == "plain":
        return write(f"p{index}", draw(converters))
    count = draw(st.integers(1, 3))
    between = draw(st.lists(st.text("ab-.", min_size=1, max_size=2), min_size=count + 1, max_size=count + 1))
    if draw(st.booleans()):
        between[0] = ""
    if draw(st.booleans()):
        between[-1] = ""
    text = between[0]
    for number in range(count):
        text += write(f"p{index}_{number}", draw(converters)) + between[number + 1]
    return text


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """A whole pattern, now and then with a part that takes slashes, or a slash at the end."""
    count = draw(st.integers(1, 4))
    parts = [draw(segments(index)) for index in range(count)]
    ending = draw(st.sampled_from(["", "", "", "/", "span", "span in the middle"]))
    if ending == "/":
        parts.append("")
    elif ending == "span":
        parts.append("{rest:path}")
    elif ending == "span in the middle":
        parts.insert(draw(st.integers(0, count - 1)), draw(st.sampled_from(["", "a-"])) + "{rest:path}")
    return "/" + "/".join(parts)


paths = st.lists(st.text("ab1-.", max_size=4), min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))


def slow_match(route: Route, path: str) -> bool:
    """Whether one regular expression for the whole pattern, and a look at its values, take the path."""
    if any(part in (".", "..") for part in path.split("/")):
        return False
    out = ""
    for part in re.split(r"(\{[^}]*\})", route.pattern):
        found = re.fullmatch(r"\{(\w+)(?::(\w+)(?:\(.*\))?)?\}", part)
        out += re.escape(part) if found is None else f"(?P<{found[1]}>{REGEXES[found[2]]})"
    return re.fullmatch(out, path, re.DOTALL) is not None


def put_back(route: Route, params: dict[str, object]) -> str:
    """Write the values into the pattern."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: str(params[found[1]]), route.pattern)


def rank(route: Route) -> list[tuple[int, ...]]:
    """How specific each segment is; smaller goes first."""
    ranks = []
    for segment in route.parsed.segments:
        inside = [part for part in segment if isinstance(part, Parameter)]
        if not inside:
            ranks.append((0,))
            continue
        prefix = len(segment[0]) if isinstance(segment[0], str) else 0
        literal = sum(len(part) for part in segment if isinstance(part, str))
        ranks.append((1, -prefix, -literal, min(WEIGHTS[part.converter] for part in inside)))
    return ranks


@settings(max_examples=400, deadline=None)
@given(st.lists(patterns(), min_size=1, max_size=12, unique=True), st.lists(paths, min_size=1, max_size=20))
def test_the_tree_agrees_with_a_slow_matcher(texts: list[str], asked: list[str]) -> None:
    """Whatever the patterns and the path: found exactly if some route matches alone, and the most specific of them."""
    router = Router(slash="strict")
    routes = [Route(text, lambda: None, name=f"r{number}") for number, text in enumerate(texts)]
    for route in routes:
        router.add(route)
    try:
        router.compile()
    except ConfigurationError as error:
        assume(error.code != "DJN-101")
        raise
    for path in asked:
        expected = [route for route in routes if slow_match(route, path)]
        match = router.match("GET", path)
        quick = router.find("GET", path)
        assert (match.route is not None) == bool(expected), (path, texts)
        if match.route is None:
            assert quick is None
            assert router.match("POST", path).allowed == ()
            continue
        assert quick == (match.target, match.params)
        assert match.route in expected
        assert put_back(match.route, match.params) == path
        if not any("path" in route.pattern for route in expected):
            assert rank(match.route) == min(rank(route) for route in expected), (path, expected)
        assert router.match("POST", path).allowed == ("GET", "HEAD")


VALUES = {
    "str": st.text(min_size=1, max_size=20),
    "int": st.integers(-(10**30), 10**30),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=4),
    "uuid": st.uuids(),
    "date": st.dates(),
    "datetime": st.datetimes(timezones=st.just(UTC)),
    "time": st.times(),
    "slug": st.text("abcXYZ019-_", min_size=1, max_size=20),
    "path": st.text(min_size=1, max_size=30),
    "any": st.sampled_from(["draft", "public"]),
}
TYPES = {
    "str": str, "int": int, "float": float, "decimal": Decimal, "uuid": UUID, "date": date, "datetime": datetime,
}  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_url_leads_back_to_its_route(data: st.DataObject) -> None:
    """`url_for` either refuses a value, or makes a URL that is read back as the same route and values."""
    names = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=3))
    assume(names.count("path") < 2)
    mixed = data.draw(st.booleans())
    parts = []
    for index, name in enumerate(names):
        parameter = f"{{p{index}:{name}}}" if name != "any" else f"{{p{index}:any(draft, public)}}"
        parts.append(f"x-{parameter}.y" if mixed else parameter)
    pattern = "/top/" + "/".join(parts)
    route = Route(pattern, test_a_url_leads_back_to_its_route)
    router = Router()
    router.add(route)
    router.compile()
    values = {f"p{index}": data.draw(VALUES[name]) for index, name in enumerate(names)}
    extra = data.draw(st.lists(st.text(max_size=5), max_size=3))
    refused: URLBuildError | None = None
    url = ""
    try:
        url = router.url_for(route.endpoint, **values, q=extra)
    except URLBuildError as error:
        refused = error
    if refused is not None:
        assert refused.code == "DJN-112"
        assert any(isinstance(value, str) for value in [*values.values(), *extra])
        return
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    split = urlsplit(url)
    assert (split.scheme, split.netloc) == ("", "")
    match = router.match("GET", decode_path(split.path.encode()))
    assert match.route is route
    assert match.params == values
    for index, name in enumerate(names):
        if name in TYPES:
            assert type(match.params[f"p{index}"]) is TYPES[name]
    assert [value for _, value in parse_qsl(split.query, keep_blank_values=True)] == extra


@settings(max_examples=500, deadline=None)
@given(st.text("/{}:<>()abc1.,*?#%=\\ ", max_size=25))
def test_any_text_is_read_or_refused(text: str) -> None:
    """A pattern is read, or refused as a mistake of the developer; nothing else is ever raised."""
    refused: ConfigurationError | None = None
    try:
        pattern = parse_path(text)
        assert text.startswith("/")
        assert all(parameter.name.isidentifier() for parameter in pattern.parameters)
    except ConfigurationError as error:
        refused = error
    if refused is not None:
        assert refused.code in ("DJN-100", "DJN-102")
        assert refused.why
        assert refused.fix


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(["GET", "POST", "WEBSOCKET"]))
def test_any_bytes_are_matched_or_not(raw: bytes, method: str) -> None:
    """Whatever bytes come as a path: a ValueError while decoding, a match or none; no redirect leaves the site."""
    router = Router()
    for pattern in ("/", "/{a}", "/{a:int}/", "/{rest:path}/x", "/{a}-{b}-{c}", "/{n}.{e}/"):
        router.add(Route(pattern, len, name=pattern))
    router.compile()
    try:
        path = decode_path(b"/" + raw)
    except ValueError:
        return
    match = router.match(method, path)
    for value in match.params.values():
        assert value not in (".", "..", "")
        assert "\0" not in str(value)
    if match.redirect is not None:
        assert match.redirect.startswith("/")
        assert not match.redirect.startswith(("//", "/\\"))
        assert match.redirect.isascii()
        assert match.redirect.isprintable()
