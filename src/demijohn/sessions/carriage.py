"""From the request to the session and back to the response: cookies, ages, sizes and stores."""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from demijohn._lib.keys import KeyRing
from demijohn.http import Connection, Request, Response
from demijohn.middleware import keep_private
from demijohn.middleware.exchange import before_sending
from demijohn.schema import to_msgpack
from demijohn.sessions.failures import SessionTooLarge, SessionTooLate
from demijohn.sessions.sealing import Box
from demijohn.sessions.session import Kept, Session

if TYPE_CHECKING:
    from demijohn.sessions.stores import SessionStore

__all__ = ["Carriage", "CookieOptions"]

_LARGEST = 4096
"""Bytes of name and value that browsers keep (RFC 6265bis, section 5.6)."""
_SKEW = 60
_decode = msgspec.msgpack.Decoder(Kept).decode


@dataclass(frozen=True, slots=True)
class CookieOptions:
    """How the cookie of the session is called, how long it lives, and where it is sent."""

    name: str
    idle: int
    absolute: int
    permanent: bool
    samesite: Literal["strict", "lax", "none"]
    domain: str | None
    path: str

    @property
    def renew_after(self) -> float:
        """Return after how many seconds a session that is only read is written again."""
        return self.idle / 10

    def name_for(self, scheme: str) -> str:
        """Return the cookie's name: with the prefix that fits what is promised, on https."""
        if scheme not in ("https", "wss"):
            return self.name
        if self.domain is None and self.path == "/":
            return f"__Host-{self.name}"
        return f"__Secure-{self.name}"


