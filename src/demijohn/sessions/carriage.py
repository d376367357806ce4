"""From the request to the session and back to the response: cookies, ages, sizes and stores."""

import hashlib
import logging
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
from demijohn.sessions.failures import SessionError, SessionTooLarge, SessionTooLate
from demijohn.sessions.sealing import Box
from demijohn.sessions.session import Kept, Session

if TYPE_CHECKING:
    from demijohn.sessions.stores import SessionStore

__all__ = ["Carriage", "CookieOptions", "find_cookie"]

logger = logging.getLogger("demijohn.sessions")

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
        self._names = tuple(f"{options.name_for(scheme)}=".encode() for scheme in ("http", "https"))
        self._lines: dict[tuple[str, str], tuple[bytes, bytes]] = {}

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
            if session:
                kept = session.kept()
                parcel.fill(self._sealed(kept, session), permanent=kept.permanent)
            else:
                parcel.take_away()

    def _send(self, session: Session, parcel: "_Parcel", response: Response) -> None:
        try:
            self._pack(session, parcel, response)  # a hook may have changed it since
        except SessionError:
            logger.exception("What a hook put into the session of %s is lost", session.request.path)
        self._put(session, parcel, response)
        session.close()

    async def _save(self, session: Session, parcel: "_Parcel", response: Response) -> None:
        """Write the session into the store, in the same unit of work as what the handler did."""
        if response.status >= 500 or not session.changed(renew_after=self.options.renew_after):
            return
        parcel.take_away()
        for stale in session.outdated():
            await self._store.delete(_key(stale))
        if session:
            kept = session.kept()
            expires = min(kept.made + self.options.absolute, kept.seen + self.options.idle)
            await self._store.save(_key(kept.id), to_msgpack(kept), expires=expires)
            named = Kept(kept.id, kept.made, kept.seen, kept.permanent)
            parcel.fill(self._box.seal(to_msgpack(named)), permanent=kept.permanent)
        elif session.has_id:
            await self._store.delete(_key(bytes.fromhex(session.id)))

    def _send_stored(self, session: Session, parcel: "_Parcel", response: Response) -> None:
        if response.status < 500 and session.changed(renew_after=float("inf")):
            # Too late for the store, which belongs to the unit of work of the handler; and for an error page.
            late = SessionTooLate(
                f"The session was changed by an `after_request` hook of {session.request.path}, and that is lost.",
                why="It is in its store by then: it is written in the same unit of work as what the handler did.",
                fix="Change it in the handler, or in a function given to `after_this_request`.",
            )
            logger.error("%s", late)
        self._put(session, parcel, response)
        session.close()

    def _put(self, session: Session, parcel: "_Parcel", response: Response) -> None:
        if not parcel.is_full or response.status >= 500:
            return
        before, after = self._line(session.request.scheme, kind=parcel.kind)
        lines = response._headers
        if lines is None:
            lines = response._headers = []
        lines.append((b"set-cookie", before + parcel.value.encode("ascii") + after))
        _forbid_shared_caches(response)

    def _line(self, scheme: str, *, kind: str) -> tuple[bytes, bytes]:
        """Return the line of the cookie before and behind its value, made once of each kind."""
        known = self._lines.get((scheme, kind))
        if known is None:
            options = self.options
            name = options.name_for(scheme)
            # Browsers take `none` with `secure` alone; over http, in development, the default has to do.
            samesite = "lax" if options.samesite == "none" and scheme != "https" else options.samesite
            sample = Response(b"")
            if kind == "none":
                sample.delete_cookie(
                    name, path=options.path, domain=options.domain, secure=scheme == "https", samesite=samesite
                )
            else:
                sample.set_cookie(
                    name,
                    max_age=options.idle if kind == "permanent" else None,
                    path=options.path,
                    domain=options.domain,
                    secure=scheme == "https",
                    samesite=samesite,
                )
            start = f"{name}=".encode()
            written = sample.headers["set-cookie"].encode("ascii")
            known = self._lines[scheme, kind] = (start, written[len(start) :].removeprefix(b'""'))
        return known

    # -- out of the request ---------------------------------------------------------------------------------------

    @property
    def _store(self) -> "SessionStore":
        if self.store is None:
            raise TypeError("Sessions in cookies are not loaded from a store.")
        return self.store

    def _find(self, request: Connection) -> Kept | None:
        value = find_cookie(request.raw_headers, self._names[request.scheme in ("https", "wss")])
        if value is None:
            return None
        payload = self._box.open(value, max_age=self.options.absolute)
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
    """What goes onto the response: a cookie that is permanent, one for this visit, or none in its place."""

    __slots__ = ("is_full", "kind", "value")

    def __init__(self) -> None:
        self.is_full = False
        self.value = ""
        self.kind = "none"

    def fill(self, value: str, *, permanent: bool) -> None:
        """Put a cookie in."""
        self.is_full = True
        self.value = value
        self.kind = "permanent" if permanent else "visit"

    def take_away(self) -> None:
        """Put in that the cookie goes."""
        self.is_full = True
        self.value = ""
        self.kind = "none"


def _after(request: Request, function: Callable[[Response], object]) -> None:
    if request.after is None:
        request.after = []
    request.after.append(function)


def _key(name: bytes) -> str:
    return hashlib.sha256(b"session" + name).hexdigest()


def find_cookie(raw_headers: Iterable[tuple[bytes, bytes]], start: bytes) -> bytes | None:
    """Return the value of the one cookie whose part begins with `name=`; None for none, and for two.

    Where there are two of one name, one of them was planted from another path or host.
    """
    found: bytes | None = None
    for header, line in raw_headers:
        if header == b"cookie" and start in line:
            for part in line.split(b";"):
                cookie = part.strip(b" \t")
                if cookie.startswith(start):
                    if found is not None:
                        return None
                    found = cookie[len(start) :].strip(b'" \t')
    return found


def _forbid_shared_caches(response: Response) -> None:
    """Make a response that sets the session private, whatever its handler said: it is one person's."""
    for name, _ in response._headers or ():
        if name == b"cache-control":
            break
    else:
        return  # `keep_private` writes it
    headers = response.headers
    said = headers.get("cache-control", "")
    if "private" not in said and "no-store" not in said:
        kept = [part.strip() for part in said.split(",") if part.strip()]
        kept = [part for part in kept if part.lower() != "public" and not part.lower().startswith("s-maxage")]
        headers["cache-control"] = ", ".join(["private", *kept])
