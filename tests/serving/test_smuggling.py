"""What two servers in a row might read differently is refused (RFC 9112, section 11.2)."""

import pytest

from tests.serving.running import Running, get

HEAD = b"Host: example.org\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    "two hosts in 1.0": (400, b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    "host with a path": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "host with a user": (400, b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    "host with a space": (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "host with two ports": (400, b"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"),
    "length and chunks": (
        400,
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "chunks and length": (
        400,
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    ),
    "two lengths": (400, b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    "a list of lengths": (400, b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 3, 3\r\n\r\nabc"),
    "a signed length": (400, b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: +3\r\n\r\nabc"),
    "a negative length": (400, b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: -3\r\n\r\nabc"),
    "a length in hex": (400, b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 0x3\r\n\r\nabc"),
    "an empty length": (400, b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length:\r\n\r\nabc"),
    "an endless length": (400, b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 99999999999999999999\r\n\r\nabc"),
    "another coding": (501, b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: gzip\r\n\r\n"),
    "two codings": (501, b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunked twice": (
        400,
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "chunked, then another": (
        400,
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ),
    "an empty element": (501, b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
    "a coding hidden by a tab": (
        400,
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    "a coding of another name": (501, b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: xchunked\r\n\r\n"),
    "chunks in 1.0": (400, b"POST / HTTP/1.0\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a folded line": (400, b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\r\n b\r\n\r\n"),
    "a line folded by a tab": (400, b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\r\n\tb\r\n\r\n"),
    "a folded first line": (400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    "bare line feeds": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "one bare line feed": (400, b"GET / HTTP/1.1\r\nX: y\nHost: a\r\n\r\n"),
    "a bare carriage return": (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n"),
    "a carriage return too many": (400, b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    "a space before the colon": (400, b"GET / HTTP/1.1\r\n" + HEAD + b"Content-Length : 3\r\n\r\nabc"),
    "a space before the name": (400, b"GET / HTTP/1.1\r\n X: a\r\n" + HEAD + b"\r\n"),
    "no colon": (400, b"GET / HTTP/1.1\r\n" + HEAD + b"X\r\n\r\n"),
    "no name": (400, b"GET / HTTP/1.1\r\n" + HEAD + b": x\r\n\r\n"),
    "a name that is no token": (400, b"GET / HTTP/1.1\r\n" + HEAD + b"X(y): x\r\n\r\n"),
    "a null in a value": (400, b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\x00b\r\n\r\n"),
    "a space in the target": (400, b"GET /a b HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "two spaces": (400, b"GET  / HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "a tab in the target": (400, b"GET /\ta HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "a null in the target": (400, b"GET /\x00 HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "a coded null": (400, b"GET /%00 HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "bytes in the target": (400, b"GET /\xc3\xa9 HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "no UTF-8 in the path": (400, b"GET /%ff HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "a fragment": (400, b"GET /#a HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "no slash": (400, b"GET a HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "a star for GET": (400, b"GET * HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "an absolute target with a user": (400, b"GET http://a@b/ HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "another scheme": (400, b"GET ftp://a/ HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "no version": (400, b"GET /\r\n\r\n"),
    "HTTP/0.9": (505, b"GET / HTTP/0.9\r\n\r\n"),
    "HTTP/2.0": (505, b"GET / HTTP/2.0\r\n" + HEAD + b"\r\n"),
    "another protocol": (400, b"GET / RTSP/1.0\r\n" + HEAD + b"\r\n"),
    "an unknown method": (501, b"FOO / HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "a method in lower case": (501, b"get / HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "a malformed method": (400, b"G@T / HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "CONNECT": (501, b"CONNECT a:80 HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "another expectation": (417, b"POST / HTTP/1.1\r\n" + HEAD + b"Expect: magic\r\nContent-Length: 1\r\n\r\nx"),
    "the start of TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "HTTP/2 in the clear": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a long target": (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n"),
    "a target without end": (414, b"GET /" + b"a" * 20000),
    "large headers": (431, b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 17000 + b"\r\n\r\n"),
    "headers without end": (431, b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 40000),
    "many headers": (431, b"GET / HTTP/1.1\r\n" + HEAD + b"".join(b"X%d: y\r\n" % n for n in range(101)) + b"\r\n"),
}

BAD_CHUNKS = {
    "a size with a space": b"3 \r\nabc\r\n0\r\n\r\n",
    "a size with a sign": b"+3\r\nabc\r\n0\r\n\r\n",
    "a size with a prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "a size with an underscore": b"1_0\r\n0123456789012345\r\n0\r\n\r\n",
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "an endless size": b"ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a bare line feed": b"3\nabc\r\n0\r\n\r\n",
    "a bare line feed behind the data": b"3\r\nabc\n0\r\n\r\n",
    "too much data": b"3\r\nabcd\r\n0\r\n\r\n",
    "too little data": b"5\r\nabc\r\n0\r\n\r\n",
    "a line feed in an extension": b"3;a=\n\r\nabc\r\n0\r\n\r\n",
    "a long extension": b"3;" + b"a" * 5000 + b"\r\nabc\r\n0\r\n\r\n",
    "a folded trailer": b"0\r\nX: a\r\n b\r\n\r\n",
    "a trailer without a colon": b"0\r\nX\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_and_malformed_heads_are_refused(server: Running, name: str) -> None:
    """Each is answered once, with the right status, and the connection ends: nothing behind it is read as a request."""
    status, data = REFUSED[name]
    got = server.ask(data + get())
    assert got.startswith(b"HTTP/1.1 %d " % status), got[:200]
    assert got.count(b"HTTP/1.1 ") == 1
    assert b"connection: close\r\n" in got


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_malformed_chunks_are_refused(server: Running, name: str) -> None:
    """The handler sees a bad request where it reads, the client gets 400, and the connection ends."""
    got = server.ask(CHUNKED + BAD_CHUNKS[name] + get())
    assert got.startswith(b"HTTP/1.1 400 "), got[:200]
    assert got.count(b"HTTP/1.1 ") == 1


def test_what_is_merely_unusual_is_read(server: Running) -> None:
    """Absolute targets, OPTIONS *, spaces around values, empty lines before a request and odd names are all allowed."""
    with server.connect() as client:
        client.send(b"\r\n\r\nGET http://other.example:81/about?a=1 HTTP/1.1\r\nHost: ignored\r\n\r\n")
        assert client.response()[2].split(b"\n")[:4] == [b"GET", b"/about", b"a=1", b"other.example:81"]
        client.send(b"GET http://other.example HTTP/1.1\r\nHost: ignored\r\n\r\n")
        assert client.response()[2] == b"Hello, World!"
        client.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response()[0] == 404
        client.send(b"GET / HTTP/1.1\r\nhOsT:   a\t \r\nX_y.z!: \r\nTransfer_Encoding: chunked\r\n\r\n")
        assert client.response()[2] == b"Hello, World!"
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3  \r\n\r\nabc")
        assert client.response()[2] == b"abc"
        client.send(b"GET /a%20b%C3%A9?q=%ff HTTP/1.1\r\nHost: [::1]:80\r\n\r\n")
        assert client.response()[0] == 404


def test_an_upgrade_that_is_not_spoken_here_is_ignored(server: Running) -> None:
    """An offer of h2c is passed over, with the body of the request read as a body (RFC 9110, 7.8)."""
    with server.connect() as client:
        client.send(
            b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Length: 5\r\n\r\nhello" + get()
        )
        assert client.response()[2] == b"hello"
        assert client.response()[2] == b"Hello, World!"
