"""Reading the head of a request: the first line here, the header lines by llhttp, what was seen before from a cache.

A client that keeps its connection sends the same header lines again and again, and a site has few distinct first lines.
Both are looked up by their bytes, so that nothing is parsed twice; only what passed every check is ever remembered.
"""

import re
from typing import Any, Final, TypeAlias

from demijohn._lib.paths import decode_path
from demijohn.http import Headers
from demijohn.http.headers import Lines
from demijohn.serving.refusal import Refusal

__all__ = ["Block", "Head", "HeadReader", "Line"]

Line: TypeAlias = tuple[str, str, bytes, bytes, bool, bytes | None, bool]
"""Method, decoded path, raw path, query string, whether it is HTTP/1.1, the authority of an absolute target, and
whether the response may take the short way (HTTP/1.1, not HEAD)."""

Head: TypeAlias = tuple[str, str, bytes, bytes, bool, bool, Lines, Headers | None, int]
"""Method, decoded path, raw path, query string, whether it is HTTP/1.1, whether the response may take the short way,
the lines, the same by name where that is known, and the bytes of the body."""

_REMEMBERED: Final = 1024
_FRAME: Final = 64
"""What a first line has besides its target, at most."""
_SHORT_LINE: Final = 256
_SHORT_BLOCK: Final = 2048

METHODS: Final = frozenset(
    b"GET HEAD POST PUT DELETE PATCH OPTIONS TRACE QUERY "
    b"COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE "
    b"MKCALENDAR LINK UNLINK PURGE SUBSCRIBE UNSUBSCRIBE NOTIFY".split()
)
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Visible ASCII without `#`: what RFC 3986 allows, and the few characters more that browsers send as they are.
_TARGET = re.compile(rb'(/[!"$-;<=>@-~]*)(?:\?([!"$-~]*))?')
_ABSOLUTE = re.compile(rb"https?://([^/?#@\s]+)((?:[/?][^#]*)?)", re.IGNORECASE)
_HOST = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")


class Block:
    """The header lines of a request, and what they say about the message itself."""

    __slots__ = ("chunked", "close", "expects", "host", "length", "raw", "upgrade", "wants_upgrade")

    def __init__(self) -> None:
        self.raw: list[tuple[bytes, bytes]] = []
        self.host: bytes | None = None
        self.length = 0
        """Bytes of the body; 0 for none, -1 where chunks tell."""
        self.chunked = False
        self.close: bool | None = None
        """What `Connection` says: True for close, False for keep-alive, None for nothing."""
        self.expects = False
        """Whether the client waits for `100 Continue`."""
        self.wants_upgrade = False
        self.upgrade = b""
        """The protocol the client wants to change to, in lower case, or nothing."""

    # Called by llhttp for each line.
    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        value = value.rstrip(b" \t")
        self.raw.append((name, value))
        if name in _MEANINGFUL:
            self._note(name, value)

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            if self.host is not None:
                raise Refusal(400, "More than one Host header.")
            self.host = value
        elif name == b"content-length":
            # llhttp has refused what is no number, too large a number, or a second line.
            self.length = int(value)
        elif name == b"transfer-encoding":
            if self.chunked or value.lower() != b"chunked":
                raise Refusal(501, "The only transfer coding that is read here is `chunked`.")
            self.chunked = True
            self.length = -1
        elif name == b"connection":
            tokens = [token.strip() for token in value.lower().split(b",")]
            if b"close" in tokens:
                self.close = True
            elif b"keep-alive" in tokens and self.close is None:
                self.close = False
            self.wants_upgrade = self.wants_upgrade or b"upgrade" in tokens
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise Refusal(417, "The only expectation that can be met is `100-continue`.")
            self.expects = True
        elif name == b"upgrade":
            self.upgrade = value.lower()


_MEANINGFUL: Final = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"))


