"""The request reads itself lazily, and what a client sends never breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.errors import BadRequest, ContentTooLarge, RequestTimeout, ValidationFailed
from demijohn.http import BodyConsumed, Limits, Request


def make(
    method: str = "GET", target: str = "/", headers: dict[str, str] | None = None, body: bytes | None = None
) -> Request:
    """Build a request as a transport does."""
    path, _, query = target.partition("?")
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    request = Request(method, path, path.encode(), query.encode(), raw)
    request._body = body
    return request


def feed(request: Request, *chunks: bytes) -> Request:
    """Give the body in pieces, as a transport that streams does."""
    waiting = [*chunks, b""]

    async def receive() -> bytes:
        return waiting.pop(0)

    request._body = None
    request._receiver = receive
    return request


def test_five_values_make_a_request() -> None:
    """What a transport does not know has a default."""
    request = Request("GET", "/a", b"/a", b"", [])
    assert (request.scheme, request.http_version, request.root_path) == ("http", "1.1", "")
    assert request.client is None
    assert request.server is None
    assert request.scope is None
    assert dict(request.path_params) == {}
    assert not request.is_disconnected()


def test_the_url_is_what_the_client_asked_for() -> None:
    """Scheme, host, mount point, path and query come together, escapes kept."""
    request = Request("GET", "/a b", b"/a%20b", b"x=1%202", [(b"host", b"Example.org:8000")])
    request.root_path = "/app"
    assert str(request.url) == "http://example.org:8000/app/a%20b?x=1%202"
    assert (request.host, request.hostname, request.port) == ("example.org:8000", "example.org", 8000)


def test_without_a_host_header_the_server_is_named() -> None:
    """HTTP/1.0 needs no Host."""
    request = make()
    request.server = ("::1", 8000)
    assert request.host == "[::1]:8000"
    assert request.hostname == "::1"
    assert request.port == 8000


@pytest.mark.parametrize(
    "host", ["a:99999", "a/b@c", "[::1", "a b", "\xff", "a:b", "a@b", "a\\b", "::1", "a:1:2", "a?b"]
)
def test_a_host_that_is_none_is_a_bad_request(host: str) -> None:
    """400, not 500, and never a link to somewhere else."""
    request = make(headers={"Host": host})
    for read in (lambda: request.port, lambda: request.hostname, lambda: request.url):
        with pytest.raises(BadRequest):
            read()
    assert request.host == host


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_a_url_is_made_of_any_bytes_or_refused(host: bytes, path: bytes, query: bytes) -> None:
    """Its parts can be read without an error."""
    request = Request("GET", "/", b"/" + path, query, [(b"host", host)])
    try:
        url = request.url
    except BadRequest:
        return
    assert url.hostname == request.hostname
    assert url.origin.startswith("http://")
    assert (url.port or 80) == request.port
    assert str(url.replace(scheme="https", port=None)).startswith("https://")


def test_computed_values_are_kept() -> None:
    """The second read returns the very same object."""
    request = make(target="/?a=1", headers={"Cookie": "a=1"})
    assert request.query is request.query
    assert request.cookies is request.cookies
    assert request.g is request.g


def test_invalid_utf8_in_the_query_is_a_bad_request() -> None:
    """`%FF` answers 400, not 500."""
    with pytest.raises(BadRequest):
        _ = make(target="/?a=%FF").query


def test_too_many_query_fields_are_a_bad_request() -> None:
    """The limit holds before anything is parsed."""
    request = make(target="/?" + "&".join("a=1" for _ in range(11)))
    request.limits = Limits(query_fields=10)
    with pytest.raises(BadRequest):
        _ = request.query


@pytest.mark.parametrize("name", ["user", "session", "db", "args"])
def test_names_of_other_frameworks_say_where_to_look(name: str) -> None:
    """`request.user` explains itself, and `hasattr` is still false."""
    request = make()
    assert not hasattr(request, name)
    with pytest.raises(AttributeError, match="DJN-304"):
        getattr(request, name)


def test_an_unknown_attribute_cannot_be_set() -> None:
    """A request has slots: a typo is an error."""
    with pytest.raises(AttributeError):
        make().usr = 1  # type: ignore[attr-defined]


def test_scratch_names_what_is_missing() -> None:
    """`g` has a clear error, a default and a suggestion."""
    g = make().g
    g.tenant = "north"
    assert g.tenant == "north"
    assert g.get("user") is None
    with pytest.raises(AttributeError, match="'tenant'"):
        _ = g.tennant


async def test_body_is_read_once_and_kept() -> None:
    """`body` may be called again; `json` and `text` use it."""
    request = feed(make("POST"), b'{"a":', b"1}")
    assert await request.body() == b'{"a":1}'
    assert await request.json() == {"a": 1}
    assert await request.text() == '{"a":1}'


async def test_a_stream_is_given_out_once() -> None:
    """The second reader is told that the body is gone."""
    request = feed(make("POST"), b"a", b"b")
    assert [chunk async for chunk in request.stream()] == [b"a", b"b"]
    with pytest.raises(BodyConsumed):
        await request.body()


async def test_a_body_over_the_limit_is_refused() -> None:
    """Announced or not, given at once or in pieces: 413."""
    for request in (
        make("POST", body=b"x" * 11),
        feed(make("POST"), b"x" * 6, b"x" * 6),
        feed(make("POST", headers={"Content-Length": "11"})),
    ):
        request.limits = Limits(body=10)
        with pytest.raises(ContentTooLarge):
            await request.body()


async def test_a_body_that_does_not_come_times_out() -> None:
    """408 after the time for bodies."""
    import asyncio

    request = make("POST")

    async def never() -> bytes:
        await asyncio.Event().wait()
        return b""

    request._receiver = never
    request.limits = Limits(body_time=0.01)
    with pytest.raises(RequestTimeout):
        await request.body()


@pytest.mark.parametrize("body", [b"{", b'"\xff"', b"[" * 100_000, b"", b"{'a': 1}"])
async def test_what_is_no_json_is_a_bad_request(body: bytes) -> None:
    """Malformed, not UTF-8, too deep, empty: 400."""
    with pytest.raises(BadRequest):
        await make("POST", body=body).json()


def nest(depth: int) -> bytes:
    """Write arrays and objects inside each other, with strings that look like them."""
    return b'{"[{\\"":' * (depth // 2) + b"[" * (depth - depth // 2) + b"]" * (depth - depth // 2) + b"}" * (depth // 2)


async def test_json_may_not_be_nested_deeper_than_the_limit() -> None:
    """Exactly up to the limit, whatever its strings hold and however wide it is."""
    wide = b"[" + b",".join([b'{"a]":[{"\\\\":"}"}]}'] * 500) + b"]"
    for body, limit, good in (
        (nest(10), 10, True),
        (nest(11), 10, False),
        (wide, 4, True),
        (wide, 3, False),
        (b'"[[[["', 1, True),
        (b"3", 0, True),
    ):
        request = make("POST", body=body)
        request.limits = Limits(json_depth=limit)
        if good:
            await request.json()
        else:
            with pytest.raises(BadRequest):
                await request.json()


async def test_json_into_a_type() -> None:
    """Validated, with all errors."""
    request = make("POST", body=b'{"a": "x", "b": "y"}')
    with pytest.raises(ValidationFailed) as caught:
        await request.json(dict[str, int])
    assert len(caught.value.errors) == 2
    assert await request.json(dict[str, str]) == {"a": "x", "b": "y"}


async def test_text_in_another_charset() -> None:
    """The charset of Content-Type counts; an unknown one is a 400."""
    request = make("POST", headers={"Content-Type": "text/plain; charset=latin-1"}, body=b"\xe9")
    assert await request.text() == "é"
    for charset in ("klingon", "rot13", "base64"):
        request = make("POST", headers={"Content-Type": f"text/plain; charset={charset}"}, body=b"a")
        with pytest.raises(BadRequest):
            await request.text()
