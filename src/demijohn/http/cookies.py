"""Cookies: read as tolerantly as browsers write them, written strictly (RFC 6265bis)."""

import re
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

from demijohn.errors import DemijohnError
from demijohn.http.dates import format_http_date

__all__ = ["BadCookie", "Cookies", "SameSite", "encode_cookie"]

SameSite = Literal["strict", "lax", "none"]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PLAIN = re.compile(r"[!#$%&'()*+\-./0-9:<=>?@A-Z\[\]^_`a-z{|}~]*")
_ATTRIBUTE = re.compile(r"[\x20-\x3a\x3c-\x7e]*")
_ESCAPE = re.compile(rb"\\([0-3][0-7][0-7]|.)", re.DOTALL)
_MAX_SIZE = 4096


class BadCookie(DemijohnError, ValueError):
    """A cookie that browsers would refuse, or that would break out of its header."""

    code = "DJN-302"


class Cookies(Mapping[str, str]):
    """The cookies of a request, by name (case matters); the first of a name wins.

    Browsers send the cookie of the longest path first. Nameless cookies are ignored, so that none can pose as one
    with a `__Host-` prefix. Nothing that a client sends makes reading fail.

    Example:
        >>> Cookies("a=1; b=2")["b"]
        '2'
    """

    __slots__ = ("_values",)

    def __init__(self, header: str | Mapping[str, str] = "", /) -> None:
        self._values: dict[str, str] = parse_cookies(header) if isinstance(header, str) else dict(header)

    def __getitem__(self, name: str, /) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __repr__(self) -> str:
        # Values are often credentials: a request that is logged must not show them.
        return f"Cookies({', '.join(self._values)})"


def _unescape(found: re.Match[bytes]) -> bytes:
    escaped = found[1]
    return bytes([int(escaped, 8)]) if len(escaped) == 3 else escaped


def parse_cookies(header: str) -> dict[str, str]:
    """Read a `Cookie` header (text in Latin-1, as it came from the wire)."""
    cookies: dict[str, str] = {}
    plain = header.isascii()
    for part in header.split(";"):
        name, equals, value = part.partition("=")
        name = name.strip(" \t")
        if not equals or not name or name in cookies:
            continue
        value = value.strip(" \t")
        if plain and '"' not in value:
            cookies[name] = value
            continue
        if len(value) > 1 and value[0] == '"' == value[-1]:
            value = value[1:-1]
            if "\\" in value:
                value = _ESCAPE.sub(_unescape, value.encode("latin-1", "replace")).decode("latin-1")
        if not part.isascii():
            name = name.encode("latin-1", "replace").decode("utf-8", "replace")
        if not value.isascii():
            value = value.encode("latin-1", "replace").decode("utf-8", "replace")
        cookies.setdefault(name, value)
    return cookies


def _quote(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    pieces = []
    for byte in value.encode():
        character = chr(byte)
        if character in '"\\':
            pieces.append("\\" + character)
        elif 32 <= byte < 127 and character not in ",;":
            pieces.append(character)
        else:
            pieces.append(f"\\{byte:03o}")
    return '"' + "".join(pieces) + '"'


def encode_cookie(
    name: str,
    value: str,
    *,
    max_age: int | timedelta | None = None,
    expires: datetime | None = None,
    path: str | None = "/",
    domain: str | None = None,
    secure: bool = False,
    httponly: bool = True,
    samesite: SameSite | None = "lax",
    partitioned: bool = False,
) -> str:
    """Return the value of a `Set-Cookie` header.

    A value with spaces, commas, quotes or letters outside of ASCII is quoted and escaped as the standard library,
    Flask and Django do, and read back by all of them.

    Raises:
        BadCookie: A browser would refuse it, or it would break out of its header.
    """
    if not _NAME.fullmatch(name):
        raise BadCookie(
            f"The cookie name {name!r} cannot be sent.",
            why="A name consists of letters, digits and !#$%&'*+-.^_`|~ only.",
            fix='Write a plain name:  response.set_cookie("theme", "dark")',
        )
    if not isinstance(value, str):
        raise BadCookie(
            f"The cookie {name!r} was given {type(value).__name__}.",
            why="A cookie carries text.",
            fix=f'Write it as text:  response.set_cookie("{name}", str(value))',
        )
    _check_prefix(name, path=path, domain=domain, secure=secure, httponly=httponly)
    parts = [f"{name}={_quote(value)}"]
    if expires is not None:
        parts.append(f"Expires={format_http_date(expires)}")
    if max_age is not None:
        seconds = int(max_age.total_seconds()) if isinstance(max_age, timedelta) else int(max_age)
        parts.append(f"Max-Age={seconds}")
    if domain is not None:
        parts.append(f"Domain={_attribute(name, 'domain', domain)}")
    if path is not None:
        parts.append(f"Path={_attribute(name, 'path', path)}")
    if secure:
        parts.append("Secure")
    if httponly:
        parts.append("HttpOnly")
    if samesite is not None:
        word = str(samesite).lower()
        if word not in ("strict", "lax", "none"):
            raise BadCookie(
                f"The cookie {name!r} has samesite={samesite!r}.",
                why="Browsers know three words for it.",
                fix=f'Write one of them:  response.set_cookie("{name}", value, samesite="lax")  # or "strict", "none"',
            )
        if word == "none" and not secure:
            raise BadCookie(
                f'The cookie {name!r} has samesite="none" and is not secure.',
                why="Browsers drop such a cookie.",
                fix=f'Add secure:  response.set_cookie("{name}", value, samesite="none", secure=True)',
            )
        parts.append(f"SameSite={word.capitalize()}")
    if partitioned:
        if not secure:
            raise BadCookie(
                f"The cookie {name!r} is partitioned and not secure.",
                why="Browsers drop such a cookie.",
                fix=f'Add secure:  response.set_cookie("{name}", value, partitioned=True, secure=True)',
            )
        parts.append("Partitioned")
    if len(parts[0]) - 1 > _MAX_SIZE:
        warnings.warn(
            f"The cookie {name!r} has {len(parts[0]) - 1} bytes. Browsers may drop one over {_MAX_SIZE}. "
            "Keep the data on the server and only its key in the cookie.",
            stacklevel=3,
        )
    return "; ".join(parts)


def _attribute(name: str, attribute: str, value: str) -> str:
    if not _ATTRIBUTE.fullmatch(value):
        raise BadCookie(
            f"The cookie {name!r} has {attribute}={value!r}.",
            why="A semicolon, a control character or a letter outside of ASCII would end the attribute.",
            fix="Percent-encode a path (urllib.parse.quote), and write a domain in its ASCII form.",
        )
    return value


def _check_prefix(name: str, *, path: str | None, domain: str | None, secure: bool, httponly: bool) -> None:
    lower = name.lower()
    if not lower.startswith(("__secure-", "__host-", "__http-")):
        return
    missing = []
    if not secure:
        missing.append("secure=True")
    if lower.startswith("__host-") and (path != "/" or domain is not None):
        missing.append('path="/" and no domain')
    if lower.startswith(("__http-", "__host-http-")) and not httponly:
        missing.append("httponly=True")
    if missing:
        raise BadCookie(
            f"The cookie {name!r} lacks {' and '.join(missing)}.",
            why="Its prefix promises that to the browser, which drops the cookie otherwise (RFC 6265bis, 4.1.3).",
            fix=f'Write:  response.set_cookie("{name}", value, {", ".join(missing[:1])})',
        )
