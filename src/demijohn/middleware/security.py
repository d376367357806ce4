"""The security headers of every response: one frozen value, turned into lines once."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Literal, TypedDict, TypeVar, Unpack

from msgspec import Struct
from msgspec.structs import replace

from demijohn._lib.later import secrets
from demijohn._lib.text import did_you_mean
from demijohn.errors import ConfigurationError
from demijohn.http import Request, Response
from demijohn.middleware.exchange import before_sending, exchange_of
from demijohn.middleware.marks import mark
from demijohn.middleware.policy import DEFAULT_POLICY, ContentSecurityPolicy, Directives

__all__ = [
    "CLOSED_FEATURES",
    "SecurityHeaderChanges",
    "SecurityHeaders",
    "StrictTransport",
    "csp_nonce",
    "security_headers",
]

F = TypeVar("F", bound=Callable[..., Any])
Lines = list[tuple[bytes, bytes]]

ReferrerPolicy = Literal[
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
]
OpenerPolicy = Literal["same-origin", "same-origin-allow-popups", "noopener-allow-popups", "unsafe-none"]
ResourcePolicy = Literal["same-origin", "same-site", "cross-origin"]
EmbedderPolicy = Literal["require-corp", "credentialless", "unsafe-none"]

CLOSED_FEATURES: Final[Mapping[str, Iterable[str]]] = MappingProxyType(
    dict.fromkeys(
        (
            "accelerometer",
            "camera",
            "display-capture",
            "geolocation",
            "gyroscope",
            "hid",
            "idle-detection",
            "local-fonts",
            "magnetometer",
            "microphone",
            "midi",
            "payment",
            "serial",
            "usb",
            "xr-spatial-tracking",
        ),
        (),
    )
)
"""What a page may ask the device for, all closed; open one with `CLOSED_FEATURES | {"geolocation": ["self"]}`."""


class StrictTransport(Struct, frozen=True, kw_only=True):
    """`Strict-Transport-Security` (RFC 6797): the browser comes back by https alone.

    Attributes:
        max_age: For how long, in seconds or as a timedelta; a year.
        include_subdomains: For every subdomain too.
        preload: Allow browsers to ship the domain in their list; needs a year and the subdomains.
    """

    max_age: int | timedelta = 31_536_000
    include_subdomains: bool = False
    preload: bool = False

    def __post_init__(self) -> None:
        if self.preload and (self.seconds < 31_536_000 or not self.include_subdomains):
            raise ConfigurationError(
                f"{self!r} asks for preloading.",
                why="The preload list takes a site for at least a year and with all its subdomains.",
                fix="Write:  StrictTransport(max_age=63_072_000, include_subdomains=True, preload=True)",
                code="DJN-746",
            )

    @property
    def seconds(self) -> int:
        """The time in seconds."""
        return int(self.max_age.total_seconds()) if isinstance(self.max_age, timedelta) else self.max_age

    def __str__(self) -> str:
        text = f"max-age={self.seconds}"
        if self.include_subdomains:
            text += "; includeSubDomains"
        return text + "; preload" if self.preload else text


class SecurityHeaderChanges(TypedDict, total=False):
    """What a route may say differently from its app; `None` leaves the header out."""

    content_security_policy: ContentSecurityPolicy | None
    report_only: ContentSecurityPolicy | None
    referrer_policy: ReferrerPolicy | None
    permissions_policy: Mapping[str, Iterable[str]] | None
    opener_policy: OpenerPolicy | None
    resource_policy: ResourcePolicy | None
    embedder_policy: EmbedderPolicy | None


class SecurityHeaders(Struct, frozen=True, kw_only=True):
    """The headers that every response has unless it sets them itself.

    `None` leaves one out. `X-Content-Type-Options: nosniff` is always sent; `X-Frame-Options` follows the policy's
    `frame-ancestors`; `Strict-Transport-Security` is sent in production alone.

    Attributes:
        content_security_policy: Enforced.
        report_only: A stricter policy that is only reported.
        referrer_policy: What other pages learn of the address.
        permissions_policy: Feature to allowed origins: `()` for none, `["self"]`, `["*"]`, `["https://a.example"]`.
        opener_policy: Whether windows opened by or opening ours share its group (COOP).
        resource_policy: Who may embed what we answer without CORS (CORP).
        embedder_policy: What our pages may embed (COEP); off, since it breaks pages with foreign images.
        strict_transport: HSTS.

    Raises:
        ConfigurationError: A value is none that browsers know (`DJN-746`).

    Example:
        >>> headers = SecurityHeaders().allow(script_src="https://cdn.example.org")
        >>> headers.content_security_policy.sources("script-src")
        ("'self'", "'nonce'", 'https://cdn.example.org')
    """

    content_security_policy: ContentSecurityPolicy | None = DEFAULT_POLICY
    report_only: ContentSecurityPolicy | None = None
    referrer_policy: ReferrerPolicy | None = "same-origin"
    permissions_policy: Mapping[str, Iterable[str]] | None = None
    opener_policy: OpenerPolicy | None = "same-origin"
    resource_policy: ResourcePolicy | None = "same-origin"
    embedder_policy: EmbedderPolicy | None = None
    strict_transport: StrictTransport | None = StrictTransport()

    def __post_init__(self) -> None:
        for field, words in _WORDS.items():
            value = getattr(self, field)
            if value is not None and value not in words:
                raise ConfigurationError(
                    f"SecurityHeaders({field}={value!r}) is none of the values that browsers know."
                    f"{did_you_mean(str(value), words)}",
                    why="They would ignore the header.",
                    fix=f"Write one of: {', '.join(words)}; or None to leave it out.",
                    code="DJN-746",
                )
        _written_features(self.permissions_policy or {})

    def allow(self, **directives: Unpack[Directives]) -> "SecurityHeaders":
        """Return headers whose content security policy allows these sources too."""
        policy = (self.content_security_policy or ContentSecurityPolicy()).allow(**directives)
        return replace(self, content_security_policy=policy)

    def reporting_to(self, path: str) -> "SecurityHeaders":
        """Return headers whose policies have violations reported to a path.

        A policy that says already where to report to stays as it is.
        """

        def reporting(policy: ContentSecurityPolicy | None) -> ContentSecurityPolicy | None:
            if policy is None or policy.sources("report-uri") or policy.sources("report-to"):
                return policy
            return policy.replace(report_uri=path)

        return replace(
            self,
            content_security_policy=reporting(self.content_security_policy),
            report_only=reporting(self.report_only),
        )

    def lines(self, *, production: bool) -> Lines:
        """Return the lines of the headers, for the default list of the app."""
        csp = self.content_security_policy
        features = CLOSED_FEATURES if self.permissions_policy is None else self.permissions_policy
        headers: list[tuple[str, str | None]] = [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", self._frame_options()),
            ("content-security-policy", str(csp) if csp is not None else None),
            ("content-security-policy-report-only", str(self.report_only) if self.report_only is not None else None),
            ("referrer-policy", self.referrer_policy),
            ("cross-origin-opener-policy", self.opener_policy),
            ("cross-origin-resource-policy", self.resource_policy),
            ("cross-origin-embedder-policy", self.embedder_policy),
            ("permissions-policy", _written_features(features)),
        ]
        if production and self.strict_transport is not None:
            headers.append(("strict-transport-security", str(self.strict_transport)))
        return [(name.encode(), value.encode("ascii")) for name, value in headers if value]

    def _frame_options(self) -> str | None:
        csp = self.content_security_policy
        ancestors = None if csp is None else csp.sources("frame-ancestors")
        if ancestors is None or ancestors == ("'none'",):
            return "DENY"
        # The old header knows no list of hosts; browsers that know the new one ignore it.
        return "SAMEORIGIN" if ancestors == ("'self'",) else None


_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "referrer_policy": ReferrerPolicy.__args__,  # type: ignore[attr-defined]
    "opener_policy": OpenerPolicy.__args__,  # type: ignore[attr-defined]
    "resource_policy": ResourcePolicy.__args__,  # type: ignore[attr-defined]
    "embedder_policy": EmbedderPolicy.__args__,  # type: ignore[attr-defined]
}


def _written_features(features: Mapping[str, Iterable[str]]) -> str:
    """Write a Permissions-Policy (a structured-field dictionary of inner lists)."""
    written = []
    for feature, origins in features.items():
        allowed = [origins] if isinstance(origins, str) else list(origins)
        if "*" in allowed:
            written.append(f"{feature}=*")
            continue
        words = [origin if origin in ("self", "src") else f'"{origin}"' for origin in allowed]
        text = f"{feature}=({' '.join(words)})"
        plain = feature.replace("-", "").isalnum() and text.isascii() and text.isprintable()
        if not plain or any(letter in origin for origin in allowed for letter in '"\\ ,;'):
            raise ConfigurationError(
                f"The permissions policy has {feature!r}: {allowed!r}, which cannot be written.",
                why="A feature is a word with hyphens; an origin is written as browsers send it.",
                fix='Write:  permissions_policy={"geolocation": ["self", "https://maps.example.org"]}',
                code="DJN-746",
            )
        written.append(text)
    return ", ".join(written)


DEFAULT_HEADERS: Final = SecurityHeaders()


def csp_nonce(request: Request) -> str:
    """Return the nonce of this response, for inline scripts and styles.

    It is made when it is first asked for, is the same for the whole response, and only then written into its
    `Content-Security-Policy`; a response that uses none carries none. Templates write it with `{{ csp_nonce() }}`.

    Raises:
        TooLate: The response was sent already (`DJN-742`).
    """
    exchange = exchange_of(request)
    nonce = exchange.nonce
    if nonce is None:
        made = secrets.token_urlsafe(16)
        before_sending(request, lambda response: _set_nonce(request, response, made))
        nonce = exchange.nonce = made
    return nonce


def _set_nonce(request: Request, response: Response, nonce: str) -> None:
    policies: SecurityHeaders | None = exchange_of(request).security or getattr(request.app, "security_headers", None)
    if policies is None:
        return
    headers = response.headers
    for name, policy in (
        ("content-security-policy", policies.content_security_policy),
        ("content-security-policy-report-only", policies.report_only),
    ):
        # A policy that the handler wrote itself stays.
        if policy is not None and policy.takes_nonce and headers.get(name) in (None, str(policy)):
            headers[name] = policy.with_nonce(nonce)


class SecurityHeadersGuard:
    """Gives the responses of a route other security headers than those of the app; made by `security_headers`."""

    __slots__ = ("_base", "_changes", "_lines", "_merged")

    name = "security_headers"

    def __init__(self, changes: SecurityHeaderChanges) -> None:
        self._changes = changes
        self._base: SecurityHeaders | None = None
        self._merged = replace(SecurityHeaders(), **changes)
        self._lines: Lines = []

    def applies(self, methods: frozenset[str]) -> bool:
        """Every route that asks for it."""
        return True

    def __call__(self, request: Request) -> None:
        """Note for the end of the request what is different."""
        exchange = exchange_of(request)
        base: SecurityHeaders | None = exchange.security or getattr(request.app, "security_headers", None)
        if base is not self._base:
            self._merge(base)
        exchange.security = self._merged
        exchange.finishers.append(self._finish)

    def _merge(self, base: SecurityHeaders | None) -> None:
        self._merged = replace(base or SecurityHeaders(), **self._changes)
        before = {} if base is None else dict(base.lines(production=False))
        after = dict(self._merged.lines(production=False))
        self._lines = [(name, after.get(name, b"")) for name in after | before if after.get(name) != before.get(name)]
        self._base = base

    def _finish(self, response: Response) -> None:
        headers = response.headers
        for name, value in self._lines:
            text = name.decode("ascii")
            if text not in headers:
                headers[text] = value.decode("ascii")


def security_headers(**changes: Unpack[SecurityHeaderChanges]) -> Callable[[F], F]:
    """Give one handler other security headers than the app.

    `None` leaves a header out.

    Raises:
        ConfigurationError: A value is none that browsers know (`DJN-746`).

    Example:
        ```python notest
        @app.get("/widget")
        @security_headers(content_security_policy=DEFAULT_POLICY.replace(frame_ancestors="https://partner.example"))
        def widget(): ...
        ```
    """
    guard = SecurityHeadersGuard(changes)

    def decorate(function: F) -> F:
        mark(function).guards.append(guard)
        return function

    return decorate
