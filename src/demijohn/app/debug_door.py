"""The debug door: the only way from an app to the debugger, and it is shut in production.

This is one of the four places that import by string. `demijohn.debug` is loaded at the first failure in debug mode.
"""

import importlib
from typing import Any

from demijohn.app.dispatch import Call, Surroundings, compile_runner
from demijohn.app.failures import ErrorHandlers
from demijohn.app.scaffold import Hook
from demijohn.errors import NotFound
from demijohn.http import Request, Response
from demijohn.routing import Route, Router

__all__ = ["DEBUG_PATH", "add_debug_routes", "is_open", "load_debugger", "show_error", "watch_requests"]

DEBUG_PATH = "/__demijohn__/debug"


def is_open(app: Any) -> bool:
    """Return whether errors may be shown to whoever asks (Any: the app)."""
    return app.debug is True and app.settings.env != "production"


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

    around = Surroundings(encoder=app.encoder, failures=ErrorHandlers(), pool=app.pool)
    call = Call(debugger, whole=debugger, is_async=True)
    route = Route(f"{DEBUG_PATH}/{{name}}", debugger, methods=["GET", "POST"], name="demijohn.debug")
    for method in ("GET", "POST"):
        run = compile_runner(call, around, route=route, methods=frozenset({method}), label="the debugger")
        route.set_target(run, method=method)
    router.add(route)
