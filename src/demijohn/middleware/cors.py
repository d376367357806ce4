"""Cross-origin resource sharing: which pages of other sites may read our answers (the Fetch Standard, section 3.3)."""

from collections.abc import Iterable
from datetime import timedelta

from demijohn.errors import ConfigurationError, Forbidden
from demijohn.http import Request, Response
from demijohn.middleware.exchange import before_sending, exchange_of
from demijohn.middleware.marks import Next
from demijohn.middleware.origins import OriginSet, own_origin, parse_origin

__all__ = ["CORS"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_SIMPLE_METHODS = frozenset(("GET", "HEAD", "POST"))
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_BY_BROWSER = frozenset((b"basic", b"digest", b"negotiate", b"ntlm"))
"""What a browser adds to requests of any page once its user has signed in; nothing else comes without a script."""
_PREFLIGHT_VARY = ("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers")


class CORS:
    """Lets pages of other origins read what we answer.

    An origin is allowed by an exact entry, by `https://*.example.org` for all below a domain, or by `*` for everybody,
    which is never combined with credentials. A preflight is answered here; one that is refused gets 403 and says why.
    What an allowed origin sends passes the CSRF guard, with `*` only where nothing comes along that a browser adds by
    itself: a cookie, or a password that it was told (`Authorization: Basic`).

    Args:
        origins: Who may read.
        methods: What they may send.
        headers: The request headers they may set; `"*"` for all of them.
        expose: The response headers their scripts may see.
        credentials: Whether cookies come along.
        max_age: For how long a browser may remember a preflight.
        private_network: Whether pages of public sites may reach us in a private network.

    Raises:
        ConfigurationError: `*` with credentials, an entry that is no origin, or a name that is no token (`DJN-743`).

    Example:
        >>> cors = CORS(["https://app.example.org"], credentials=True)
    """

    __slots__ = (
        "_any",
        "_any_header",
        "_credentials",
        "_expose",
        "_headers",
        "_max_age",
        "_methods",
        "_origins",
        "_private_network",
    )

    def __init__(
        self,
        origins: Iterable[str],
        *,
        methods: Iterable[str] = _METHODS,
        headers: Iterable[str] = ("Accept", "Accept-Language", "Authorization", "Content-Language", "Content-Type"),
        expose: Iterable[str] = (),
        credentials: bool = False,
        max_age: int | timedelta = 600,
        private_network: bool = False,
    ) -> None:
        origins = [origins] if isinstance(origins, str) else list(origins)
        self._any = "*" in origins
        if self._any and credentials:
            raise ConfigurationError(
                'CORS was told origins=["*"] and credentials=True.',
                why="Any page on the web could read the site as its signed-in visitor; browsers refuse the pair.",
                fix='Name the origins:  CORS(["https://app.example.org"], credentials=True)',
                code="DJN-743",
            )
        self._origins = OriginSet([origin for origin in origins if origin != "*"], setting="origins")
        self._methods = tuple(_tokens(methods, "methods", upper=True))
        names = _tokens(headers, "headers")
        self._any_header = "*" in names
        self._headers = frozenset(name.lower() for name in names)
        self._expose = ", ".join(_tokens(expose, "expose"))
        self._credentials = credentials
        self._max_age = str(int(max_age.total_seconds()) if isinstance(max_age, timedelta) else int(max_age))
        self._private_network = private_network

    def allows(self, origin: str | bytes) -> bool:
        """Tell whether an origin may read what we answer."""
        return self._any or parse_origin(origin) in self._origins

    async def __call__(self, request: Request, next: Next) -> Response:  # noqa: A002 - the field's term
        """Answer a preflight, or have the headers set on whatever is answered, an error too."""
        origin: bytes | None = None
        signed_in = False
        for name, value in request.raw_headers:
            if name == b"origin":
                origin = value if origin is None else b""
            elif name == b"cookie" or (name == b"authorization" and value.partition(b" ")[0].lower() in _BY_BROWSER):
                signed_in = True
        if origin is None:
            if not self._any:
                before_sending(request, _vary)
            return await next(request)
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            return self._preflight(request, origin)
        if self.allows(origin):
            text = "*" if self._any else origin.decode("ascii")
            if not self._any or not signed_in:
                exchange_of(request).cross_origin = True
            before_sending(request, lambda response: self._open(response, text))
        elif not self._any:
            before_sending(request, _vary)
        return await next(request)

    def _open(self, response: Response, origin: str) -> None:
        headers = response.headers
        headers["access-control-allow-origin"] = origin
        if self._credentials:
            headers["access-control-allow-credentials"] = "true"
        if self._expose:
            headers["access-control-expose-headers"] = self._expose
        if not self._any:
            headers.add_vary("Origin")

    def _preflight(self, request: Request, origin: bytes) -> Response:
        method = request.headers.get("access-control-request-method", "")
        wanted = _split(request.headers.get("access-control-request-headers", ""))
        network = request.headers.get("access-control-request-private-network") == "true"
        why = self._refusal(request, origin, method, wanted, network)
        if why is not None:
            raise Forbidden(why, headers=[("vary", ", ".join(_PREFLIGHT_VARY))], extensions={"code": "cors_refused"})
        response = Response(status=204)
        headers = response.headers
        headers["access-control-allow-origin"] = "*" if self._any else origin.decode("ascii")
        headers["access-control-allow-methods"] = ", ".join(self._methods)
        if wanted:
            headers["access-control-allow-headers"] = ", ".join(wanted)
        if self._credentials:
            headers["access-control-allow-credentials"] = "true"
        if network:
            headers["access-control-allow-private-network"] = "true"
        headers["access-control-max-age"] = self._max_age
        headers.add_vary(*_PREFLIGHT_VARY)
        if self._private_network:
            headers.add_vary("Access-Control-Request-Private-Network")
        return response

    def _refusal(self, request: Request, origin: bytes, method: str, wanted: list[str], network: bool) -> str | None:
        own = own_origin(request.scheme, request.host)
        if not self.allows(origin) and (own is None or parse_origin(origin) != own):
            return "CORS: this origin is not allowed."
        if method not in self._methods and method not in _SIMPLE_METHODS:
            return "CORS: this method is not allowed from other origins."
        refused = [] if self._any_header else [name for name in wanted if name not in self._headers]
        if any(not _is_token(name) for name in wanted):
            return "CORS: a header name is malformed."
        if refused:
            return f"CORS: these headers are not allowed from other origins: {', '.join(refused)}."
        if network and not self._private_network:
            return "CORS: pages of public sites are not allowed to reach this network."
        return None


def _vary(response: Response) -> None:
    response.headers.add_vary("Origin")


def _split(header: str) -> list[str]:
    return [name.strip(" \t").lower() for name in header.split(",") if name.strip(" \t")][:100]


def _is_token(name: str) -> bool:
    return bool(name) and len(name) <= 100 and _TOKEN.issuperset(name)


def _tokens(names: Iterable[str], setting: str, *, upper: bool = False) -> list[str]:
    listed = [names] if isinstance(names, str) else list(names)
    for name in listed:
        if not _is_token(name):
            raise ConfigurationError(
                f"CORS({setting}=...) has {name!r}, which is no name.",
                why="Names of methods and headers have no spaces, commas or control characters in them.",
                fix=f'Write each by itself:  CORS([...], {setting}=["{"PUT" if upper else "X-Total-Count"}"])',
                code="DJN-743",
            )
    return [name.upper() for name in listed] if upper else listed
