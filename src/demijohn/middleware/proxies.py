"""Trusted proxies: scheme, host and client as the outermost of them saw it."""

import ipaddress
from collections.abc import Iterable
from typing import Any, Literal

from demijohn.errors import ConfigurationError
from demijohn.middleware.exchange import exchange_of
from demijohn.middleware.hosts import parse_host

__all__ = ["ForwardedHop", "TrustedProxies", "find_proxy_header", "parse_forwarded"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MOST_HOPS = 64
_MOST_KNOWN = 1024
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_ADDED = (b"x-forwarded-", b"x-real-ip", b"x-client-ip", b"x-original-", b"cf-connecting-", b"true-client-ip")
"""How the headers begin that proxies add, beside `Forwarded` and `Via`."""
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_SOCKETS = {"http": "ws", "https": "wss"}

ForwardedHop = dict[str, str]
"""One element of `Forwarded`: parameter to value, names in lower case."""


def find_proxy_header(lines: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the name of a header that only a proxy adds, or None.

    What is for this machine alone refuses it: through a proxy or a tunnel everybody seems to come from here.

    Example:
        >>> find_proxy_header([(b"host", b"localhost"), (b"x-real-ip", b"203.0.113.7")])
        'x-real-ip'
    """
    for name, _ in lines:
        if name in (b"forwarded", b"via") or name.startswith(_ADDED):
            return name.decode("latin-1")
    return None


class TrustedProxies:
    """Believes our own proxies about where a request comes from, and nobody else.

    Of a chain of addresses the right-most one that is not a trusted proxy is the client: what stands left of it was
    written by the client itself. Headers of a peer that is not trusted are not read at all. It runs once for a request,
    before the host is checked and the route is looked for.

    Args:
        networks: Addresses and networks of the proxies; `"loopback"` and `"private"` name the usual ones, `"unix"` a
            peer on a Unix socket. Never a network in which clients are.
        headers: Which family the outermost proxy sets or overwrites: `X-Forwarded-For`, `-Proto`, `-Host`, `-Port`, or
            `Forwarded` (RFC 7239). The other one is not read: it would pass through the proxy unchanged.
        host: Believe the forwarded host and port too. Only where the proxy sets or overwrites them: many pass on what
            the client sent, and links in mails are made of the host.
        prefix: Believe `X-Forwarded-Prefix`, the path under which the proxy has the app.

    Raises:
        ConfigurationError: An entry is no address or network (`DJN-745`).

    Example:
        >>> proxies = TrustedProxies(["10.0.0.0/8"])
    """

    __slots__ = ("_family", "_host", "_known", "_networks", "_prefix", "_unix")

    def __init__(
        self,
        networks: Iterable[str] = ("loopback",),
        *,
        headers: Literal["x-forwarded", "forwarded"] = "x-forwarded",
        host: bool = False,
        prefix: bool = False,
    ) -> None:
        self._networks: list[Network] = []
        self._unix = False
        for entry in [networks] if isinstance(networks, str) else networks:
            if entry == "unix":
                self._unix = True
            else:
                self._networks += _networks(entry)
        if headers not in ("x-forwarded", "forwarded"):
            raise _wrong(f"TrustedProxies(headers={headers!r}) names no family of headers.")
        self._family = headers
        self._host = host
        self._prefix = prefix
        self._known: dict[str, bool] = {}

    def trusts(self, address: str | None) -> bool:
        """Tell whether an address is one of our proxies; `None` is a Unix socket."""
        if address is None:
            return self._unix
        known = self._known.get(address)
        if known is None:
            parsed = _address(address)
            known = parsed is not None and any(parsed in network for network in self._networks)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[address] = known
        return known

    def __call__(self, request: Any) -> None:
        """Set scheme, host and client of a request as the outermost proxy saw them.

        Takes `Any`: a request or a WebSocket. It never raises: a host that is none is passed on, for the host guard.
        """
        client = request.client
        if not self.trusts(None if client is None else client[0]):
            return
        exchange = exchange_of(request)
        if exchange.forwarded:
            return
        exchange.forwarded = True
        if self._family == "forwarded":
            self._from_forwarded(request)
        else:
            self._from_x_forwarded(request)

    def _from_forwarded(self, request: Any) -> None:
        hops = parse_forwarded(_joined(request, b"forwarded"))
        if not hops:
            return
        chosen = hops[-1]
        for hop in reversed(hops):
            address, port = _split_address(hop.get("for", ""))
            if address is None:
                # Hidden or unknown: who stands left of it cannot be told.
                chosen = hop
                break
            request.client = (address, port)
            chosen = hop
            if not self.trusts(address):
                break
        self._apply(request, chosen.get("proto"), chosen.get("host"), None)

    def _from_x_forwarded(self, request: Any) -> None:
        found: dict[bytes, list[str]] = {}
        for name, value in request.raw_headers:
            if name.startswith(b"x-forwarded-"):
                parts = [part.strip(" \t") for part in value.decode("latin-1").split(",")]
                found.setdefault(name, []).extend(parts)
        if not found:
            return
        addresses = found.get(b"x-forwarded-for", [])
        place = len(addresses) - 1
        for index in range(len(addresses) - 1, max(-1, len(addresses) - 1 - _MOST_HOPS), -1):
            address, port = _split_address(addresses[index])
            if address is None:
                break
            request.client = (address, port)
            place = index
            if not self.trusts(address):
                break

        def at(name: bytes) -> str | None:
            values = found.get(name)
            if not values:
                return None
            # A proxy either appends, so that there are as many as addresses, or overwrites.
            return values[place] if len(values) == len(addresses) else values[-1]

        self._apply(request, at(b"x-forwarded-proto"), at(b"x-forwarded-host"), at(b"x-forwarded-port"))
        prefix = at(b"x-forwarded-prefix") if self._prefix else None
        if (
            prefix
            and prefix.startswith("/")
            and not prefix.startswith("//")
            and prefix.isascii()
            and prefix.isprintable()
        ):
            request.root_path = prefix.rstrip("/") + request.root_path

    def _apply(self, request: Any, scheme: str | None, host: str | None, port: str | None) -> None:
        known = _SCHEMES.get(scheme.lower()) if scheme else None
        if known is not None:
            request.scheme = _SOCKETS[known] if request.scheme in ("ws", "wss") else known
        if not self._host or not (host or port):
            return
        text = host or request.host
        read = parse_host(text)
        if read is not None and port and read.port is None and port.isascii() and port.isdigit() and len(port) <= 5:
            usual = 443 if request.scheme in ("https", "wss") else 80
            text = read.name if int(port) == usual else f"{read.name}:{int(port)}"
        replaced = [line for line in request.raw_headers if line[0] != b"host"]
        request.raw_headers = [(b"host", text.encode("latin-1")), *replaced]
        # What was computed from the old lines is computed again.
        request._headers = None
        try:
            del request.url
        except AttributeError:
            pass


def parse_forwarded(header: str, /) -> list[ForwardedHop]:
    """Read a `Forwarded` header, from the outermost proxy to the nearest.

    See RFC 7239, section 4. An element that cannot be read is returned as an empty one: the chain is not trusted beyond
    it. It takes time in proportion to the length; of more than 64 elements the nearest 64 are read.

    Example:
        >>> parse_forwarded('for="[2001:db8::1]:4711";proto=https, for=10.0.0.1')
        [{'for': '[2001:db8::1]:4711', 'proto': 'https'}, {'for': '10.0.0.1'}]
    """
    hops: list[ForwardedHop] = []
    for element in _outside_quotes(header, ",")[-_MOST_HOPS:]:
        if not element.strip(" \t"):
            continue
        hop: ForwardedHop = {}
        for pair in _outside_quotes(element, ";"):
            name, equals, value = pair.strip(" \t").partition("=")
            if not name and not equals:
                continue
            read = _unquoted(value)
            if not name or not _TOKEN.issuperset(name) or read is None or name.lower() in hop:
                hop = {}
                break
            hop[name.lower()] = read
        hops.append(hop)
    return hops


def _outside_quotes(text: str, separator: str) -> list[str]:
    if '"' not in text:
        return text.split(separator)
    parts: list[str] = []
    start, quoted, escaped = 0, False, False
    for place, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter == separator and not quoted:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return parts


def _unquoted(value: str) -> str | None:
    if value.startswith('"'):
        if len(value) < 2 or not value.endswith('"'):
            return None
        inner = value[1:-1]
        out, escaped = [], False
        for letter in inner:
            if not escaped and letter == "\\":
                escaped = True
                continue
            if not escaped and letter == '"':
                return None
            out.append(letter)
            escaped = False
        return None if escaped else "".join(out)
    # Ports and addresses without quotes are against the letter of the RFC, and common.
    return value if value and (_TOKEN | set(":[]")).issuperset(value) else None


def _joined(request: Any, name: bytes) -> str:
    return ", ".join([value.decode("latin-1") for line, value in request.raw_headers if line == name])


def _split_address(text: str) -> tuple[str | None, int]:
    """Return address and port of `1.2.3.4`, `1.2.3.4:5`, `[::1]`, `[::1]:5`, `::1`; no address for anything else."""
    port = ""
    if text.startswith("["):
        text, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            return None, 0
        port = rest[1:]
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
    address = _address(text)
    if address is None:
        return None, 0
    return str(address), int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _networks(entry: str) -> list[Network]:
    if entry in ("loopback", "private"):
        return [ipaddress.ip_network(text) for text in (_LOOPBACK if entry == "loopback" else _PRIVATE)]
    try:
        network = ipaddress.ip_network(entry)
    except ValueError as error:
        raise _wrong(f"TrustedProxies has {entry!r}, which is no address or network: {error}.") from None
    return [network]


def _wrong(seen: str) -> ConfigurationError:
    return ConfigurationError(
        seen,
        why="Only proxies that are named can be told from clients that write the same headers.",
        fix='Write:  TRUSTED_PROXIES=10.0.0.0/8   or   TrustedProxies(["loopback", "unix"], headers="forwarded")',
        code="DJN-745",
    )
