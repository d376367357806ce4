"""Random bytes, heads, targets and bodies thrown at a server: nothing breaks, hangs or grows.

`DEMIJOHN_FUZZ_SECONDS` sets how long; a failure prints the seed, and `DEMIJOHN_FUZZ_SEED` repeats it.
"""

import contextlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = """
from demijohn.serving import *
from tests.serving.conformance_app import app
QUICK = Timeouts(headers=1, body=1, body_grace=1, keep_alive=1, send=2, linger=1)
serve(app, ServerConfig(bind="127.0.0.1:PORT", timeouts=QUICK))
"""

METHODS = [b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT", b"FOO", b"get", b""]
PATHS = [
    b"/",
    b"/echo",
    b"/sum",
    b"/request",
    b"/numbers",
    b"/cookies",
    b"/nothing",
    b"/sync",
    b"/chat",
    b"/tree/a/b",
    b"*",
]
NAMES = [
    b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"Upgrade", b"Cookie", b"Accept",
    b"Content-Type", b"X-Forwarded-For", b"Forwarded", b"Origin", b"Sec-WebSocket-Key", b"Sec-WebSocket-Version",
    b"Accept-Encoding", b"Range", b"If-None-Match", b"Authorization", b"X",
]  # fmt: skip
VALUES = [
    b"a", b"example.org", b"0", b"5", b"70000", b"18446744073709551616", b"-1", b"chunked", b"gzip, chunked", b"close",
    b"keep-alive", b"Upgrade", b"websocket", b"100-continue", b"application/json", b"multipart/form-data; boundary=x",
    b"application/x-www-form-urlencoded", b"a=b; c=d", b"*/*;q=x", b"\xff\xfe", b"[::1]:80", b"a:b:c", b"bytes=0-,1-",
    b"dGhlIHNhbXBsZSBub25jZQ==", b"13", b'"', b"",
]  # fmt: skip
ALLOWED = {501, 505}
"""Refusals with a 5xx: methods and versions that are not spoken."""


class Fuzzer:
    """Makes requests from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def noise(self, most: int) -> bytes:
        return self.random.randbytes(self.random.randrange(most))

    def target(self) -> bytes:
        choose = self.random.random()
        if choose < 0.6:
            path = self.random.choice(PATHS)
        elif choose < 0.8:
            alphabet = b"abc/%2e%00%ff%C3%A9?#&=;:@[]{}|\\ \t\r\n"
            path = b"/" + bytes(self.random.choices(alphabet, k=self.random.randrange(40)))
        else:
            path = b"/" + self.noise(60)
        if self.random.random() < 0.3:
            path += b"?" + bytes(self.random.choices(b"word=ab&%+;[]\xff", k=self.random.randrange(30)))
        return path

    def head(self) -> bytes:
        pick = self.random
        version = pick.choice([b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.9", b"", b"RTSP/1.0"])
        lines = [pick.choice(METHODS) + b" " + self.target() + b" " + version]
        if pick.random() < 0.85:
            lines.append(b"Host: example.org")
        for _ in range(pick.choice([0, 1, 2, 3, 5, 120 if pick.random() < 0.05 else 4])):
            name = pick.choice(NAMES) if pick.random() < 0.9 else self.noise(12)
            value = pick.choice(VALUES) if pick.random() < 0.9 else self.noise(200)
            lines.append(name + b": " + value)
        end = b"\r\n" if pick.random() < 0.97 else pick.choice([b"\n", b"\r", b"\r\r\n", b"\n\r"])
        return end.join(lines) + end + end

    def body(self) -> bytes:
        pick = self.random.random()
        if pick < 0.5:
            return b""
        if pick < 0.7:
            return self.noise(300)
        if pick < 0.75:
            return self.noise(200_000)
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (self.noise(30) for _ in range(3)) if piece]
        return b"".join(pieces) + b"0\r\n\r\n"

    def message(self) -> bytes:
        data = b"".join([self.head() + self.body() for _ in range(self.random.choice([1, 1, 1, 2, 5]))])
        choose = self.random.random()
        if choose < 0.05:
            return self.noise(2000)
        if choose < 0.2 and data:
            changed = bytearray(data)
            for _ in range(self.random.randrange(1, 6)):
                at = self.random.randrange(len(changed))
                match self.random.randrange(3):
                    case 0:
                        changed[at] = self.random.randrange(256)
                    case 1:
                        del changed[at : at + self.random.randrange(20)]
                    case 2:
                        changed[at:at] = self.noise(20)
                if not changed:
                    break
            return bytes(changed)
        if choose < 0.3:
            return data[: self.random.randrange(len(data) + 1)]
        return data


def throw(port: int, fuzzer: Fuzzer) -> str:
    """Send one message in some pieces, and return what is wrong with the answer, if anything is."""
    data = fuzzer.message()
    received = b""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        try:
            at = 0
            while at < len(data):
                size = fuzzer.random.choice([len(data), len(data), 1 + fuzzer.random.randrange(len(data))])
                sock.sendall(data[at : at + size])
                at += size
            if fuzzer.random.random() < 0.2:
                return ""  # gone without a word
            if fuzzer.random.random() < 0.5:
                with contextlib.suppress(OSError):  # the server may have closed it already
                    sock.shutdown(socket.SHUT_WR)
            while True:
                more = sock.recv(65536)
                if not more:
                    break
                received += more
                if len(received) > 5_000_000:
                    break
        except (ConnectionResetError, BrokenPipeError):
            pass
        except TimeoutError:
            return f"neither answered nor closed: {data[:300]!r} -> {received[:300]!r}"
    if received and not received.startswith(b"HTTP/1.1 "):
        return f"no HTTP: {data[:300]!r} -> {received[:300]!r}"
    if received:
        status = int(received[9:12])
        if status >= 500 and status not in ALLOWED:
            return f"{status}: {data[:500]!r} -> {received[:300]!r}"
    return ""


def memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError


@pytest.fixture
def fuzzed() -> Iterator[tuple[int, int, list[str]]]:
    """A server in a process of its own: its port, its id, and the lines of its log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    # What this test is told is no setting of the app.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEMIJOHN_FUZZ")}
    environment["SECRET_KEY"] = "a key for the tests, long enough for every use"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("PORT", str(port))], env=environment, stderr=subprocess.PIPE, text=True
    )
    log: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=log.extend, args=(process.stderr,))
    reader.start()
    try:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)
        yield port, process.pid, log
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()


