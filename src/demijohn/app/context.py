"""Where code stands: the request or unit that is running, and `wait` for code that cannot await."""

import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from demijohn._lib.concurrency import find_servant
from demijohn._lib.later import asyncio
from demijohn.errors import OutsideContext
from demijohn.http import Connection, Request, Scratch, StateKey

__all__ = ["Current", "Unit", "current", "find_unit", "is_ending", "running", "wait"]

T = TypeVar("T")


class Unit:
    """A command, task, script or socket message that runs.

    A request is a unit too; both have `app`, `services` and `g`.
    """

    __slots__ = ("__weakref__", "_states", "app", "ending", "g", "name", "services", "thread")

    def __init__(self, app: Any, name: str) -> None:
        self.app = app
        self.name = name
        self.services: Any = None
        """The scope of its services, opened at first use (Any: it lives above)."""
        self.ending: list[Callable[[], Any]] | None = None
        self.g = Scratch()
        self.thread = 0
        """The thread of a plain script, whose loop runs in another one."""
        self._states: dict[StateKey[Any], Any] = {}


running: ContextVar[Connection | Unit | None] = ContextVar("demijohn_unit", default=None)


def find_unit() -> Connection | Unit | None:
    """Return the request, socket, command, task or script that is running, or None."""
    return running.get()


def is_ending(error: BaseException, unit: Any) -> bool:
    """Return whether an exception ends what runs from outside, and is no failure of its code (Any: a request or unit).

    Its task is cancelled, its coroutine is closed, or a person pressed Ctrl-C. What code raises by itself is a failure,
    whatever the class: a child that was cancelled, `sys.exit()`, a `GeneratorExit` of its own.
    """
    if isinstance(error, Exception | SystemExit):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # the loop turns no more
        return True
    if isinstance(error, asyncio.CancelledError):
        return task is None or task.cancelling() > 0
    if isinstance(error, GeneratorExit):
        # Whoever closes a coroutine does so in a context of his own.
        return running.get() is not unit
    if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        import signal

        return signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return False


class Current:
    """What is running now, for code that cannot take a parameter.

    Every attribute raises `OutsideContext` where it has no meaning; handlers get the same things by annotation.

    Example:
        >>> from demijohn import current
        >>> current.request.path  # doctest: +SKIP
        '/posts'
    """

    __slots__ = ()

    @property
    def request(self) -> Request:
        """Return the request that is being answered."""
        unit = running.get()
        if isinstance(unit, Request):
            return unit
        raise _outside("current.request", "a request", "Take `request: Request` as a parameter of a handler.")

    @property
    def app(self) -> Any:
        """Return the running app (Any: an `App`, whose module imports this one)."""
        return self._unit("current.app").app

    @property
    def g(self) -> Scratch:
        """Return the scratch place of the running request or unit."""
        return self._unit("current.g").g

    @property
    def session(self) -> Any:
        """Return the session of the visitor (Any: its class is a battery's)."""
        return self.named("session")

    def named(self, name: str) -> Any:
        """Return what a battery offers under `name` (Any: whatever it offers).

        Raises:
            OutsideContext: Nothing is running, or no battery offers that name.
        """
        unit = self._unit(f"current.{name}")
        return unit.app.current_value(name, unit)

    def get(self, service: type[T]) -> T:
        """Return a service by its type, as a handler would get it by annotation.

        In a coroutine on the event loop only a service that is ready, or is made without awaiting, can be had;
        `await current.resolve(service)` has no such limit.
        """
        unit = self._unit(f"current.get({getattr(service, '__name__', service)})")
        scope = unit.app.scope_of(unit)
        if find_servant() is not None:
            return cast("T", wait(scope.get(service)))
        return cast("T", scope.get_now(service))

    async def resolve(self, service: type[T]) -> T:
        """Return a service by its type, awaiting its factory where that is needed."""
        unit = self._unit(f"current.resolve({getattr(service, '__name__', service)})")
        return cast("T", await unit.app.scope_of(unit).get(service))

    def _unit(self, what: str) -> Connection | Unit:
        unit = running.get()
        if unit is None:
            raise _outside(what, "a request, command or task", "In a script write `with app.context():` around it.")
        return unit


current = Current()


def _outside(what: str, needed: str, fix: str) -> OutsideContext:
    return OutsideContext(
        f"`{what}` was used, and nothing of that kind is running.", why=f"It belongs to {needed}.", fix=fix
    )


def wait(awaitable: Awaitable[T]) -> T:
    """Run an awaitable on the app's loop from sync code and return its result.

    It runs in the same unit of work and context as the sync handler, command or script that waits. On the event loop
    itself it
    refuses, since waiting there would stop everything.

    Raises:
        OutsideContext: On the event loop, or where no handler, command or `app.context()` is running.

    Example:
        A plain `def` handler that loads a row::

            @app.get("/posts/{id:int}")
            def show(id: int):
                return wait(Post.get(id))
    """
    servant = find_servant()
    if servant is not None:
        return cast("T", servant.wait(awaitable))
    close = getattr(awaitable, "close", None)
    if close is not None:  # a coroutine that is never awaited would warn
        close()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise OutsideContext(
            "`wait` was called in a thread that no handler, command or script of the app is running in.",
            why="There is no event loop that could run the awaitable.",
            fix="In a script:  with app.context(): ...   In a test: `await` in an `async def test_...`.",
            code="DJN-403",
        ) from None
    raise OutsideContext(
        "`wait` was called on the event loop.",
        why="Waiting here would stop every request of this process.",
        fix="Write `await ...` in an `async def`; `wait` is for plain `def` functions.",
        code="DJN-402",
    )
