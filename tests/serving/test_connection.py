"""Requests and responses on the wire: keep-alive, pipelining, bodies, HEAD, versions, early answers."""

import asyncio
import time

import pytest

from demijohn.http import Request, Response
from tests.serving.running import Running, get, post, running, small_app


def test_a_response_has_type_defaults_date_and_length(any_server: Running) -> None:
    """A plain response is complete: content type, the app's default headers, date and length."""
    with any_server.connect() as client:
        client.send(get())
        status, headers, body = client.response()
    assert (status, body) == (200, b"Hello, World!")
    assert headers.pop("date").endswith(" GMT")
    assert headers == {
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
        "content-length": "13",
    }


def test_a_connection_serves_many_requests(any_server: Running) -> None:
    """HTTP/1.1 keeps the connection, through the long way of the first request and the short way of those after it."""
    with any_server.connect() as client:
        for _ in range(5):
            client.send(get())
            assert client.response()[2] == b"Hello, World!"
            client.send(get("/nowhere"))
            assert client.response()[0] == 404


def test_pipelined_requests_are_answered_in_order(any_server: Running) -> None:
    """Requests sent at once are answered one after the other, also when an early one is slow."""
    with any_server.connect() as client:
        client.send(get("/slow") + get() + post("/echo", b"abc") + get("/numbers") + get("/nowhere"))
        assert [client.response()[2] for _ in range(5)] == [
            b"slow",
            b"Hello, World!",
            b"abc",
            b"0\n1\n2\n",
            b"nothing here",
        ]


def test_a_flood_of_pipelined_requests_is_bounded_and_answered(any_server: Running) -> None:
    """Thousands of pipelined requests are all answered, and what waits behind a slow one is read no further."""
    count = 20_000
    with any_server.connect(timeout=60) as client:
        client.sock.setblocking(True)
        client.send(get("/slow"))
        import threading

        sender = threading.Thread(target=client.send, args=(get() * count,))
        sender.start()
        assert client.response()[2] == b"slow"
        for _ in range(count):
            assert client.response()[2] == b"Hello, World!"
        sender.join()


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_request_may_arrive_in_any_pieces(any_server: Running, cut: int) -> None:
    """Wherever the network cuts a request, it is read the same."""
    data = post("/echo", b"a body of some bytes")
    with any_server.connect() as client:
        client.send(data[:cut])
        time.sleep(0.01)
        client.send(data[cut:])
        assert client.response()[2] == b"a body of some bytes"


def test_a_request_may_arrive_byte_by_byte(any_server: Running) -> None:
    """Single bytes make a request too."""
    with any_server.connect() as client:
        for byte in post("/echo", b"xyz"):
            client.send(bytes([byte]))
        assert client.response()[2] == b"xyz"


def test_a_head_that_is_known_is_read_as_at_first(any_server: Running) -> None:
    """Whatever came before, the same head gives the same request: with its body, without it, and before others."""
    echo = post("/echo", b"first", extra="Content-Type: text/plain\r\n")
    other = post("/echo", b"other", extra="Content-Type: text/plain\r\n")
    plain = get("/about?a=b", extra="X-One: 1\r\n")
    with any_server.connect() as client:
        for _ in range(4):
            client.send(echo)
            assert client.response()[2] == b"first"
            client.send(plain)
            assert client.response()[2].split(b"\n")[:4] == [b"GET", b"/about", b"a=b", b"example.org"]
        client.send(other[:-5])
        time.sleep(0.05)
        client.send(other[-5:])
        assert client.response()[2] == b"other"
        client.send(other[:-2])
        time.sleep(0.05)
        client.send(other[-2:] + plain)
        assert client.response()[2] == b"other"
        assert client.response()[0] == 200
        client.send(other + echo + plain + plain)
        assert [client.response()[2][:5] for _ in range(4)] == [b"other", b"first", b"GET\n/", b"GET\n/"]


