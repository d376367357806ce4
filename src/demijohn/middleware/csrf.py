"""Cross-site request forgery: refused by Fetch Metadata and `Origin`, by a token where a browser sends neither.

The rule is that of `CrossOriginProtection` in Go 1.25, and of the cheat sheet of OWASP ("Fetch Metadata headers"),
with a signed token behind it for old browsers and for plain http. `docs/explanation/security.md` has it as a table.
"""

import binascii
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from demijohn._lib.keys import KeyRing
from demijohn._lib.later import hmac
from demijohn._lib.translation import gettext
from demijohn.errors import Forbidden
from demijohn.http import Request, Response
from demijohn.middleware.exchange import before_sending, exchange_of, fields_of, keep_private
from demijohn.middleware.marks import mark
from demijohn.middleware.origins import Origin, OriginSet, is_trustworthy, own_origin, parse_origin

__all__ = ["CSRFGuard", "csrf_exempt", "csrf_token", "rotate_csrf_token"]

F = TypeVar("F", bound=Callable[..., Any])

_PURPOSE = "csrf"
_SIZE = 16
_YEAR = 365 * 24 * 60 * 60
_SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "QUERY"))
_FORMS = frozenset(("application/x-www-form-urlencoded", "multipart/form-data"))
_VARY = [("vary", "Sec-Fetch-Site, Origin, Cookie")]


class CSRFGuard:
    """Answers 403 to changes that another site made a browser ask for.

    Compiled into routes with an unsafe method only; the usual request of a browser costs one pass over its headers.

    Args:
        keys: Returns the keys of the app; asked for when the first token is made or read.
        trusted_origins: Other origins that may send such requests: `"https://app.example.org"`, or all below a domain:
            `"https://*.example.org"`.
        bind: Returns what a token is bound to besides its cookie (the session's identity), so that it is worth nothing
            in another session. It may read the request, not change it.
        form_field: The field of a form that carries the token.
        header: The header that carries the token.
        sockets_without_origin: Let WebSocket clients connect that send no `Origin` and no cookie (no browser does).
        development: Say in the answer what to write to allow the request.

    Raises:
        ConfigurationError: A trusted origin is none (`DJN-743`).
    """

    __slots__ = (
        "_development",
        "_header",
        "_keys",
        "_sockets_without_origin",
        "_trusted",
        "bind",
        "form_field",
        "header",
    )

    name = "csrf"

    def __init__(
        self,
        keys: Callable[[], KeyRing],
        *,
        trusted_origins: Iterable[str] = (),
        bind: Callable[[Request], str] | None = None,
        form_field: str = "csrf_token",
        header: str = "X-CSRF-Token",
        sockets_without_origin: bool = False,
        development: bool = False,
    ) -> None:
        self._keys = keys
        self._trusted = OriginSet(trusted_origins)
        self.bind = bind
        self.form_field = form_field
        self.header = header
        self._header = header.lower().encode("ascii")
        self._sockets_without_origin = sockets_without_origin
        self._development = development

    def __call__(self, request: Request) -> Awaitable[None] | None:
        """Let the request pass, or refuse it; an awaitable where a token has to be read.

        Raises:
            Forbidden: Another site may have sent it; `code` in the problem says why: `csrf_cross_site`, `csrf_origin`,
                `csrf_token_missing` or `csrf_token_invalid`.
        """
        return self.check(request, fields_of(request))

    def check(self, request: Request, fields: Mapping[bytes, bytes]) -> Awaitable[None] | None:
        """Do the same with the header fields by name, as the runner of a route has them."""
        # What was sent twice is joined, and thus no word and no origin that we know.
        site = fields.get(b"sec-fetch-site")
        if site is None:
            # No browser of today, and nothing that a browser would give to another site's request.
            if b"cookie" not in fields and b"origin" not in fields:
                return None
        elif site == b"same-origin" or site == b"none":  # noqa: PLR1714, RUF100 - a tuple would be built or searched
            return None
        if request.method in _SAFE:
            return None
        origin = fields.get(b"origin")
        if site == b"cross-site" or site == b"same-site":  # noqa: PLR1714, RUF100
            self._refuse_other_site(request, origin, site)
            return None
        cookies = b"cookie" in fields
        if origin is None:
            return self._check_token(request) if cookies else None
        return self._check_origin(request, origin, cookies)

    def applies(self, methods: frozenset[str]) -> bool:
        """Routes that only read need no guard."""
        return not methods <= _SAFE

    def check_socket(self, connection: Any) -> None:
        """Let a WebSocket handshake of our own or a trusted origin pass, or refuse it.

        Takes a `WebSocket` or a `Request` (Any: both have the head of a message).

        Raises:
            Forbidden: The origin is another, missing or malformed (`csrf_origin`).
        """
        fields = fields_of(connection)
        origin = fields.get(b"origin")
        if origin is None and self._sockets_without_origin and b"cookie" not in fields:
            return
        parsed = None if origin is None else parse_origin(origin)
        if parsed is None or not (parsed == _own(connection) or self._trusts(connection, parsed)):
            raise self._refused("csrf_origin", gettext("This socket is not open to other sites."), parsed)

    def token(self, request: Request) -> str:
        """Return the token for forms and scripts of this response; see `csrf_token`."""
        exchange = exchange_of(request)
        if exchange.csrf_token is None:
            secret = exchange.csrf_secret or self._secret(request)
            if secret is None:
                secret = self._issue(request)
            exchange.csrf_secret = secret
            keep_private(request)
            exchange.csrf_token = _masked(secret)
        return exchange.csrf_token

    def rotate(self, request: Request) -> None:
        """Give the browser a new secret; see `rotate_csrf_token`."""
        exchange = exchange_of(request)
        exchange.csrf_token = None
        exchange.csrf_secret = self._issue(request)

    def _refuse_other_site(self, request: Request, origin: bytes | None, site: bytes) -> None:
        parsed = None if origin is None else parse_origin(origin)
        if not self._trusts(request, parsed):
            raise self._refused(
                "csrf_cross_site",
                gettext("The request was sent by another site (%(site)s).", site=site.decode()),
                parsed,
            )

    def _check_origin(self, request: Request, origin: bytes, cookies: bool) -> Awaitable[None] | None:
        parsed = parse_origin(origin)
        if self._trusts(request, parsed):
            return None
        if parsed is None or parsed != _own(request):
            raise self._refused("csrf_origin", gettext("The request was sent by another origin."), parsed)
        if cookies and not is_trustworthy(parsed):
            # Without TLS whoever sits on the line writes any header; only a token shows that the page was ours.
            return self._check_token(request)
        return None

    def _trusts(self, request: Any, origin: Origin | None) -> bool:
        if origin is None:
            return False
        exchange = request._exchange
        return origin in self._trusted or (exchange is not None and exchange.cross_origin)

    async def _check_token(self, request: Request) -> None:
        secret = self._secret(request)
        token: Any = request.headers.get(self.header)
        media = request.content_type
        if token is None and secret is not None and media is not None and media.essence in _FORMS:
            token = (await request.form()).get(self.form_field)
        if secret is None or not token:
            raise self._refused(
                "csrf_token_missing", gettext("The request carries no token that shows where it comes from.")
            )
        if not isinstance(token, str) or not _unmasks(token, secret):
            raise self._refused(
                "csrf_token_invalid", gettext("The token of the form is not valid (any more). Load the page again.")
            )
        exchange_of(request).csrf_secret = secret

    def _secret(self, request: Request) -> bytes | None:
        """Return the secret in the cookie, or `None` where it was not made here for this session."""
        value = request.cookies.get(_cookie_name(request))
        if value is None:
            return None
        raw = _decode(value, _SIZE + 32)
        if raw is None:
            return None
        secret, signature = raw[:_SIZE], raw[_SIZE:]
        return secret if self._keys().verify(_PURPOSE, self._message(request, secret), signature) else None

    def _message(self, request: Request, secret: bytes) -> bytes:
        bound = "" if self.bind is None else self.bind(request)
        return secret + bound.encode()

    def _issue(self, request: Request) -> bytes:
        # Asked for now, so that a missing secret is an error of the handler and not of its response.
        keys = self._keys()
        secret = os.urandom(_SIZE)
        name, secure = _cookie_name(request), request.is_secure

        def send(response: Response) -> None:
            # A later rotation in the same request has the last word; the session is known only now.
            if exchange_of(request).csrf_secret == secret:
                value = _encode(secret + keys.sign(_PURPOSE, self._message(request, secret)))
                response.set_cookie(name, value, max_age=_YEAR, secure=secure, httponly=True, samesite="lax")

        before_sending(request, send)
        return secret

    def _refused(self, code: str, detail: str, origin: Origin | None = None) -> Forbidden:
        if self._development:
            if origin is not None:
                detail += f" To allow it:  TRUSTED_ORIGINS={origin}"
            elif code.startswith("csrf_token"):
                detail += (
                    f" Put the token into the form:  {{{{ csrf_input() }}}}   or send it in the header {self.header};"
                    " a client that is no browser sends no cookies."
                )
        return Forbidden(detail, headers=_VARY, extensions={"code": code})


