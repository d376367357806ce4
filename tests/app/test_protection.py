"""The safe defaults, end to end: an app without one line of configuration, and one that says otherwise."""

import gzip
import logging
import time
from pathlib import Path
from typing import Annotated, Any

import pytest

from demijohn import App, Blueprint, Body, Request, Response, Secret, Settings, StreamResponse, View, current
from demijohn._lib.keys import KeyRing
from demijohn.errors import ConfigurationError, Forbidden, NotFound
from demijohn.http import html
from demijohn.middleware import (
    CORS,
    DEFAULT_POLICY,
    AutoETag,
    Compression,
    ContentSecurityPolicy,
    RateLimit,
    RequestID,
    Security,
    SecurityHeaders,
    StrictTransport,
    TrustedProxies,
    body_limit,
    cache_control,
    csp_nonce,
    csrf_exempt,
    csrf_token,
    keep_private,
    rate_limit,
    request_id,
    security_headers,
)
from demijohn.middleware.marks import mark
from tests.app.calling import call
from tests.middleware.observatory import Scan, score

SECRET = Secret("a7c1f09e5b2d48836e4f0c9b1d75a2e8")
SETTINGS = Settings(secret_key=SECRET)
CROSS = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


def lines(app: App, response: Response) -> dict[str, str]:
    """What a transport sends: the headers of the response over those of the app."""
    sent = response.header_lines(defaults=app.default_headers)
    return {name.decode(): value.decode() for name, value in sent}


def plain(**options: Any) -> App:
    app = App(settings=options.pop("settings", SETTINGS), **options)

    @app.route("/", methods=["GET", "POST"])
    async def home(request: Request) -> str:
        return "home"

    return app


# ── without one line of configuration ──


async def test_every_response_is_protected() -> None:
    """Pages, errors and 404 carry the security headers."""
    app = plain()
    for target, status in (("/", 200), ("/nowhere", 404)):
        response = await call(app, "GET", target)
        assert response.status == status
        sent = lines(app, response)
        assert sent["x-content-type-options"] == "nosniff"
        assert sent["x-frame-options"] == "DENY"
        assert sent["content-security-policy"].startswith("default-src 'self'; script-src 'self'; style-src 'self';")
        assert sent["referrer-policy"] == "same-origin"
        assert "strict-transport-security" not in sent
    assert "cache-control" not in lines(app, await call(app, "GET", "/"))


async def test_forged_requests_are_refused() -> None:
    """A form of another site is refused, our own is taken."""
    app = plain()
    assert (await call(app, "POST", "/", headers=CROSS)).status == 403
    assert (await call(app, "POST", "/", headers={"Sec-Fetch-Site": "same-origin", "Cookie": "a=1"})).body == b"home"
    assert (await call(app, "POST", "/")).body == b"home"


async def test_only_this_machine_is_answered() -> None:
    """Until hosts are named, only names of this machine are answered; 404 and 405 are no way around."""
    app = plain()
    for target in ("/", "/nowhere"):
        assert (await call(app, "GET", target, headers={"host": "evil.example"})).status == 400
    assert (await call(app, "PUT", "/", headers={"host": "evil.example"})).status == 400
    assert (await call(app, "GET", "/", headers={"host": "127.0.0.1:8000"})).status == 200


async def test_large_bodies_are_refused() -> None:
    """A body that is announced over the limit is refused before it is read."""
    app = plain()
    response = await call(app, "POST", "/", headers={"content-length": "99999999"})
    assert response.status == 413


# ── production ──


async def test_production() -> None:
    """Where hosts are named, http goes to https, and browsers are told to stay there."""
    app = plain(security=Security(allowed_hosts=["example.org"]))
    headers = {"host": "example.org"}
    redirected = await call(app, "GET", "/?a=1", headers=headers)
    assert (redirected.status, redirected.headers["location"]) == (308, "https://example.org/?a=1")
    assert (await call(app, "GET", "/nowhere", headers=headers)).status == 308
    assert (await call(app, "POST", "/", headers=headers)).status == 403
    secure = await call(app, "GET", "/", headers=headers, scheme="https")
    assert secure.status == 200
    assert lines(app, secure)["strict-transport-security"] == "max-age=31536000"
    assert (await call(app, "GET", "/")).status == 400


