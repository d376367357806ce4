"""Many open connections: the memory of idle WebSockets, and the delay of event streams that are fed once a second."""

import asyncio
import os
import resource
import time
from dataclasses import replace
from statistics import median

from .peer import PEERS, cache_folder
from .server import Server

__all__ = ["report"]

SOCKETS = 1000
STREAMS = 5000
SECONDS = 8

_HANDSHAKE = (
    b"GET /idle HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_STREAM = b"GET /ticks HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"


class _Client(asyncio.Protocol):
    """One connection; notes how late each event comes, by the clock that the server reads too."""

    def __init__(self, request: bytes, delays: list[float], opened: "asyncio.Queue[int]") -> None:
        self._request = request
        self._delays = delays
        self._opened = opened
        self.status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if not self.status:
            self.status = int(data[9:12])
            self._opened.put_nowait(self.status)
        place = data.find(b"data: ")
        if place >= 0:
            self._delays.append(now - float(data[place + 6 : data.index(b"\n", place)]))


async def _open(port: int, request: bytes, count: int, delays: list[float]) -> list[asyncio.BaseTransport]:
    loop = asyncio.get_running_loop()
    opened: asyncio.Queue[int] = asyncio.Queue()
    transports = []
    while len(transports) < count:
        made = [
            await loop.create_connection(lambda: _Client(request, delays, opened), "127.0.0.1", port)
            for _ in range(min(32, count - len(transports)))
        ]
        statuses = [await asyncio.wait_for(opened.get(), 30) for _ in made]
        if not set(statuses) <= {101, 200, 503}:
            raise RuntimeError(f"the server answered {set(statuses)}")
        # Who was refused in a busy moment comes again, as clients do.
        transports += [transport for transport, client in made if client.status != 503]
    return transports


async def _memory_of_sockets(server: Server) -> float:
    """KiB of the worker for each idle WebSocket."""
    first = await _open(server.port, _HANDSHAKE, 1, [])  # what is loaded for the first one is no cost of the others
    await asyncio.sleep(0.5)
    before = server.memory()
    rest = await _open(server.port, _HANDSHAKE, SOCKETS, [])
    await asyncio.sleep(1)
    spent = server.memory() - before
    for transport in [*first, *rest]:
        transport.close()
    return spent * 1024 / SOCKETS


async def _delays_of_streams(server: Server) -> tuple[float, float, float, float]:
    """The median and the 99th percentile of the delays in ms, the share of the core, and KiB for each stream."""
    delays: list[float] = []
    before = server.memory()
    transports = await _open(server.port, _STREAM, STREAMS, delays)
    await asyncio.sleep(2)
    delays.clear()
    spent = server.memory() - before
    cpu, start = server.cpu(), time.monotonic()
    await asyncio.sleep(SECONDS)
    share = (server.cpu() - cpu) / (time.monotonic() - start)
    if len(delays) < STREAMS * (SECONDS - 2):
        raise RuntimeError(f"only {len(delays)} events came")
    for transport in transports:
        transport.close()
    delays.sort()
    return median(delays) * 1e3, delays[int(len(delays) * 0.99)] * 1e3, share, spent * 1024 / STREAMS


def report(*, server_core: int | None, load_core: int | None) -> str:
    """Measure, and tell it in a table."""
    wanted = STREAMS + SOCKETS + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    if load_core is not None:
        os.sched_setaffinity(0, {load_core})
    peer = next(peer for peer in PEERS if peer.name == "demijohn")
    peer = replace(peer, command=tuple(part.replace("hello", "connections") for part in peer.command))
    log = cache_folder() / "logs" / "connections.log"
    with Server(peer, core=server_core, log=log) as server:
        each = asyncio.run(_memory_of_sockets(server))
    with Server(peer, core=server_core, log=log) as server:
        middle, late, share, size = asyncio.run(_delays_of_streams(server))
    return (
        "| open connections, one worker on one core | |\n|---|---:|\n"
        f"| {SOCKETS:,} idle WebSockets, memory for each | {each:.0f} KiB |\n"
        f"| {STREAMS:,} event streams, all fed at once every second: delay, median | {middle:.0f} ms |\n"
        f"| the same, 99th percentile | {late:.0f} ms |\n"
        f"| the same, share of the core | {share:.0%} |\n"
        f"| the same, memory for each | {size:.0f} KiB |"
    )
