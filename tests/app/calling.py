"""Calls an app without a transport: a request in, its response out."""

from collections.abc import Mapping
from typing import Any

from demijohn import App, Request, Response


async def call(
    app: App, method: str, target: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None, **slots: Any
) -> Response:
    """Return the response of one request; a stream is not read."""
    path, _, query = target.partition("?")
    raw = [(name.lower().encode(), value.encode()) for name, value in {"host": "localhost", **(headers or {})}.items()]
    request = Request(method, path, path.encode(), query.encode(), raw)
    request.app = app
    request._body = body
    for name, value in slots.items():
        setattr(request, name, value)
    answers: list[Response] = []
    await app.handle(request, answers.append)
    assert len(answers) == 1, "send is called once"
    return answers[0]
