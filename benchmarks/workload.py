"""The workloads: what is asked, and what counts as the right answer."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

__all__ = ["WORKLOADS", "Workload", "WrongAnswer"]


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

    def script(self) -> str:
        """The request as a script of wrk."""
        lines = [f'wrk.method = "{self.method}"']
        if self.body:
            lines += [
                f"wrk.body = {json.dumps(self.body.decode())}",
                'wrk.headers["Content-Type"] = "application/json"',
            ]
        return "\n".join(lines) + "\n"

    def check(self, port: int) -> None:
        """Ask once, and once wrongly; raise `WrongAnswer` for anything but the work described."""
        status, kind, body = _ask(port, self.method, self.target, self.body)
        if status not in {200, 201}:
            raise WrongAnswer(f"{self.name}: status {status}: {body[:200]!r}")
        if isinstance(self.answer, str):
            if body.decode() != self.answer or not kind.startswith("text/plain"):
                raise WrongAnswer(f"{self.name}: {kind}: {body[:200]!r}")
        elif callable(self.answer):
            if not self.answer(json.loads(body)):
                raise WrongAnswer(f"{self.name}: {body[:500]!r}")
        elif json.loads(body) != self.answer or not kind.startswith("application/json"):
            raise WrongAnswer(f"{self.name}: {kind}: {body[:200]!r}")
        if self.bad:
            target, wrong = self.bad
            status, _kind, body = _ask(port, self.method, target, wrong)
            if not 400 <= status < 500:
                raise WrongAnswer(f"{self.name}: bad input is answered with {status}: {body[:200]!r}")


def _ask(port: int, method: str, target: str, body: bytes) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, target, body or None, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, response.getheader("content-type", ""), response.read()
    finally:
        connection.close()


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
