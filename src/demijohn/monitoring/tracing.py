"""Traces by OpenTelemetry: one span for each request, and the trace of whoever called."""

from collections.abc import Awaitable, Callable
from typing import Any

from demijohn._lib.extras import need
from demijohn.app import App
from demijohn.http import Connection, Request, Response

__all__ = ["Tracing"]


class Tracing:
    """Opens a span of OpenTelemetry around each request.

    The span takes up the trace that comes with the request (`traceparent`), is the current one in handlers, hooks and
    what they call, in threads too, and bears the names of the semantic conventions for HTTP. Where spans go is set up
    as for every program, by the SDK or by `opentelemetry-instrument`; without them they cost next to nothing.

    Args:
        exclude: Paths without spans.
        provider: The provider of tracers (Any: its type is that of an optional library); the global one otherwise.

    Raises:
        MissingExtra: `opentelemetry-api` is not installed; it comes with the extra `tracing`.

    See OpenTelemetry, Semantic conventions for HTTP spans.
    """

    name = "tracing"
    requires: tuple[str, ...] = ()

    def __init__(self, *, exclude: tuple[str, ...] = ("/livez", "/readyz", "/metrics"), provider: Any = None) -> None:
        self._trace = need("opentelemetry.trace", extra="tracing", wanted_for="Tracing")
        self._propagate = need("opentelemetry.propagate", extra="tracing", wanted_for="Tracing")
        self._provider = provider
        self._exclude = frozenset(exclude)

    def install(self, app: App) -> None:
        """Stand around every handler, and hear of every failure."""
        app.around.insert(0, self._around)
        app.failure_listeners.append(self._note)

    async def _around(self, request: Request, next: Callable[[Request], Awaitable[Response]]) -> Response:  # noqa: A002 - the field's term
        if request.path in self._exclude:
            return await next(request)
        trace = self._trace
        tracer = trace.get_tracer("demijohn", tracer_provider=self._provider)
        route = None if request.route is None else request.route.pattern
        name = f"{request.method} {route}" if route else request.method
        with tracer.start_as_current_span(
            name,
            context=self._propagate.extract(dict(request.headers.items())),
            kind=trace.SpanKind.SERVER,
            attributes=_attributes(request, route),
        ) as span:
            response = await next(request)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                span.set_status(trace.StatusCode.ERROR)
            return response

    def _note(self, connection: Connection, error: BaseException) -> None:
        span = self._trace.get_current_span()
        span.record_exception(error)
        span.set_attribute("error.type", type(error).__qualname__)


def _attributes(request: Request, route: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "http.request.method": request.method,
        "url.scheme": request.scheme,
        "url.path": request.path,
        "server.address": request.hostname,
        "network.protocol.version": request.http_version,
    }
    if route:
        found["http.route"] = route
    if request.client is not None:
        found["client.address"] = request.client[0]
    agent = request.headers.get("user-agent")
    if agent:
        found["user_agent.original"] = agent
    return found
