"""The clients: in the process and over a socket, sync and async."""

import asyncio
import io
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar

import httpx2
import pytest

from demijohn import App, Request, Response, Settings, abort, after_response, redirect, wait
from demijohn.errors import DemijohnError
from demijohn.http import RedirectResponse
from demijohn.sessions import Session
from demijohn.testing import AsyncClient, Portal, TestClient
from demijohn.testing.portal import WrongThread, shared_portal

LIVE = pytest.mark.parametrize("live", [False, True], ids=["in process", "live"])
variable: ContextVar[str] = ContextVar("variable", default="unset")


class Mailer:
    """A service."""

    def __init__(self, name: str) -> None:
        self.name = name


def make_app() -> App:
    app = App(settings=Settings.load({}, files=(), allowed_hosts=("localhost", "127.0.0.1", ".example.com")))
    app.log = []
    app.provide(Mailer, lambda: Mailer("real"))

    @app.on_startup
    async def begin() -> None:
        app.log.append("start")
        app.gate = asyncio.Event()
        app.loop = asyncio.get_running_loop()

    @app.on_shutdown
    async def end() -> None:
        app.log.append("stop")

    @app.get("/")
    def home() -> str:
        return "Hello, World!"

    @app.get("/where")
    async def where() -> dict[str, object]:
        return {"same loop": asyncio.get_running_loop() is app.loop, "variable": variable.get()}

    @app.get("/boom")
    async def boom() -> str:
        raise ZeroDivisionError("boom")

    @app.get("/known")
    async def known() -> str:
        raise LookupError("known")

    @app.errorhandler(LookupError)
    def handle(error: LookupError) -> tuple[str, int]:
        return f"handled {error}", 418

    @app.get("/abort")
    def refuse() -> None:
        abort(503, "Not now.")

    @app.get("/old")
    def old() -> RedirectResponse:
        return redirect("/?from=old")

    @app.get("/count")
    def count(request: Request) -> Response:
        seen = int(request.cookies.get("seen", "0")) + 1
        response = Response(str(seen))
        response.set_cookie("seen", str(seen))
        return response

    @app.post("/echo")
    async def echo(request: Request) -> dict[str, object]:
        parts = [len(part) async for part in request.stream()]
        return {"size": sum(parts), "type": request.headers.get("content-type", "")}

    @app.post("/upload")
    async def upload(request: Request) -> dict[str, str]:
        form = await request.form()
        file = form.files["file"]
        return {"title": form["title"], "name": file.filename, "content": (await file.read()).decode()}

    @app.get("/stream")
    async def stream(request: Request) -> object:
        async def parts() -> AsyncIterator[str]:
            yield "first\n"
            await app.gate.wait()
            yield "second\n"

        return parts()

    @app.get("/silent")
    async def silent() -> AsyncIterator[str]:
        async def parts() -> AsyncIterator[str]:
            await app.gate.wait()
            yield "late\n"

        return parts()

    @app.post("/open")
    async def open_gate() -> str:
        app.gate.set()
        return "open"

    @app.get("/endless")
    async def endless() -> object:
        async def parts() -> AsyncIterator[str]:
            try:
                while True:
                    yield "x" * 1000
                    await asyncio.sleep(0)
            finally:
                app.log.append("left")

        return parts()

    @app.get("/broken")
    async def broken() -> object:
        async def parts() -> AsyncIterator[str]:
            yield "first\n"
            raise ZeroDivisionError("in the stream")

        return parts()

    @app.get("/after")
    def after() -> str:
        after_response(lambda: app.log.append("after"))
        return "answered"

    @app.get("/mailer")
    def mailer(mailer: Mailer) -> str:
        return mailer.name

    @app.get("/host", host="{tenant}.example.com")
    def host(tenant: str) -> str:
        return tenant

    @app.post("/form")
    def form() -> str:
        return "changed"

    return app


@pytest.fixture(name="own_app")
def _own_app() -> App:
    return make_app()


@LIVE
def test_requests(own_app: App, live: bool) -> None:
    """The client is httpx2's, the app's start-up and shutdown really run, once each."""
    with TestClient(own_app, live=live) as client:
        assert own_app.log == ["start"]
        response = client.get("/")
        assert response.text == "Hello, World!"
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert client.head("/").content == b""
        assert client.get("/nothing").status_code == 404
        assert client.post("/").status_code == 405
        assert client.get("/abort").status_code == 503
        assert client.get("/where").json() == {"same loop": True, "variable": "unset"}
    assert own_app.log == ["start", "stop"]


@LIVE
async def test_async_requests(own_app: App, live: bool) -> None:
    """The async client is the same, on the loop of the test."""
    async with AsyncClient(own_app, live=live) as client:
        assert (await client.get("/")).text == "Hello, World!"
        assert (await client.get("/where")).json()["same loop"] is True
        assert own_app.loop is asyncio.get_running_loop()
    assert own_app.log == ["start", "stop"]