def fuzz(port: int, pid: int, seconds: float) -> None:
    seed = int(os.environ.get("DEMIJOHN_FUZZ_SEED", "0")) or random.randrange(1 << 32)
    end = time.monotonic() + seconds
    wrong: list[str] = []
    thrown = [0]

    def run(number: int) -> None:
        fuzzer = Fuzzer(seed + number)
        while time.monotonic() < end and not wrong:
            found = throw(port, fuzzer)
            thrown[0] += 1
            if found:
                wrong.append(found)

    def round_of(threads: int) -> None:
        each = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
        for thread in each:
            thread.start()
        for thread in each:
            thread.join()

    whole, end = end, time.monotonic() + seconds / 4
    round_of(8)
    before, end = memory(pid), whole
    round_of(8)
    assert not wrong, f"seed {seed}: {wrong[0]}"
    assert thrown[0] > 50
    assert memory(pid) < before + 20_000, f"it grew from {before} to {memory(pid)} KiB"


def _serves(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b""
        while more := sock.recv(65536):
            received += more
    return received.endswith(b"Hello, World!")


def _connections(pid: int) -> int:
    return sum(os.readlink(path).startswith("socket:") for path in Path(f"/proc/{pid}/fd").iterdir())


def test_a_few_seconds_of_noise(fuzzed: tuple[int, int, list[str]]) -> None:
    """Every connection is answered or closed, no 5xx comes unasked, nothing is logged as a failure, nothing grows."""
    port, pid, log = fuzzed
    fuzz(port, pid, float(os.environ.get("DEMIJOHN_FUZZ_SECONDS", "5")))
    _settle(port, pid, log)


@pytest.mark.slow
def test_a_minute_of_noise(fuzzed: tuple[int, int, list[str]]) -> None:
    """The same for a minute."""
    port, pid, log = fuzzed
    fuzz(port, pid, float(os.environ.get("DEMIJOHN_FUZZ_SECONDS", "60")))
    _settle(port, pid, log)


def _settle(port: int, pid: int, log: list[str]) -> None:
    assert _serves(port)
    end = time.monotonic() + 30
    while _connections(pid) > 6:
        assert time.monotonic() < end, f"{_connections(pid)} sockets are left open"
        time.sleep(0.1)
    assert [line for line in log if "Traceback" in line or "ERROR" in line] == []
