"""The CSRF rule, row by row, and the token behind it."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn._lib.keys import KeyRing
from demijohn.errors import ConfigurationError, Forbidden
from demijohn.http import Request, Response
from demijohn.middleware import (
    CSRFGuard,
    TooLate,
    csrf_exempt,
    csrf_token,
    guards_for,
    marks_of,
    rotate_csrf_token,
)
from demijohn.middleware.exchange import exchange_of
from tests.middleware.conftest import KEYS, build, cookie_of, finish, settle

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
TRUSTED = "https://trusted.example"
guard = CSRFGuard(lambda: KEYS, trusted_origins=[TRUSTED, "https://*.partner.example"])


def code_of(error: pytest.ExceptionInfo[Forbidden]) -> str:
    return str(error.value.extensions["code"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("site", ["same-origin", "cross-site", "same-site", "none", "nonsense"])
def test_safe_methods_pass(method: str, site: str) -> None:
    """Row 1: a request that only reads passes, wherever it comes from."""
    headers = {"Sec-Fetch-Site": site, "Origin": "https://evil.example", "Cookie": "a=1"}
    assert guard(build(method, headers=headers)) is None


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("site", ["same-origin", "none"])
@pytest.mark.parametrize("origin", [None, "https://example.org", "https://evil.example", "null"])
@pytest.mark.parametrize("cookies", [True, False])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_our_own_pages_and_typed_addresses_pass(
    method: str, site: str, origin: str | None, cookies: bool, scheme: str
) -> None:
    """Rows 2 and 3: `same-origin` and `none` pass with any Origin and any cookies."""
    headers = {"Sec-Fetch-Site": site}
    if origin:
        headers["Origin"] = origin
    if cookies:
        headers["Cookie"] = "session=1"
    assert guard(build(method, headers=headers, scheme=scheme)) is None


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize("origin", [TRUSTED, "https://TRUSTED.example:443", "https://a.partner.example"])
@pytest.mark.parametrize("cookies", [True, False])
def test_trusted_origins_pass(method: str, site: str, origin: str, cookies: bool) -> None:
    """Rows 4 and 6: another site passes when its Origin is trusted."""
    headers = {"Sec-Fetch-Site": site, "Origin": origin} | ({"Cookie": "a=1"} if cookies else {})
    assert guard(build(method, headers=headers)) is None


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://evil.example",
        "https://example.org",
        "https://trusted.example.evil.example",
        "https://eviltrusted.example",
        "http://trusted.example",
        "https://trusted.example:8443",
        "https://partner.example",
        "https://evilpartner.example",
        "https://trusted.example/",
        "https://trusted.example@evil.example",
    ],
)
@pytest.mark.parametrize("cookies", [True, False])
def test_other_sites_are_refused(method: str, site: str, origin: str | None, cookies: bool) -> None:
    """Row 5: another site is refused, with cookies and without, however its Origin is dressed up."""
    headers = {"Sec-Fetch-Site": site}
    if origin is not None:
        headers["Origin"] = origin
    if cookies:
        headers["Cookie"] = "a=1"
    with pytest.raises(Forbidden) as caught:
        guard(build(method, headers=headers))
    assert code_of(caught) == "csrf_cross_site"
    assert ("vary", "Sec-Fetch-Site, Origin, Cookie") in caught.value.headers


@pytest.mark.parametrize("site", ["Same-Origin", "same-origin, cross-site", "nonsense", ""])
def test_an_unknown_word_is_as_good_as_none(site: str) -> None:
    """Row 7: a word that is not of the standard is not believed; Origin and cookies decide."""
    own = {"Sec-Fetch-Site": site, "Origin": "https://example.org", "Cookie": "a=1"}
    assert guard(build("POST", headers=own)) is None
    with pytest.raises(Forbidden) as caught:
        guard(build("POST", headers=own | {"Origin": "https://evil.example"}))
    assert code_of(caught) == "csrf_origin"
    assert guard(build("POST", headers={"Sec-Fetch-Site": site})) is None


def test_two_fetch_site_headers_are_not_believed() -> None:
    """A second `Sec-Fetch-Site` makes both worthless, so that a smuggled `same-origin` does not open the door."""
    doubled = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]
    with pytest.raises(Forbidden):
        guard(build("POST", headers=doubled))


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("https", "example.org", "https://example.org"),
        ("https", "example.org:443", "https://example.org"),
        ("https", "EXAMPLE.org", "https://example.ORG:443"),
        ("https", "example.org:8443", "https://example.org:8443"),
        ("https", "[2001:db8::1]:8443", "https://[2001:db8:0::1]:8443"),
        ("http", "localhost:8000", "http://localhost:8000"),
        ("http", "127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_our_own_origin_passes(scheme: str, host: str, origin: str) -> None:
    """Row 8: without Fetch Metadata an Origin equal to ours in scheme, host and port passes, with cookies too."""
    headers = {"Origin": origin, "Cookie": "a=1"}
    assert guard(build("POST", headers=headers, scheme=scheme, host=host)) is None


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://example.org",
        "https://example.org:8443",
        "https://example.org.evil.example",
        "https://evil.example",
        "https://example.org/",
        "https://example.org:",
        "https://example.org\xe9",
        "https://ex\xe4mple.org",
        "https:///example.org",
        "example.org",
        "https://example.org https://example.org",
        "file://",
    ],
)
@pytest.mark.parametrize("cookies", [True, False])
def test_any_other_origin_is_refused(origin: str, cookies: bool) -> None:
    """Row 9: without Fetch Metadata `null`, another origin, a malformed one or one beyond ASCII is refused."""
    headers = {"Origin": origin} | ({"Cookie": "a=1"} if cookies else {})
    with pytest.raises(Forbidden) as caught:
        guard(build("POST", headers=headers))
    assert code_of(caught) == "csrf_origin"


def test_two_origins_are_refused() -> None:
    """Row 9: two Origin headers are refused, even when both are ours."""
    with pytest.raises(Forbidden) as caught:
        guard(build("POST", headers=[("origin", "https://example.org"), ("origin", "https://example.org")]))
    assert code_of(caught) == "csrf_origin"


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_without_cookies_there_is_nothing_to_forge(method: str, scheme: str) -> None:
    """Row 10: curl, a webhook or a bearer of a token sends neither cookies nor Origin, and passes."""
    assert guard(build(method, headers={"Authorization": "Bearer x"}, scheme=scheme)) is None


async def test_cookies_alone_need_a_token() -> None:
    """Row 11: a request with cookies that says nothing of where it comes from needs a valid token."""
    with pytest.raises(Forbidden) as caught:
        await settle(guard(build("POST", headers={"Cookie": "session=1"})))
    assert code_of(caught) == "csrf_token_missing"


async def test_plain_http_needs_a_token_as_well() -> None:
    """Row 12: over http, not on this machine, our own Origin is not enough where cookies come along."""
    headers = {"Origin": "http://example.org", "Cookie": "session=1"}
    with pytest.raises(Forbidden) as caught:
        await settle(guard(build("POST", headers=headers, scheme="http")))
    assert code_of(caught) == "csrf_token_missing"
    cookie, token = issue(scheme="http")
    headers = {"Origin": "http://example.org", "Cookie": f"csrf={cookie}", "X-CSRF-Token": token}
    await settle(guard(build("POST", headers=headers, scheme="http")))
    assert guard(build("POST", headers={"Origin": "http://example.org"}, scheme="http")) is None


@pytest.mark.parametrize("host", ["localhost", "a.localhost:3000", "127.0.0.1", "127.9.9.9:80", "[::1]:8000"])
def test_this_machine_is_trusted_without_tls(host: str) -> None:
    """Row 12: names of this machine are secure contexts, and need no token."""
    headers = {"Origin": f"http://{host}", "Cookie": "a=1"}
    assert guard(build("POST", headers=headers, scheme="http", host=host)) is None


@pytest.mark.parametrize("host", ["localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost", "10.0.0.1"])
def test_names_that_only_look_like_this_machine_are_not(host: str) -> None:
    """Row 12: a name that begins with `localhost` or an address in the local network is no secure context."""
    headers = {"Origin": f"http://{host}", "Cookie": "a=1"}
    pending = guard(build("POST", headers=headers, scheme="http", host=host))
    assert pending is not None
    with pytest.raises(Forbidden):
        asyncio.run(settle(pending))


@pytest.mark.parametrize(
    ("scheme", "origin"), [("wss", "https://example.org"), ("ws", "http://example.org"), ("wss", TRUSTED)]
)
def test_sockets_of_our_own_pages_pass(scheme: str, origin: str) -> None:
    """Row 13: a handshake passes when its Origin is ours or trusted."""
    guard.check_socket(build(headers={"Origin": origin, "Cookie": "a=1"}, scheme=scheme))


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://example.org", "https://example.org/"])
def test_sockets_of_other_pages_are_refused(origin: str | None) -> None:
    """Row 13: a handshake with another Origin, a malformed one or none is refused."""
    headers = {} if origin is None else {"Origin": origin}
    with pytest.raises(Forbidden) as caught:
        guard.check_socket(build(headers=headers, scheme="wss"))
    assert code_of(caught) == "csrf_origin"
    with pytest.raises(Forbidden):
        guard.check_socket(build(headers=[("origin", "https://example.org")] * 2, scheme="wss"))


def test_sockets_of_programs_where_allowed() -> None:
    """A client without Origin and without cookies may connect where the app says so; one with cookies may not."""
    lenient = CSRFGuard(lambda: KEYS, sockets_without_origin=True)
    lenient.check_socket(build(scheme="wss"))
    with pytest.raises(Forbidden):
        lenient.check_socket(build(headers={"Cookie": "a=1"}, scheme="wss"))
    with pytest.raises(Forbidden):
        lenient.check_socket(build(headers={"Origin": "https://evil.example"}, scheme="wss"))


# ── the token ──


def issue(request: Request | None = None, *, scheme: str = "https", by: CSRFGuard = guard) -> tuple[str, str]:
    """Load a page with a form: return the cookie that it sets, and the token in the form."""
    request = request or build(scheme=scheme)
    token = by.token(request)
    cookie = cookie_of(finish(request), "__Host-csrf" if request.is_secure else "csrf")
    assert cookie is not None
    return cookie, token


def post(cookie: str, headers: dict[str, str], body: bytes = b"", *, by: CSRFGuard = guard, **more: Any) -> None:
    """Send a form as an old browser does, with nothing but its cookie."""
    request = build("POST", headers={"Cookie": f"__Host-csrf={cookie}"} | headers, body=body, **more)
    asyncio.run(settle(by(request)))


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_the_token_passes_in_header_and_form() -> None:
    """The token is taken from `X-CSRF-Token`, from a form and from a multipart form."""
    cookie, token = issue()
    post(cookie, {"X-CSRF-Token": token})
    post(cookie, FORM, f"a=1&csrf_token={token}".encode())
    parts = f'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n--x--\r\n'.encode()
    post(cookie, {"Content-Type": "multipart/form-data; boundary=x"}, parts)


def test_the_form_is_still_there_for_the_handler() -> None:
    """Reading the token does not use up the form."""
    cookie, token = issue()
    request = build("POST", headers=FORM | {"Cookie": f"__Host-csrf={cookie}"}, body=f"a=1&csrf_token={token}".encode())

    async def both() -> str | None:
        await settle(guard(request))
        value = (await request.form())["a"]
        return value if isinstance(value, str) else None

    assert asyncio.run(both()) == "1"


def test_a_body_that_is_no_form_has_no_token() -> None:
    """A token is not looked for in JSON; the header is the place."""
    cookie, token = issue()
    with pytest.raises(Forbidden) as caught:
        post(cookie, {"Content-Type": "application/json"}, f'{{"csrf_token": "{token}"}}'.encode())
    assert code_of(caught) == "csrf_token_missing"


def test_the_body_is_not_read_without_a_cookie_of_ours() -> None:
    """A client without a valid secret is refused before its body is read."""

    async def never() -> bytes:
        raise AssertionError("The body was read.")

    request = build("POST", headers=FORM | {"Cookie": "a=1"})
    request._body = None
    request._receiver = never
    with pytest.raises(Forbidden):
        asyncio.run(settle(guard(request)))


def test_the_token_is_masked_anew_for_each_response() -> None:
    """Two responses to the same browser carry different tokens, and one response carries one; both are valid."""
    cookie, first = issue()
    request = build(headers={"Cookie": f"__Host-csrf={cookie}"})
    second = guard.token(request)
    assert second != first
    assert guard.token(request) == second
    assert cookie_of(finish(request), "__Host-csrf") is None
    post(cookie, {"X-CSRF-Token": first})
    post(cookie, {"X-CSRF-Token": second})


@given(st.text() | st.binary().map(lambda raw: raw.hex()))
def test_made_up_tokens_and_cookies_are_refused(text: str) -> None:
    """No text passes for a token, and none for a cookie."""
    cookie, token = issue()
    if not text.isprintable() or not text.isascii() or set(text) & set(';,"'):
        return
    for pair in ((cookie, text), (text, token)):
        with pytest.raises(Forbidden):
            post(pair[0], {"X-CSRF-Token": pair[1]})


@given(st.data())
def test_a_changed_cookie_is_refused(data: st.DataObject) -> None:
    """Any changed character of the cookie makes it worthless."""
    cookie, token = issue()
    place = data.draw(st.integers(0, len(cookie) - 2))
    letter = data.draw(st.sampled_from("ABCDEFGHabcdefgh01234567-_"))
    forged = cookie[:place] + letter + cookie[place + 1 :]
    if forged != cookie:
        with pytest.raises(Forbidden):
            post(forged, {"X-CSRF-Token": token})


def test_the_token_of_another_browser_is_refused() -> None:
    """A token is worth nothing beside another's cookie, though both were made here."""
    cookie, _ = issue()
    _, token = issue()
    with pytest.raises(Forbidden) as caught:
        post(cookie, {"X-CSRF-Token": token})
    assert code_of(caught) == "csrf_token_invalid"


