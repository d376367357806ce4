"""Undoing the chunked transfer coding (RFC 9112, section 7.1), strictly."""

import re
from typing import Final

from demijohn.serving.refusal import Refusal

__all__ = ["ChunkDecoder"]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"'
# A size in hex, then extensions, which are ignored; but where one reader sees a quote that is open, so must all.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;%b(?:=(?:%b|%b))?)*" % (_TOKEN, _TOKEN, _QUOTED))
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")
_LONGEST_LINE: Final = 1024
_LONGEST_TRAILERS: Final = 8192
# Bytes that carry nothing (size lines of tiny chunks, extensions) may not outweigh the body by more than this.
_IDLE_ALLOWED: Final = 64 * 1024

_SIZE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class ChunkDecoder:
    """Takes bytes off the wire and gives back the bytes of the body.

    Trailer fields are checked and dropped: nothing that matters may hide behind a body.

    Example:
        >>> decoder = ChunkDecoder()
        >>> decoder.feed(b"3\\r\\nabc\\r\\n0\\r\\n\\r\\nGET /")
        (b'abc', b'GET /')
    """

    __slots__ = ("_buffer", "_left", "_overhead", "_state", "_trailers")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        self._overhead = 0
        self._state = _SIZE
        self._trailers = 0

    @property
    def is_done(self) -> bool:
        """Whether the last chunk and the trailers were read."""
        return self._state == _DONE

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the bytes of the body in `data`, and what stands behind its end.

        Raises:
            Refusal: 400, the coding is broken.
        """
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        pieces: list[bytes] = []
        at = 0
        end = len(data)
        while at < end:
            state = self._state
            if state == _DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _DATA_END
            elif state == _DATA_END:
                if end - at < 2 and data[at] == 13:
                    break
                if data[at : at + 2] != b"\r\n":
                    raise Refusal(400, "A chunk is longer than its size.")
                at += 2
                self._state = _SIZE
            elif state == _DONE:
                break
            else:
                eol = data.find(b"\r\n", at)
                if eol < 0:
                    if end - at > _LONGEST_LINE or b"\n" in data[at:]:
                        raise Refusal(400, "The size of a chunk is malformed.")
                    break
                self._take_line(data[at:eol])
                at = eol + 2
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._state == _DONE:
            return body, data[at:]
        self._buffer = data[at:]
        return body, b""

    def _take_line(self, line: bytes) -> None:
        if self._state == _TRAILERS:
            if not line:
                self._state = _DONE
                return
            self._trailers += len(line) + 2
            if self._trailers > _LONGEST_TRAILERS or not _TRAILER.fullmatch(line):
                raise Refusal(400, "The trailer fields are malformed.")
            return
        match = _SIZE_LINE.fullmatch(line)
        if match is None or len(line) > _LONGEST_LINE:
            raise Refusal(400, "The size of a chunk is malformed.")
        self._left = int(match[1], 16)
        # Credit for what was carried, debit for what was not.
        self._overhead += len(line) + 4 - min(self._left, 2 * len(line) + 8)
        if self._overhead > _IDLE_ALLOWED:
            raise Refusal(400, "The chunks carry next to nothing.")
        self._state = _DATA if self._left else _TRAILERS
