"""Every response that passes through the test-suite is held against the standards, by httplint.

Looked at are the exchanges of the test client, the answers of `tests.app.calling`, and all that our server writes. A
test whose app breaks a rule on purpose, or carries a foreign app that does, says so: `@pytest.mark.unlinted("why")`.
"""

import re
from collections.abc import Iterable, Sequence
from email.utils import formatdate
from typing import Any
from weakref import WeakKeyDictionary

from httplint import HttpRequestLinter, HttpResponseLinter
from httplint.note import levels

from demijohn.serving.connection import Connection
from demijohn.testing.exchange import Exchange

__all__ = ["complaints", "install", "lint"]

Lines = Iterable[tuple[bytes, bytes]]

complaints: list[str] = []
"""What was found wrong since the last test."""

# Where the linter is stricter than the standard, or complains of the request.
_LAWFUL = {
    "STATUS_URI_TOO_LONG",
    "STATUS_VERSION_NOT_SUPPORTED",
    "CREATED_WITHOUT_LOCATION",  # without a Location what was made is at the URL itself (RFC 9110, section 15.3.2)
    "REQUEST_HDR_IN_RESPONSE",  # 415 tells by Accept what would be taken (RFC 9110, section 12.5.1)
}
_BODY = 32 * 1024
_seen: set[Any] = set()


def lint(
    method: str,
    target: bytes,
    asked: Lines,
    *,
    status: int,
    headers: Lines,
    body: bytes | None,
    phrase: bytes = b"",
    version: bytes = b"1.1",
) -> None:
    """Note what is wrong with a response; `body` is None where it did not come to its end.

    A date is taken for there: servers write it.
    """
    lines = [(bytes(name), bytes(value)) for name, value in headers]
    if all(name.lower() != b"date" for name, _ in lines):
        lines.append((b"date", formatdate(usegmt=True).encode()))
    # The same answer need not be looked at twice.
    kind = (
        method,
        status,
        body is None or not body,
        tuple(line for line in lines if line[0].lower() not in (b"date", b"etag", b"content-length", b"last-modified")),
        None
        if body is None
        else [value for name, value in lines if name.lower() == b"content-length"] == [b"%d" % len(body)],
    )
    if kind in _seen:
        return
    _seen.add(kind)
    request = HttpRequestLinter()
    request.process_request_topline(method.encode(), target or b"/", b"1.1")
    request.process_headers([*asked, (b"user-agent", b"tests")])
    request.finish_content(True)
    response: Any = HttpResponseLinter()
    response.request = request
    response.is_head_response = method == "HEAD"
    response.no_content = method == "HEAD"
    response.process_response_topline(version, b"%d" % status, phrase)
    response.process_headers(lines)
    if body:
        response.feed_content(body)
    response.finish_content(body is not None)
    complaints.extend(
        f"{method} {target.decode('latin-1')[:80]} -> {status}: "
        f"{note.__class__.__name__} ({note.subject}): {note.summary}\n"
        f"    {[line for line in lines if note.subject == 'field-' + line[0].decode().lower()] or ''}"
        for note in response.notes
        if note.level == levels.BAD
        and note.__class__.__name__ not in _LAWFUL
        and not (body is None and note.__class__.__name__ == "CL_INCORRECT")
    )


# -- the test client -------------------------------------------------------------------------------------------------


def _watch_client() -> None:
    send = Exchange._send
    bodies: WeakKeyDictionary[Exchange, list[bytes]] = WeakKeyDictionary()

    async def watched(self: Exchange, message: Any) -> None:
        await send(self, message)
        scope = self._scope
        if message["type"] == "http.response.start":
            bodies[self] = []
        elif message["type"] == "http.response.body" and self in bodies:
            bodies[self].append(bytes(message.get("body", b"")))
            if not message.get("more_body", False):
                lint(
                    scope["method"],
                    scope["raw_path"],
                    scope["headers"],
                    status=self.status,
                    headers=self.headers,
                    body=b"".join(bodies.pop(self)),
                )

    Exchange._send = watched  # type: ignore[method-assign]