def test_a_file_is_no_token() -> None:
    """A file in the place of the token is refused, not compared."""
    cookie, token = issue()
    parts = (
        '--x\r\nContent-Disposition: form-data; name="csrf_token"; filename="t.txt"\r\n\r\n'
        f"{token}\r\n--x--\r\n".encode()
    )
    with pytest.raises(Forbidden):
        post(cookie, {"Content-Type": "multipart/form-data; boundary=x"}, parts)


def test_cookie_attributes() -> None:
    """On https the cookie is `__Host-`, Secure, HttpOnly and Lax; on http it has another name, which https ignores."""
    request = build()
    guard.token(request)
    (line,) = finish(request).headers.getlist("set-cookie")
    assert line.startswith("__Host-csrf=")
    for attribute in ("Path=/", "Secure", "HttpOnly", "SameSite=Lax"):
        assert attribute in line
    assert "Domain" not in line
    cookie, token = issue(scheme="http")
    with pytest.raises(Forbidden):
        asyncio.run(settle(guard(build("POST", headers={"Cookie": f"csrf={cookie}", "X-CSRF-Token": token}))))


def test_rotation_of_the_secret_keeps_forms_valid() -> None:
    """A form that was loaded before SECRET_KEY was rotated is accepted as long as the old key is in the list."""
    cookie, token = issue()
    newer = "0f8d3b6e21c94a57bb60d1e2f3a48c95"
    rotated = KeyRing([newer, "a7c1f09e5b2d48836e4f0c9b1d75a2e8"])
    post(cookie, {"X-CSRF-Token": token}, by=CSRFGuard(lambda: rotated))
    with pytest.raises(Forbidden):
        post(cookie, {"X-CSRF-Token": token}, by=CSRFGuard(lambda: KeyRing(newer)))


