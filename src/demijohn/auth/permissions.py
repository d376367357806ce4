"""The names of permissions, `post.edit`, and the policies that decide about one object."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, get_type_hints
from weakref import WeakKeyDictionary

from demijohn._lib.source import place_of
from demijohn._lib.text import did_you_mean
from demijohn.app.context import find_unit
from demijohn.db import Model
from demijohn.db.declarative import Declarative, table_name
from demijohn.errors import ConfigurationError, DemijohnError

__all__ = [
    "ACTIONS",
    "Permissions",
    "UnknownPermission",
    "add_policy",
    "all_permissions",
    "permission_for",
    "permissions_here",
    "policy",
    "use_permissions",
]

F = TypeVar("F", bound=Callable[..., bool])

ACTIONS = ("view", "add", "edit", "delete")
"""What can be done to the objects of every model."""

_policies: dict[str, list[Callable[..., bool]]] = {}
_of_model: "WeakKeyDictionary[type[Any], Permissions]" = WeakKeyDictionary()


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


class Permissions:
    """What the accounts of one app know: the permissions that belong to no model, and the app's own policies.

    Args:
        declared: Names of permissions that belong to no model: `site.export`.
    """

    def __init__(self, declared: Iterable[str] = ()) -> None:
        self.declared = frozenset(declared)
        self.policies: dict[str, Callable[..., bool]] = {}
        self._known: set[str] = set()

    def all(self) -> list[str]:
        """Return the names of all permissions, sorted: those of every model, and the app's own."""
        found = set(self.declared)
        for model in _models(Declarative):
            for action in (*ACTIONS, *getattr(model, "__permissions__", ())):
                found.add(permission_for(model, action))
        self._known = found
        return sorted(found)

    def check(self, permission: str) -> None:
        """Let a name pass that some model, or the app, has.

        Raises:
            UnknownPermission: Nothing has it.
        """
        if permission in self._known:
            return
        known = self.all()
        if permission not in known:
            raise UnknownPermission(
                f"The permission {permission!r} was asked for.{did_you_mean(permission, known)}",
                why="No model and no `Auth(permissions=...)` has one of that name.",
                fix=f'__permissions__ = ("{permission.rpartition(".")[2]}",)    in the model, or correct the name.',
            )

    def find_policy(self, permission: str, user: Any) -> Callable[..., bool] | None:
        """Return the policy that is asked for a user: the app's own, or that of their model (Any: of any model)."""
        found = self.policies.get(permission)
        if found is not None or permission not in _policies:
            return found
        fitting = [one for one in _policies[permission] if isinstance(user, _user_of(one))]
        return max(fitting, key=lambda one: len(_user_of(one).__mro__), default=None)

    def policies_for(self, model: type[Any]) -> Iterator[tuple[str, Callable[..., bool]]]:
        """Yield what is asked for the users of a model (Any: of any model)."""
        yield from self.policies.items()
        for permission, functions in _policies.items():
            for function in functions:
                if issubclass(model, _user_of(function)):
                    yield permission, function


def use_permissions(model: type[Any], permissions: Permissions) -> None:
    """Let users of a model be asked by this where no app is running: in scripts and tests (Any: of any model)."""
    _of_model[model] = permissions


def permissions_here(user: Any = None) -> Permissions:
    """Return what the running app knows; without one what the app of a user's model knows (Any: of any model)."""
    unit = find_unit()
    battery: Any = None if unit is None else unit.app.batteries.get("auth")
    if battery is not None and (user is None or isinstance(user, battery.model)):
        found: Permissions = battery.known
        return found
    known = None if user is None else _of_model.get(type(user))
    # A group belongs to no model of users: all that any app knows is known to it.
    return known or Permissions(name for one in _of_model.values() for name in one.declared)


def all_permissions() -> list[str]:
    """Return the names of all permissions of the running app, sorted.

    Without a running app it is all that there are.
    """
    return permissions_here().all()


def policy(permission: str, /) -> Callable[[F], F]:
    """Let a function decide about one object: it gets the user and the object.

    It is asked by `user.can(permission, obj)`, for users who are active and no superusers, and stands in place of what
    they hold; `user.can(permission)` inside of it asks for that. It is a plain function; relations load in it.

    It is asked for users of the class that its first parameter names, so that two apps with models of their own keep
    apart; `Auth.policy` gives one to an app alone.

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
        _check_policy(permission, function)
        known = _policies.setdefault(permission, [])
        for other in list(known):
            if place_of(other) == place_of(function):  # the module was loaded again
                known.remove(other)
            elif _user_of(other) is _user_of(function):
                raise _twice(permission, other, function)
        known.append(function)
        return function

    return register


def add_policy(permissions: Permissions, permission: str, function: Callable[..., bool]) -> None:
    """Give a policy to one app.

    Raises:
        ConfigurationError: It cannot be asked, or there is another one (`DJN-923`).
    """
    _check_policy(permission, function)
    known = permissions.policies.get(permission)
    if known is not None and place_of(known) != place_of(function):
        raise _twice(permission, known, function)
    permissions.policies[permission] = function


def _twice(permission: str, known: Callable[..., bool], function: Callable[..., bool]) -> ConfigurationError:
    return ConfigurationError(
        f"The policy of {permission!r} was given twice: {place_of(known)} and {place_of(function)}.",
        why="One of them decides.",
        fix="Join them into one function.",
        code="DJN-923",
    )


def _check_policy(permission: str, function: Callable[..., bool]) -> None:
    if inspect.iscoroutinefunction(function) or len(inspect.signature(function).parameters) != 2:
        raise ConfigurationError(
            f"The policy of {permission!r} ({place_of(function)}) cannot be asked.",
            why="A policy is a plain function of the user and the object; templates and sync handlers ask it too.",
            fix=f"def {function.__name__}(user: User, obj: ...) -> bool: ...",
            code="DJN-923",
        )


def _user_of(function: Callable[..., bool]) -> type[Any]:
    """Return the class of the users that a policy is for: that of its first parameter, or any."""
    name, parameter = next(iter(inspect.signature(function).parameters.items()))
    annotation = parameter.annotation
    if isinstance(annotation, str):
        try:
            annotation = get_type_hints(function).get(name)
        except NameError:  # known to the checker alone
            annotation = None
    return annotation if isinstance(annotation, type) and annotation is not inspect.Parameter.empty else object


def _models(base: type[Any]) -> Iterator[type[Any]]:
    for cls in base.__subclasses__():
        if "__mapper__" in cls.__dict__:
            yield cls
        yield from _models(cls)
