"""What each route does, for those who describe it: its handler, its plan, its formats, its marks."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from demijohn.app.formats import Format
from demijohn.app.parameters import Input
from demijohn.app.plans import Plan
from demijohn.middleware.marks import Marks
from demijohn.routing import Route

if TYPE_CHECKING:
    from demijohn.app.wiring import Wiring

__all__ = ["Operation", "operations_of"]


class Operation:
    """One method of one route.

    Attributes:
        route: The route.
        method: In upper case; `"WEBSOCKET"` for a WebSocket.
        function: What answers.
        plan: Where its arguments come from.
        status: The status that the route says, or `None`.
        formats: What it writes, where it lists formats.
        marks: What decorators said about it.
        options: The marks that the route was declared with (Any: theirs to define).
        inputs: What a client gives, its services and dependencies included.
    """

    __slots__ = ("formats", "function", "inputs", "marks", "method", "options", "plan", "route", "status")

    def __init__(
        self,
        route: Route,
        method: str,
        *,
        function: Callable[..., Any],
        plan: Plan | None,
        status: int | None,
        formats: tuple[Format, ...],
        options: Mapping[str, Any],
        marks: Marks,
    ) -> None:
        self.route = route
        self.method = method
        self.function = function
        self.plan = plan
        self.status = status
        self.formats = formats
        self.options = options
        self.marks = marks
        self.inputs: list[Input] = []

    @property
    def services(self) -> tuple[Any, ...]:
        """The keys of the services that the plan asks for (Any: types, functions)."""
        return () if self.plan is None else self.plan.services


def operations_of(app: "Wiring") -> Iterator[Operation]:
    """Yield what each route of a built app does, in the order of the routes."""
    for route in app.router.routes:
        for operation in route.details.values():
            if operation.plan is not None:
                operation.inputs = app.services.inputs(operation.plan)
            yield operation