def test_a_token_is_bound_to_the_session() -> None:
    """Where the guard binds to a session, cookie and token of one session are refused in another (cookie tossing)."""
    bound = CSRFGuard(lambda: KEYS, bind=lambda request: request.cookies.get("session", ""))
    cookie, token = issue(build(headers={"Cookie": "session=one"}), by=bound)
    jar = f"__Host-csrf={cookie}; session="
    asyncio.run(settle(bound(build("POST", headers={"Cookie": jar + "one", "X-CSRF-Token": token}))))
    with pytest.raises(Forbidden):
        asyncio.run(settle(bound(build("POST", headers={"Cookie": jar + "two", "X-CSRF-Token": token}))))


def test_rotation_at_login() -> None:
    """After `rotate_csrf_token` the old token is refused and the new one passes, with one cookie set."""
    cookie, before = issue()
    request = build(headers={"Cookie": f"__Host-csrf={cookie}"}, csrf=guard)
    assert csrf_token(request)
    rotate_csrf_token(request)
    after = csrf_token(request)
    response = finish(request)
    assert len(response.headers.getlist("set-cookie")) == 1
    fresh = cookie_of(response, "__Host-csrf")
    assert fresh is not None
    assert fresh != cookie
    post(fresh, {"X-CSRF-Token": after})
    with pytest.raises(Forbidden):
        post(fresh, {"X-CSRF-Token": before})


