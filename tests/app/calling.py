"""Calls an app without a transport: a request in, its response out."""

from collections.abc import Awaitable, Mapping
from typing import Any

from demijohn import App, Request, Response, StreamResponse
from tests.linting import lint


async def call(
    app: App,
    method: str,
    target: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    read: bool = False,
    **slots: Any,
) -> Response:
    """Return the response of one request; a stream is read into its body where `read` says so."""
    path, _, query = target.partition("?")
    raw = [(name.lower().encode(), value.encode()) for name, value in {"host": "localhost", **(headers or {})}.items()]
    request = Request(method, path, path.encode(), query.encode(), raw)
    request.app = app
    request._body = body
    for name, value in slots.items():
        setattr(request, name, value)
    answers: list[Response] = []

    def send(response: Response) -> Awaitable[None] | None:
        answers.append(response)
        return drain(response) if read and isinstance(response, StreamResponse) else None

    async def drain(response: StreamResponse) -> None:
        try:
            response.body = b"".join([piece async for piece in response.body_iterator])
        finally:
            await response.aclose()

    await app.handle(request, send)
    assert len(answers) == 1, "send is called once"
    answer = answers[0]
    is_whole = read or not isinstance(answer, StreamResponse)
    lint(
        method,
        path.encode(),
        raw,
        status=answer.status,
        headers=answer.header_lines(method=method, defaults=app.default_headers),
        body=b"" if method == "HEAD" or answer.is_bodyless else answer.body if is_whole else None,
    )
    return answer