class HeadReader:
    """Reads heads for the connections of one server, and remembers."""

    def __init__(self, *, header_size: int, header_count: int, target_size: int, root_path: str = "") -> None:
        from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

        self._parser_class: Any = HttpRequestParser
        self._parser_error: type[Exception] = HttpParserError
        self._parser_upgrade: type[Exception] = HttpParserUpgrade
        self._header_size = header_size
        self._header_count = header_count
        self._target_size = target_size
        self._root_path = root_path
        self.lines: dict[bytes, Line] = {}
        """First lines that were read before, of HTTP/1.1."""
        self.blocks: dict[bytes, tuple[Headers, int]] = {}
        """Header lines that were read before and the length of the body, for HTTP/1.1 messages with nothing special."""
        self.heads: dict[bytes, Head] = {}
        """Whole heads of which both parts were read before."""

    def check_partial(self, data: bytes) -> None:
        """Refuse what can become no head any more.

        Raises:
            Refusal: 414, 431 or 400.
        """
        eol = data.find(b"\r\n")
        if eol < 0:
            if len(data) > self._target_size + _FRAME:
                raise Refusal(414, f"The request target is over {self._target_size} bytes.")
            if b"\n" in data:
                raise Refusal(400, "A line ends without a carriage return.")
        elif len(data) - eol > self._header_size + 4:
            raise Refusal(431, f"The headers are over {self._header_size} bytes.")

    def read_line(self, line: bytes) -> Line:
        """Read the first line of a request: method, target and version, with exactly one space between (RFC 9112, 3).

        Raises:
            Refusal: 400, 414, 501 or 505.
        """
        if len(line) > self._target_size + _FRAME:
            raise Refusal(414, f"The request target is over {self._target_size} bytes.")
        parts = line.split(b" ")
        if len(parts) != 3:
            raise Refusal(400, "The first line is not a method, a target and a version.")
        method, target, version = parts
        if not _TOKEN.fullmatch(method):
            raise Refusal(400, "The method is malformed.")
        if len(target) > self._target_size:
            raise Refusal(414, f"The request target is over {self._target_size} bytes.")
        if version != b"HTTP/1.1" and version != b"HTTP/1.0":
            if re.fullmatch(rb"HTTP/\d\.\d", version):
                raise Refusal(505, "This version of HTTP is not spoken here.")
            raise Refusal(400, "The version is malformed.")
        if method not in METHODS:
            raise Refusal(501, "This method is not known here.")
        authority = None
        is_new = version == b"HTTP/1.1"
        if target == b"*":
            if method != b"OPTIONS":
                raise Refusal(400, "The target `*` is for OPTIONS alone.")
            found: Line = ("OPTIONS", "*", b"*", b"", is_new, None, is_new)
        else:
            if not target.startswith(b"/"):
                absolute = _ABSOLUTE.fullmatch(target)
                if absolute is None:
                    raise Refusal(400, "The request target is malformed.")
                authority, target = absolute.groups()
                if not _HOST.fullmatch(authority):
                    raise Refusal(400, "The request target is malformed.")
                if not target.startswith(b"/"):
                    target = b"/" + target
            match = _TARGET.fullmatch(target)
            if match is None:
                raise Refusal(400, "The request target is malformed.")
            raw_path, query = match.groups()
            root_path = self._root_path
            if root_path:
                prefix = root_path.encode()
                if raw_path.startswith(prefix) and raw_path[len(prefix) : len(prefix) + 1] in (b"/", b""):
                    raw_path = raw_path[len(prefix) :] or b"/"
            try:
                path = decode_path(raw_path)
            except UnicodeDecodeError:
                raise Refusal(400, "The path is not UTF-8.") from None
            except ValueError:
                raise Refusal(400, "The path has a null character in it.") from None
            found = (method.decode(), path, raw_path, query or b"", is_new, authority, is_new and method != b"HEAD")
        if is_new and authority is None and len(line) <= _SHORT_LINE:
            if len(self.lines) >= _REMEMBERED:
                self.lines.clear()
            self.lines[line] = found
        return found

    def read_block(self, head: bytes, eol: int, line: Line) -> Block:
        """Read the header lines of a complete head.

        Args:
            head: The whole head, its empty line included.
            eol: Where the first line ends.
            line: What the first line says.

        Raises:
            Refusal: 400, 417, 431 or 501.
        """
        if len(head) - eol - 4 > self._header_size:
            raise Refusal(431, f"The headers are over {self._header_size} bytes.")
        block = Block()
        is_new = line[4]
        try:
            # The first line was read already; what stands in its place here only sets the version.
            self._parser_class(block).feed_data((b"POST / HTTP/1.1" if is_new else b"POST / HTTP/1.0") + head[eol:])
        except self._parser_upgrade:
            pass
        except self._parser_error as error:
            if isinstance(error.__context__, Refusal):
                raise error.__context__ from None
            if not isinstance(error.__context__, Exception) and error.__context__ is not None:
                raise error.__context__ from None
            raise Refusal(400, "The headers are malformed.") from None
        if len(block.raw) > self._header_count:
            raise Refusal(431, f"There are more than {self._header_count} header lines.")
        if line[5] is not None:
            # RFC 9112, 3.2.2: the authority of an absolute target wins over the Host header.
            block.raw = [pair for pair in block.raw if pair[0] != b"host"]
            block.raw.insert(0, (b"host", line[5]))
        if block.host is None:
            if is_new:
                raise Refusal(400, "The Host header is missing.")
        elif not _HOST.fullmatch(block.host):
            raise Refusal(400, "The Host header is malformed.")
        if block.chunked and not is_new:
            raise Refusal(400, "HTTP/1.0 has no chunks.")
        if is_new and block.length >= 0 and not (block.close or block.expects or block.upgrade or line[5]):
            self._remember(head[eol:], block)
        return block

    def _remember(self, lines: bytes, block: Block) -> None:
        if len(lines) <= _SHORT_BLOCK:
            if len(self.blocks) >= _REMEMBERED:
                self.blocks.clear()
            # One object for all who send these lines; nobody can change it.
            headers = Headers.from_raw(tuple(block.raw))
            headers._by_name()
            self.blocks[lines] = (headers, block.length)

    def join(self, data: bytes, line: Line, headers: Headers, length: int) -> Head:
        """Return a head whose two parts were read before, and remember it whole."""
        head = (*line[:5], line[6], headers.raw, headers, length)
        if len(data) <= _SHORT_LINE + _SHORT_BLOCK:
            if len(self.heads) >= _REMEMBERED:
                self.heads.clear()
            self.heads[data] = head
        return head
