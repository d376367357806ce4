"""Class-based views: one class, a method for each HTTP method."""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

from demijohn._lib.later import inspect

__all__ = ["View", "methods_of", "view_function"]

_METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")


class View:
    """A class whose methods `get`, `post`, ... answer the HTTP methods of one route.

    A new instance is made for every request, so that attributes set on `self` belong to that request. Methods take
    parameters as handlers do.

    Example:
        >>> from demijohn import App, View
        >>> app = App()
        >>> @app.route("/posts")
        ... class Posts(View):
        ...     async def get(self, page: int = 1):
        ...         return {"page": page}
    """

    decorators: ClassVar[tuple[Callable[[Any], Any], ...]] = ()
    """Decorators for every method, applied from left to right."""


def methods_of(view: type[View]) -> list[str]:
    """Return the HTTP methods that a view class answers, in upper case."""
    return [name.upper() for name in _METHODS if callable(getattr(view, name, None))]


def view_function(view: type[View], method: str) -> Callable[..., Any]:
    """Return a function that makes the view for each call and calls its `method`."""
    function = getattr(view, method.lower())
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    bound = signature.replace(parameters=parameters[1:])

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return await function(view(), *args, **kwargs)

        call: Callable[..., Any] = call_async
    else:

        @functools.wraps(function)
        def call_sync(*args: Any, **kwargs: Any) -> Any:
            return function(view(), *args, **kwargs)

        call = call_sync

    call.__signature__ = bound  # type: ignore[attr-defined]
    for decorator in view.decorators:
        call = decorator(call)
    return call
