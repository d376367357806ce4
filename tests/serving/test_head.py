"""Reading heads: what is remembered reads as what is new, and nothing odd gets through."""

import re

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.http import Headers
from demijohn.serving.head import HeadReader
from demijohn.serving.refusal import Refusal


def reader(**options: object) -> HeadReader:
    limits: dict[str, object] = {"header_size": 16384, "header_count": 100, "target_size": 8192, **options}
    return HeadReader(**limits)  # type: ignore[arg-type]


def read(head: bytes, by: HeadReader | None = None):  # type: ignore[no-untyped-def]
    by = by or reader()
    eol = head.find(b"\r\n")
    line = by.read_line(head[:eol])
    return line, by.read_block(head, eol, line)


TARGETS = st.text('abc/%25 20é?=&#.*:@[]{}|\\"<>\x00\x7f', max_size=20)


@given(TARGETS)
def test_a_target_is_read_or_refused(target: str) -> None:
    """A target that is read has a decoded path that begins with a slash and holds no null; all others are refused."""
    raw = target.encode()
    try:
        line = reader().read_line(b"GET " + raw + b" HTTP/1.1")
    except Refusal:
        return
    _, path, raw_path, query, is_new, authority, _ = line
    assert path.startswith("/")
    assert "\x00" not in path
    assert is_new
    if authority is None:
        assert raw == raw_path + (b"?" + query if query or b"?" in raw else b"")


@given(st.binary(max_size=60))
def test_any_first_line_is_read_or_refused(line: bytes) -> None:
    """No bytes can make more than a refusal."""
    try:
        status = 0 if reader().read_line(line) else -1
    except Refusal as refusal:
        status = refusal.status
    assert status in (0, 400, 414, 501, 505)


class Oracle:
    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))


NAMES = st.sampled_from(
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"X", b"Expect", b"Upgrade", b"X ", b" X", b""]
)
VALUES = st.sampled_from(
    [
        b"a",
        b"3",
        b"03",
        b"+3",
        b"chunked",
        b"close",
        b"keep-alive, Upgrade",
        b"websocket",
        b"",
        b" ",
        b"a b",
        b"\xff",
        b"a\x00",
        b"100-continue",
    ]
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n "])


@given(st.lists(st.tuples(NAMES, VALUES, ENDS), max_size=5))
def test_header_lines_are_those_of_llhttp(lines: list[tuple[bytes, bytes, bytes]]) -> None:
    """What is read is exactly what llhttp reads, with every meaning taken from it; anything else is refused."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\n" + b"".join([b"%b: %b%b" % line for line in lines]) + b"\r\n"
    if head.find(b"\r\n\r\n") != len(head) - 4:
        return
    try:
        _, block = read(head)
    except Refusal:
        return
    oracle = Oracle()
    try:
        httptools.HttpRequestParser(oracle).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass
    assert block.raw == oracle.headers
    names = [name for name, _ in block.raw]
    assert names.count(b"host") == 1
    assert not (b"content-length" in names and b"transfer-encoding" in names)
    assert block.chunked == (b"transfer-encoding" in names)
    if b"content-length" in names:
        assert block.length == 3


def test_only_what_is_plain_is_remembered() -> None:
    """Blocks that change how the connection goes on are read anew each time; plain ones are found again, unchanged."""
    by = reader()
    _, block = read(b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n", by)
    ((lines, (headers, length)),) = by.blocks.items()
    assert (lines, headers.raw, length) == (b"\r\nHost: a\r\nX: 1\r\n\r\n", tuple(block.raw), 0)
    assert list(by.lines) == [b"GET / HTTP/1.1"]
    for extra in (
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"Upgrade: x\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ):
        read(b"GET /a HTTP/1.1\r\nHost: a\r\n" + extra + b"\r\n", by)
    read(b"GET http://b/a HTTP/1.1\r\nHost: a\r\n\r\n", by)
    read(b"GET / HTTP/1.0\r\nHost: c\r\n\r\n", by)
    assert len(by.blocks) == 1
    assert set(by.lines) == {b"GET / HTTP/1.1", b"GET /a HTTP/1.1"}


def test_memory_is_bounded() -> None:
    """However many different heads come, only so many are kept, and no large ones."""
    by = reader()
    for number in range(3000):
        read(b"GET /%d HTTP/1.1\r\nHost: a\r\nX: %d\r\n\r\n" % (number, number), by)
    read(b"GET /" + b"a" * 1000 + b" HTTP/1.1\r\nHost: a\r\nX: " + b"b" * 5000 + b"\r\n\r\n", by)
    assert len(by.lines) <= 1024
    assert len(by.blocks) <= 1024
    assert max(map(len, by.blocks)) <= 2048
    assert max(map(len, by.lines)) <= 256
    headers = Headers.from_raw(((b"host", b"a"),))
    for number in range(3000):
        data = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number
        by.join(data, by.read_line(data.partition(b"\r\n")[0]), headers, 0)
    assert len(by.heads) <= 1024
    long = b"GET /" + b"a" * 4000 + b" HTTP/1.1"
    assert by.join(long + b"\r\nHost: a\r\n\r\n", by.read_line(long), headers, 0)[1] == "/" + "a" * 4000
    assert max(map(len, by.heads)) <= 2304


@pytest.mark.parametrize(
    ("path", "expected"), [("/shop/a", "/a"), ("/shop", "/"), ("/shopping", "/shopping"), ("/a", "/a")]
)
def test_the_root_path_is_taken_off(path: str, expected: str) -> None:
    """A prefix that a proxy left on is no part of the path that is routed."""
    assert reader(root_path="/shop").read_line(f"GET {path} HTTP/1.1".encode())[1] == expected


def test_bytes_of_a_path_are_decoded_once() -> None:
    """`%2525` is `%25`, not `%`; UTF-8 is read as such; a coded slash stays coded."""
    line = reader().read_line(b"GET /%2525/%C3%A9/a%2Fb?q=%41 HTTP/1.1")
    assert line[1] == "/%25/é/a%2Fb"
    assert line[2] == b"/%2525/%C3%A9/a%2Fb"
    assert line[3] == b"q=%41"
    assert re.fullmatch(rb"[!-~]+", line[2])
