"""`App`: where everything comes together, and is built once before the first request."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from demijohn._lib.concurrency import leased, run_in_thread
from demijohn._lib.later import asyncio, logger_of
from demijohn._lib.source import caller
from demijohn.app.asgi import answer_http, run_lifespan
from demijohn.app.builder import Builder
from demijohn.app.checks import CheckMessage
from demijohn.app.context import Unit, is_ending
from demijohn.app.debug_door import is_open, show_error
from demijohn.app.dispatch import Runner, chain
from demijohn.app.scaffold import folder, root_of
from demijohn.app.scripts import AppContext
from demijohn.app.settings import Settings, settings_types
from demijohn.app.sockets import say_good_bye, serve_websocket
from demijohn.app.wiring import Wiring
from demijohn.errors import MethodNotAllowed, NotFound
from demijohn.http import Request, Response, redirect
from demijohn.middleware import Security
from demijohn.routing import WEBSOCKET, Route, SlashPolicy
from demijohn.types import Battery, Receive, Scope, Send, WSGIApp

__all__ = ["App"]

logger = logger_of("demijohn.app")

B = TypeVar("B", bound=Battery)
T = TypeVar("T")


class App(Wiring):
    """A web application: an ASGI 3 app, and by `.wsgi` a WSGI one.

    Args:
        import_name: `__name__` of the module, where its folder cannot be told from the call.
        settings: The settings; read from the environment otherwise.
        debug: Show errors to the developer; `settings.debug` otherwise. Never on in production.
        strict: Turn on the discipline of large teams: typed handlers, a policy on every route, front doors between
            features, relations that never load by themselves, templates without undefined names.
        slash: What a missing or superfluous slash at the end of a path does.
        templates: The folder of templates; `templates` beside the module where that exists.
        static: The folder of static files; `static` beside the module where that exists.
        security: Hosts, origins, proxies, headers and limits, where the safe defaults do not fit.

    Example:
        >>> from demijohn import App
        >>> app = App()
        >>> @app.get("/")
        ... def home():
        ...     return "Hello, World!"
    """

    def __init__(
        self,
        import_name: str | None = None,
        *,
        settings: Settings | None = None,
        debug: bool | None = None,
        strict: bool = False,
        slash: SlashPolicy = "redirect",
        templates: str | Path | None = None,
        static: str | Path | None = None,
        security: Security | None = None,
    ) -> None:
        super().__init__(Settings.load() if settings is None else settings, slash=slash)
        self.services.run_sync = self.run_sync
        self.services.provide(App, value=self)
        self.services.provide(type(self), value=self)
        for cls in settings_types(self.settings):
            self.services.provide(cls, value=self.settings)
        if security is not None:
            self.security = security
        self.name = ""
        self.root_path = root_of(import_name, depth=2)
        self.template_folder = folder(self.root_path, templates, "templates")
        self.static_folder = folder(self.root_path, static, "static")
        self.debug = self.settings.debug if debug is None else debug
        self.strict = strict
        if strict:
            from demijohn.app.strict import strict_checks

            self.checks.add(strict_checks)

        self._static: dict[str, dict[str, Runner]] = {}
        self._miss: Runner = _not_built
        self._inner: Mapping[Route | None, Sequence[Callable[..., Any]]] = {}
        self._find = self.router.find
        self._wsgi: WSGIApp | None = None
        self._starting: asyncio.Lock | None = None
        self.handle: Callable[[Request, Any], Coroutine[Any, Any, None]] = self._handle_first
        self._matched = self.handle

    def __repr__(self) -> str:
        return f"<App {self.root_path.name}>"

    def url_for(self, name_or_function: str | Callable[..., Any], /, **params: Any) -> str:
        """Return the path of a route, by its name or its function.

        Any: values are formatted by the converters of the route.
        """
        self.freeze()
        return self.router.url_for(name_or_function, **params)

    # -- building -------------------------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Build the app: install what waits, check the wiring, compile every route.

        Done at the first request at the latest.

        Raises:
            ConfigurationError: The wiring cannot work; all mistakes of a route are told at once.
        """
        if not self._frozen_at:
            self._install_pending(final=True)
            self._build()

    @property
    def serves_websockets(self) -> bool:
        """Whether some route or mounted app takes WebSockets, once the app is built."""
        return any(WEBSOCKET in route.methods for route in self.router.routes)

    def rebuild(self) -> None:
        """Compile the routes again, where they were compiled already."""
        if self._frozen_at:
            self._build()

    def _build(self) -> None:
        self.protect()
        builder = Builder(self)
        builder.build()
        self._frozen_at = self._frozen_at or caller()
        self.static_prefixes = tuple(f"{assets.prefix}/" for assets in self.assets.values())
        self._static = self.router.static
        self._miss = builder.miss
        self._inner = builder.inner
        self._find = self.router.find
        self._matched = self._handle_hosts if builder.has_hosts else self._handle_static
        self.handle = self._matched if self.proxies is None and not self.before_routing else self._handle_prepared

    # -- requests -------------------------------------------------------------------------------------------------

    def _handle_first(self, request: Request, send: Any) -> Coroutine[Any, Any, None]:
        self.freeze()
        return self.handle(request, send)

    def _handle_prepared(self, request: Request, send: Any) -> Coroutine[Any, Any, None]:
        if self.proxies is not None:
            self.proxies(request)
        for prepare in self.before_routing:
            prepare(request)
        return self._matched(request, send)

    def _handle_static(self, request: Request, send: Any) -> Coroutine[Any, Any, None]:
        methods = self._static.get(request.path)
        if methods is not None:
            run = methods.get(request.method)
            if run is not None:
                return run(request, send)
        found = self._find(request.method, request.path)
        if found is None:
            return self._miss(request, send)
        request.path_params = found[1]
        return found[0](request, send)  # type: ignore[no-any-return]

    def _handle_hosts(self, request: Request, send: Any) -> Coroutine[Any, Any, None]:
        found = self.router.find(request.method, request.path, host=request.host)
        if found is None:
            return self._miss(request, send)
        request.path_params = found[1]
        return found[0](request, send)  # type: ignore[no-any-return]

    async def missing(self, request: Request) -> Response:
        """Answer where no route matches: another form of slash, OPTIONS, 405 or 404."""
        match = self.router.match(request.method, request.path, host=request.host)
        if match.redirect is not None:
            query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
            status = 301 if request.method in ("GET", "HEAD") else 308
            return redirect(request.root_path + match.redirect + query, status=status)
        if match.allowed:
            if request.method == "OPTIONS":
                return await self._options(request, match.allowed)
            raise MethodNotAllowed([*match.allowed, "OPTIONS"])
        for fallback in self.fallbacks:
            response = await fallback.respond(request)
            if response is not None:
                return response
        raise NotFound

    async def _options(self, request: Request, allowed: Sequence[str]) -> Response:
        """Answer OPTIONS, inside of the middleware of the blueprint that has the route: its CORS answers preflights."""
        wanted = request.headers.get("access-control-request-method", "")
        match = self.router.match(wanted if wanted in allowed else allowed[0], request.path, host=request.host)

        async def answer(request: Request) -> Response:
            return Response(b"", 204, {"Allow": ", ".join(sorted({*allowed, "OPTIONS"}))})

        return await chain(self._inner.get(match.route, ()), answer)(request)

    def show_error(self, request: Request, error: BaseException) -> Any:
        """Return the debugger's page for an exception.

        None where debug is off, and always in production.

        Any: a response, or an awaitable of one.
        """
        return show_error(self, request, error)

    # -- the faces ------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI 3 says."""
        kind = scope["type"]
        if kind == "http":
            if not self.lifespan.is_running:
                await self.startup()
            await answer_http(self, scope, receive, send)
        elif kind == "websocket":
            if not self.lifespan.is_running:
                await self.startup()
            await serve_websocket(self, scope, receive, send)
        elif kind == "lifespan":
            await run_lifespan(self.startup, self.shutdown, receive, send)
        else:
            raise ValueError(f"ASGI scopes of the type {kind!r} are not known here.")

    @property
    def wsgi(self) -> WSGIApp:
        """The app as a WSGI application (PEP 3333), its loop in a thread of its own."""
        if self._wsgi is None:
            from demijohn.app.wsgi import WSGIFace

            self._wsgi = WSGIFace(self)
        return self._wsgi

    async def startup(self, *, serves: bool = True) -> None:
        """Build the app and run what belongs to its start; a second call does nothing.

        Args:
            serves: Whether requests will be answered. Batteries keep some limits for these alone.
        """
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self.lifespan.is_running:
                return
            self.freeze()
            self.draining = False
            if is_open(self) and self.settings.env == "development":
                from demijohn.app.blocking import warn_of_blocking

                warn_of_blocking(asyncio.get_running_loop())
            await self.services.start()
            await self.lifespan.start(self, serves=serves)

    async def shutdown(self) -> None:
        """Tell open sockets, end what began at the start-up, and let the threads go."""
        self.drain()
        try:
            await self.lifespan.stop()
        finally:
            try:
                await self.services.stop()
            finally:
                self.processes.close()
                self._starting = None

    def drain(self) -> None:
        """Tell streams and sockets that the server is going; sockets are closed with 1001."""
        self.draining = True
        say_good_bye(self.sockets)

    async def end_unit(self, unit: Unit, error: BaseException | None) -> None:
        """Commit what a command, task or script did, or roll it back; clean up.

        Nothing keeps what is left from its turn. The first failure is raised in the end, unless `error` came before it.
        """
        failure = error
        try:
            for finish in self.before_send:
                await finish(unit, error)
        except BaseException as refused:
            failure = refused
        if unit.services is not None:
            unit.services.error = failure
        endings, unit.ending = unit.ending, None
        for ending in reversed(endings or ()):
            try:
                await ending()
            except BaseException as failed:
                if failure is None or is_ending(failed, unit):
                    failure = failed
                else:
                    logger.error("Cleaning up after %s failed", unit.name, exc_info=failed)
        if failure is not None and failure is not error:
            raise failure

    def context(self) -> "AppContext":
        """Start the app for a script and open one unit of work, by `with` or `async with`.

        Example::

            with app.context():
                print(wait(Post.where(Post.published).count()))
        """
        return AppContext(self)

    async def run_sync(self, function: Callable[[], T], *, finishing: bool = False) -> T:
        """Run a sync function as a `def` handler is run: in a thread, with `wait`.

        With `finishing` the thread is none of those that handlers may hold: for what comes after a handler.
        """
        call = function
        for driver in self.drivers:
            call = partial(driver.call, call)
        return await run_in_thread(call, leased(self.finishing if finishing else self.pool))

    def all_commands(self) -> list[tuple[str | None, Any]]:
        """Return the commands of the batteries, the app and its blueprints.

        Any: functions, or Click commands.
        """
        found = list(self.commands)
        for scaffold in self.scaffolds():
            found += scaffold.own_commands
        return found

    def run_checks(self, *, deploy: bool = False) -> list[CheckMessage]:
        """Run every check and return what they found, the worst first."""
        if any(scaffold.template_folder is not None for scaffold in self.scaffolds()):
            self.need("templating")
        found = list(self.checks.run(self, deploy=deploy))
        return sorted(found, key=lambda message: message.rank, reverse=True)


def _not_built(request: Request, send: Any) -> Coroutine[Any, Any, None]:
    raise RuntimeError("The app was not built.")
