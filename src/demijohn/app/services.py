"""Services: values that handlers, commands, tasks and tests ask for by type, with a scope and a clean-up."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import CoroutineType
from typing import Any, TypeVar, cast

from demijohn._lib.concurrency import find_servant
from demijohn._lib.later import asyncio, logger_of
from demijohn._lib.sentinels import MISSING
from demijohn._lib.text import listing
from demijohn.app.binders import Binders
from demijohn.app.binding import plan
from demijohn.app.compiler import compile_call
from demijohn.app.context import is_ending
from demijohn.app.formats import Formats
from demijohn.app.parameters import Input
from demijohn.app.plans import Plan
from demijohn.app.providers import (
    TOO_PLAIN,
    Factory,
    Provider,
    ScopeName,
    Uncached,
    hidden_coroutine,
    no_yield,
    shown,
    unusable,
    yielded_twice,
)
from demijohn.app.signatures import name_of, return_type
from demijohn.errors import ConfigurationError, OutsideContext
from demijohn.http import Connection

__all__ = ["ServiceScope", "Services"]

T = TypeVar("T")

logger = logger_of("demijohn.app")


class Services:
    """The services of one app, by the type that is asked for."""

    def __init__(self, binders: Binders | None = None) -> None:
        self.binders = Binders() if binders is None else binders
        self.formats = Formats()
        self.need: Callable[[str], object] | None = None
        self.run_sync: Callable[..., Awaitable[Any]] | None = None
        """Runs a sync function in a thread, with `wait`; the app's (Any: what the function returns)."""
        self._providers: dict[Any, Provider] = {}
        self._app_scope = ServiceScope(self, None, kind="app")

    def provide(
        self,
        service: type[T] | Callable[..., Any],
        factory: Factory | None = None,
        *,
        scope: ScopeName = "request",
        value: Any = MISSING,
    ) -> None:
        """Let a type be asked for.

        Args:
            service: The type. A class without a factory is made by calling it; a function without a factory stands
                for the type that it says it returns.
            factory: Makes the service: sync or async, or a generator whose part behind `yield` cleans up. Its own
                parameters are bound as a handler's are.
            scope: `request`: made once per request, command, task or message; `app`: made once.
            value: A value that is there already, in place of a factory (Any: it is of the type asked for).

        Raises:
            ConfigurationError: DJN-214, it cannot be made this way.

        Example:
            >>> class Clock: ...
            >>> services = Services()
            >>> services.provide(Clock, scope="app")
            >>> services.has(Clock)
            True
        """
        key: Any = service
        if value is not MISSING:
            if factory is not None:
                raise unusable(key, "a factory and a value were given", "app.provide(T, value=t)")
            self._add(Provider(key, None, "app", value=value))
            return
        if factory is None:
            if not callable(service):
                raise unusable(key, "it cannot be called", f"app.provide({name_of(key)}, make_it)")
            factory = service
            if not isinstance(service, type):
                key = return_type(service)
                if key in (MISSING, None, Any):
                    name = name_of(service)
                    fix = f"app.provide(Engine, {name})   # or say it:  def {name}(...) -> Engine"
                    raise unusable(service, "it does not say what it returns", fix)
        elif not callable(factory):
            raise unusable(key, f"{factory!r} cannot be called", f"app.provide({name_of(key)}, value={factory!r})")
        self._add(Provider(key, factory, scope))

    def _add(self, provider: Provider) -> None:
        if provider.key in TOO_PLAIN:
            fix = f'ApiKey = NewType("ApiKey", {name_of(provider.key)})   # and provide that'
            raise unusable(provider.key, "every parameter of that type would get it", fix)
        try:
            self._providers[provider.key] = provider
        except TypeError:
            raise unusable(provider.key, "it cannot be hashed", "app.provide(T, make_t)") from None
        self._app_scope.forget(provider.key)
        self._unwire()

    def has(self, service: Any) -> bool:
        """Return whether a type can be asked for (Any: annotations may be any object)."""
        return self.find(service) is not MISSING

    def find(self, annotation: Any, /) -> Any:
        """Return the key of the service of an annotation, or `MISSING` (Any: either)."""
        try:
            if annotation in self._providers:
                return annotation
        except TypeError:
            return MISSING
        battery = getattr(annotation, "__battery__", None)
        if battery is None or self.need is None:
            return MISSING
        # A type that says which battery it comes from sets that up, with its defaults.
        self.need(battery)
        return annotation if annotation in self._providers else MISSING

    def dependency(self, function: Factory, /, *, cached: bool = True) -> Any:
        """Return the key of a function that is depended on (Any: of many types)."""
        key: Any = function if cached else Uncached(function)
        if key not in self._providers:
            provider = Provider(key, function, "request")
            provider.cached = cached
            self._providers[key] = provider
        return key

    @contextmanager
    def override(
        self, service: type[T] | Factory, factory: Factory | None = None, *, value: Any = MISSING
    ) -> Iterator[None]:
        """Put another factory or value in the place of a service's, for a `with` block.

        The function of a `Depends` can be overridden as well (Any: the value is of the service's type).
        """
        old = self._providers.get(service)
        if value is not MISSING:
            replacement = Provider(service, lambda: value, old.scope if old is not None else "request")
        else:
            replacement = Provider(service, factory, old.scope if old is not None else "request")
        # One that is overridden inside of a request that is running must not be found among those made before.
        self._providers[service] = replacement
        remembered = self._app_scope.forget(service)
        self._unwire()
        try:
            yield
        finally:
            self._app_scope.forget(service)
            if old is None:
                self._providers.pop(service, None)
            else:
                self._providers[service] = old
                if remembered is not MISSING:
                    self._app_scope.made[service] = remembered
            self._unwire()

    # -- wiring --------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Wire every service, so that mistakes come up at start-up.

        Raises:
            ConfigurationError: DJN-212 for services that need each other in a circle, DJN-213 for one of the app that
                needs one of a request, and what binding has to say about the parameters of a factory.
        """
        for provider in list(self._providers.values()):
            self._wired(provider)

    def is_sync(self, key: Any, /) -> bool:
        """Return whether a service is made without awaiting (Any: its key)."""
        return self._wired(self.provider(key)).is_sync

    def may_fail(self, key: Any, /) -> bool:
        """Return whether making a service reads input of the client (Any: its key)."""
        return self._wired(self.provider(key)).may_fail

    def inputs(self, plan: Plan) -> list[Input]:
        """Return what a client gives for a plan, its services and dependencies."""
        found, seen, waiting = list(plan.inputs), set(), list(plan.services)
        while waiting:
            key = waiting.pop(0)
            provider = self._wired(self.provider(key))
            if key not in seen and provider.plan is not None:
                seen.add(key)
                found += provider.plan.inputs
                waiting += provider.plan.services
        return found

    def provider(self, key: Any) -> Provider:
        """Return how a service is made (Any: its key).

        Raises:
            ConfigurationError: DJN-210, nothing provides it.
        """
        try:
            return self._providers[key]
        except (KeyError, TypeError):
            name = name_of(key)
            classes = [other for other in self._providers if isinstance(other, type) and isinstance(key, type)]
            near = [name_of(other) for other in classes if issubclass(other, key)]
            hint = f" {listing(near)} is provided: say which one stands for it." if near else ""
            raise ConfigurationError(
                f"A service of the type `{name}` was asked for.",
                why=f"Nothing provides that type.{hint}",
                fix=f"Write:  app.provide({name}, {near[0] if near else f'make_{name.lower()}'})",
                code="DJN-210",
            ) from None

    def _unwire(self) -> None:
        for provider in self._providers.values():
            provider.bind = None

    def _wired(self, provider: Provider, path: tuple[Provider, ...] = ()) -> Provider:
        if provider.bind is not None or provider.factory is None:
            return provider
        if provider in path:
            circle = " needs ".join(name_of(shown(one.key)) for one in (*path[path.index(provider) :], provider))
            raise ConfigurationError(
                f"Services need each other in a circle: {circle}.",
                why="None of them can be made first.",
                fix=f"Take one out of the parameters of {name_of(provider.factory)} ({provider.place}).",
                code="DJN-212",
            )
        scoped = provider.scope == "app"
        kind: Any = "unit" if scoped else "request"
        made = plan(provider.factory, services=self, binders=self.binders, kind=kind, methods=("FACTORY",))
        self._refuse_given(provider, made)
        sync = not scoped
        for key in made.services:
            inner = self._wired(self.provider(key), (*path, provider))
            if scoped and inner.scope == "request":
                raise ConfigurationError(
                    f"{name_of(shown(provider.key))}, which lives as long as the app, needs "
                    f"{name_of(shown(key))}, which lives for one request ({provider.place}).",
                    why="It would keep the one of the first request, and show it to all others.",
                    fix="Make it for each request, without scope:  "
                    f"app.provide({name_of(provider.key)}, {name_of(provider.factory)})",
                    code="DJN-213",
                )
            sync = sync and inner.is_sync
            provider.may_fail = provider.may_fail or inner.may_fail
        compiled = compile_call(made, self, factory=True)
        provider.plan = made
        provider.bind = compiled.whole
        provider.binds_async = compiled.is_async
        provider.is_sync = sync and not compiled.is_async and provider.style in ("sync", "generator")
        provider.may_fail = provider.may_fail or bool(made.inputs)
        provider.needs_request = bool(made.inputs) or any(
            slot.source in ("offered", "form", "others") or (slot.source == "unit" and slot.tp is not Connection)
            for slot in made.slots
        )
        return provider

    def _refuse_given(self, provider: Provider, made: Plan) -> None:
        problems = [parameter for parameter in made.given if parameter.default is MISSING]
        requests = [slot.parameter for slot in made.of("unit", "offered")] if provider.scope == "app" else []
        if problems or requests:
            parameter = (problems or requests)[0]
            raise ConfigurationError(
                f"The parameter `{parameter.name}: {name_of(parameter.type)}` of {name_of(provider.factory)} "
                f"({provider.place}) cannot be bound.",
                why='It makes a service of scope="app", for which there is no request to read from.',
                fix=f"Provide that type, or give the parameter a default, or leave out the scope:  "
                f"app.provide({name_of(provider.key)}, {name_of(provider.factory)})",
                code="DJN-213" if requests else "DJN-200",
            )

    # -- life ----------------------------------------------------------------------------------------------------

    def open(self, unit: Any) -> "ServiceScope":
        """Open the scope of a request or unit (Any: either)."""
        return ServiceScope(self, unit)

    def scope_of(self, unit: Any, /) -> "ServiceScope":
        """Return the scope of a request or unit, opened at first use (Any: either).

        It is closed at the end of the unit.
        """
        scope: ServiceScope | None = unit.services
        if scope is None:
            scope = unit.services = ServiceScope(self, unit, kind="unit")
        return scope

    async def start(self) -> None:
        """Begin the life of the app's services: wire them, and find every mistake."""
        self.check()

    async def stop(self) -> None:
        """Clean up what lives as long as the app; the first failure is raised at the end."""
        try:
            await self._app_scope.close()
        finally:
            for provider in self._providers.values():
                provider.lock = None  # the next start may be on another loop


