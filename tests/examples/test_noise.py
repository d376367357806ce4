"""Requests that are nearly right, thrown at whole sites: what routes, forms and the admin are asked is never a 5xx.

`tests/serving/test_fuzz.py` does so to the server with bytes; here the heads are well formed and come from a browser
that is logged in, and what they carry is nasty. `DEMIJOHN_FUZZ_SECONDS` sets how long, `DEMIJOHN_FUZZ_SEED` repeats it.
"""

import html
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from demijohn.routing import WEBSOCKET
from tests.house.repository import ROOT
from tests.serving.test_frames import HANDSHAKE, frame
from tests.serving.test_fuzz import memory

pytestmark = pytest.mark.slow

LIST = """
from examples.todo import app
"""
NEWSROOM = """
from demijohn import WebSocket, abort
from demijohn.auth import log_in
from examples.newsroom.app import app
from examples.newsroom.models import User

@app.post("/let-in/{name}")
async def let_in(name: str):
    user = await User.where(User.email == f"{name}@example.org").first()
    await log_in(user or abort(404))
    return "in"

@app.websocket("/ws")
async def echo(ws: WebSocket):
    await ws.accept()
    async for message in ws:
        await (ws.send_text(message) if isinstance(message, str) else ws.send_bytes(message))
"""
SERVE = """
import json, sys
from demijohn.serving import ServerConfig, serve
app.freeze()
with open("routes", "w") as file:
    json.dump([[sorted(route.methods or ()), route.pattern] for route in app.router.routes], file)
sys.exit(serve(app, ServerConfig(bind="127.0.0.1:PORT")))
"""
VALUES = [
    "", "0", "1", "-1", "2", "9" * 30, "1e309", "nan", "true", "on", "a", "'", '"', "%", "_", "\\", "\0", "é", "𝒳",
    "\u202e", "<b>", "{{7*7}}", "' OR 1=1 --", "../../etc/passwd", "//evil.com", "javascript:1", "2026-02-31",
    "0001-01-01", "9999-12-31T23:59:59+14:00", "12:00", "x" * 300, "x" * 70_000, "1,2,3", "[1]", "{}", "null",
    "\r\nX: y", "a@b.c", "id", "-title", "html", "json", "csv", "add:comments", "delete", "search:author",
    "00000000-0000-0000-0000-000000000000",
]  # fmt: skip
FIELDS = ["If-None-Match", "If-Modified-Since", "Range", "Accept-Language", "Accept-Encoding", "X-Forwarded-For"]
FIELDS += ["X-Forwarded-Host", "Forwarded", "Referer", "Idempotency-Key", "Last-Event-ID", "Authorization", "Cookie"]
ACCEPT = ["text/html", "text/html", "application/json", "*/*", "text/csv", "application/xml;q=0.3, text/html;q=0.2"]
MEANT = {501, 505}
"""Refusals with a 5xx: methods and versions that are not spoken."""


class Site:
    """A site that is served in a process of its own, and what is known of its routes, links and fields."""

    def __init__(self, program: str, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-c", program + SERVE.replace("PORT", str(self.port))],
            cwd=folder,
            stdout=self.log,
            stderr=self.log,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("DEMIJOHN_")},
                "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
                "ENV": "production",
                "SECRET_KEY": "a key for the tests, long enough for every use",
                "ALLOWED_HOSTS": "localhost",
            },
        )
        self.cookies = [""]
        self.links: set[str] = set()
        self.names = {
            "title",
            "done",
            "which",
            "q",
            "page",
            "sort",
            "next",
            "email",
            "password",
            "_action",
            "_selected",
        }
        self.routes: list[tuple[list[str], str]] = []

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 60)

    def begin(self, *people: str) -> None:
        """Wait until the site answers, log in, and look around."""
        end = time.monotonic() + 120
        while True:
            assert self.process.poll() is None, self.told()
            assert time.monotonic() < end, "it does not answer"
            try:
                self.connect().close()
                break
            except OSError:
                time.sleep(0.1)
        self.routes = [
            (methods or ["GET"], pattern)
            for methods, pattern in json.loads((self.folder / "routes").read_text())
            if WEBSOCKET not in methods and pattern not in ("/fail", "/logout", "/let-in/{name}")
        ]
        for person in people:
            head = self.ask(f"POST /let-in/{person}", "Content-Length: 0").partition("\r\n\r\n")[0]
            cookies = re.findall(r"(?im)^set-cookie: ([^;]*)", head)
            assert cookies, head
            self.cookies.append("; ".join(cookies))
        for _ in range(2):
            for link in sorted({"/", *self.links})[:80]:
                page = self.ask(f"GET {quote(link, safe='/?&=%+')}", "Accept: text/html", f"Cookie: {self.cookies[-1]}")
                found = re.findall(r'(?:href|action|hx-get|hx-post)="(/[^"]*)"', page)
                self.links |= {html.unescape(each) for each in found if "logout" not in each and "/fail" not in each}
                self.names |= set(re.findall(r'name="([^"]+)"', page))

    def ask(self, line: str, *fields: str) -> str:
        head = [f"{line} HTTP/1.1", "Host: localhost", "Sec-Fetch-Site: same-origin", "Connection: close", *fields]
        with self.connect() as client:
            client.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
            return read(client).decode("utf-8", "replace")

    def told(self) -> str:
        return (self.folder / "log").read_text()

    def end(self) -> None:
        """Stop it, as a server is told to."""
        self.process.terminate()
        assert self.process.wait(60) == 0

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


