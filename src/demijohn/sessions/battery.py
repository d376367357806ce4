"""`Sessions`: the battery that gives every visitor a session."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from demijohn.app import Unit, current
from demijohn.errors import ConfigurationError, OutsideContext
from demijohn.http import Connection, Request
from demijohn.sessions.carriage import Carriage, CookieOptions
from demijohn.sessions.data import SessionData
from demijohn.sessions.session import Session
from demijohn.sessions.stores import SessionStore
from demijohn.sessions.transaction import SessionTransaction

if TYPE_CHECKING:
    from demijohn.app import App, Binder, HandlerParameter

__all__ = ["Sessions"]


class Sessions:
    """Gives handlers a `Session`, in an encrypted cookie or in a store.

    The cookie is sealed with AES-256-GCM under keys derived from `SECRET_KEY`: nobody reads it, nobody changes it. It
    is `HttpOnly` and `SameSite=Lax`, on https `Secure` with the prefix `__Host-`.

    Args:
        cookie_name: The name of the cookie, without prefix.
        idle_timeout: A session unused for so long has ended.
        absolute_timeout: So long after it was made (or rotated) a session has ended.
        permanent: Whether it outlives the closing of the browser; `session.permanent` says so for one.
        samesite: What other sites may send the cookie with.
        domain: Share it with the subdomains of this domain; the cookie loses the protection of `__Host-`.
        path: Send it below this path alone.
        store: Keep sessions there instead of in the cookie.

    Raises:
        ConfigurationError: The options contradict each other.

    Example:
        >>> from demijohn import App
        >>> sessions = App().use(Sessions(idle_timeout=timedelta(hours=1)))
    """

    name = "sessions"
    requires: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        cookie_name: str = "session",
        idle_timeout: timedelta = timedelta(days=14),
        absolute_timeout: timedelta = timedelta(days=90),
        permanent: bool = True,
        samesite: Literal["strict", "lax", "none"] = "lax",
        domain: str | None = None,
        path: str = "/",
        store: SessionStore | None = None,
    ) -> None:
        if not timedelta(0) < idle_timeout <= absolute_timeout:
            raise ConfigurationError(
                f"Sessions end after {idle_timeout} unused and after {absolute_timeout} at all.",
                why="The first has to be the shorter one, and both more than nothing.",
                fix="Sessions(idle_timeout=timedelta(days=14), absolute_timeout=timedelta(days=90))",
                code="DJN-722",
            )
        self.options = CookieOptions(
            name=cookie_name,
            idle=int(idle_timeout.total_seconds()),
            absolute=int(absolute_timeout.total_seconds()),
            permanent=permanent,
            samesite=samesite,
            domain=domain,
            path=path,
        )
        self.store = store
        self._carriage: Carriage | None = None

    def install(self, app: "App") -> None:
        """Plug into the app: the services, `current.session`, and typed sessions."""
        self._carriage = Carriage(self.options, lambda: app.keys, store=self.store)
        app.provide(Session, self._begin if self.store is None else self._begin_stored)
        app.current_names.add("session", _current_session)
        app.binders.add(SessionData, _bind_typed)
        app.test_helpers.add("session_transaction", self._transaction)
        if self.store is not None and not getattr(self.store, "is_immediate", False):
            app.before_request(self._load_early)

    def cookie_for(self, scheme: str, /) -> str:
        """Return the cookie's name under a scheme: `__Host-session` on https, as a rule."""
        return self.options.name_for(scheme)

    def _begin(self, request: Connection) -> Session:
        return self._ready(request).begin(request)

    async def _begin_stored(self, request: Connection) -> Session:
        return await self._ready(request).begin_stored(request)

    def _transaction(self, test: Any) -> Callable[[], SessionTransaction]:
        """Let a test look into its visitor's session and change it (Any: the harness of the test)."""
        carriage = self._carriage
        if carriage is None:
            raise TypeError("The battery is installed before a test asks for a session.")
        return lambda: SessionTransaction(carriage, test)

    async def _load_early(self, request: Request) -> None:
        """Load what a store has to be awaited for, so that templates and `current.session` find it ready."""
        name = self.options.name_for(request.scheme).encode() + b"="
        if any(header == b"cookie" and name in value for header, value in request.raw_headers):
            await current.resolve(Session)

    def _ready(self, unit: Any) -> Carriage:
        if isinstance(unit, Unit):
            raise OutsideContext(
                f"A session was asked for in {unit.name!r}, which is no request.",
                why="A session belongs to a visitor, whose cookie comes with a request.",
                fix="Keep what a command or task needs in the database, or pass it on.",
                code="DJN-723",
            )
        if self._carriage is None:
            raise TypeError("The battery is installed before it is asked for a session.")
        return self._carriage


def _current_session(unit: Any) -> Session:
    return current.get(Session)


def _bind_typed(parameter: "HandlerParameter") -> "Binder | None":
    from demijohn.app import Binder

    cls = parameter.type

    async def get(request: Any) -> SessionData:
        session = await request.app.scope_of(request).get(Session)
        return session.typed(cls)  # type: ignore[no-any-return]

    return Binder(get)
