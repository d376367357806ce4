"""What trusted proxies say about the client: `X-Forwarded-*` and `Forwarded` (RFC 7239)."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from demijohn.errors import ConfigurationError
from demijohn.serving.config import Proxies

__all__ = ["ProxyReader"]

Raw: TypeAlias = list[tuple[bytes, bytes]]
KNOWN: Final = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded")
_HOST = re.compile(rb"(?:[A-Za-z0-9\-._~]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_PAIR = re.compile(r'\s*([A-Za-z0-9!#$%&\'*+\-.^_`|~]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]+)\s*')


class ProxyReader:
    """Reads the headers of proxies, as far as they are trusted.

    Addresses are walked from the nearest to the farthest; the first one that is no trusted proxy is the client, since
    whatever stands before it may have been made up by the client.
    """

    def __init__(self, proxies: Proxies) -> None:
        self.trusts_unix = "unix" in proxies.trusted
        self._networks: list[IPv4Network | IPv6Network] = []
        self._known: dict[str, bool] = {}
        for text in proxies.trusted:
            if text == "unix":
                continue
            try:
                self._networks.append(ip_network("0.0.0.0/0" if text == "*" else text, strict=False))
                if text == "*":
                    self._networks.append(ip_network("::/0"))
            except ValueError:
                raise ConfigurationError(
                    f"The trusted proxy {text!r} was given.",
                    why="It is neither an address or network nor 'unix'.",
                    fix='Write:  Proxies(trusted=("10.0.0.0/8", "127.0.0.1"))',
                    code="DJN-504",
                ) from None
        names = [name.lower() for name in proxies.headers]
        for name in names:
            if name not in KNOWN:
                raise ConfigurationError(
                    f"The proxy header {name!r} was given.",
                    why=f"Known are {', '.join(KNOWN)}.",
                    fix='Write:  Proxies(headers=("x-forwarded-for", "x-forwarded-proto"))',
                    code="DJN-504",
                )
        self.names = frozenset(name.encode() for name in names)

    def trusts(self, address: str | None) -> bool:
        """Return whether a peer is a trusted proxy; `None` stands for one that came over a Unix socket."""
        if address is None:
            return self.trusts_unix
        known = self._known.get(address)
        if known is None:
            try:
                ip = ip_address(address.partition("%")[0])
            except ValueError:
                return False
            mapped = getattr(ip, "ipv4_mapped", None)
            known = any(one in network for network in self._networks for one in (ip, mapped) if one is not None)
            if len(self._known) < 4096:
                self._known[address] = known
        return known

    def read(self, raw: Raw) -> tuple[str | None, str | None, bytes | None]:
        """Return the client's address, the scheme and the host that the proxies tell, each if they do."""
        client: str | None = None
        scheme: str | None = None
        host: bytes | None = None
        values: dict[bytes, str] = {}
        for name, value in raw:
            if name in self.names:
                text = value.decode("latin-1")
                values[name] = f"{values[name]}, {text}" if name in values else text
        if b"forwarded" in values:
            return self._forwarded(values[b"forwarded"])
        if b"x-forwarded-for" in values:
            client = self._walk([_address(part) for part in values[b"x-forwarded-for"].split(",")])
        if b"x-forwarded-proto" in values:
            # Several proxies: the last one spoke to us, and stands for the client's only if it passes that on.
            scheme = _SCHEMES.get(values[b"x-forwarded-proto"].split(",")[-1].strip().lower())
        if b"x-forwarded-host" in values:
            text = values[b"x-forwarded-host"].split(",")[-1].strip()
            host = _valid_host(text)
        return client, scheme, host

    def _walk(self, addresses: list[str | None]) -> str | None:
        nearest = None
        for address in reversed(addresses):
            if address is None:
                break
            nearest = address
            if not self.trusts(address):
                break
        return nearest

    def _forwarded(self, text: str) -> tuple[str | None, str | None, bytes | None]:
        hops: list[dict[str, str]] = []
        for element in _split(text, ","):
            hop: dict[str, str] = {}
            for pair in _split(element, ";"):
                match = _PAIR.fullmatch(pair)
                if match is None:
                    continue
                value = match[2]
                if value.startswith('"'):
                    value = re.sub(r"\\(.)", r"\1", value[1:-1])
                hop[match[1].lower()] = value
            hops.append(hop)
        client = self._walk([_address(hop.get("for", "")) for hop in hops])
        last = hops[-1] if hops else {}
        return client, _SCHEMES.get(last.get("proto", "").lower()), _valid_host(last.get("host", ""))


def _split(text: str, separator: str) -> list[str]:
    """Split at a separator that does not stand inside of quotes."""
    parts: list[str] = []
    current: list[str] = []
    quoted = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            parts.append("".join(current))
            current = []
            continue
        current.append(char)
    parts.append("".join(current))
    return parts


def _address(text: str) -> str | None:
    """Return the address in `1.2.3.4`, `1.2.3.4:80`, `::1` or `[::1]:80`, or None for what is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _valid_host(text: str) -> bytes | None:
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        return None
    return raw if _HOST.fullmatch(raw) else None