class Carriage:
    """Opens the session of a request, and puts it on the response."""

    def __init__(self, options: CookieOptions, keys: Callable[[], KeyRing], *, store: "SessionStore | None") -> None:
        self.options = options
        self.store = store
        self._box = Box(keys, "session")

    def begin(self, request: Connection) -> Session:
        """Return the session of a request, not opened yet, to be put on its response."""
        session = Session(
            request,
            load=lambda: self._find(request),
            touch=lambda: keep_private(request),
            permanent=self.options.permanent,
        )
        if not isinstance(request, Request):
            session.close()  # the head of a WebSocket's answer goes out before its handler runs
            return session
        parcel = _Parcel()
        # Sealed where an error still finds the error handlers, put on whatever response goes out in the end.
        _after(request, lambda response: self._pack(session, parcel, response))
        before_sending(request, lambda response: self._send(session, parcel, response))
        return session

    async def begin_stored(self, request: Connection) -> Session:
        """Return the session of a request with what the store keeps of it."""
        kept = self._find(request)
        if kept is not None:
            kept = await self._load(kept.id)
        session = Session(
            request, load=lambda: kept, touch=lambda: keep_private(request), permanent=self.options.permanent
        )
        if not isinstance(request, Request):
            session.close()
            return session
        parcel = _Parcel()
        _after(request, lambda response: self._save(session, parcel, response))
        before_sending(request, lambda response: self._send_stored(session, parcel, response))
        return session

    # -- into the response ----------------------------------------------------------------------------------------

    def _pack(self, session: Session, parcel: "_Parcel", response: Response) -> None:
        """Seal the session, where it has to be written; an answer of 500 changes nothing."""
        if response.status < 500 and session.changed(renew_after=self.options.renew_after):
            parcel.is_full = True
            parcel.value = None
            if session:
                kept = session.kept()
                parcel.value, parcel.permanent = self._sealed(kept, session), kept.permanent

    def _send(self, session: Session, parcel: "_Parcel", response: Response) -> None:
        self._pack(session, parcel, response)  # a hook may have changed it since
        self._put(session, parcel, response)
        session.close()

    async def _save(self, session: Session, parcel: "_Parcel", response: Response) -> None:
        """Write the session into the store, in the same unit of work as what the handler did."""
        if response.status >= 500 or not session.changed(renew_after=self.options.renew_after):
            return
        parcel.is_full = True
        for stale in session.outdated():
            await self._store.delete(_key(stale))
        if session:
            kept = session.kept()
            expires = min(kept.made + self.options.absolute, kept.seen + self.options.idle)
            await self._store.save(_key(kept.id), to_msgpack(kept), expires=expires)
            named = Kept(kept.id, kept.made, kept.seen, kept.permanent)
            parcel.value, parcel.permanent = self._box.seal(to_msgpack(named)), kept.permanent
        elif session.has_id:
            await self._store.delete(_key(bytes.fromhex(session.id)))

    def _send_stored(self, session: Session, parcel: "_Parcel", response: Response) -> None:
        if response.status < 500 and session.changed(renew_after=float("inf")):
            raise SessionTooLate(
                "The session was changed by an `after_request` hook.",
                why="It is in its store by then: it is written in the same unit of work as what the handler did.",
                fix="Change it in the handler, or in a function given to `after_this_request`.",
            )
        self._put(session, parcel, response)
        session.close()

    def _put(self, session: Session, parcel: "_Parcel", response: Response) -> None:
        if not parcel.is_full or response.status >= 500:
            return
        options = self.options
        scheme = session.request.scheme
        name = options.name_for(scheme)
        if parcel.value is not None:
            response.set_cookie(
                name,
                parcel.value,
                max_age=options.idle if parcel.permanent else None,
                path=options.path,
                domain=options.domain,
                secure=scheme == "https",
                samesite=options.samesite,
            )
        else:
            response.delete_cookie(
                name, path=options.path, domain=options.domain, secure=scheme == "https", samesite=options.samesite
            )
        _forbid_shared_caches(response)

    # -- out of the request ---------------------------------------------------------------------------------------

    @property
    def _store(self) -> "SessionStore":
        if self.store is None:
            raise TypeError("Sessions in cookies are not loaded from a store.")
        return self.store

    def _find(self, request: Connection) -> Kept | None:
        name = self.options.name_for(request.scheme).encode()
        values = list(_cookies(request.raw_headers, name))
        if len(values) != 1:
            return None  # two of one name: one of them was planted from another path or host
        payload = self._box.open(values[0], max_age=self.options.absolute)
        return None if payload is None else self._living(payload)

    def _living(self, payload: bytes) -> Kept | None:
        try:
            kept = _decode(payload)
        except msgspec.DecodeError:
            return None
        now = time.time()
        if now - kept.made > self.options.absolute or now - kept.seen > self.options.idle:
            return None
        return None if kept.made > now + _SKEW or kept.seen > now + _SKEW else kept

    async def _load(self, name: bytes) -> Kept | None:
        payload = await self._store.load(_key(name))
        if payload is None:
            return None
        kept = self._living(payload)
        return kept if kept is not None and kept.id == name else None

    def _sealed(self, kept: Kept, session: Session) -> str:
        value = self._box.seal(to_msgpack(kept))
        name = self.options.name_for(session.request.scheme)
        if len(name) + len(value) > _LARGEST:
            largest = ", ".join(f"{key!r} takes {size}" for key, size in session.sizes()[:3])
            raise SessionTooLarge(
                f"The session takes {len(name) + len(value)} bytes as a cookie: {largest}.",
                why=f"Browsers keep {_LARGEST} bytes, and drop a larger cookie without a word.",
                fix="Keep ids instead of things, or keep sessions on the server:  Sessions(store=...)",
            )
        return value


class _Parcel:
    """What goes onto the response: the value of the cookie, or none to take it away."""

    __slots__ = ("is_full", "permanent", "value")

    def __init__(self) -> None:
        self.is_full = False
        self.value: str | None = None
        self.permanent = False


def _after(request: Request, function: Callable[[Response], object]) -> None:
    if request.after is None:
        request.after = []
    request.after.append(function)


def _key(name: bytes) -> str:
    return hashlib.sha256(b"session" + name).hexdigest()


def _cookies(raw_headers: Iterable[tuple[bytes, bytes]], name: bytes) -> Iterable[bytes]:
    start = name + b"="
    for header, line in raw_headers:
        if header == b"cookie" and start in line:
            for part in line.split(b";"):
                cookie = part.strip(b" \t")
                if cookie.startswith(start):
                    yield cookie[len(start) :].strip(b'" \t')


def _forbid_shared_caches(response: Response) -> None:
    """Make a response that sets the session private, whatever its handler said: it is one person's."""
    headers = response.headers
    said = headers.get("cache-control", "")
    if "private" not in said and "no-store" not in said:
        kept = [part.strip() for part in said.split(",") if part.strip()]
        kept = [part for part in kept if part.lower() != "public" and not part.lower().startswith("s-maxage")]
        headers["cache-control"] = ", ".join(["private", *(kept or ["no-cache"])])
