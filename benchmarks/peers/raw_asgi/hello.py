"""The workloads as a bare ASGI application: what uvicorn costs before any framework."""

import json as codec
from urllib.parse import parse_qs

TEXT = [(b"content-type", b"text/plain; charset=utf-8")]
JSON = [(b"content-type", b"application/json")]


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    status, headers, path = 200, JSON, scope["path"]
    if path in {"/", "/def"}:
        headers, body = TEXT, b"Hello, World!"
    elif path == "/json":
        body = codec.dumps({"message": "Hello, World!", "ok": True, "count": 3}).encode()
    elif path.startswith("/users/"):
        query = parse_qs(scope["query_string"].decode())
        try:
            body = codec.dumps({"id": int(path[7:]), "q": query["q"][0]}).encode()
        except (ValueError, KeyError):
            status, body = 422, b"{}"
    elif path == "/items":
        body = (await receive())["body"]
        match codec.loads(body):
            case {"name": str(), "price": float() | int(), "quantity": int()} as item:
                body = codec.dumps(item).encode()
            case _:
                status, body = 422, b"{}"
    else:
        status, body = 404, b"{}"
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
