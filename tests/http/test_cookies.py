"""Cookies come back as they were set, and cannot carry anything else along."""

from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.http import BadCookie, Cookies, Request, Response

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def line(*args: object, **kwargs: object) -> str:
    """Set a cookie and return its header."""
    response = Response()
    response.set_cookie(*args, **kwargs)  # type: ignore[arg-type]
    return response.headers["set-cookie"]


@given(TEXT)
def test_any_value_comes_back(value: str) -> None:
    """Through our own reading, and through that of the standard library, which Django uses."""
    pair = line("a", value, path=None, httponly=False, samesite=None)
    assert ";" not in pair
    assert pair.isascii()
    assert pair.isprintable()
    request = Request("GET", "/", b"/", b"", [(b"cookie", f"x=1; {pair}; y=2".encode())])
    assert request.cookies["a"] == value
    other = SimpleCookie(pair)
    assert other["a"].value.encode("latin-1").decode() == value


@given(st.text(max_size=80))
def test_any_header_can_be_read(header: str) -> None:
    """Nothing that a client sends raises; names are never empty."""
    cookies = Cookies(header)
    assert "" not in cookies
    assert all(isinstance(value, str) for value in cookies.values())


@given(st.binary(max_size=80))
def test_any_bytes_can_be_read(header: bytes) -> None:
    """Latin-1, UTF-8, or rubbish."""
    _ = dict(Request("GET", "/", b"/", b"", [(b"cookie", header)]).cookies)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_attributes_cannot_be_smuggled(name: str, path: str, domain: str) -> None:
    """Whatever is accepted has exactly the attributes that were asked for."""
    try:
        header = line(name, "v", path=path, domain=domain)
    except BadCookie:
        return
    assert [part.partition("=")[0] for part in header.split("; ")] == [name, "Domain", "Path", "HttpOnly", "SameSite"]


def test_reading_is_tolerant() -> None:
    """Spaces, quotes, nameless ones, doubles: as browsers and other servers write them."""
    cookies = Cookies('a=1;b=2 ;  c="x y"; d="\\"q\\" \\303\\251"; =nameless; nameless; a=9; e=1=2; __Host-f=; g="')
    assert dict(cookies) == {
        "a": "1", "b": "2", "c": "x y", "d": '"q" é', "e": "1=2", "__Host-f": "", "g": '"'
    }  # fmt: skip
    assert "__Host-x" not in Cookies("=__Host-x=1")


def test_values_are_not_shown() -> None:
    """A request in a log must not give away a session."""
    assert "secret" not in repr(Cookies("session=secret"))


def test_every_attribute() -> None:
    """In the order of RFC 6265."""
    assert line(
        "__Host-a",
        "b",
        max_age=timedelta(hours=1),
        expires=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
        secure=True,
        samesite="none",
        partitioned=True,
    ) == (
        "__Host-a=b; Expires=Wed, 02 Jan 2030 03:04:05 GMT; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=None; "
        "Partitioned"
    )
    assert line("a", "b", httponly=False, samesite=None, path="/x", domain="example.org") == (
        "a=b; Domain=example.org; Path=/x"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"samesite": "none"},
        {"samesite": "loose"},
        {"partitioned": True},
        {"path": "/;Secure"},
        {"domain": "a\r\nSet-Cookie: x=1"},
        {"path": "/é"},
    ],
)
def test_what_browsers_drop_is_refused(wrong: dict[str, object]) -> None:
    """With the line to write."""
    with pytest.raises(BadCookie, match="DJN-302"):
        line("a", "b", **wrong)


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "a\n", "é", "a,b"])
def test_bad_names(name: str) -> None:
    """A name is a token."""
    with pytest.raises(BadCookie):
        line(name, "b")


@pytest.mark.parametrize("name", ["__Secure-a", "__SECURE-a", "__Host-a", "__host-a"])
def test_prefixes_hold_in_any_case(name: str) -> None:
    """Browsers compare them without case."""
    with pytest.raises(BadCookie):
        line(name, "b")
    assert "Secure" in line(name, "b", secure=True)
    if "host" in name.lower():
        with pytest.raises(BadCookie):
            line(name, "b", secure=True, path="/x")


def test_a_value_that_is_no_text() -> None:
    """Its type is told, never its value."""
    with pytest.raises(BadCookie, match="int") as caught:
        line("a", 12345)
    assert "12345" not in str(caught.value)


def test_a_cookie_over_the_limit_warns() -> None:
    """Browsers would drop it without a word."""
    with pytest.warns(UserWarning, match="4096"):
        line("a", "x" * 4096)


def test_deleting_a_cookie() -> None:
    """With the attributes it was set with; a prefix brings `secure` along."""
    response = Response()
    response.delete_cookie("a", path="/x")
    response.delete_cookie("__Host-b")
    first, second = response.headers.getlist("set-cookie")
    assert first == "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/x; HttpOnly; SameSite=Lax"
    assert "Secure" in second
