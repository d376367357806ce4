"""Paths from the wire to the handler: decoded once, the same for every transport."""

from demijohn import App, Request
from demijohn.routing import Converter
from demijohn.testing import TestClient


def make_app() -> App:
    app = App()

    @app.get("/files/{name}")
    def file(request: Request) -> dict[str, object]:
        return {"name": request.path_params["name"], "path": request.path}

    @app.get("/files/a/b")
    def nested() -> str:
        return "nested"

    return app


def check(live: bool) -> None:
    with TestClient(make_app(), live=live) as client:
        assert client.get("/files/caf%C3%A9").json() == {"name": "café", "path": "/files/café"}
        assert client.get("/files/a/b").text == "nested"
        assert client.get("/files/a%2Fb").json() == {"name": "a%2Fb", "path": "/files/a%2Fb"}
        assert client.get("/files/a%252Fb").json()["name"] == "a%2Fb"
        assert client.get("/files/%2e%2e").status_code == 404
        assert client.get("/files/a%00").status_code == 400
        assert client.get("/files/%C0%AF").status_code == 400


def test_encoded_slashes_split_nothing() -> None:
    """`%2F` is data: it leads to no other route, and guards see the path that is routed."""
    check(live=False)


def test_our_server_reads_paths_the_same_way() -> None:
    """Our own server decodes as the ASGI entry does."""
    check(live=True)


def test_a_path_that_somebody_in_between_has_changed() -> None:
    """Where middleware rewrites the path of a scope and not the raw one, the path counts."""
    app = make_app()

    async def rewriting(scope, receive, send) -> None:
        if scope["type"] == "http":
            scope["path"] = "/files/a/b"
        await app(scope, receive, send)

    with TestClient(rewriting) as client:
        assert client.get("/other%20path").text == "nested"


def test_a_mounted_app_gets_what_it_expects() -> None:
    """Other frameworks get the decoded path, with encoded slashes decoded as their protocols say."""
    seen: list[str] = []

    async def other(scope, receive, send) -> None:
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    def wsgi(environ, start_response) -> list[bytes]:
        seen.append(environ["PATH_INFO"])
        start_response("204 No Content", [])
        return []

    app = App()
    app.mount("/old", other)
    app.mount("/older", wsgi)
    with TestClient(app) as client:
        assert client.get("/old/a%2Fb/c").status_code == 204
        assert client.get("/older/a%2Fb").status_code == 204
    assert seen == ["/old/a/b/c", "/a/b"]


def test_own_converters_of_an_app() -> None:
    """`app.add_converter` makes a converter known to patterns and to `url_for`."""

    class Hex(Converter[int]):
        regex = "[0-9a-f]+"

        def convert(self, text: str) -> int:
            return int(text, 16)

        def format(self, value: int) -> str:
            return f"{value:x}"

    app = App()
    app.add_converter("hex", Hex)

    @app.get("/colors/{color:hex}")
    def color(request: Request) -> dict[str, int]:
        return {"color": request.path_params["color"]}

    with TestClient(app) as client:
        assert client.get("/colors/ff").json() == {"color": 255}
        assert client.get("/colors/xx").status_code == 404
    assert app.url_for(color, color=255) == "/colors/ff"
