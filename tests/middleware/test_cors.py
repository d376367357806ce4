"""CORS: who may read, what a preflight says, and what it means for the CSRF guard."""

from datetime import timedelta

import pytest

from demijohn.errors import ConfigurationError, Forbidden, NotFound
from demijohn.http import Request, Response
from demijohn.middleware import CORS, CSRFGuard
from tests.middleware.conftest import KEYS, build, finish, handler

APP = "https://app.example"
cors = CORS([APP, "https://*.partner.example"], headers=["X-Api-Key", "Content-Type"], expose=["X-Total"], max_age=60)


async def ask(by: CORS, request: Request, response: Response | None = None) -> Response:
    return finish(request, await by(request, handler(response)))


def preflight(origin: str, method: str = "PUT", headers: str | None = None, **more: str) -> Request:
    lines = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers is not None:
        lines["Access-Control-Request-Headers"] = headers
    return build("OPTIONS", headers=lines | more)


async def test_an_allowed_origin_may_read() -> None:
    """The allowed origin is echoed, exposed headers are named, and caches are told that it varies."""
    response = await ask(cors, build(headers={"Origin": APP}))
    assert response.headers["access-control-allow-origin"] == APP
    assert response.headers["access-control-expose-headers"] == "X-Total"
    assert "access-control-allow-credentials" not in response.headers
    assert response.headers["vary"] == "Origin"
    below = await ask(cors, build(headers={"Origin": "https://a.partner.example"}))
    assert below.headers["access-control-allow-origin"] == "https://a.partner.example"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.evil.example",
        "https://evilapp.example",
        "http://app.example",
        "https://app.example:8443",
        "https://partner.example",
        "https://evilpartner.example",
        "null",
        "",
        "*",
        "https://app.example/",
        "https://app.example\xe9",
    ],
)
async def test_another_origin_may_not(origin: str) -> None:
    """Another origin gets the answer without permission to read it; caches are still told that it varies."""
    response = await ask(cors, build(headers={"Origin": origin}))
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["vary"] == "Origin"
    with pytest.raises(Forbidden):
        await ask(cors, preflight(origin))


async def test_two_origins_are_none() -> None:
    """Two Origin headers are never an allowed one."""
    response = await ask(cors, build(headers=[("origin", APP), ("origin", APP)]))
    assert "access-control-allow-origin" not in response.headers


async def test_without_origin_caches_are_told() -> None:
    """An answer to a request without Origin varies too: a cache must not hand it to another origin."""
    response = await ask(cors, build())
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["vary"] == "Origin"


async def test_vary_is_added_to() -> None:
    """What the handler varies by stays."""
    response = await ask(cors, build(headers={"Origin": APP}), Response("x", headers={"Vary": "Accept"}))
    assert response.headers["vary"] == "Accept, Origin"


async def test_errors_may_be_read_too() -> None:
    """The headers are promised before the handler runs, so that the page of an error has them."""

    async def fail(request: Request) -> Response:
        raise NotFound

    request = build(headers={"Origin": APP})
    with pytest.raises(NotFound):
        await cors(request, fail)
    response = finish(request, Response("not found", 404))
    assert response.headers["access-control-allow-origin"] == APP


