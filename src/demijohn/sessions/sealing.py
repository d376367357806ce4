"""A box for what a client carries and must neither read nor change: AES-256-GCM under keys of one day each.

A sealed value is base64url of `version (1) | day (2) | nonce (12) | ciphertext and tag (16)`. Version, day and
purpose are authenticated. The key is derived from the secret for the purpose (HKDF), and from that for the day
(HMAC-SHA256), so that the number of values under one key stays far below the 2^32 that random nonces allow (NIST SP
800-38D, section 8.3).
"""

import hmac
import time
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from os import urandom
from typing import TYPE_CHECKING

from demijohn._lib.keys import KeyRing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["Box"]

_VERSION = 1
_DAY = 86_400
_NONCE = 12
_HEAD = 3
_REST = _HEAD + _NONCE
_SHORTEST = 42
_LONGEST = 16_384
_MOST_DAYS = 512
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class Box:
    """Seals and opens bytes for one purpose.

    Args:
        keys: Finds the keys of the app; asked once, at the first use.
        purpose: What the values are for; a value made for one purpose is refused by every other.

    Example:
        >>> box = Box(lambda: KeyRing("a7c1f09e5b2d48836e4f0c9b1d75a2e8"), "session")
        >>> box.open(box.seal(b"secret"), max_age=60)
        b'secret'
    """

    __slots__ = ("_days", "_keys", "_make", "_purpose", "_refused", "_ring")

    def __init__(self, keys: Callable[[], KeyRing], purpose: str) -> None:
        self._ring = keys
        self._purpose = purpose.encode()
        self._keys: tuple[bytes, ...] = ()
        self._days: dict[int, tuple[bytes, bytes, tuple[AESGCM, ...]]] = {}
        self._make: Callable[[bytes], AESGCM] | None = None
        self._refused: type[Exception] = Exception

    def __repr__(self) -> str:
        return f"Box({self._purpose.decode()!r})"

    def seal(self, payload: bytes) -> str:
        """Return the payload sealed under the newest secret, safe in a cookie and a URL."""
        day = int(time.time()) // _DAY
        head, extra, ciphers = self._days.get(day) or self._prepared(day)
        nonce = urandom(_NONCE)
        data = b2a_base64(head + nonce + ciphers[0].encrypt(nonce, payload, extra), newline=False)
        return data.rstrip(b"=").translate(_TO_URL).decode("ascii")

    def open(self, sealed: str | bytes, *, max_age: float) -> bytes | None:
        """Return the payload, or `None` for what was not sealed here in `max_age` seconds.

        The age is told by whole days; a value that needs it exact carries its time inside.
        """
        size = len(sealed)
        if not _SHORTEST <= size <= _LONGEST:
            return None
        raw = sealed.encode("ascii", "replace") if isinstance(sealed, str) else sealed
        try:
            data = a2b_base64(raw.translate(_FROM_URL) + b"=="[: -size % 4], strict_mode=True)
        except ValueError:
            return None
        if data[0] != _VERSION:
            return None
        today = int(time.time()) // _DAY
        day = today & ~0xFFFF | data[1] << 8 | data[2]
        if day > today + 1 or day < today - int(max_age // _DAY) - 1:
            return None
        _, extra, ciphers = self._days.get(day) or self._prepared(day)
        nonce, rest = data[_HEAD:_REST], data[_REST:]
        for cipher in ciphers:
            try:
                return cipher.decrypt(nonce, rest, extra)
            except self._refused:
                continue
        return None

    def _prepared(self, day: int) -> tuple[bytes, bytes, tuple["AESGCM", ...]]:
        """Make what a day needs: the head of its values, what is authenticated, a cipher per secret."""
        if self._make is None:
            # `cryptography` is loaded by the first session that is opened, not by the import of this room.
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._keys = self._ring().keys(f"seal:{self._purpose.decode()}")
            self._refused = InvalidTag
            self._make = AESGCM
        make = self._make
        head = bytes((_VERSION, day >> 8 & 0xFF, day & 0xFF))
        info = b"day" + day.to_bytes(4, "big")
        made = (head, head + self._purpose, tuple(make(hmac.digest(key, info, "sha256")) for key in self._keys))
        if len(self._days) >= _MOST_DAYS:
            self._days.clear()
        self._days[day] = made
        return made
