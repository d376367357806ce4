"""What an app is made of: its registries, and how batteries get into them."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from demijohn._lib.concurrency import Pool
from demijohn._lib.keys import KeyRing
from demijohn._lib.later import logger_of, secrets
from demijohn._lib.sentinels import MISSING
from demijohn._lib.source import caller
from demijohn.app.assets import Assets, Fallback, get_assets
from demijohn.app.binders import Binders
from demijohn.app.checks import Checks
from demijohn.app.context import running
from demijohn.app.defaults import BATTERIES, COMPANIONS, default_battery
from demijohn.app.deployment import deploy_checks
from demijohn.app.encoding import Encoder
from demijohn.app.lifespan import Lifespan
from demijohn.app.offloading import Processes
from demijohn.app.protection import Protection, keys_of
from demijohn.app.registries import BeforeSend, Commands, Driver, Named, Observer, TemplateRegistry
from demijohn.app.scaffold import Scaffold
from demijohn.app.services import Services, ServiceScope
from demijohn.app.settings import Settings, settings_types
from demijohn.app.signals import Signals
from demijohn.app.signatures import name_of
from demijohn.errors import ConfigurationError
from demijohn.http import Connection, Request, Response, WebSocket
from demijohn.middleware import CSRFGuard, Guard, Security, SecurityHeaders, TrustedProxies
from demijohn.routing import Converter, ConverterResolver, Router, SlashPolicy
from demijohn.types import Battery, RateLimitStore

__all__ = ["BATTERY_ASSETS", "Wiring"]

logger = logger_of("demijohn.app")

BATTERY_ASSETS = "/__demijohn__/static"
"""Where the static files of batteries are served, whatever prefixes the app has."""

B = TypeVar("B", bound=Battery)
T = TypeVar("T")


class Wiring(Scaffold):
    """The registries of an app: batteries fill them, the builder reads them."""

    def __init__(self, settings: Settings, *, slash: SlashPolicy) -> None:
        super().__init__()
        self.settings = settings
        self.router = Router(slash=slash)
        self.encoder = Encoder()
        self.binders = Binders()
        self.services = Services(self.binders)
        self.services.need = self.need
        self.formats = self.services.formats
        self.lifespan = Lifespan()
        self.checks = Checks()
        self.checks.add(deploy_checks, deploy=True)
        self.commands = Commands()
        self.templates = TemplateRegistry()
        self.batteries: Named[Battery] = Named("battery")
        self.health: Named[Callable[[], Any]] = Named("health probe")
        self.panels: Named[Any] = Named("debug panel")
        self.actions: Named[Callable[..., Any]] = Named("debug action")
        self.test_helpers: Named[Callable[..., Any]] = Named("test helper")
        self.current_names: Named[Callable[[Any], Any]] = Named("name of `current`")
        self.shell_names: Named[Callable[[], dict[str, Any]]] = Named("shell name")
        self.policy_types: set[type] = set()
        """Services that decide who may come: a handler that takes one has said it."""
        self.security = Security()
        self.rate_limits: RateLimitStore | None = None
        self.guards: list[Guard] = []
        self.before_routing: list[Callable[[Connection], None]] = []
        self.url_adjusters: list[Callable[[Any, str, str], str]] = []
        self.route_policies: list[Callable[[Any], str | None]] = []
        self.converter_resolvers: list[ConverterResolver] = []
        self.before_send: list[BeforeSend] = []
        self.drivers: list[Driver] = []
        self.observers: list[Observer] = []
        self.default_headers: list[tuple[bytes, bytes]] = []
        self.pool = Pool("demijohn-handler", size=self.settings.threads)
        # What handlers wait for is let go in threads of its own, or both would wait for each other.
        self.finishing = Pool("demijohn-finishing", size=self.settings.threads, most_waiting=100_000)
        self.processes = Processes()
        self.notes: MutableMapping[Any, list[tuple[str, Any]]] | None = None
        """What was noted about running requests for the toolbar of development; None where it is off."""
        self.draining = False
        self.sockets: set[WebSocket] = set()
        self.failure_listeners: list[Callable[[Connection, BaseException], None]] = []
        self.assets: dict[str, Assets] = {}
        self.static_prefixes: tuple[str, ...] = ()
        """What the paths of static files begin with, those of blueprints too, once the app is built."""
        self.fallbacks: list[Fallback] = []

        self._pending: list[Battery] = []
        self._waiting: dict[str, list[Callable[[Any], None]]] = {}
        self._signals: Signals | None = None
        self._protection: Protection | None = None
        self._keys: KeyRing | None = None
        self._frozen_at = ""

    # -- what is added ------------------------------------------------------------------------------------------------

    def use(self, battery: B) -> B:
        """Add a battery and return it; it plugs in as soon as what it requires is there.

        Raises:
            ConfigurationError: It has been added already, or the app is running.
        """
        self._must_be_open("a battery", caller())
        if not isinstance(battery, Battery):
            raise ConfigurationError(
                f"`app.use` got {battery!r} ({caller()}).",
                why="A battery has `name`, `requires` and `install(app)`.",
                fix="Make an instance:  app.use(Templates())" if isinstance(battery, type) else "Pass a battery.",
                code="DJN-416",
            )
        self._pending.append(battery)
        self._install_pending()
        return battery

    def when(self, name: str, function: Callable[[Any], None]) -> None:
        """Call a function with the battery of that name as soon as the app has it, and never if it has none.

        Any: the battery, whose class is its own. So a battery says how it looks in the admin without needing one.
        """
        if name in self.batteries:
            function(self.batteries[name])
        else:
            self._waiting.setdefault(name, []).append(function)

    def need(self, name: str) -> Battery:
        """Return the battery of that name, with its defaults where it was not added.

        Raises:
            ConfigurationError: There is none, and it has no defaults.
        """
        if name not in self.batteries:
            for battery in self._pending:
                if battery.name == name:
                    return battery
            battery = default_battery(name)
            self._pending.append(battery)
            self._install_pending()
        return self.batteries.required(name)

    def provide(
        self,
        service: type[T] | Callable[..., Any],
        factory: Callable[..., Any] | None = None,
        *,
        scope: Literal["request", "app"] = "request",
        value: Any = MISSING,
    ) -> None:
        """Let handlers, commands, tasks and tests ask for `service` by annotation.

        The factory may be sync or async, or a generator whose part behind `yield` cleans up; its own parameters are
        bound as a handler's are. An app-scoped service is made once; a `value` is there already (Any: it is of the
        type asked for). A function alone stands for the type that it says it returns.

        Raises:
            ConfigurationError: DJN-214, it cannot be made this way.
        """
        self.services.provide(service, factory, scope=scope, value=value)

    @contextmanager
    def override(
        self,
        service: type[T] | Callable[..., Any],
        factory: Callable[..., Any] | None = None,
        *,
        value: Any = MISSING,
    ) -> Iterator[None]:
        """Put another factory or value in a service's place for a `with` block, as tests do.

        The function of a `Depends` can be overridden too (Any: the value is of the service's type).
        """
        with self.services.override(service, factory, value=value):
            yield

    @contextmanager
    def override_settings(self, **changes: Any) -> Iterator[None]:
        """Put other settings in place for a `with` block, as tests do (Any: values of the fields)."""
        before = self.settings
        self.settings = before.replace(**changes)
        try:
            with ExitStack() as stack:
                for cls in settings_types(before):
                    stack.enter_context(self.services.override(cls, value=self.settings))
                yield
        finally:
            self.settings = before

    def static_url(self, name: str, *, namespace: str = "") -> str:
        """Return the hashed URL of a static file: of a blueprint, or of the app.

        Raises:
            AssetMissing: There is no such file.
        """
        return get_assets(self.assets, name, namespace).url(name)

    def add_assets(self, name: str, folder: Path) -> None:
        """Serve the static files of a battery; templates write `static("x.css", namespace="demijohn.NAME")`.

        It may be done at any time: some batteries are set up when a page first needs them.
        """
        self.assets[f"demijohn.{name}"] = Assets(folder, prefix=f"{BATTERY_ASSETS}/{name}")

    def spa(self, folder: str | Path, *, prefix: str = "/", index: str = "index.html") -> None:
        """Serve a single-page application: its files, and `index` for every page that it routes itself.

        Args:
            folder: Where the build put it, relative to the module of the app.
            prefix: Where it lives.
            index: The page that starts it.
        """
        self._must_be_open("a single-page application", caller())
        self.fallbacks.append(Fallback(self.root_path / folder, prefix, index))

    async def missing(self, request: Request) -> Response:
        """Answer where no route matches."""
        raise NotImplementedError

    def add_converter(self, name: str, converter: Callable[..., Converter[Any]]) -> None:
        """Make a converter of your own known to patterns: `{color:hex}`.

        Any: it may make any type.

        Raises:
            ConfigurationError: The app is running already, or it is no converter.
        """
        self._must_be_open("a converter", caller())
        self.router.add_converter(name, converter)

    def note_failure(self, connection: Connection, error: BaseException) -> None:
        """Tell those who listen of an exception that no error handler knows: reporters, and the test client."""
        failures = None if connection.scope is None else connection.scope.get("demijohn.failures")
        if failures is not None:
            failures.append(error)
        for listen in self.failure_listeners:
            try:
                listen(connection, error)
            except Exception:
                logger.exception("A listener to failures, %s, failed itself", name_of(listen))

    def note(self, title: str, value: Any) -> None:
        """Note something about the running request for the toolbar of development, and nothing where it is off.

        Any: a mapping becomes a row under the title.
        """
        notes = self.notes
        unit = running.get()
        if notes is None or unit is None:
            return
        notes.setdefault(unit, []).append((title, value))

    def rebuild(self) -> None:
        """Compile the routes again, where they were compiled already."""
        raise NotImplementedError

    @property
    def sends_signals(self) -> bool:
        """Whether anybody asked for the signals; where nobody did, none is sent."""
        return self._signals is not None

    @property
    def signals(self) -> Signals:
        """The signals of this app; where nobody asks for them, none is sent."""
        if self._signals is None:
            self._signals = Signals()
            self.rebuild()
        return self._signals

    def on_startup(self, function: Callable[..., T]) -> Callable[..., T]:
        """Run a function at start-up, sync or async, in a unit of work; it may take the app and services."""
        self.lifespan.on_startup(function)
        return function

    def on_shutdown(self, function: Callable[..., T]) -> Callable[..., T]:
        """Run a function at shutdown, sync or async, in a unit of work; it may take the app and services."""
        self.lifespan.on_shutdown(function)
        return function

    def check(self, function: Callable[..., T]) -> Callable[..., T]:
        """Add a check of this app: a function of the app that yields `CheckMessage`s."""
        self.checks.add(function)  # type: ignore[arg-type]
        return function

    def template_global(self, name: str | None = None) -> Callable[[Callable[..., T]], Callable[..., T]]:
        """Give a function to every template."""
        return self._template_part(self.templates.globals, name)

    def template_filter(self, name: str | None = None) -> Callable[[Callable[..., T]], Callable[..., T]]:
        """Give a filter to every template."""
        return self._template_part(self.templates.filters, name)

    def template_test(self, name: str | None = None) -> Callable[[Callable[..., T]], Callable[..., T]]:
        """Give a test (`is ...`) to every template."""
        return self._template_part(self.templates.tests, name)

    def _template_part(self, parts: dict[str, Any], name: str | None) -> Callable[[Callable[..., T]], Callable[..., T]]:
        def register(function: Callable[..., T]) -> Callable[..., T]:
            parts[name or function.__name__] = function
            return function

        return register

    # -- protection ---------------------------------------------------------------------------------------------------

    @property
    def keys(self) -> KeyRing:
        """The keys that the secret of the app gives, one for each purpose.

        Raises:
            ConfigurationError: There is no secret in production, or a weak one.
        """
        if self._keys is None:
            self._keys = keys_of(self)
        return self._keys

    def use_test_keys(self) -> None:
        """Make a secret up, where none is configured: tests need sessions and forms, and no secret of anybody's."""
        settings = self.settings
        if self._keys is None and not settings.secret_key:
            self._keys = KeyRing(secrets.token_urlsafe(48))

    @property
    def csrf(self) -> CSRFGuard | None:
        """The guard against forged requests, or `None` where it is off."""
        return self.protect().csrf

    @property
    def security_headers(self) -> SecurityHeaders:
        """The security headers of every response."""
        return self.protect().headers

    @property
    def proxies(self) -> TrustedProxies | None:
        """The proxies whose word is taken for scheme, host and client."""
        return self.protect().proxies

    def protect(self) -> Protection:
        """Put the safe defaults into the registries, once."""
        if self._protection is None:
            self._protection = Protection(self)
            self._protection.install(self)
        return self._protection

    # -- names ----------------------------------------------------------------------------------------------------

    def current_value(self, name: str, unit: Any) -> Any:
        """Return what a battery offers as `current.<name>` (Any: whatever it offers)."""
        if name not in self.current_names and name == "session":
            self.need("sessions")
        return self.current_names.required(name)(unit)

    def scope_of(self, unit: Any) -> ServiceScope:
        """Return the services of a request or unit, opened at first use (Any: either)."""
        return self.services.scope_of(unit)

    def _install_pending(self, *, final: bool = False) -> None:
        progress = True
        while progress and self._pending:
            progress = False
            for battery in list(self._pending):
                if not any(battery is each for each in self._pending):
                    continue  # one that was installed before it has needed and installed it
                if all(name in self.batteries for name in battery.requires):
                    self._pending.remove(battery)
                    self.batteries.add(battery.name, battery)
                    battery.install(self)
                    for function in self._waiting.pop(battery.name, ()):
                        function(battery)
                    progress = True
            if final and not progress:
                missing = {name for battery in self._pending for name in battery.requires if name not in self.batteries}
                found = [name for name in missing if name in BATTERIES]
                for name in found:
                    self.need(name)
                progress = bool(found)
        if final and not self._pending:
            for companion in {COMPANIONS.get(name.partition(":")[0], "") for name in self.batteries}:
                if companion and companion not in self.batteries:
                    self.need(companion)
        if final and self._pending:
            battery = self._pending[0]
            lacking = [name for name in battery.requires if name not in self.batteries]
            raise ConfigurationError(
                f"The battery {battery.name!r} requires {', '.join(lacking)}.",
                why="It was not added to the app.",
                fix=f"Write `app.use(...)` for {', '.join(lacking)}, before or after it.",
                code="DJN-417",
            )

    def _must_be_open(self, what: str, place: str) -> None:
        if self._frozen_at:
            raise ConfigurationError(
                f"{what.capitalize()} was added at {place}, when the app was built already ({self._frozen_at}).",
                why="Routes are compiled once, so it would have no effect.",
                fix="Move the line above the first request, test client or `url_for`.",
                code="DJN-418",
            )
