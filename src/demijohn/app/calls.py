"""From a handler to the call that the dispatcher makes."""

from collections.abc import Callable, Mapping
from typing import Any

from demijohn.app.binding import Kind, plan
from demijohn.app.compiler import compile_call
from demijohn.app.dispatch import Call
from demijohn.app.services import Services
from demijohn.routing import WEBSOCKET

__all__ = ["make_call"]


def make_call(
    function: Callable[..., Any],
    *,
    path_names: Mapping[str, Any],
    methods: frozenset[str],
    services: Services,
    inline: bool = False,
) -> Call:
    """Return how the dispatcher calls a handler (Any: converters, and whatever handlers return).

    Raises:
        ConfigurationError: DJN-200 to DJN-216, its wiring cannot work; all mistakes at once.
    """
    kind: Kind = "websocket" if WEBSOCKET in methods else "request"
    made = plan(
        function, services=services, binders=services.binders, path_names=path_names, methods=methods, kind=kind
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
