"""Actions: what a list can do to the objects that were chosen."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from demijohn._lib.translation import gettext_lazy
from demijohn.admin.access import Visit
from demijohn.admin.options import Action, ModelAdmin
from demijohn.db import QuerySet
from demijohn.http import Request

__all__ = ["DELETE", "Bound", "actions_of", "allowed", "run"]

DELETE = "delete_selected"
_ACTIONS = frozenset(("view", "add", "change", "delete"))


class Bound(NamedTuple):
    """An action of one model, with the function that does it (Any: what it returns is shown or sent)."""

    about: Action
    function: Callable[..., Any] | None
    takes_request: bool = False

    @property
    def label(self) -> str:
        """What the button says."""
        return str(self.about.label)


def actions_of(admin: ModelAdmin) -> dict[str, Bound]:
    """Return the actions of a model by name; the delete comes last.

    Raises:
        ConfigurationError: An entry names no function, or one that cannot be an action (`DJN-951`).
    """
    found: dict[str, Bound] = {}
    for given in admin.actions:
        function = getattr(admin, given, None) if isinstance(given, str) else given
        if not callable(function):
            raise admin.wrong(
                "actions",
                given,
                why="An action is a function of the chosen objects, or the name of a method.",
                fix='@action(label="Publish")\n    async def publish(self, posts): ...',
            )
        if not isinstance(given, str) and getattr(admin, function.__name__, None) is not None:
            # Written within the class and listed there, it is a plain function still.
            own = getattr(type(admin), function.__name__, None)
            function = getattr(admin, function.__name__) if own is given else function
        about = getattr(function, "__demijohn_action__", None)
        if about is None:
            name = function.__name__
            about = Action(name, name.replace("_", " ").capitalize(), "change", "", False)
        found[about.name] = Bound(about, function, _takes_request(function))
    found.setdefault(DELETE, Bound(Action(DELETE, gettext_lazy("Delete"), "delete", "?", True), None))
    return found


def allowed(visit: Visit, admin: ModelAdmin, bounds: Mapping[str, Bound]) -> dict[str, Bound]:
    """Return those actions of a model that the user may ask for."""
    return {name: bound for name, bound in bounds.items() if may(visit, admin, bound)}


def may(visit: Visit, admin: ModelAdmin, bound: Bound, obj: Any = None) -> bool:
    """Return whether the user may ask for an action, for an object where one is given (Any: of the model)."""
    permission = bound.about.permission
    if permission in _ACTIONS:
        return visit.may(admin, permission, obj)
    return visit.has(permission, obj)


async def run(bound: Bound, query: QuerySet[Any], request: Request) -> Any:
    """Run an action on the chosen objects and return what it returned (Any: a text or a response, mostly)."""
    function = bound.function
    if function is None:
        raise TypeError(f"{bound.about.name} is not run by itself.")
    arguments: Sequence[Any] = (query, request) if bound.takes_request else (query,)
    if inspect.iscoroutinefunction(inspect.unwrap(function)):
        return await function(*arguments)
    return await request.app.run_sync(partial(function, *arguments))


def _takes_request(function: Callable[..., Any]) -> bool:
    return len(inspect.signature(function).parameters) > 1
