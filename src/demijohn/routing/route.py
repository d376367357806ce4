"""A route: a pattern, the methods it answers, and who answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from demijohn._lib import source
from demijohn._lib.later import inspect
from demijohn.errors import ConfigurationError
from demijohn.routing.pattern import Parameter, Pattern, parse_host, parse_path

if TYPE_CHECKING:
    from demijohn.routing.converters import Converter

__all__ = ["ANY", "WEBSOCKET", "Entry", "Route", "SlashPolicy"]

Entry: TypeAlias = "tuple[Any, tuple[str, ...], dict[str, Any] | None, Route]"
"""What answers a method of a path: target, names of the parameters, defaults, route (Any: the target is the app's)."""

SlashPolicy: TypeAlias = Literal["redirect", "strict", "ignore"]
"""What happens where only the other form, with or without the slash at the end, is a route."""

ANY = "*"
"""The method of a route that answers every method, WebSockets included (mounted apps)."""
WEBSOCKET = "WEBSOCKET"
"""The pseudo-method of a WebSocket route; never listed in `Allow`."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Route:
    """One pattern and the endpoint that answers it.

    Args:
        pattern: The path, decoded: `/posts/{post:slug}`.
        endpoint: The function or class that answers. Routing never calls it; `url_for` finds the route by it.
        methods: The methods it answers; `HEAD` follows `GET`. `None` means every method, WebSockets included.
        name: The name for `url_for`; the endpoint's `__name__` otherwise.
        namespace: The blueprint that the name lives in, with dots where nested; the full name is `namespace.name`.
        host: A pattern of hosts: `{tenant}.example.com`. A route without one answers on every host.
        defaults: Parameters that the pattern does not name, given as they are.
        slash: The policy of the slash at the end; the router's own otherwise.

    Raises:
        ConfigurationError: The pattern, the host or an argument cannot be (DJN-100, DJN-102, DJN-106).

    Example:
        >>> Route("/posts/{id:int}", print, methods=["GET"], name="post").parameters
        (Parameter(name='id', converter='int', arguments=None),)
    """

    __slots__ = (
        "converters",
        "defaults",
        "details",
        "endpoint",
        "has_own_name",
        "host",
        "installed",
        "methods",
        "name",
        "names",
        "namespace",
        "parameters",
        "parsed",
        "parsed_host",
        "pattern",
        "place",
        "slash",
        "target",
        "targets",
    )

    def __init__(
        self,
        pattern: str,
        endpoint: Any,  # whatever the app can call
        *,
        methods: Iterable[str] | None = ("GET",),
        name: str | None = None,
        namespace: str = "",
        host: str | None = None,
        defaults: Mapping[str, Any] | None = None,
        slash: SlashPolicy | None = None,
    ) -> None:
        self.place = source.caller()
        self.pattern = pattern
        self.endpoint = endpoint
        self.parsed: Pattern = parse_path(pattern, place=self.place)
        self.host = host
        self.parsed_host: Pattern | None = None if host is None else parse_host(host, place=self.place)
        self.methods: tuple[str, ...] = self._read_methods(methods)
        self.has_own_name = name is not None
        own = name if name is not None else _name_of(endpoint)
        self.namespace = namespace
        self.name = f"{namespace}.{own}" if namespace else own
        self.defaults: dict[str, Any] = dict(defaults or {})
        self.slash: SlashPolicy | None = slash
        self.converters: dict[str, Converter[Any]] = {}
        self.target: Any = endpoint
        self.targets: dict[str, Any] = {}
        self.details: dict[str, Any] = {}
        """What the app notes about each method, for those who describe it (Any: the app's own)."""
        self.installed: list[tuple[dict[str, Entry], dict[str, Any] | None, str]] = []
        host_parameters = () if self.parsed_host is None else self.parsed_host.parameters
        self.parameters: tuple[Parameter, ...] = host_parameters + self.parsed.parameters
        self.names = frozenset(parameter.name for parameter in self.parameters) | self.defaults.keys()
        self._check()

    def _fail(self, seen: str, why: str, fix: str, *, code: str = "DJN-106") -> ConfigurationError:
        return ConfigurationError(f"The route {self.pattern!r} ({self.place}) {seen}", why=why, fix=fix, code=code)

    def _read_methods(self, methods: Iterable[str] | None) -> tuple[str, ...]:
        if methods is None:
            return (ANY,)
        if isinstance(methods, str):
            raise self._fail(
                f"has methods={methods!r}.", "Methods are a list, also where there is one.", f"Write [{methods!r}]."
            )
        read: list[str] = []
        for method in methods:
            if method != ANY and _TOKEN.fullmatch(method) is None:
                raise self._fail(
                    f"has the method {method!r}.",
                    "A method is a word of ASCII letters (RFC 9110, section 9.1).",
                    'Write something like methods=["GET", "POST"].',
                )
            if method.upper() not in read:
                read.append(method.upper())
        if not read:
            raise self._fail("has no method.", "Nothing would ever reach it.", 'Write methods=["GET"].')
        return tuple(read)

    def _check(self) -> None:
        path_names = {parameter.name for parameter in self.parsed.parameters}
        if self.parsed_host is not None:
            for parameter in self.parsed_host.parameters:
                if parameter.name in path_names:
                    raise self._fail(
                        f"names {parameter.name!r} in its path and in its host {self.host!r}.",
                        "A function takes one value by one name.",
                        "Give one of them another name.",
                        code="DJN-102",
                    )
        for name in self.defaults:
            if any(name == parameter.name for parameter in self.parameters):
                raise self._fail(
                    f"has a default for {name!r}, which is in its pattern.",
                    "A parameter of the pattern always comes from the request, so the default would never be used.",
                    f"Add a second route without {{{name}}} that has the default.",
                )
        if self.slash not in (None, "redirect", "strict", "ignore"):
            raise self._fail(
                f"has slash={self.slash!r}.",
                "The policies are 'redirect', 'strict' and 'ignore'.",
                'Write slash="redirect".',
            )
        if not self.name.rpartition(".")[2]:
            raise self._fail("has an empty name.", "Nothing could ask for it.", 'Write name="posts", or leave it out.')

    def set_target(self, target: Any, *, method: str | None = None) -> None:
        """Set what a match hands back, for all methods or for one.

        Works before and after `compile`. Any: routing hands it back and never looks at it.
        """
        if method is None:
            self.target = target
            self.targets.clear()
        else:
            self.targets[method] = target
        for entries, static, method_there in self.installed:
            value = self.target_for(method_there)
            old = entries[method_there]
            entries[method_there] = (value, old[1], old[2], self)
            if static is not None:
                static[method_there] = value

    def target_for(self, method: str) -> Any:
        """Return the target of a method (Any: it is the app's).

        `HEAD` has that of `GET` unless it has its own.
        """
        targets = self.targets
        if method in targets:
            return targets[method]
        if method == "HEAD" and "GET" in targets and "HEAD" not in self.methods:
            return targets["GET"]
        return self.target

    def __repr__(self) -> str:
        host = "" if self.host is None else f" on {self.host}"
        return f"<Route {','.join(self.methods)} {self.pattern}{host} {self.name}>"


def _name_of(endpoint: object) -> str:
    name = getattr(inspect.unwrap(endpoint) if callable(endpoint) else endpoint, "__name__", None)
    return name if isinstance(name, str) else type(endpoint).__name__
