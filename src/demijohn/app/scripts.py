"""`app.context()`: the app for a script, sync or async, with one unit of work."""

import threading
from types import CoroutineType, TracebackType
from typing import TYPE_CHECKING, Any

from demijohn._lib.concurrency import Servant
from demijohn._lib.later import asyncio
from demijohn.app.context import Unit, running

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["AppContext"]


class AppContext:
    """Starts an app, opens one unit of work, and ends both.

    With `async with` the unit belongs to the present task. With a plain `with` a loop runs in a thread of its own,
    and `wait` has its awaitables done there, in one task. Where the app runs already, in another thread, its own loop
    is used.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._unit = Unit(app, "script")
        self._token: Any = None
        self._thread_token: Any = None
        self._started = False
        self._thread: threading.Thread | None = None
        self._servant: Servant[None] | None = None
        self._failure: BaseException | None = None
        self._error: BaseException | None = None
        self._ready = threading.Event()
        self._ended = threading.Event()

    async def __aenter__(self) -> Unit:
        self._started = not self._app.lifespan.is_running
        await self._app.startup(serves=False)
        self._token = running.set(self._unit)
        return self._unit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._app.end_unit(self._unit, error)
        finally:
            running.reset(self._token)
            if self._started:
                await self._app.shutdown()

    def __enter__(self) -> Unit:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            from demijohn.errors import OutsideContext

            raise OutsideContext(
                "`with app.context()` was used where an event loop is running.",
                why="It would stop that loop.",
                fix="Write `async with app.context():`.",
                code="DJN-404",
            )
        loop = self._app.lifespan.loop
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._run_here(), loop)
        else:
            self._thread = threading.Thread(target=self._run, name="demijohn-script", daemon=True)
            self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._ended.wait()
            raise self._failure
        self._unit.thread = threading.get_ident()
        if self._servant is not None:
            self._servant.enter()
        self._thread_token = running.set(self._unit)
        return self._unit

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running.reset(self._thread_token)
        self._error = error
        if self._servant is not None:
            self._servant.leave()
        self._ended.wait()
        if self._thread is not None:
            self._thread.join()
        if self._failure is not None and self._failure is not error:
            raise self._failure

    def _driven(self, awaitable: "Awaitable[Any]") -> "Awaitable[Any]":
        """Have what the script waits for driven as the code of a handler is, in the unit that is open."""
        if isinstance(awaitable, CoroutineType):
            for driver in self._app.drivers:
                awaitable = driver.resume(awaitable)
        return awaitable

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._ready.set()
            self._ended.set()

    async def _run_here(self) -> None:
        try:
            await self._serve()
        except BaseException as failure:
            self._failure = failure
        finally:
            self._ready.set()
            self._ended.set()

    async def _serve(self) -> None:
        async with self:
            servant: Servant[None] = Servant(None, asyncio.get_running_loop())
            servant.prepare = self._driven
            self._servant = servant
            self._ready.set()
            await servant.attend()
            if self._error is not None:
                raise self._error
