"""The head of a response as bytes, most of it made once a second and kept."""

import time
from http import HTTPStatus
from typing import Final, Literal

from demijohn.http import Response, format_http_date

__all__ = ["Framing", "HeadCache", "Writer"]

Framing = Literal["length", "chunked", "close", "none"]
"""How the end of the body is told: by its length, by chunks, by the end of the connection, or there is none."""

Raw = list[tuple[bytes, bytes]]

BODYLESS: Final = frozenset((204, 304))
_CACHED: Final = 512


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINES: Final = {status: _status_line(status) for status in range(100, 600)}
_FRAMED: Final = frozenset((b"content-length", b"content-type", b"transfer-encoding", b"connection", b"keep-alive"))
"""Fields that the writer makes itself."""


class HeadCache(dict[tuple[int, str | None], bytes]):
    """Heads of responses without headers of their own, up to the number behind `content-length: `.

    A status that has no body gives empty bytes: it has no such head.
    """

    def __init__(self, writer: "Writer") -> None:
        super().__init__()
        self._writer = writer

    def __missing__(self, key: tuple[int, str | None]) -> bytes:
        status, content_type = key
        if status in BODYLESS:
            return b""
        writer = self._writer
        lines = [STATUS_LINES[status]]
        if content_type is not None:
            lines.append(b"content-type: %b\r\n" % content_type.encode("latin-1"))
        lines += [writer.default_lines, writer.date_line, b"content-length: "]
        head = b"".join(lines)
        if len(self) < _CACHED:
            self[key] = head
            if status == 200:
                writer.usual[content_type] = head
        return head


class Writer:
    """Writes heads for one app: status line, content type, the app's default headers, date, and framing."""

    __slots__ = ("_default_pairs", "_second", "date_line", "default_lines", "default_names", "heads", "usual")

    def __init__(self, default_headers: Raw) -> None:
        self._default_pairs = [(name.lower(), value) for name, value in default_headers]
        self.default_names = frozenset(name for name, _ in self._default_pairs)
        self.default_lines = b"".join([b"%b: %b\r\n" % pair for pair in self._default_pairs])
        self._second = 0
        self.date_line = b""
        self.heads = HeadCache(self)
        self.usual: dict[str | None, bytes] = {}
        """Those of `heads` with the status 200, by their content type alone."""
        self.tick()

    def tick(self) -> None:
        """Renew the date and what has it inside, once it has changed."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self.date_line = f"date: {format_http_date(now)}\r\n".encode()
            self.heads.clear()
            self.usual.clear()

    def head(self, response: Response, *, framing: Framing, length: int = 0, connection: bytes = b"") -> bytes:
        """Return the whole head of a response, its empty line included.

        A header that the response sets replaces the default of the same name; the fields of the framing are never
        taken from it.

        Args:
            response: Its status, content type and headers are read.
            framing: How the end of the body is told.
            length: The bytes of the body, where that is told.
            connection: The value of `Connection`, if there is one.
        """
        status = response.status
        parts = [STATUS_LINES[status]]
        content_type = response.content_type
        if content_type is not None and status not in BODYLESS:
            parts.append(b"content-type: %b\r\n" % content_type.encode("latin-1"))
        own = response._headers
        date_line = self.date_line
        if own:
            # An empty line is how a response does without a default.
            defaults = self.default_names
            lines = [
                b"%b: %b\r\n" % pair for pair in own if pair[0] not in _FRAMED and (pair[1] or pair[0] not in defaults)
            ]
            text = b"".join(lines)
            if text.count(b"\n") != len(lines) or text.count(b"\r") != len(lines):
                raise ValueError("A header has a line break in it.")
            names = {name for name, _ in own}
            if names.isdisjoint(defaults):
                parts.append(self.default_lines)
            else:
                parts += [b"%b: %b\r\n" % pair for pair in self._default_pairs if pair[0] not in names]
            parts.append(text)
            if b"date" in names:
                date_line = b""
        else:
            parts.append(self.default_lines)
        if connection:
            parts.append(b"connection: %b\r\n" % connection)
        parts.append(date_line)
        if framing == "length":
            parts.append(b"content-length: %d\r\n\r\n" % length)
        elif framing == "chunked":
            parts.append(b"transfer-encoding: chunked\r\n\r\n")
        else:
            parts.append(b"\r\n")
        return b"".join(parts)
