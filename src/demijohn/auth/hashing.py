"""Hashes of passwords: argon2id for new ones; those of Django and Werkzeug verify, and are replaced at login."""

import base64
import binascii
import hmac
import os
from typing import Any

from demijohn._lib.concurrency import Pool, run_in_thread
from demijohn._lib.extras import need
from demijohn._lib.later import hashlib

__all__ = ["LONGEST", "PasswordHasher"]

LONGEST = 1024
"""The longest password that is hashed, in characters: nothing is cut, and nobody makes us hash a megabyte."""

_MEMORY = 256 * 1024 * 1024
"""What a hash of scrypt may take."""
_ROUNDS = 10_000_000
"""What a hash of PBKDF2 may take."""


class PasswordHasher:
    """Hashes and verifies passwords in a few threads of its own.

    Args:
        time_cost, memory_cost, parallelism: The cost of argon2id; the memory in KiB. The defaults are the minimum that
            OWASP names: 19 MiB and some 30 ms.
        threads: How many are hashed at once; the number of cores otherwise.
        most_waiting: How many more may wait for a thread, before logins are answered 503.
    """

    def __init__(
        self,
        *,
        time_cost: int = 2,
        memory_cost: int = 19_456,
        parallelism: int = 1,
        threads: int | None = None,
        most_waiting: int = 128,
    ) -> None:
        self._costs: dict[str, Any] = {"time_cost": time_cost, "memory_cost": memory_cost, "parallelism": parallelism}
        self._pool = Pool("demijohn-passwords", size=threads or os.cpu_count() or 1, most_waiting=most_waiting)
        self._argon2: Any = None
        self._dummy = ""

    async def hash(self, password: str) -> str:
        """Return the hash of a new password."""
        return await run_in_thread(lambda: self._hash(password), self._pool, label="hashing a password")

    async def verify(self, password: str, hashed: str) -> tuple[bool, str | None]:
        """Return whether a password has this hash, and a better hash of it.

        The second is None where the hash is of today. An empty hash, and one that cannot be read, takes the time of a
        wrong password.
        """
        return await run_in_thread(lambda: self._verify(password, hashed), self._pool, label="verifying a password")

    def _hash(self, password: str) -> str:
        return str(self._hasher().hash(password))

    def _verify(self, password: str, hashed: str) -> tuple[bool, str | None]:
        try:
            password.encode()
        except UnicodeEncodeError:
            password, hashed = "", ""
        if len(password) > LONGEST:
            password, hashed = "", ""
        try:
            verdict = _verify_foreign(password, hashed)
        except (ValueError, TypeError, binascii.Error, MemoryError):
            verdict = False
        if verdict is True:
            return True, self._hash(password)
        if verdict is False:
            return False, None
        hasher = self._hasher()
        good, is_old = False, True
        try:
            if hashed.startswith("$argon2"):
                good, is_old = bool(hasher.verify(password, hashed)), bool(hasher.check_needs_rehash(hashed))
        except Exception:  # noqa: S110 - a hash that was cut or changed by hand: argon2 has an exception for each way
            pass
        if good:
            return True, self._hash(password) if is_old else None
        if is_old:  # nobody's password, and one of other costs, take the time of one of today
            if not self._dummy:
                self._dummy = self._hash("nobody's")
            hasher.verify(password, self._dummy)
        return False, None

    def _hasher(self) -> Any:
        if self._argon2 is None:
            from pwdlib.hashers.argon2 import Argon2Hasher

            self._argon2 = Argon2Hasher(**self._costs)
        return self._argon2


def _verify_foreign(password: str, hashed: str) -> bool | None:
    """Return whether a password has a hash of another framework; None where it is not one of those."""
    kind, _, rest = hashed.partition("$")
    if kind in ("pbkdf2_sha256", "pbkdf2_sha1"):  # Django
        rounds, salt, digest = rest.split("$")
        found = _pbkdf2(password, kind.removeprefix("pbkdf2_"), salt, int(rounds))
        return hmac.compare_digest(base64.b64encode(found), digest.encode())
    if kind == "argon2":  # Django
        from pwdlib.hashers.argon2 import Argon2Hasher

        return bool(Argon2Hasher().verify(password, f"${rest}"))
    if kind in ("bcrypt", "bcrypt_sha256"):  # Django
        bcrypt = need("bcrypt", extra="bcrypt", wanted_for="hashes of passwords by bcrypt")
        secret = password.encode()
        if kind == "bcrypt_sha256":
            secret = binascii.hexlify(hashlib.sha256(secret).digest())
        return bool(bcrypt.checkpw(secret[:72], rest.encode()))
    if kind == "scrypt":  # Django
        n, salt, r, p, digest = rest.split("$")
        found = _scrypt(password, salt, n=int(n), r=int(r), p=int(p))
        return hmac.compare_digest(base64.b64encode(found), digest.encode())
    if kind.startswith("scrypt:"):  # Werkzeug
        cost = dict(zip("nrp", map(int, kind.split(":")[1:]), strict=True))
        salt, digest = rest.split("$")
        return hmac.compare_digest(_scrypt(password, salt, **cost).hex(), digest)
    if kind.startswith("pbkdf2:"):  # Werkzeug
        _, name, rounds = kind.split(":")
        salt, digest = rest.split("$")
        return hmac.compare_digest(_pbkdf2(password, name, salt, int(rounds)).hex(), digest)
    return None


def _pbkdf2(password: str, name: str, salt: str, rounds: int) -> bytes:
    if rounds > _ROUNDS:
        raise ValueError("more rounds than anybody asks for")
    return hashlib.pbkdf2_hmac(name, password.encode(), salt.encode(), rounds)


def _scrypt(password: str, salt: str, *, n: int, r: int, p: int) -> bytes:
    if 128 * n * r * p > _MEMORY:
        raise ValueError("more memory than anybody asks for")
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=n, r=r, p=p, maxmem=_MEMORY + 1024, dklen=64)