def read(client: socket.socket) -> bytes:
    """Read until the server closes; of a stream without an end, its beginning."""
    received = bytearray()
    while more := client.recv(65536):
        received += more
        if len(received) > 5_000_000 or (b"text/event-stream" in received[:3000] and len(received) > 5000):
            break
    return bytes(received)


class Visitor:
    """Makes requests to a site from one seed."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site = site
        self.random = random.Random(seed)
        self.links = sorted(site.links) or ["/"]
        self.names = sorted(site.names)

    def value(self) -> str:
        pick = self.random
        if pick.random() < 0.1:
            return str(pick.randrange(60))
        return pick.choice(VALUES)

    def name(self) -> str:
        return self.random.choice(self.names) if self.random.random() < 0.95 else self.value()[:40]

    def pairs(self, most: int) -> str:
        chosen = [(self.name(), self.value()) for _ in range(self.random.randrange(most))]
        return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in chosen)

    def target(self) -> tuple[str, str]:
        pick = self.random
        if pick.random() < 0.5:
            return pick.choice(["GET", "GET", "POST", "HEAD"]), quote(pick.choice(self.links), safe="/?&=%+:")
        methods, pattern = pick.choice(self.site.routes)
        path = re.sub(r"\{[^}]*\}", lambda _: quote(self.value()[:100], safe="") or "x", pattern)
        if pick.random() < 0.1:
            path += pick.choice([".json", ".csv", ".xml", "/", "//", "%2F", "%00", "%ff"])
        return pick.choice([*methods, *methods, "PUT", "DELETE", "PATCH", "OPTIONS"]), path

    def data(self, depth: int = 0) -> object:
        pick = self.random
        choose = pick.random()
        if choose < 0.4 and depth < 4:
            return {self.name(): self.data(depth + 1) for _ in range(pick.randrange(5))}
        if choose < 0.5 and depth < 4:
            return [self.data(depth + 1) for _ in range(pick.randrange(4))]
        return pick.choice([None, True, 0, -1, 1.5, 2**63, 2**64, 1e308, self.value()[:500], self.value()[:500]])

    def body(self) -> tuple[str, bytes]:
        pick = self.random
        choose = pick.random()
        if choose < 0.45:
            return "application/x-www-form-urlencoded", self.pairs(12).encode()
        if choose < 0.65:
            parts = []
            for _ in range(pick.randrange(8)):
                name = re.sub(r'["\r\n\0]', "", self.name())
                file = pick.choice(["", "", '; filename="a.png"', '; filename="../../x.svg"'])
                content = pick.choice([self.value().encode(), pick.randbytes(300)])
                head = f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
                parts.append(head.encode() + content + b"\r\n")
            return "multipart/form-data; boundary=x", b"".join(parts) + pick.choice(
                [b"--x--\r\n", b"--x--\r\n", b"--x"]
            )
        if choose < 0.9:
            body = json.dumps(self.data()).encode()
            return "application/json", pick.choice([body, body, body, body[:-1], b"[" * 5000])
        kinds = ["application/msgpack", "application/yaml", "text/plain", "application/xml", "application/json"]
        return pick.choice(kinds), pick.randbytes(pick.randrange(1000))

    def request(self, *, last: bool) -> bytes:
        pick = self.random
        method, path = self.target()
        if query := self.pairs(4):
            path += ("&" if "?" in path else "?") + query[:7000]
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Accept: {pick.choice(ACCEPT)}"]
        lines += ["Sec-Fetch-Site: same-origin"] if pick.random() < 0.9 else []
        lines += [f"Cookie: {cookie}"] if (cookie := pick.choice(self.site.cookies)) else []
        lines += ["HX-Request: true", f"HX-Target: {pick.choice(['form', 'list', 'x'])}"] if pick.random() < 0.3 else []
        for _ in range(pick.choice([0, 0, 1, 3])):
            value = pick.choice(["bytes=0-", "bytes=-5,3-", 'W/"x"', "*", "de;q=0.3,*;q=0", "Basic eDp5", self.value()])
            lines.append(f"{pick.choice(FIELDS)}: " + re.sub(r"[\r\n\0]", "", value)[:2000])
        lines += ["Connection: close"] if last else []
        body = b""
        if method in ("POST", "PUT", "PATCH") or pick.random() < 0.05:
            kind, body = self.body()
            lines.append(f"Content-Type: {kind}")
            if pick.random() < 0.2:
                lines.append("Transfer-Encoding: chunked")
                pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
                body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            else:
                lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    def frames(self) -> bytes:
        pick = self.random
        sent = HANDSHAKE
        for _ in range(pick.randrange(8)):
            text = pick.choice([pick.randbytes(50), self.value()[:100].encode()[:125]])
            broken = pick.choice([pick.randbytes(30), b"\x81\xff" + b"\x3f" * 12])
            sent += frame(pick.choice([1, 1, 2, 0, 8, 9, 10, 3]), text, fin=pick.random() < 0.8)
            sent += broken if pick.random() < 0.1 else b""
        return sent

    def visit(self) -> str:
        """Send a few requests at once, and return what is wrong with the answers, if anything is."""
        pick = self.random
        has_frames = len(self.site.cookies) > 1 and pick.random() < 0.1
        count = pick.choice([1, 1, 1, 2, 4])
        sent = self.frames() if has_frames else b"".join(self.request(last=at == count - 1) for at in range(count))
        received = b""
        try:
            with self.site.connect() as client:
                half = pick.choice([len(sent), pick.randrange(len(sent))])
                client.sendall(sent[:half])
                client.sendall(sent[half:])
                if pick.random() < 0.1:
                    return ""  # gone without a word
                if has_frames:
                    client.shutdown(socket.SHUT_WR)
                received = read(client)
        except TimeoutError:
            return f"neither answered nor closed: {sent[:500]!r}"
        except ConnectionError:
            pass
        for found in re.finditer(rb"HTTP/1\.1 (\d\d\d) ", received):
            if int(found[1]) >= 500 and int(found[1]) not in MEANT:
                return f"{found[1].decode()}: {sent[:1000]!r} -> {received[found.start() :][:300]!r}"
        return ""


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    site = Site(request.param, tmp_path)
    try:
        site.begin(*(("editor", "writer", "editor") if request.param is NEWSROOM else ()))
        yield site
        site.end()
    finally:
        site.close()


@pytest.mark.parametrize("site", [LIST, NEWSROOM], ids=["todo", "newsroom"], indirect=True)
def test_sites_bear_nasty_visitors(site: Site) -> None:
    """Every connection is answered or closed, no 5xx comes unasked, nothing is logged as a failure, nothing grows."""
    seed = int(os.environ.get("DEMIJOHN_FUZZ_SEED", "0")) or random.randrange(1 << 32)
    seconds = float(os.environ.get("DEMIJOHN_FUZZ_SECONDS", "10"))
    wrong: list[str] = []
    visits = [0]

    def run(number: int, end: float) -> None:
        visitor = Visitor(site, seed + number)
        while time.monotonic() < end and not wrong:
            found = visitor.visit()
            visits[0] += 1
            if found:
                wrong.append(found)

    def round_of(first: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=run, args=(first + number, end)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    round_of(0, seconds / 2)
    before = memory(site.process.pid)
    round_of(10, seconds / 2)
    assert not wrong, f"seed {seed}: {wrong[0]}\n{site.told()[-3000:]}"
    assert visits[0] > 20
    assert memory(site.process.pid) < before + 40_000, f"it grew from {before} to {memory(site.process.pid)} KiB"
    assert site.ask("GET /", "Accept: text/html").startswith("HTTP/1.1 200 ")
    failures = [line for line in site.told().splitlines() if '"level":"error"' in line or "Traceback" in line]
    assert failures == [], f"seed {seed}: {failures[0][:3000]}"
