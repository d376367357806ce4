"""From a name or a function back to a URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import quote, quote_plus

from demijohn._lib.later import inspect
from demijohn._lib.paths import PATH_SAFE
from demijohn._lib.sentinels import MISSING
from demijohn._lib.text import did_you_mean, listing
from demijohn.errors import ConfigurationError, DemijohnError
from demijohn.routing.converters import Converter, StrConverter, plain_text
from demijohn.routing.pattern import Parameter, Segment
from demijohn.routing.tree import shaped

if TYPE_CHECKING:
    from demijohn.routing.route import Route

__all__ = ["URLBuildError", "URLBuilder"]

_SEGMENT_SAFE = PATH_SAFE.replace("/", "")


class URLBuildError(DemijohnError):
    """A URL was asked for that no route has."""

    code = "DJN-110"


class Options(NamedTuple):
    """What is asked of a URL beside its parameters: the words that begin with an underscore."""

    query: Mapping[str, Any] | None = None
    anchor: str | None = None
    external: bool | None = None
    scheme: str | None = None
    host: str | None = None
    root: str = ""
    method: str | None = None
    namespace: str = ""


_OPTIONS = frozenset("_" + field for field in Options._fields)

Variable: TypeAlias = tuple[str, Converter[Any], Callable[[str], Any]]


class URLBuilder:
    """Keeps the routes by name and by function, and builds their URLs."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Route]] = {}
        self._by_function: dict[Any, list[Route]] = {}
        self._templates: dict[int, list[tuple[Segment, list[str | Variable]]]] = {}

    def add(self, route: Route) -> None:
        self._by_name.setdefault(route.name, []).append(route)
        routes = self._by_function.setdefault(_key(route.endpoint), [])
        routes.append(route)
        try:
            self._by_function[route.endpoint] = routes  # a decorated function is found without being unwrapped
        except TypeError:
            pass

    def check_names(self) -> None:
        """Refuse one name, given by hand, for two functions with different URLs (DJN-104)."""
        for name, routes in self._by_name.items():
            named = [route for route in routes if route.has_own_name]
            if named and (other := _clash(named)) is not None:
                raise ConfigurationError(
                    f"The name {name!r} was given to {named[0].pattern!r} ({named[0].place}) and to {other.pattern!r}"
                    f" ({other.place}).",
                    why="url_for could not tell which one is meant.",
                    fix="Give one of them another name.",
                    code="DJN-104",
                )

    def url_for(self, wanted: object, params: Mapping[str, Any]) -> str:
        """Build the URL; see `Router.url_for` (Any: values are whatever their converters format)."""
        options = _NO_OPTIONS
        for name in params:
            if name[0] == "_":
                options, params = _read_options(wanted, params)
                break
        routes = self._candidates(wanted, options)
        route = _choose(wanted, routes, params, options)
        path = options.root + self._path(wanted, route, params)
        rest = [] if params.keys() <= route.names else [item for item in params.items() if item[0] not in route.names]
        if options.query:
            rest += options.query.items()
        if rest:
            path += _query(wanted, rest)
        if options.anchor is not None:
            path += "#" + quote(options.anchor, safe=PATH_SAFE + "?")
        if route.parsed_host is not None or options.external or (options.external is None and _is_absolute(options)):
            return self._origin(wanted, route, params, options) + path
        return path

    def _candidates(self, wanted: object, options: Options) -> list[Route]:
        if not isinstance(wanted, str):
            try:
                found = self._by_function.get(wanted)
            except TypeError:
                found = None
            found = found or self._by_function.get(_key(wanted))
            if found is None:
                raise self._unknown_function(wanted)
            return found
        name = wanted
        if wanted.startswith("."):
            name = f"{options.namespace}{wanted}" if options.namespace else wanted[1:]
        found = self._by_name.get(name)
        if found is None:
            raise self._unknown_name(wanted, name)
        named = [route for route in found if route.has_own_name] or found
        if len(named) > 1 and (other := _clash(named)) is not None:
            raise URLBuildError(
                f"url_for({wanted!r}) may be {named[0].pattern!r} ({named[0].place}) or {other.pattern!r}"
                f" ({other.place}).",
                why="Two functions have that name.",
                fix="Pass the function itself, or give the routes names: name='...'.",
                code="DJN-113",
            )
        return named

    def _unknown_name(self, wanted: str, name: str) -> URLBuildError:
        last = name.rpartition(".")[2]
        inside = sorted(known for known in self._by_name if known.rpartition(".")[2] == last)
        hint = f" Did you mean {listing(inside[:3])}?" if inside else did_you_mean(name, self._by_name)
        relative = f" (that is {name!r})" if name != wanted else ""
        return URLBuildError(
            f"url_for({wanted!r}){relative}: no route has that name.{hint}",
            why="A route is named by name=... or by its function; the name of a blueprint stands before it.",
            fix="`demijohn routes` lists the names.",
        )

    def _unknown_function(self, wanted: object) -> URLBuildError:
        name = getattr(wanted, "__qualname__", repr(wanted))
        hint = did_you_mean(getattr(wanted, "__name__", ""), self._by_name)
        return URLBuildError(
            f"url_for({name}): no route leads to it.{hint}",
            why="url_for takes the name of a route, or a function or class that was routed.",
            fix="Route it, for example with @app.get('/...'), or ask for another one.",
        )

    def _template(self, route: Route) -> list[tuple[Segment, list[str | Variable]]]:
        template = self._templates.get(id(route))
        if template is None:
            template = []
            for segment in route.parsed.segments:
                pieces: list[str | Variable] = []
                for part in segment:
                    if isinstance(part, str):
                        pieces.append(quote(part, safe=_SEGMENT_SAFE))
                    else:
                        converter = route.converters.get(part.name) or StrConverter()
                        pieces.append((part.name, converter, converter.matcher()))
                template.append((segment, pieces))
            if len(route.converters) == len(route.parameters):
                self._templates[id(route)] = template
        return template

    def _path(self, wanted: object, route: Route, params: Mapping[str, Any]) -> str:
        out: list[str] = []
        for segment, pieces in self._template(route):
            out.append("/")
            texts: list[str] = []
            for piece in pieces:
                if isinstance(piece, str):
                    out.append(piece)
                else:
                    text, encoded = _format(wanted, route, piece, params[piece[0]])
                    texts.append(text)
                    out.append(encoded)
            if texts and len(pieces) > 1:
                _check_shaped(wanted, route, segment, texts)
        return "".join(out)

    def _origin(self, wanted: object, route: Route, params: Mapping[str, Any], options: Options) -> str:
        current = options.host or ""
        if route.parsed_host is None:
            if not current:
                raise URLBuildError(
                    f"{_call(wanted)} asks for a full URL, and no host is known here.",
                    why="The host of a URL comes from the request, and there is none.",
                    fix="Pass _host='www.example.com'.",
                    code="DJN-115",
                )
            return f"{options.scheme or 'https'}://{current}"
        host = ".".join(
            "".join(
                part
                if isinstance(part, str)
                else _format(
                    wanted,
                    route,
                    (part.name, route.converters[part.name], route.converters[part.name].matcher()),
                    params[part.name],
                )[0]
                for part in segment
            )
            for segment in route.parsed_host.segments
        )
        host = host.lower()
        name, colon, port = current.partition(":")
        if name.lower() == host and not options.external and not options.scheme:
            return ""
        origin = f"//{host}{colon}{port}"
        scheme = options.scheme or ("https" if options.external else "")
        return f"{scheme}:{origin}" if scheme else origin


