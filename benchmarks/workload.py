"""The workloads: what is asked, and what counts as the right answer."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

__all__ = ["PAGES", "WORKLOADS", "Workload", "WrongAnswer"]


class WrongAnswer(Exception):
    """A peer does not do the work, so measuring it would mean nothing."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One request, the answer it must get (or a function that knows it), and one that must be refused."""

    name: str
    method: str
    target: str
    answer: Any
    body: bytes = b""
    bad: tuple[str, bytes] | None = None
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    """Sent with a body."""
    kind: str = ""
    """The media type that the answer must have, where it is neither text nor JSON."""
    status: tuple[int, ...] = (200, 201)
    peers: tuple[str, ...] = ()
    """Who takes part, where not all do."""

    def takes(self, peer: str) -> bool:
        """Whether a peer takes part."""
        return not self.peers or peer in self.peers

    def script(self) -> str:
        """The request as a script of wrk."""
        lines = [f'wrk.method = "{self.method}"']
        if self.body:
            text = self.body.decode()
            filler = "x" * len(_FILLER)
            if filler in text:
                before, _, behind = text.partition(filler)
                lines.append(f'wrk.body = {_lua(before)} .. string.rep("x", {len(filler)}) .. {_lua(behind)}')
            else:
                lines.append(f"wrk.body = {_lua(text)}")
            lines += [f'wrk.headers["{name}"] = {_lua(value)}' for name, value in self.headers]
        return "\n".join(lines) + "\n"

    def check(self, port: int) -> None:
        """Ask once, and once wrongly; raise `WrongAnswer` for anything but the work described."""
        status, kind, body = self._ask(port, self.target, self.body)
        if status not in self.status:
            raise WrongAnswer(f"{self.name}: status {status}: {body[:200]!r}")
        if self.kind:
            wanted = self.answer if isinstance(self.answer, tuple) else (self.answer,)
            if not kind.startswith(self.kind) or any(part not in body for part in wanted):
                raise WrongAnswer(f"{self.name}: {kind}: {body[:200]!r}")
        elif isinstance(self.answer, str):
            if body.decode() != self.answer or not kind.startswith("text/plain"):
                raise WrongAnswer(f"{self.name}: {kind}: {body[:200]!r}")
        elif callable(self.answer):
            if not self.answer(json.loads(body)):
                raise WrongAnswer(f"{self.name}: {body[:500]!r}")
        elif self.answer is not None and (json.loads(body) != self.answer or not kind.startswith("application/json")):
            raise WrongAnswer(f"{self.name}: {kind}: {body[:200]!r}")
        if self.bad:
            target, wrong = self.bad
            status, _kind, body = self._ask(port, target, wrong)
            if not 400 <= status < 500:
                raise WrongAnswer(f"{self.name}: bad input is answered with {status}: {body[:200]!r}")

    def _ask(self, port: int, target: str, body: bytes) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(self.method, target, body or None, dict(self.headers) if body else {})
            response = connection.getresponse()
            return response.status, response.getheader("content-type", ""), response.read()
        finally:
            connection.close()


def _lua(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n")
    return f'"{escaped}"'


_ITEM = {"name": "A demijohn", "price": 24.5, "quantity": 3}

WORKLOADS = (
    Workload("plain", "GET", "/", "Hello, World!"),
    Workload("json", "GET", "/json", {"message": "Hello, World!", "ok": True, "count": 3}),
    Workload("param", "GET", "/users/42?q=abc", {"id": 42, "q": "abc"}, bad=("/users/abc?q=abc", b"")),
    Workload(
        "post", "POST", "/items", _ITEM, body=json.dumps(_ITEM).encode(), bad=("/items", b'{"name": "A demijohn"}')
    ),
    Workload("def", "GET", "/def", "Hello, World!"),
)

_FILLER = "x" * 1_000_000
# What a browser sends: Demijohn reads the first header, Django the cookie and the field of the same value.
_TOKEN = "t" * 32
_FORM = (
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Cookie", f"csrftoken={_TOKEN}"),
)
_LOGIN = f"name=Ann&password=secret&csrfmiddlewaretoken={_TOKEN}"
_UPLOAD = (
    '--limit\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n'
    f"Content-Type: application/octet-stream\r\n\r\n{_FILLER}\r\n--limit--\r\n"
)

PAGES = (
    Workload(
        "fortunes",
        "GET",
        "/fortunes",
        (b"Added when it was asked for", b"&lt;b&gt;No. 19&lt;/b&gt; &amp; its"),
        kind="text/html",
    ),
    Workload(
        "static", "GET", "/static/app.js", b"0123456789" * 10_000, kind="text/javascript", peers=("demijohn", "django")
    ),
    Workload(
        "login",
        "POST",
        "/login",
        None,
        body=_LOGIN.encode(),
        headers=_FORM,
        status=(303,),
        bad=("/login", _LOGIN.replace("secret", "wrong").encode()),
    ),
    Workload(
        "upload",
        "POST",
        "/upload",
        {"size": len(_FILLER)},
        body=_UPLOAD.encode(),
        headers=(("Content-Type", "multipart/form-data; boundary=limit"),),
    ),
)
