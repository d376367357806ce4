"""The router: all routes of an app, and the one that answers a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

from demijohn._lib.paths import PATH_SAFE
from demijohn._lib.text import did_you_mean
from demijohn.errors import ConfigurationError
from demijohn.routing.converters import CONVERTERS, Converter, parse_arguments
from demijohn.routing.pattern import Parameter
from demijohn.routing.reverse import URLBuilder
from demijohn.routing.route import ANY, WEBSOCKET, Entry, Route, SlashPolicy
from demijohn.routing.tree import Tree, walk

__all__ = ["ConverterResolver", "Match", "Router"]

ConverterResolver: TypeAlias = Callable[[Parameter, Route], Converter[Any] | None]
"""Asked for each parameter at `compile`; None leaves it to the converters known by name (Any: of any type)."""


class Match(NamedTuple):
    """What became of a request: a target with its parameters, or why there is none.

    `route` is None where nothing answers. Then `redirect` is the encoded path of the other form, with or without the
    slash at the end; `allowed` are the methods that the path does have (405); `websocket` says that it is there for
    WebSockets; and with none of them there is nothing at all (404).
    """

    target: Any = None
    params: Mapping[str, Any] = MappingProxyType({})
    route: Route | None = None
    allowed: tuple[str, ...] = ()
    redirect: str | None = None
    websocket: bool = False


class _Site:
    """The routes of one host."""

    __slots__ = ("fixed", "tree")

    def __init__(self) -> None:
        self.fixed: dict[str, dict[str, Entry]] = {}
        self.tree: Tree[dict[str, Entry]] = Tree()


class Router:
    """Holds the routes, finds the one that answers, and builds their URLs.

    Args:
        slash: What happens to a path whose other form, with or without the slash at the end, is a route:
            `"redirect"` leads there, `"strict"` is a 404, `"ignore"` answers both. A route may have its own.

    Example:
        >>> router = Router()
        >>> router.add(Route("/posts/{id:int}", print, name="post"))
        >>> router.compile()
        >>> router.match("GET", "/posts/7").params
        {'id': 7}
        >>> router.url_for("post", id=7)
        '/posts/7'
    """

    def __init__(self, *, slash: SlashPolicy = "redirect") -> None:
        self.slash: SlashPolicy = slash
        self.routes: list[Route] = []
        self.converters: dict[str, Callable[..., Converter[Any]]] = dict(CONVERTERS)
        self.static: dict[str, dict[str, Any]] = {}
        """Target by path, then by method, of routes without parameters: for a look-up in the caller's own frame.

        Empty until `compile`, and where any route has a host. A miss means nothing: ask `find`.
        """
        self.is_compiled = False
        self._made: dict[tuple[str, str | None], Converter[Any]] = {}
        self._site = _Site()
        self._lasts: dict[str, tuple[bool, dict[str, Entry]]] = {}
        self._hosts: Tree[_Site] | None = None
        self._urls = URLBuilder()

    def add(self, route: Route) -> None:
        """Add a route.

        Raises:
            ConfigurationError: The router is compiled already (DJN-105).
        """
        self._refuse_if_compiled(f"The route {route.pattern!r} ({route.place}) was added")
        self.routes.append(route)
        self._urls.add(route)

    def add_converter(self, name: str, converter: Callable[..., Converter[Any]]) -> None:
        """Make a converter known by name.

        It is a class, or whatever makes one from the arguments in the pattern.

        Raises:
            ConfigurationError: The router is compiled already (DJN-105), or it is no converter (DJN-107).
        """
        self._refuse_if_compiled(f"The converter {name!r} was added")
        if not callable(converter):
            raise ConfigurationError(
                f"The converter {name!r} is {converter!r}.",
                why="It is called to make a converter for each pattern, so it must be a class.",
                fix=f"Write class {name.title()}(Converter): ... and pass the class.",
                code="DJN-107",
            )
        self.converters[name] = converter

    def _refuse_if_compiled(self, seen: str) -> None:
        if self.is_compiled:
            raise ConfigurationError(
                f"{seen} after the app has started.",
                why="Routes are compiled once, at start-up; a later one would answer in some workers only.",
                fix="Add it before the app starts: at import, in a blueprint, or in a battery's install().",
                code="DJN-105",
            )

    # -- compiling ---------------------------------------------------------------------------------------------------

    def compile(self, *, resolve_converter: ConverterResolver | None = None) -> None:
        """Settle the converters, look for mistakes and build the tables.

        After this, no route can be added.

        Args:
            resolve_converter: Asked for each parameter of each route first. It returns a converter, or None to
                leave the parameter to the converters known by name.

        Raises:
            ConfigurationError: Two routes answer the same requests (DJN-101), a converter is not known (DJN-103) or
                cannot be made (DJN-107), or two functions have the same name (DJN-104).
        """
        if self.is_compiled:
            return
        for route in self.routes:
            for parameter in route.parameters:
                converter = None if resolve_converter is None else resolve_converter(parameter, route)
                route.converters[parameter.name] = converter or self._make(parameter, route)
            self._check_spans(route)
        self._urls.check_names()
        placed: list[tuple[Route, _Site]] = []
        for route in self.routes:
            site = self._site_of(route)
            entries = self._entries_of(route, site, route.parsed.segments)
            for method in route.methods:
                self._refuse_duplicate(route, method, entries)
                self._install(route, method, entries)
            placed.append((route, site))
        for route, site in placed:
            if (route.slash or self.slash) == "ignore":
                other = self._other_form(route, site)
                if other is not None:
                    for method in route.methods:
                        if method not in other:
                            self._install(route, method, other)
        for method_map in self._all_entries():
            if "GET" in method_map and "HEAD" not in method_map:
                self._install(method_map["GET"][3], "HEAD", method_map)
        self._freeze()
        self.is_compiled = True

    def _make(self, parameter: Parameter, route: Route) -> Converter[Any]:
        name = parameter.converter or "str"
        key = (name, parameter.arguments)
        if key not in self._made:
            factory = self.converters.get(name)
            if factory is None:
                raise ConfigurationError(
                    f"The route {route.pattern!r} ({route.place}) has {parameter}, and {name!r} is neither a converter"
                    f" nor a column of a model.{did_you_mean(name, self.converters)}",
                    why=f"Known converters: {', '.join(sorted(self.converters))}.",
                    fix=f"Write one of them, or add your own: app.add_converter({name!r}, YourConverter).",
                    code="DJN-103",
                )
            words, options = parse_arguments(name, parameter.arguments)
            try:
                made = factory(*words, **options)
                matcher = made.matcher()
            except Exception as error:
                raise ConfigurationError(
                    f"The converter of {parameter} in {route.pattern!r} ({route.place}) cannot be made: {error}",
                    why=f"{name!r} does not take these arguments.",
                    fix="See its arguments in the documentation of converters, or leave them out.",
                    code="DJN-107",
                ) from error
            if not callable(matcher):
                raise TypeError(f"{made!r}.matcher() returned {matcher!r}")
            self._made[key] = made
        return self._made[key]

    @staticmethod
    def _check_spans(route: Route) -> None:
        spanning = [str(p) for p in route.parsed.parameters if route.converters[p.name].spans_segments]
        if len(spanning) > 1:
            raise ConfigurationError(
                f"The route {route.pattern!r} ({route.place}) has {' and '.join(spanning)}, which both take slashes.",
                why="Nothing says where one ends and the other begins.",
                fix="Keep one of them, and take the other apart in the function.",
                code="DJN-102",
            )
        for segment in route.parsed.segments:
            inside = [p for p in segment if isinstance(p, Parameter)]
            if len(inside) > 1 and any(route.converters[p.name].spans_segments for p in inside):
                raise ConfigurationError(
                    f"The route {route.pattern!r} ({route.place}) has {spanning[0]} beside another in one segment.",
                    why="A parameter that takes slashes takes whole segments.",
                    fix="Put a slash between them, or take the text apart in the function.",
                    code="DJN-102",
                )
        if route.parsed_host is not None:
            for parameter in route.parsed_host.parameters:
                if route.converters[parameter.name].spans_segments:
                    raise ConfigurationError(
                        f"The host {route.host!r} of the route {route.pattern!r} ({route.place}) has {parameter}.",
                        why="Hosts have dots and no slashes; a parameter takes one label.",
                        fix=f"Write {{{parameter.name}}}.",
                        code="DJN-106",
                    )

    def _site_of(self, route: Route) -> _Site:
        if route.parsed_host is None:
            return self._site
        if self._hosts is None:
            self._hosts = Tree()
        node = self._hosts.grow(route.parsed_host.segments, route.converters)
        if node.leaf is None:
            node.leaf = _Site()
        return node.leaf

    @staticmethod
    def _entries_of(route: Route, site: _Site, segments: tuple[Any, ...]) -> dict[str, Entry]:
        if route.parsed.is_static:
            text = "/" + "/".join("".join(segment) for segment in segments)
            return site.fixed.setdefault(text, {})
        node = site.tree.grow(segments, route.converters)
        if node.leaf is None:
            node.leaf = {}
        return node.leaf

    def _other_form(self, route: Route, site: _Site) -> dict[str, Entry] | None:
        segments = route.parsed.segments
        if segments == ((),):
            return None
        if segments[-1] == ():
            return self._entries_of(route, site, segments[:-1])
        last = [part for part in segments[-1] if isinstance(part, Parameter)]
        if last and route.converters[last[0].name].spans_segments:
            return None
        return self._entries_of(route, site, (*segments, ()))

    @staticmethod
    def _refuse_duplicate(route: Route, method: str, entries: dict[str, Entry]) -> None:
        if method not in entries:
            return
        other = entries[method][3]
        same = "" if other.pattern == route.pattern else f" as {other.pattern!r}, which matches the same paths"
        raise ConfigurationError(
            f"{'Any method' if method == ANY else method} {route.pattern!r} is routed twice: at {other.place}{same},"
            f" and at {route.place}.",
            why="Only the first would ever answer.",
            fix="Remove one of them, or give it another path, method or converter.",
            code="DJN-101",
        )

    @staticmethod
    def _install(route: Route, method: str, entries: dict[str, Entry]) -> None:
        names = tuple(parameter.name for parameter in route.parameters)
        entries[method] = (route.target_for(method), names, route.defaults or None, route)
        route.installed.append((entries, None, method))

    def _all_entries(self) -> Iterator[dict[str, Entry]]:
        sites = [self._site]
        if self._hosts is not None:
            sites += self._hosts.all_leaves()
        for site in sites:
            yield from site.fixed.values()
            yield from site.tree.all_leaves()

    def _freeze(self) -> None:
        self._site.tree.root.freeze()
        if self._hosts is not None:
            for site in self._hosts.all_leaves():
                site.tree.root.freeze()
            self._hosts.root.freeze()
            return
        self._lasts = self._site.tree.lasts()
        for path, entries in self._site.fixed.items():
            targets: dict[str, Any] = {}
            for method, (target, _, defaults, route) in entries.items():
                if defaults is None:
                    targets[method] = target
                    route.installed.append((entries, targets, method))
            self.static[path] = targets

    # -- matching ----------------------------------------------------------------------------------------------------

    def find(self, method: str, path: str, *, host: str = "") -> tuple[Any, dict[str, Any]] | None:
        """Return the target and the parameters of the route that answers, or None.

        `match` says why not.

        Args:
            method: In upper case; `"WEBSOCKET"` for a WebSocket.
            path: As `Request.path` is: decoded once, with `%2F` left as it is.
            host: The Host header, with or without its port; looked at only where some route has a host.

        Any: the target is the app's own.
        """
        if self._hosts is not None:
            return self._find_on_hosts(method, path, host)
        entries = self._site.fixed.get(path)
        if entries is not None:
            entry = entries.get(method) or entries.get(ANY)
            if entry is not None:
                return entry[0], ({} if entry[2] is None else entry[2].copy())
        # Most patterns end with their only parameter. Whatever is unusual is left to the walk.
        head, slash, text = path.rpartition("/")
        last = self._lasts.get(head)
        if last is not None and slash and text and "/." not in path and "\0" not in path:
            is_integer, leaf = last
            entry = leaf.get(method)
            if entry is not None and entry[2] is None:
                if not is_integer:
                    return entry[0], {entry[1][0]: text}
                if text.isdecimal() and text.isascii() and len(text) < 19:
                    return entry[0], {entry[1][0]: int(text)}
        segments = path.split("/")
        if segments[0] or ("/." in path and _has_dots(segments)) or "\0" in path:
            return None
        values: list[Any] = []
        entry = walk(self._site.tree.root, segments, 1, method, values)
        if entry is None:
            return None
        target, names, defaults, _ = entry
        count = len(names)
        if count == 1:
            params = {names[0]: values[0]}
        elif count == 2:
            params = {names[0]: values[0], names[1]: values[1]}
        else:
            params = dict(zip(names, values, strict=True))
        if defaults is not None:
            params.update(defaults)
        return target, params

    def _find_on_hosts(self, method: str, path: str, host: str) -> tuple[Any, dict[str, Any]] | None:
        for entries, values in self._leaves(path, host):
            entry = entries.get(method) or entries.get(ANY)
            if entry is not None:
                return entry[0], _params(entry, values)
        return None

    def _leaves(self, path: str, host: str) -> Iterator[tuple[dict[str, Entry], list[Any]]]:
        """Yield all that the path leads to, hosts first, the specific before the general."""
        segments = path.split("/")
        if segments[0] or _has_dots(segments) or "\0" in path:
            return
        sites: list[tuple[_Site, list[Any]]] = []
        if self._hosts is not None and host:
            sites += self._hosts.leaves(_labels(host))
        sites.append((self._site, []))
        for site, host_values in sites:
            fixed = site.fixed.get(path)
            if fixed is not None:
                yield fixed, host_values
            for entries, values in site.tree.leaves(segments[1:]):
                yield entries, host_values + values

    def match(self, method: str, path: str, *, host: str = "") -> Match:
        """Return the route that answers with its parameters, or why there is none.

        Arguments as in `find`. Slower than `find`, which a server asks first.
        """
        allowed: set[str] = set()
        for entries, values in self._leaves(path, host):
            entry = entries.get(method) or entries.get(ANY)
            if entry is not None:
                return Match(entry[0], _params(entry, values), entry[3])
            allowed.update(entries)
        websocket = WEBSOCKET in allowed
        allowed.discard(WEBSOCKET)
        return Match(redirect=self._redirect(method, path, host), allowed=tuple(sorted(allowed)), websocket=websocket)

    def _redirect(self, method: str, path: str, host: str) -> str | None:
        # No redirect from a path with an empty segment: //evil.example/ would become a URL of another site.
        if path in ("", "/") or "//" in path or method == WEBSOCKET:
            return None
        other = path[:-1] if path.endswith("/") else path + "/"
        for entries, _ in self._leaves(other, host):
            entry = entries.get(method) or entries.get(ANY)
            if entry is not None:
                if (entry[3].slash or self.slash) != "redirect":
                    return None
                return quote(other, safe=PATH_SAFE).replace("%252F", "%2F")
        return None

    # -- reversing ---------------------------------------------------------------------------------------------------

    def url_for(self, name_or_function: object, /, **params: Any) -> str:
        """Return the URL of a route, by its name or by the function that answers it.

        Parameters of the pattern go into the path; the others become the query: lists repeat, None is dropped.
        Options begin with an underscore: `_query` (a mapping of more query parameters), `_anchor`, `_external`,
        `_scheme`, `_host`, `_root` (the path that the app is mounted at), `_method` and `_namespace` (what a name
        that begins with a dot is relative to). Any: a value may be whatever its converter formats.

        Raises:
            URLBuildError: There is no such route, a parameter is missing, or a value does not fit (DJN-110 to DJN-115).
        """
        return self._urls.url_for(name_or_function, params)


def _params(entry: Entry, values: list[Any]) -> dict[str, Any]:
    return dict(zip(entry[1], values, strict=True)) | (entry[2] or {})


def _has_dots(segments: list[str]) -> bool:
    return "." in segments or ".." in segments


def _labels(host: str) -> list[str]:
    if host.startswith("["):
        name = host.partition("]")[0] + "]"
    else:
        name = host.partition(":")[0]
    return name.rstrip(".").lower().split(".")
