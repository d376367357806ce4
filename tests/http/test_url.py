"""URLs and queries: parts by name, copies that change, limits and bad bytes."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.errors import BadRequest
from demijohn.http import URL, MultiDict, QueryParams, Request

SANE = st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=8), st.text(st.characters(codec="utf-8"))))


@given(SANE)
def test_a_query_comes_back(pairs: list[tuple[str, str]]) -> None:
    """Written and read again, order and repetition kept."""
    assert QueryParams(str(QueryParams(pairs))).multi_items() == pairs


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_a_bad_request(raw: bytes) -> None:
    """As the standard library reads them, where they are UTF-8."""
    request = Request("GET", "/", b"/", raw, [])
    try:
        pairs = request.query.multi_items()
    except BadRequest:
        return
    expected = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    assert [(name.encode(), value.encode()) for name, value in pairs] == [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in expected
    ]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a=1&b=", [("a", "1"), ("b", "")]),
        ("a&b", [("a", ""), ("b", "")]),
        ("a=1;b=2", [("a", "1;b=2")]),
        ("a=1%2&b=%zz", [("a", "1%2"), ("b", "%zz")]),
        ("&&a=+%2B&", [("a", " +")]),
        ("a=b=c", [("a", "b=c")]),
        ("", []),
    ],
)
def test_queries(text: str, pairs: list[tuple[str, str]]) -> None:
    """Blanks, no semicolons, escapes that are none."""
    assert QueryParams(text).multi_items() == pairs


def test_reading_values() -> None:
    """The last of a name, all of a name, converted, with a default."""
    query = QueryParams("a=1&a=2&b=x")
    assert query["a"] == "2"
    assert query.getlist("a") == ["1", "2"]
    assert query.get("a", type=int) == 2
    assert query.get("b", 7, type=int) == 7
    assert query.get("c") is None
    assert query.get("c", 1, type=int) == 1
    assert list(query) == ["a", "b"]
    assert query.to_dict() == {"a": ["1", "2"], "b": ["x"]}
    assert str(query.replace(a=[3, 4], b=None, c="ü")) == "a=3&a=4&c=%C3%BC"
    assert str(query.without("a")) == "b=x"
    assert query == QueryParams("a=1&a=2&b=x")
    assert MultiDict({"a": "1"}) == {"a": "1"}


@given(
    st.sampled_from(["http", "https", "ws", ""]),
    st.from_regex(r"[a-z0-9.]{1,10}(:[0-9]{1,4})?", fullmatch=True),
    st.from_regex(r"(/[a-z%0-9]{0,5}){0,3}", fullmatch=True),
)
def test_urls_keep_their_parts(scheme: str, netloc: str, path: str) -> None:
    """Written and read again."""
    text = f"{scheme}:" * bool(scheme) + f"//{netloc}{path}?a=1#f"
    url = URL(text)
    assert str(url) == urlsplit(text).geturl()
    assert url.hostname == (urlsplit(text).hostname or "")
    assert url.port == urlsplit(text).port


def test_parts() -> None:
    """Every part by its name, and secrets are not shown."""
    url = URL("https://ann:secret@[::1]:8443/a%20b?x=1&x=2#top")
    assert (url.scheme, url.hostname, url.port, url.host) == ("https", "::1", 8443, "[::1]:8443")
    assert (url.username, url.password, url.fragment, url.path) == ("ann", "secret", "top", "/a%20b")
    assert url.origin == "https://[::1]:8443"
    assert url.path_and_query == "/a%20b?x=1&x=2"
    assert url.query.getlist("x") == ["1", "2"]
    assert "secret" not in repr(url)
    assert url.is_secure


def test_copies() -> None:
    """Only what is named changes; the path is encoded where it has to be."""
    url = URL("http://example.org:8000/a?x=1")
    assert str(url.replace(scheme="https", port=None)) == "https://example.org/a?x=1"
    assert str(url.replace(hostname="::1")) == "http://[::1]:8000/a?x=1"
    assert str(url.replace(path="/ä b%20?#", query="", fragment="é")) == "http://example.org:8000/%C3%A4%20b%20%3F%23#é"
    assert str(url.with_query(x=None, y=[1, 2])) == "http://example.org:8000/a?y=1&y=2"
    assert url == "http://example.org:8000/a?x=1"
    assert hash(url) == hash(URL(str(url)))
    assert URL("http://a").effective_port == 80
    assert URL("http://a:80").origin == "http://a"


@pytest.mark.parametrize("text", ["http://[", "http://a:b", "http://a:99999", "http://a:-1"])
def test_what_is_no_url(text: str) -> None:
    """ValueError, as for any value that cannot be read."""
    with pytest.raises(ValueError, match=r"."):
        URL(text)
