"""What a request and a WebSocket have in common: the head of an HTTP message, read lazily."""

import re
from _thread import allocate_lock
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from demijohn.errors import BadRequest, DemijohnError
from demijohn.http.cookies import Cookies
from demijohn.http.headers import Headers, Lines
from demijohn.http.limits import DEFAULT_LIMITS, Limits
from demijohn.http.negotiation import AcceptLanguages
from demijohn.http.query import QueryParams
from demijohn.http.scratch import Scratch
from demijohn.http.state import StateKey
from demijohn.http.url import URL
from demijohn.types import Scope

__all__ = ["Connection", "NoSuchAttribute"]

NO_PARAMS: Mapping[str, Any] = MappingProxyType({})
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::([0-9]{0,5}))?")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

# Where a battery offers what other frameworks bolt on to the request.
_ELSEWHERE = {
    "user": ("accounts come as a type, not as an attribute", "async def show(user: User): ..."),
    "session": ("sessions come as a type, not as an attribute", "async def show(session: Session): ..."),
    "db": ("the database is used through its models", "await Post.get(7)"),
    "args": ("the query string is called `query`", 'request.query.get("page", 1, type=int)'),
    "GET": ("the query string is called `query`", 'request.query["page"]'),
    "POST": ("a form is read with `await`", "form = await request.form()"),
    "FILES": ("files are part of the form", "form = await request.form(); form.files"),
    "files": ("files are part of the form", "form = await request.form(); form.files"),
    "data": ("the body is read with `await`", "body = await request.body()"),
    "state": ("the scratch of a request is called `g`", "request.g.name = value"),
    "query_params": ("the query string is called `query`", 'request.query["page"]'),
    "values": ("the query and the form are read apart", 'request.query["page"]   or   (await request.form())["page"]'),
    "remote_addr": ("the peer is an address and a port", "request.client[0]"),
    "get_json": ("JSON is read with `await`", "data = await request.json()"),
    "get_data": ("the body is read with `await`", "body = await request.body()"),
    "view_args": ("the values in the path are called `path_params`", 'request.path_params["id"]'),
    "full_path": ("a path with its query belongs to the URL", "request.url.path_and_query"),
    "META": ("headers have their own names", 'request.headers["User-Agent"]'),
}


class NoSuchAttribute(DemijohnError, AttributeError):
    """An attribute was read that a request does not have."""

    code = "DJN-304"


