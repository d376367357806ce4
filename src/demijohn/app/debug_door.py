"""The debug door: the only way from an app to the debugger, and it is shut in production.

Who may stand before it is told here as well, for the debugger and for every other page of a developer.

This is one of the four places that import by string. `demijohn.debug` is loaded at the first failure in debug mode.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from demijohn.app.dispatch import Call, Surroundings, compile_runner
from demijohn.app.encoding import is_plain_maker
from demijohn.app.failures import ErrorHandlers
from demijohn.app.scaffold import Hook
from demijohn.errors import NotFound
from demijohn.http import Request, Response
from demijohn.middleware.hosts import HostPatterns, is_loopback, parse_host
from demijohn.middleware.proxies import find_proxy_header
from demijohn.routing import Route, Router

__all__ = [
    "DEBUG_PATH",
    "Objection",
    "add_debug_routes",
    "find_objection",
    "is_open",
    "is_this_machine",
    "load_debugger",
    "show_error",
    "watch_requests",
]

DEBUG_PATH = "/__demijohn__/debug"


def is_open(app: Any) -> bool:
    """Return whether errors may be shown to whoever asks (Any: the app)."""
    return app.debug is True and app.settings.env != "production"


class Objection(NamedTuple):
    """Why somebody is not shown what only the developer may see, and what the developer can do."""

    reason: str
    fix: str


def is_this_machine(peer: str) -> bool:
    """Return whether the address of a peer is one of this machine's own."""
    return is_loopback("[::1]" if peer in ("::1", "[::1]") else peer.removeprefix("::ffff:"))


def find_objection(request: Request, app: Any, *, is_near: Callable[[str], bool] = is_this_machine) -> Objection | None:
    """Hold a request to the rules of a page for the developer alone; return the first that does not hold.

    They are its peer, no proxy in between (through a tunnel everybody comes from this machine), and a host that is ours
    (a foreign name that leads here is another site's).

    Args:
        request: The request.
        app: The app (Any: it imports this module).
        is_near: Which peers are let in.
    """
    added = find_proxy_header(request.raw_headers)
    if added is not None:
        return Objection(
            f"the request has the header {added}, so that it came through a proxy", "Open the app without the proxy."
        )
    peer = request.client[0] if request.client is not None else ""
    if not is_near(peer):
        return Objection(
            f"the peer {peer or '(none)'} is not this machine",
            f"Open the page on this machine, or start with  --console-allow-ip {peer or 'ADDRESS'}",
        )
    written = request.headers.get("host") or ""
    host = parse_host(written)
    settings = app.settings
    listed = HostPatterns([one for one in (*settings.allowed_hosts, *app.security.allowed_hosts) if one != "*"])
    if host is None or not (is_loopback(host.name) or listed.matches(host)):
        return Objection(
            f"the host {written!r} is neither localhost nor listed",
            f"If it is yours, list it:  ALLOWED_HOSTS={host.name if host else 'example.org'}",
        )
    return None


def load_debugger() -> Any:
    """Load the debugger and return its room (Any: it lives floors above)."""
    return importlib.import_module("demijohn.debug")  # noqa: TID251 - one of the four named places


def show_error(app: Any, request: Request, error: BaseException) -> Any:
    """Return the answer of the debugger, or None where the door is shut (Any: the app; an awaitable response)."""
    if not is_open(app):
        return None
    return load_debugger().debugger_of(app).respond(request, error)


def watch_requests(app: Any) -> None:
    """Let the toolbar see what is answered, in development only (Any: the app).

    It is loaded with the first answer, so that a reload does not wait for it.
    """
    if app.notes is not None or not (is_open(app) and app.settings.env == "development" and app.settings.toolbar):
        return
    # Here, since none of it is loaded where nobody develops.
    import logging
    from weakref import WeakKeyDictionary

    from demijohn.app.logs import NoteHandler

    app.notes = WeakKeyDictionary()  # a request that is cancelled takes its notes with it
    logging.getLogger().addHandler(NoteHandler(app))

    def observe(request: Request, response: Response, seconds: float) -> None:
        load_debugger().toolbar_of(app).observe(request, response, seconds=seconds)

    def inject(request: Request, response: Response) -> None:
        if not (response.content_type or "").startswith("text/html") or request.is_htmx:
            return
        has_own_policy = any(name == b"content-security-policy" for name, _ in response._headers or ())
        if not has_own_policy and b"</body>" in response.body:
            load_debugger().toolbar_of(app).inject(request, response)

    app.observers.append(observe)
    app.after.insert(0, Hook(inject, inline=True))
    _watch_texts(app)


def _watch_texts(app: Any) -> None:
    """Let a browser that gets HTML as text see why (Any: the app); a maker of the app's own is left alone."""
    make = app.encoder.makers.get(str)
    if not is_plain_maker(make):
        return

    def from_str(value: str, request: Request) -> Response:
        response: Response = make(value, request)
        if "<" in value[:200] and request.accept.prefers_page and not request.is_htmx:
            load_debugger().tell_of_tags(value, request, response=response)
        return response

    app.encoder.makers[str] = from_str


def add_debug_routes(app: Any, router: Router) -> None:
    """Add what the pages of the debugger talk to, in debug mode only (Any: the app).

    Neither hooks nor middleware nor guards of the app stand around them: the debugger has stricter rules of its own,
    and says in the terminal which one refused.
    """
    if not is_open(app):
        return

    async def debugger(request: Request) -> Response:
        if not is_open(app):
            raise NotFound
        response: Response = await load_debugger().debugger_of(app).serve(request)
        return response

    around = Surroundings(encoder=app.encoder, failures=ErrorHandlers(), pool=app.pool, finishing=app.finishing)
    call = Call(debugger, whole=debugger, is_async=True)
    route = Route(f"{DEBUG_PATH}/{{name}}", debugger, methods=["GET", "POST"], name="demijohn.debug")
    for method in ("GET", "POST"):
        run = compile_runner(call, around, route=route, methods=frozenset({method}), label="the debugger")
        route.set_target(run, method=method)
    router.add(route)
