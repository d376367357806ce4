"""The WSGI face: `wsgiref.validate` finds nothing, and other frameworks can host the app."""

import io
from collections.abc import AsyncIterator, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from demijohn import App, Request, StreamResponse, current, wait


@pytest.fixture
def app() -> Iterator[App]:
    app = App()

    @app.get("/")
    def home() -> str:
        return f"hello {current.request.root_path}"

    @app.post("/echo")
    async def echo(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    @app.post("/sync")
    def sync(request: Request) -> bytes:
        return wait(request.body())

    @app.get("/stream")
    async def stream() -> StreamResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(100):
                yield b"%d," % number

        return StreamResponse(pieces(), content_type="text/plain")

    yield app
    app.wsgi.close()  # type: ignore[attr-defined]


def get(app: Any, path: str, *, method: str = "GET", body: bytes = b"") -> tuple[str, dict[str, str], bytes]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "wsgi.input": io.BytesIO(body),
    }
    setup_testing_defaults(environ)
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    answer: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        answer[:] = [status, dict(headers)]
        return lambda data: None

    result = validator(app)(environ, start_response)
    try:
        content = b"".join(result)
    finally:
        result.close()  # type: ignore[attr-defined]
    return answer[0], answer[1], content


def test_requests_through_the_validator(app: App) -> None:
    """Texts, JSON, bodies small and large, streams, HEAD and errors obey PEP 3333."""
    assert get(app.wsgi, "/")[::2] == ("200 OK", b"hello ")
    assert get(app.wsgi, "/echo", method="POST", body=b"x" * 10)[2] == b'{"size":10}'
    assert get(app.wsgi, "/echo", method="POST", body=b"x" * 300_000)[2] == b'{"size":300000}'
    assert get(app.wsgi, "/sync", method="POST", body=b"abc")[2] == b"abc"
    assert get(app.wsgi, "/stream")[2].startswith(b"0,1,2,")
    assert get(app.wsgi, "/", method="HEAD")[2] == b""
    assert get(app.wsgi, "/nothing")[0] == "404 Not Found"


def test_inside_of_flask_by_the_dispatcher(app: App) -> None:
    """Werkzeug's dispatcher puts the app below a Flask site."""
    import flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    site = flask.Flask("host")

    @site.get("/")
    def home() -> str:
        return "flask"

    both = DispatcherMiddleware(site.wsgi_app, {"/new": app.wsgi})
    assert get(both, "/")[2] == b"flask"
    assert get(both, "/new/")[2] == b"hello /new"


def test_a_reader_that_leaves_early_ends_the_stream(app: App) -> None:
    """Closing the iterable stops the generator instead of filling memory."""
    environ: dict[str, Any] = {"PATH_INFO": "/stream", "SCRIPT_NAME": "", "QUERY_STRING": ""}
    setup_testing_defaults(environ)
    result: Any = app.wsgi(environ, lambda *args: lambda data: None)
    assert next(result) == b"0,"
    result.close()
    result._future.result(5)
