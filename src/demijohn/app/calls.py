"""From a function to the call that the dispatcher, a command or a task makes."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from demijohn._lib.later import inspect
from demijohn.app.binding import plan
from demijohn.app.compiler import compile_call
from demijohn.app.dispatch import Call
from demijohn.app.parameters import HandlerParameter
from demijohn.app.plans import Kind
from demijohn.app.services import Services
from demijohn.app.signatures import awaiting, bare, name_of
from demijohn.routing import WEBSOCKET

__all__ = ["UnitCall", "begun_later", "make_call"]


def make_call(
    function: Callable[..., Any],
    *,
    path_names: Mapping[str, Any],
    methods: frozenset[str],
    services: Services,
    inline: bool = False,
    together: frozenset[str] = frozenset(),
) -> Call:
    """Return how the dispatcher calls a handler (Any: converters, and whatever handlers return).

    `together` are all methods that the same function answers: one that answers GET and POST gets the default of a form
    or body on GET.

    Raises:
        ConfigurationError: DJN-200 to DJN-216, its wiring cannot work; all mistakes at once.
    """
    function = begun_later(awaiting(function))
    kind: Kind = "websocket" if WEBSOCKET in methods else "request"
    made = plan(
        function,
        services=services,
        binders=services.binders,
        path_names=path_names,
        methods=methods,
        together=together,
        kind=kind,
    )
    compiled = compile_call(made, services)
    return Call(
        compiled.finish or function,
        whole=compiled.whole,
        gather=compiled.gather,
        is_async=compiled.is_async,
        inline=inline,
        plan=made,
    )


def begun_later(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function for a generator function, whose call runs none of its code; any other as it is."""
    inner = bare(function)
    if not inspect.isasyncgenfunction(inner) and not inspect.isgeneratorfunction(inner):
        return function

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


class UnitCall:
    """A function that runs in a unit of work without a request: a command or task.

    Its services and dependencies are filled in as a handler's are; all other parameters are `given` by the caller.

    Args:
        function: Sync or async.
        services: Those of the app.

    Raises:
        ConfigurationError: DJN-200 to DJN-216, its wiring cannot work.

    Example:
        How a task is run, with the arguments that were queued::

            call = UnitCall(send_invoice, app.services)
            async with app.context() as unit:
                await call(unit, {"order_id": 7})
    """

    def __init__(self, function: Callable[..., Any], services: Services) -> None:
        made = plan(function, services=services, binders=services.binders, kind="unit")
        compiled = compile_call(made, services)
        self.function = function
        self.given: tuple[HandlerParameter, ...] = made.given
        self._defaults = {parameter.name: parameter.default for parameter in made.given if parameter.has_default}
        self._compiled = compiled

    async def __call__(self, unit: Any, values: Mapping[str, Any]) -> Any:
        """Call the function in a unit of work, a sync one in a thread (Any: what it takes and returns).

        Raises:
            TypeError: A value is missing, or not known.
        """
        names = [parameter.name for parameter in self.given]
        given = self._defaults | dict(values)
        missing = [name for name in names if name not in given]
        unknown = [name for name in given if name not in names]
        if missing or unknown:
            raise TypeError(f"{name_of(self.function)}() lacks {missing} and does not know {unknown}")
        coroutine = self._run(unit, given)
        for driver in unit.app.drivers:
            coroutine = driver.drive(coroutine)
        return await coroutine

    async def _run(self, unit: Any, given: Mapping[str, Any]) -> Any:
        compiled = self._compiled
        if compiled.whole is not None:
            whole = compiled.whole
            if compiled.is_async:
                return await whole(unit, given)
            return await unit.app.run_sync(lambda: whole(unit, given))
        gather, finish = compiled.gather, compiled.finish
        assert gather is not None and finish is not None  # noqa: S101, PT018 - there is one form or the other
        arguments = await gather(unit, given)
        return await unit.app.run_sync(lambda: finish(*arguments))
