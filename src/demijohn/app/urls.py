"""`url_for` and the functions that add to the running request."""

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any, TypeVar

from demijohn._lib.concurrency import find_servant
from demijohn._lib.later import inspect
from demijohn.app.context import current, running
from demijohn.errors import OutsideContext
from demijohn.http import Request

__all__ = ["after_response", "after_this_request", "place", "url_for"]

F = TypeVar("F", bound=Callable[..., Any])


def url_for(name_or_function: str | Callable[..., Any], /, **params: Any) -> str:
    """Return the URL of a route, by its name or by the function that answers it.

    Parameters of the pattern go into the path, others into the query; a name that begins with a dot is one of the
    running
    blueprint's. `_external=True` gives a full URL (Any: values are formatted by the route).

    Raises:
        OutsideContext: Nothing is running; `app.url_for` works everywhere.
        URLBuildError: There is no such route, or a parameter is missing.

    Example:
        >>> from demijohn import App, url_for
        >>> app = App()
        >>> @app.get("/posts/{id:int}")
        ... def show(id: int): ...
        >>> app.url_for(show, id=3)
        '/posts/3'
    """
    unit = running.get()
    if unit is None:
        raise OutsideContext(
            "`url_for` was called, and nothing is running.",
            why="It builds the URLs of the running app.",
            fix="Use `app.url_for(...)`, or write `with app.context():` around it.",
            code="DJN-405",
        )
    root = getattr(unit, "root_path", "")
    if root:
        params.setdefault("_root", root)
    route = getattr(unit, "route", None)
    if isinstance(name_or_function, str) and name_or_function.startswith(".") and route is not None:
        params.setdefault("_namespace", route.namespace)
    if params.get("_external") and isinstance(unit, Request):
        params.setdefault("_scheme", unit.scheme)
        params.setdefault("_host", unit.host)
    return _adjust(unit, str(unit.app.url_for(name_or_function, **params)), params.get("_root", ""))


def place(path: str) -> str:
    """Return a path of the running app as a browser asks for it: below the root path of the request."""
    unit = running.get()
    root = getattr(unit, "root_path", "")
    return path if unit is None else _adjust(unit, root + path, root)


def _adjust(unit: Any, url: str, root: str) -> str:
    for adjust in unit.app.url_adjusters:
        url = adjust(unit, url, root)
    return url


def after_this_request(function: F) -> F:
    """Run a function on the response of the running request alone.

    It may return another response. A plain function that a `def` handler gives runs in a thread as well, one that an
    `async def` gives on the loop.
    """
    request = current.request
    if request.after is None:
        request.after = []
    request.after.append(_where_it_was_given(function, request))
    return function


def after_response(function: Callable[[], Awaitable[None] | None]) -> None:
    """Run a function when the running request was answered.

    It runs whatever came of the request, while its services are still open. It is not kept beyond this process: what
    must happen belongs into a task. A plain function that a `def` handler gives runs in a thread as well, one that an
    `async def` gives on the loop.
    """
    request = current.request
    if request.ending is None:
        request.ending = []
    request.ending.append(_where_it_was_given(function, request))


def _where_it_was_given(function: Callable[..., Any], request: Request) -> Callable[..., Any]:
    """Return a plain function of sync code as one that runs in a thread: it may block, and `wait`."""
    if find_servant() is None or inspect.iscoroutinefunction(inspect.unwrap(function)):
        return function

    @wraps(function)
    async def call(*arguments: Any) -> Any:
        result = await request.app.run_sync(partial(function, *arguments), finishing=True)
        return await result if inspect.isawaitable(result) else result

    return call
