"""Reading a signature: names, types with their metadata, defaults."""

import functools
import sys
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Union, get_args, get_origin, get_type_hints

from demijohn._lib.later import inspect
from demijohn._lib.sentinels import MISSING
from demijohn._lib.source import place_of
from demijohn.app.parameters import HandlerParameter, Marker
from demijohn.errors import ConfigurationError

__all__ = [
    "awaiting",
    "bare",
    "is_async",
    "make_parameter",
    "name_of",
    "optional",
    "parts_of",
    "read_parameters",
    "return_hint",
    "return_type",
    "stripped",
]


def name_of(thing: Any) -> str:
    """Return what a function, class or type is called in a message (Any: whatever was registered)."""
    if isinstance(thing, functools.partial):
        return name_of(thing.func)
    if get_origin(thing) is not None:
        return repr(thing).replace("typing.", "")
    name = getattr(thing, "__name__", None)
    return str(name) if name else repr(thing)


def bare(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what really runs: below partials, decorators and `__call__`."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = inspect.unwrap(function)
        elif not inspect.isroutine(function) and not isinstance(function, type) and hasattr(function, "__call__"):  # noqa: B004
            function = type(function).__call__
        else:
            return function


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether calling a function gives a coroutine: partials and callable objects included."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.iscoroutinefunction(function):
        return True
    call = getattr(type(function), "__call__", None)  # noqa: B004 - it is looked at, not asked for
    return not inspect.isroutine(function) and not isinstance(function, type) and inspect.iscoroutinefunction(call)


def awaiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function where a plain decorator hides one, and any other function as it is."""
    if is_async(function) or not hasattr(function, "__wrapped__"):
        return function
    inner = inspect.unwrap(function)
    if not is_async(inner):
        return function

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    return call


def read_parameters(function: Callable[..., Any]) -> list[HandlerParameter]:
    """Return the parameters of a function.

    Raises:
        ConfigurationError: DJN-202, a parameter has no type or one that cannot be found; DJN-203, several markers;
            DJN-207, the signature cannot be read.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        raise ConfigurationError(
            f"{name_of(function)} has no signature that can be read.",
            why="Its parameters are bound by name and type.",
            fix=f"Wrap it:  def handler(id: int): return {name_of(function)}(id)",
            code="DJN-207",
        ) from None
    hints = _hints(function)
    found = []
    for name, parameter in signature.parameters.items():
        default = MISSING if parameter.default is inspect.Parameter.empty else parameter.default
        annotation = hints.get(name, MISSING)
        if annotation is MISSING and parameter.annotation is not inspect.Parameter.empty:
            annotation = parameter.annotation
        found.append(make_parameter(name, annotation, default, parameter.kind, function))
    return found


def make_parameter(
    name: str, annotation: Any, default: Any, kind: "inspect._ParameterKind", function: Callable[..., Any]
) -> HandlerParameter:
    """Take an annotation apart (Any: annotations and defaults are of many types)."""
    tp = annotation
    metadata: tuple[Any, ...] = ()
    while hasattr(tp, "__metadata__"):
        metadata = (*tp.__metadata__, *metadata)
        tp = get_args(tp)[0]
    parameter = HandlerParameter(
        name, annotation, type=tp, metadata=metadata, default=default, kind=kind, function=function
    )
    markers = [item for item in metadata if isinstance(item, Marker)]
    markers += [item() for item in metadata if isinstance(item, type) and issubclass(item, Marker)]
    if isinstance(default, Marker):
        parameter.default = MISSING
        markers.append(default)
    parameter.marker = markers[0] if markers else None
    if len(markers) > 1 and type(markers[0]) is not type(markers[1]) and not _go_together(markers):
        raise ConfigurationError(
            f"The parameter `{name}` of {name_of(function)} ({place_of(function)}) has "
            f"{' and '.join(map(repr, markers))}.",
            why="A value comes from one place.",
            fix=f"Keep one:  {name}: Annotated[{name_of(tp)}, {markers[0]!r}]",
            code="DJN-203",
        )
    return parameter


def _go_together(markers: list[Marker]) -> bool:
    return {type(marker).__name__ for marker in markers} <= {"Body", "Form", "Fields"}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = function.__init__ if isinstance(function, type) else bare(function)  # type: ignore[misc]
    if isinstance(target, types.WrapperDescriptorType | types.BuiltinFunctionType | types.MethodDescriptorType):
        return {}
    try:
        return get_type_hints(target, include_extras=True)
    except (NameError, TypeError, SyntaxError, AttributeError):
        pass
    hints, missing = {}, []
    for name, annotation in getattr(target, "__annotations__", {}).items():
        try:
            hints[name] = _resolve(annotation, target)
        except (NameError, TypeError, SyntaxError, AttributeError) as error:
            if name != "return":
                missing.append((name, annotation, error))
    if missing:
        raise ConfigurationError(
            "\n".join(
                f"The type of `{name}: {annotation}` of {name_of(function)} ({place_of(function)}) cannot be found: "
                f"{error}."
                for name, annotation, error in missing
            ),
            why="A type that is imported only for the checker, or defined in a function, is not there at run time.",
            fix="Import it at the top of the module, outside of `if TYPE_CHECKING:`.",
            code="DJN-202",
        )
    return hints


def _resolve(annotation: Any, function: Callable[..., Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    names = dict(getattr(function, "__globals__", {}))
    names.update(_around(function))
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    return typing.get_type_hints(holder, names, names, include_extras=True)["it"]


def _around(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the local names of the functions that a function was defined in, as long as they run.

    With `from __future__ import annotations` a type that was defined beside a handler inside a function, as in a
    test, can only be found there.
    """
    outer = function.__qualname__.split(".<locals>.")[:-1]
    found: dict[str, Any] = {}
    frame = sys._getframe(1)
    while outer and frame is not None:
        if frame.f_code.co_name == outer[-1].rpartition(".")[2]:
            found = {**frame.f_locals, **found}
        frame = frame.f_back  # type: ignore[assignment]
    cells = getattr(function, "__closure__", None) or ()
    code = getattr(function, "__code__", None)
    for name, cell in zip(getattr(code, "co_freevars", ()), cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not yet filled
            continue
    return found


def optional(tp: Any) -> bool:
    """Return whether a type allows `None`."""
    return get_origin(tp) in (Union, types.UnionType) and type(None) in get_args(tp)


def stripped(tp: Any) -> Any:
    """Return `X` for `X | None`, and the type itself otherwise."""
    if not optional(tp):
        return tp
    members = [member for member in get_args(tp) if member is not type(None)]
    return members[0] if len(members) == 1 else Union[tuple(members)]  # noqa: UP007 - made at run time


_GENERATORS = ("Iterator", "AsyncIterator", "Generator", "AsyncGenerator", "Iterable", "AsyncIterable")


def return_type(function: Callable[..., Any]) -> Any:
    """Return the type that a factory makes, or `MISSING`; of a generator, what it yields."""
    if isinstance(function, type):
        return function
    hint = _hints(function).get("return", MISSING)
    if getattr(get_origin(hint), "__name__", "") in _GENERATORS:
        return get_args(hint)[0]
    return hint


def return_hint(function: Callable[..., Any]) -> Any:
    """Return the annotation of what a function returns as it stands, or `MISSING` (Any: an annotation)."""
    return _hints(function).get("return", MISSING)


def parts_of(tp: Any) -> Iterator[Any]:
    """Iterate over a type and all that stands inside of it."""
    yield tp
    for part in get_args(tp):
        yield from parts_of(part)
