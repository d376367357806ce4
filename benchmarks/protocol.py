"""What the server costs by itself: `python -m benchmarks.protocol`.

Compared in one run: our protocol with a bare coroutine behind it, with the app and the workloads of `scripts/bench`,
raw ASGI on uvicorn, and the peers that are named and installed. Load, rounds and unit are those of `scripts/bench`.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from .load import measure
from .peer import PEERS, ROOT, Peer, cache_folder
from .server import Server
from .workload import WORKLOADS

_DEFAULTS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'self'"),
]


class Bare:
    """No routing, no binding, no encoding: the server and a coroutine."""

    default_headers = _DEFAULTS

    def handle(self, request: Any, send: Any) -> Any:
        """Answer the workloads from constants."""
        return self._answer(request, send)

    async def _answer(self, request: Any, send: Any) -> None:
        from demijohn.http import Response

        path = request.path
        if path == "/":
            response = Response(b"Hello, World!", content_type="text/plain; charset=utf-8")
        elif path == "/items":
            response = Response(await request.body(), content_type="application/json")
        else:
            response = Response(b'{"id":42,"q":"abc"}', content_type="application/json")
        done = send(response)
        if done is not None:
            await done


@dataclass(frozen=True, slots=True)
class Own(Peer):
    """A server of this environment."""

    @property
    def environment(self) -> Path:
        """The environment that runs this."""
        return Path(sys.prefix)


def _serve(what: str, port: int) -> int:
    from demijohn.serving import ServerConfig, serve

    def load() -> Any:
        if what == "bare":
            return Bare()
        sys.path.insert(0, str(ROOT / "benchmarks" / "peers" / "demijohn"))
        import hello  # type: ignore[import-not-found]

        return hello.app

    return serve(load, ServerConfig(bind=f"127.0.0.1:{port}"))


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", default="")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--peers", default="raw-asgi")
    parser.add_argument("--workloads", default="plain,json,param,post")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    if options.serve:
        sys.exit(_serve(options.serve, options.port))
    command = ("{bin}/python", "-m", "benchmarks.protocol", "--serve")
    servers: list[Peer] = [
        Own("bare", "bare", "../..", (), (*command, "bare", "--port", "{port}")),
        Own("app", "app", "../..", (), (*command, "app", "--port", "{port}")),
    ]
    names = [name for name in options.peers.split(",") if name]
    servers += [peer for peer in PEERS if peer.name in names and peer.environment.is_dir()]
    _measure(servers, options)


def _measure(peers: Sequence[Peer], options: argparse.Namespace) -> None:
    cores = sorted(os.sched_getaffinity(0))
    server_core, load_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    workloads = [each for each in WORKLOADS if each.name in options.workloads.split(",")]
    logs = cache_folder() / "logs"
    logs.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(Server(peer, core=server_core, log=logs / f"protocol-{peer.name}.log"))
            for peer in peers
        ]
        samples = measure(
            servers,
            workloads,
            rounds=options.rounds,
            seconds=options.seconds,
            core=load_core,
            tell=lambda text: print(text, file=sys.stderr, flush=True),
        )
    print("| workload | " + " | ".join(peer.label for peer in peers) + " |")
    print("|---|" + "---:|" * len(peers))
    for workload in workloads:
        costs = [median(samples[workload.name][peer.name]) for peer in peers]
        print(f"| {workload.name} | " + " | ".join(f"{cost:.1f}" for cost in costs) + " |")


if __name__ == "__main__":
    main()
