"""Who is logged in: from a session to its user, and in and out."""

import hmac
import time
from typing import Any, TypeVar

from demijohn.app import Unit, current
from demijohn.auth.models import User, new_stamp
from demijohn.db import now
from demijohn.errors import Unauthorized, ValidationFailed
from demijohn.http import Connection
from demijohn.schema import convert
from demijohn.sessions import Session

__all__ = ["LoginRequired", "end_other_sessions", "load_user", "log_in", "log_out"]

U = TypeVar("U", bound=User)

KEY = "_auth"


class LoginRequired(Unauthorized):
    """401: somebody has to log in first; a browser is sent to the login page."""

    def __init__(self, detail: str = "Log in first.") -> None:
        super().__init__(detail)


async def load_user(unit: Connection, model: type[U]) -> U | None:
    """Return the user whose session it is, or None where nobody is logged in.

    A user who was deactivated, or whose stamp has changed since, is nobody.
    """
    session = await unit.app.scope_of(unit).get(Session)
    kept = session.get(KEY)
    if kept is None:
        return None
    key, stamp, _ = kept
    try:
        found = await model.get(convert(key, key_type(model)))
    except ValidationFailed:  # the key is of another type than it was when they logged in
        found = None
    if found is None or not found.is_active or not hmac.compare_digest(found.session_stamp, stamp):
        return None
    return found


async def log_in(user: User, *, remember: bool = True) -> None:
    """Let the visitor of the present request be a user from now on.

    The session gets a new id. Nothing is checked here: whoever calls it knows who they are.

    Args:
        user: Who they are.
        remember: Whether the session outlives the closing of the browser.
    """
    request = current.request
    session = await current.resolve(Session)
    before = session.get(KEY)
    if before is not None and before[0] != key_of(user):
        session.clear()  # what another user left in this browser is theirs
    session.rotate()
    session.permanent = remember
    session[KEY] = [key_of(user), user.session_stamp, int(time.time())]
    user.last_login_at = now()
    await user.save()
    remember_user(request, user)
    send("user-logged-in", user)


async def log_out() -> None:
    """Let the visitor of the present request be nobody; their session is forgotten."""
    request = current.request
    session = await current.resolve(Session)
    user = await find_current(request)
    session.clear()
    remember_user(request, None)
    if user is not None:
        send("user-logged-out", user)


async def end_other_sessions(user: User) -> None:
    """End all sessions of a user but the present one, where that is theirs."""
    user.session_stamp = new_stamp()
    await user.save()
    try:
        session = await current.resolve(Session)
    except Exception:  # a command or task: there is no present one
        return
    kept = session.get(KEY)
    if kept is not None and kept[0] == key_of(user):
        session.rotate()
        session[KEY] = [kept[0], user.session_stamp, kept[2]]


async def find_current(unit: Connection | Unit) -> User | None:
    """Return the user of the present request, or None."""
    battery: Any = unit.app.batteries["auth"]
    found: User | None = await unit.app.scope_of(unit).get(battery.model | None)
    return found


def remember_user(unit: Connection | Unit, user: User | None) -> None:
    """Let the services of this request give out another user from here on."""
    battery: Any = unit.app.batteries["auth"]
    scope = unit.app.scope_of(unit)
    for cls in battery.classes:
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
