"""Aliases and protocols through which the rooms meet without knowing each other."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

__all__ = [
    "ASGIApp",
    "Battery",
    "CommitHooks",
    "HeadersLike",
    "MaybeAwaitable",
    "RateLimitStore",
    "RateVerdict",
    "Receive",
    "Renderer",
    "Scope",
    "Send",
    "SessionCookie",
    "WSGIApp",
]

T = TypeVar("T")

Scope: TypeAlias = MutableMapping[str, Any]
"""The connection scope of ASGI 3 (Any: its values have many types, by the specification)."""
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
WSGIApp: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""A WSGI application (PEP 3333)."""

HeadersLike: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
"""Whatever headers are accepted as: a mapping, or pairs where a name may come more than once."""

MaybeAwaitable: TypeAlias = T | Awaitable[T]
"""What a hook may return: sync and async functions are both welcome."""


@runtime_checkable
class Battery(Protocol):
    """Anything that `app.use` takes: a name, what it needs, and how it plugs in.

    `name` is what other batteries ask for it by; `requires` are the names of those that have to be there first.
    """

    @property
    def name(self) -> str: ...

    @property
    def requires(self) -> tuple[str, ...]: ...

    def install(self, app: Any, /) -> None:
        """Add to the registries of the app, and touch nothing else.

        `app` is `Any`: the app lives floors above.
        """


@runtime_checkable
class CommitHooks(Protocol):
    """What runs something after the commit of the present unit of work: a database."""

    def on_commit(self, hook: Callable[[], object]) -> None:
        """Run `hook` (sync or async) after the commit, and not at all where it is rolled back."""
        raise NotImplementedError


@runtime_checkable
class Renderer(Protocol):
    """What renders templates by name for other batteries."""

    def has_template(self, name: str, /) -> bool:
        """Whether there is a template of that name."""
        raise NotImplementedError

    def render_alone(self, template: str, /, context: Mapping[str, Any]) -> str:
        """Render a template with these names and the globals, without what context processors add to pages.

        Any: templates print anything.
        """
        raise NotImplementedError


@runtime_checkable
class SessionCookie(Protocol):
    """What carries the session of a visitor in a cookie."""

    def cookie_for(self, scheme: str, /) -> str:
        """Return the name of the cookie under a scheme: on https a prefix may keep it from being planted."""
        raise NotImplementedError


class RateVerdict(NamedTuple):
    """What a store says of one request under one limit. Times are in seconds."""

    allowed: bool
    remaining: int
    """How many more may come at once."""
    reset: float
    """Until the whole quota is there again, or the window ends."""
    retry_after: float
    """Until the next request is allowed; 0 where this one was."""


class RateLimitStore(Protocol):
    """Counts requests for rate limits: in memory, in Redis, in the database."""

    def hit(self, key: str, /, *, quota: int, window: float, cost: int = 1) -> MaybeAwaitable[RateVerdict]:
        """Count `cost` requests under a key, unless that passes `quota` in `window` seconds, and say how it stands."""
        raise NotImplementedError
