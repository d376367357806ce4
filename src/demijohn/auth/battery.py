"""`Auth`: the battery that gives an app accounts."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from weakref import WeakSet

from demijohn._lib.sentinels import MISSING
from demijohn.app import current, flash, url_for
from demijohn.app.failures import problem_response
from demijohn.auth import checking, logins
from demijohn.auth.guards import AccessGuard
from demijohn.auth.models import User
from demijohn.auth.passwords import Passwords
from demijohn.auth.permissions import Permissions, add_policy, use_permissions
from demijohn.auth.throttle import Throttle
from demijohn.errors import ConfigurationError
from demijohn.http import URL, Connection, Request, redirect
from demijohn.schema import Field, records_of
from demijohn.sessions import Session
from demijohn.types import SessionCookie

if TYPE_CHECKING:
    from demijohn.app import App

__all__ = ["Auth"]

U = TypeVar("U", bound=User)
F = TypeVar("F", bound=Callable[..., bool])


class Auth(Generic[U]):
    """Gives an app accounts: the user as a service, login and its pages, permissions.

    Args:
        model: The user model of the project, a subclass of `demijohn.auth.User`.
        prefix: What stands before `/login` and the other pages; None for an app with pages of its own.
        signup: `"verify"`: everybody may ask for an account, and gets in when the link in the mail was followed;
            `"open"`: at once, which tells whoever asks which addresses have accounts; `"closed"`: accounts are made
            by you.
        signup_fields: What is asked beside e-mail and password; the fields of the model that have to be there
            otherwise.
        home: Where people go after login and logout, unless they came from somewhere.
        passwords: The rules for new passwords, and their hashing.
        throttle: How often a password may be tried, a mail asked for.
        permissions: Permissions that belong to no model: `["site.export"]`.

    Raises:
        ConfigurationError: The model cannot be used (`DJN-920`).

    Example:
        ```python notest
        class User(BaseUser):
            display_name: Mapped[str] = column(max_length=60)

        auth = app.use(Auth(User))
        ```
    """

    name = "auth"
    requires: tuple[str, ...] = ("db", "sessions")

    def __init__(
        self,
        model: type[U],
        *,
        prefix: str | None = "",
        signup: Literal["verify", "open", "closed"] = "verify",
        signup_fields: Sequence[str] | None = None,
        home: str = "/",
        passwords: Passwords | None = None,
        throttle: Throttle | None = None,
        permissions: Sequence[str] = (),
    ) -> None:
        if "__mapper__" not in getattr(model, "__dict__", ()) or not issubclass(model, User):
            raise ConfigurationError(
                f"`Auth` was given {model!r}.",
                why="The user model lives in the project, so that it can grow there.",
                fix="class User(BaseUser): ...   # from demijohn.auth import User as BaseUser\n    app.use(Auth(User))",
                code="DJN-920",
            )
        if len(model.__mapper__.primary_key) != 1:
            raise ConfigurationError(
                f"The key of {model.__name__} has {len(model.__mapper__.primary_key)} columns.",
                why="A session holds one value that names its user.",
                fix="Leave `id` as it is made for you.",
                code="DJN-920",
            )
        self.model: type[U] = model
        self.prefix = prefix
        self.signup: Literal["verify", "open", "closed"] = signup
        self.home = home
        self.passwords = passwords or Passwords()
        self.throttle = throttle or Throttle()
        self._signup_fields = signup_fields
        self._stand_in: U | None = None
        self._app: App | None = None
        self.known = Permissions(permissions)
        self.guards: WeakSet[AccessGuard] = WeakSet()
        """What the routes of the app demand of their visitors."""

    @property
    def classes(self) -> tuple[type[User], ...]:
        """Return the classes that stand for the user: the project's, and the base."""
        return (self.model, User)

    @property
    def permissions(self) -> list[str]:
        """Return the names of all permissions, sorted."""
        return self.known.all()

    def policy(self, permission: str, /) -> Callable[[F], F]:
        """Let a function decide about one object in this app alone.

        `demijohn.auth.policy` does so for a model of users, wherever it is used.

        Raises:
            ConfigurationError: It is a coroutine function, takes other arguments, or there is another one (`DJN-923`).

        Example:
            ```python notest
            @auth.policy("post.edit")
            def may_edit(user: User, post: Post) -> bool:
                return post.author_id == user.id
            ```
        """

        def register(function: F) -> F:
            add_policy(self.known, permission, function)
            return function

        return register

    @property
    def stand_in(self) -> U:
        """A user who is nobody, for whom is done what is done for those that exist."""
        if self._stand_in is None:
            made = self.model(email="nobody@localhost.localdomain")
            for column in self.model.__mapper__.primary_key:
                setattr(made, str(column.key), 0)
            self._stand_in = made
        return self._stand_in

    def install(self, app: "App") -> None:
        """Plug into the app: services, pages, checks, commands, test helper."""
        self._app = app
        use_permissions(self.model, self.known)
        app.provide(Auth, value=self)
        app.policy_types.update(self.classes)
        for cls in self.classes:
            app.provide(cls, self._require)
            app.provide(cls | None, self._find)  # type: ignore[arg-type]  # an annotation is a key too
        app.failures.add(logins.LoginRequired, self._send_to_login)
        app.checks.add(checking.check)
        app.route_policies.append(lambda route: checking.policy_of(route, app))
        app.commands.add_source(self._commands)
        app.test_helpers.add("login", self._test_login)
        app.when("idempotency", lambda battery: battery.belongs_to(self._name_of))
        if self.prefix is not None:
            from demijohn.auth.pages import Pages

            app.need("mail")
            app.need("forms")
            app.include(Pages(self, app).blueprint(self.prefix))

    def signup_questions(self) -> dict[str, Field]:
        """Return what is asked for a new account beside e-mail and password."""
        fields = records_of(self.model).fields
        if self._signup_fields is not None:
            return {name: fields[name] for name in self._signup_fields}
        return {
            name: field
            for name, field in fields.items()
            if field.required and not field.readonly and not field.private and name != "email"
        }

    def about(self, user: User) -> list[str]:
        """Return what is known of a user in words, which a password must not be like."""
        fields = records_of(type(user)).fields.items()
        texts = [getattr(user, name) for name, field in fields if field.type is str and not field.private]
        return [text for text in texts if text]

    # -- the user as a service -----------------------------------------------------------------------------------------

    async def _find(self, request: Connection) -> U | None:
        known = request.app.scope_of(request).made
        for cls in self.classes:  # the class that is asked for first decides for the other
            found = known.get(cls | None, MISSING)
            if found is not MISSING:
                return found  # type: ignore[no-any-return]
        return await logins.load_user(request, self.model)

    async def _name_of(self, request: Connection) -> str:
        """Say whose idempotency key it is; the header of whoever is not logged in by a session says it otherwise."""
        found: U | None = await request.app.scope_of(request).get(self.model | None)
        return "" if found is None else f"user {logins.key_of(found)}"

    async def _require(self, request: Connection) -> U:
        found: U | None = await request.app.scope_of(request).get(self.model | None)
        if found is None:
            raise logins.LoginRequired
        return found

    async def _send_to_login(self, request: Request, error: logins.LoginRequired) -> Any:
        if self.prefix is None or not (request.is_htmx or request.accept.prefers_page):
            return problem_response(error, request)
        if error.reason:
            await current.resolve(Session)
            flash(error.reason, "warning")
        if request.htmx:
            # The login page is no part of another page: the whole one goes there, and back to where it was.
            try:
                path = URL(request.htmx.current_url or "").path_and_query
            except ValueError:  # a client may send anything
                path = ""
            answer = problem_response(error, request)
            answer.headers["hx-redirect"] = self._way_in(error, path)
            return answer
        comes_back = request.method in ("GET", "HEAD") or self._is_page(request)
        path = f"{request.root_path}{request.path}" if comes_back else ""
        if path and request.query_string:
            path += f"?{request.query_string.decode('latin-1')}"
        return redirect(self._way_in(error, path), status=303)

    def _is_page(self, request: Request) -> bool:
        """Return whether what was sent to a route came from its own page, which can be shown again."""
        return request.route is not None and "GET" in request.route.methods

    def _way_in(self, error: logins.LoginRequired, path: str) -> str:
        if not isinstance(error, logins.FreshLoginRequired):
            return self.login_url(path)
        return url_for("auth.password_confirm", _query={"next": path}) if path else url_for("auth.password_confirm")

    def login_url(self, path: str = "") -> str:
        """Return the URL of the login page, which leads on to `path` afterwards."""
        return url_for("auth.login", _query={"next": path}) if path else url_for("auth.login")

    def security_of(self, thing: object) -> dict[str, dict[str, Any]] | None:
        """Say what a guard or a service needs of a client, for those who describe the API.

        Any: security schemes, as OpenAPI has them.
        """
        is_guard = isinstance(thing, AccessGuard) and not thing.is_open
        sessions: object = None if self._app is None else self._app.batteries.get("sessions")
        if not (is_guard or any(thing is cls for cls in self.classes)) or not isinstance(sessions, SessionCookie):
            return None
        name = sessions.cookie_for("https")
        return {"session": {"type": "apiKey", "in": "cookie", "name": name, "description": "The cookie of a login."}}

    # -- tools ---------------------------------------------------------------------------------------------------------

    def _commands(self) -> Iterable[tuple[str | None, Any]]:
        from demijohn.auth.commands import commands_for

        return [(None, command) for command in commands_for(self)]

    def _test_login(self, test: Any) -> Any:
        """Let a test be a user: `login(user)` (Any: the harness; a function of a user)."""
        open_session = test.app.test_helpers.required("session_transaction")(test)

        async def login(user: User) -> None:
            async with open_session() as session:
                session.clear()
                session[logins.KEY] = [logins.key_of(user), user.session_stamp, int(time.time())]

        return test.adapt(login)
