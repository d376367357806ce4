"""Binders: how batteries bind types of their own to the parameters of handlers."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, get_origin

from demijohn.app.parameters import HandlerParameter, Input

__all__ = ["Binder", "BinderFactory", "Binders"]


class Binder:
    """How one parameter gets its value, once per request.

    Args:
        get: Given the request, returns the value, or an awaitable of it where `is_async`. It raises
            `ValidationFailed` with places like `("body", "title")`, which join those of the other parameters, or any
            `HTTPError`, which ends the request at once.
        is_async: Whether `get` returns an awaitable.
        inputs: What the client gives for it, for the API documentation.
        reads_body: Whether it reads the body or the form.

    Any: the value is of the type that the parameter asks for.
    """

    __slots__ = ("get", "inputs", "is_async", "reads_body")

    def __init__(
        self,
        get: Callable[[Any], Any | Awaitable[Any]],
        *,
        is_async: bool = True,
        inputs: tuple[Input, ...] = (),
        reads_body: bool = False,
    ) -> None:
        self.get = get
        self.is_async = is_async
        self.inputs = inputs
        self.reads_body = reads_body


BinderFactory: TypeAlias = Callable[[HandlerParameter], Binder | None]
"""Called once per parameter at start-up: returns a binder, or `None` to leave the parameter to the next one; raises
`ConfigurationError` with the line to write for what cannot work."""


class Binders:
    """What binds the types that only batteries know.

    The last one added is asked first.

    A binder is asked where the parameter's explicit marker is none of the kernel's own business, where its name stands
    in the path, or where nothing else of higher rank has taken it: markers, path, services, *binders*, bodies, query.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[type | Callable[[HandlerParameter], bool], BinderFactory]] = []

    def add(self, match: type | Callable[[HandlerParameter], bool], factory: BinderFactory) -> None:
        """Register a factory for the parameters that `match`.

        `match` is a class, for parameters annotated with it, a subclass or its generic alias, or marked with an
        instance of it; or a function that says yes or no.

        Example:
            A model in the path, `/posts/{post:slug}` (in the database room)::

                app.binders.add(Model, bind_model)

                def bind_model(parameter):
                    if parameter.path is None:
                        return None
                    load = loader(parameter.type, parameter.path)
                    return Binder(lambda request: load(request.path_params[parameter.name]))
        """
        self._entries.insert(0, (match, factory))

    def find(self, parameter: HandlerParameter) -> Binder | None:
        """Return the binder of a parameter, or `None`.

        Raises:
            ConfigurationError: What a factory has to say.
        """
        for match, factory in self._entries:
            if _matches(match, parameter):
                binder = factory(parameter)
                if binder is not None:
                    return binder
        return None


def _matches(match: type | Callable[[HandlerParameter], bool], parameter: HandlerParameter) -> bool:
    if not isinstance(match, type):
        return match(parameter)
    if any(isinstance(item, match) for item in parameter.metadata):
        return True
    bare = get_origin(parameter.type) or parameter.type
    return isinstance(bare, type) and issubclass(bare, match)
