"""From what was raised to the response that tells it."""

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from demijohn._lib.concurrency import PoolFull
from demijohn._lib.later import html
from demijohn._lib.translation import find_language, gettext
from demijohn._lib.translation import gettext_noop as _
from demijohn.errors import HTTPError, InternalServerError, ServiceUnavailable
from demijohn.http import Accept, Connection, Request, Response
from demijohn.schema import to_json

if TYPE_CHECKING:
    from demijohn.app.encoding import Encoder

__all__ = ["ErrorHandler", "Failures", "problem_response"]

ErrorHandler: TypeAlias = Callable[..., Any]
"""`(error)` or `(request, error)`, sync or async; returns what a handler may return."""

logger = logging.getLogger("demijohn.error")

# The phrases that people meet, for the catalogs; they are looked up by the title of the error.
_PHRASES = (
    _("Bad Request"),
    _("Unauthorized"),
    _("Forbidden"),
    _("Not Found"),
    _("Method Not Allowed"),
    _("Not Acceptable"),
    _("Request Timeout"),
    _("Conflict"),
    _("Gone"),
    _("Precondition Failed"),
    _("Content Too Large"),
    _("Request Entity Too Large"),
    _("Unsupported Media Type"),
    _("Unprocessable Content"),
    _("Unprocessable Entity"),
    _("Too Many Requests"),
    _("Request Header Fields Too Large"),
    _("Internal Server Error"),
    _("Not Implemented"),
    _("Service Unavailable"),
    _("Gateway Timeout"),
)


class Failures:
    """Error handlers of an app or blueprint, by status and by exception class."""

    def __init__(self, outer: "Failures | None" = None) -> None:
        self.outer = outer
        self.by_status: dict[int, ErrorHandler] = {}
        self.by_class: dict[type[BaseException], ErrorHandler] = {}

    def add(self, key: int | type[BaseException], handler: ErrorHandler) -> None:
        """Register a handler for a status or a class of exceptions with its subclasses."""
        if isinstance(key, int):
            self.by_status[key] = handler
        else:
            self.by_class[key] = handler

    def find(self, error: BaseException) -> ErrorHandler | None:
        """Return the nearest handler: the status first, then the class, the blueprint's before the app's."""
        failures: Failures | None = self
        status = error.status if isinstance(error, HTTPError) else None
        while failures is not None:
            if status is not None and status in failures.by_status:
                return failures.by_status[status]
            for cls in type(error).__mro__:
                if cls in failures.by_class:
                    return failures.by_class[cls]
            failures = failures.outer
        return None

    def find_status(self, status: int) -> ErrorHandler | None:
        """Return the handler of a status alone."""
        failures: Failures | None = self
        while failures is not None:
            if status in failures.by_status:
                return failures.by_status[status]
            failures = failures.outer
        return None


async def respond_to(error: BaseException, request: Request, failures: Failures, encoder: "Encoder") -> Response:
    """Return the response for an exception; what an error handler raises becomes a plain 500."""
    if isinstance(error, PoolFull):
        error = ServiceUnavailable(gettext("Too many requests are waiting."), headers=[("retry-after", "1")])
    handler = failures.find(error)
    try:
        if handler is not None:
            return await _call(handler, error, request, encoder)
        if isinstance(error, HTTPError):
            return problem_response(error, request)
        logger.error("%s %s failed", request.method, request.path, exc_info=error)
        if request.app is not None:
            request.app.note_failure(request, error)
        handler = failures.find_status(500)
        if handler is not None:
            return await _call(handler, InternalServerError(), request, encoder, cause=error)
        shown = await _show(request, error)
        if shown is not None:
            return shown
    except Exception as second:
        if isinstance(second, HTTPError) and second is not error:
            return problem_response(second, request)
        logger.exception("The error handler of %s %s failed", request.method, request.path)
        if request.app is not None:
            request.app.note_failure(request, second)
        shown = await _show(request, second)
        if shown is not None:
            return shown
    return problem_response(InternalServerError(), request)


async def _show(request: Request, error: BaseException) -> Response | None:
    """Return the debugger's answer in debug mode, and None where that fails itself."""
    app = request.app
    if app is None or not app.debug:
        return None
    try:
        shown = app.show_error(request, error)
        answer: Response | None = await shown if inspect.isawaitable(shown) else shown
    except Exception:
        logger.exception("The debugger failed")
        return None
    return answer


async def _call(
    handler: ErrorHandler,
    error: BaseException,
    request: Request,
    encoder: "Encoder",
    *,
    cause: BaseException | None = None,
) -> Response:
    if cause is not None:
        error.__cause__ = cause
    try:
        count = len(inspect.signature(handler).parameters)
    except (TypeError, ValueError):
        count = 1
    result = handler(request, error) if count > 1 else handler(error) if count else handler()
    if inspect.isawaitable(result):
        result = await result
    response = await encoder.complete(result, request)
    if isinstance(error, HTTPError) and response.status == 200 and not isinstance(result, Response | tuple):
        response.status = error.status
        for name, value in error.headers:
            response.headers[name] = value
    return response


def problem_response(error: HTTPError, request: Connection) -> Response:
    """Return an error as RFC 9457 problem+json, or as a small page for a browser."""
    accept = Accept(request.headers.get("accept"))
    if accept.quality("text/html") > accept.quality("application/problem+json"):
        detail = f"<p>{html.escape(error.detail)}</p>" if error.detail else ""
        title = html.escape(gettext(error.title))
        language, direction = find_language()
        body = (
            f'<!doctype html>\n<html lang="{language}" dir="{direction}"><meta charset="utf-8">'
            f"<title>{error.status} {title}</title>"
            f'<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
            f"<h1>{title}</h1>{detail}</html>\n"
        )
        response = Response(body.encode(), error.status, content_type="text/html; charset=utf-8")
    else:
        response = Response(to_json(error.problem()), error.status, content_type="application/problem+json")
    for name, value in error.headers:
        response.headers.add(name, value)
    return response