def test_a_page_with_a_token_is_private() -> None:
    """A response that carries a token is kept by no shared cache and varies with the cookie."""
    request = build(csrf=guard)
    csrf_token(request)
    response = finish(request)
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["vary"] == "Cookie"


def test_a_token_that_comes_too_late() -> None:
    """Asking for the first token after the head was sent says so; with a cookie it still works."""
    request = build(csrf=guard)
    exchange_of(request)
    finish(request)
    with pytest.raises(TooLate, match="DJN-742"):
        csrf_token(request)
    cookie, _ = issue()
    request = build(headers={"Cookie": f"__Host-csrf={cookie}"}, csrf=guard)
    exchange_of(request)
    finish(request)
    assert csrf_token(request)


def test_an_app_without_a_guard_has_empty_tokens() -> None:
    """Templates need no condition where CSRF protection is off."""
    assert csrf_token(build(csrf=None)) == ""
    rotate_csrf_token(build())


def test_the_guard_is_compiled_where_it_can_act() -> None:
    """Routes that only read, and exempt ones, do not carry the guard; any other method does."""
    assert guards_for(["GET", "HEAD"], [guard]) == ()
    assert guards_for(["GET", "POST"], [guard]) == (guard,)
    assert guards_for(["PROPPATCH"], [guard]) == (guard,)

    @csrf_exempt
    def webhook() -> str:
        return "taken"

    assert guards_for(["POST"], [guard], marks=marks_of(webhook)) == ()
    assert webhook() == "taken"