def test_a_handler_has_a_context_of_its_own(own_app: App) -> None:
    """What a test sets in its context does not reach the handler, as under a server."""
    token = variable.set("of the test")
    try:
        with TestClient(own_app) as client:
            assert client.get("/where").json()["variable"] == "unset"
    finally:
        variable.reset(token)


def test_without_a_with_block(own_app: App) -> None:
    """The app starts with the first request, and stops when the last of its clients is closed."""
    first, second = TestClient(own_app), TestClient(own_app)
    assert own_app.log == []
    assert first.get("/").status_code == 200
    assert second.get("/").status_code == 200
    first.close()
    assert own_app.log == ["start"]
    second.close()
    assert own_app.log == ["start", "stop"]


def test_a_client_that_nobody_closes() -> None:
    """At the end of the process the app is shut down all the same."""
    program = (
        "from demijohn import App\n"
        "from demijohn.testing import TestClient\n"
        "app = App()\n"
        "app.get('/')(lambda: 'x')\n"
        "app.on_shutdown(lambda: print('stopped'))\n"
        "client = TestClient(app)\n"
        "print(client.get('/').text)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["x", "stopped"]
    assert result.stderr == ""


@LIVE
def test_exceptions_surface(own_app: App, live: bool) -> None:
    """What no error handler knows is raised in the test; what one knows is answered."""
    with TestClient(own_app, live=live) as client:
        with pytest.raises(ZeroDivisionError, match="boom"):
            client.get("/boom")
        assert client.get("/known").text == "handled known"
        assert client.get("/").status_code == 200
    with TestClient(own_app, live=live, raise_server_exceptions=False) as client:
        assert client.get("/boom").status_code == 500


def test_start_up_errors_surface() -> None:
    """An exception of the start-up is raised by the client, as it is."""
    app = App()

    @app.on_startup
    def begin() -> None:
        raise ZeroDivisionError("at the start")

    with pytest.raises(ZeroDivisionError, match="at the start"):
        TestClient(app).get("/")
    with pytest.raises(ZeroDivisionError, match="at the start"):
        TestClient(app).__enter__()


@LIVE
def test_cookies_are_kept(own_app: App, live: bool) -> None:
    """Cookies that the app sets come back, and may be given at the beginning."""
    with TestClient(own_app, live=live) as client:
        assert [client.get("/count").text for _ in range(3)] == ["1", "2", "3"]
        assert client.cookies["seen"] == "3"
        client.cookies.clear()
        assert client.get("/count").text == "1"
    with TestClient(own_app, cookies={"seen": "7"}) as client:
        assert client.get("/count").text == "8"
        assert client.get("/count").text == "9"


@LIVE
def test_redirects_are_not_followed_unless_asked(own_app: App, live: bool) -> None:
    """As in Flask, a redirect is a response of its own."""
    with TestClient(own_app, live=live) as client:
        response = client.get("/old")
        assert response.status_code in (302, 303)
        assert response.headers["location"] == "/?from=old"
        assert client.get("/old", follow_redirects=True).text == "Hello, World!"
    with TestClient(own_app, live=live, follow_redirects=True) as client:
        assert client.get("/old").url.query == b"from=old"


@LIVE
def test_bodies(own_app: App, live: bool) -> None:
    """JSON, forms, streams of parts and files arrive."""
    with TestClient(own_app, live=live) as client:
        assert client.post("/echo").json()["size"] == 0
        assert client.post("/echo", json={"a": 1}).json() == {"size": 7, "type": "application/json"}
        assert client.post("/echo", content=iter([b"x" * 70_000, b"y" * 30_000])).json()["size"] == 100_000
        answer = client.post("/upload", data={"title": "T"}, files={"file": ("a.txt", io.BytesIO(b"content"))})
        assert answer.json() == {"title": "T", "name": "a.txt", "content": "content"}


async def test_an_async_body_is_read_as_the_app_asks(own_app: App) -> None:
    """An async client sends the parts of a stream one by one."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 10
            await asyncio.sleep(0)

    async with AsyncClient(own_app) as client:
        assert (await client.post("/echo", content=parts())).json()["size"] == 30


@LIVE
def test_streams_arrive_as_they_are_produced(own_app: App, live: bool) -> None:
    """The head and each part of a stream are there before the next is produced."""
    with TestClient(own_app, live=live) as client, TestClient(own_app) as other:
        with client.stream("GET", "/stream") as response:
            assert response.status_code == 200
            lines = response.iter_lines()
            assert next(lines) == "first"
            other.post("/open")
            assert next(lines) == "second"
            assert list(lines) == []


async def test_async_streams_arrive_as_they_are_produced(own_app: App) -> None:
    """The async client has the head of a stream before its first part exists."""
    async with AsyncClient(own_app) as client, client.stream("GET", "/silent") as response:
        assert response.status_code == 200
        await client.post("/open")
        assert [line async for line in response.aiter_lines()] == ["late"]


@LIVE
def test_leaving_a_stream_ends_it(own_app: App, live: bool) -> None:
    """A client that closes an endless stream is noticed by the app: its clean-up runs."""
    with TestClient(own_app, live=live) as client:
        with client.stream("GET", "/endless") as response:
            assert next(response.iter_bytes()).startswith(b"x")
        assert client.get("/").status_code == 200
    assert "left" in own_app.log


def test_an_error_in_a_stream_surfaces(own_app: App) -> None:
    """An exception behind the first part of a stream is raised where the stream is read."""
    with TestClient(own_app) as client, client.stream("GET", "/broken") as response:
        lines = response.iter_lines()
        assert next(lines) == "first"
        with pytest.raises(ZeroDivisionError, match="in the stream"):
            list(lines)


def test_what_runs_after_the_response_has_run(own_app: App) -> None:
    """When the client returns, what the app does after the response is done."""
    with TestClient(own_app) as client:
        for number in range(1, 20):
            client.get("/after")
            assert own_app.log.count("after") == number


@LIVE
def test_services_are_overridden(own_app: App, live: bool) -> None:
    """A test may put another service in the place of one, for a while."""
    with TestClient(own_app, live=live) as client:
        assert client.get("/mailer").text == "real"
        with own_app.override(Mailer, lambda: Mailer("fake")):
            assert client.get("/mailer").text == "fake"
        assert client.get("/mailer").text == "real"


def test_the_client_plays_the_visitor_of_the_site(own_app: App) -> None:
    """A form post with cookies is no forgery; one from another site is, where the test says so."""
    with TestClient(own_app, cookies={"session": "x"}) as client:
        assert client.post("/form").text == "changed"
        assert client.headers["sec-fetch-site"] == "same-origin"


def test_other_hosts_and_schemes(own_app: App) -> None:
    """Any host leads to the app, so that routes of hosts can be tested; https is only a word here."""
    with TestClient(own_app, base_url="https://ann.example.com") as client:
        assert client.get("/host").text == "ann"
        assert client.get("https://bob.example.com/host").text == "bob"
        assert client.get("http://localhost/host").status_code == 404


def test_two_clients_share_the_app_and_not_their_cookies(own_app: App) -> None:
    """Each client is a visitor of its own."""
    with TestClient(own_app) as one, TestClient(own_app) as two:
        assert one.get("/count").text == "1"
        assert one.get("/count").text == "2"
        assert two.get("/count").text == "1"


async def test_the_sync_client_refuses_the_loop_of_the_app(own_app: App) -> None:
    """Waiting on the loop for the loop would never end, so it is refused with what to write."""
    async with AsyncClient(own_app) as client:
        assert (await client.get("/")).status_code == 200
        with pytest.raises(WrongThread, match="DJN-620"):
            TestClient(own_app).get("/")

    async def on_the_portal() -> None:
        shared_portal().run(asyncio.sleep(0))

    with pytest.raises(WrongThread, match="DJN-620"):
        shared_portal().run(on_the_portal())


async def test_an_async_client_reaches_an_app_on_another_loop(own_app: App) -> None:
    """Where the app runs in the portal's thread already, requests and streams go there."""
    with TestClient(own_app) as sync:
        async with AsyncClient(own_app) as client:
            assert (await client.get("/where")).json()["same loop"] is True
            assert (await client.post("/echo", content=b"abc")).json()["size"] == 3
            async with client.stream("GET", "/stream") as response:
                lines = response.aiter_lines()
                assert await anext(lines) == "first"
                await asyncio.to_thread(sync.post, "/open")
                assert await anext(lines) == "second"
    assert own_app.log == ["start", "stop"]


async def test_a_live_async_client_must_be_entered(own_app: App) -> None:
    """Its server starts with the block; without it the client says so."""
    client = AsyncClient(own_app, live=True)
    with pytest.raises(DemijohnError, match="DJN-622"):
        await client.get("/")
    await client.aclose()


def test_a_time_out(own_app: App) -> None:
    """A request with a time-out that passes raises httpx2's own exception."""
    app = App()

    @app.get("/slow")
    async def slow() -> str:
        await asyncio.Event().wait()
        return "never"

    with TestClient(app) as client, pytest.raises(httpx2.ReadTimeout):
        client.get("/slow", timeout=0.05)


def test_any_asgi_app() -> None:
    """The client takes any ASGI app, with or without the lifespan protocol."""
    log: list[str] = []

    async def full(scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                log.append(kind)
                await send({"type": f"{kind}.complete"})
                if kind.endswith("shutdown"):
                    return
        await send({"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"1")]})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"two"})

    with TestClient(full) as client:
        response = client.get("/")
        assert (response.status_code, response.text, response.headers["x-a"]) == (201, "onetwo", "1")
    assert log == ["lifespan.startup", "lifespan.shutdown"]

    async def bare(scope, receive, send) -> None:
        assert scope["type"] == "http"
        if scope["path"] == "/silent":
            return
        raise ZeroDivisionError

    with TestClient(bare) as client:
        with pytest.raises(ZeroDivisionError):
            client.get("/")
        with pytest.raises(RuntimeError, match="without a response"):
            client.get("/silent")
    with TestClient(bare, raise_server_exceptions=False) as client:
        assert client.get("/").status_code == 500


def test_the_scope_is_that_of_a_server() -> None:
    """Paths, queries, headers and addresses are given as a server gives them."""
    scopes: list[dict[str, object]] = []

    async def app(scope, receive, send) -> None:
        if scope["type"] == "http":
            scopes.append(scope)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

    with TestClient(app, headers={"X-Test": "y"}) as client:
        client.get("/a%2Fb/caf%C3%A9", params={"q": "x y"})
    scope = scopes[0]
    assert scope["path"] == "/a/b/café"
    assert scope["raw_path"] == b"/a%2Fb/caf%C3%A9"
    assert scope["query_string"] in (b"q=x+y", b"q=x%20y")
    assert scope["server"] == ("localhost", 80)
    assert scope["scheme"] == "http"
    headers = dict(scope["headers"])
    assert headers[b"host"] == b"localhost"
    assert headers[b"x-test"] == b"y"


def test_a_portal_of_ones_own() -> None:
    """A portal runs awaitables for sync code, raises what they raise, and ends its thread when closed."""
    portal = Portal()
    with portal:
        thread = portal.run(asyncio.sleep(0, threading.Thread))
        assert thread is threading.Thread
        with pytest.raises(KeyError):
            portal.run(_raise(KeyError()))
        with pytest.raises(SystemExit):
            portal.run(_raise(SystemExit()))
        assert portal.run(asyncio.sleep(0, "still there")) == "still there"
        loop = portal.loop
    assert loop.is_closed()
    portal.close()


async def _raise(error: BaseException) -> None:
    raise error


def test_a_sync_generator_of_parts_is_sent(own_app: App) -> None:
    """A generator as a body is read to its end."""

    def parts() -> Iterator[bytes]:
        yield b"abc"
        yield b""
        yield b"de"

    with TestClient(own_app) as client:
        assert client.post("/echo", content=parts()).json()["size"] == 5


async def test_sessions_between_requests() -> None:
    """Both clients read and change the session of their visitor, with the sessions that an app really has."""
    app = App(settings=Settings.load({}, files=(), env="test"))

    @app.get("/")
    def cart(session: Session) -> dict[str, object]:
        session["visits"] = session.get("visits", 0) + 1
        return {"cart": session.get("cart")}

    async with AsyncClient(app) as client:
        async with client.session_transaction() as session:
            session["cart"] = [7]
        assert (await client.get("/")).json() == {"cart": [7]}
        async with client.session_transaction() as session:
            assert session["visits"] == 1


def test_a_sync_client_changes_the_session() -> None:
    """The sync client does the same in a `with` block."""
    app = App(settings=Settings.load({}, files=(), env="test"))
    app.get("/")(_cart)
    with TestClient(app) as client:
        with client.session_transaction() as session:
            session["cart"] = [7]
        assert client.get("/").json() == {"cart": [7]}


def _cart(session: Session) -> dict[str, object]:
    return {"cart": session.get("cart")}


@pytest.mark.parametrize("sync", [False, True])
def test_a_client_that_gives_up_cancels_no_handler(sync: bool) -> None:
    """As under a server: the handler goes on to its end; what never ends is cut when the app is stopped."""
    app = App()
    release = threading.Event()
    log: list[str] = []

    async def be_long() -> None:
        try:
            while not release.is_set():
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            log.append("cut")
            raise
        log.append("ended")

    async def slow(request: Request) -> str:
        await be_long()
        while not request.is_disconnected():
            await asyncio.sleep(0)
        log.append("left")
        return "not heard"

    def slow_sync() -> str:
        wait(be_long())
        return "not heard"

    app.get("/")(slow_sync if sync else slow)
    with TestClient(app) as client:
        with pytest.raises(httpx2.ReadTimeout):
            client.get("/", timeout=0.05)
        assert log == []
        release.set()
        end = time.monotonic() + 30
        while len(log) < (1 if sync else 2):
            assert time.monotonic() < end
            time.sleep(0.001)
        assert log == (["ended"] if sync else ["ended", "left"])
        release.clear()
        log.clear()
        with pytest.raises(httpx2.ReadTimeout):
            client.get("/", timeout=0.05)
    assert log == ["cut"]
