"""Providers: what is known of one service, and what is said when it cannot be made."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias

from demijohn._lib.later import asyncio, inspect
from demijohn._lib.sentinels import MISSING
from demijohn._lib.source import place_of
from demijohn.app.plans import Plan
from demijohn.app.signatures import is_async, name_of
from demijohn.errors import ConfigurationError

__all__ = ["Factory", "Provider", "ScopeName", "Uncached"]

Factory: TypeAlias = Callable[..., Any]
ScopeName: TypeAlias = Literal["request", "app"]


class Provider:
    """One service: how it is made, how long it lives, and what it needs."""

    __slots__ = (
        "bind",
        "binds_async",
        "cached",
        "factory",
        "is_sync",
        "key",
        "lock",
        "may_fail",
        "needs_request",
        "needs_service",
        "place",
        "plan",
        "scope",
        "style",
        "value",
    )

    def __init__(self, key: Any, factory: Factory | None, scope: ScopeName, *, value: Any = MISSING) -> None:
        self.key = key
        self.factory = factory
        self.scope: ScopeName = scope
        self.value = value
        self.cached = True
        self.place = place_of(factory) if factory is not None else ""
        self.plan: Plan | None = None
        self.bind: Callable[..., Any] | None = None
        self.binds_async = False
        self.is_sync = True
        self.may_fail = False
        self.needs_request = False
        self.lock: asyncio.Lock | None = None
        self.style = "value" if factory is None else style_of(factory)


def style_of(factory: Factory) -> str:
    function: Any = factory
    while isinstance(function, partial):
        function = function.func
    if not inspect.isroutine(function) and not isinstance(function, type):
        function = type(function).__call__
    if inspect.isasyncgenfunction(function):
        return "async generator"
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "async" if is_async(factory) else "sync"


TOO_PLAIN = (str, int, float, bool, bytes, list, dict, tuple, set, object, None, type(None))


class Uncached:
    """The key of a dependency that is called anew for each parameter."""

    __slots__ = ("function",)

    def __init__(self, function: Factory) -> None:
        self.function = function


def shown(key: Any) -> Any:
    return key.function if isinstance(key, Uncached) else key


def unusable(key: Any, why: str, fix: str) -> ConfigurationError:
    return ConfigurationError(
        f"`provide({name_of(key)})` cannot work: {why}.",
        why="A service is made by a function, a class or a generator, or is a value.",
        fix=f"Write:  {fix}",
        code="DJN-214",
    )


def no_yield(provider: Provider) -> ConfigurationError:
    return ConfigurationError(
        f"The factory {name_of(provider.factory)} ({provider.place}) ended without a `yield`.",
        why="What a generator yields is the service.",
        fix="Let every way through it come to one `yield`.",
        code="DJN-216",
    )


def yielded_twice(provider: Provider) -> ConfigurationError:
    return ConfigurationError(
        f"The factory {name_of(provider.factory)} ({provider.place}) yielded twice.",
        why="What stands behind its `yield` cleans up.",
        fix="Let every way through it come to one `yield`.",
        code="DJN-216",
    )


def hidden_coroutine(provider: Provider) -> ConfigurationError:
    return ConfigurationError(
        f"The factory {name_of(provider.factory)} ({provider.place}) is a plain function and returned a coroutine.",
        why="Whether it has to be awaited is decided at start-up.",
        fix="Write it with `async def`.",
        code="DJN-216",
    )
