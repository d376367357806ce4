"""The one way a request path is decoded, so that no two rooms can read it differently."""

import re

__all__ = ["PATH_SAFE", "decode_path"]

PATH_SAFE = "/!$&'()*+,;=:@~"
"""What stays as it is in an encoded path beside letters, digits and `-._` (RFC 3986, section 3.3)."""

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")


def _unescape(found: re.Match[bytes]) -> bytes:
    digits = found.group(1)
    if digits is None:
        return b"%"
    byte = int(digits, 16)
    return b"%2F" if byte == 0x2F else bytes((byte,))


def decode_path(raw: bytes) -> str:
    """Decode the path of a request target once, where `%2F` stays `%2F`.

    An encoded slash is data, not a border between segments: after decoding, nobody could tell one from the other, and
    a guard would see another path than the one that is routed. A `%` that begins no escape is taken as it is.

    Args:
        raw: The path as it came, without the query.

    Raises:
        ValueError: A NUL, or bytes that are not UTF-8 (overlong forms and surrogates included; RFC 3629, section 3).

    Example:
        >>> decode_path(b"/caf%C3%A9/a%2fb")
        '/café/a%2Fb'
    """
    # `find` and `in` in text take a tenth of the time of `in` in bytes.
    if raw.find(b"%") >= 0:
        raw = _ESCAPE.sub(_unescape, raw)
    path = raw.decode("utf-8")
    if "\0" in path:
        raise ValueError("The path contains a NUL.")
    return path