def test_headers_of_one_request_are_no_other_s(any_server: Running) -> None:
    """Lines that two requests share cannot be changed by the one that has them."""

    @any_server.app.on("/change")  # type: ignore[untyped-decorator]
    async def change(request: Request) -> Response:
        seen = dict(request.headers.items())
        with pytest.raises((AttributeError, TypeError)):
            request.raw_headers.append((b"x-more", b"1"))  # type: ignore[attr-defined]
        request.raw_headers = [*request.raw_headers, (b"x-more", b"1")]
        request._headers = None
        assert request.headers["x-more"] == "1"
        return Response(",".join(seen).encode())

    with any_server.connect() as client:
        for _ in range(4):
            client.send(get("/change", extra="X-One: 1\r\n"))
            assert client.response()[2] == b"host,x-one"


def test_head_has_the_length_and_no_body(any_server: Running) -> None:
    """HEAD is answered with the head that GET would have."""
    with any_server.connect() as client:
        client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + b"HEAD /numbers HTTP/1.1\r\nHost: a\r\n\r\n" + get())
        status, headers, _ = client.response(head_only=True)
        assert (status, headers["content-length"]) == (200, "13")
        assert client.response(head_only=True)[0] == 200
        assert client.response()[2] == b"Hello, World!"


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body_have_none(status: int) -> None:
    """204 and 304 are sent without body, length and type, whatever the response holds."""
    app = small_app()

    @app.on("/empty")
    async def empty(request: Request) -> Response:
        return Response(b"must not be sent", status, content_type="text/plain")

    with running(app) as server, server.connect() as client:
        client.send(get("/empty") + get())
        got, headers, _ = client.response()
        assert got == status
        assert "content-length" not in headers
        assert "content-type" not in headers
        assert client.response()[2] == b"Hello, World!"


def test_own_headers_replace_defaults() -> None:
    """A header that the response sets stands once, in place of the app's default; several of one name are all sent."""
    app = small_app()

    @app.on("/own")
    async def own(request: Request) -> Response:
        response = Response(b"x", headers={"X-Content-Type-Options": "own", "X-A": "1", "Content-Length": "99"})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    with running(app) as server, server.connect() as client:
        client.send(get("/own"))
        head = client.until(b"\r\n\r\n")
    assert head.count(b"x-content-type-options: own\r\n") == 1
    assert b"nosniff" not in head
    assert head.count(b"set-cookie: ") == 2
    assert b"content-length: 1\r\n" in head
    assert b"99" not in head


def test_http_1_0_closes_unless_asked(any_server: Running) -> None:
    """HTTP/1.0 closes after the response, and keeps the connection where the client asks for that."""
    data = any_server.ask(get(version="1.0"))
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close\r\n" in data
    with any_server.connect() as client:
        for _ in range(2):
            client.send(get(version="1.0", extra="Connection: keep-alive\r\n"))
            assert client.response()[1]["connection"] == "keep-alive"


def test_connection_close_is_followed(any_server: Running) -> None:
    """`Connection: close` ends the connection after the response, which says so too."""
    data = any_server.ask(get(extra="Connection: close\r\n"))
    assert b"connection: close\r\n" in data
    assert data.endswith(b"Hello, World!")


@pytest.mark.parametrize("size", [0, 1, 100, 65_535, 65_536, 65_537, 300_000, 3_000_000])
def test_bodies_of_every_size_arrive_whole(any_server: Running, size: int) -> None:
    """Small bodies are there before the handler, large ones arrive while it reads: the bytes are the same."""
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    app = any_server.app
    app.handlers["/sum"] = _sum
    with any_server.connect(timeout=60) as client:
        client.send(post("/sum", body) + get())
        assert client.response()[2] == b"%d %d" % (size, sum(body))
        assert client.response()[2] == b"Hello, World!"


async def _sum(request: Request) -> Response:
    size = total = 0
    async for chunk in request.stream():
        size += len(chunk)
        total += sum(chunk)
        await asyncio.sleep(0)
    return Response(b"%d %d" % (size, total))


