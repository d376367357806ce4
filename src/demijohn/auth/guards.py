"""What a route demands of its visitor: decorators that leave a guard on a function and return it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload
from weakref import WeakSet

from demijohn._lib.source import place_of
from demijohn._lib.translation import gettext as _
from demijohn.auth.logins import require_fresh_login
from demijohn.errors import ConfigurationError, Forbidden
from demijohn.http import Connection
from demijohn.middleware import mark

__all__ = ["AccessGuard", "declared_guards", "fresh_login_required", "login_required", "public", "requires"]

F = TypeVar("F", bound=Callable[..., Any])

declared_guards: "WeakSet[AccessGuard]" = WeakSet()
"""All that decorators made, so that a check finds those that no route carries."""


class AccessGuard:
    """Lets those pass who are logged in and may do what the route does.

    Args:
        permissions: The names of all that they need.
        place: Where the function stands.
        is_open: Whether it lets everybody pass, and only says so.
        fresh: How many seconds ago they may have given their password; None: any time.
    """

    __slots__ = ("__weakref__", "fresh", "is_open", "is_used", "permissions", "place")

    name = "access"

    def __init__(
        self, permissions: tuple[str, ...], *, place: str, is_open: bool = False, fresh: float | None = None
    ) -> None:
        self.permissions = permissions
        self.place = place
        self.is_open = is_open
        self.fresh = fresh
        self.is_used = False
        declared_guards.add(self)

    @property
    def policy(self) -> str:
        """Return what it demands, in a few words."""
        if self.is_open:
            return "public"
        return ", ".join(self.permissions) or ("login" if self.fresh is None else "fresh login")

    def applies(self, methods: frozenset[str], /) -> bool:
        """Every route that asks for it."""
        return not self.is_open

    def prepare(self, app: Any) -> None:
        """Note that a route of this app carries it (Any: the app).

        Raises:
            ConfigurationError: The app has no accounts (`DJN-922`).
        """
        self.is_used = True
        if "auth" not in app.batteries and not self.is_open:
            raise ConfigurationError(
                f"{self.place} demands {self.policy!r} of its visitors, and the app has no accounts.",
                why="Nobody could log in.",
                fix="auth = app.use(Auth(User))",
                code="DJN-922",
            )
        if "auth" in app.batteries:
            app.batteries["auth"].guards.add(self)

    def __call__(self, request: Connection, /) -> Awaitable[None] | None:
        """Let the request pass.

        Raises:
            LoginRequired: Nobody is logged in.
            Forbidden: They may not do that.
        """
        return self._check(request)

    async def _check(self, request: Connection) -> None:
        app = request.app
        user = await app.scope_of(request).get(app.batteries["auth"].model)
        for permission in self.permissions:
            if not user.can(permission):
                raise Forbidden(_("You may not do this."))
        if self.fresh is not None:
            await require_fresh_login(self.fresh)


def login_required(function: F) -> F:
    """Let only those in who are logged in.

    A browser is sent to the login page, others hear 401. A handler that takes `user: User` needs no decorator: it
    cannot be called without one.

    Example:
        ```python notest
        @app.get("/account")
        @login_required
        def account(): ...
        ```
    """
    mark(function).guards.append(AccessGuard((), place=place_of(function)))
    return function


@overload
def fresh_login_required(function: F, /) -> F: ...
@overload
def fresh_login_required(*, minutes: float = 15) -> Callable[[F], F]: ...
def fresh_login_required(function: F | None = None, /, *, minutes: float = 15) -> F | Callable[[F], F]:
    """Let only those in who gave their password a short time ago.

    Whoever logged in longer ago is asked for it again, and comes back; a client of data hears 401.

    Args:
        function: The handler.
        minutes: How long ago it may have been.

    Example:
        ```python notest
        @app.route("/account/delete", methods=["GET", "POST"])
        @fresh_login_required(minutes=5)
        async def delete_account(user: User): ...
        ```
    """

    def decorate(function: F) -> F:
        mark(function).guards.append(AccessGuard((), place=place_of(function), fresh=minutes * 60))
        return function

    return decorate if function is None else decorate(function)


def requires(*permissions: str) -> Callable[[F], F]:
    """Let only those in who have all these permissions.

    Whoever is not logged in has to do that first.

    Example:
        ```python notest
        @app.get("/drafts")
        @requires("post.edit")
        async def drafts(user: User): ...
        ```
    """

    def decorate(function: F) -> F:
        mark(function).guards.append(AccessGuard(permissions, place=place_of(function)))
        return function

    return decorate


def public(function: F) -> F:
    """Say that everybody may come: for strict apps, where each route says who may.

    Example:
        ```python notest
        @app.get("/")
        @public
        def home(): ...
        ```
    """
    mark(function).guards.append(AccessGuard((), place=place_of(function), is_open=True))
    return function