async def test_preflight() -> None:
    """An allowed preflight says what is allowed, for how long, and never reaches the handler."""

    async def never(request: Request) -> Response:
        raise AssertionError("The handler ran.")

    response = await cors(preflight(APP, "DELETE", "x-api-key, Content-Type"), never)
    headers = response.headers
    assert (response.status, response.body) == (204, b"")
    assert headers["access-control-allow-origin"] == APP
    assert headers["access-control-allow-methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
    assert headers["access-control-allow-headers"] == "x-api-key, content-type"
    assert headers["access-control-max-age"] == "60"
    assert headers["vary"] == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


@pytest.mark.parametrize(
    ("method", "headers", "why"),
    [
        ("TRACE", None, "method"),
        ("delete", None, "method"),
        ("PUT", "x-other", "x-other"),
        ("PUT", "x-api-key, x-other", "x-other"),
        ("PUT", "a b", "malformed"),
        ("PUT", "x-api-key\x80", "malformed"),
    ],
)
async def test_a_preflight_for_more_is_refused(method: str, headers: str | None, why: str) -> None:
    """A method or header that is not allowed is refused, and the answer says which."""
    with pytest.raises(Forbidden, match=why) as caught:
        await ask(cors, preflight(APP, method, headers))
    assert caught.value.extensions == {"code": "cors_refused"}
    assert "Origin" in dict(caught.value.headers)["vary"]


async def test_options_that_is_no_preflight() -> None:
    """OPTIONS without the header of a preflight goes to the handler."""
    response = await ask(cors, build("OPTIONS", headers={"Origin": APP}), Response("mine"))
    assert response.body == b"mine"


async def test_our_own_preflight_passes() -> None:
    """A preflight from our own origin, as some libraries send it, is answered."""
    response = await ask(cors, preflight("https://example.org"))
    assert response.status == 204


async def test_everybody() -> None:
    """`*` is said as `*`, without varying, and no cookie is ever allowed with it."""
    public = CORS(["*"], headers=["*"])
    response = await ask(public, build(headers={"Origin": "https://anyone.example"}))
    assert response.headers["access-control-allow-origin"] == "*"
    assert "vary" not in response.headers
    assert "vary" not in (await ask(public, build())).headers
    answer = await ask(public, preflight("https://anyone.example", "PUT", "x-anything"))
    assert answer.headers["access-control-allow-headers"] == "x-anything"
    with pytest.raises(ConfigurationError, match="DJN-743"):
        CORS(["*"], credentials=True)


async def test_credentials() -> None:
    """With credentials the origin is named, never `*`, in both answers."""
    with_cookies = CORS([APP], credentials=True)
    for request in (build(headers={"Origin": APP}), preflight(APP)):
        response = await ask(with_cookies, request)
        assert response.headers["access-control-allow-origin"] == APP
        assert response.headers["access-control-allow-credentials"] == "true"


async def test_private_network() -> None:
    """A page of a public site reaches a private network only where the app says so."""
    asked = {"Access-Control-Request-Private-Network": "true"}
    with pytest.raises(Forbidden, match="network"):
        await ask(cors, preflight(APP, **asked))
    open_to_them = CORS([APP], private_network=True)
    response = await ask(open_to_them, preflight(APP, **asked))
    assert response.headers["access-control-allow-private-network"] == "true"
    assert "Access-Control-Request-Private-Network" in response.headers["vary"]
    assert "access-control-allow-private-network" not in (await ask(open_to_them, preflight(APP))).headers


async def test_the_csrf_guard_trusts_whom_cors_allows() -> None:
    """What an allowed origin sends passes the CSRF guard; what another sends does not."""
    guard = CSRFGuard(lambda: KEYS)
    theirs = build("POST", headers={"Origin": APP, "Sec-Fetch-Site": "cross-site", "Cookie": "a=1"})
    await cors(theirs, handler())
    assert guard(theirs) is None
    other = build("POST", headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    await cors(other, handler())
    with pytest.raises(Forbidden):
        guard(other)


@pytest.mark.parametrize(
    ("more", "passes"),
    [
        ({}, True),
        ({"Authorization": "Bearer abc"}, True),
        ({"Authorization": "Token abc"}, True),
        ({"Cookie": "a=1"}, False),
        ({"Authorization": "Basic YTpi"}, False),
        ({"Authorization": "NEGOTIATE abc"}, False),
    ],
)
async def test_everybody_is_trusted_without_what_browsers_add(*, more: dict[str, str], passes: bool) -> None:
    """With `*` what only a script can write passes the CSRF guard; a cookie or a remembered password does not."""
    guard, public = CSRFGuard(lambda: KEYS), CORS("*")
    headers = {"Origin": "https://anyone.example", "Sec-Fetch-Site": "cross-site"}
    request = build("POST", headers=headers | more)
    await public(request, handler())
    if passes:
        assert guard(request) is None
    else:
        with pytest.raises(Forbidden):
            guard(request)


def test_settings_are_checked() -> None:
    """Origins and names that can never match are refused at start-up; times may be timedeltas."""
    for wrong in (
        lambda: CORS(["example.org"]),
        lambda: CORS(["https://example.org/"]),
        lambda: CORS(["null"]),
        lambda: CORS([APP], methods=["GET, POST"]),
        lambda: CORS([APP], headers=["X Y"]),
        lambda: CORS([APP], expose=["a\r\nb"]),
    ):
        with pytest.raises(ConfigurationError, match="DJN-743"):
            wrong()
    assert CORS(APP, max_age=timedelta(hours=1))._max_age == "3600"
    assert CORS(APP).allows(APP)
    assert not CORS(APP).allows("https://other.example")