async def test_https_is_a_choice() -> None:
    """Behind a proxy that insists on https itself, the app may be told not to."""
    app = plain(security=Security(allowed_hosts=["example.org"], https=False))
    response = await call(app, "GET", "/", headers={"host": "example.org"})
    assert response.status == 200
    assert "strict-transport-security" not in lines(app, response)


async def test_trusted_proxies() -> None:
    """Scheme and client are the proxy's word where its address is trusted; the host only where the code says so."""
    in_code = Security(allowed_hosts=["site.example"], trusted_proxies=TrustedProxies("10.0.0.1", host=True))
    for host, app in (
        ("inner:8000", App(settings=Settings(trusted_proxies=("10.0.0.1",), allowed_hosts=("inner",)))),
        ("site.example", App(settings=SETTINGS, security=in_code)),
    ):

        @app.get("/")
        async def home(request: Request) -> dict[str, Any]:
            return {"url": str(request.url), "client": request.client}

        forwarded = {
            "host": "inner:8000",
            "x-forwarded-for": "203.0.113.9",
            "x-forwarded-proto": "https",
            "x-forwarded-host": "site.example",
        }
        trusted = await call(app, "GET", "/", headers=forwarded, client=("10.0.0.1", 1))
        assert trusted.body == f'{{"url":"https://{host}/","client":["203.0.113.9",0]}}'.encode()
        stranger = await call(app, "GET", "/", headers={**forwarded, "host": "evil.example"}, client=("10.0.0.2", 1))
        assert stranger.status == 400


async def test_routes_by_host_see_the_forwarded_host() -> None:
    """A route for a host is found by the host that the proxy names."""
    proxies = TrustedProxies("10.0.0.1", host=True)
    app = App(settings=Settings(), security=Security(allowed_hosts=[".site.example"], trusted_proxies=proxies))

    @app.get("/", host="api.site.example")
    async def api() -> str:
        return "api"

    headers = {"host": "inner", "x-forwarded-host": "api.site.example", "x-forwarded-proto": "https"}
    assert (await call(app, "GET", "/", headers=headers, client=("10.0.0.1", 1))).body == b"api"


# ── development ──


async def test_development_reports_violations(caplog: pytest.LogCaptureFixture) -> None:
    """In development pages report what the policy stops, and the log says what to write."""
    app = plain(debug=True)
    response = await call(app, "GET", "/")
    policy = lines(app, response)["content-security-policy"]
    path = policy.partition("report-uri ")[2]
    body = (
        b'{"csp-report": {"document-uri": "http://localhost/", "effective-directive": "script-src-elem",'
        b' "blocked-uri": "https://cdn.example/x.js"}}'
    )
    headers = {"content-type": "application/csp-report", **CROSS}
    with caplog.at_level(logging.WARNING):
        answer = await call(app, "POST", path, body=body, headers=headers)
    assert answer.status == 204
    assert 'SecurityHeaders().allow(script_src="https://cdn.example")' in caplog.text
    assert "report-uri" not in lines(plain(), await call(plain(), "GET", "/")).get("content-security-policy", "")


async def test_production_takes_no_reports() -> None:
    """The place for reports is there in development alone."""
    assert (await call(plain(), "POST", "/__demijohn__/csp-report")).status == 404


def test_the_secret_of_development(tmp_path: Path) -> None:
    """Outside of production a secret is made on the first use, and in tests kept nowhere; there it has to be set."""
    tested = App(settings=Settings(env="test"))
    tested.root_path = tmp_path
    assert tested.keys.key("x")
    assert list(tmp_path.iterdir()) == []
    app = App(settings=Settings())
    app.root_path = tmp_path
    assert app.keys.fingerprint() == KeyRing((tmp_path / ".demijohn" / "secret_key").read_text().strip()).fingerprint()
    with pytest.raises(ConfigurationError, match="DJN-740"):
        App(settings=Settings(env="production")).keys.key("csrf")


def test_keys_rotate() -> None:
    """The fallback secrets verify what they signed before."""
    older = Secret("0f8d3b6e21c94a57bb60d1e2f3a48c95")
    signed = App(settings=Settings(secret_key=older)).keys.sign("x", b"m")
    assert App(settings=Settings(secret_key=SECRET, secret_key_fallbacks=(older,))).keys.verify("x", b"m", signed)


