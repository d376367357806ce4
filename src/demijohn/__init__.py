"""Demijohn: as small as Flask on day one, as complete as Django on day one hundred."""

from demijohn.app import (
    App,
    Blueprint,
    Page,
    Secret,
    Settings,
    View,
    after_response,
    after_this_request,
    current,
    url_for,
    wait,
)
from demijohn.errors import HTTPError, abort
from demijohn.http import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Request,
    Response,
    StreamResponse,
    redirect,
)
from demijohn.routing import path

__all__ = [
    "App",
    "Blueprint",
    "HTMLResponse",
    "HTTPError",
    "JSONResponse",
    "Page",
    "PlainTextResponse",
    "RedirectResponse",
    "Request",
    "Response",
    "Secret",
    "Settings",
    "StreamResponse",
    "View",
    "abort",
    "after_response",
    "after_this_request",
    "current",
    "path",
    "redirect",
    "url_for",
    "wait",
]
