"""What an app and a blueprint share: routes, hooks, error handlers, commands, nested blueprints, mounts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Unpack, overload

from demijohn._lib.elsewhere import ROUTE_OPTIONS, translation
from demijohn._lib.later import inspect
from demijohn._lib.source import caller
from demijohn._lib.text import did_you_mean
from demijohn.app.failures import ErrorHandler, Failures
from demijohn.app.views import View, methods_of
from demijohn.errors import ConfigurationError, NameElsewhere
from demijohn.routing import PathEntry, PathGroup, SlashPolicy, flatten

__all__ = ["Hook", "Mount", "Record", "RouteOptions", "Scaffold"]

F = TypeVar("F", bound=Callable[..., Any])
V = TypeVar("V")


class RouteOptions(TypedDict, total=False):
    """What every route decorator takes beside its pattern."""

    name: str
    """The name for `url_for`; the function's name otherwise."""
    status: int
    """The status of a plain return value; `204` allows `None`."""
    formats: Sequence[str]
    """The formats that the route offers, by name: `["html", "json", "csv"]`."""
    inline: bool
    """Run a plain `def` handler on the event loop: for trivial ones, that never block."""
    threads: int
    """How many threads a plain `def` handler may have at once, so that one slow route cannot take them all."""
    thread: Literal["sticky"]
    """`"sticky"`: one thread for all sync code of a request, hooks and clean-up included."""
    bare: bool
    """Nothing stands around the handler, neither hooks nor middleware nor guards: for probes that know no host.

    One that answers more than GET, HEAD and OPTIONS has to say `@csrf_exempt`: nothing keeps other sites from it."""
    host: str
    """The host, or a pattern of one, that the route answers for."""
    slash: SlashPolicy
    """What becomes of the same path with a slash more or less: `"redirect"`, `"strict"`, `"ignore"`."""
    defaults: dict[str, Any]
    """Values for path parameters that the pattern leaves out (Any: converted values)."""
    options: dict[str, Any]
    """Marks that batteries and middleware read (Any: theirs to define)."""


_OPTIONS = RouteOptions.__annotations__.keys()


def _check_options(options: RouteOptions, place: str) -> None:
    """Refuse options that no route has: one that is passed over says nothing, and does nothing."""
    for name in options.keys() - _OPTIONS:
        if name in ROUTE_OPTIONS:
            why, fix = "That is its name in another framework.", f"Here:  {ROUTE_OPTIONS[name]}"
        else:
            why = "It would be passed over in silence."
            fix = f"There are {', '.join(sorted(_OPTIONS))}; marks for batteries go into options={{...}}."
        raise ConfigurationError(
            f"The route at {place} has the option `{name}`, and no route has one.{did_you_mean(name, _OPTIONS)}",
            why=why,
            fix=fix,
            code="DJN-424",
        )


class Record:
    """A route as it was declared; the app makes the real one when it is built."""

    __slots__ = ("endpoint", "methods", "namespace", "options", "pattern", "place")

    def __init__(
        self,
        pattern: str,
        methods: Sequence[str],
        endpoint: Any,
        *,
        options: RouteOptions,
        place: str,
        namespace: str = "",
    ) -> None:
        self.namespace = namespace
        self.pattern = pattern
        self.methods = tuple(method.upper() for method in methods)
        self.endpoint = endpoint
        self.options = options
        self.place = place


class Hook:
    """A function around requests, and whether a plain `def` may run on the loop."""

    __slots__ = ("function", "inline")

    def __init__(self, function: Callable[..., Any], *, inline: bool = False) -> None:
        self.function = function
        self.inline = inline


class Mount:
    """A foreign app under a prefix."""

    __slots__ = ("app", "defaults", "host", "place", "prefix")

    def __init__(self, prefix: str, app: Any, *, host: str, defaults: bool, place: str) -> None:
        self.prefix = prefix
        self.app = app
        self.host = host
        self.defaults = defaults
        self.place = place


