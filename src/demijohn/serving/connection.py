"""One HTTP/1.1 connection: reads requests and starts their handlers at once (RFC 9112).

A handler begins inside of `data_received`, as an eager task, and most of them end there too: no turn of the loop passes
between the bytes of a request and those of its response.
"""

import asyncio
import sys
from functools import partial
from time import perf_counter
from typing import Any, Final

from demijohn.errors import BadRequest
from demijohn.http import Request
from demijohn.serving.answering import Answering
from demijohn.serving.body import IncomingBody
from demijohn.serving.flow import BODY, BY_PIPELINE, CLOSED, HEAD, IDLE, LINGER, NEVER, RUN
from demijohn.serving.head import Block, Head
from demijohn.serving.hub import Hub, logger
from demijohn.serving.refusal import Refusal

__all__ = ["Connection"]

SMALL_BODY: Final = 64 * 1024
_HELD: Final = 64 * 1024
_PER_TURN: Final = 64
_Task = asyncio.Task
_EAGER: Final = sys.version_info >= (3, 12)


class Connection(Answering):
    """The protocol of one connection.

    Args:
        hub: What it shares with the other connections of its server.
    """

    __slots__ = (
        "_blocks",
        "_body_started",
        "_client",
        "_handle",
        "_known",
        "_lines",
        "_need",
        "_pieces",
        "_reply",
        "_scheme",
        "_server",
        "_unusual",
        "_waiting",
    )

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._handle = hub.handle
        self._lines = hub.reader.lines
        self._blocks = hub.reader.blocks
        self._known = hub.reader.heads
        self._reply = self.send

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection."""
        # A stream's transport is one for both directions.
        self.transport = transport  # type: ignore[assignment]
        self._write = self.transport.write
        hub = self.hub
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        peer = transport.get_extra_info("peername")
        self._client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) and len(peer) >= 2 else None
        name = transport.get_extra_info("sockname")
        self._server: tuple[str, int | None] | None = None
        if isinstance(name, tuple) and len(name) >= 2:
            self._server = (str(name[0]), int(name[1]))
        elif isinstance(name, str):
            self._server = (name, None)
        self._unusual = self._scheme == "https" or bool(hub.config.root_path)
        hub.accepted += 1
        has_room = hub.make_room()
        hub.connections.add(self)
        self.deadline = hub.clock + hub.timeouts.headers
        if not has_room:
            self.refuse(503, "There are too many connections.", extra=b"retry-after: 1\r\n")
        elif hub.upgrade_http2 is not None:
            tls = transport.get_extra_info("ssl_object")
            if tls is not None and tls.selected_alpn_protocol() == "h2":
                hub.upgrade_http2(self, b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a connection that ended, and tell those who wait on it."""
        self._phase = CLOSED
        self._plain = False
        self.deadline = NEVER
        self.hub.connections.discard(self)
        self._buffer = b""
        self._pieces: list[bytes] = []
        if self._incoming is not None:
            self._incoming.lose()
        if self.request is not None:
            self.request._disconnected = True
        self.is_write_paused = False
        self._wake()
        if self.streaming is not None:
            self.stop_stream()

    def eof_received(self) -> bool:
        """Note that the client sends no more; what it asked for already is still answered."""
        if self._phase != RUN or self._scheme == "https":
            return False
        if self._incoming is not None:
            self._incoming.lose()
        if self.request is not None:
            self.request._disconnected = True
        if self.streaming is not None:
            return False
        self._close = True
        self._plain = False
        return True

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked of it now."""
        return self._phase == IDLE

    def close(self) -> None:
        """Close it, once what was written has been sent."""
        if self._phase != CLOSED:
            self._phase = LINGER
            self.deadline = self.hub.clock + self.hub.timeouts.linger
            self.transport.close()

    @property
    def is_fresh(self) -> bool:
        """Whether no request has come yet."""
        return not self._started_at

    def end(self) -> None:
        """Answer no more than the request that is there or on its way."""
        self._close = True
        self._plain = False

    def shutdown(self) -> None:
        """Close it as soon as the request that is being answered is done; uvicorn's server calls this."""
        if self._phase in (IDLE, HEAD, BODY):
            self.close()
        else:
            self.end()

    def data_received(self, data: bytes) -> None:
        """Read what came; a request like one before it takes the short way."""
        if not self._phase:
            known = self._known.get(data)
            if known is not None:
                if not known[8]:
                    self._open(known, None)
                    return
            else:
                end = data.find(b"\r\n\r\n") + 4
                known = self._known.get(data[:end])
                if known is not None and known[8] == len(data) - end:
                    self._open(known, data[end:])
                    return
        self._receive(data)

    def _receive(self, data: bytes) -> None:
        phase = self._phase
        if phase <= HEAD:
            if self._buffer:
                data = self._buffer + data
                self._buffer = b""
            self._parse(data)
        elif phase == BODY:
            self._collect(data)
        elif phase == RUN:
            incoming = self._incoming
            if incoming is None or incoming.is_complete:
                self._hold(data)
            elif not self._close or not incoming.is_failed:
                self._feed(incoming, data)

    def _feed(self, incoming: IncomingBody, data: bytes) -> None:
        try:
            rest = incoming.feed(data)
        except Refusal as refusal:
            self._close = True
            incoming.fail(BadRequest(refusal.reason))
        else:
            if rest:
                self._hold(rest)

    def _hold(self, data: bytes) -> None:
        """Keep what belongs to later requests until the present one is answered."""
        self._buffer += data
        if len(self._buffer) > _HELD:
            self._pause(BY_PIPELINE)

    def _parse(self, data: bytes) -> None:
        """Read heads and start what they ask for, until the bytes are used up or one request takes its time."""
        reader, limit = self.hub.reader, self.hub.capacity.body_size
        for _ in range(_PER_TURN):
            while data[:2] == b"\r\n":  # RFC 9112, 2.2: empty lines before a request are ignored
                data = data[2:]
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                self._wait_for_head(data)
                return
            eol = data.find(b"\r\n")
            block: Block | None = None
            try:
                line = self._lines.get(data[:eol]) or reader.read_line(data[:eol])
                known = self._blocks.get(data[eol:end]) if line[4] and line[5] is None else None
                if known is None:
                    block = reader.read_block(data[:end], eol, line)
            except Refusal as refusal:
                self._refuse_head(refusal, data)
                return
            length = known[1] if known is not None else block.length if block is not None else 0
            if limit is not None and length > limit:
                self.refuse(413, f"The body is over {limit} bytes.")
                return
            head: Head
            if known is not None:
                head = reader.join(data[:end], line, *known)
                self._close = False
            else:
                assert block is not None  # noqa: S101 - one of the two was read above
                head = (*line[:5], line[6], tuple(block.raw), None, length)
                self._close = (not line[4]) if block.close is None else block.close
                if block.wants_upgrade and block.upgrade == b"websocket" and self._upgrade(head, data[end:]):
                    return
            rest = data[end:]
            if not length:
                self._open(head, None)
                data = rest
            elif 0 < length <= SMALL_BODY and (block is None or not block.expects):
                if len(rest) < length:
                    self._await_body(head, rest)
                    return
                self._open(head, rest[:length])
                data = rest[length:]
            else:
                self._open_with_stream(head, rest, expects=block is not None and block.expects)
                return
            if self._phase != IDLE:
                if data and self._phase == RUN:
                    self._hold(data)
                return
            if not data:
                return
            if self.is_write_paused:
                break
        # The others shall have their turn.
        self._phase = HEAD
        self._buffer = data
        if not self.is_write_paused:
            self.loop.call_soon(self._resume)

    def _wait_for_head(self, data: bytes) -> None:
        if not data:
            return
        try:
            self.hub.reader.check_partial(data)
        except Refusal as refusal:
            self._refuse_head(refusal, data)
            return
        if self._phase == IDLE:
            self.deadline = self.hub.clock + self.hub.timeouts.headers
        self._phase = HEAD
        self._buffer = data

    def _refuse_head(self, refusal: Refusal, data: bytes) -> None:
        if data.startswith(b"PRI * HTTP/2.0\r\n\r\n") and self.hub.upgrade_http2 is not None:
            self.hub.upgrade_http2(self, data)
            return
        self.refuse(refusal.status, refusal.reason)

    def _resume(self) -> None:
        """Go on with what a client sent while its request before was being answered."""
        if self._phase == HEAD and self._buffer and not self.is_write_paused:
            data, self._buffer = self._buffer, b""
            self._phase = IDLE
            self._unpause(BY_PIPELINE)
            self._parse(data)

    def _open_with_stream(self, head: Head, rest: bytes, *, expects: bool) -> None:
        """Start the handler of a request whose body it reads while it arrives."""
        limit = self.hub.capacity.body_size
        incoming = self._incoming = IncomingBody(self, length=head[8], limit=limit, expects=expects)
        self._phase = RUN
        if rest:
            self._feed(incoming, rest)
        self._open(head, None, incoming)

    def _await_body(self, head: Head, first: bytes) -> None:
        length = head[8]
        self._phase = BODY
        self._waiting = head
        self._pieces = [first]
        self._need = length - len(first)
        self._left = len(first)
        self._body_started = self.hub.clock
        timeouts = self.hub.timeouts
        self.deadline = self.hub.clock + min(timeouts.body_grace, timeouts.body)

    def _collect(self, data: bytes) -> None:
        """Add to a small body, and start its handler once it is whole."""
        need = self._need
        if len(data) < need:
            self._pieces.append(data)
            self._left += len(data)
            self._need = need - len(data)
            return
        rest = data[need:]
        self._pieces.append(data[:need])
        body = b"".join(self._pieces)
        self._pieces = []
        self._phase = IDLE
        self._open(self._waiting, body)
        if rest:
            if self._phase == IDLE:
                self._parse(rest)
            elif self._phase == RUN:
                self._hold(rest)

    def _open(self, head: Head, body: bytes | None, incoming: IncomingBody | None = None) -> None:
        """Start the handler of a request that is complete, or whose body it reads while that arrives."""
        hub = self.hub
        method, path, raw_path, query, self._is_new, plain, raw, headers, _ = head
        request = self.request = Request(method, path, raw_path, query, raw)
        request._headers = headers
        request.app = hub.app
        request.client = self._client
        request.server = self._server
        if body is not None:
            request._body = body
        elif incoming is not None:
            request._receiver = incoming.receive
            plain = False
        if self._unusual:
            request.scheme = self._scheme
            request.root_path = hub.config.root_path
        self._phase = RUN
        self._plain = plain and hub.is_plain and not self._close
        if not self._is_new:
            request.http_version = "1.0"
        if hub.access_log:
            self._heard_at = perf_counter()
        if hub.active >= hub.max_active and not hub.admits():
            self._overloaded()
            return
        self._started_at = hub.clock
        try:
            coroutine = self._handle(request, self._reply)
        except Exception:
            logger.exception("%s %s failed before its handler began", request.method, request.path)
            self.fail(500)
            return
        if _EAGER:
            task = _Task(coroutine, loop=self.loop, eager_start=True)  # type: ignore[call-arg]
        else:
            task = self.loop.create_task(coroutine)
        if not task.done():
            hub.tasks.add(task)
            task.add_done_callback(partial(self._ended, request))
            if self.request is request and self._phase == RUN and self.streaming is None:
                self._task = task
                hub.active += 1
                self._plan(hub.clock)
        elif self._phase:
            self._task = task
            hub.active += 1
            self._ended(request, task)

    def _ended(self, request: Request, task: "asyncio.Task[Any]") -> None:
        """Note the end of a request's task, which has answered if all is well."""
        hub = self.hub
        hub.tasks.discard(task)
        if task is not self._task:
            hub.report(task, request, answered=True)
            return
        self._release()
        if self._phase == RUN and self.request is request and self.response is None:
            # Code that cancels its own task has failed; who ran too long, or into the end, was cut by the server.
            was_cut = task.cancelled() and (hub.is_draining or request.timed_out)
            hub.report(task, request, answered=False)
            self.fail(503 if was_cut else 500)
        else:
            hub.report(task, request, answered=True)

    def expect_body(self) -> None:
        """Note that a handler waits for more of its body."""
        self._plan(self.hub.clock)

    def _plan(self, now: float) -> None:
        """Set the next moment at which something may be over its time."""
        timeouts = self.hub.timeouts
        deadline = NEVER
        if self._task is not None and timeouts.request is not None:
            deadline = max(now, self._started_at + timeouts.request)
        incoming = self._incoming
        if incoming is not None and incoming.asked_at is not None:
            deadline = min(deadline, max(now + 1.0, incoming.asked_at + timeouts.body_grace - incoming.waited))
        if self.is_write_paused:
            deadline = min(deadline, self._mark_at + timeouts.send)
        self.deadline = deadline

    def expire(self, now: float) -> None:
        """Do what has to be done at the deadline."""
        timeouts = self.hub.timeouts
        phase = self._phase
        if phase == RUN:
            self._expire_running(now)
        elif phase == HEAD:
            if self._buffer and not self.is_write_paused:
                self.refuse(408, "The headers came too slowly.")
            else:
                self._expire_output(now)
        elif phase == BODY:
            elapsed = now - self._body_started
            if elapsed >= timeouts.body or self._left < timeouts.body_rate * elapsed:
                self.refuse(408, "The body came too slowly.")
            else:
                self.deadline = min(self._body_started + timeouts.body, now + 1.0)
        elif phase == IDLE and not self.transport.get_write_buffer_size():
            self.close()
        else:
            self._expire_output(now)

    def _expire_running(self, now: float) -> None:
        timeouts = self.hub.timeouts
        if self.is_write_paused and now >= self._mark_at + timeouts.send and not self._is_reading(now):
            self.abort()
            return
        incoming = self._incoming
        if incoming is not None and incoming.asked_at is not None:
            waited = incoming.time_waited(now)
            if waited >= timeouts.body_grace and incoming.received < timeouts.body_rate * waited:
                incoming.time_out()
        task = self._task
        if task is not None and timeouts.request is not None and now >= self._started_at + timeouts.request:
            self._started_at = now
            if self.request is not None:
                logger.warning("%s %s took too long", self.request.method, self.request.path)
                self.request.timed_out = True
            task.cancel()
        self._plan(now)

    def _upgrade(self, head: Head, rest: bytes) -> bool:
        """Let a client change to WebSocket, if it may."""
        hub = self.hub
        if head[0] != "GET" or not head[4] or hub.upgrade is None or hub.is_draining:
            return False
        request = Request(*head[:4], head[6])
        request.client = self._client
        request.server = self._server
        request.scheme = self._scheme
        if self._unusual:
            request.root_path = hub.config.root_path
        hub.upgrade(self, request, rest)
        return True

    def hand_over(self, protocol: asyncio.Protocol, data: bytes) -> None:
        """Give the connection to another protocol, with the bytes that were read."""
        self.hub.connections.discard(self)
        self._phase = CLOSED
        self.deadline = NEVER
        self.transport.set_protocol(protocol)
        if data:
            protocol.data_received(data)
