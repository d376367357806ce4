"""Start-up and shutdown of an app under test, ours or any other that speaks ASGI."""

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from contextvars import Context
from typing import Any
from weakref import ref

__all__ = ["Lifespan", "LifespanFailed"]

logger = logging.getLogger("demijohn.testing")


class Lifespan:
    """Starts and stops an app: by its methods where it is ours, by the lifespan protocol of ASGI otherwise.

    Any: any ASGI app.
    """

    def __init__(self, app: Any) -> None:
        self._app = _weak(app)
        self._messages: asyncio.Queue[dict[str, Any]] | None = None
        self._answers: asyncio.Queue[MutableMapping[str, Any] | BaseException] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run the start-up.

        Raises:
            Exception: Whatever the start-up raises.
        """
        app = self._app()
        run = self._run_ours if hasattr(app, "startup") and hasattr(app, "shutdown") else self._run
        self._messages, self._answers = asyncio.Queue(), asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(run(app, self._messages, self._answers), context=Context())
        await self._tell("startup")

    async def stop(self) -> None:
        """Run the shutdown.

        Raises:
            Exception: Whatever the shutdown raises.
        """
        if self._task is not None and not self._task.done():
            await self._tell("shutdown")
            await self._task
        self._task = None

    async def _tell(self, event: str) -> None:
        if self._messages is None or self._answers is None:
            return
        self._messages.put_nowait({"type": f"lifespan.{event}"})
        answer = await self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        if answer["type"].endswith(".failed"):
            raise LifespanFailed(answer.get("message", ""))

    async def _run(self, app: Any, messages: Any, answers: Any) -> None:
        async def send(message: MutableMapping[str, Any]) -> None:
            answers.put_nowait(message)

        try:
            await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, messages.get, send)
        except Exception:
            logger.debug("The app does not speak the lifespan protocol, which it need not", exc_info=True)
        finally:
            answers.put_nowait({"type": "lifespan.unknown"})

    async def _run_ours(self, app: Any, messages: Any, answers: Any) -> None:
        # Start and end belong to one task, as task groups and timeouts around the life of an app expect.
        for step in (app.startup, app.shutdown):
            await messages.get()
            if step == app.startup:
                await _forget_dead_loop(app)
            try:
                await step()
            except BaseException as error:
                answers.put_nowait(error)
                return
            answers.put_nowait({"type": "lifespan.complete"})


async def _forget_dead_loop(app: Any) -> None:
    """Run the shutdown of an app that was started on a loop that is gone, as far as it goes."""
    lifespan = getattr(app, "lifespan", None)
    if lifespan is not None and lifespan.is_running and lifespan.loop is None:
        try:
            await app.shutdown()
        except RuntimeError:
            logger.debug("The app could not be shut down, its loop is gone", exc_info=True)


def _weak(app: Any) -> Callable[[], Any]:
    try:
        return ref(app)
    except TypeError:
        return lambda: app


class LifespanFailed(RuntimeError):
    """The app said that its start-up or shutdown failed."""