class ServiceScope:
    """The services of one request, command, task or script, or of the app.

    Each is made once.

    `error` is what went wrong, if anything did: generators see it at their `yield` when the scope is closed.
    """

    __slots__ = ("_cleanups", "_kind", "_making", "_services", "error", "made", "unit")

    def __init__(self, services: Services, unit: Any, *, kind: str = "request") -> None:
        self._services = services
        self.unit = unit
        self._kind = kind
        self.made: dict[Any, Any] = {}
        self.error: BaseException | None = None
        self._cleanups: list[tuple[Provider, Any]] | None = None
        self._making: dict[Any, tuple[asyncio.Task[Any] | None, list[asyncio.Future[None]]]] = {}
        """What is being made, by which task, and who waits for it."""

    async def get(self, service: type[T]) -> T:
        """Return the service of a type, made at the first call.

        Raises:
            ConfigurationError: DJN-210, nothing provides it.
            OutsideContext: DJN-215, its factory needs a request and none is running.
        """
        found = self.made.get(service, MISSING)
        if found is not MISSING:
            return cast("T", found)
        provider = self._provider(service)
        if provider.factory is None:
            return cast("T", provider.value)
        if provider.is_sync:
            made = self._make_now(provider, awaiting=True)
            if made.__class__ is CoroutineType:
                made = self._keep(provider, await made)
            return cast("T", made)
        if provider.scope == "app":
            return cast("T", await self._of_app(provider))
        if not provider.cached:
            return cast("T", await self._make(provider))
        return cast("T", await self._make_once(provider))

    async def _make_once(self, provider: Provider) -> Any:
        """Make a service, or wait for whoever does already: tasks of one request may ask at the same time."""
        key, making, task = provider.key, self._making, asyncio.current_task()
        while key in making:
            maker, waiting = making[key]
            if maker is task:  # a factory that asks for its own service; it would wait for itself
                return await self._make(provider)
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waiting.append(turn)
            await turn
            if key in self.made:
                return self.made[key]
        making[key] = (task, [])
        try:
            return await self._make(provider)
        finally:
            for turn in making.pop(key)[1]:
                if not turn.done():
                    turn.set_result(None)

    def get_now(self, service: type[T]) -> T:
        """Return a service without awaiting: one that is there, or made by sync code.

        In the thread of a sync handler, one that has to be awaited is waited for.

        Raises:
            ConfigurationError: DJN-210, nothing provides it; DJN-211, on the event loop it has to be awaited.
        """
        found = self.made.get(service, MISSING)
        if found is not MISSING:
            return cast("T", found)
        provider = self._provider(service)
        if provider.factory is None:
            return cast("T", provider.value)
        if provider.scope == "app" and provider.key in self._services._app_scope.made:
            return cast("T", self._services._app_scope.made[provider.key])
        if provider.is_sync:
            return cast("T", self._make_now(provider))
        servant = find_servant()
        if servant is not None:
            return cast("T", servant.wait(self.get(service)))
        name = name_of(service)
        raise ConfigurationError(
            f"`current.get({name})` was called on the event loop.",
            why=f"Making a {name} has to be awaited.",
            fix=f"Write:  await current.resolve({name})   or take it as a parameter.",
            code="DJN-211",
        )

    def forget(self, service: Any) -> Any:
        """Forget a service that was made, and return it or `MISSING` (Any: its key)."""
        try:
            return self.made.pop(service, MISSING)
        except TypeError:
            return MISSING

    async def close(self, error: BaseException | None = None) -> None:
        """Clean up, the youngest first, sync generators in a thread.

        One that fails does not keep the others from it. What a request answers stands: its failures are logged with the
        names of the services, and told to those who listen. Elsewhere the first is raised once all is done, and others
        are logged; all are, where `error` is what ended the unit.
        """
        cleanups, self._cleanups = self._cleanups, None
        self.made.clear()
        error = error or self.error
        first: BaseException | None = None
        ended: BaseException | None = None
        while cleanups:
            provider, generator = cleanups.pop()
            try:
                await self._finish(provider, generator, error)
            except BaseException as failure:
                if is_ending(failure, self.unit):
                    ended = failure
                elif failure is not error:
                    name = name_of(shown(provider.key))
                    note = f"Raised by the clean-up of the service {name} ({provider.place})."
                    if note not in getattr(failure, "__notes__", ()):  # some raise one and the same all the time
                        failure.add_note(note)
                    is_told = isinstance(self.unit, Connection)
                    if first is None and error is None and not is_told:
                        first = failure
                        continue
                    logger.error("Cleaning up %s (%s) failed", name, provider.place, exc_info=failure)
                    if is_told and self.unit.app is not None:
                        self.unit.app.note_failure(self.unit, failure)
        if ended is not None:
            raise ended from first
        if first is not None:
            raise first

    async def _finish(self, provider: Provider, generator: Any, error: BaseException | None) -> None:
        """Run one clean-up; that of a sync generator may block and `wait`, whoever asked for the service."""
        run_sync = self._services.run_sync
        if provider.style == "async generator":
            is_over = await _finish_async(generator, error)
        elif run_sync is not None:
            is_over = await run_sync(partial(_finish, generator, error), finishing=True)
        else:
            is_over = _finish(generator, error)
        if not is_over:
            raise yielded_twice(provider)

    def _provider(self, service: Any) -> Provider:
        services = self._services
        provider = services._providers.get(service) or services.provider(service)
        if provider.bind is None and provider.factory is not None:
            services._wired(provider)
        if provider.needs_request and not isinstance(self.unit, Connection):
            raise OutsideContext(
                f"The service `{name_of(shown(service))}` was asked for outside of a request.",
                why=f"Its factory {name_of(provider.factory)} ({provider.place}) reads from the request.",
                fix="Ask for it in a handler, or override it:  with app.override(T, make_it): ...",
                code="DJN-215",
            )
        return provider

    async def _of_app(self, provider: Provider) -> Any:
        scope = self._services._app_scope
        made = scope.made
        if provider.key in made:
            return made[provider.key]
        if provider.lock is None:
            provider.lock = asyncio.Lock()
        async with provider.lock:
            if provider.key in made:
                return made[provider.key]
            return await scope._make(provider)

    async def _make(self, provider: Provider) -> Any:
        bind = provider.bind
        assert bind is not None  # noqa: S101 - it was wired when it was looked up
        made: Any = bind(self.unit, self)
        if provider.binds_async:
            made = await made
        if provider.style == "async generator":
            made = await self._enter_async(provider, made)
        elif provider.style == "generator":
            made = self._enter(provider, made)
        elif made.__class__ is CoroutineType:
            made = await made
        return self._keep(provider, made)

    def _keep(self, provider: Provider, made: Any) -> Any:
        if provider.cached:
            self.made[provider.key] = made
        return made

    def _make_now(self, provider: Provider, *, awaiting: bool = False) -> Any:
        assert provider.bind is not None  # noqa: S101 - what is sync has a factory
        made = provider.bind(self.unit, self)
        if provider.style == "generator":
            made = self._enter(provider, made)
        elif made.__class__ is CoroutineType:
            if awaiting:
                return made
            servant = find_servant()
            if servant is None:
                made.close()
                raise hidden_coroutine(provider)
            made = servant.wait(made)
        return self._keep(provider, made)

    def _enter(self, provider: Provider, generator: Any) -> Any:
        try:
            made = next(generator)
        except StopIteration:
            raise no_yield(provider) from None
        self._remember(provider, generator)
        return made

    async def _enter_async(self, provider: Provider, generator: Any) -> Any:
        try:
            made = await anext(generator)
        except StopAsyncIteration:
            raise no_yield(provider) from None
        self._remember(provider, generator)
        return made

    def _remember(self, provider: Provider, generator: Any) -> None:
        if self._cleanups is None:
            self._cleanups = []
            if self._kind == "unit":
                # What has nothing to clean up costs nothing at the end.
                if self.unit.ending is None:
                    self.unit.ending = [self.close]
                else:
                    self.unit.ending.append(self.close)
        self._cleanups.append((provider, generator))


def _finish(generator: Any, error: BaseException | None) -> bool:
    """Let a generator run to its end, and return whether it did (Any: a generator)."""
    try:
        if error is None:
            next(generator)
        else:
            generator.throw(error)
    except StopIteration:
        return True
    except BaseException as failure:
        if not _is_same(failure, error):
            raise
        return True
    generator.close()
    return False


async def _finish_async(generator: Any, error: BaseException | None) -> bool:
    """Do the same with an async generator (Any: that)."""
    try:
        if error is None:
            await anext(generator)
        else:
            await generator.athrow(error)
    except StopAsyncIteration:
        return True
    except BaseException as failure:
        if not _is_same(failure, error):
            raise
        return True
    await generator.aclose()
    return False


def _is_same(failure: BaseException, error: BaseException | None) -> bool:
    """Return whether a generator let through what was thrown into it; it cannot raise a StopIteration as it is."""
    return failure is error or (
        isinstance(error, StopIteration | StopAsyncIteration)
        and isinstance(failure, RuntimeError)
        and failure.__cause__ is error
    )