_NO_OPTIONS = Options()


def _key(endpoint: Any) -> Any:
    """Return what tells an endpoint from others: decorators keep the function they wrap reachable."""
    endpoint = inspect.unwrap(endpoint) if callable(endpoint) else endpoint
    try:
        hash(endpoint)
    except TypeError:
        return id(endpoint)
    return endpoint


def _clash(routes: Iterable[Route]) -> Route | None:
    first, *others = routes
    for other in others:
        if _key(other.endpoint) != _key(first.endpoint) and (other.pattern, other.host) != (first.pattern, first.host):
            return other
    return None


def _is_absolute(options: Options) -> bool:
    return options.scheme is not None or options.host is not None


def _call(wanted: object) -> str:
    return f"url_for({wanted!r})" if isinstance(wanted, str) else f"url_for({getattr(wanted, '__name__', wanted)})"


def _read_options(wanted: object, params: Mapping[str, Any]) -> tuple[Options, dict[str, Any]]:
    options: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in params.items():
        if name[0] != "_":
            rest[name] = value
        elif name in _OPTIONS:
            options[name[1:]] = value
        else:
            raise URLBuildError(
                f"{_call(wanted)} was given {name!r}.{did_you_mean(name, _OPTIONS)}",
                why="Words that begin with an underscore are options: " + ", ".join(sorted(_OPTIONS)) + ".",
                fix=f"For a query parameter of that name write _query={{{name!r}: ...}}.",
                code="DJN-114",
            )
    if options.get("root") is None:
        options.pop("root", None)
    if options.get("namespace") is None:
        options.pop("namespace", None)
    return Options(**options), rest


def _choose(wanted: object, routes: list[Route], params: Mapping[str, Any], options: Options) -> Route:
    """Return the route that takes the most of the parameters, the first of equals."""
    if len(routes) == 1 and not routes[0].defaults and options.method is None:
        route = routes[0]
        for parameter in route.parameters:
            if params.get(parameter.name) is None:
                raise _misses(wanted, routes, params)
        return route
    best: Route | None = None
    most = -1
    for route in routes:
        if options.method is not None and not {options.method.upper(), "*"}.intersection(route.methods):
            continue
        if any(params.get(parameter.name) is None for parameter in route.parameters):
            continue
        if any(name in params and params[name] != value for name, value in route.defaults.items()):
            continue
        taken = len(route.parameters) + sum(1 for name in route.defaults if name in params)
        if taken > most:
            best, most = route, taken
    if best is None:
        if options.method is not None and not any(
            {options.method.upper(), "*"}.intersection(route.methods) for route in routes
        ):
            raise URLBuildError(
                f"{_call(wanted)} was asked for the method {options.method!r}.",
                why="It has " + listing(sorted({m for route in routes for m in route.methods}), last="and") + ".",
                fix="Ask for one of them, or leave _method out.",
            )
        raise _misses(wanted, routes, params)
    return best


