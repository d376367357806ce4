"""Services: values that handlers, commands and tests ask for by type, with a scope and a clean-up."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Literal, TypeVar, cast, get_type_hints

from demijohn.errors import ConfigurationError

__all__ = ["ServiceScope", "Services"]

T = TypeVar("T")
Factory = Callable[..., Any]


class Services:
    """The factories of one app, by the type they make."""

    def __init__(self) -> None:
        self._factories: dict[Any, tuple[Factory, str]] = {}
        self._app_scope = ServiceScope(self, None, kind="app")

    def provide(
        self, service: type[T], factory: Factory | None = None, *, scope: Literal["request", "app"] = "request"
    ) -> None:
        """Register a factory for a type; the class itself where none is given."""
        self._factories[service] = (factory if factory is not None else service, scope)

    def has(self, service: Any) -> bool:
        """Return whether a factory makes that type (Any: annotations may be any object)."""
        try:
            return service in self._factories
        except TypeError:
            return False

    @contextmanager
    def override(self, service: type[T], factory: Factory) -> Iterator[None]:
        """Put another factory in the place of a type's, for a `with` block."""
        old = self._factories.get(service)
        self._factories[service] = (factory, old[1] if old else "request")
        self._app_scope.forget(service)
        try:
            yield
        finally:
            self._app_scope.forget(service)
            if old is None:
                del self._factories[service]
            else:
                self._factories[service] = old

    def open(self, unit: Any) -> "ServiceScope":
        """Open the scope of a request or unit (Any: either)."""
        return ServiceScope(self, unit)

    async def start(self) -> None:
        """Begin the app's scope."""

    async def stop(self) -> None:
        """End the app's scope: clean up what it made."""
        await self._app_scope.close()

    def factory(self, service: Any) -> tuple[Factory, str]:
        """Return the factory and scope of a type.

        Raises:
            ConfigurationError: Nothing provides it.
        """
        try:
            return self._factories[service]
        except KeyError:
            name = getattr(service, "__name__", repr(service))
            raise ConfigurationError(
                f"A service of the type `{name}` was asked for.",
                why="Nothing provides that type.",
                fix=f"Write:  app.provide({name}, make_{name.lower()})",
                code="DJN-210",
            ) from None


class ServiceScope:
    """The services made for one unit, or for the app, and their clean-up."""

    def __init__(self, services: Services, unit: Any, *, kind: str = "request") -> None:
        self._services = services
        self._unit = unit
        self._kind = kind
        self._made: dict[Any, Any] = {}
        self._stack: AsyncExitStack | None = None

    async def get(self, service: type[T]) -> T:
        """Return the service of a type, made at the first call."""
        if service in self._made:
            return cast("T", self._made[service])
        factory, scope = self._services.factory(service)
        if scope == "app" and self._kind != "app":
            return await self._services._app_scope.get(service)
        arguments = [await self.get(tp) if self._services.has(tp) else self._unit for tp in _needs(factory)]
        if inspect.isasyncgenfunction(factory):
            value = await self._enter(asynccontextmanager(factory)(*arguments))
        elif inspect.isgeneratorfunction(factory):
            value = await self._enter(_from_sync(contextmanager(factory)(*arguments)))
        else:
            value = factory(*arguments)
            if inspect.isawaitable(value):
                value = await value
        self._made[service] = value
        return cast("T", value)

    def get_now(self, service: type[T]) -> T:
        """Return a service that is made without awaiting."""
        step = self.get(service)
        try:
            step.send(None)
        except StopIteration as done:
            return cast("T", done.value)
        step.close()
        raise ConfigurationError(
            f"`current.get({service.__name__})` was called on the event loop.",
            why="Its factory has to await something.",
            fix=f"Write `await current.resolve({service.__name__})`.",
            code="DJN-211",
        )

    def forget(self, service: Any) -> None:
        """Forget a service that was made (Any: a type)."""
        self._made.pop(service, None)

    async def close(self) -> None:
        """Clean up, the youngest first."""
        stack, self._stack = self._stack, None
        self._made.clear()
        if stack is not None:
            await stack.aclose()

    async def _enter(self, manager: Any) -> Any:
        if self._stack is None:
            self._stack = AsyncExitStack()
        return await self._stack.enter_async_context(manager)


@asynccontextmanager
async def _from_sync(manager: Any) -> AsyncIterator[Any]:
    with manager as value:
        yield value


def _needs(factory: Factory) -> list[Any]:
    function = getattr(factory, "__init__") if isinstance(factory, type) else factory  # noqa: B009 - it is looked up on a class
    hints = {name: tp for name, tp in get_type_hints(function).items() if name != "return"}
    return list(hints.values())