class Connection:
    """The head of a request.

    What transports give is set at once, all else is computed when it is first read, and kept.

    Slots that most requests never read are left empty: `__getattr__` fills them, from the table `_lazy`. That costs
    nothing when a request is built and a microsecond when such a slot is read for the first time.
    """

    __slots__ = (
        "__weakref__",
        "_cookies",
        "_disconnected",
        "_exchange",
        "_g",
        "_headers",
        "_look",
        "_query",
        "_states",
        "accept_languages",
        "after",
        "app",
        "client",
        "ending",
        "http_version",
        "limits",
        "path",
        "path_params",
        "query_string",
        "raw_headers",
        "raw_path",
        "root_path",
        "route",
        "scheme",
        "scope",
        "server",
        "services",
        "url",
    )

    path: str
    """The path that is routed, percent-decoded once; `root_path` stands before it."""
    raw_path: bytes
    """The same as it came from the client."""
    query_string: bytes
    """What stands behind the question mark, as it came from the client."""
    raw_headers: Lines
    """The header lines, names in lower case; to change them, put others in their place."""

    scheme: str
    """`http`, `https`, `ws` or `wss`."""
    http_version: str
    root_path: str
    """Where the app is mounted: empty, or a path without a slash at the end."""
    client: tuple[str, int] | None
    """Address and port of the peer, after trusted proxies."""
    server: tuple[str, int | None] | None
    """Address and port that were connected to, or the path of a Unix socket and `None`."""
    app: Any
    """The app that answers (Any: it lives floors above)."""
    route: Any
    """The route that matched, or `None` (Any: it lives a floor above)."""
    path_params: Mapping[str, Any]
    """The values in the path, converted (Any: each converter has its own type)."""
    scope: Scope | None
    """The ASGI scope, where there is one."""
    limits: Limits
    """How much this request may bring."""
    services: Any
    """The scope of its services, opened at first use (Any: it lives floors above)."""
    after: list[Callable[..., Any]] | None
    """Functions for its response alone (Any: of what a hook takes)."""
    ending: list[Callable[[], Any]] | None
    """What is called after it, the last first (Any: awaitables are awaited)."""
    _disconnected: bool
    _look: Callable[[], None] | None
    """Has the transport watch whether the client leaves, where it does not do so by itself."""
    _exchange: Any
    """What the middleware room noted about this request, or `None` (Any: it lives floors above)."""

    _states: dict[StateKey[Any], Any]
    """What rooms and batteries keep here (Any: as each key says)."""

    url: URL
    """The URL that the client asked for.

    Raises:
        BadRequest: The `Host` header names no host, so that no link can be made of it.
    """
    accept_languages: AcceptLanguages
    """The languages that the client reads."""

    _lazy: ClassVar[dict[str, Callable[[Any], Any]]] = {
        "http_version": lambda self: "1.1",
        "root_path": lambda self: "",
        "client": lambda self: None,
        "server": lambda self: None,
        "app": lambda self: None,
        "route": lambda self: None,
        "services": lambda self: None,
        "path_params": lambda self: NO_PARAMS,
        "scope": lambda self: None,
        "_disconnected": lambda self: False,
        "_look": lambda self: None,
        "_states": lambda self: _make_states(self),
        "url": lambda self: self._url(),
        "accept_languages": lambda self: AcceptLanguages(self.headers.get("accept-language")),
    }

    def __init__(self, path: str, raw_path: bytes, query_string: bytes, raw_headers: Lines) -> None:
        self.path = path
        self.raw_path = raw_path
        self.query_string = query_string
        self.raw_headers = raw_headers
        self.after = self.ending = None
        self._exchange = None
        self.scheme = "http"
        self.limits = DEFAULT_LIMITS
        self._headers: Headers | None = None
        self._query: QueryParams | None = None
        self._cookies: Cookies | None = None
        self._g: Scratch | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            compute = self._lazy.get(name)
            if compute is None:
                raise self._missing(name)
            value = compute(self)
            setattr(self, name, value)
            return value

    def _missing(self, name: str) -> AttributeError:
        if name.startswith("__") or name not in _ELSEWHERE:
            return AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        why, fix = _ELSEWHERE[name]
        return NoSuchAttribute(
            f"`{type(self).__name__.lower()}.{name}` was read, and there is no such attribute.",
            why=f"Here {why}.",
            fix=f"Write:  {fix}",
        )

    def _url(self) -> URL:
        self._host_and_port()
        path = self.raw_path.decode("latin-1") or quote(self.path)
        return URL.from_parts(
            scheme=self.scheme,
            netloc=self.host,
            path=(quote(self.root_path) if self.root_path else "") + path,
            query=self.query_string.decode("latin-1"),
        )

    @property
    def headers(self) -> Headers:
        """The header fields, by name in any case."""
        headers = self._headers
        if headers is None:
            headers = self._headers = Headers.from_raw(self.raw_headers)
        return headers

    @property
    def query(self) -> QueryParams:
        """The fields of the query string.

        Raises:
            BadRequest: It is not UTF-8, or has more fields than the limits allow.
        """
        query = self._query
        if query is None:
            query = self._query = QueryParams.from_raw(self.query_string, self.limits.query_fields)
        return query

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies, by name."""
        cookies = self._cookies
        if cookies is None:
            cookies = self._cookies = Cookies(self.headers.get("cookie", ""))
        return cookies

    @property
    def g(self) -> Scratch:
        """A place for whatever this request carries along."""
        g = self._g
        if g is None:
            g = self._g = Scratch()
        return g

    @property
    def host(self) -> str:
        """The `Host` header in lower case, with its port.

        The server's own address where there is none. It is what the client wrote, whatever that is; `hostname`, `port`
        and `url` hold it to what a host may be, and the guard of allowed hosts to what it should be.
        """
        host = self.headers.get("host")
        if host:
            return host.lower()
        if self.server is None:
            return "localhost"
        name, port = self.server
        if port is None:  # a Unix socket has a path and no host
            return "localhost"
        name = f"[{name}]" if ":" in name else name
        return name if _PORTS.get(self.scheme) == port else f"{name}:{port}"

    def _host_and_port(self) -> tuple[str, int | None]:
        found = _HOST.fullmatch(self.host)
        if found is None or (found[2] and int(found[2]) > 65535):
            raise BadRequest("The Host header names no host.")
        return found[1], int(found[2]) if found[2] else None

    @property
    def hostname(self) -> str:
        """The host without port and without the brackets of an IPv6 address.

        Raises:
            BadRequest: The `Host` header names no host.
        """
        return self._host_and_port()[0].strip("[]")

    @property
    def port(self) -> int:
        """The port that the client names, or the usual one of the scheme.

        Raises:
            BadRequest: The `Host` header names no host, or no port up to 65535.
        """
        port = self._host_and_port()[1]
        return _PORTS.get(self.scheme, 80) if port is None else port

    @property
    def is_secure(self) -> bool:
        """Whether the client came over TLS (as far as trusted proxies say)."""
        return self.scheme in ("https", "wss")

    @property
    def origin(self) -> str | None:
        """The `Origin` header, or `None`."""
        return self.headers.get("origin")

    @property
    def user_agent(self) -> str:
        """The `User-Agent` header, or an empty text."""
        return self.headers.get("user-agent", "")

    @property
    def referrer(self) -> str | None:
        """The `Referer` header, or `None`."""
        return self.headers.get("referer")

    def is_disconnected(self) -> bool:
        """Whether the client is known to have left, which cancels streams alone.

        Under other ASGI servers it is known once the body was read and this was asked before; under WSGI never.
        """
        if not self._disconnected and self._look is not None:
            self._look()
        return self._disconnected

    def at_end(self, function: Callable[[], Any]) -> None:
        """Have a function called when the request is over, its response sent.

        The last one is called first; what can be awaited is awaited (Any: what it returns is of no matter).
        """
        if self.ending is None:
            self.ending = [function]
        else:
            self.ending.append(function)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"


_states_slot: Any = Connection.__dict__["_states"]
_first_state = allocate_lock()


def _make_states(connection: Connection) -> dict[StateKey[Any], Any]:
    # Threads of one request may want its first state at the same moment.
    with _first_state:
        try:
            found: dict[StateKey[Any], Any] = _states_slot.__get__(connection)
        except AttributeError:
            found = connection._states = {}
        return found