class Scaffold:
    """Routes, hooks, error handlers, commands, blueprints and mounts of one feature.

    Nothing here needs the app: a feature module imports `Blueprint` and declares; the app includes it.
    """

    name: str
    root_path: Path
    template_folder: Path | None
    static_folder: Path | None

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.included: list[tuple[Blueprint, str, str, str]] = []
        self.mounts: list[Mount] = []
        self.before: list[Hook] = []
        self.after: list[Hook] = []
        self.torn_down: list[Hook] = []
        self.around: list[Callable[..., Any]] = []
        self.failures = Failures()
        self.own_commands: list[tuple[str | None, Any]] = []
        self.context_processors: list[Callable[..., Any]] = []

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            told = translation("App", name)
            if not told:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            raise NameElsewhere.of(type(self).__name__, name, told)

    # -- routes ---------------------------------------------------------------------------------------------------

    def route(
        self, pattern: str, *, methods: Sequence[str] | None = None, **options: Unpack[RouteOptions]
    ) -> Callable[[F], F]:
        """Answer `methods` (GET by default) on `pattern` with a function or `View`.

        HEAD is answered wherever GET is, and OPTIONS everywhere. The function is returned unchanged.

        Example:
            >>> from demijohn import App
            >>> app = App()
            >>> @app.route("/posts/new", methods=["GET", "POST"])
            ... async def new(): ...
        """
        place = caller()
        _check_options(options, place)

        def register(endpoint: F) -> F:
            self.add_route(pattern, endpoint, methods=methods, place=place, **options)
            return endpoint

        return register

    def add_route(
        self,
        pattern: str,
        endpoint: Any,
        *,
        methods: Sequence[str] | None = None,
        place: str = "",
        namespace: str = "",
        **options: Unpack[RouteOptions],
    ) -> None:
        """Add a route without a decorator (Any: a function or a `View` class)."""
        self._must_be_open("a route", place or caller())
        if callable(pattern):
            raise ConfigurationError(
                f"A route decorator at {place or caller()} was used without a pattern.",
                why="It has to know the path it answers.",
                fix='Write:  @app.get("/")',
                code="DJN-410",
            )
        if methods is None:
            methods = methods_of(endpoint) if isinstance(endpoint, type) and issubclass(endpoint, View) else ["GET"]
        place = place or caller()
        _check_options(options, place)
        self.records.append(Record(pattern, methods, endpoint, options=options, place=place, namespace=namespace))

    def scaffolds(self) -> "Iterator[Scaffold]":
        """Yield this one and every blueprint below it."""
        yield self
        for blueprint, *_ in self.included:
            yield from blueprint.scaffolds()

    def add_routes(self, entries: Iterable[PathEntry | PathGroup], *, prefix: str = "") -> None:
        """Add a list of `path(...)` and `include(...)` entries, as kept in a `urls.py`."""
        for entry in flatten(entries):
            options: RouteOptions = {**entry.options}  # type: ignore[typeddict-item]
            if entry.name:
                options["name"] = entry.name
            self.add_route(
                prefix + entry.pattern,
                entry.view,
                methods=entry.methods,
                place=entry.place,
                namespace=entry.namespace,
                **options,
            )

    def get(self, pattern: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Answer GET (and HEAD) on `pattern`."""
        return self.route(pattern, methods=["GET"], **options)

    def post(self, pattern: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Answer POST on `pattern`."""
        return self.route(pattern, methods=["POST"], **options)

    def put(self, pattern: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Answer PUT on `pattern`."""
        return self.route(pattern, methods=["PUT"], **options)

    def patch(self, pattern: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Answer PATCH on `pattern`."""
        return self.route(pattern, methods=["PATCH"], **options)

    def delete(self, pattern: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Answer DELETE on `pattern`."""
        return self.route(pattern, methods=["DELETE"], **options)

    def head(self, pattern: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Answer HEAD on `pattern`, instead of the HEAD that comes with GET."""
        return self.route(pattern, methods=["HEAD"], **options)

    def options(self, pattern: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Answer OPTIONS on `pattern`, instead of the automatic answer."""
        return self.route(pattern, methods=["OPTIONS"], **options)

    def websocket(self, pattern: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """Serve WebSockets on `pattern` with the decorated function."""
        return self.route(pattern, methods=["WEBSOCKET"], **options)

    # -- bigger apps ------------------------------------------------------------------------------------------------

    def include(self, blueprint: "Blueprint", *, prefix: str = "", name: str = "", host: str = "") -> None:
        """Include a blueprint below `prefix`, with what it declares later."""
        self._must_be_open("a blueprint", caller())
        if blueprint is self:
            raise ConfigurationError(
                f"The blueprint {blueprint.name!r} includes itself ({caller()}).",
                why="Its routes would have no end.",
                fix="Include another blueprint.",
                code="DJN-411",
            )
        self.included.append((blueprint, prefix, name or blueprint.name, host))

    def mount(self, prefix: str, app: Any, *, host: str = "", defaults: bool = False) -> None:
        """Hand everything below `prefix` to a WSGI or ASGI app.

        Any: both are plain callables. Mounted apps get the host check and the limits only; `defaults=True` gives them
        the security headers and the CSRF rule as well.
        """
        self._must_be_open("a mount", caller())
        self.mounts.append(Mount(prefix.rstrip("/"), app, host=host, defaults=defaults, place=caller()))

    # -- hooks ------------------------------------------------------------------------------------------------------

    @overload
    def before_request(self, function: F, /) -> F: ...
    @overload
    def before_request(self, function: None = None, /, *, inline: bool) -> Callable[[F], F]: ...
    def before_request(self, function: F | None = None, /, *, inline: bool = False) -> F | Callable[[F], F]:
        """Run a function before each handler; what it returns is the answer.

        It takes nothing, or the request, and services; it may be sync or async. A sync one runs in the handler's
        thread, or on the loop with `inline=True`.
        """
        return self._add_hook(self.before, function, inline=inline)

    @overload
    def after_request(self, function: F, /) -> F: ...
    @overload
    def after_request(self, function: None = None, /, *, inline: bool) -> Callable[[F], F]: ...
    def after_request(self, function: F | None = None, /, *, inline: bool = False) -> F | Callable[[F], F]:
        """Run a function on each response before it is committed and sent.

        It takes the response, or the request and the response, and services; it returns a response, or `None` to keep
        the one it was given.
        """
        return self._add_hook(self.after, function, inline=inline)

    @overload
    def teardown_request(self, function: F, /) -> F: ...
    @overload
    def teardown_request(self, function: None = None, /, *, inline: bool) -> Callable[[F], F]: ...
    def teardown_request(self, function: F | None = None, /, *, inline: bool = False) -> F | Callable[[F], F]:
        """Run a function of the exception or `None`, and services, when a request ended."""
        return self._add_hook(self.torn_down, function, inline=inline)

    def middleware(self, function: F) -> F:
        """Put `async (request, next) -> Response` around the handlers.

        The first added is the outermost. It may ask for services beside the two.
        """
        self._must_be_open("middleware", caller())
        self.around.append(function)
        return function

    def errorhandler(self, key: int | type[BaseException], *, inline: bool = False) -> Callable[[F], F]:
        """Answer a status or a class of exceptions with the decorated function.

        It takes the error, or the request and the error, and services. A sync one runs in a thread, or on the loop with
        `inline=True`.
        """

        def register(handler: F) -> F:
            self.add_error_handler(key, handler, inline=inline)
            return handler

        return register

    def add_error_handler(self, key: int | type[BaseException], handler: ErrorHandler, *, inline: bool = False) -> None:
        """Register an error handler without a decorator."""
        self._must_be_open("an error handler", caller())
        self.failures.add(key, handler, inline=inline)

    def context_processor(self, function: F) -> F:
        """Add the names in the dict that a function returns to every template."""
        self.context_processors.append(function)
        return function

    # -- commands -----------------------------------------------------------------------------------------------------

    def command(self, name: str | None = None) -> Callable[[F], F]:
        """Add the decorated function to `demijohn` as a command, with services.

        Parameters become arguments and options by their annotations; a Click command is taken as it is.
        """

        def register(function: F) -> F:
            self.own_commands.append((name, function))
            return function

        return register

    # -- internals ----------------------------------------------------------------------------------------------------

    def _add_hook(self, hooks: list[Hook], function: F | None, *, inline: bool) -> F | Callable[[F], F]:
        self._must_be_open("a hook", caller())

        def register(function: F) -> F:
            hooks.append(Hook(function, inline=inline))
            return function

        return register if function is None else register(function)

    def _must_be_open(self, what: str, place: str) -> None:
        """Overridden where declarations end."""


def root_of(import_name: str | None, depth: int) -> Path:
    """Return the folder of the module that calls a constructor, for templates and static files."""
    if import_name is not None:
        import sys

        module = sys.modules.get(import_name)
        file = getattr(module, "__file__", None)
        if file:
            return Path(file).resolve().parent
    frame = inspect.currentframe()
    for _ in range(depth):
        frame = frame.f_back if frame is not None else None
    file = frame.f_globals.get("__file__") if frame is not None else None
    return Path(file).resolve().parent if file else Path.cwd()


class Blueprint(Scaffold):
    """One feature: its routes, templates, static files, commands and hooks.

    A feature module never imports the app: it makes a blueprint, and the app includes it. Blueprints may include
    blueprints.

    Args:
        name: The first part of its routes' names: `url_for("blog.show")`.
        prefix: Put before every pattern, after the prefix that `include` gives.
        templates: The folder of its templates, relative to the module; `templates` where that exists.
        static: The folder of its static files, relative to the module; `static` where that exists.
        host: The host, or a pattern of one, that it answers for.
        import_name: `__name__` of the module, where the folder cannot be told from the call.

    Example:
        >>> from demijohn import App, Blueprint
        >>> blog = Blueprint("blog")
        >>> @blog.get("/{slug}")
        ... async def show(slug: str):
        ...     return slug
        >>> App().include(blog, prefix="/blog")
    """

    def __init__(
        self,
        name: str,
        *,
        prefix: str = "",
        templates: str | Path | None = None,
        static: str | Path | None = None,
        host: str = "",
        import_name: str | None = None,
    ) -> None:
        super().__init__()
        if not name or not all(part.isidentifier() for part in name.split("-")):
            raise ConfigurationError(
                f"A blueprint was named {name!r} ({caller()}).",
                why="The name is the first part of its routes' names, before a dot.",
                fix='Use letters, digits, `_` and `-`:  Blueprint("blog")',
                code="DJN-412",
            )
        self.name = name
        self.prefix = prefix
        self.host = host
        self.root_path = root_of(import_name, depth=2)
        self.template_folder = folder(self.root_path, templates, "templates")
        self.static_folder = folder(self.root_path, static, "static")

    def __repr__(self) -> str:
        return f"Blueprint({self.name!r})"


def folder(root: Path, given: str | Path | None, usual: str) -> Path | None:
    """Return the folder that was given, or the usual one where it exists."""
    if given is not None:
        return root / given
    return root / usual if (root / usual).is_dir() else None
