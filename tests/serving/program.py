"""A server as a process of its own, as an operator or a developer would run it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

HELLO = """
import asyncio, os, time
from demijohn import App
from demijohn.http import StreamResponse

app = App()
WORD = "one"

@app.get("/")
async def home():
    return f"{WORD} {os.getpid()}"

@app.get("/slow")
async def slow():
    print("slow has begun", flush=True)
    await asyncio.sleep(0.5)
    return f"slow {WORD}"

@app.get("/block")
async def block():
    time.sleep(60)
    return "never"

@app.get("/die")
async def die():
    os._exit(7)

@app.get("/events")
async def events():
    async def produce():
        yield b"data: x\\n\\n"
        await asyncio.sleep(3600)
    return StreamResponse(produce(), content_type="text/event-stream")
"""

RUN = """
import sys
from functools import partial
from demijohn.cli.target import load_app
from demijohn.serving import *

def load():
    return load_app("hello.py")

if __name__ == "__main__":
    sys.exit({call}(load, {config}{options}))
"""


class Program:
    """Runs `serve` or `run_development` for the app in `hello.py` of a folder."""

    def __init__(self, folder: Path, config: str = "", *, call: str = "serve", options: str = "") -> None:
        self.folder = folder
        self.file = folder / "hello.py"
        if not self.file.exists():
            self.write(HELLO)
        arguments = f"ServerConfig(bind='127.0.0.1:0', {config})"
        text = RUN.format(call=call, config=arguments, options=f", {options}" if options else "")
        (folder / "program.py").write_text(text)
        self.log = ""
        self.process: subprocess.Popen[bytes]
        self.base = ""

    def write(self, text: str) -> None:
        """Write the app, as an editor does: a file beside it, put in its place."""
        beside = self.folder / "hello.py.tmp"
        beside.write_text(text)
        os.replace(beside, self.file)

    def __enter__(self) -> Self:
        self.start()
        self.base = self.match(r"Serving at (http://[\d.:]+)")[1]
        return self

    def start(self) -> None:
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def run_to_end(self) -> int:
        """Start it, wait until it ends by itself, and return its exit code."""
        self.start()
        self._reader.join(60)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log += line.decode(errors="replace")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                for pid in self.children():
                    os.kill(pid, signal.SIGKILL)
                self.process.kill()
                self.process.wait()
                if error is None:
                    raise AssertionError(f"it does not end\n{self.log}") from None
        self._reader.join(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        if error is not None:
            print(self.log)

    def until(self, condition: Callable[[], Any], *, seconds: float = 90.0) -> Any:
        """Return what a condition gives as soon as it gives something."""
        end = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            assert time.monotonic() < end, f"it does not come true\n{self.log}"
            time.sleep(0.01)

    def match(self, pattern: str, *, count: int = 1, seconds: float = 90.0) -> re.Match[str]:
        """Wait for the `count`th line of the log that matches, and return the match."""

        def look() -> re.Match[str] | None:
            found = list(re.finditer(pattern, self.log))
            return found[count - 1] if len(found) >= count else None

        found: re.Match[str] = self.until(look, seconds=seconds)
        return found

    def get(self, path: str = "/", **options: Any) -> httpx2.Response:
        """Ask once, on a connection of its own."""
        return httpx2.get(self.base + path, timeout=60, **options)

    def children(self) -> list[int]:
        """Return the ids of the processes below this one."""
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except (OSError, IndexError):
                    continue
                if parent == self.process.pid:
                    found.append(int(entry.name))
        return sorted(found)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the first process."""
        self.process.send_signal(number)

    def wait(self, seconds: float = 90.0) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(seconds)


class Asking:
    """Threads that ask again and again, and note whatever is no 200."""

    def __init__(self, program: Program, path: str = "/", *, threads: int = 2) -> None:
        self.program = program
        self.path = path
        self.failures: list[str] = []
        self.answers: list[str] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def _ask(self) -> None:
        while not self._stopped.is_set():
            try:
                response = self.program.get(self.path)
            except httpx2.HTTPError as error:
                self.failures.append(repr(error))
            else:
                if response.status_code == 200:
                    self.answers.append(response.text)
                else:
                    self.failures.append(f"{response.status_code} {response.text}")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
