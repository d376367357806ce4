"""Where sessions are kept on the server: the protocol, and memory."""

import time
from collections import OrderedDict
from typing import Protocol, runtime_checkable

__all__ = ["MemorySessionStore", "SessionStore"]


@runtime_checkable
class SessionStore(Protocol):
    """Keeps sessions on the server, so that the cookie holds a sealed id alone.

    Keys are hashes of ids: who reads the store cannot make a cookie. Payloads are bytes; what they mean is the
    session's affair. A store whose methods never wait sets `is_immediate = True`. A store that is down raises, which
    answers 500 or 503: nobody is signed out because a server is away.
    """

    async def load(self, key: str) -> bytes | None:
        """Return the payload of a key, or None where there is none that is still good."""

    async def save(self, key: str, payload: bytes, *, expires: float) -> None:
        """Keep a payload until `expires`, in seconds since 1970."""

    async def delete(self, key: str) -> None:
        """Forget a key; one that is not there is no mistake."""


class MemorySessionStore:
    """Sessions in the memory of one process: for development, tests, small sites.

    Args:
        most: How many are kept; the one unused for longest goes first.

    Example:
        >>> store = MemorySessionStore(most=10_000)
    """

    is_immediate = True

    def __init__(self, *, most: int = 100_000) -> None:
        self.most = most
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    async def load(self, key: str) -> bytes | None:
        """Return the payload of a key, or None where there is none that is still good."""
        found = self._kept.get(key)
        if found is None:
            return None
        expires, payload = found
        if expires < time.time():
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return payload

    async def save(self, key: str, payload: bytes, *, expires: float) -> None:
        """Keep a payload until `expires`, in seconds since 1970."""
        self._kept[key] = (expires, payload)
        self._kept.move_to_end(key)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)

    async def delete(self, key: str) -> None:
        """Forget a key; one that is not there is no mistake."""
        self._kept.pop(key, None)

    async def clear_expired(self) -> int:
        """Forget what is too old, and return how many that were."""
        now = time.time()
        old = [key for key, (expires, _) in self._kept.items() if expires < now]
        for key in old:
            del self._kept[key]
        return len(old)
