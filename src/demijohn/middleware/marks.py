"""What a decorator leaves on a function for the compiler of its route."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeAlias, TypeVar

from demijohn.http import Request, Response

__all__ = ["Guard", "Marks", "Middleware", "Next", "ResponseHook", "guards_for", "mark", "marks_of"]

F = TypeVar("F")

Next: TypeAlias = Callable[[Request], Awaitable[Response]]
"""The rest of the way to the handler."""
ResponseHook: TypeAlias = Callable[[Request, Response], None]
"""Changes the response of a route before it is sent."""

_ATTRIBUTE = "__demijohn_marks__"


class Answered(Exception):
    """Raised by a guard that has the answer already.

    The handler is left out, and no error handler is asked.

    Args:
        response: The answer. What the request did in a database is rolled back.
    """

    def __init__(self, response: Response) -> None:
        super().__init__("The answer is there already.")
        self.response = response


class Guard(Protocol):
    """A check before the handler.

    It lets the request pass, or raises an `HTTPError` or `Answered`. It returns `None`, or an awaitable in the cases
    that need one (to read the form, to ask a shared store).
    It may have:

    * a true `early`: it comes before middleware;
    * a true `late`: it comes after all others, which may refuse;
    * a true `for_mounts`: mounted apps have it too;
    * `check`, a method of the request and its fields by name: it shares these with the other guards;
    * `passes` beside `check`, the name of a field and a set of its values: it need not be asked about those. It stays
      the same set, which is emptied in place where it grows too large;
    * `check_socket`, a method to which handshakes of WebSockets go;
    * `prepare`, called with the app for each route that carries it: it raises `ConfigurationError` where it cannot
      work there.
    """

    @property
    def name(self) -> str:
        """What a route names to do without it."""
        ...

    def applies(self, methods: frozenset[str], /) -> bool:
        """Tell whether it can do something for a route with these methods; otherwise it is not compiled into it."""
        ...

    def __call__(self, request: Request, /) -> Awaitable[None] | None: ...


class Middleware(Protocol):
    """Stands around the handler: takes the request, calls `next`, returns a response."""

    async def __call__(self, request: Request, next: Next, /) -> Response: ...  # noqa: A002 - the field's term


class Marks:
    """What decorators said about a handler; read once, when its route is compiled."""

    __slots__ = ("exempt", "guards", "hooks", "middleware")

    def __init__(self) -> None:
        self.guards: list[Guard] = []
        self.middleware: list[Middleware] = []
        self.hooks: list[ResponseHook] = []
        self.exempt: set[str] = set()
        """Names of default guards that the route does without."""

    def __bool__(self) -> bool:
        return bool(self.guards or self.middleware or self.hooks or self.exempt)


def mark(function: Any) -> Marks:
    """Return the marks of a function or class, made where there are none.

    Takes `Any`: whatever a route takes.
    """
    found: Marks | None = vars(function).get(_ATTRIBUTE)
    if found is None:
        found = Marks()
        setattr(function, _ATTRIBUTE, found)
    return found


def marks_of(*things: Any) -> Marks:
    """Return the marks of several things together, the outermost first.

    As for a view class and its method.

    Takes `Any`: functions, classes, bound methods and partials; what carries no marks adds nothing.
    """
    together = Marks()
    for thing in things:
        found: Marks | None = getattr(thing, _ATTRIBUTE, None)
        if found is None:
            found = getattr(getattr(thing, "func", None), _ATTRIBUTE, None)
        if found is not None:
            together.guards += found.guards
            together.middleware += found.middleware
            together.hooks += found.hooks
            together.exempt |= found.exempt
    return together


def guards_for(methods: Iterable[str], guards: Iterable[Guard], *, marks: Marks | None = None) -> tuple[Guard, ...]:
    """Return the guards that can do something for a route.

    The app's come first, without those that the route does without, then its own.

    Args:
        methods: The methods of the route.
        guards: The guards of the app, in their order.
        marks: What the decorators of the route said.
    """
    wanted = frozenset(methods)
    chosen = list(guards)
    if marks is not None:
        chosen = [guard for guard in chosen if guard.name not in marks.exempt] + marks.guards
    found = [guard for guard in chosen if guard.applies(wanted)]
    return tuple(sorted(found, key=lambda guard: bool(getattr(guard, "late", False))))
