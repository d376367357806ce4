"""The page for an address that nothing answers, or whose handler found nothing: why, and which routes there are."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from demijohn.debug.editor import Editor
from demijohn.debug.frames import Frame, read_frames
from demijohn.debug.markup import escaped
from demijohn.debug.redaction import redact
from demijohn.debug.style import STYLE
from demijohn.errors import HTTPError
from demijohn.http import Request
from demijohn.middleware import csp_nonce
from demijohn.routing import Route

__all__ = ["find_nearest", "missing_page"]

_OWN: Final = "/__demijohn__/"
_MOST: Final = 200
_NEAR: Final = 0.6
_PARAMETER: Final = re.compile(r"\{[^{}]*\}")


def missing_page(app: Any, request: Request, error: HTTPError) -> str:
    """Return the page of a 404 or 405 in development (Any: the app).

    It says whether no route matched, or which line of which handler raised it, and lists the routes.
    """
    routes = [route for route in app.router.routes if not route.pattern.startswith(_OWN)]
    frame = _raised_in(error)
    matched: Route | None = request.route
    if matched is None and frame is None:
        title, beats = _unmatched(routes, request, error)
    else:
        title, beats = error.detail or error.title, _raised(matched, frame)
    nonce = escaped(csp_nonce(request))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<title>{error.status} {escaped(error.title)}</title><link rel="icon" href="data:,">'
        f'<style nonce="{nonce}">{STYLE}</style></head><body>'
        f'<div class="bar"><div><span class="verb">{escaped(request.method)}</span>'
        f'<span class="url">{escaped(redact(str(request.url)))}</span></div></div>'
        f'<main><header><p class="kind">{error.status} {escaped(error.title)}</p>'
        f"<h1>{escaped(title)}</h1>{beats}</header>"
        f"{_table(sorted(routes, key=lambda route: (route.host or '', route.pattern)), request)}"
        "<footer><span>In production visitors see the plain answer, or what "
        f"<code>@app.errorhandler({error.status})</code> returns.</span></footer></main></body></html>\n"
    )


def find_nearest(routes: Iterable[Route], path: str, *, limit: int = 3) -> list[Route]:
    """Return the routes whose patterns are most like a path, the nearest first.

    Words are compared with words; a parameter stands for whatever is in its place.

    Example:
        >>> near = find_nearest([Route("/posts/{id}", print), Route("/about", print)], "/post/7")
        >>> [route.pattern for route in near]
        ['/posts/{id}']
    """
    scored = [(_likeness(route.pattern, path), route) for route in routes]
    near = [pair for pair in scored if pair[0] >= _NEAR]
    return [route for _, route in sorted(near, key=lambda pair: -pair[0])[:limit]]


def _pieces(pattern: str, path: str) -> list[tuple[str, str]] | None:
    """Return what stands in a pattern and in a path at the same place; None where they are not as long."""
    wanted, found = pattern.strip("/").split("/"), path.strip("/").split("/")
    if ":path" in wanted[-1]:
        found = found[: len(wanted)]
    return list(zip(wanted, found, strict=True)) if len(wanted) == len(found) else None


def _fits(pattern: str, path: str) -> bool:
    """Return whether a path has every word of a pattern in its place."""
    pieces = _pieces(pattern, path)
    return pieces is not None and all("{" in wanted or wanted == found for wanted, found in pieces)


def _likeness(pattern: str, path: str) -> float:
    pieces = _pieces(pattern, path)
    if pieces is None:
        return _ratio(_PARAMETER.sub("", pattern), path)
    words = [_ratio(wanted, found) for wanted, found in pieces if "{" not in wanted]
    return sum(words) / len(words) if words and min(words) >= _NEAR else 0.0


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _unmatched(routes: Sequence[Route], request: Request, error: HTTPError) -> tuple[str, str]:
    path = request.path
    if error.status == 405:
        allowed = sorted(_allowed(error))
        return (
            f"{path} does not answer {request.method}.",
            f'<p class="hint">It answers {escaped(", ".join(allowed) or "other methods")}.</p>',
        )
    out = []
    near = find_nearest(routes, path)
    refused = [route for route in near if _fits(route.pattern, path)]
    if refused:
        shown = _or(f"<code>{escaped(route.pattern)}</code>" for route in refused)
        out.append(
            f'<p class="hint">{shown} fits, but its converters refuse what stands in the place of the parameters, '
            "or it belongs to another host.</p>"
        )
    elif near:
        links = (_link(route, request) or f"<code>{escaped(route.pattern)}</code>" for route in near)
        out.append(f'<p class="hint">Did you mean {_or(links)}?</p>')
    else:
        function = re.sub(r"\W+", "_", path).strip("_").lower() or "home"
        name = function if function.isidentifier() and function.isascii() else "page"
        code = f'@app.{request.method.lower()}("{path}")\ndef {name}():\n    return "Hello!"'
        out.append(f'<div class="fix"><b>If there should be one</b><pre>{escaped(code)}</pre></div>')
    return f"No route matches {path}", "".join(out)


def _allowed(error: HTTPError) -> set[str]:
    return {
        method.strip() for name, value in error.headers if name.lower() == "allow" for method in value.split(",")
    } - {"HEAD", "OPTIONS"}


def _raised(route: Route | None, frame: Frame | None) -> str:
    parts = []
    if frame is not None:
        place = f"<code>{escaped(frame.short)}:{frame.line}</code>"
        link = Editor().link(frame.file, frame.line)
        parts.append(f'at <a href="{escaped(link)}">{place}</a>' if link else f"at {place}")
    if route is not None:
        handler = getattr(route.endpoint, "__qualname__", type(route.endpoint).__name__)
        parts.append(f"in <code>{escaped(handler)}</code>, which answers <code>{escaped(route.pattern)}</code>")
    told = f'<p class="where">Raised {" ".join(parts)}</p>' if parts else ""
    if frame is not None and frame.source:
        line = next((line for line in frame.source if line.current), None)
        if line is not None:
            told += f'<div class="fix"><pre>{escaped(line.text.strip())}</pre></div>'
    return told


def _raised_in(error: BaseException) -> Frame | None:
    """Return the last frame of the app's own code, or None where the framework raised it."""
    own = [frame for frame in read_frames(error.__traceback__) if not frame.is_library]
    return own[-1] if own else None


