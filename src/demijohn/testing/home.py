"""Where an app runs while it is tested: started once, on one loop, and stopped by the last who needs it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from demijohn.testing.lifespan import Lifespan

__all__ = ["Home", "home_of", "stop_all"]

T = TypeVar("T")


class Home:
    """The loop that an app was started on, and how many clients keep it running (Any: any ASGI app)."""

    def __init__(self, app: Any) -> None:
        self._lifespan = Lifespan(app)
        self._lock = threading.Lock()
        self._holders = 0
        self._outlived: set[asyncio.Task[None]] = set()
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_running(self) -> bool:
        """Return whether the app was started here, on a loop that still turns."""
        return self._holders > 0 and self.loop is not None and self.loop.is_running()

    async def hold(self) -> None:
        """Start the app on the running loop, unless it runs already, here or on another loop."""
        with self._lock:
            if self.is_running:
                self._holders += 1
                return
            self._holders = 1
            self.loop = asyncio.get_running_loop()
        try:
            await self._lifespan.start()
        except BaseException:
            with self._lock:
                self._holders = 0
                self.loop = None
            raise

    async def let_go(self) -> None:
        """Stop the app if nobody else holds it."""
        with self._lock:
            if self._holders == 0:
                return
            if self._holders > 1:
                self._holders -= 1
                return
        try:
            if self.loop is not None and self.loop.is_running():
                await self.call(self._end)
        finally:
            with self._lock:
                self._holders = 0
                self.loop = None

    def keep(self, task: "asyncio.Task[None] | None") -> None:
        """Keep a request whose client has left; it is cut at the end of the app, as a server does."""
        if task is not None:
            self._outlived.add(task)
            task.add_done_callback(self._outlived.discard)

    async def _end(self) -> None:
        for task in (left := set(self._outlived)):
            task.cancel()
        if left:
            await asyncio.wait(left)
        await self._lifespan.stop()

    async def stop(self) -> None:
        """Stop the app, whoever holds it."""
        with self._lock:
            self._holders = min(self._holders, 1)
        await self.let_go()

    async def call(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine function on the loop of the app, wherever the caller is."""
        loop = self.loop
        if loop is None or loop is asyncio.get_running_loop():
            return await make()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(make(), loop))


async def stop_all(loop: asyncio.AbstractEventLoop) -> None:
    """Stop every app that still runs on a loop: those whose clients nobody closed."""
    for home in list(_homes.values()):
        if home.loop is loop:
            await home.stop()


_homes: WeakKeyDictionary[Any, Home] = WeakKeyDictionary()


def home_of(app: Any) -> Home:
    """Return the home of an app (Any: any ASGI app)."""
    try:
        home = _homes.get(app)
        if home is None:
            home = _homes[app] = Home(app)
    except TypeError:  # it cannot be held weakly
        return Home(app)
    return home
