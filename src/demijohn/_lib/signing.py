"""Values that a client carries and cannot change: itsdangerous on SHA-256, with rotation.

Signed values are readable by whoever holds them; they are only proof against change. What has to stay unread is sealed
(the session cookie does that).
"""

import time
from typing import TYPE_CHECKING, Any

from demijohn._lib.keys import KeyRing
from demijohn._lib.later import hashlib

if TYPE_CHECKING:
    from itsdangerous import TimestampSigner, URLSafeTimedSerializer

__all__ = ["BadSignature", "ExpiredSignature", "Signer"]

_FUTURE_SKEW = 60
"""Seconds by which the clock of the signer may run ahead of the reader's."""


class BadSignature(Exception):
    """The value was not made here for this purpose, or was changed since."""


class ExpiredSignature(BadSignature):
    """The value was made here, and is older than asked for; `age` is in seconds."""

    def __init__(self, age: float) -> None:
        self.age = age
        super().__init__(f"The signature is {age:.0f} seconds old.")


class Signer:
    """Signs text and small JSON values for one purpose, with the time of signing inside.

    Args:
        keys: The keys of the app.
        purpose: What the values are for; a value made for one purpose is refused by every other.

    Example:
        >>> signer = Signer(KeyRing("a7c1f09e5b2d48836e4f0c9b1d75a2e8"), "unsubscribe")
        >>> signer.unsign(signer.sign("ann@example.com"), max_age=3600)
        'ann@example.com'
    """

    __slots__ = ("_keys", "_purpose", "_serializer", "_signer")

    def __init__(self, keys: KeyRing, purpose: str) -> None:
        self._keys = keys
        self._purpose = purpose
        self._signer: TimestampSigner | None = None
        self._serializer: URLSafeTimedSerializer | None = None

    def __repr__(self) -> str:
        return f"Signer({self._purpose!r})"

    def sign(self, text: str) -> str:
        """Return the text with the time and a signature appended."""
        return self._timestamped().sign(text).decode()

    def unsign(self, signed: str, *, max_age: float | None = None) -> str:
        """Return the text of a signed value.

        Args:
            signed: What `sign` returned.
            max_age: The oldest that is accepted, in seconds; `None` for any age.

        Raises:
            ExpiredSignature: It is older than `max_age`.
            BadSignature: It was not signed here for this purpose, or is dated in the future.
        """
        from itsdangerous import BadSignature as Refused

        _check_spelling(signed)
        try:
            value, when = self._timestamped().unsign(signed, return_timestamp=True)
            text = value.decode()
        except (Refused, UnicodeError, ValueError, OverflowError):
            raise BadSignature("The signature does not match.") from None
        _check_age(when.timestamp(), max_age)
        return text

    def dumps(self, value: Any) -> str:
        """Return a JSON value as signed text that is safe in a URL and a cookie.

        Takes `Any`: whatever `json` can write.
        """
        return str(self._serialized().dumps(value))

    def loads(self, signed: str, *, max_age: float | None = None) -> Any:
        """Return the value of `dumps`; what it is only its maker knows, hence `Any`.

        Raises:
            ExpiredSignature: It is older than `max_age` seconds.
            BadSignature: It was not signed here for this purpose, or is dated in the future.
        """
        from itsdangerous import BadSignature as Refused

        _check_spelling(signed)
        try:
            value, when = self._serialized().loads(signed, return_timestamp=True)
        except (Refused, UnicodeError, ValueError, OverflowError, RecursionError):
            raise BadSignature("The signature does not match.") from None
        _check_age(when.timestamp(), max_age)
        return value

    def _timestamped(self) -> "TimestampSigner":
        if self._signer is None:
            from itsdangerous import TimestampSigner

            self._signer = TimestampSigner(
                self._oldest_first(), salt=self._salt(), key_derivation="hmac", digest_method=hashlib.sha256
            )
        return self._signer

    def _serialized(self) -> "URLSafeTimedSerializer":
        if self._serializer is None:
            from itsdangerous import URLSafeTimedSerializer

            self._serializer = URLSafeTimedSerializer(
                self._oldest_first(),
                salt=self._salt() + b".json",
                signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
            )
        return self._serializer

    def _oldest_first(self) -> list[bytes]:
        # itsdangerous signs with the last of its list
        return list(reversed(self._keys.keys(f"signer:{self._purpose}")))

    def _salt(self) -> bytes:
        return f"demijohn.signer.{self._purpose}".encode()


def _check_spelling(signed: str) -> None:
    # base64 reads "+" as "-", skips what is no letter of its own and leaves the last bits open:
    # one signature would have many spellings, and a list of used or revoked values could be passed by
    from itsdangerous import BadData
    from itsdangerous.encoding import base64_decode, base64_encode

    signature = signed.rpartition(".")[2]
    try:
        canonical = base64_encode(base64_decode(signature)).decode()
    except (ValueError, UnicodeError, BadData):
        canonical = None
    if canonical != signature:
        raise BadSignature("The signature does not match.")


def _check_age(made: float, max_age: float | None) -> None:
    age = time.time() - made
    if age < -_FUTURE_SKEW:
        raise BadSignature("The signature is dated in the future.")
    if max_age is not None and age > max_age:
        raise ExpiredSignature(age)
