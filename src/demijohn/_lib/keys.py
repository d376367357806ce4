"""Keys for one purpose each, derived from the secret of the app, with rotation.

One secret is kept by the people who run a site; every use (the CSRF cookie, the session, a signed link) gets a key of
its own by HKDF with SHA-256 (RFC 5869), so that no value made for one use is ever accepted by another.
"""

from collections.abc import Iterable

from demijohn._lib.later import hashlib, hmac

__all__ = ["MINIMUM_BYTES", "KeyRing", "WeakSecret", "hkdf"]

MINIMUM_BYTES = 32
"""The shortest secret that is taken: as many bytes as the hash has."""
_MINIMUM_DISTINCT = 8
_SALT = b"demijohn.keys.v1"


class WeakSecret(ValueError):
    """A secret that is too short or too regular; the message never shows it."""


def hkdf(secret: bytes, info: bytes, *, length: int = 32, salt: bytes = _SALT) -> bytes:
    """Derive `length` bytes from a secret for one use (RFC 5869, SHA-256).

    Args:
        secret: The input key; it must already be random.
        info: What the key is for.
        length: How many bytes, at most 8,160.
        salt: Not secret; the same for all keys of one kind.

    Raises:
        ValueError: The length is not between 1 and 8,160.
    """
    if not 1 <= length <= 255 * 32:
        raise ValueError(f"HKDF with SHA-256 gives 1 to 8160 bytes, not {length}.")
    base = hmac.digest(salt, secret, "sha256")
    block, out = b"", b""
    counter = 1
    while len(out) < length:
        block = hmac.digest(base, block + info + bytes((counter,)), "sha256")
        out += block
        counter += 1
    return out[:length]


class KeyRing:
    """The secrets of an app, newest first, and the keys derived from them.

    The first secret makes new values; all of them are tried when a value is read, so that a secret is rotated
    by putting the new one in front and taking the old one away when what it made has run out.

    Args:
        secrets: One secret or several, newest first; each at least 32 bytes of real randomness.

    Raises:
        WeakSecret: There is none, or one is too short or too regular.

    Example:
        >>> ring = KeyRing("a7c1f09e5b2d48836e4f0c9b1d75a2e8")
        >>> len(ring.key("csrf")), ring.key("csrf") == ring.key("session")
        (32, False)
    """

    __slots__ = ("_cache", "_secrets")

    def __init__(self, secrets: str | bytes | Iterable[str | bytes]) -> None:
        if isinstance(secrets, str | bytes):
            secrets = (secrets,)
        self._secrets = tuple(_checked(secret, place) for place, secret in enumerate(secrets))
        if not self._secrets:
            raise WeakSecret("No secret was given.")
        self._cache: dict[tuple[str, int], tuple[bytes, ...]] = {}

    def __repr__(self) -> str:
        return f"KeyRing({len(self._secrets)} secrets, hidden)"

    def __len__(self) -> int:
        return len(self._secrets)

    def __reduce__(self) -> str:
        raise TypeError("A KeyRing is not pickled: secrets stay in the process that was given them.")

    def keys(self, purpose: str, *, length: int = 32) -> tuple[bytes, ...]:
        """Return the keys for a purpose, newest first; the first signs, each may verify."""
        found = self._cache.get((purpose, length))
        if found is None:
            info = purpose.encode()
            found = tuple(hkdf(secret, info, length=length) for secret in self._secrets)
            self._cache[purpose, length] = found
        return found

    def key(self, purpose: str, *, length: int = 32) -> bytes:
        """Return the newest key for a purpose."""
        return self.keys(purpose, length=length)[0]

    def sign(self, purpose: str, message: bytes) -> bytes:
        """Return the 32 bytes of HMAC-SHA256 of a message under the newest key."""
        return hmac.digest(self.keys(purpose)[0], message, "sha256")

    def verify(self, purpose: str, message: bytes, signature: bytes) -> bool:
        """Tell in constant time per key whether any key of the purpose made the signature."""
        valid = False
        for key in self.keys(purpose):
            valid |= hmac.compare_digest(hmac.digest(key, message, "sha256"), signature)
        return valid

    def fingerprint(self) -> str:
        """Return eight hex digits that name the newest secret and tell nothing about it."""
        return hashlib.sha256(self.key("fingerprint")).hexdigest()[:8]


def _checked(secret: str | bytes, place: int) -> bytes:
    value = secret.encode() if isinstance(secret, str) else bytes(secret)
    which = "The secret" if place == 0 else f"The secret at place {place + 1}"
    if len(value) < MINIMUM_BYTES:
        raise WeakSecret(f"{which} has {len(value)} bytes; at least {MINIMUM_BYTES} are needed.")
    if len(set(value)) < _MINIMUM_DISTINCT:
        raise WeakSecret(f"{which} repeats {len(set(value))} characters; a random one does not.")
    return value
