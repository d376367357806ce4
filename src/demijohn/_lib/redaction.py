"""Secrets in texts: which names have them, and a text without them."""

import re
from typing import Final

__all__ = ["HIDDEN", "is_secret", "redact", "text_of"]

HIDDEN: Final = "••••••"

_SECRET: Final = re.compile(
    r"passw(?:or)?d|passphrase|pwd|secret|token|cookie|session|dsn|credential|otp"
    r"|(?:^|[^a-z])keys?(?:$|[^a-z])|api_?keys?"
    r"|auth(?!ors?(?:$|[^a-z]))",
    re.IGNORECASE,
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_URL: Final = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]*://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)", re.IGNORECASE)
_PAIR: Final = re.compile(
    r"(?P<name>\b[\w.-]{0,40}(?:passw(?:or)?d|passphrase|secret|token|api_?key|cookie|dsn|credential|authorization)[\w-]{0,40}\b)"
    r"(?P<sign>['\"]?\s*[=:]\s*)"
    r"(?P<value>b?'(?:[^'\\]|\\.)*'|b?\"(?:[^\"\\]|\\.)*\"|[^\s,;)}\]'\"]+)",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(r"\b(?P<head>(?:Bearer|Basic)\s+)[\w.~+/=-]{6,}", re.IGNORECASE)


def is_secret(name: object) -> bool:
    """Return whether what bears this name is not shown.

    Those are passwords, keys, tokens, cookies, sessions, DSNs and the like.

    Example:
        >>> is_secret("api_key"), is_secret("SessionToken"), is_secret("author"), is_secret("monkey")
        (True, True, False, False)
    """
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if not isinstance(name, str):
        return False
    return _SECRET.search(_CAMEL.sub("_", text_of(name))) is not None


def text_of(value: object) -> str:
    """Return a value as an exact `str`; a `str` that says it is HTML is a plain text here."""
    try:
        return str.__str__(str(value))
    except Exception as error:
        return f"<{type(value).__name__}: its text cannot be had, {type(error).__name__}>"


def redact(text: str) -> str:
    """Return a text without the secrets in it.

    Those are passwords of URLs, bearers' tokens, and what stands behind the name of a secret.

    Example:
        >>> redact("postgresql://ann:hunter2@db/shop, password='x', Bearer abcdefgh")
        'postgresql://ann:••••••@db/shop, password=••••••, Bearer ••••••'
    """
    if "://" in text:
        text = _URL.sub(rf"\g<head>{HIDDEN}", text)
    if "earer" in text or "asic" in text:
        text = _BEARER.sub(rf"\g<head>{HIDDEN}", text)
    return _PAIR.sub(rf"\g<name>\g<sign>{HIDDEN}", text)
