"""From a request to the arguments of a handler."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import msgspec

from demijohn.app.dispatch import Call
from demijohn.app.services import Services
from demijohn.errors import FieldError, ValidationFailed
from demijohn.http import Request

__all__ = ["make_call"]


def make_call(
    function: Callable[..., Any],
    *,
    path_names: Mapping[str, Any],
    methods: frozenset[str],
    services: Services,
    inline: bool = False,
) -> Call:
    """Return how the dispatcher calls a handler (Any: converters, and whatever handlers return)."""
    signature = inspect.signature(function)
    hints = get_type_hints(function, include_extras=True)
    is_async = inspect.iscoroutinefunction(inspect.unwrap(function))
    parameters = [(name, hints.get(name, str), parameter.default) for name, parameter in signature.parameters.items()]

    async def gather(request: Request) -> tuple[tuple[Any, ...], dict[str, Any]]:
        values: dict[str, Any] = {}
        errors: list[FieldError] = []
        for name, tp, default in parameters:
            if name in request.path_params:
                values[name] = request.path_params[name]
            elif tp is Request:
                values[name] = request
            elif services.has(tp):
                values[name] = await request.app.scope_of(request).get(tp)
            elif isinstance(tp, type) and issubclass(tp, msgspec.Struct):
                try:
                    values[name] = msgspec.json.decode(await request.body(), type=tp)
                except msgspec.ValidationError as error:
                    errors.append(FieldError(("body",), "type", str(error)))
            else:
                text = request.query.get(name)
                if text is None:
                    if default is inspect.Parameter.empty:
                        errors.append(FieldError(("query", name), "missing", "This field is required."))
                    continue
                try:
                    values[name] = msgspec.convert(text, tp, strict=False)
                except msgspec.ValidationError as error:
                    errors.append(FieldError(("query", name), "type", str(error)))
        if errors:
            raise ValidationFailed(errors)
        return (), values

    if not parameters:
        return Call(function, whole=(lambda _request: function()), is_async=is_async, inline=inline)

    if is_async:

        async def whole(request: Request) -> Any:
            _, values = await gather(request)
            return await function(**values)

        return Call(function, whole=whole, is_async=True)
    return Call(function, whole=None, gather=gather, is_async=False, inline=inline)
