"""The session of one visitor: a mapping that is read at its first use and written only when it changed."""

import logging
import time
from collections.abc import Callable, Iterator, MutableMapping
from os import urandom
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from demijohn.errors import ValidationFailed
from demijohn.schema import NotEncodable, convert, to_builtins, to_msgpack
from demijohn.sessions.data import SessionData, key_of
from demijohn.sessions.failures import SessionDataMistake, SessionError, SessionTooLate

if TYPE_CHECKING:
    from demijohn.http import Connection

__all__ = ["Kept", "Session"]

D = TypeVar("D", bound=SessionData)

logger = logging.getLogger("demijohn.sessions")

_EMPTY = msgspec.msgpack.encode({})


class Kept(msgspec.Struct, array_like=True):
    """What is kept of a session, in the cookie or in a store."""

    id: bytes
    made: int
    seen: int
    permanent: bool
    data: dict[str, Any] = {}


class Session(MutableMapping[str, Any]):
    """What a site remembers of one visitor between requests.

    A mapping of strings to plain data: text, numbers, booleans, `None`, bytes, aware datetimes, lists and dicts of
    them; others come back as what they are written as (a UUID as text, a tuple as a list). Nested values may be
    changed in place. It is opened at its first use, and the cookie is set only if something changed.

    Values are `Any`: whatever was put in.

    Example:
        ```python notest
        @app.get("/")
        def home(session: Session):
            session["visits"] = session.get("visits", 0) + 1
            return f"Visit {session['visits']}"
        ```
    """

    __battery__: ClassVar[str] = "sessions"
    __slots__ = (
        "_before",
        "_data",
        "_id",
        "_is_permanent",
        "_load",
        "_made",
        "_parts",
        "_seen",
        "_sent",
        "_stale",
        "_touch",
        "request",
    )

    def __init__(
        self,
        request: "Connection",
        *,
        load: Callable[[], Kept | None],
        touch: Callable[[], None],
        permanent: bool = True,
    ) -> None:
        self.request = request
        self._load = load
        self._touch = touch
        self._data: dict[str, Any] | None = None
        self._before = _EMPTY
        self._id = b""
        self._made = self._seen = 0
        self._is_permanent = permanent
        self._stale: list[bytes] = []
        self._parts: dict[str, tuple[SessionData, bytes]] = {}
        self._sent = False

    # -- the mapping ----------------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        return self._opened()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise SessionError(
                f"The session was given the key {key!r}.", why="Keys are text.", fix=f"session[{str(key)!r}] = ..."
            )
        self._changing()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._changing()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._opened())

    def __len__(self) -> int:
        return len(self._opened())

    def __contains__(self, key: object) -> bool:
        return key in self._opened()

    def __bool__(self) -> bool:
        """Whether anything is kept."""
        return bool(self._opened())

    def __repr__(self) -> str:
        # Values are about a person; a log shows the names alone.
        if self._data is None:
            return "<Session, not opened>"
        return f"<Session of {', '.join(self._data) or 'nothing'}>"

    # -- beyond a mapping -----------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The name of this session: 128 random bits as hexadecimal; new after `rotate`."""
        self._opened()
        if not self._id:
            self._id = urandom(16)
        return self._id.hex()

    @property
    def has_id(self) -> bool:
        """Whether it has been given an id yet."""
        return bool(self._id)

    @property
    def is_new(self) -> bool:
        """Whether the visitor came without one."""
        self._opened()
        return not self._made

    @property
    def is_open(self) -> bool:
        """Whether this request has used it."""
        return self._data is not None

    @property
    def permanent(self) -> bool:
        """Whether it outlives the closing of the browser; settable, for "remember me"."""
        self._opened()
        return self._is_permanent

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self._changing()
        if bool(value) != self._is_permanent:
            self._is_permanent = bool(value)
            self._before = b""

    def rotate(self) -> None:
        """Give it a new id and age, and keep what is in it: when rights change."""
        self._changing()
        if self._id:
            self._stale.append(self._id)
        self._id = urandom(16)
        self._made = self._seen = 0
        self._before = b""

    def clear(self) -> None:
        """Forget everything, the id included: at logout."""
        self._changing().clear()
        self._parts.clear()
        self.rotate()

    def typed(self, cls: type[D]) -> D:
        """Return the part that a typed class describes; what is changed in it is kept.

        Raises:
            SessionDataMistake: The class has a field without a default, or another class has its key.
        """
        data = self._opened()
        key = key_of(cls)
        found = self._parts.get(key)
        if found is not None:
            part, _ = found
            if not isinstance(part, cls):
                raise SessionDataMistake(
                    f"{cls.__qualname__} and {type(part).__qualname__} are both kept under {key!r}.",
                    why="One would overwrite the other.",
                    fix='session_key: ClassVar[str] = "another"    in one of them',
                )
            return part
        fresh = _fresh(cls)
        part = fresh
        if key in data:
            try:
                part = convert(data[key], cls)
            except ValidationFailed as error:
                places = ", ".join(".".join(map(str, item.place)) for item in error.errors[:5])
                logger.warning("What was kept as %s does not fit the class (%s); it begins anew.", key, places)
        self._parts[key] = (part, to_msgpack(part))
        return part

    # -- for the battery ------------------------------------------------------------------------------------------

    def changed(self, *, renew_after: float) -> bool:
        """Whether it is to be written: it changed, or is to be kept for longer."""
        if self._data is None:
            return False
        self._fold()
        if self._encoded() != self._before:
            return bool(self._data) or bool(self._made) or bool(self._stale)
        return bool(self._made) and time.time() - self._seen > renew_after

    def kept(self) -> Kept:
        """Return what is to be kept, seen now; the session counts as written from here."""
        now = int(time.time())
        if not self._id:
            self._id = urandom(16)
        self._made = self._made or now
        self._seen = now
        self._before = self._encoded()
        return Kept(self._id, self._made, now, self._is_permanent, self._data or {})

    def outdated(self) -> list[bytes]:
        """Return the ids that this session had before, once."""
        stale, self._stale = self._stale, []
        return stale

    def close(self) -> None:
        """Note that the response went out: what changes now is lost, and told."""
        self._sent = True

    def sizes(self) -> list[tuple[str, int]]:
        """Return how many bytes each key takes, the largest first."""
        sizes = [(key, len(to_msgpack(value))) for key, value in (self._data or {}).items()]
        return sorted(sizes, key=lambda item: -item[1])

    def _opened(self) -> dict[str, Any]:
        data = self._data
        if data is None:
            self._touch()
            kept = self._load()
            if kept is None:
                data = {}
            else:
                data = kept.data
                self._id, self._made, self._seen = kept.id, kept.made, kept.seen
                self._is_permanent = kept.permanent
            self._data = data
            if data:
                self._before = self._encoded()
        return data

    def _changing(self) -> dict[str, Any]:
        if self._sent:
            raise SessionTooLate(
                f"The session was changed after the response to {self.request.path} had been made.",
                why="Its cookie goes out with the head of the response; a stream writes its body after that.",
                fix="Change it above the `return`, not inside of the generator.",
            )
        return self._opened()

    def _fold(self) -> None:
        """Put what changed in typed parts back into the mapping."""
        data = self._data
        if data is None:
            return
        for key, (part, before) in list(self._parts.items()):
            encoded = to_msgpack(part)
            if encoded != before:
                data[key] = to_builtins(part)
                self._parts[key] = (part, encoded)

    def _encoded(self) -> bytes:
        data = self._data
        if not data:
            return _EMPTY
        try:
            return to_msgpack(data)
        except (NotEncodable, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise _not_kept(data, error) from error


def _fresh(cls: type[D]) -> D:
    try:
        return cls()
    except TypeError:
        lacking = [field.name for field in msgspec.structs.fields(cls) if field.required]
        raise SessionDataMistake(
            f"The typed session {cls.__qualname__} has no default for {', '.join(lacking)}.",
            why="A visitor comes without a session, so that it begins with defaults.",
            fix=f"{lacking[0] if lacking else 'field'}: ... = ...",
        ) from None


def _not_kept(data: dict[str, Any], error: BaseException) -> SessionError:
    for key, value in data.items():
        try:
            to_msgpack(value)
        except Exception:
            return SessionError(
                f"The session cannot keep {key!r}, {_kind(value)}.",
                why="It holds plain data: text, numbers, booleans, bytes, dates, lists and dicts of them.",
                fix=f"Keep its key instead:  session[{key + '_id'!r}] = ....id",
            )
    return SessionError(f"The session cannot be written: {error}", why="Its keys and values are plain data.")


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name} or something inside of it"