# ── what handlers do ──


async def test_a_nonce_is_written_where_it_is_used() -> None:
    """A page that asks for a nonce carries it in its policy; another does not, and no nonce comes twice."""
    app = plain()

    @app.get("/inline")
    async def inline(request: Request) -> Any:
        return html("<script nonce={}>1</script>", csp_nonce(request))

    seen = set()
    for _ in range(3):
        response = await call(app, "GET", "/inline")
        nonce = response.body.decode().partition("nonce=")[2].partition(">")[0].strip('"')
        assert f"script-src 'self' 'nonce-{nonce}'" in lines(app, response)["content-security-policy"]
        seen.add(nonce)
    assert len(seen) == 3
    assert "nonce" not in lines(app, await call(app, "GET", "/"))["content-security-policy"]


async def test_a_form_of_an_old_browser() -> None:
    """A browser without Fetch Metadata loads the form, gets cookie and token, and sends both back."""
    app = App(settings=SETTINGS)

    @app.route("/form", methods=["GET", "POST"])
    async def form(request: Request) -> str:
        return csrf_token(request) if request.method == "GET" else (await request.form())["name"]  # type: ignore[return-value]

    page = await call(app, "GET", "/form")
    assert lines(app, page)["cache-control"] == "private, no-cache"
    cookie = page.headers["set-cookie"].partition(";")[0]
    headers = {"cookie": cookie, "content-type": "application/x-www-form-urlencoded"}
    sent = await call(app, "POST", "/form", headers=headers, body=b"name=Ann&csrf_token=" + page.body)
    assert (sent.status, sent.body) == (200, b"Ann")
    assert (await call(app, "POST", "/form", headers=headers, body=b"name=Ann")).status == 403
    assert "set-cookie" not in (await call(app, "GET", "/form", headers={"cookie": cookie})).headers


async def test_templates_find_the_names() -> None:
    """Templates get `csrf()`, `csrf_token()` and `csp_nonce()` for the request that is running."""
    app = App(settings=SETTINGS)

    @app.get("/")
    async def show() -> list[str]:
        names = current.app.templates.globals
        return [str(names["csrf"]()), names["csrf_token"](), names["csp_nonce"]()]

    response = await call(app, "GET", "/")
    field, token, nonce = __import__("json").loads(response.body)
    assert field == f'<input type="hidden" name="csrf_token" value="{token}">'
    assert nonce in lines(app, response)["content-security-policy"]
    bare = App(settings=SETTINGS, security=Security(csrf=False))
    bare.get("/")(show)
    assert (await call(bare, "GET", "/")).body.startswith(b'["",""')


async def test_exemptions_and_limits_of_a_route() -> None:
    """A route may take requests of other sites, or larger bodies, without changing the others."""
    app = plain()

    @app.post("/hook")
    @csrf_exempt
    async def hook() -> str:
        return "taken"

    @app.post("/upload")
    @body_limit("10 MB")
    async def upload(request: Request) -> str:
        return str(request.limits.body)

    @app.post("/small")
    @body_limit(4)
    async def small(request: Request) -> str:
        return (await request.body()).decode()

    assert (await call(app, "POST", "/hook", headers=CROSS)).body == b"taken"
    assert (await call(app, "POST", "/", headers=CROSS)).status == 403
    assert (await call(app, "POST", "/upload", headers={"content-length": "9999999"})).body == b"10000000"
    assert (await call(app, "POST", "/upload", headers={"content-length": "10000001"})).status == 413
    assert (await call(app, "POST", "/small", headers={"content-length": "5"})).status == 413
    assert (await call(app, "POST", "/small", body=b"12345")).status == 413
    assert (await call(app, "POST", "/small", body=b"1234")).body == b"1234"


async def test_rate_limits_of_a_route() -> None:
    """A limited route refuses after its quota, for sync handlers too, and says so in headers."""
    app = plain()

    @app.get("/limited")
    @rate_limit("2/minute")
    def limited() -> str:
        return "ok"

    first, second, third = [await call(app, "GET", "/limited", client=("192.0.2.7", 1)) for _ in range(3)]
    assert (first.status, second.status, third.status) == (200, 200, 429)
    assert first.headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert "retry-after" in third.headers
    assert (await call(app, "GET", "/limited", client=("192.0.2.8", 1))).status == 200
    await app.shutdown()


