"""Foreign apps under a prefix: a real Flask and a real Django site, and ASGI apps that behave and misbehave."""

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator
from typing import Any

import pytest

from demijohn import App, StreamResponse, current
from demijohn.types import Receive, Scope, Send
from tests.app.calling import call


def make_flask() -> Any:
    import flask

    site = flask.Flask("old_site")

    @site.get("/")
    def home() -> str:
        return f"flask at {flask.request.script_root} {flask.url_for('show', number=3)}"

    @site.get("/show/<int:number>")
    def show(number: int) -> str:
        return f"{number} {flask.request.args.get('q')}"

    @site.post("/echo")
    def echo() -> Any:
        return flask.jsonify(flask.request.get_json()), 201, {"X-From": "flask"}

    @site.get("/stream")
    def stream() -> Any:
        return flask.Response((f"{number}," for number in range(3)), mimetype="text/plain")

    return site


async def test_a_flask_site_is_moved_in_whole() -> None:
    """Paths, queries, bodies, headers, streams and its own URLs work below the prefix."""
    app = App()
    app.mount("/old", make_flask())
    assert (await call(app, "GET", "/old/")).body == b"flask at /old /old/show/3"
    assert (await call(app, "GET", "/old")).headers["location"] == "http://localhost/old/"
    assert (await call(app, "GET", "/old/show/7?q=x")).body == b"7 x"
    assert (await call(app, "GET", "/old/none")).status == 404
    echoed = await call(app, "POST", "/old/echo", body=b'{"a": 1}', headers={"content-type": "application/json"})
    assert (echoed.status, echoed.headers["x-from"], echoed.body.strip()) == (201, "flask", b'{"a":1}')
    streamed = await call(app, "GET", "/old/stream")
    assert isinstance(streamed, StreamResponse)
    assert b"".join([piece async for piece in streamed.body_iterator]) == b"0,1,2,"
    await streamed.aclose()


async def test_a_django_site_is_moved_in_whole() -> None:
    """A Django project answers below the prefix and knows where it stands."""
    import django
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path, reverse

    urls = type(sys)("mounted_urls")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path(
            "page/<int:number>/",
            lambda request, number: HttpResponse(f"{number} {reverse('page', args=[9])}"),
            name="page",
        )
    ]
    sys.modules["mounted_urls"] = urls
    settings.configure(ROOT_URLCONF="mounted_urls", ALLOWED_HOSTS=["*"], SECRET_KEY="x" * 40, MIDDLEWARE=[])
    django.setup()
    app = App()
    app.mount("/legacy", get_wsgi_application())
    response = await call(app, "GET", "/legacy/page/4/")
    assert isinstance(response, StreamResponse), "Django gives no length without its CommonMiddleware"
    body = b"".join([piece async for piece in response.body_iterator])
    await response.aclose()
    assert (response.status, body) == (200, b"4 /legacy/page/9/")


async def test_an_asgi_app_sees_its_prefix() -> None:
    """The scope has the prefix in `root_path`, and the body and headers of the request."""
    seen: dict[str, Any] = {}

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(scope)
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 202, "headers": [(b"x-inner", b"1")]})
        await send({"type": "http.response.body", "body": body.upper()})

    app = App()
    app.mount("/in", inner)
    response = await call(app, "POST", "/in/deep?x=1", body=b"abc")
    assert (response.status, response.body, response.headers["x-inner"]) == (202, b"ABC", "1")
    assert (seen["root_path"], seen["path"], seen["query_string"]) == ("/in", "/in/deep", b"x=1")


async def test_a_demijohn_app_inside_of_another() -> None:
    """Both know their own routes, and `current` is the outer request again afterwards."""
    inner, outer = App(), App()

    @inner.get("/page/{id:int}", name="page")
    async def page(id: int) -> str:
        return f"{id} {current.request.root_path} {current.app is inner}"

    @outer.after_request
    async def check(response: Any) -> None:
        assert current.app is outer

    outer.mount("/in", inner)
    assert (await call(outer, "GET", "/in/page/3")).body == b"3 /in True"


async def test_an_asgi_stream_arrives_piece_by_piece_and_stops_when_the_client_leaves() -> None:
    """Pieces pass as they are sent; the inner app hears of the disconnect."""
    left = asyncio.Event()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            for number in range(1000):
                await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
        finally:
            left.set()

    app = App()
    app.mount("/in", inner)
    response = await call(app, "GET", "/in/")
    assert isinstance(response, StreamResponse)
    pieces: AsyncIterator[bytes] = response.body_iterator
    assert [await anext(pieces), await anext(pieces)] == [b"0", b"1"]
    await response.aclose()
    await asyncio.wait_for(left.wait(), 5)


async def test_a_broken_mount_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    """An app that sends nothing, or dies, is an error of ours and told in the log."""

    async def silent(scope: Scope, receive: Receive, send: Send) -> None: ...

    def never_starts(environ: Any, start_response: Any) -> list[bytes]:
        return [b"x"]

    app = App()
    app.mount("/silent", silent)
    app.mount("/never", never_starts)
    assert (await call(app, "GET", "/silent/x")).status == 500
    assert (await call(app, "GET", "/never/x")).status == 500
    assert textwrap.dedent(caplog.text).count("DJN-420") == 2


HEADERS = [
    ("x-a", "a\x00b"),
    ("x-a", "a\r\nset-cookie: b=c"),
    ("x-a", "a\x1bb"),
    ("x-a", "\x7f"),
    ("x a", "b"),
    ("x-a: b\r\nx-c", "d"),
    ("", "b"),
]


@pytest.mark.parametrize("kind", ["wsgi", "asgi", "asgi stream"])
@pytest.mark.parametrize(("name", "value"), HEADERS)
async def test_headers_of_a_mount_stay_within_their_lines(kind: str, name: str, value: str) -> None:
    """A header of a mounted app that holds a control character, or has no proper name, is a 500 and never sent."""
    cancelled = asyncio.Event()

    def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [(name, value)])
        return [b"x"]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        pair = (name.encode("latin-1"), value.encode("latin-1"))
        await send({"type": "http.response.start", "status": 200, "headers": [pair]})
        await send({"type": "http.response.body", "body": b"x", "more_body": kind == "asgi stream"})
        if kind == "asgi stream":
            try:
                await asyncio.sleep(10)
            finally:
                cancelled.set()

    app = App()
    app.mount("/old", wsgi if kind == "wsgi" else asgi)
    response = await call(app, "GET", "/old/")
    assert response.status == 500
    assert all(line[0] != b"x-a" for line in response._headers or ())
    if kind == "asgi stream":
        await asyncio.wait_for(cancelled.wait(), 5)
