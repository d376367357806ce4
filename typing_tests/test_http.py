"""What a checker knows of requests and responses."""

from collections.abc import AsyncIterator
from typing import Any, assert_type

from demijohn.http import (
    URL,
    Authorization,
    ETag,
    FormData,
    Headers,
    JSONResponse,
    Markup,
    MediaType,
    MultiDict,
    Range,
    RedirectResponse,
    Request,
    Response,
    ServerSentEvent,
    StreamResponse,
    UploadFile,
    WebSocket,
    html,
    redirect,
)


async def requests(request: Request) -> None:
    """Every attribute has its own type."""
    assert_type(request.method, str)
    assert_type(request.headers, Headers)
    assert_type(request.headers["host"], str)
    assert_type(request.headers.get("host"), str | None)
    assert_type(request.headers.get("host", ""), str)
    assert_type(request.query["page"], str)
    assert_type(request.query.get("page"), str | None)
    assert_type(request.query.get("page", 1, type=int), int)
    assert_type(request.query.get("page", type=int), int | None)
    assert_type(request.query.getlist("page"), list[str])
    assert_type(request.cookies["a"], str)
    assert_type(request.url, URL)
    assert_type(request.content_type, MediaType | None)
    assert_type(request.authorization, Authorization | None)
    assert_type(request.range, Range | None)
    assert_type(request.accept.best_match(["a/b"]), str | None)
    assert_type(request.accept.best_match(["a/b"], ""), str)
    assert_type(await request.body(), bytes)
    assert_type(await request.text(), str)
    assert_type(await request.json(), Any)
    assert_type(await request.json(list[int]), list[int])
    form = await request.form()
    assert_type(form, FormData)
    assert_type(form["a"], str | UploadFile)
    assert_type(form.fields, MultiDict[str])
    assert_type(form.files["a"], UploadFile)
    assert_type(await form.files["a"].read(), bytes)
    async for chunk in request.stream():
        assert_type(chunk, bytes)
    request.g.anything = 1


def responses() -> None:
    """Constructors and helpers."""
    response = Response("a", 201, {"X-A": "1"}, content_type="text/plain")
    assert_type(response.body, bytes)
    assert_type(response.etag, ETag | None)
    response.headers["X-A"] = "2"
    response.set_cookie("a", "b", samesite="strict")
    response.set_cache_control(public=True, max_age=60)
    assert_type(redirect("/"), RedirectResponse)
    assert_type(html("<b>{}</b>", 1), Markup)
    JSONResponse({"a": [1]}, headers=[("a", "b")])

    async def numbers() -> AsyncIterator[str]:
        yield "1"

    StreamResponse(numbers())
    StreamResponse(["a", b"b"])
    ServerSentEvent({"a": 1}, id=3)


async def sockets(ws: WebSocket) -> None:
    """Messages by their types."""
    await ws.accept()
    async for message in ws:
        assert_type(message, str | bytes)
    assert_type(await ws.receive_text(), str)
    assert_type(await ws.receive_json(), Any)
    assert_type(await ws.receive_json(list[int]), list[int])
