"""A URL as a value: its parts by name, changed by copying (RFC 3986; names as in the WHATWG URL Standard)."""

from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from demijohn.http.query import QueryParams

__all__ = ["URL"]

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class URL:
    """An immutable URL.

    Args:
        url: The text; it is taken as it is, percent escapes included.

    Raises:
        ValueError: The text is no URL: brackets that do not match, or a port that is no number up to 65535.

    Example:
        >>> url = URL("https://example.org:8443/a?b=1#c")
        >>> url.hostname, url.port, str(url.replace(port=None, query="b=2"))
        ('example.org', 8443, 'https://example.org/a?b=2#c')
    """

    __slots__ = ("_query", "fragment", "netloc", "path", "query_string", "scheme")

    scheme: str
    netloc: str
    """User, host and port, as written."""
    path: str
    query_string: str
    """What stands behind the question mark, without it."""
    fragment: str

    def __init__(self, url: str = "", /) -> None:
        self.scheme, self.netloc, self.path, self.query_string, self.fragment = urlsplit(url)
        self._query: QueryParams | None = None
        self.port  # noqa: B018 - raises for a port that is none

    @classmethod
    def from_parts(
        cls, *, scheme: str = "", netloc: str = "", path: str = "", query: str = "", fragment: str = ""
    ) -> "URL":
        """Build a URL from parts that are encoded already."""
        self = cls.__new__(cls)
        self.scheme, self.netloc, self.path, self.query_string, self.fragment = scheme, netloc, path, query, fragment
        self._query = None
        return self

    @property
    def query(self) -> QueryParams:
        """The fields of the query string."""
        if self._query is None:
            self._query = QueryParams(self.query_string)
        return self._query

    @property
    def host(self) -> str:
        """Host and port, as written, without the user."""
        return self.netloc.rpartition("@")[2]

    @property
    def hostname(self) -> str:
        """The host in lower case, without the port and the brackets of an IPv6 address."""
        host = self.host
        if host.startswith("["):
            return host[1 : host.find("]")].lower()
        return host.partition(":")[0].lower()

    @property
    def port(self) -> int | None:
        """The port that is written, or `None`."""
        host = self.host
        tail = host[host.find("]") + 1 :] if host.startswith("[") else host
        text = tail.partition(":")[2]
        if not text:
            return None
        if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > 65535:
            raise ValueError(f"The port {text!r} is no number up to 65535.")
        return int(text)

    @property
    def effective_port(self) -> int | None:
        """The port that is written, or the usual one of the scheme."""
        return self.port if self.port is not None else _PORTS.get(self.scheme)

    @property
    def username(self) -> str | None:
        """The user as written, or `None`."""
        user = self.netloc.rpartition("@")[0]
        return user.partition(":")[0] or None

    @property
    def password(self) -> str | None:
        """The password as written, or `None`."""
        return self.netloc.rpartition("@")[0].partition(":")[2] or None

    @property
    def origin(self) -> str:
        """Scheme, host and port, the usual port left out: what browsers send as `Origin`."""
        hostname = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        port = self.port
        if port is None or _PORTS.get(self.scheme) == port:
            return f"{self.scheme}://{hostname}"
        return f"{self.scheme}://{hostname}:{port}"

    @property
    def is_secure(self) -> bool:
        """Whether the scheme is `https` or `wss`."""
        return self.scheme in ("https", "wss")

    @property
    def path_and_query(self) -> str:
        """The path, and the query string where there is one."""
        return f"{self.path}?{self.query_string}" if self.query_string else self.path

    def replace(
        self,
        *,
        scheme: str | None = None,
        netloc: str | None = None,
        hostname: str | None = None,
        port: int | str | None = "",
        path: str | None = None,
        query: str | QueryParams | None = None,
        fragment: str | None = None,
    ) -> "URL":
        """Return a copy with other parts.

        `port=None` removes the port; the path is encoded where it has to be.
        """
        if netloc is None:
            netloc = self.netloc
            if hostname is not None or port != "":
                user = netloc.rpartition("@")[0]
                name = self.hostname if hostname is None else hostname.strip("[]")
                number = self.port if port == "" else port
                netloc = (f"{user}@" if user else "") + (f"[{name}]" if ":" in name else name)
                netloc += "" if number is None else f":{number}"
        return URL.from_parts(
            scheme=self.scheme if scheme is None else scheme,
            netloc=netloc,
            path=self.path if path is None else quote(path, safe="/%:@!$&'()*+,;=~-._"),
            query=self.query_string if query is None else str(query),
            fragment=self.fragment if fragment is None else fragment,
        )

    def with_query(self, **fields: Any) -> "URL":
        """Return a copy in which these query fields have these values.

        A list gives several values, `None` removes the field (Any: each value is written by `str`).
        """
        return self.replace(query=self.query.replace(**fields))

    def __str__(self) -> str:
        return urlunsplit((self.scheme, self.netloc, self.path, self.query_string, self.fragment))

    def __repr__(self) -> str:
        # A password in a URL is a secret.
        text = str(self)
        if self.password:
            text = str(self.replace(netloc=f"{self.username}:***@{self.host}"))
        return f"URL({text!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, URL | str):
            return str(self) == str(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))
