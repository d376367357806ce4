"""Origins: what browsers write into `Origin`, compared part by part (RFC 6454; the Fetch Standard)."""

from collections.abc import Iterable
from functools import lru_cache

from demijohn.errors import ConfigurationError
from demijohn.middleware.hosts import Host, is_loopback, parse_host

__all__ = ["Origin", "OriginSet", "is_trustworthy", "own_origin", "parse_origin"]

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_PAGE_SCHEME = {"ws": "http", "wss": "https"}
_SCHEME = b"abcdefghijklmnopqrstuvwxyz0123456789+-."


class Origin(tuple[str, str, int | None]):
    """Scheme, host and port; the usual port of a scheme is `None`.

    Example:
        >>> parse_origin("https://Example.org:443") == parse_origin("https://example.org")
        True
    """

    __slots__ = ()

    @property
    def scheme(self) -> str:
        """`http`, `https`, or what an app or extension uses."""
        return self[0]

    @property
    def host(self) -> str:
        """The name in lower case, an IPv6 address in brackets."""
        return self[1]

    @property
    def port(self) -> int | None:
        """The port, or `None` for the usual one."""
        return self[2]

    def __str__(self) -> str:
        return f"{self[0]}://{self[1]}" + ("" if self[2] is None else f":{self[2]}")


@lru_cache(maxsize=512)
def parse_origin(raw: bytes | str, /) -> Origin | None:
    """Read an `Origin` header; `None` for `null` and for what is none."""
    if isinstance(raw, str):
        if not raw.isascii():
            return None
        raw = raw.encode("ascii")
    scheme, found, rest = raw.partition(b"://")
    scheme = scheme.lower()
    if not found or not scheme or scheme.translate(None, _SCHEME) or not scheme[:1].isalpha():
        return None
    host = parse_host(rest)
    if host is None or rest.endswith(b":"):
        return None
    return _origin(scheme.decode("ascii"), host)


def _origin(scheme: str, host: Host) -> Origin:
    return Origin((scheme, host.name, None if host.port == _PORTS.get(scheme) else host.port))


@lru_cache(maxsize=512)
def own_origin(scheme: str, host: str) -> Origin | None:
    """Return the origin of a page that was asked for by this scheme and `Host`; `None` where it is no host."""
    read = parse_host(host)
    return None if read is None else _origin(_PAGE_SCHEME.get(scheme, scheme), read)


def is_trustworthy(origin: Origin) -> bool:
    """Tell whether browsers treat the origin as secure: https, or this machine (Secure Contexts, section 3.1)."""
    return origin.scheme == "https" or is_loopback(origin.host)


class OriginSet:
    """A set of origins: exact ones, and `https://*.example.org` for all below a domain.

    Args:
        origins: What is in the set.
        setting: How the setting is called, for the message.

    Raises:
        ConfigurationError: An entry is no origin (`DJN-743`).

    Example:
        >>> origins = OriginSet(["https://*.example.org"])
        >>> parse_origin("https://a.example.org") in origins, parse_origin("https://example.org") in origins
        (True, False)
    """

    __slots__ = ("_exact", "_suffixes")

    def __init__(self, origins: Iterable[str] = (), *, setting: str = "trusted_origins") -> None:
        if isinstance(origins, str):
            origins = [origins]
        self._exact: set[Origin] = set()
        self._suffixes: list[tuple[str, str, int | None]] = []
        for text in origins:
            scheme, found, rest = text.partition("://")
            below = bool(found) and rest.startswith("*.")
            origin = parse_origin(f"{scheme}://{rest[2:]}" if below else text)
            if origin is None or (below and "." not in origin.host):
                raise ConfigurationError(
                    f"{setting} has {text!r}, which is no origin.",
                    why="An origin is a scheme, a host and at most a port, as browsers send it: no path, no slash at "
                    "the end; and `null` is what every sandboxed page sends.",
                    fix=f'Write:  {setting}=["https://app.example.org"]   or all below it:  "https://*.example.org"',
                    code="DJN-743",
                )
            if below:
                self._suffixes.append((origin.scheme, "." + origin.host, origin.port))
            else:
                self._exact.add(origin)

    def __contains__(self, origin: Origin | None) -> bool:
        if origin is None:
            return False
        if origin in self._exact:
            return True
        return any(
            origin.scheme == scheme and origin.port == port and origin.host.endswith(suffix)
            for scheme, suffix, port in self._suffixes
        )

    def __bool__(self) -> bool:
        return bool(self._exact or self._suffixes)