def _table(routes: Sequence[Route], request: Request) -> str:
    if not routes:
        return ""
    more = len(routes) - _MOST
    rest = f'<p class="where">… and {more:,} more: <code>demijohn routes</code></p>' if more > 0 else ""
    return (
        f'<h2>Routes <span class="small">{len(routes):,}</span></h2><div class="card"><table><thead><tr>'
        '<th scope="col">Pattern</th><th scope="col">Methods</th><th scope="col">Name</th><th scope="col">Handler</th>'
        f"</tr></thead><tbody>{''.join(_rows(routes[:_MOST], request))}</tbody></table></div>{rest}"
    )


def _rows(routes: Iterable[Route], request: Request) -> Iterator[str]:
    for route in routes:
        handler = getattr(route.endpoint, "__qualname__", type(route.endpoint).__name__)
        shown = _link(route, request) or escaped((route.host or "") + route.pattern)
        methods = ", ".join(route.methods) if route.methods else "any"
        yield (
            f'<tr><th scope="row">{shown}</th><td>{escaped(methods)}</td><td>{escaped(route.name or "")}</td>'
            f"<td>{escaped(handler)}  {escaped(route.place)}</td></tr>"
        )


def _link(route: Route, request: Request) -> str:
    """Return a link to a route that a click can ask for, or nothing."""
    if "{" in route.pattern or route.host or "GET" not in (route.methods or ()):
        return ""
    return f'<a href="{escaped(request.root_path + route.pattern)}">{escaped(route.pattern)}</a>'


def _or(parts: Iterable[str]) -> str:
    return " or ".join(parts)
