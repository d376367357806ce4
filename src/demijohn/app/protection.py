"""The safe defaults of an app: guards, security headers, keys and proxies, on unless `Security` says otherwise."""

from typing import Any

from demijohn._lib.keys import KeyRing
from demijohn.app.context import current
from demijohn.app.scaffold import Hook
from demijohn.http import DEFAULT_LIMITS, Markup, Request, Response
from demijohn.middleware import (
    BodyLimitGuard,
    CSRFGuard,
    Guard,
    HostGuard,
    HTTPSRedirect,
    SecurityHeaders,
    TrustedProxies,
    ViolationReports,
    csp_nonce,
    csrf_exempt,
    csrf_token,
    get_keys,
)
from demijohn.middleware.violations import REPORT_PATH

__all__ = ["Protection", "keys_of"]

Lines = list[tuple[bytes, bytes]]


class Protection:
    """What `Security` and the settings come to for one app.

    Made when the app is built, or when a battery first asks for a part: `app.csrf`, `app.security_headers`,
    `app.proxies`.
    """

    __slots__ = ("csrf", "guards", "headers", "hosts", "lines", "mounted_lines", "proxies", "redirect")

    def __init__(self, app: Any) -> None:
        settings, security = app.settings, app.security
        development: bool = app.debug
        self.hosts = hosts = (*settings.allowed_hosts, *security.allowed_hosts)
        https = bool(hosts) and not development if security.https is None else security.https
        self.headers: SecurityHeaders = security.headers
        if development:
            self.headers = self.headers.reporting_to(REPORT_PATH)
        self.lines: Lines = self.headers.lines(production=https)
        # A mounted app answers for itself; that the site is reached by https alone holds for all of it.
        self.mounted_lines: Lines = [(name, b"") for name, _ in self.lines if name != b"strict-transport-security"]
        self.proxies: TrustedProxies | None = security.trusted_proxies
        if self.proxies is None and settings.trusted_proxies:
            self.proxies = TrustedProxies(settings.trusted_proxies)
        self.csrf: CSRFGuard | None = None
        if security.csrf:
            self.csrf = CSRFGuard(
                lambda: app.keys,
                trusted_origins=(*settings.trusted_origins, *security.trusted_origins),
                development=development,
            )
        self.redirect = HTTPSRedirect() if https else None
        self.guards: list[Guard] = [
            HostGuard(hosts, development=development),
            BodyLimitGuard(security.limits, default=security.limits is DEFAULT_LIMITS),
        ]
        if self.csrf is not None:
            self.guards.append(self.csrf)

    def install(self, app: Any) -> None:
        """Put the parts into the registries of the app, before what the app and its batteries added themselves."""
        app.guards[:0] = self.guards
        named = {name for name, _ in app.default_headers}
        app.default_headers[:0] = [line for line in self.lines if line[0] not in named]
        if self.redirect is not None:
            app.before.insert(0, Hook(self.redirect.redirect, inline=True))
        names = app.templates.globals
        names.setdefault("csrf", _csrf_field)
        names.setdefault("csrf_token", lambda: csrf_token(current.request))
        names.setdefault("csp_nonce", lambda: csp_nonce(current.request))
        if app.debug:
            _take_reports(app)

    def bare(self, request: Request, response: Response) -> None:
        """Leave the default headers out of the response of a mounted app, but for those it sets itself."""
        own = response._headers
        if own is None:
            response._headers = list(self.mounted_lines)
        else:
            names = {name for name, _ in own}
            own.extend([line for line in self.mounted_lines if line[0] not in names])


def keys_of(app: Any) -> KeyRing:
    """Return the keys of an app, from its settings or, outside of production, the file of development."""
    settings = app.settings
    secrets = [secret.reveal() for secret in (settings.secret_key, *settings.secret_key_fallbacks) if secret]
    directory = None if settings.env == "test" else app.root_path
    return get_keys(secrets, production=settings.env == "production", directory=directory)


def _csrf_field() -> Markup:
    token = csrf_token(current.request)
    if not token:
        return Markup()
    return Markup(f'<input type="hidden" name="{current.app.csrf.form_field}" value="{token}">')


def _take_reports(app: Any) -> None:
    reports = ViolationReports(development=True)

    @csrf_exempt
    async def csp_report(request: Request) -> Response:
        return await reports(request)

    app.add_route(REPORT_PATH, csp_report, methods=["POST"], name="demijohn.csp_report")