def _misses(wanted: object, routes: list[Route], params: Mapping[str, Any]) -> URLBuildError:
    def missing(route: Route) -> list[str]:
        return [parameter.name for parameter in route.parameters if params.get(parameter.name) is None]

    route = min(routes, key=lambda route: len(missing(route)))
    names = missing(route)
    pattern = (route.host or "") + route.pattern
    if not names:
        return URLBuildError(
            f"{_call(wanted)} was given values other than the defaults of {pattern!r}: {route.defaults!r}.",
            why="The route has those values and no others.",
            fix="Leave them out, or add a route that has them in its pattern.",
            code="DJN-111",
        )
    unused = [name for name in params if name not in {parameter.name for parameter in route.parameters}]
    is_none = [name for name in names if name in params]
    hint = "".join(did_you_mean(name, unused, limit=1) for name in names[:1])
    if hint:
        hint = f" You wrote{hint.removeprefix(' Did you mean').removesuffix('?')}; did you mean {names[0]!r}?"
    seen = f"{_call(wanted)} lacks {listing(names, last='and')} of {pattern!r}"
    seen += f" ({listing(is_none, last='and')} is None)." if is_none else "."
    return URLBuildError(
        seen + hint,
        why="Every parameter of the pattern needs a value.",
        fix=f"Write {_call(wanted)[:-1]}, {', '.join(f'{name}=...' for name in names)}).",
        code="DJN-111",
    )


def _format(wanted: object, route: Route, piece: Variable, value: Any) -> tuple[str, str]:
    """Return the text of a value, plain and percent-encoded."""
    name, converter, match = piece
    reason: object
    try:
        text = converter.format(value)
        if _is_readable(text, spans=converter.spans_segments):
            if match(text) is not MISSING:
                if text.isalnum() and text.isascii():
                    return text, text
                return text, quote(text, safe=PATH_SAFE if converter.spans_segments else _SEGMENT_SAFE)
            reason = f"{text!r} is not what the converter reads"
        else:
            reason = f"{text!r} is empty, '.' or '..', or has a slash or a NUL"
    except (ValueError, TypeError, AttributeError) as error:
        reason = error
    parameter = next(parameter for parameter in route.parameters if parameter.name == name)
    raise URLBuildError(
        f"{_call(wanted)} was given {name}={value!r}, which does not fit {parameter} in {route.pattern!r}: {reason}.",
        why="The URL would not lead back to this route.",
        fix="Pass a value that the converter takes, or change the pattern; {name:path} takes slashes.",
        code="DJN-112",
    )


def _is_readable(text: str, *, spans: bool) -> bool:
    if not text or "\0" in text or text[0] == "/":
        return False
    if "/" not in text:
        return text not in (".", "..")
    return spans and not {".", ".."}.intersection(text.split("/"))


def _check_shaped(wanted: object, route: Route, segment: Segment, texts: list[str]) -> None:
    """Refuse values that would be read back otherwise: name='a', extension='b.c' in {name}.{extension}."""
    parameters = [part for part in segment if isinstance(part, Parameter)]
    if len(parameters) < 2:
        return
    whole = iter(texts)
    text = "".join(part if isinstance(part, str) else next(whole) for part in segment)
    read = shaped(segment, route.converters)(text)
    back = None if read is None else [route.converters[p.name].format(v) for p, v in zip(parameters, read, strict=True)]
    if back != texts:
        raise URLBuildError(
            f"{_call(wanted)} makes {text!r} of {''.join(map(str, segment))!r}, which reads back as {back!r}.",
            why="The URL would lead to another page.",
            fix="Put a literal between the parameters that the values do not contain, or a slash.",
            code="DJN-112",
        )


def _query(wanted: object, items: Iterable[tuple[str, Any]]) -> str:
    pairs: list[str] = []
    for name, value in items:
        values = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
        for one in values:
            if one is None:
                continue
            try:
                text = one.isoformat() if isinstance(one, datetime) else plain_text(one)
                text.encode()
            except (TypeError, ValueError) as error:
                raise URLBuildError(
                    f"{_call(wanted)} was given {name}={one!r} for the query: {error}.",
                    why="A query is text.",
                    fix=f"Write {name}=str(...), or pass one of its attributes.",
                    code="DJN-112",
                ) from None
            pairs.append(f"{_plus(name)}={_plus(text)}")
    return "?" + "&".join(pairs) if pairs else ""


def _plus(text: str) -> str:
    return text if text.isalnum() and text.isascii() else quote_plus(text)
