"""`Auth`: the battery that gives an app accounts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from urllib.parse import quote

from demijohn.app.failures import problem_response
from demijohn.auth import checking, logins
from demijohn.auth.models import User
from demijohn.auth.permissions import all_permissions, declare
from demijohn.errors import ConfigurationError
from demijohn.http import Accept, Connection, Request, redirect

if TYPE_CHECKING:
    from demijohn.app import App

__all__ = ["Auth"]

U = TypeVar("U", bound=User)


class Auth(Generic[U]):
    """Gives an app accounts: the user as a service, login, permissions.

    Args:
        model: The user model of the project, a subclass of `demijohn.auth.User`.
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

    name: ClassVar[str] = "auth"
    requires: ClassVar[tuple[str, ...]] = ("db", "sessions")

    def __init__(self, model: type[U], *, permissions: Sequence[str] = ()) -> None:
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
        self.model = model
        declare(permissions)

    @property
    def classes(self) -> tuple[type[User], ...]:
        """Return the classes that stand for the user: the project's, and the base."""
        return (self.model, User)

    @property
    def permissions(self) -> list[str]:
        """Return the names of all permissions, sorted."""
        return all_permissions()

    def install(self, app: "App") -> None:
        """Plug into the app: services, the way to the login page, checks."""
        app.provide(Auth, value=self)
        app.policy_types.update(self.classes)
        for cls in self.classes:
            app.provide(cls, self._require)
            app.provide(cls | None, self._find)  # type: ignore[arg-type]  # an annotation is a key too
        app.failures.add(logins.LoginRequired, self._send_to_login)
        app.checks.add(checking.check)
        app.test_helpers.add("login", self._test_login)

    # -- the user as a service -----------------------------------------------------------------------------------------

    async def _find(self, request: Connection) -> U | None:
        known = request.app.scope_of(request).made
        for cls in self.classes:  # the class that is asked for first decides for the other
            if cls | None in known:
                return known[cls | None]  # type: ignore[no-any-return]
        return await logins.load_user(request, self.model)

    async def _require(self, request: Connection) -> U:
        found: U | None = await request.app.scope_of(request).get(self.model | None)
        if found is None:
            raise logins.LoginRequired
        return found

    async def _send_to_login(self, request: Request, error: logins.LoginRequired) -> Any:
        accept = Accept(request.headers.get("accept"))
        if accept.quality("text/html") <= accept.quality("application/problem+json"):
            return problem_response(error, request)
        path = request.path if request.method in ("GET", "HEAD") else ""
        if path and request.query_string:
            path += f"?{request.query_string.decode('latin-1')}"
        return redirect(self.login_url(path), status=303)

    def login_url(self, path: str = "") -> str:
        """Return the URL of the login page, which leads on to `path` afterwards."""
        return "/login" + (f"?next={quote(path)}" if path else "")

    # -- tests ---------------------------------------------------------------------------------------------------------

    def _test_login(self, test: Any) -> Any:
        """Let a test be a user: `login(user)` (Any: the harness; a function of a user)."""
        open_session = test.app.test_helpers.required("session_transaction")(test)

        async def login(user: User) -> None:
            async with open_session() as session:
                session.clear()
                session[logins.KEY] = [logins.key_of(user), user.session_stamp, 0]

        return test.adapt(login)