@pytest.mark.parametrize("pieces", [1, 2, 50])
def test_chunked_bodies_arrive_whole(any_server: Running, pieces: int) -> None:
    """A chunked body is put together, its trailers dropped, and the next request found behind it."""
    chunk = b"0123456789" * 1000
    body = (b"%x;ext=1\r\n%b\r\n" % (len(chunk), chunk)) * pieces + b"0\r\nX-Trailer: 1\r\n\r\n"
    with any_server.connect() as client:
        client.send(b"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body + get())
        assert client.response()[2] == b"%d" % (10_000 * pieces)
        assert client.response()[2] == b"Hello, World!"


def test_100_continue_comes_when_the_body_is_read_and_not_before() -> None:
    """`Expect: 100-continue` is answered when the handler reads; one that refuses sends its answer instead."""
    app = small_app()

    @app.on("/refuse")
    async def refuse(request: Request) -> Response:
        return Response(b"no", 403)

    expect = "Expect: 100-continue\r\nContent-Length: 5\r\n"
    with running(app) as server:
        with server.connect() as client:
            client.send(f"POST /echo HTTP/1.1\r\nHost: a\r\n{expect}\r\n".encode())
            assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.send(b"hello")
            assert client.response()[2] == b"hello"
            client.send(get())
            assert client.response()[2] == b"Hello, World!"
        data = server.ask(f"POST /refuse HTTP/1.1\r\nHost: a\r\n{expect}\r\n".encode())
        assert data.startswith(b"HTTP/1.1 403 ")
        assert b"connection: close\r\n" in data
        assert b"100 Continue" not in data


def test_an_early_answer_arrives_although_the_body_was_not_read() -> None:
    """A handler that does not read a large body is heard: the rest is thrown away before the connection ends."""
    app = small_app()

    @app.on("/early")
    async def early(request: Request) -> Response:
        return Response(b"too large", 413)

    body = bytes(5_000_000)
    with running(app) as server, server.connect() as client:
        client.send(post("/early", body))
        status, headers, text = client.response()
        assert (status, headers["connection"], text) == (413, "close", b"too large")
        assert client.is_closed


def test_a_handler_that_fails_or_says_nothing_is_a_500(any_server: Running, caplog: pytest.LogCaptureFixture) -> None:
    """What escapes the app is a plain 500 without a word of what happened, and one log entry."""

    async def fail(request: Request) -> Response:
        raise RuntimeError("secret")

    async def late(request: Request) -> Response:
        await asyncio.sleep(0.001)
        raise RuntimeError("secret")

    any_server.app.handlers.update({"/fail": fail, "/late": late})
    for path in ("/fail", "/late"):
        caplog.clear()
        data = any_server.ask(get(path))
        assert data.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert b"secret" not in data
        assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [RuntimeError]


def test_a_half_closed_client_gets_its_answer(any_server: Running) -> None:
    """A client that shuts its sending side after the request still gets the response."""
    import socket

    with any_server.connect() as client:
        client.send(get("/slow"))
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest().endswith(b"slow")


def test_the_server_survives_clients_that_leave(any_server: Running) -> None:
    """A client that leaves in the middle of anything leaves nothing behind."""
    for data in (
        b"",
        b"GET",
        get()[:-2],
        get("/slow"),
        post("/echo", bytes(1000))[:-1],
        post("/count", bytes(200_000))[:-1],
    ):
        with any_server.connect() as client:
            client.send(data)
        with any_server.connect() as client:
            client.send(get())
            assert client.response()[0] == 200
    deadline = time.monotonic() + 30
    hub = any_server.server.hub
    assert hub is not None
    while (any_server.call(lambda: (len(hub.connections), len(hub.tasks), hub.active))) != (0, 0, 0):
        assert time.monotonic() < deadline, (hub.connections, hub.tasks, hub.active)
        time.sleep(0.02)


def test_several_servers_live_in_one_process() -> None:
    """Two servers in one process have ports of their own and do not know each other."""
    with running() as one, running() as two:
        assert one.port != two.port
        assert one.ask(get(extra="Connection: close\r\n")).endswith(b"Hello, World!")
        assert two.ask(get(extra="Connection: close\r\n")).endswith(b"Hello, World!")


def test_start_up_and_shutdown_run_once() -> None:
    """The app's start-up comes before the first request, its draining and shutdown after the last."""
    with running() as server:
        server.ask(get(extra="Connection: close\r\n"))
    assert server.app.events == ["startup", "ended /", "drain", "shutdown"]
