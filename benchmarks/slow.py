"""Slow clients by slowhttptest, in full number and for the full time, and how soon others are answered meanwhile."""

import asyncio
import os
import resource
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from .peer import PEERS, cache_folder
from .server import Server

__all__ = ["report"]

RATE = 200
"""Requests a second of the others."""


@dataclass(frozen=True)
class Attack:
    """One way to be slow: what is called, the options of slowhttptest, how many clients, how many seconds."""

    title: str
    path: str
    options: str
    clients: int
    seconds: int


ATTACKS = [
    Attack("heads that drip in", "/", "-H -i 5 -x 8", 1000, 60),
    Attack("bodies of 1 MB, a byte a second", "/body", "-B -i 1 -x 1 -s 1000000 -f application/octet-stream", 500, 45),
    Attack("50 MB read at 1 KB/s", "/large", "-X -w 2048 -y 4096 -n 1 -z 1024 -k 1", 500, 45),
    Attack("50 MB, nothing read", "/large", "-X -w 2048 -y 4096 -n 200 -z 16 -k 1", 500, 80),
    Attack("events read at 1 KB/s", "/events", "-X -w 2048 -y 4096 -n 1 -z 1024 -k 1", 500, 45),
]


async def _ask(port: int, path: str = "/") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        return await reader.read()
    finally:
        writer.close()


class _Others:
    """Who asks at a steady rate, each on a connection of its own, and how long they waited."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.times: list[float] = []
        self.failed = 0

    async def _one(self) -> None:
        start = time.monotonic()
        try:
            answer = await asyncio.wait_for(_ask(self._port), 30)
        except (OSError, TimeoutError):
            answer = b""
        self.failed += not answer.endswith(b"Hello, World!")
        self.times.append(time.monotonic() - start)

    async def run(self, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            begin = time.monotonic()
            for number in range(int(seconds * RATE)):
                await asyncio.sleep(max(0.0, begin + number / RATE - time.monotonic()))
                group.create_task(self._one())

    def late(self) -> float:
        """Return the 99th percentile in ms."""
        return sorted(self.times)[int(len(self.times) * 0.99)] * 1e3


def _open(server: Server) -> int:
    """How many sockets the server has."""
    count = 0
    for pid in server.tree():
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
    return count


async def _measure(server: Server, attack: Attack) -> str:
    for _ in range(200):  # what is loaded by the first requests is no cost of the slow ones
        await _ask(server.port)
    before, quiet = server.memory(), _open(server)
    command = ["slowhttptest", *attack.options.split(), "-c", str(attack.clients), "-r", "200", "-p", "60"]
    command += ["-l", str(attack.seconds + 5), "-u", f"http://127.0.0.1:{server.port}{attack.path}"]
    others = _Others(server.port)
    most, memory, gone = 0, 0.0, None
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=nowhere, stderr=nowhere)
    try:
        begin = time.monotonic()
        asking = asyncio.create_task(others.run(attack.seconds))
        while not asking.done():
            count = _open(server) - quiet
            most, memory = max(most, count), max(memory, server.memory() - before)
            if gone is None and most > attack.clients * 0.9 and count < attack.clients * 0.05:
                gone = time.monotonic() - begin
            await asyncio.sleep(0.25)
        await asking
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
    begun = (await _ask(server.port, "/begun")).rsplit(b"\n", 1)[-1].decode()
    ended = "kept" if gone is None else f"gone after {gone:.0f} s"
    return (
        f"| {attack.clients:,}: {attack.title} | {most:,} | {ended} | {memory:.0f} MiB | "
        f"{others.failed} of {len(others.times):,} | {others.late():.0f} ms | {begun} |"
    )


def report(*, server_core: int | None, load_core: int | None) -> str:
    """Measure, and tell it in a table."""
    if shutil.which("slowhttptest") is None:
        sys.exit("slowhttptest is not installed: scripts/servers says how")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4000, hard)), hard))
    if load_core is not None:
        os.sched_setaffinity(0, {load_core})
    peer = next(peer for peer in PEERS if peer.name == "demijohn")
    peer = replace(peer, command=tuple(part.replace("hello", "slow") for part in peer.command))
    rows = []
    for attack in ATTACKS:
        with Server(peer, core=server_core, log=cache_folder() / "logs" / "slow.log") as server:
            rows.append(asyncio.run(_measure(server, attack)))
        print(rows[-1], flush=True)
    head = "| slow clients | most at once | end | memory | others: failed | 99th percentile | handlers begun |"
    return "\n".join([head, "|---|---:|---:|---:|---:|---:|---:|", *rows])
