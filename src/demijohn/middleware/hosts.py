"""Allowed hosts: a request that names another host is refused before anything believes it."""

import ipaddress
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import NamedTuple

from demijohn._lib.later import logger_of
from demijohn.errors import BadRequest, ConfigurationError
from demijohn.http import Request

__all__ = ["Host", "HostGuard", "HostPatterns", "is_loopback", "parse_host"]

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
_MOST_PASSED = 1024
_MOST_TOLD = 3
_LOOPBACK = ("localhost", ".localhost", "127.0.0.1", "[::1]", "0.0.0.0")  # noqa: S104 - what a browser may be given

logger = logger_of("demijohn.security")


class Host(NamedTuple):
    """A host that was read: the name in lower case, an IPv6 address in brackets, and the port that was written."""

    name: str
    port: int | None


def parse_host(raw: bytes | str, /) -> Host | None:
    """Read a `Host` header; `None` for what is no host.

    See RFC 9110, section 7.2, and RFC 3986, section 3.2.2. Names consist of letters, digits, `-`, `_` and `.`; a name
    that ends in a number must be an IPv4 address; a dot at the end is left out. It takes time in proportion to the
    length, and nothing over 261 characters is read.

    Example:
        >>> parse_host("Example.org:8000"), parse_host("a b")
        (Host(name='example.org', port=8000), None)
    """
    # What is longer is not remembered either.
    return _read(raw) if 0 < len(raw) <= 261 else None


@lru_cache(maxsize=_MOST_PASSED)
def _read(raw: bytes | str) -> Host | None:
    if isinstance(raw, str):
        if not raw.isascii():
            return None
        raw = raw.encode("ascii")
    if raw[0] == 0x5B:  # an IPv6 address stands in brackets
        inside, closed, rest = raw[1:].partition(b"]")
        if not closed or b"%" in inside or (rest and not rest.startswith(b":")):
            return None
        try:
            name = f"[{ipaddress.IPv6Address(inside.decode('ascii'))}]"
        except (ValueError, UnicodeError):
            return None
        port = rest[1:]
    else:
        inside, _, port = raw.partition(b":")
        if inside.endswith(b"."):
            inside = inside[:-1]
        if not inside or len(inside) > 253 or inside.translate(None, _LETTERS):
            return None
        name = inside.decode("ascii").lower()
        labels = name.split(".")
        if "" in labels or max(map(len, labels)) > 63:
            return None
        if labels[-1].isdigit():
            try:
                ipaddress.IPv4Address(name)
            except ValueError:
                return None
    if not port:
        return Host(name, None)
    if not port.isdigit() or len(port) > 5 or int(port) > 65535:
        return None
    return Host(name, int(port))


@lru_cache(maxsize=_MOST_PASSED)
def is_loopback(name: str) -> bool:
    """Tell whether a host name means this machine.

    Browsers trust it without TLS (Secure Contexts, section 3.1).

    Takes a name as `parse_host` returns it: lower case, IPv6 in brackets.
    """
    if name == "localhost" or name.endswith(".localhost"):
        return True
    if name.startswith("127."):
        try:
            return ipaddress.IPv4Address(name).is_loopback
        except ValueError:
            return False
    return name == "[::1]"


class HostPatterns:
    """A set of hosts: exact names, `.example.org` for a domain and all below it, `*.example.org` for all below it, `*`.

    A pattern with a port holds for that port alone; one without for every port.

    Args:
        patterns: What is in the set.

    Raises:
        ConfigurationError: A pattern is no host (`DJN-741`).

    Example:
        >>> patterns = HostPatterns([".example.org"])
        >>> patterns.matches(Host("www.example.org", None)), patterns.matches(Host("badexample.org", None))
        (True, False)
    """

    __slots__ = ("_exact", "_suffixes", "any")

    def __init__(self, patterns: Iterable[str]) -> None:
        self.any = False
        self._exact: set[tuple[str, int | None]] = set()
        self._suffixes: list[tuple[str, int | None]] = []
        if isinstance(patterns, str):
            patterns = [patterns]
        for pattern in patterns:
            self._add(pattern)

    def _add(self, pattern: str) -> None:
        if pattern == "*":
            self.any = True
            return
        below = pattern.startswith(("*.", "."))
        text = pattern[pattern.index(".") + 1 :] if below else pattern
        if text.count(":") > 1 and not text.startswith("["):
            text = f"[{text}]"
        try:
            host = parse_host(text if text.isascii() else text.encode("idna"))
        except UnicodeError:
            host = None
        if host is None or (below and host.name.startswith("[")):
            raise ConfigurationError(
                f"The allowed host {pattern!r} is no host name.",
                why="A host is a name or an address, with a port at most: no scheme, no path, no spaces.",
                fix="Write it as browsers send it:  ALLOWED_HOSTS=example.org,.example.org",
                code="DJN-741",
            )
        if below:
            self._suffixes.append(("." + host.name, host.port))
        if not pattern.startswith("*."):
            self._exact.add((host.name, host.port))

    def matches(self, host: Host) -> bool:
        """Tell whether a host is in the set."""
        if self.any or host in self._exact or (host.name, None) in self._exact:
            return True
        return any(
            host.name.endswith(suffix) and (port is None or port == host.port) for suffix, port in self._suffixes
        )

    def __bool__(self) -> bool:
        return self.any or bool(self._exact or self._suffixes)


