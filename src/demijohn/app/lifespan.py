"""Start-up and shutdown: functions and context managers, ended in reverse order."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias

from demijohn._lib.later import asyncio, inspect
from demijohn.app.hooks import call_with_app

__all__ = ["Lifespan", "LifespanPart"]

LifespanPart: TypeAlias = Callable[..., AbstractAsyncContextManager[Any] | AbstractContextManager[Any]]


class Lifespan:
    """What runs from start-up to shutdown. Parts begin in the order they were added and end in reverse.

    Start-up functions belong to the moment they were added; shutdown functions run in reverse order, before the
    parts that began earlier end. If a part fails to begin, those that had begun are ended.
    """

    def __init__(self) -> None:
        self._parts: list[LifespanPart] = []
        self._stack: AsyncExitStack | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

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
        """Add a function of the app that returns a context manager, or an (async) generator function with one
        `yield`.
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

    async def start(self, app: Any) -> None:
        """Begin every part (Any: the app lives above); on failure end those that began, and raise."""
        if self._stack is not None:
            return
        stack = AsyncExitStack()
        try:
            for part in self._parts:
                await _enter(stack, part, app)
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


async def _enter(stack: AsyncExitStack, part: LifespanPart, app: Any) -> None:
    if inspect.isasyncgenfunction(part):
        manager: Any = asynccontextmanager(part)
    elif inspect.isgeneratorfunction(part):
        from contextlib import contextmanager

        manager = contextmanager(part)
    else:
        manager = part
    made = manager(app) if _takes_argument(part) else manager()
    if hasattr(made, "__aenter__"):
        await stack.enter_async_context(made)
    else:
        stack.enter_context(made)


def _takes_argument(function: Callable[..., Any]) -> bool:
    try:
        return bool(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return False