def csrf_token(request: Request) -> str:
    """Return the token that a form of ours sends back.

    It serves browsers that do not tell where a request comes from. It is masked anew for each response, so that
    compression does not leak it, and bound to a signed cookie that is set where the browser has none (`__Host-csrf` on
    https). Templates write it with `{{ csrf_input() }}`; scripts send it as `X-CSRF-Token`. The response becomes
    private to its reader. Empty where the app has no CSRF guard.

    Raises:
        TooLate: The response was sent already, and the browser has no cookie yet (`DJN-742`).
    """
    guard: CSRFGuard | None = getattr(request.app, "csrf", None)
    return "" if guard is None else guard.token(request)


def rotate_csrf_token(request: Request) -> None:
    """Give the browser a new secret: at login and logout.

    Tokens from before are worth nothing from then on.

    Raises:
        TooLate: The response was sent already (`DJN-742`).
    """
    guard: CSRFGuard | None = getattr(request.app, "csrf", None)
    if guard is not None:
        guard.rotate(request)


def csrf_exempt(function: F) -> F:
    """Let other sites send requests to this handler; it must not act on cookies.

    For webhooks this is not needed: what sends no cookie and is no browser passes anyway.

    Example:
        ```python notest
        @app.post("/from-elsewhere")
        @csrf_exempt
        def accept(payload: Payload): ...
        ```
    """
    mark(function).exempt.add("csrf")
    return function


def _own(connection: Any) -> Origin | None:
    return own_origin(connection.scheme, connection.host)


def _cookie_name(request: Request) -> str:
    return "__Host-csrf" if request.is_secure else "csrf"


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(text: str, size: int) -> bytes | None:
    if len(text) != (size * 4 + 2) // 3 or not text.isascii():
        return None
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size else None


def _masked(secret: bytes) -> str:
    mask = os.urandom(_SIZE)
    return _encode(mask + _xor(mask, secret))


def _unmasks(token: str, secret: bytes) -> bool:
    raw = _decode(token, 2 * _SIZE)
    return raw is not None and hmac.compare_digest(_xor(raw[:_SIZE], raw[_SIZE:]), secret)


def _xor(first: bytes, second: bytes) -> bytes:
    return (int.from_bytes(first, "big") ^ int.from_bytes(second, "big")).to_bytes(_SIZE, "big")
