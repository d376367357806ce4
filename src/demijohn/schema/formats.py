"""The kinds of strings that are checked by name: `Field(format="email")`."""

import re
from collections.abc import Callable

from demijohn._lib.translation import gettext_lazy as _

__all__ = ["checked_formats", "register_format"]

# Each pattern is linear: no nested repetition over the same characters.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"


def _fullmatch(pattern: str, flags: int = 0) -> Callable[[str], re.Match[str] | None]:
    """Return the `fullmatch` of a pattern, compiled at its first use: together they would be a tenth of the import."""
    compiled: Callable[[str], re.Match[str] | None] | None = None

    def fullmatch(text: str) -> re.Match[str] | None:
        nonlocal compiled
        if compiled is None:
            compiled = re.compile(pattern, flags).fullmatch
        return compiled(text)

    return fullmatch


_email = _fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\u0080-\uffff-]{1,64}@(?:[^\W_]|[\u0080-\uffff.-]){1,253}")
_host = _fullmatch(_HOST)
_slug = _fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_color = _fullmatch(r"#[0-9A-Fa-f]{6}")
_url = _fullmatch(r"https?://[^\s/?#\x00-\x20\x7f]+[^\s\x00-\x20\x7f]*", re.IGNORECASE)
_ipv4 = _fullmatch(rf"{_OCTET}(?:\.{_OCTET}){{3}}")


def _is_hostname(value: str) -> bool:
    return len(value) <= 253 and _host(value) is not None


def _is_email(value: str) -> bool:
    if len(value) > 254 or _email(value) is None:
        return False
    local, _, domain = value.rpartition("@")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return False
    labels = domain.split(".")
    return len(labels) > 1 and all(label and label[0] != "-" and label[-1] != "-" for label in labels)


def _is_url(value: str) -> bool:
    if len(value) > 8000 or _url(value) is None:
        return False
    authority = re.split("[/?#]", value.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        return bracket == "]" and _is_ipv6(host) and (not port or (port[0] == ":" and _is_port(port[1:])))
    host, _, port = authority.partition(":")
    if not host or (port and not _is_port(port)):
        return False
    return _is_hostname(host) if host.isascii() else len(host) <= 253


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535


def _is_ipv6(value: str) -> bool:
    from ipaddress import IPv6Address

    try:
        IPv6Address(value)
    except ValueError:
        return False
    return "%" not in value


_checks: dict[str, Callable[[str], bool]] = {
    "email": _is_email,
    "url": _is_url,
    "uri": _is_url,
    "slug": lambda value: _slug(value) is not None,
    "hostname": _is_hostname,
    "ipv4": lambda value: _ipv4(value) is not None,
    "ipv6": _is_ipv6,
    "color": lambda value: _color(value) is not None,
}


_NAMES = {
    "email": _("an email address"),
    "url": _("a web address"),
    "uri": _("a web address"),
    "slug": _("lower-case letters and digits with hyphens between them"),
    "hostname": _("a host name"),
    "ipv4": _("an IPv4 address"),
    "ipv6": _("an IPv6 address"),
    "color": _("a color, as in #1a2b3c"),
}


def register_format(name: str, check: Callable[[str], bool]) -> None:
    """Make `Field(format=name)` check its strings with a function of yours.

    Example:
        >>> register_format("plate", lambda text: len(text) <= 8 and text.isupper())
    """
    _checks[name] = check


def find_format(name: str) -> Callable[[str], bool] | None:
    """Return the check of a format, or `None` for one that only describes the input."""
    return _checks.get(name)


def name_of_format(name: str) -> str:
    """Return what people call a string of a format; the name itself where it is not one of ours."""
    return _NAMES.get(name, name)


def checked_formats() -> list[str]:
    """Return the names of the formats that are checked."""
    return sorted(_checks)
