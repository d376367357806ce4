"""Who is logged in: from a session to its user, and in and out."""

import hmac
import logging
import time
from typing import Any, TypeVar

from demijohn._lib.later import hashlib
from demijohn._lib.translation import gettext as _
from demijohn.app import Unit, current
from demijohn.app.context import find_unit
from demijohn.auth.models import User, new_stamp, normalize_email
from demijohn.db import now
from demijohn.errors import Unauthorized, ValidationFailed
from demijohn.http import Connection, Request
from demijohn.middleware import rotate_csrf_token
from demijohn.schema import convert
from demijohn.sessions import Session

__all__ = [
    "FreshLoginRequired",
    "LoginRequired",
    "authenticate",
    "current_user",
    "end_other_sessions",
    "load_user",
    "log_in",
    "log_out",
    "require_fresh_login",
]

U = TypeVar("U", bound=User)

KEY = "_auth"
_PROOF = "_auth_password"

logger = logging.getLogger("demijohn.security")


class LoginRequired(Unauthorized):
    """401: somebody has to log in first; a browser is sent to the login page.

    Args:
        reason: Why, in words for the visitor: the login page says it.
    """

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(reason or _("Log in first."))


class FreshLoginRequired(LoginRequired):
    """401: the login is too old for this; a browser is asked for the password again."""

    def __init__(self) -> None:
        super().__init__(_("Give your password again first."))
        self.reason = ""  # the page that asks for it says so itself


FRESH = 15 * 60.0
"""For how many seconds a login is fresh, where nothing else is said."""


async def require_fresh_login(seconds: float = FRESH) -> None:
    """Let pass who gave their password no longer ago than this.

    Raises:
        FreshLoginRequired: It was longer ago, or nobody is logged in.
    """
    kept = _kept(await current.resolve(Session))
    if kept is None or not isinstance(kept[2], int) or time.time() - kept[2] > seconds:
        raise FreshLoginRequired


async def renew_login(user: User) -> None:
    """Count the login of the present session from now on; whoever calls it has asked for the password.

    Where the stamp of the user has changed, the session goes on.
    """
    session = await current.resolve(Session)
    session.rotate()
    session[KEY] = [key_of(user), user.session_stamp, int(time.time())]


async def load_user(unit: Connection, model: type[U]) -> U | None:
    """Return the user whose session it is, or None where nobody is logged in.

    A user who was deactivated, or whose stamp has changed since, is nobody.
    """
    session = await unit.app.scope_of(unit).get(Session)
    kept = _kept(session)
    if kept is None:
        return None
    try:
        found = await model.get(convert(kept[0], key_type(model)))
    except ValidationFailed:  # the key is of another type than it was when they logged in
        return None
    if found is None or not found.is_active or not hmac.compare_digest(found.session_stamp, kept[1]):
        return None
    return found


async def current_user() -> User | None:
    """Return the user of the present request, or None.

    For code that cannot take `user: User | None` as a parameter.

    Example:
        ```python notest
        @app.context_processor
        async def visitor():
            return {"user": await current_user()}  # `user` in every template
        ```
    """
    request = current.request
    found: User | None = await request.app.scope_of(request).get(battery_of(request).model | None)
    return found


async def authenticate(email: str, password: str) -> User | None:
    """Return the user with this e-mail address and password, or None.

    The attempt is counted. An address that nobody has takes as long as a wrong password. A hash that is not of today
    is replaced.

    Raises:
        TooManyRequests: There were too many attempts, against this account or from this network.

    Example:
        ```python notest
        user = await authenticate(email, password)
        if user is not None:
            await log_in(user)
        ```
    """
    request = current.request
    battery = battery_of(request)
    name = normalize_email(email)
    user: User | None = await battery.model.find_by_email(name)
    life = "" if user is None or user.last_login_at is None else user.last_login_at.isoformat()
    await battery.throttle.attempt(request, name, life=life)
    before = "" if user is None else user.password_hash
    good, better = await battery.passwords.hasher.verify(password, before)
    if user is None or not good or not user.is_active:
        logger.info("A login failed for %s", "an unknown account" if user is None else f"the account {key_of(user)}")
        await battery.throttle.fail(request)
        send("user-login-failed", None, email=name)
        return None
    if better is not None:
        user.password_hash = better
        await user.save()
    return user


