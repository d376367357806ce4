"""The workloads as a bare WSGI function called by a server in C, with msgspec for JSON: the floor."""

import os

import fastpysgi
import msgspec

TEXT = [("content-type", "text/plain; charset=utf-8")]
JSON = [("content-type", "application/json")]


class User(msgspec.Struct):
    id: int
    q: str


class Item(msgspec.Struct):
    name: str
    price: float
    quantity: int


encode = msgspec.json.encode
decode_item = msgspec.json.Decoder(Item).decode


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path in {"/", "/def"}:
        start_response("200 OK", TEXT)
        return [b"Hello, World!"]
    try:
        if path == "/json":
            body = encode({"message": "Hello, World!", "ok": True, "count": 3})
        elif path == "/items":
            body = encode(decode_item(environ["wsgi.input"].read()))
        else:
            name, _, value = environ["QUERY_STRING"].partition("=")
            body = encode(User(int(path.removeprefix("/users/")), value if name == "q" else ""))
    except ValueError:
        start_response("422 Unprocessable Content", JSON)
        return [b"{}"]
    start_response("200 OK", JSON)
    return [body]


if __name__ == "__main__":
    fastpysgi.run(app, host="127.0.0.1", port=int(os.environ["PORT"]))
