"""Demijohn: as small as Flask on day one, as complete as Django on day one hundred.

Nothing is loaded before a name is asked for: `from demijohn import abort` is not the price of the whole kernel.
"""

TYPE_CHECKING = False  # as in `typing`, which need not be loaded for it
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from demijohn.app import (
        App,
        Blueprint,
        Body,
        Cookie,
        Depends,
        Fields,
        File,
        Form,
        Header,
        Page,
        Path,
        Query,
        Secret,
        Settings,
        View,
        after_response,
        after_this_request,
        current,
        flash,
        run_in_process,
        run_in_thread,
        url_for,
        wait,
    )
    from demijohn.errors import HTTPError, abort
    from demijohn.http import (
        FileResponse,
        HTMLResponse,
        JSONResponse,
        PlainTextResponse,
        RedirectResponse,
        Request,
        Response,
        ServerSentEvent,
        StreamResponse,
        UploadFile,
        WebSocket,
        html,
        redirect,
    )
    from demijohn.routing import path

__all__ = [
    "App",
    "Blueprint",
    "Body",
    "Cookie",
    "Depends",
    "Fields",
    "File",
    "FileResponse",
    "Form",
    "HTMLResponse",
    "HTTPError",
    "Header",
    "JSONResponse",
    "Page",
    "Path",
    "PlainTextResponse",
    "Query",
    "RedirectResponse",
    "Request",
    "Response",
    "Secret",
    "ServerSentEvent",
    "Settings",
    "StreamResponse",
    "UploadFile",
    "View",
    "WebSocket",
    "abort",
    "after_response",
    "after_this_request",
    "current",
    "flash",
    "html",
    "path",
    "redirect",
    "run_in_process",
    "run_in_thread",
    "url_for",
    "wait",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        for home in _homes():
            if name in home.__all__:
                value: object = getattr(home, name)
                globals()[name] = value  # the next time it is found without this function
                return value

    # An ImportError, since `from demijohn import x` would turn an AttributeError into one of its own.
    from demijohn._lib.elsewhere import IMPORTS

    if name in IMPORTS:
        raise ImportError(
            f"There is no demijohn.{name}: that is a name of another framework.\nHere:  {IMPORTS[name]}  [DJN-016]",
            name=name,
        )
    raise AttributeError(f"module 'demijohn' has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _homes() -> "Iterator[ModuleType]":
    """Yield the rooms that the names live in, the cheapest first. Spelled out: modules are not imported by string."""
    from demijohn import errors

    yield errors
    from demijohn import routing

    yield routing
    from demijohn import http

    yield http
    from demijohn import app

    yield app
