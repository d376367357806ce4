"""The checks of accounts: guards that guard nothing, and permissions that nothing has."""

from collections.abc import Iterator
from typing import Any

from demijohn._lib.source import place_of
from demijohn._lib.text import did_you_mean
from demijohn.app import CheckMessage
from demijohn.auth.guards import AccessGuard, declared_guards
from demijohn.auth.permissions import all_permissions, policies
from demijohn.middleware import marks_of

__all__ = ["check", "guards_of", "policy_of"]


def check(app: Any) -> Iterator[CheckMessage]:
    """Yield what is wrong with the guards, permissions and policies of an app (Any: the app)."""
    known = all_permissions()
    for guard in declared_guards:
        for permission in guard.permissions:
            if permission not in known:
                yield CheckMessage(
                    level="error",
                    id="auth.unknown_permission",
                    text=f"requires({permission!r}): nothing has this permission.{did_you_mean(permission, known)}",
                    hint='Write __permissions__ = ("...",) in the model, or correct the name.',
                    place=guard.place,
                )
        if not guard.is_used:
            yield CheckMessage(
                level="warning",
                id="auth.unused_guard",
                text=f"This function demands {guard.policy!r}, and no route of the app carries that.",
                hint="Put the decorator that wraps it below, or use functools.wraps in it; or include the blueprint.",
                place=guard.place,
            )
    for permission, function in policies().items():
        if permission not in known:
            yield CheckMessage(
                level="error",
                id="auth.unknown_permission",
                text=f"policy({permission!r}): nothing has this permission.{did_you_mean(permission, known)}",
                place=place_of(function),
            )
    if app.strict:
        for route in app.router.routes:
            if policy_of(route, app) is None:
                yield CheckMessage(
                    level="warning",
                    id="auth.no_policy",
                    text=f"{', '.join(route.methods)} {route.pattern} does not say who may come.",
                    hint="Write @public, @login_required or @requires(...), or take `user: User`.",
                    place=route.place,
                )


def guards_of(endpoint: Any) -> list[AccessGuard]:
    """Return the guards that decorators left on a handler (Any: whatever a route takes)."""
    return [guard for guard in marks_of(endpoint).guards if isinstance(guard, AccessGuard)]


def policy_of(route: Any, app: Any) -> str | None:
    """Return what a route demands of its visitor in a few words, or None where it says nothing.

    Any: routing's `Route`, and the app.
    """
    found = [guard.policy for guard in guards_of(route.endpoint)]
    if found:
        return ", ".join(found)
    if getattr(route.endpoint, "__module__", "").startswith("demijohn."):
        return "its own"
    hints = getattr(route.endpoint, "__annotations__", {})
    classes = app.batteries["auth"].classes
    names = {cls.__name__ for cls in classes}
    if any(hint in classes or hint in names for hint in hints.values()):
        return "login"
    maybe = [*(cls | None for cls in classes), *(f"{name} | None" for name in names)]
    return "public" if any(hint in maybe for hint in hints.values()) else None