async def test_security_headers_of_a_route() -> None:
    """A route changes or leaves out single headers; the others, and other routes, keep theirs."""
    app = plain()
    framed = DEFAULT_POLICY.replace(frame_ancestors="https://partner.example")

    @app.get("/widget")
    @security_headers(content_security_policy=framed, resource_policy="cross-origin")
    async def widget(request: Request) -> str:
        return csp_nonce(request)

    response = await call(app, "GET", "/widget")
    sent = lines(app, response)
    assert "x-frame-options" not in sent
    assert "frame-ancestors https://partner.example" in sent["content-security-policy"]
    assert f"'nonce-{response.body.decode()}'" in sent["content-security-policy"]
    assert sent["cross-origin-resource-policy"] == "cross-origin"
    assert sent["referrer-policy"] == "same-origin"
    assert lines(app, await call(app, "GET", "/"))["x-frame-options"] == "DENY"


async def test_a_handler_sets_its_own() -> None:
    """A header that the handler sets itself is sent instead of the default, also where a nonce was asked for."""
    app = plain()

    @app.get("/own")
    async def own(request: Request) -> Response:
        csp_nonce(request)
        return Response("x", headers={"Content-Security-Policy": "sandbox"})

    assert lines(app, await call(app, "GET", "/own"))["content-security-policy"] == "sandbox"


async def test_cache_control() -> None:
    """A public page stays public until something personal is read for it; errors are not kept."""
    app = plain()

    @app.get("/prices/{kind}")
    @cache_control(public=True, max_age=60)
    async def prices(kind: str, request: Request) -> str:
        if kind == "mine":
            keep_private(request)
        if kind == "none":
            raise NotFound
        return kind

    assert (await call(app, "GET", "/prices/all")).headers["cache-control"] == "public, max-age=60"
    mine = await call(app, "GET", "/prices/mine")
    assert mine.headers["cache-control"] == "private, max-age=60"
    assert mine.headers["vary"] == "Cookie"
    assert "cache-control" not in (await call(app, "GET", "/prices/none")).headers


async def test_marks_on_view_classes() -> None:
    """Marks on a class hold for all its methods, marks on a method for that one."""
    app = App(settings=SETTINGS)

    @csrf_exempt
    class Both(View):
        async def get(self) -> str:
            return "get"

        @body_limit(3)
        async def post(self) -> str:
            return "post"

    app.route("/both")(Both)
    assert (await call(app, "POST", "/both", headers=CROSS)).body == b"post"
    assert (await call(app, "POST", "/both", headers={"content-length": "4"})).status == 413


# ── middleware ──


