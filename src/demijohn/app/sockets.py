"""WebSockets: from an ASGI scope to the handler of a route, with the guards, hooks and services of a request."""

from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from typing import Any, TypeAlias

from demijohn._lib.concurrency import Lease
from demijohn._lib.later import asyncio, logger_of
from demijohn.app.asgi import read_path
from demijohn.app.context import is_ending, running
from demijohn.app.dispatch import Call, Surroundings, run_call
from demijohn.app.ending import end_unit
from demijohn.app.failures import problem_response
from demijohn.errors import HTTPError, MalformedBody, NotFound, ValidationFailed
from demijohn.http import WebSocket, WebSocketDisconnect
from demijohn.middleware import Guard, guards_for
from demijohn.middleware.marks import Marks
from demijohn.types import Receive, Scope, Send

__all__ = ["SocketRunner", "compile_socket_runner", "serve_websocket"]

SocketRunner: TypeAlias = Callable[[WebSocket], Awaitable[None]]

logger = logger_of("demijohn.app")

GOING_AWAY = 1001
NOT_ACCEPTED = 1003
NOT_CONSISTENT = 1007
POLICY = 1008
INTERNAL_ERROR = 1011


def compile_socket_runner(call: Call, around: Surroundings, *, route: Any, marks: Marks) -> SocketRunner:
    """Return what serves the sockets of one route (Any: routing's `Route`)."""
    guards = socket_guards(around.guards, marks)

    async def run(socket: WebSocket) -> None:
        running.set(socket)
        socket.route = route
        failure: BaseException | None = None
        try:
            await check_handshake(socket, guards)
            for hook in around.before:
                result = await hook.run(socket)
                if result is not None:
                    await socket.deny(await around.encoder.complete(result, socket))  # type: ignore[arg-type]
                    break
            else:
                await run_call(call, socket, around)
            await _finish(socket, around, None)
        except BaseException as error:
            failure = error
            await _finish(socket, around, error)
            await _end_badly(socket, error)
        finally:
            await end_unit(around.torn_down, socket, failure)
        if socket.state == "open":
            await socket.close()

    if not around.drivers and not call.is_sticky:
        return run

    async def driven(socket: WebSocket) -> None:
        coroutine: Coroutine[Any, Any, None] = run(socket)
        for driver in around.drivers:
            coroutine = driver.drive(coroutine)
        if not call.is_sticky:
            await coroutine
            return
        with Lease(around.pool, label=call.label).hold():
            await coroutine

    return driven


def socket_guards(guards: Sequence[Guard], marks: Marks | None = None) -> list[Callable[[Any], Any]]:
    """Return what a handshake has to pass (Any: a socket has the head of a request)."""
    return [getattr(guard, "check_socket", guard) for guard in guards_for(["WEBSOCKET"], guards, marks=marks)]


async def check_handshake(socket: WebSocket, guards: Sequence[Callable[[Any], Any]]) -> None:
    """Let a handshake pass, or raise what a guard raises."""
    for guard in guards:
        refusal = guard(socket)
        if refusal is not None:
            await refusal


async def _finish(socket: WebSocket, around: Surroundings, error: BaseException | None) -> None:
    for finish in around.before_send:
        await finish(socket, error)


async def _end_badly(socket: WebSocket, error: BaseException) -> None:
    """Refuse or close a socket after a failure of its code; what ends its task from outside goes on upwards."""
    if is_ending(error, socket):
        raise error
    if isinstance(error, WebSocketDisconnect):
        return
    if isinstance(error, HTTPError) and socket.state == "connecting":
        await socket.deny(problem_response(error, socket))
        return
    if isinstance(error, HTTPError) and error.status < 500:
        # What the client sent is wrong, or it may not do that: nothing of ours has failed.
        is_data = isinstance(error, ValidationFailed | MalformedBody)
        await socket.close(NOT_CONSISTENT if is_data else NOT_ACCEPTED if error.status == 400 else POLICY, str(error))
        return
    logger.error("The WebSocket %s failed", socket.path, exc_info=error)
    socket.app.note_failure(socket, error)
    if socket.state == "connecting":
        await socket.deny()
    elif socket.state == "open":
        await socket.close(INTERNAL_ERROR)


async def serve_websocket(app: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one WebSocket (Any: the app lives above).

    Each message that a handler receives begins a new unit of work: what the one before did is committed when the next
    is
    asked for.
    """
    try:
        path, raw_path, _ = read_path(scope)
    except ValueError:
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    if path != scope["path"]:
        scope = {**scope, "path": path, "raw_path": raw_path}
    socket = WebSocket(scope, receive=receive, send=send)
    socket.app = app
    if app.proxies is not None:
        app.proxies(socket)
    for prepare in app.before_routing:
        prepare(socket)
    if app.before_send:
        socket._receive = _committing(app, socket, receive)
    token = running.set(socket)
    app.sockets.add(socket)
    try:
        found = app.router.find("WEBSOCKET", socket.path, host=socket.host)
        if found is None:
            await socket.deny(problem_response(NotFound(), socket))
            return
        run, socket.path_params = found
        await run(socket)
    finally:
        app.sockets.discard(socket)
        running.reset(token)


def _committing(app: Any, socket: WebSocket, receive: Receive) -> Receive:
    async def next_message() -> MutableMapping[str, Any]:
        for finish in app.before_send:
            await finish(socket, None)
        return await receive()

    return next_message


def say_good_bye(sockets: set[WebSocket]) -> None:
    """Close every open socket with 1001, as the server is going away."""
    for socket in list(sockets):
        if socket.state == "open":
            task = asyncio.ensure_future(socket.close(GOING_AWAY, "The server is going away."))
            _closing.add(task)
            task.add_done_callback(_closing.discard)


_closing: "set[asyncio.Future[None]]" = set()
