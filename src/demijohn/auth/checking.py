"""The checks of accounts: guards that guard nothing, and permissions that nothing has."""

from collections.abc import Iterator
from typing import Any

from demijohn._lib.source import place_of
from demijohn._lib.text import did_you_mean
from demijohn.app import CheckMessage, Operation
from demijohn.app.signatures import stripped
from demijohn.auth.guards import AccessGuard, declared_guards

__all__ = ["check", "policy_of"]


def check(app: Any) -> Iterator[CheckMessage]:
    """Yield what is wrong with the guards, permissions and policies of an app (Any: the app)."""
    auth = app.batteries["auth"]
    known = auth.permissions
    # Guards that another app of the process carries are no business of this one.
    for guard in [*auth.guards, *(one for one in declared_guards if not one.is_used)]:
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
    for permission, function in auth.known.policies_for(auth.model):
        if permission not in known:
            yield CheckMessage(
                level="error",
                id="auth.unknown_permission",
                text=f"policy({permission!r}): nothing has this permission.{did_you_mean(permission, known)}",
                place=place_of(function),
            )


def policy_of(route: Any, app: Any) -> str | None:
    """Return what a route demands of its visitor in a few words, or None where it says nothing.

    Any: routing's `Route`, and the app, which is built.
    """
    classes = app.batteries["auth"].classes
    said = dict.fromkeys(_policy(operation, classes) for operation in _operations(route, app))
    found = [policy for policy in said if policy is not None]
    if found:
        return ", ".join(found)
    return "its own" if getattr(route.endpoint, "__module__", "").startswith("demijohn.") else None


def _operations(route: Any, app: Any) -> list[Operation]:
    """Return what a route does; that of its suffixed forms (`/posts.json`) is told by the route itself."""
    same = (other for other in app.router.routes if other.endpoint is route.endpoint and other.details)
    described = route if route.details else next(same, route)
    return list(described.details.values())


def _policy(operation: Operation, classes: tuple[type, ...]) -> str | None:
    found = [guard.policy for guard in operation.marks.guards if isinstance(guard, AccessGuard)]
    if found:
        return ", ".join(found)
    if any(key is cls for key in operation.services for cls in classes):
        return "login"
    return "public" if any(stripped(key) is cls for key in operation.services for cls in classes) else None