async def test_cors_and_csrf_agree() -> None:
    """What CORS allows passes the CSRF rule; refusals and errors can be read by the allowed origin too."""
    app = plain()
    app.middleware(CORS(["https://app.example"], credentials=True))
    theirs = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site", "Cookie": "a=1"}
    taken = await call(app, "POST", "/", headers=theirs)
    assert (taken.status, taken.headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert (await call(app, "POST", "/", headers=CROSS)).status == 403
    missing = await call(app, "GET", "/nowhere", headers=theirs)
    assert (missing.status, missing.headers["access-control-allow-origin"]) == (404, "https://app.example")
    preflight = await call(app, "OPTIONS", "/", headers=theirs | {"Access-Control-Request-Method": "POST"})
    assert (preflight.status, preflight.headers["access-control-allow-credentials"]) == (204, "true")


async def test_cors_of_a_blueprint() -> None:
    """A blueprint may be open to others while the rest of the app is not."""
    app, api = plain(), Blueprint("api")
    api.middleware(CORS("*"))

    @api.post("/items")
    async def items() -> str:
        return "made"

    app.include(api, prefix="/api")
    assert (await call(app, "POST", "/api/items", headers=CROSS)).body == b"made"
    assert (await call(app, "POST", "/api/items", headers=CROSS | {"Cookie": "a=1"})).status == 403
    assert (await call(app, "POST", "/", headers=CROSS)).status == 403


@pytest.mark.parametrize("path", ["/api/items", "/api/deep/items/7"])
async def test_preflights_of_a_blueprint(path: str) -> None:
    """The CORS of a blueprint, or of one around it, answers preflights for its routes, and for no others."""
    app, api, deep = plain(), Blueprint("api"), Blueprint("deep")
    api.middleware(CORS(["https://app.example"], credentials=True))

    @api.post("/items")
    @deep.post("/items/{number:int}")
    async def items() -> str:
        return "made"

    api.include(deep, prefix="/deep")
    app.include(api, prefix="/api")
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    allowed = await call(app, "OPTIONS", path, headers=asked)
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (204, "https://app.example")
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert (await call(app, "OPTIONS", path, headers=asked | {"Origin": "https://evil.example"})).status == 403
    other = await call(app, "OPTIONS", "/", headers=asked)
    assert (other.status, "access-control-allow-origin" in other.headers) == (204, False)
    plainly = await call(app, "OPTIONS", path)
    assert (plainly.status, plainly.headers["allow"], plainly.headers["vary"]) == (204, "OPTIONS, POST", "Origin")


async def test_error_answers_vary() -> None:
    """A cache that keeps an error gives the page to browsers and the problem document to programs."""
    app = plain()
    for path in ("/nowhere", "/"):
        for accept, kind in (("text/html", "text/html"), ("application/json", "application/problem+json")):
            answer = await call(app, "DELETE", path, headers={"Accept": accept})
            assert answer.headers["content-type"].startswith(kind)
            assert answer.headers["vary"] == "Accept"


async def test_ids_tags_and_compression_together() -> None:
    """The middleware of this room works in one app, and for streams."""
    app = App(settings=SETTINGS)
    for middleware in (RequestID(), Compression(codings=["gzip"]), AutoETag()):
        app.middleware(middleware)

    @app.get("/big")
    async def big(request: Request) -> str:
        return request_id(request) * 0 + "x" * 5000

    @app.get("/stream")
    async def stream() -> StreamResponse:
        async def pieces() -> Any:
            yield "a" * 100

        return StreamResponse(pieces(), content_type="text/plain")

    response = await call(app, "GET", "/big", headers={"accept-encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["etag"].startswith('W/"')
    assert response.headers["x-request-id"]
    again = {"accept-encoding": "gzip", "if-none-match": response.headers["etag"]}
    unchanged = await call(app, "GET", "/big", headers=again)
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert unchanged.headers["vary"] == "Accept-Encoding"
    streamed = await call(app, "GET", "/stream", headers={"accept-encoding": "gzip"})
    assert streamed.headers["content-encoding"] == "gzip"


async def test_a_guard_that_shares_no_fields_is_always_asked() -> None:
    """`passes` without `check` changes nothing: the guard is called, whatever the field says."""

    class Counting:
        name = "counting"
        passes = (b"host", {b"testserver", b"localhost", b"example.org"})
        asked = 0

        def applies(self, methods: frozenset[str]) -> bool:
            return True

        def __call__(self, request: Request) -> None:
            self.asked += 1

    guard, alone = Counting(), Counting()
    app = App()

    @app.post("/")
    async def home() -> str:
        return "x"

    @app.get("/alone")
    async def by_itself() -> str:
        return "y"

    mark(home).guards.append(guard)
    mark(by_itself).guards.append(alone)
    mark(by_itself).exempt.update(("hosts", "body_limit", "csrf"))
    for _ in range(2):
        assert (await call(app, "POST", "/", headers={"host": "localhost"})).body == b"x"
        assert (await call(app, "GET", "/alone", headers={"host": "localhost"})).body == b"y"
    assert (guard.asked, alone.asked) == (2, 2)


async def test_middleware_sees_what_guards_refuse() -> None:
    """A refusal by the CSRF rule passes through the app's middleware; one for a foreign host does not."""
    app = plain()
    seen: list[int] = []

    @app.middleware
    async def watch(request: Request, next: Any) -> Response:
        response: Response = await next(request)
        seen.append(response.status)
        return response

    await call(app, "POST", "/", headers=CROSS)
    await call(app, "GET", "/", headers={"host": "evil.example"})
    assert seen == [403]


# ── mounted apps ──


async def foreign(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app that knows nothing of ours."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"SAMEORIGIN")]})
    await send({"type": "http.response.body", "body": b"foreign"})


async def test_mounted_apps_keep_their_own_pages() -> None:
    """A mounted app gets host checks and limits, and neither our policy nor our CSRF rule."""
    app = plain(security=Security(allowed_hosts=["example.org"]))
    app.mount("/old", foreign)
    response = await call(app, "POST", "/old/x", headers={"host": "example.org", **CROSS}, scheme="https")
    assert response.body == b"foreign"
    sent = lines(app, response)
    assert sent["x-frame-options"] == "SAMEORIGIN"
    assert "content-security-policy" not in sent
    assert sent["strict-transport-security"]
    assert (await call(app, "GET", "/old/x", headers={"host": "evil.example"})).status == 400
    large = {"host": "example.org", "content-length": "99999999"}
    assert (await call(app, "POST", "/old/x", headers=large)).status == 413


async def test_mounted_apps_with_our_defaults() -> None:
    """With `defaults=True` they get the headers and the CSRF rule as well."""
    app = plain()
    app.mount("/new", foreign, defaults=True)
    response = await call(app, "GET", "/new/x")
    sent = lines(app, response)
    assert sent["x-frame-options"] == "SAMEORIGIN"
    assert "content-security-policy" in sent
    assert (await call(app, "POST", "/new/x", headers=CROSS)).status == 403


# ── checks ──


def test_deploy_checks() -> None:
    """`check --deploy` names what production lacks, and is silent where nothing is."""
    app = App(settings=Settings(), debug=True, security=Security(csrf=False, https=False))
    found = {message.id for message in app.run_checks(deploy=True)}
    assert {f"security.{name}" for name in ("debug", "secret_key", "allowed_hosts", "csrf", "https")} <= found
    assert not [message for message in app.run_checks() if message.id.startswith("security.")]
    ready = App(settings=Settings(secret_key=SECRET, allowed_hosts=("example.org",)))
    assert not [message for message in ready.run_checks(deploy=True) if message.id.startswith("security.")]
    wide = App(settings=Settings(secret_key=SECRET, allowed_hosts=("*",)))
    assert "security.any_host" in {message.id for message in wide.run_checks(deploy=True)}


async def test_refusals_reach_error_handlers() -> None:
    """An app may answer a refusal with a page of its own."""
    app = plain()

    @app.errorhandler(403)
    async def refused(error: Forbidden) -> str:
        return f"refused: {error.extensions['code']}"

    response = await call(app, "POST", "/", headers=CROSS)
    assert (response.status, response.body) == (403, b"refused: csrf_cross_site")


async def test_the_observatory_is_pleased() -> None:
    """An app without one line of configuration, on its host, scores over 100 by the rules of the MDN Observatory."""
    app = App(settings=Settings(secret_key=SECRET, allowed_hosts=("example.org",)))

    @app.get("/")
    async def home(request: Request) -> Any:
        return html('<form method="post">{}</form>', csrf_token(request))

    host = {"host": "example.org"}
    page = await call(app, "GET", "/", headers=host, scheme="https")
    insecure = await call(app, "GET", "/", headers=host)
    foreign = {
        **host,
        "Origin": "https://http-observatory.security.mozilla.org",
        "Access-Control-Request-Method": "GET",
    }
    preflight = await call(app, "OPTIONS", "/", headers=foreign, scheme="https")
    scan = Scan(
        headers=lines(app, page),
        cookies=page.headers.getlist("set-cookie"),
        http_status=insecure.status,
        http_location=insecure.headers["location"],
        preflight=lines(app, preflight),
    )
    total, results = score(scan)
    assert total == 130, results


async def test_batteries_find_the_parts_when_they_are_installed() -> None:
    """A battery may bind tokens to whom it knows, and keep signed values, before the app is built."""

    class People:
        name = "people"
        requires = ()

        def install(self, app: App) -> None:
            assert app.csrf is not None
            app.csrf.bind = lambda request: request.cookies.get("person", "")
            self.key = app.keys.key("people")

    app = plain()
    people = app.use(People())
    assert len(people.key) == 32

    @app.get("/token")
    async def token(request: Request) -> str:
        return csrf_token(request)

    page = await call(app, "GET", "/token", headers={"cookie": "person=ann"})
    cookie = page.headers["set-cookie"].partition(";")[0]
    for person, status in (("ann", 200), ("bob", 403)):
        headers = {"cookie": f"{cookie}; person={person}", "x-csrf-token": page.body.decode()}
        assert (await call(app, "POST", "/", headers=headers)).status == status
    assert len([guard for guard in app.guards if guard.name == "csrf"]) == 1


@pytest.mark.parametrize(
    ("security", "settings", "found"),
    [
        (Security(headers=SecurityHeaders(strict_transport=None)), {}, "security.hsts"),
        (Security(headers=SecurityHeaders(strict_transport=StrictTransport(max_age=60))), {}, "security.short_hsts"),
        (Security(headers=SecurityHeaders(content_security_policy=None)), {}, "security.csp"),
        (
            Security(headers=SecurityHeaders(content_security_policy=ContentSecurityPolicy(default_src="self"))),
            {},
            "security.frames",
        ),
        (
            Security(
                headers=SecurityHeaders(
                    content_security_policy=ContentSecurityPolicy(
                        script_src=["self", "unsafe-inline"], frame_ancestors="none"
                    )
                )
            ),
            {},
            "security.inline_scripts",
        ),
        (Security(headers=SecurityHeaders(referrer_policy="unsafe-url")), {}, "security.referrer"),
        (Security(headers=SecurityHeaders(opener_policy=None)), {}, "security.opener"),
        (Security(https=False), {}, "security.https"),
        (Security(csrf=False), {}, "security.csrf"),
        (Security(), {"secret_key_fallbacks": ("short",)}, "security.weak_fallback"),
        (Security(), {"trusted_proxies": ("0.0.0.0/0",)}, "security.any_proxy"),
    ],
)
def test_each_weakness_has_its_check(security: Security, settings: dict[str, object], found: str) -> None:
    """Whatever is switched off or opened wide is named, and nothing else is."""
    wanted = {"secret_key": "k" * 40, "allowed_hosts": ("example.org",), **settings}
    app = App(settings=Settings.load({}, files=(), env="production", **wanted), security=security)
    assert {message.id for message in app.run_checks(deploy=True)} == {found}


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
async def test_bombs_are_not_unpacked(coding: str) -> None:
    """A packed body is never unpacked, so that a few kilobytes cannot become gigabytes: it is no JSON, and no form."""
    app = App(static=None)

    @app.post("/json")
    async def json(items: Annotated[list[int], Body()]) -> int:
        return len(items)

    @app.post("/form")
    async def form(request: Request) -> int:
        return len(await request.form())

    bomb = gzip.compress(b"[" + b"0," * 5_000_000 + b"0]", 1)
    headers = {"content-encoding": coding, "content-type": "application/json"}
    start = time.monotonic()
    assert (await call(app, "POST", "/json", body=bomb, headers=headers)).status == 415
    for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        answer = await call(app, "POST", "/form", body=bomb, headers=headers | {"content-type": kind})
        assert answer.status == 415
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("kind", ["whole app", "route"])
def test_workers_that_count_for_themselves_are_told(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With several workers and no shared store, a limit lets each client ask several times as often."""
    app = App(settings=Settings.load({}, files=(), env="production", secret_key="k" * 40, allowed_hosts=("a.org",)))
    if kind == "whole app":
        app.middleware(RateLimit("10/minute"))

    @app.get("/")
    def home() -> str:
        return ""

    if kind == "route":
        app.get("/slow")(rate_limit("10/minute")(lambda: ""))
    app.freeze()
    assert not list(app.run_checks(deploy=True))
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    assert [message.id for message in app.run_checks(deploy=True)] == ["security.rate_limits"]


async def test_a_bare_route_changes_nothing_unless_it_says_so() -> None:
    """`bare=True` on a method that may change something is refused at start-up, but for `@csrf_exempt`."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        app = App()
        app.route("/", methods=["GET", method], bare=True)(lambda: "x")
        with pytest.raises(ConfigurationError, match=f"bare and answers {method}") as caught:
            app.freeze()
        assert caught.value.code == "DJN-423"

    app = App()

    @app.get("/", bare=True)
    async def probe() -> str:
        return "probe"

    @app.post("/hook", bare=True)
    @csrf_exempt
    async def hook() -> str:
        return "hook"

    assert (await call(app, "GET", "/")).body == b"probe"
    headers = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    assert (await call(app, "POST", "/hook", headers=headers)).body == b"hook"
