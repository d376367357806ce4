"""Header fields: by name in any case, repeated ones together, and nothing gets out of its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.http import BadHeader, Headers, MediaType, MutableHeaders, Response

NAMES = st.text("abcXYZ019-_!~", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20)


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_headers_are_a_mapping_without_case(pairs: list[tuple[str, str]]) -> None:
    """Each name is found in any case, its values joined in their order."""
    headers = Headers(pairs)
    for name, _ in pairs:
        mine = [value.strip(" \t") for other, value in pairs if other.lower() == name.lower()]
        assert headers.getlist(name.upper()) == mine
        assert headers[name.swapcase()] == ", ".join(mine)
        assert name.upper() in headers
    assert len(headers) == len({name.lower() for name, _ in pairs})
    assert set(headers) == {name.lower() for name, _ in pairs}
    assert [name for name, _ in headers.multi_items()] == [name.lower() for name, _ in pairs]


@given(st.text(max_size=12), st.text(max_size=12))
def test_what_is_accepted_is_safe_on_the_wire(name: str, value: str) -> None:
    """Any name and value either raise where they are set or make exactly one clean line."""
    headers = MutableHeaders()
    try:
        headers[name] = value
    except BadHeader:
        assert headers.raw == []
        return
    ((raw_name, raw_value),) = headers.raw
    assert raw_name
    assert not set(raw_name) & set(b' \t\r\n\0:"(),/;<=>?@[\\]{}')
    assert not set(raw_value) & set(b"\r\n\0")
    assert raw_value == raw_value.strip(b" \t")


@given(st.text(max_size=12), st.text(max_size=12))
def test_every_door_of_a_response_is_guarded(name: str, value: str) -> None:
    """Constructor, item, add, content type: what comes out has one line per header."""
    response = Response()
    for door in (
        lambda: response.headers.__setitem__(name, value),
        lambda: response.headers.add(name, value),
        lambda: response.headers.extend([(name, value)]),
        lambda: response.headers.setdefault(name, value),
        lambda: response.headers.update({name: value}),
        lambda: setattr(response, "content_type", Response(content_type=value).content_type),
    ):
        try:
            door()
        except BadHeader:
            continue
    for line in response.header_lines():
        assert not set(line[0] + line[1]) & set(b"\r\n\0")


def test_a_mapping_that_changes() -> None:
    """Set replaces all lines of a name, add keeps them, del takes them away, copy is apart."""
    headers = MutableHeaders([("A", "1"), ("b", "2"), ("a", "3")])
    headers["A"] = "4"
    assert headers.raw == [(b"a", b"4"), (b"b", b"2")]
    headers.add("B", "5")
    assert headers["b"] == "2, 5"
    copy = headers.copy()
    del headers["B"]
    assert headers.raw == [(b"a", b"4")]
    assert len(copy.raw) == 3
    with pytest.raises(KeyError):
        del headers["b"]
    with pytest.raises(KeyError):
        headers["b"]
    assert headers.get("b") is None
    assert headers.get("b", "x") == "x"
    assert headers.get("日本") is None
    assert "日本" not in headers
    headers.update({"c": "6"})
    assert headers.setdefault("c", "7") == "6"
    assert headers.pop("c") == "6"


def test_a_value_that_is_no_text_says_so() -> None:
    """A number is refused with the line to write."""
    with pytest.raises(BadHeader, match=r"str\(value\)"):
        MutableHeaders()["X-A"] = 3  # type: ignore[assignment]


def test_headers_of_another_response_keep_their_lines() -> None:
    """Two cookies stay two, whichever way they are handed on."""
    first = Response("a")
    first.set_cookie("a", "1")
    first.set_cookie("b", "2")
    second = Response(b"b", headers=first.headers)
    assert second.headers.getlist("set-cookie") == first.headers.getlist("set-cookie")
    assert second.content_type == first.content_type
    third = MutableHeaders()
    third.extend(first.headers)
    assert len(third.getlist("set-cookie")) == 2


def test_several_cookie_lines_are_one() -> None:
    """HTTP/2 may split them."""
    assert Headers.from_raw([(b"cookie", b"a=1"), (b"cookie", b"b=2")])["cookie"] == "a=1; b=2"


def test_vary_names_each_header_once() -> None:
    """`*` swallows the rest."""
    headers = MutableHeaders({"Vary": "Accept"})
    headers.add_vary("accept", "Cookie", "Cookie")
    assert headers["vary"] == "Accept, Cookie"
    headers.add_vary("*")
    assert headers["vary"] == "*"
    headers.add_vary("Origin")
    assert headers["vary"] == "*"


def test_lengths_and_framing_are_not_for_handlers() -> None:
    """What frames the message is computed: copied headers of another server do no harm."""
    response = Response(
        "ab", headers={"Content-Length": "99", "Transfer-Encoding": "chunked", "Location": "/a", "ETag": '"x"'}
    )
    names = [name for name, _ in response.header_lines()]
    assert names == [b"content-type", b"content-length", b"location", b"etag"]
    assert dict(response.header_lines())[b"content-length"] == b"2"


@given(st.text(max_size=60))
def test_any_text_as_a_media_type(text: str) -> None:
    """Read or refused, never raised; what was read writes itself so that it reads the same."""
    media = MediaType.find(text)
    if media is not None:
        again = MediaType.find(str(media))
        assert again is not None
        assert again.essence == media.essence
        assert dict(again.params) == dict(media.params)


def test_media_types() -> None:
    """Case, quotes, escapes, rubbish between parameters."""
    media = MediaType.find('Text/HTML; ; x; charset="UTF-8"; a="q\\"uote; d"; Charset=latin-1')
    assert media is not None
    assert (media.essence, media.type, media.subtype) == ("text/html", "text", "html")
    assert media.params == {"charset": "UTF-8", "a": 'q"uote; d'}
    assert media.codec == "utf-8"
    assert media.is_text
    assert not media.is_json
    for text in ("", "text", "text/", "/html", "text/html/x", "a b/c", "text/html charset"):
        assert MediaType.find(text) is None
    for charset in ("idna", "unicode_escape", "zlib", "rot13", "nonsense", "a\0b"):
        with pytest.raises(LookupError):
            _ = MediaType("text/plain", {"charset": charset}).codec
