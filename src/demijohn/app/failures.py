"""From what was raised to the response that tells it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from demijohn._lib.concurrency import PoolFull
from demijohn._lib.later import html, inspect, logger_of
from demijohn._lib.translation import get_direction, get_language, gettext
from demijohn._lib.translation import gettext_noop as _
from demijohn.app.context import is_ending
from demijohn.app.hooks import ERROR, HookCall
from demijohn.app.services import Services
from demijohn.errors import BadRequest, HTTPError, InternalServerError, ServiceUnavailable
from demijohn.http import Accept, Connection, Request, Response, UnsafeRedirect
from demijohn.schema import to_json

if TYPE_CHECKING:
    from demijohn.app.encoding import Encoder

__all__ = ["ErrorHandler", "ErrorHandlers", "Failures", "problem_response"]

ErrorHandler: TypeAlias = Callable[..., Any]
"""Of the error, or of the request and the error, and of services; sync or async; returns what a handler may return."""

logger = logger_of("demijohn.error")

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
    """Error handlers as an app or blueprint declares them, by status and by exception class."""

    def __init__(self) -> None:
        self._declared: dict[int | type[BaseException], tuple[ErrorHandler, bool]] = {}

    def add(self, key: int | type[BaseException], handler: ErrorHandler, *, inline: bool = False) -> None:
        """Register a handler for a status or a class of exceptions with its subclasses."""
        self._declared[key] = (handler, inline)

    def compile(self, services: Services, outer: "ErrorHandlers | None") -> "ErrorHandlers":
        """Return them ready to be called, inside of those that surround them.

        Raises:
            ConfigurationError: DJN-200 to DJN-217, one asks for what nothing provides.
        """
        calls = {
            key: HookCall(handler, ERROR, services, inline=inline) for key, (handler, inline) in self._declared.items()
        }
        return ErrorHandlers(calls, outer)


class ErrorHandlers:
    """What answers the failures of one blueprint: its own error handlers, then those around it."""

    __slots__ = ("_calls", "_outer")

    def __init__(
        self, calls: Mapping[int | type[BaseException], HookCall] | None = None, outer: "ErrorHandlers | None" = None
    ) -> None:
        self._calls = dict(calls or {})
        self._outer = outer

    def find(self, error: BaseException) -> HookCall | None:
        """Return the nearest handler: the status first, then the class, the blueprint's before the app's."""
        handlers: ErrorHandlers | None = self
        keys = [*([error.status] if isinstance(error, HTTPError) else []), *type(error).__mro__]
        while handlers is not None:
            for key in keys:
                if key in handlers._calls:
                    return handlers._calls[key]
            handlers = handlers._outer
        return None

    def find_status(self, status: int) -> HookCall | None:
        """Return the handler of a status alone."""
        handlers: ErrorHandlers | None = self
        while handlers is not None:
            if status in handlers._calls:
                return handlers._calls[status]
            handlers = handlers._outer
        return None


async def respond_to(error: BaseException, request: Request, handlers: ErrorHandlers, encoder: "Encoder") -> Response:
    """Return the response for an exception; what an error handler raises becomes a plain 500."""
    if isinstance(error, PoolFull):
        error = ServiceUnavailable(gettext("Too many requests are waiting."), headers=[("retry-after", "1")])
    handler = handlers.find(error)
    try:
        if handler is not None:
            return await _call(handler, error, request, encoder)
        if isinstance(error, HTTPError):
            wants_page = error.status in (404, 405) and Accept(request.headers.get("accept")).prefers_page
            return (await _show(request, error) if wants_page else None) or problem_response(error, request)
        debugs = request.app is not None and request.app.debug
        if isinstance(error, UnsafeRedirect) and not debugs:
            logger.warning("%s %s: %s", request.method, request.path, error)
            return problem_response(BadRequest(), request)
        if debugs:
            _advise(error)
        logger.error("%s %s failed", request.method, request.path, exc_info=error)
        if request.app is not None:
            request.app.note_failure(request, error)
        handler = handlers.find_status(500)
        if handler is not None:
            return await _call(handler, InternalServerError(), request, encoder, cause=error)
        shown = await _show(request, error)
        if shown is not None:
            return shown
    except PoolFull:
        # There is no thread for a `def` handler of the error either.
        return problem_response(error if isinstance(error, HTTPError) else InternalServerError(), request)
    except BaseException as second:
        if is_ending(second, request):
            raise
        if isinstance(second, HTTPError):  # its own, or the one that it was given and passes on
            return problem_response(second, request)
        logger.exception("The error handler of %s %s failed", request.method, request.path)
        if request.app is not None:
            request.app.note_failure(request, second)
        shown = await _show(request, second)
        if shown is not None:
            return shown
    return problem_response(InternalServerError(), request)


def _advise(error: BaseException) -> None:
    """Note what helps, so that the terminal shows it too; nothing of it is loaded in production."""
    from demijohn._lib.advice import add_advice

    try:
        add_advice(error)
    except Exception:
        logger.exception("No advice could be given")


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
    handler: HookCall,
    error: BaseException,
    request: Request,
    encoder: "Encoder",
    *,
    cause: BaseException | None = None,
) -> Response:
    if cause is not None:
        error.__cause__ = cause
    result = await handler.run(request, error)
    response = await encoder.complete(result, request)
    if isinstance(error, HTTPError) and response.status == 200 and not isinstance(result, Response | tuple):
        response.status = error.status
        for name, value in error.headers:
            response.headers[name] = value
    return response


def problem_response(error: HTTPError, request: Connection) -> Response:
    """Return an error as RFC 9457 problem+json, or as a small page for a browser."""
    accept = Accept(request.headers.get("accept"))
    if accept.prefers_page:
        detail = f"<p>{html.escape(error.detail)}</p>" if error.detail else ""
        title = html.escape(gettext(error.title))
        language, direction = get_language(), get_direction()
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
    response.headers.add_vary("Accept")
    return response