# -- our server ------------------------------------------------------------------------------------------------------


class _Record:
    """What one connection has written, and where in it each request was answered."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.asked: list[tuple[int, str, bytes, list[tuple[bytes, bytes]]]] = []
        self.is_cut = False


_records: "dict[int, _Record]" = {}


def _watch_server() -> None:
    made, send, lost, hand_over = (
        Connection.connection_made,
        Connection.send,
        Connection.connection_lost,
        Connection.hand_over,
    )

    def watched_made(self: Connection, transport: Any) -> None:
        record = _records[id(self)] = _Record()
        made(self, transport)
        write = self._write

        def recorded(data: bytes) -> None:
            if len(record.data) < _BODY:
                record.data += data
            else:
                record.is_cut = True
            write(data)

        self._write = recorded
        self._reply = self.send

    def watched_send(self: Connection, response: Any) -> Any:
        record, request = _records.get(id(self)), self.request
        if record is not None and request is not None and not record.is_cut:
            record.asked.append((len(record.data), request.method, request.raw_path, list(request.raw_headers)))
        return send(self, response)

    def watched_lost(self: Connection, error: Any) -> None:
        lost(self, error)
        record = _records.pop(id(self), None)
        if record is not None:
            _lint_record(record)

    def watched_hand_over(self: Connection, protocol: Any, data: bytes) -> None:
        _records.pop(id(self), None)
        hand_over(self, protocol, data)

    Connection.connection_made = watched_made  # type: ignore[method-assign]
    Connection.send = watched_send  # type: ignore[method-assign]
    Connection.connection_lost = watched_lost  # type: ignore[method-assign]
    Connection.hand_over = watched_hand_over  # type: ignore[method-assign]


_STATUS = re.compile(rb"HTTP/(1\.[01]) (\d{3})(?: ([^\r\n]*))?\r\n")


def _lint_record(record: _Record) -> None:
    data, place = bytes(record.data), 0
    while place < len(data):
        match = _STATUS.match(data, place)
        end = data.find(b"\r\n\r\n", place)
        if match is None or end < 0:
            if not record.is_cut:
                complaints.append(f"The server wrote no response: {data[place : place + 80]!r}")
            return
        lines = [
            (name, value.strip(b" "))
            for name, _, value in (line.partition(b":") for line in data[match.end() : end].split(b"\r\n") if line)
        ]
        status = int(match[2])
        start, place = place, end + 4
        if status < 200:
            continue
        asked = next(((m, t, h) for at, m, t, h in record.asked if at == start), ("GET", b"/", []))
        body, place = _body(data, place, lines, bodyless=asked[0] == "HEAD" or status in (204, 304))
        lint(*asked, status=status, headers=lines, body=body, phrase=match[3] or b"")


def _body(data: bytes, place: int, lines: Sequence[tuple[bytes, bytes]], *, bodyless: bool) -> tuple[bytes | None, int]:
    """Return a body, or None for half of one, and where the next response begins."""
    fields = {name.lower(): value for name, value in lines}
    if bodyless:
        return b"", place
    if b"transfer-encoding" in fields:
        pieces = []
        while True:
            end = data.find(b"\r\n", place)
            if end < 0:
                return None, len(data)
            size = int(data[place:end], 16)
            pieces.append(data[end + 2 : end + 2 + size])
            if end + 4 + size > len(data):
                return None, len(data)
            place = end + 4 + size
            if not size:
                return b"".join(pieces), place
    if b"content-length" in fields:
        size = int(fields[b"content-length"])
        return (data[place : place + size], place + size) if place + size <= len(data) else (None, len(data))
    return data[place:], len(data)


def install() -> None:
    """Look at all responses from now on."""
    _watch_client()
    _watch_server()
