"""Security headers: what is sent, what the Observatory says of it, policies, nonces and reports."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.errors import BadRequest, ConfigurationError, ContentTooLarge
from demijohn.http import Response
from demijohn.middleware import (
    CLOSED_FEATURES,
    DEFAULT_POLICY,
    ContentSecurityPolicy,
    CSRFGuard,
    SecurityHeaders,
    StrictTransport,
    TooLate,
    ViolationReports,
    csp_nonce,
    csrf_token,
    marks_of,
    security_headers,
)
from demijohn.middleware.exchange import exchange_of
from demijohn.middleware.violations import Violation, read_reports
from tests.middleware.conftest import KEYS, build, finish
from tests.middleware.observatory import MODIFIERS, Scan, score


def sent(headers: SecurityHeaders | None = None, *, production: bool = True) -> dict[str, str]:
    lines = (headers or SecurityHeaders()).lines(production=production)
    assert len(dict(lines)) == len(lines)
    return {name.decode(): value.decode() for name, value in lines}


# ── the Observatory ──


def test_the_defaults_score_125() -> None:
    """An app without configuration scores well over 100, with its CSRF cookie and without."""
    guard = CSRFGuard(lambda: KEYS)
    request = build(csrf=guard)
    csrf_token(request)
    cookies = finish(request).headers.getlist("set-cookie")
    total, results = score(Scan(headers=sent()))
    assert total == 125, results
    total, results = score(Scan(headers=sent(), cookies=cookies))
    assert total == 130, results


@pytest.mark.parametrize(
    ("change", "total"),
    [
        (SecurityHeaders(content_security_policy=None), 75),
        (SecurityHeaders(strict_transport=None), 80),
        (SecurityHeaders(strict_transport=StrictTransport(max_age=86400)), 115),
        (SecurityHeaders(referrer_policy="unsafe-url"), 115),
        (SecurityHeaders(resource_policy="cross-origin"), 115),
        (SecurityHeaders().allow(script_src="unsafe-inline"), 80),
        (SecurityHeaders().allow(script_src="unsafe-eval"), 110),
        (SecurityHeaders().allow(script_src="http://insecure.example"), 80),
    ],
)
def test_the_scoring_tells_good_from_bad(change: SecurityHeaders, total: int) -> None:
    """The scoring used here takes points for what the Observatory takes them for."""
    result, results = score(Scan(headers=sent(change)))
    assert result == total, results


def test_the_scoring_judges_cookies_and_redirects() -> None:
    """Cookies without their attributes and http that stays cost what the Observatory says."""
    for cookies, result in (
        (["session=1; Secure; HttpOnly; SameSite=Lax"], "cookies-secure-with-httponly-sessions-and-samesite"),
        (["session=1; Secure; SameSite=Lax"], "cookies-session-without-httponly-flag"),
        (["session=1; HttpOnly; SameSite=Lax"], "cookies-session-without-secure-flag-but-protected-by-hsts"),
        (["csrf=1; Secure"], "cookies-anticsrf-without-samesite-flag"),
        (["a=1; Secure; SameSite=Weird"], "cookies-samesite-flag-invalid"),
    ):
        assert score(Scan(headers=sent(), cookies=cookies))[1]["cookies"] == result
    assert score(Scan(headers=sent(), http_status=200))[0] == 80
    assert score(Scan(headers={}))[0] == 100 - 25 - 20 - 5 - 20
    assert all(-50 <= modifier <= 10 for modifier in MODIFIERS.values())


# ── what is sent ──


def test_every_header() -> None:
    """The default list is the one of the documentation."""
    assert sent() == {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "content-security-policy": (
            "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": ", ".join(f"{feature}=()" for feature in CLOSED_FEATURES),
        "strict-transport-security": "max-age=31536000",
    }
    assert "strict-transport-security" not in sent(production=False)


def test_headers_are_choices() -> None:
    """Each header can be changed or left out; `nosniff` stays."""
    bare = SecurityHeaders(
        content_security_policy=None,
        referrer_policy=None,
        permissions_policy={},
        opener_policy=None,
        resource_policy=None,
        strict_transport=None,
    )
    assert sent(bare) == {"x-content-type-options": "nosniff", "x-frame-options": "DENY"}
    isolated = sent(SecurityHeaders(embedder_policy="require-corp", opener_policy="same-origin-allow-popups"))
    assert isolated["cross-origin-embedder-policy"] == "require-corp"
    assert isolated["cross-origin-opener-policy"] == "same-origin-allow-popups"


def test_frame_options_follow_the_policy() -> None:
    """The old header says what the new one says, as far as it can."""
    for ancestors, expected in (("none", "DENY"), ("self", "SAMEORIGIN"), (["self", "https://a.example"], None)):
        policy = DEFAULT_POLICY.replace(frame_ancestors=ancestors)
        assert sent(SecurityHeaders(content_security_policy=policy)).get("x-frame-options") == expected
    without = SecurityHeaders(content_security_policy=DEFAULT_POLICY.without("frame-ancestors"))
    assert sent(without)["x-frame-options"] == "DENY"


def test_permissions() -> None:
    """Features are opened one by one, for this site, for others, or for all."""
    policy = {"geolocation": ["self", "https://maps.example"], "camera": ["*"], "usb": (), "midi": "self"}
    headers = sent(SecurityHeaders(permissions_policy=policy))
    assert headers["permissions-policy"] == ('geolocation=(self "https://maps.example"), camera=*, usb=(), midi=(self)')
    opened = sent(SecurityHeaders(permissions_policy={**CLOSED_FEATURES, "camera": ["self"]}))
    assert "camera=(self)" in opened["permissions-policy"]
    assert "microphone=()" in opened["permissions-policy"]


def test_strict_transport() -> None:
    """HSTS takes a timedelta, subdomains and preloading, which has conditions."""
    assert str(StrictTransport(max_age=timedelta(days=730), include_subdomains=True, preload=True)) == (
        "max-age=63072000; includeSubDomains; preload"
    )
    for wrong in ({"preload": True}, {"preload": True, "include_subdomains": True, "max_age": 86400}):
        with pytest.raises(ConfigurationError, match="DJN-746"):
            StrictTransport(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"referrer_policy": "same-orgin"},
        {"opener_policy": "yes"},
        {"resource_policy": "none"},
        {"embedder_policy": "on"},
        {"permissions_policy": {"geo location": ()}},
        {"permissions_policy": {"geolocation": ['https://a.example"; x']}},
        {"permissions_policy": {"": ()}},
    ],
)
def test_what_browsers_would_ignore_is_refused(wrong: dict[str, Any]) -> None:
    """A misspelt value protects nothing, and is refused at start-up."""
    with pytest.raises(ConfigurationError, match="DJN-746"):
        SecurityHeaders(**wrong)


# ── policies ──


def test_sources_are_quoted_where_they_must_be() -> None:
    """Words and hashes get their quotes, hosts and schemes stay as they are, doubles go."""
    policy = ContentSecurityPolicy(
        script_src=["self", "'self'", "UNSAFE-EVAL", "sha256-abc=", "https://cdn.example", "data:", "*.example.org"],
        style_src="self https://cdn.example",
        font_src=[],
        sandbox=["allow-forms", "allow-scripts"],
        require_trusted_types_for="script",
        upgrade_insecure_requests=True,
        report_to="endpoint",
    )
    assert str(policy) == (
        "script-src 'self' 'unsafe-eval' 'sha256-abc=' https://cdn.example data: *.example.org; "
        "style-src 'self' https://cdn.example; font-src 'none'; sandbox allow-forms allow-scripts; "
        "require-trusted-types-for 'script'; upgrade-insecure-requests; report-to endpoint"
    )
    assert policy == ContentSecurityPolicy(
        **{
            name: policy.sources(name) or True
            for name in (  # type: ignore[arg-type]
                "script_src",
                "style_src",
                "font_src",
                "sandbox",
                "require_trusted_types_for",
                "upgrade_insecure_requests",
                "report_to",
            )
        }
    )
    assert hash(policy) == hash(policy.without("nothing"))
    assert policy != "policy"


@given(st.text())
def test_no_source_breaks_out(source: str) -> None:
    """Whatever is written as a source is either one word of its directive, or refused."""
    try:
        policy = ContentSecurityPolicy(default_src="self", script_src=[source])
    except ConfigurationError:
        return
    directives = str(policy).split("; ")
    assert len(directives) == 2
    assert len(directives[1].split(" ")) == 2
    assert str(policy).isascii()
    assert str(policy).isprintable()


@pytest.mark.parametrize("source", ["a b", "x;y", "a,b", "'self", "a'b", "", "a\nb", "é.example", '"x"'])
def test_sources_that_break_out_are_refused(source: str) -> None:
    """A source with a separator in it is refused where it is written."""
    with pytest.raises(ConfigurationError, match="DJN-746"):
        ContentSecurityPolicy(script_src=[source])


def test_unknown_directives_are_refused() -> None:
    """A misspelt directive is refused, with the one that was meant."""
    with pytest.raises(ConfigurationError, match="script_src"):
        ContentSecurityPolicy(scirpt_src="self")  # type: ignore[call-arg]


def test_allowing_more_loses_nothing() -> None:
    """A directive that is added begins with what it fell back to; `'none'` gives way."""
    policy = DEFAULT_POLICY.allow(
        connect_src="wss://live.example", object_src="self", script_src_elem="https://a.example"
    )
    assert policy.sources("connect-src") == ("'self'", "wss://live.example")
    assert policy.sources("object-src") == ("'self'",)
    assert policy.sources("script-src-elem") == ("'self'", "'nonce'", "https://a.example")
    assert policy.sources("script-src") == DEFAULT_POLICY.sources("script-src")
    assert ContentSecurityPolicy().allow(img_src="data:").sources("img-src") == ("data:",)
    assert ContentSecurityPolicy(default_src="self").allow(form_action="https://a.example").sources("form-action") == (
        "https://a.example",
    )


def test_nonces_in_policies() -> None:
    """The nonce is written where it is let in, left out otherwise; a directive of nothing else becomes `'none'`."""
    policy = ContentSecurityPolicy(script_src="nonce", style_src=["self", "nonce"])
    assert str(policy) == "script-src 'none'; style-src 'self'"
    assert policy.with_nonce("abc") == "script-src 'nonce-abc'; style-src 'self' 'nonce-abc'"
    assert policy.takes_nonce
    assert not ContentSecurityPolicy(script_src="self").takes_nonce


# ── nonces ──


def test_a_nonce_for_each_response() -> None:
    """One response has one nonce, two have two; both policies carry it."""
    report = ContentSecurityPolicy(script_src="nonce")
    headers = SecurityHeaders(report_only=report)
    request = build(security_headers=headers)
    nonce = csp_nonce(request)
    assert csp_nonce(request) == nonce
    assert len(nonce) >= 22
    response = finish(request)
    assert f"script-src 'self' 'nonce-{nonce}'" in response.headers["content-security-policy"]
    assert response.headers["content-security-policy-report-only"] == f"script-src 'nonce-{nonce}'"
    assert csp_nonce(build(security_headers=headers)) != nonce


def test_nonces_where_no_policy_takes_them() -> None:
    """Without a policy, or with one that lets no nonce in, nothing is written; templates need no condition."""
    for headers in (
        None,
        SecurityHeaders(content_security_policy=None),
        SecurityHeaders(content_security_policy=ContentSecurityPolicy(default_src="self")),
    ):
        request = build(security_headers=headers)
        assert csp_nonce(request)
        assert "content-security-policy" not in finish(request).headers


def test_a_nonce_that_comes_too_late() -> None:
    """After the head was sent a nonce can no longer be announced, and that is said."""
    request = build(security_headers=SecurityHeaders())
    exchange_of(request)
    finish(request)
    with pytest.raises(TooLate, match="DJN-742"):
        csp_nonce(request)


def test_a_route_inside_a_class_changes_once_more() -> None:
    """Marks add up: a class leaves one header out, its method another."""

    @security_headers(referrer_policy=None)
    class Page:
        @security_headers(resource_policy="same-site")
        def get(self) -> None: ...

    app_wide = SecurityHeaders()
    request = build(security_headers=app_wide)
    for guard in marks_of(Page, Page.get).guards:
        guard(request)
    response = finish(request, Response("x"))
    lines = response.header_lines(defaults=app_wide.lines(production=False))
    final = {name.decode(): value.decode() for name, value in lines}
    assert "referrer-policy" not in final
    assert final["cross-origin-resource-policy"] == "same-site"
    assert final["x-frame-options"] == "DENY"


# ── reports ──

OLD = {
    "csp-report": {
        "document-uri": "https://example.org/posts",
        "violated-directive": "script-src-elem 'self'",
        "effective-directive": "script-src-elem",
        "blocked-uri": "https://cdn.example/lib.js",
        "source-file": "https://example.org/posts",
        "line-number": 12,
        "column-number": 7,
        "disposition": "enforce",
    }
}
NEW = [
    {
        "type": "csp-violation",
        "body": {
            "documentURL": "https://example.org/",
            "effectiveDirective": "style-src-attr",
            "blockedURL": "inline",
            "sample": "color: red",
            "disposition": "report",
        },
    },
    {"type": "deprecation", "body": {}},
    "nonsense",
]


def violation(directive: str = "script-src-elem", blocked: str = "https://cdn.example/x.js") -> Violation:
    return Violation("https://example.org/", directive, blocked, "", "", "enforce")


def test_both_forms_are_read() -> None:
    """Reports of `report-uri` and of the Reporting API say the same."""
    (old,) = read_reports(json.dumps(OLD).encode())
    assert str(old) == (
        "https://cdn.example/lib.js was stopped by script-src-elem on https://example.org/posts "
        "(https://example.org/posts:12:7)"
    )
    (new,) = read_reports(json.dumps(NEW).encode())
    assert str(new) == "inline 'color: red' would be stopped by style-src-attr on https://example.org/"


@pytest.mark.parametrize(
    ("directive", "blocked", "advice"),
    [
        ("script-src-elem", "https://cdn.example/x.js", 'allow(script_src="https://cdn.example")'),
        ("img-src", "data", 'allow(img_src="data:")'),
        ("font-src", "data:font/woff2", 'allow(font_src="data:")'),
        ("connect-src", "wss://live.example/socket", 'allow(connect_src="wss://live.example")'),
        ("script-src-elem", "inline", '<script nonce="{{ csp_nonce() }}">'),
        ("style-src-elem", "inline", '<style nonce="{{ csp_nonce() }}">'),
        ("script-src-attr", "inline", "addEventListener"),
        ("style-src-attr", "inline", "a class"),
        ("script-src", "eval", 'allow(script_src="unsafe-eval")'),
        ("script-src", "wasm-eval", 'allow(script_src="wasm-unsafe-eval")'),
        ("frame-src", "https://video.example:8443/embed", 'allow(frame_src="https://video.example:8443")'),
    ],
)
def test_advice(directive: str, blocked: str, advice: str) -> None:
    """Each kind of violation is told with the line that allows it, or the way to do without."""
    assert advice in violation(directive, blocked).advice()


def test_advice_is_a_line_that_works() -> None:
    """The line that is told is valid and allows what was stopped."""
    line = violation().advice().partition("headers=")[2].removesuffix("))")
    headers = eval(line, {"SecurityHeaders": SecurityHeaders})
    assert "https://cdn.example" in headers.content_security_policy.sources("script-src")


async def report(reports: ViolationReports, body: bytes, **headers: str) -> Response:
    return await reports(build("POST", headers=headers, body=body))


async def test_reports_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """In development each violation is told once with its advice; in production without, and no more than so many."""
    body = json.dumps(OLD).encode()
    with caplog.at_level(logging.WARNING):
        reports = ViolationReports(development=True)
        for _ in range(3):
            assert (await report(reports, body)).status == 204
        assert len(caplog.records) == 1
        assert "App(security=Security(headers=SecurityHeaders().allow(" in caplog.text
        caplog.clear()
        production = ViolationReports(per_minute=5)
        for _ in range(20):
            await report(production, body)
        assert len(caplog.records) == 5
        assert "allow(" not in caplog.text


async def test_reports_to_a_function() -> None:
    """An app may take violations itself."""
    taken: list[Violation] = []
    await report(ViolationReports(on_violation=taken.append), json.dumps(NEW).encode())
    assert [one.directive for one in taken] == ["style-src-attr"]


@pytest.mark.parametrize("body", [b"", b"x", b"{}", b"1", b'{"csp-report": 1}', b"\xff", b'"x"', b"[" * 5000])
async def test_nonsense_is_refused(body: bytes) -> None:
    """What is no report is answered with 400, never with an error of ours."""
    with pytest.raises(BadRequest):
        await report(ViolationReports(), body)


async def test_large_reports_are_refused() -> None:
    """A report is read up to 64 KiB, announced or not."""
    with pytest.raises(ContentTooLarge):
        await report(ViolationReports(), b"", **{"Content-Length": "70000"})
    with pytest.raises(ContentTooLarge):
        await report(ViolationReports(), b"x" * 70_000)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@given(st.dictionaries(st.sampled_from([*OLD["csp-report"], "x"]), json_values))
def test_a_forged_report_does_no_harm(fields: dict[str, Any]) -> None:
    """Anyone may send a report: whatever is in it, it is told on one line, short, and without control characters."""
    for body in ({"csp-report": fields}, [{"type": "csp-violation", "body": fields}]):
        try:
            raw = json.dumps(body).encode()
        except UnicodeEncodeError:
            return
        try:
            violations = read_reports(raw)
        except BadRequest:  # a lone surrogate is no Unicode
            return
        for one in violations:
            assert "\n" not in str(one)
            assert "\x1b" not in str(one)
            assert len(str(one)) < 3000
            assert "\n" not in one.advice()
