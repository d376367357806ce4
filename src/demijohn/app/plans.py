"""Plans: where the value of each parameter of one function comes from."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from demijohn._lib.sentinels import MISSING
from demijohn.app.binders import Binder
from demijohn.app.parameters import Body, HandlerParameter, Input
from demijohn.app.signatures import is_async, optional
from demijohn.schema import Field

__all__ = ["Kind", "Plan", "Slot"]

Kind = Literal["request", "websocket", "unit", "hook"]


class Slot:
    """One parameter with the place its value comes from.

    `source` is one of `path`, `query`, `header`, `cookie`, `form`, `file`, `body`, `service`, `unit`, `offered`,
    `custom`, `default`, `others` (the rest of the path, for `**kwargs`) and `given` (by the caller of a command,
    task or hook).
    """

    __slots__ = ("binder", "default", "field", "key", "name", "parameter", "source", "tp", "wire")

    def __init__(
        self,
        parameter: HandlerParameter,
        source: str,
        *,
        wire: str = "",
        tp: Any = None,
        key: Any = None,
        binder: Binder | None = None,
    ) -> None:
        self.parameter = parameter
        self.name = parameter.name
        self.source = source
        self.wire = wire or parameter.name
        self.tp = tp
        self.key = key
        self.binder = binder
        self.default = parameter.default
        self.field: Field | None = None


class Plan:
    """How a function is called: a slot for each parameter.

    Attributes:
        function: What is called.
        slots: In the order of the signature.
        is_async: Whether calling it gives a coroutine.
        needs_body: Whether the body or the form is read.
        inputs: What the client gives, without that of its services and dependencies.
    """

    __slots__ = ("function", "inputs", "is_async", "kind", "methods", "needs_body", "slots")

    def __init__(self, function: Callable[..., Any], slots: list[Slot], kind: Kind, methods: frozenset[str]) -> None:
        self.function = function
        self.slots = slots
        self.kind = kind
        self.methods = methods
        self.is_async = is_async(function)
        self.needs_body = any(
            slot.source in ("form", "file", "body") or (slot.binder is not None and slot.binder.reads_body)
            for slot in slots
        )
        self.inputs: tuple[Input, ...] = tuple(_inputs(slots))

    @property
    def services(self) -> tuple[Any, ...]:
        """The keys of the services and dependencies that are asked for (Any: types, or functions)."""
        return tuple(slot.key for slot in self.slots if slot.source == "service")

    @property
    def given(self) -> tuple[HandlerParameter, ...]:
        """The parameters that are left to the caller: the options of a command, the arguments of a task."""
        return tuple(slot.parameter for slot in self.slots if slot.source == "given")

    def of(self, *sources: str) -> list[Slot]:
        """Return the slots whose values come from some sources."""
        return [slot for slot in self.slots if slot.source in sources]


def _inputs(slots: list[Slot]) -> Iterable[Input]:
    for slot in slots:
        if slot.binder is not None:
            yield from slot.binder.inputs
        elif slot.source in ("path", "query", "header", "cookie", "form", "file", "body"):
            source = "form" if slot.source == "file" else slot.source
            required = slot.default is MISSING and not optional(slot.parameter.type)
            media: tuple[str, ...] = ()
            marker = slot.parameter.marker
            if source == "body":
                media = ("application/json",)
                if isinstance(marker, Body) and marker.form:
                    media = (*media, "application/x-www-form-urlencoded", "multipart/form-data")
            elif source == "form":
                media = ("application/x-www-form-urlencoded", "multipart/form-data")
                if slot.source == "file":
                    media = ("multipart/form-data",)
            yield Input(
                source,
                "" if slot.wire == "*" or source == "body" else slot.wire,
                type=slot.tp,
                required=required,
                default=slot.default,
                field=slot.field,
                media_types=media,
            )
