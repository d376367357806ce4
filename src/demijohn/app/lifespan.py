"""Start-up and shutdown: functions and context managers, ended in reverse order."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

from demijohn._lib.later import asyncio, inspect
from demijohn._lib.source import place_of
from demijohn.app.calls import begun_later
from demijohn.app.context import Unit
from demijohn.app.hooks import APP, HookCall, call_with_app, in_unit
from demijohn.app.signatures import name_of
from demijohn.errors import ConfigurationError

__all__ = ["Lifespan", "LifespanPart"]

LifespanPart: TypeAlias = Callable[
    ..., AbstractAsyncContextManager[Any] | AbstractContextManager[Any] | AsyncIterator[Any] | Iterator[Any]
]


class Lifespan:
    """What runs from start-up to shutdown. Parts begin in the order they were added and end in reverse.

    Start-up functions belong to the moment they were added; shutdown functions run in reverse order, before the
    parts that began earlier end. If a part fails to begin, those that had begun are ended; a part that has reached its
    `yield` and cannot be committed is one of them.
    """

    def __init__(self) -> None:
        self._parts: list[LifespanPart] = []
        self._stack: AsyncExitStack | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serves = False

    @property
    def serves(self) -> bool:
        """Return whether the app was started to answer requests, and not for a command, a script or the shell."""
        return self._serves

    @property
    def loop(self) -> "asyncio.AbstractEventLoop | None":
        """The loop that the app runs on; None where it was not started, or where that loop turns no more."""
        if self._stack is None or self._loop is None or not self._loop.is_running():
            return None
        return self._loop

    @property
    def is_running(self) -> bool:
        """Return whether start-up was done and shutdown was not."""
        return self._stack is not None

    def add(self, part: LifespanPart) -> LifespanPart:
        """Add an (async) generator function with one `yield`, or a function that returns a context manager.

        It may take the app, and services by their types: they live until the part has ended. A sync generator runs in
        a thread.

        Raises:
            ConfigurationError: At the start-up: DJN-200 to DJN-217, its wiring cannot work; DJN-422, it has no end.

        Example:
            >>> from collections.abc import Iterator
            >>> from demijohn import App
            >>> app = App()
            >>> @app.lifespan.add
            ... def polling() -> Iterator[None]:
            ...     print("begun")
            ...     yield
            ...     print("ended")
        """
        self._parts.append(part)
        return part

    def on_startup(self, function: Callable[..., Any]) -> None:
        """Add a function, sync or async, of the app, of services, or of nothing; it runs in a unit of work."""

        @asynccontextmanager
        async def part(app: Any) -> AsyncIterator[None]:
            await call_with_app(function, app)
            yield

        self._parts.append(part)

    def on_shutdown(self, function: Callable[..., Any]) -> None:
        """Add a function that runs at the end, called as those of the start-up are."""

        @asynccontextmanager
        async def part(app: Any) -> AsyncIterator[None]:
            try:
                yield
            finally:
                await call_with_app(function, app)

        self._parts.append(part)

    async def start(self, app: Any, *, serves: bool = True) -> None:
        """Begin every part (Any: the app lives above); on failure end those that began, and raise."""
        if self._stack is not None:
            return
        self._serves = serves
        stack = AsyncExitStack()
        try:
            # All are wired before the first begins.
            for part in [_Begun(part, app) for part in self._parts]:
                await stack.enter_async_context(part)
        except BaseException:
            await stack.aclose()
            raise
        self._stack = stack
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """End every part, the last begun first."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()


class _Begun:
    """A part from its beginning to its end, in a unit of work of its own.

    The services that it took live as long. What was written is committed when it has begun, and again at its end.
    """

    def __init__(self, function: LifespanPart, app: Any) -> None:
        self._app = app
        self._function = function
        self._hook = HookCall(begun_later(function), APP, app.services)
        self._unit = Unit(app, name_of(function))
        self._manager: Any = None

    async def __aenter__(self) -> None:
        try:
            await in_unit(self._unit, self._begin())
        except BaseException as error:
            try:
                if self._manager is not None:
                    # It has begun, and what it wrote could not be committed.
                    await in_unit(self._unit, self._end())
            finally:
                await in_unit(self._unit, self._app.end_unit(self._unit, error))
            raise

    async def __aexit__(self, *_error: object) -> None:
        failure: BaseException | None = None
        try:
            await in_unit(self._unit, self._end())
        except BaseException as error:
            failure = error
            raise
        finally:
            await in_unit(self._unit, self._app.end_unit(self._unit, failure))

    async def _begin(self) -> None:
        made: Any = await self._hook.run(self._unit, self._app)
        if inspect.isasyncgen(made):
            made = asynccontextmanager(lambda generator=made: generator)()
        elif inspect.isgenerator(made):
            from contextlib import contextmanager

            made = _InThread(contextmanager(lambda generator=made: generator)(), self._app)
        if not hasattr(made, "__aenter__") and not hasattr(made, "__enter__"):
            raise ConfigurationError(
                f"`app.lifespan.add({name_of(self._function)})` ({place_of(self._function)}) got {made!r} from it.",
                why="What begins at the start-up and ends at the shutdown is a generator or a context manager.",
                fix="Write one `yield` between its two halves; what has no end is  @app.on_startup",
                code="DJN-422",
            )
        await _enter(made)
        self._manager = made
        for finish in self._app.before_send:
            await finish(self._unit, None)

    async def _end(self) -> None:
        manager, self._manager = self._manager, None
        if hasattr(manager, "__aexit__"):
            await manager.__aexit__(None, None, None)
        else:
            manager.__exit__(None, None, None)


async def _enter(manager: Any) -> None:
    if hasattr(manager, "__aenter__"):
        await manager.__aenter__()
    else:
        manager.__enter__()


class _InThread:
    """A context manager of sync code, which may block and `wait`."""

    def __init__(self, manager: AbstractContextManager[Any], app: Any) -> None:
        self._manager = manager
        self._app = app

    async def __aenter__(self) -> None:
        await self._app.run_sync(self._manager.__enter__)

    async def __aexit__(self, *error: object) -> None:
        await self._app.run_sync(partial(self._manager.__exit__, None, None, None), finishing=True)
