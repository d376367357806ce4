"""What a deployment may lack: each of Django's deploy checks has its equal here, or cannot happen.

What fails closed by itself (no host) is a warning, so that `serve` starts; what would be unsafe, or fail at the first
visitor, is an error.
"""

import os
from collections.abc import Iterator
from typing import Any, Final, Literal

from demijohn.app.checks import CheckMessage
from demijohn.middleware import RateLimit, RateLimitGuard, SecurityHeaders, marks_of

__all__ = ["deploy_checks"]

_HOUR: Final = 3600
_SHORTEST_KEY: Final = 32


def deploy_checks(app: Any) -> Iterator[CheckMessage]:
    """Yield what a deployment of an app lacks (Any: the app)."""
    yield from _basics(app)
    yield from _keys(app)
    yield from _transport(app)
    yield from _headers(app.security.headers)
    yield from _neighbours(app)


def _warning(name: str, text: str, hint: str) -> CheckMessage:
    return CheckMessage(level="warning", id=f"security.{name}", text=text, hint=hint)


def _basics(app: Any) -> Iterator[CheckMessage]:
    settings, security = app.settings, app.security
    if app.debug:
        yield CheckMessage(
            level="error", id="security.debug", text="The app runs with debug=True.", hint="Unset DEBUG in production."
        )
    hosts = (*settings.allowed_hosts, *security.allowed_hosts)
    if not hosts:
        hint = "Set ALLOWED_HOSTS=example.org  See: demijohn explain DJN-741"
        yield _warning("allowed_hosts", "No host is allowed but this machine.", hint)
    elif "*" in hosts:
        yield _warning("any_host", "Every host is allowed.", "Name the hosts, unless a proxy in front checks them.")
    if not security.csrf:
        hint = "Remove csrf=False, and mark single handlers @csrf_exempt."
        yield _warning("csrf", "Forms and changes are accepted from other sites.", hint)


def _keys(app: Any) -> Iterator[CheckMessage]:
    settings = app.settings
    # Without sessions an app may do without; with them it would start, and fail at the first visitor's.
    level: Literal["error", "warning"] = "error" if "sessions" in app.batteries else "warning"
    hint = "Make one, and set it:  python -c 'import secrets; print(secrets.token_urlsafe(48))'  (DJN-740)"
    if not settings.secret_key:
        text = "SECRET_KEY is not set." if level == "warning" else "SECRET_KEY is not set, and sessions need it."
        yield CheckMessage(level=level, id="security.secret_key", text=text, hint=hint)
    elif len(settings.secret_key.reveal()) < _SHORTEST_KEY:
        yield CheckMessage(level=level, id="security.weak_key", text="SECRET_KEY is short.", hint=hint)
    for number, key in enumerate(settings.secret_key_fallbacks, 1):
        if len(key.reveal()) < _SHORTEST_KEY:
            hint = "What it signed is still believed: drop it, or wait until nothing it signed is in use."
            yield _warning("weak_fallback", f"Key {number} of SECRET_KEY_FALLBACKS is short.", hint)


def _transport(app: Any) -> Iterator[CheckMessage]:
    security = app.security
    if security.https is False:
        hint = "Remove https=False, unless a proxy in front redirects and sends HSTS."
        yield _warning("https", "The site does not insist on https.", hint)
        return
    strict = security.headers.strict_transport
    if strict is None:
        hint = "Leave strict_transport at its default, unless a proxy in front sends it."
        yield _warning("hsts", "Browsers are not told to come back by https alone.", hint)
    elif strict.seconds < _HOUR:
        hint = "Raise StrictTransport(max_age=...) once https works everywhere; a year is usual."
        yield _warning("short_hsts", f"Browsers remember https for {strict.seconds} seconds.", hint)


def _headers(headers: SecurityHeaders) -> Iterator[CheckMessage]:
    policy = headers.content_security_policy
    if policy is None:
        hint = "Leave content_security_policy at its default, and allow what is missing: SecurityHeaders().allow(...)"
        yield _warning("csp", "There is no content security policy.", hint)
    else:
        scripts = policy.sources("script-src") or policy.sources("default-src") or ()
        if "'unsafe-inline'" in scripts and not any(source == "'nonce'" for source in scripts):
            hint = 'Give your inline scripts the nonce: <script nonce="{{ csp_nonce() }}">'
            yield _warning("inline_scripts", "Inline scripts run, so that injected ones do too.", hint)
        if policy.sources("frame-ancestors") is None:
            hint = 'Say who may: SecurityHeaders().allow(frame_ancestors="none")'
            yield _warning("frames", "Any site may show this one in a frame (clickjacking).", hint)
    if headers.referrer_policy in (None, "unsafe-url"):
        hint = 'Write  referrer_policy="same-origin"'
        yield _warning("referrer", "Other sites learn the whole addresses of pages.", hint)
    if headers.opener_policy in (None, "unsafe-none"):
        hint = 'Write  opener_policy="same-origin"'
        yield _warning("opener", "Windows of other sites keep a handle of this one.", hint)


def _neighbours(app: Any) -> Iterator[CheckMessage]:
    if any(each in ("*", "0.0.0.0/0", "::/0") for each in app.settings.trusted_proxies):
        hint = "Name the addresses of your proxies: TRUSTED_PROXIES=10.0.0.5"
        yield CheckMessage(
            level="error",
            id="security.any_proxy",
            text="Every client is believed to be a proxy, so each chooses its own address and scheme.",
            hint=hint,
        )
    workers = os.environ.get("WEB_CONCURRENCY", "1")
    if workers.isdigit() and int(workers) > 1 and app.rate_limits is None and _limits(app):
        hint = "Give the app a store that they share: app.rate_limits = ..."
        yield _warning("rate_limits", f"Each of {workers} workers counts requests for itself.", hint)


def _limits(app: Any) -> bool:
    """Return whether the app, or one of its routes, limits how often a client may ask."""
    if any(isinstance(each, RateLimit) for scaffold in app.scaffolds() for each in scaffold.around):
        return True
    guards = [*app.guards, *(guard for route in app.router.routes for guard in marks_of(route.endpoint).guards)]
    return any(isinstance(guard, RateLimitGuard) for guard in guards)