class HostGuard:
    """Answers 400 to requests for hosts that are not ours.

    What believes the `Host` header (links in mails, caches, the CSRF rule) may then believe it. The syntax is held even
    where `*` allows every host.

    Args:
        allowed: Exact names, `.example.org` (the domain and all below), `*.example.org` (all below), `*`. Where none is
            given, the names of this machine are allowed and no other.
        development: The names of this machine are allowed too, and a refusal says what to write.

    Raises:
        ConfigurationError: One is no host name (`DJN-741`).

    Example:
        >>> guard = HostGuard(["example.org"])
        >>> guard(Request("GET", "/", b"/", b"", [(b"host", b"example.org")]))
    """

    __slots__ = ("_development", "_local", "_named", "_passed", "_patterns", "_told")

    name = "hosts"
    early = True
    for_mounts = True

    def __init__(self, allowed: Iterable[str] = (), *, development: bool = False) -> None:
        self._patterns = HostPatterns(allowed)
        self._named = bool(self._patterns)
        self._local = HostPatterns(_LOOPBACK) if development or not self._named else None
        self._development = development
        self._passed: set[bytes] = set()
        self._told: set[str] = set()

    def __call__(self, request: Request) -> None:
        """Let the request pass, or refuse it.

        Raises:
            BadRequest: The host is missing, written twice, malformed or not allowed.
        """
        host: bytes | None = None
        for name, value in request.raw_headers:
            if name == b"host":
                if host is not None:
                    raise self._refused("The Host header came twice.", host + b", " + value)
                host = value
        if host not in self._passed:
            self._check(host, request)

    def check(self, request: Request, fields: Mapping[bytes, bytes]) -> None:
        """Do the same with the header fields by name, as the runner of a route has them."""
        host = fields.get(b"host")
        if host not in self._passed:
            self._check(host, request)

    @property
    def passes(self) -> tuple[bytes, AbstractSet[bytes]]:
        """`Host`, and its values that were let pass before."""
        return b"host", self._passed

    def applies(self, methods: frozenset[str]) -> bool:
        """Every route is guarded."""
        return True

    def allows(self, host: str | bytes) -> bool:
        """Tell whether a host, with or without a port, is allowed."""
        read = parse_host(host)
        if read is None:
            return False
        return self._patterns.matches(read) or (self._local is not None and self._local.matches(read))

    def _check(self, host: bytes | None, request: Request) -> None:
        if host is None:
            if request.http_version == "1.0" and (self._patterns.any or self._local):
                return
            raise self._refused("The Host header is missing.", b"")
        if not self.allows(host):
            known = parse_host(host) is not None
            raise self._refused(
                "The Host header names no host of this site." if known else "The Host header is no host.", host
            )
        if len(self._passed) >= _MOST_PASSED:
            self._passed.clear()
        self._passed.add(host)

    def _refused(self, detail: str, host: bytes) -> BadRequest:
        shown = host[:261].decode("ascii", "backslashreplace")
        logger.info("Refused a request for the host %r: %s", shown, detail)
        if parse_host(host) is not None:
            allow = f'Allow it:  ALLOWED_HOSTS={shown}   or   App(security=Security(allowed_hosts=["{shown}"]))'
            if self._development:
                detail += f" {allow}"
            elif not self._named and shown not in self._told and len(self._told) < _MOST_TOLD:
                self._told.add(shown)
                logger.warning("No host is allowed but this machine, and %r was asked for. %s  [DJN-741]", shown, allow)
        return BadRequest(detail, extensions={"code": "host_not_allowed"})