def test_development_says_what_to_write() -> None:
    """In development the refusal holds the line that allows it; in production it does not."""
    told = CSRFGuard(lambda: KEYS, development=True)
    request = build("POST", headers={"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:5173"})
    with pytest.raises(Forbidden, match="TRUSTED_ORIGINS=http://localhost:5173"):
        told(request)
    with pytest.raises(Forbidden, match=r"\{\{ csrf_input\(\) \}\}"):
        asyncio.run(settle(told(build("POST", headers={"Cookie": "a=1"}))))
    with pytest.raises(Forbidden) as caught:
        guard(request)
    assert "TRUSTED_ORIGINS" not in str(caught.value)


@pytest.mark.parametrize("origin", ["null", "https://example.org/", "example.org", "https://*", "*", "https://*.org:x"])
def test_a_trusted_origin_must_be_one(origin: str) -> None:
    """What can never match, or would match too much, is refused at start-up."""
    with pytest.raises(ConfigurationError, match="DJN-743"):
        CSRFGuard(lambda: KEYS, trusted_origins=[origin])


def test_the_keys_are_asked_for_late() -> None:
    """An app that never makes or reads a token needs no secret."""

    def keys() -> KeyRing:
        raise AssertionError("The keys were asked for.")

    lazy = CSRFGuard(keys)
    assert lazy(build("POST", headers={"Sec-Fetch-Site": "same-origin", "Cookie": "a=1"})) is None
    with pytest.raises(Forbidden):
        asyncio.run(settle(lazy(build("POST", headers={"Cookie": "a=1"}))))


def test_the_response_object_is_returned() -> None:
    """`finish` returns the response it was given, so that the runner can go on with it."""
    request = build(csrf=guard)
    csrf_token(request)
    response = Response("x")
    assert finish(request, response) is response