async def log_in(user: User, *, remember: bool = True) -> None:
    """Let the visitor of the present request be a user from now on.

    The session gets a new id. Nothing is checked here: whoever calls it knows who they are.

    Args:
        user: Who they are.
        remember: Whether the session outlives the closing of the browser.
    """
    request = current.request
    session = await current.resolve(Session)
    before = _kept(session)
    if before is not None and before[0] != key_of(user):
        session.clear()  # what another user left in this browser is theirs
    session.rotate()
    session.permanent = remember
    rotate_csrf_token(request)
    session[KEY] = [key_of(user), user.session_stamp, int(time.time())]
    user.last_login_at = now()
    await user.save()
    remember_user(request, user)
    send("user-logged-in", user)


async def log_out() -> None:
    """Let the visitor of the present request be nobody; their session is forgotten."""
    request = current.request
    session = await current.resolve(Session)
    user = await current_user()
    session.clear()
    rotate_csrf_token(request)
    remember_user(request, None)
    if user is not None:
        send("user-logged-out", user)


async def end_other_sessions(user: User) -> None:
    """End all sessions of a user but the present one, and write the user."""
    user.session_stamp = new_stamp()
    await user.save()
    await keep_session(user)


async def keep_session(user: User) -> None:
    """Let the present session go on under a new id, where it is that of a user whose stamp has changed."""
    if not isinstance(find_unit(), Request):
        return
    session = await current.resolve(Session)
    kept = _kept(session)
    if kept is not None and kept[0] == key_of(user):
        session.rotate()
        session[KEY] = [kept[0], user.session_stamp, kept[2]]


async def note_password(password_hash: str) -> None:
    """Note in the session that this browser knows the password whose hash this is."""
    session = await current.resolve(Session)
    session[_PROOF] = _digest(password_hash)


async def knows_password(user: User) -> bool:
    """Return whether this browser has shown that it knows the password of a user, or is logged in as them."""
    here = await current_user()
    if here is not None and key_of(here) == key_of(user):
        return True
    noted = (await current.resolve(Session)).get(_PROOF)
    return (
        isinstance(noted, str)
        and noted.isascii()
        and bool(user.password_hash)
        and hmac.compare_digest(noted, _digest(user.password_hash))
    )


def _digest(password_hash: str) -> str:
    return hashlib.sha256(password_hash.encode()).hexdigest()[:32]


def _kept(session: Session) -> tuple[Any, str, Any] | None:
    """Return the key of the user, their stamp, and when they logged in; None where nobody has."""
    match session.get(KEY):
        case [key, str(stamp), when] if stamp.isascii():
            return key, stamp, when
    return None


def battery_of(unit: Connection | Unit) -> Any:
    """Return the accounts of the running app (Any: `Auth`, whose module imports this one)."""
    return unit.app.batteries.required("auth")


def remember_user(unit: Connection | Unit, user: User | None) -> None:
    """Let the services of this request give out another user from here on."""
    scope = unit.app.scope_of(unit)
    for cls in battery_of(unit).classes:
        scope.made[cls | None] = user
        if user is None:
            scope.made.pop(cls, None)
        else:
            scope.made[cls] = user


def send(name: str, user: User | None, **more: Any) -> None:
    """Tell who listens to a signal of the app (Any: what the signal carries)."""
    app = current.app
    if app.sends_signals:
        app.signals.signal(name).send(app, user=user, **more)


def key_of(user: User) -> Any:
    """Return the key of a user as plain data (Any: a number or text)."""
    key = user.__mapper__.primary_key_from_instance(user)[0]
    return key if isinstance(key, int | str) else str(key)


def key_type(model: type[User]) -> Any:
    """Return the Python type of a model's key (Any: a type)."""
    return model.__mapper__.primary_key[0].type.python_type
