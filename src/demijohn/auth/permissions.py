"""The names of permissions, `post.edit`, and the policies that decide about one object."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from demijohn._lib.source import place_of
from demijohn._lib.text import did_you_mean
from demijohn.db import Model
from demijohn.db.declarative import Declarative, table_name
from demijohn.errors import ConfigurationError, DemijohnError

__all__ = [
    "ACTIONS",
    "UnknownPermission",
    "all_permissions",
    "check_known",
    "declare",
    "find_policy",
    "permission_for",
    "policy",
]

F = TypeVar("F", bound=Callable[..., bool])

ACTIONS = ("view", "add", "edit", "delete")
"""What can be done to the objects of every model."""

_declared: set[str] = set()
_known: set[str] = set()
_policies: dict[str, Callable[..., bool]] = {}


class UnknownPermission(DemijohnError):
    """A permission was asked for that nothing has."""

    code = "DJN-921"


def permission_for(model: type[Model] | Model, action: str) -> str:
    """Return the name of a permission on a model.

    Example:
        >>> from demijohn.auth import Group
        >>> permission_for(Group, "edit")
        'group.edit'
    """
    cls = model if isinstance(model, type) else type(model)
    return f"{table_name(cls.__name__)}.{action}"


def declare(permissions: Iterable[str]) -> None:
    """Add permissions that belong to no model: `site.export`."""
    _declared.update(permissions)


def all_permissions() -> list[str]:
    """Return the names of all permissions, sorted."""
    found = set(_declared)
    for model in _models(Declarative):
        for action in (*ACTIONS, *getattr(model, "__permissions__", ())):
            found.add(permission_for(model, action))
    _known.update(found)
    return sorted(found)


def check_known(permission: str) -> None:
    """Let a name pass that some model, or the app, has.

    Raises:
        UnknownPermission: Nothing has it.
    """
    if permission in _known:
        return
    known = all_permissions()
    if permission not in known:
        raise UnknownPermission(
            f"The permission {permission!r} was asked for.{did_you_mean(permission, known)}",
            why="No model and no `Auth(permissions=...)` has one of that name.",
            fix=f'__permissions__ = ("{permission.rpartition(".")[2]}",)    in the model, or correct the name.',
        )


def policy(permission: str, /) -> Callable[[F], F]:
    """Let a function decide about one object: it gets the user and the object.

    It is asked by `user.can(permission, obj)`, for users who are active and no superusers, and stands in place of what
    they hold; `user.can(permission)` inside of it asks for that. It is a plain function; relations load in it.

    Raises:
        ConfigurationError: It is a coroutine function, takes other arguments, or there is another one (`DJN-923`).

    Example:
        ```python notest
        @policy("post.edit")
        def may_edit(user: User, post: Post) -> bool:
            return post.author_id == user.id or user.can("post.edit")
        ```
    """

    def register(function: F) -> F:
        known = _policies.get(permission)
        if known is not None and place_of(known) != place_of(function):
            raise ConfigurationError(
                f"The policy of {permission!r} was given twice: {place_of(known)} and {place_of(function)}.",
                why="One of them decides.",
                fix="Join them into one function.",
                code="DJN-923",
            )
        if inspect.iscoroutinefunction(function) or len(inspect.signature(function).parameters) != 2:
            raise ConfigurationError(
                f"The policy of {permission!r} ({place_of(function)}) cannot be asked.",
                why="A policy is a plain function of the user and the object; templates and sync handlers ask it too.",
                fix=f"def {function.__name__}(user: User, obj: ...) -> bool: ...",
                code="DJN-923",
            )
        _policies[permission] = function
        return function

    return register


def find_policy(permission: str) -> Callable[..., bool] | None:
    """Return the policy of a permission, or None."""
    return _policies.get(permission)


def policies() -> dict[str, Callable[..., bool]]:
    """Return all policies by the name of their permission."""
    return dict(_policies)


def _models(base: type[Any]) -> Iterator[type[Any]]:
    for cls in base.__subclasses__():
        if "__mapper__" in cls.__dict__:
            yield cls
        yield from _models(cls)
