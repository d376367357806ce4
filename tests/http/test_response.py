"""Responses hold what a transport writes, and nothing can break out of a header."""

import asyncio
from collections.abc import Iterator

import pytest

from demijohn._lib.concurrency import wait_in_thread
from demijohn.http import (
    BadCookie,
    BadHeader,
    BadStatus,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamResponse,
    UnsafeRedirect,
    redirect,
)


def test_an_untouched_response_has_no_headers() -> None:
    """The transport's fast path: nothing was materialised."""
    response = JSONResponse({"a": 1})
    assert response._headers is None
    assert (response.status, response.body, response.content_type) == (200, b'{"a":1}', "application/json")


def test_text_gets_a_charset() -> None:
    """Text is UTF-8 and says so."""
    assert PlainTextResponse("é").body == "é".encode()
    assert PlainTextResponse("").content_type == "text/plain; charset=utf-8"
    assert HTMLResponse("").content_type == "text/html; charset=utf-8"
    assert Response("", content_type="text/csv").content_type == "text/csv; charset=utf-8"
    assert Response(b"").content_type is None


def test_the_content_type_is_one_value() -> None:
    """Slot and header are the same thing, whichever is set."""
    response = Response("a", headers={"Content-Type": "text/markdown"})
    assert response.content_type == "text/markdown; charset=utf-8"
    response.headers["content-type"] = "image/png"
    assert response.content_type == "image/png"
    assert response.headers["Content-Type"] == "image/png"
    del response.headers["content-type"]
    assert response.content_type is None
    assert "content-type" not in response.headers


@pytest.mark.parametrize("bad", ["a\r\nb: c", "a\nb", "a\0b", "a\x1fb", "\u2028x"])
def test_headers_cannot_be_injected(bad: str) -> None:
    """Line breaks and control characters are refused where they are set, by every door."""
    response = Response()
    with pytest.raises(BadHeader, match="DJN-301"):
        response.headers["X-A"] = bad
    with pytest.raises(BadHeader):
        response.headers.add("X-A", bad)
    with pytest.raises(BadHeader):
        Response(headers={"X-A": bad})
    with pytest.raises(BadHeader):
        Response(headers=[(bad, "a")])
    with pytest.raises(BadHeader):
        Response(content_type=bad)
    assert response.header_lines() == [(b"content-length", b"0")]


def test_the_transport_gets_every_line() -> None:
    """Type, length, own headers and the defaults that were not replaced."""
    response = Response("ab", headers={"X-Frame-Options": "SAMEORIGIN", "Content-Length": "999"})
    lines = response.header_lines(defaults=[(b"x-frame-options", b"DENY"), (b"x-other", b"1")])
    assert lines == [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"2"),
        (b"x-frame-options", b"SAMEORIGIN"),
        (b"x-other", b"1"),
    ]


@pytest.mark.parametrize("status", [100, 199, 600, 0, -1])
def test_a_status_that_no_response_has(status: int) -> None:
    """Only 200 to 599."""
    with pytest.raises(BadStatus):
        Response(status=status)


def test_cookies_are_safe_by_default() -> None:
    """HttpOnly and SameSite=Lax unless told otherwise."""
    response = Response()
    response.set_cookie("a", "1")
    assert response.headers.getlist("set-cookie") == ["a=1; Path=/; HttpOnly; SameSite=Lax"]


def test_a_prefix_is_held_to_its_promise() -> None:
    """`__Host-` without `secure` is an error with the line to write."""
    with pytest.raises(BadCookie, match="secure=True"):
        Response().set_cookie("__Host-a", "1")
    with pytest.raises(BadCookie):
        Response().set_cookie("__Host-a", "1", secure=True, domain="example.org")
    Response().set_cookie("__Host-a", "1", secure=True)


@pytest.mark.parametrize(
    "location",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "",
        "http:evil.example",
        "///evil.example",
        "x:1",
    ],
)
def test_redirects_stay_on_the_site(location: str) -> None:
    """What leads away, or is read so by browsers, is refused."""
    with pytest.raises(UnsafeRedirect):
        redirect(location)


def test_redirects_elsewhere_on_purpose() -> None:
    """`external` or a listed host; never a scheme that runs code."""
    assert redirect("https://example.org/a", external=True).headers["location"] == "https://example.org/a"
    assert redirect("https://example.org/a", allowed_hosts=["example.org"]).status == 302
    with pytest.raises(UnsafeRedirect):
        redirect("https://example.org@evil.example/", allowed_hosts=["example.org"])
    with pytest.raises(UnsafeRedirect):
        redirect("javascript:alert(1)", external=True)


def test_redirect_to_an_object_with_a_page() -> None:
    """Anything with `page_url()` is a target."""

    class Post:
        def page_url(self) -> str:
            return "/posts/ä b"

    assert redirect(Post(), status=303).headers["location"] == "/posts/%C3%A4%20b"


async def test_streams_take_both_kinds_of_iterators() -> None:
    """Async and sync iterators of bytes and text become an async iterator of bytes."""

    async def numbers():  # type: ignore[no-untyped-def]
        yield "1"
        yield b"2"

    for source in (numbers(), iter(["1", b"2"])):
        response = StreamResponse(source)
        assert [piece async for piece in response.body_iterator] == [b"1", b"2"]
        await response.aclose()


async def test_a_stream_closes_its_source_even_if_it_never_began() -> None:
    """`aclose` reaches the generator whether it was started or not."""
    closed = []

    async def numbers():  # type: ignore[no-untyped-def]
        try:
            yield b"1"
            yield b"2"
        finally:
            closed.append(True)

    response = StreamResponse(numbers())
    await anext(response.body_iterator)
    await response.aclose()
    assert closed == [True]


async def test_a_sync_iterator_may_wait() -> None:
    """It is stepped in a worker thread, whose task awaits for it."""

    async def answer() -> str:
        await asyncio.sleep(0)
        return asyncio.current_task().get_name()  # type: ignore[union-attr]

    def pieces() -> Iterator[str]:
        yield wait_in_thread(answer())

    response = StreamResponse(pieces())
    name = asyncio.current_task().get_name()  # type: ignore[union-attr]
    assert [piece async for piece in response.body_iterator] == [name.encode()]
    await response.aclose()


async def test_a_sync_iterator_is_closed_when_the_client_leaves() -> None:
    """Its `finally` runs."""
    closed = []

    def pieces() -> Iterator[str]:
        try:
            yield "1"
            yield "2"
        finally:
            closed.append(True)

    response = StreamResponse(pieces())
    assert await anext(response.body_iterator) == b"1"
    await response.aclose()
    assert closed == [True]
