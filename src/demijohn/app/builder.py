"""Builds an app: every declaration, with what its blueprints put around it, becomes a route with a runner."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from demijohn._lib.source import told_from
from demijohn.app.assets import Assets
from demijohn.app.calls import make_call
from demijohn.app.debug_door import add_debug_routes, is_open, watch_requests
from demijohn.app.dispatch import Call, Runner, Surroundings, compile_runner
from demijohn.app.failures import problem_response
from demijohn.app.formats import Answers, Offer
from demijohn.app.hooks import AFTER, AROUND, BEFORE, TEARDOWN, HookCall, HookRole
from demijohn.app.inlining import Inlining
from demijohn.app.mounting import is_asgi, mounted_call, mounted_scope
from demijohn.app.operations import Operation
from demijohn.app.scaffold import Hook, Mount, Record, Scaffold
from demijohn.app.signatures import name_of
from demijohn.app.sockets import SocketRunner, check_handshake, compile_socket_runner, socket_guards
from demijohn.app.streaming import StreamAnswers, items_of, streamer_of
from demijohn.app.views import View, view_function
from demijohn.app.wiring import BATTERY_ASSETS, Wiring
from demijohn.errors import ConfigurationError, HTTPError, NotFound
from demijohn.http import Request, Response, WebSocket
from demijohn.middleware import marks_of
from demijohn.middleware.marks import Marks
from demijohn.routing import WEBSOCKET, Converter, Parameter, Route, Router

__all__ = ["Builder"]


class _Place:
    """A scaffold as it stands in the app: its prefix, its name, its host and what surrounds it."""

    __slots__ = ("host", "name", "prefix", "scaffold", "surroundings")

    def __init__(self, scaffold: Scaffold, prefix: str, name: str, host: str, surroundings: Surroundings) -> None:
        self.scaffold = scaffold
        self.prefix = prefix
        self.name = name
        self.host = host
        self.surroundings = surroundings


class Builder:
    """Makes the routes of an app, once."""

    def __init__(self, app: Wiring) -> None:
        self.app = app
        self.has_hosts = False
        develops = is_open(app) and app.settings.env == "development"
        self.inlining = Inlining() if develops else None
        self.handlers = app.failures.compile(app.services, None)
        self.inner: dict[Route | None, Sequence[Callable[..., Any]]] = {}
        """The middleware of blueprints around a route, without the app's."""

    def build(self) -> None:
        """Make every route, put runners into the app's router, and find what can be answered by one look-up."""
        app = self.app
        watch_requests(app)
        router = Router(slash=app.router.slash)
        router.converters = app.router.converters
        app.router = router
        places = list(self._places(app, "", "", "", self._around(app, None)))
        for place in places:
            inner = place.surroundings.around[len(places[0].surroundings.around) :]
            for record in place.scaffold.records:
                for route in self._routes(record, place):
                    app.router.add(route)
                    if inner and not record.options.get("bare"):
                        self.inner[route] = inner
            folder = place.scaffold.static_folder
            # A blueprint beside the app finds the same folder, which is the app's.
            if folder is not None and (place.scaffold is app or folder != app.static_folder):
                app.router.add(self._static(place, folder))
            for mount in place.scaffold.mounts:
                self._mount(mount, place)
        app.router.add(self._battery_assets())
        add_debug_routes(app, app.router)
        around = places[0].surroundings
        missing = Call(app.missing, whole=app.missing, is_async=True)
        self.miss = compile_runner(
            missing, around, route=None, methods=frozenset({"GET"}), label="no route", signals=app._signals
        )
        router.compile(resolve_converter=self._resolve_converter)
        self.has_hosts = any(route.host for route in router.routes)

    def _resolve_converter(self, parameter: Parameter, route: Route) -> Converter[Any] | None:
        for resolve in self.app.converter_resolvers:
            converter = resolve(parameter, route)
            if converter is not None:
                return converter
        return None

    def _places(
        self, scaffold: Scaffold, prefix: str, name: str, host: str, surroundings: Surroundings
    ) -> Iterator[_Place]:
        yield _Place(scaffold, prefix, name, host, surroundings)
        for blueprint, below, own_name, own_host in scaffold.included:
            full = f"{name}.{own_name}" if name else own_name
            inner = self._around(blueprint, surroundings)
            yield from self._places(
                blueprint, prefix + below + blueprint.prefix, full, own_host or blueprint.host or host, inner
            )

    def _around(self, scaffold: Scaffold, outer: Surroundings | None) -> Surroundings:
        app = self.app
        handlers = self.handlers if outer is None else scaffold.failures.compile(app.services, outer.failures)
        around = Surroundings(encoder=app.encoder, failures=handlers, pool=app.pool, finishing=app.finishing)
        around.guards = app.guards
        around.before_send = app.before_send
        around.drivers = app.drivers
        around.observers = app.observers
        around.before = [*(outer.before if outer else ()), *self._hooks(scaffold.before, BEFORE)]
        around.after = [*(outer.after if outer else ()), *self._hooks(scaffold.after, AFTER)]
        around.torn_down = [*(outer.torn_down if outer else ()), *self._hooks(scaffold.torn_down, TEARDOWN)]
        around.around = [*(outer.around if outer else ()), *map(self._middleware, scaffold.around)]
        return around

    def _hooks(self, hooks: Sequence[Hook], role: HookRole) -> Iterator[HookCall]:
        for hook in hooks:
            yield HookCall(hook.function, role, self.app.services, inline=hook.inline)

    def _middleware(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return middleware as a callable of the request and what follows; what asks for nothing more as it is."""
        hook = HookCall(function, AROUND, self.app.services, inline=True)
        return function if hook.function is function and hook.arguments == "request, next" else hook.call

    def _routes(self, record: Record, place: _Place) -> Iterator[Route]:
        """Yield the route of a declaration, then one for each suffix of its formats."""
        options = record.options
        with told_from(record.place):
            route = Route(
                place.prefix + record.pattern,
                record.endpoint,
                methods=record.methods,
                name=options.get("name"),
                namespace=".".join(filter(None, (place.name, record.namespace))),
                host=options.get("host") or place.host or None,
                defaults=options.get("defaults"),
                slash=options.get("slash"),
            )
            formats = options.get("formats")
            offer = None if formats is None else self.app.formats.offer(formats)
        self._aim(route, record, place, None if offer is None else Answers(offer, self.app.encoder))
        yield route
        if offer is not None and not route.pattern.endswith("/"):
            for known in offer.formats:
                if known.name != "html":
                    yield self._suffixed(route, record, place, offer, known.suffix)

    def _aim(self, route: Route, record: Record, place: _Place, answers: Answers | None) -> None:
        for method in record.methods:
            if method == WEBSOCKET:
                route.set_target(self._socket_runner(route, record, place), method=method)
                continue
            function = record.endpoint
            if isinstance(function, type) and issubclass(function, View):
                function = view_function(function, method)
            route.set_target(self._runner(function, route, record, place, method, answers), method=method)

    def _suffixed(self, route: Route, record: Record, place: _Place, offer: Offer, suffix: str) -> Route:
        """Return `/posts.json` for `/posts`, named after it: `url_for("posts.json")`."""
        own = route.name.removeprefix(f"{route.namespace}.") if route.namespace else route.name
        with told_from(record.place):
            other = Route(
                f"{route.pattern}.{suffix}",
                record.endpoint,
                methods=record.methods,
                name=f"{own}.{suffix}",
                namespace=route.namespace,
                host=record.options.get("host") or place.host or None,
                defaults=record.options.get("defaults"),
                slash=record.options.get("slash"),
            )
        self._aim(other, record, place, Answers(offer, self.app.encoder, suffix=suffix))
        return other

    def _runner(
        self,
        function: Any,
        route: Route,
        record: Record,
        place: _Place,
        method: str,
        answers: Answers | StreamAnswers | None,
    ) -> Runner:
        app = self.app
        methods = frozenset({method})
        call = make_call(
            function,
            path_names={parameter.name: parameter for parameter in route.parameters},
            methods=methods,
            together=frozenset(record.methods) if function is record.endpoint else methods,
            services=app.services,
            inline=record.options.get("inline", False),
        )
        call.label = f"{method} {route.pattern}"
        call.threads = record.options.get("threads")
        call.is_sticky = self._is_sticky(record)
        if self.inlining is not None and not call.is_sticky and not place.surroundings.before:
            self.inlining.watch(call, what=f"{name_of(function)} ({record.place})", decorator=_decorator(record, place))
        marks = self._prepared(
            marks_of(record.endpoint, function) if function is not record.endpoint else marks_of(function)
        )
        self._refuse_bare(record, method, marks)
        status = record.options.get("status")
        if status is None and getattr(function, "__annotations__", {}).get("return", "") in (None, "None"):
            status = 204
        if answers is None:
            yielded = items_of(function)
            streamer = None if yielded is None else streamer_of(yielded)
            if streamer is not None:
                answers = StreamAnswers(streamer, app.encoder)
        if not isinstance(answers, Answers) or answers.suffix is None:
            route.details[method] = Operation(
                route,
                method,
                function=function,
                plan=call.plan,
                status=status,
                formats=answers.offer.formats if isinstance(answers, Answers) else (),
                options=record.options.get("options") or {},
                marks=marks,
            )
        return compile_runner(
            call,
            self._bare() if record.options.get("bare") else place.surroundings,
            route=route,
            methods=methods,
            status=status,
            marks=marks,
            label=f"{method} {route.pattern}",
            signals=app._signals,
            answers=answers,
        )

    @staticmethod
    def _is_sticky(record: Record) -> bool:
        thread: str | None = record.options.get("thread")
        if thread is None:
            return False
        if thread != "sticky" or record.options.get("inline"):
            inline = thread == "sticky"
            raise ConfigurationError(
                f"The route {record.pattern!r} ({record.place}) has thread={thread!r}{' and inline=True' * inline}.",
                why="An inline handler runs on the event loop, in no thread." if inline else 'There is only "sticky".',
                fix="Leave `inline` out." if inline else 'Write thread="sticky", or leave it out for any thread.',
                code="DJN-419",
            )
        return True

    @staticmethod
    def _refuse_bare(record: Record, method: str, marks: Marks) -> None:
        """Refuse a bare route that could change something, and that no guard would keep other sites from."""
        if record.options.get("bare") and method not in ("GET", "HEAD", "OPTIONS") and "csrf" not in marks.exempt:
            raise ConfigurationError(
                f"The route {record.pattern!r} ({record.place}) is bare and answers {method}.",
                why="No guard stands around a bare route, so any site could send it with the cookies of a visitor.",
                fix="Leave `bare=True` out; or, where it trusts no cookie, say so with  @csrf_exempt  below the route.",
                code="DJN-423",
            )

    def _prepared(self, marks: Marks) -> Marks:
        """Tell the guards of a route which app they stand in; one that cannot work there says so now."""
        for guard in marks.guards:
            prepare = getattr(guard, "prepare", None)
            if prepare is not None:
                prepare(self.app)
        return marks

    def _bare(self) -> Surroundings:
        app = self.app
        return Surroundings(encoder=app.encoder, failures=self.handlers, pool=app.pool, finishing=app.finishing)

    def _static(self, place: _Place, folder: Path) -> Route:
        assets = Assets(folder, prefix=f"{place.prefix}/static")
        self.app.assets[place.name] = assets

        async def static(request: Request) -> Response:
            return await assets.respond(request, request.path_params["filename"])

        with told_from(f"the static folder {folder.name!r}"):
            route = Route(
                f"{place.prefix}/static/{{filename:path}}",
                static,
                name="static",
                namespace=place.name,
                host=place.host or None,
            )
        return self._aim_static(route, static)

    def _battery_assets(self) -> Route:
        """Return the one route for the static files of all batteries: some are set up when a page first needs them."""
        app = self.app

        async def static(request: Request) -> Response:
            assets = app.assets.get(f"demijohn.{request.path_params['battery']}")
            if assets is None:
                raise NotFound
            return await assets.respond(request, request.path_params["filename"])

        pattern = f"{BATTERY_ASSETS}/{{battery}}/{{filename:path}}"
        return self._aim_static(Route(pattern, static, name="static", namespace="demijohn"), static)

    def _aim_static(self, route: Route, static: Any) -> Route:
        around = self._bare()
        around.observers = self.app.observers
        around.guards = [guard for guard in self.app.guards if getattr(guard, "for_mounts", False)]
        call = Call(static, whole=static, is_async=True)
        route.set_target(compile_runner(call, around, route=route, methods=frozenset({"GET"}), label="static"))
        return route

    def _socket_runner(self, route: Route, record: Record, place: _Place) -> SocketRunner:
        call = make_call(
            record.endpoint,
            path_names={parameter.name: parameter for parameter in route.parameters},
            methods=frozenset({WEBSOCKET}),
            services=self.app.services,
        )
        call.is_sticky = self._is_sticky(record)
        marks = self._prepared(marks_of(record.endpoint))
        route.details[WEBSOCKET] = Operation(
            route,
            WEBSOCKET,
            function=record.endpoint,
            plan=call.plan,
            status=None,
            formats=(),
            options=record.options.get("options") or {},
            marks=marks,
        )
        return compile_socket_runner(call, place.surroundings, route=route, marks=marks)

    def _mount_sockets(self, mount: Mount, place: _Place, around: Surroundings, prefix: str, pattern: str) -> None:
        with told_from(mount.place):
            route = Route(
                pattern,
                mount.app,
                methods=[WEBSOCKET],
                name=f"sockets:{pattern}",
                host=mount.host or place.host or None,
            )

        guards = socket_guards(around.guards)

        async def run(socket: WebSocket) -> None:
            try:
                await check_handshake(socket, guards)
            except HTTPError as error:
                await socket.deny(problem_response(error, socket))
                return
            await mount.app(mounted_scope(socket, prefix, "websocket"), socket._receive, socket._send)

        route.set_target(run)
        self.app.router.add(route)

    def _mount(self, mount: Mount, place: _Place) -> None:
        app = self.app
        prefix = place.prefix + mount.prefix
        call = mounted_call(mount.app, prefix, app.pool)
        around = self._bare()
        around.observers = app.observers
        around.guards = [guard for guard in app.guards if mount.defaults or getattr(guard, "for_mounts", False)]
        marks = Marks()
        if not mount.defaults:
            marks.hooks.append(app.protect().bare)
        for pattern in dict.fromkeys((prefix or "/", f"{prefix}/", f"{prefix}/{{mounted_path:path}}")):
            with told_from(mount.place):
                route = Route(
                    pattern,
                    mount.app,
                    methods=None,
                    name=f"mount:{pattern}",
                    host=mount.host or place.host or None,
                )
            run = compile_runner(
                call, around, route=route, methods=frozenset({"GET", "POST"}), marks=marks, label=f"mount {prefix}"
            )
            route.set_target(run)
            app.router.add(route)
            if is_asgi(mount.app):
                self._mount_sockets(mount, place, around, prefix, pattern)


def _decorator(record: Record, place: _Place) -> str:
    """Return how the route was declared, up to where another option can be written."""
    owner = place.name.rpartition(".")[2].replace("-", "_") or "app"
    if len(record.methods) == 1:
        return f'@{owner}.{record.methods[0].lower()}("{record.pattern}"'
    return f'@{owner}.route("{record.pattern}", methods={[*record.methods]}'.replace("'", '"')
