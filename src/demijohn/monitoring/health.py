"""Whether the process lives and may be given work: what load balancers and Kubernetes ask."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Any, TypeVar

import msgspec

from demijohn.app import App
from demijohn.http import Request, Response

__all__ = ["Health"]

logger = logging.getLogger("demijohn.health")

F = TypeVar("F", bound=Callable[[], Any])

_NEVER_KEPT = {"cache-control": "no-store"}


class Answer(msgspec.Struct, omit_defaults=True):
    """What one probe found."""

    name: str
    ok: bool
    milliseconds: float
    error: str = ""


class Health:
    """Answers `/livez` and `/readyz`.

    *Live* means that the loop turns: where that is not answered, the process should be replaced. *Ready* means that
    every probe passes (each database adds one, an app adds its own) and that the server is not going down: where that
    is not answered with 200, no requests should be sent.

    Both are answered to whoever asks, by http too and under any host, without hooks and middleware: whoever
    probes knows an address and nothing else. They tell names and times; what failed is told in development and in the
    log.

    Args:
        live: The path of the first.
        ready: The path of the second.
        timeout: Seconds that a probe may take.
        kept: Seconds for which an answer of the probes holds, so that nobody can make the databases busy.

    Example:
        >>> from demijohn import App
        >>> app = App()
        >>> health = app.use(Health())
        >>> @health.probe("disk")
        ... async def disk(): ...  # raises where something is wrong
    """

    name = "health"
    requires: tuple[str, ...] = ()

    def __init__(
        self, *, live: str = "/livez", ready: str = "/readyz", timeout: float = 2.0, kept: float = 1.0
    ) -> None:
        self.live = live
        self.ready = ready
        self.timeout = timeout
        self.kept = kept
        self._own: dict[str, Callable[[], Any]] = {}
        self._app: App | None = None
        self._asked_at = -1e9
        self._answers: list[Answer] = []
        self._asking: asyncio.Lock | None = None

    def install(self, app: App) -> None:
        """Add the two routes."""
        self._app = app
        app.add_route(self.live, self._live, name="demijohn.live", bare=True)
        app.add_route(self.ready, self._ready, name="demijohn.ready", bare=True)
        for name, probe in self._own.items():
            app.health.add(name, probe)

    def probe(self, name: str) -> Callable[[F], F]:
        """Add a probe: a function, sync or async, that raises where something is wrong.

        Any: what it returns is not looked at.
        """

        def register(function: F) -> F:
            if self._app is None:
                self._own[name] = function
            else:
                self._app.health.add(name, function)
            return function

        return register

    async def _live(self, request: Request) -> Response:
        return Response(b"ok\n", headers=_NEVER_KEPT, content_type="text/plain; charset=utf-8")

    async def _ready(self, request: Request) -> Response:
        app: App = request.app
        answers = await self._ask(app)
        ready = all(answer.ok for answer in answers) and not app.draining
        shown = answers if app.debug else [Answer(each.name, each.ok, each.milliseconds) for each in answers]
        status = "ok" if ready else "going down" if app.draining else "not ready"
        body = msgspec.json.encode({"status": status, "probes": shown})
        return Response(body, 200 if ready else 503, _NEVER_KEPT, content_type="application/json")

    async def _ask(self, app: App) -> list[Answer]:
        if self._asking is None:
            self._asking = asyncio.Lock()
        async with self._asking:
            if monotonic() - self._asked_at > self.kept:
                self._answers = await asyncio.gather(
                    *(self._try(app, name, probe) for name, probe in app.health.items())
                )
                self._asked_at = monotonic()
            return self._answers

    async def _try(self, app: App, name: str, probe: Callable[[], Any]) -> Answer:
        started = perf_counter()
        error = ""
        try:
            async with asyncio.timeout(self.timeout):
                if inspect.iscoroutinefunction(inspect.unwrap(probe)):
                    await probe()
                else:
                    result = await app.run_sync(probe)
                    if inspect.isawaitable(result):
                        await result
        except TimeoutError:
            error = f"no answer within {self.timeout:g} s"
        except Exception as caught:
            error = f"{type(caught).__name__}: {caught}"
        taken = round((perf_counter() - started) * 1000, 2)
        if error:
            logger.warning("The health probe %s failed: %s", name, error)
        return Answer(name, not error, taken, error)
