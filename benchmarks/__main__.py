"""`scripts/bench`: installs the peers, checks that each does the work, measures, and prints or writes the tables."""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TypeVar

from . import connections, database, report, slow, startup
from .load import measure
from .peer import PAGE_PEERS, PEERS, ROOT, Peer, cache_folder
from .server import Server
from .workload import PAGES, WORKLOADS, Workload, WrongAnswer

T = TypeVar("T", Peer, Workload)

PAGE = ROOT / "docs" / "explanation" / "speed.md"


def main() -> None:
    """Read the options and run what they ask for."""
    if sys.argv[1:2] == ["db"]:
        database.main(sys.argv[2:])
        return
    options = _options()
    peers = _chosen(options.peers, PAGE_PEERS if options.pages else PEERS, "peer")
    workloads = _chosen(options.workloads, PAGES if options.pages else WORKLOADS, "workload")
    if options.connections or options.slow:
        _apart(options)
        return
    for peer in peers:
        peer.install(options.python)
    text = ""
    if not options.only_startup:
        text = _load(peers, workloads, options)
    if not options.only_load and not options.pages:
        text += ("\n\n" if text else "") + _startup(options)
    print("\n" + text)
    if options.pages and any(peer.name == "demijohn" for peer in peers):
        text += "\n\n" + _defaults()
    if options.write:
        report.write_between_markers(PAGE, text, name="bench-pages" if options.pages else "bench")
        _tell(f"written into {PAGE.relative_to(ROOT)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, epilog="`scripts/bench db` measures databases: see its own --help."
    )
    parser.add_argument("--peers", default="", help="only these, by comma: " + ", ".join(peer.name for peer in PEERS))
    parser.add_argument("--workloads", default="", help="only these: " + ", ".join(item.name for item in WORKLOADS))
    parser.add_argument("--pages", action="store_true", help="pages: a template, a static file, a form, an upload")
    parser.add_argument("--connections", action="store_true", help="idle WebSockets and event streams, Demijohn alone")
    parser.add_argument("--slow", action="store_true", help="slow clients by slowhttptest, Demijohn alone: minutes")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all peers for each workload (default: 5)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of load in each round (default: 2)")
    parser.add_argument("--python", default=sys.executable, help="the Python of all environments")
    parser.add_argument("--check", action="store_true", help="only check that every peer does the work")
    parser.add_argument("--only-load", action="store_true", help="no start-up figures")
    parser.add_argument("--only-startup", action="store_true", help="start-up figures only")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/explanation/speed.md")
    return parser.parse_args()


def _chosen(names: str, known: Sequence[T], kind: str) -> list[T]:
    wanted = [name for name in names.split(",") if name]
    unknown = set(wanted) - {item.name for item in known}
    if unknown:
        sys.exit(f"no such {kind}: {', '.join(sorted(unknown))}. There are: {', '.join(item.name for item in known)}")
    return [item for item in known if not wanted or item.name in wanted]


def _defaults() -> str:
    """What the safe defaults cost, told by a process that has Demijohn."""
    python = next(peer for peer in PEERS if peer.name == "demijohn").python
    command = [python, "-m", "benchmarks.defaults"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _apart(options: argparse.Namespace) -> None:
    """What is measured of Demijohn alone."""
    next(peer for peer in PEERS if peer.name == "demijohn").install(options.python)
    cores = sorted(os.sched_getaffinity(0))
    server_core, load_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    measured, name = (slow, "bench-slow") if options.slow else (connections, "bench-connections")
    text = measured.report(server_core=server_core, load_core=load_core)
    print("\n" + text)
    if options.write:
        report.write_between_markers(PAGE, text, name=name)
        _tell(f"written into {PAGE.relative_to(ROOT)}")


def _load(peers: list[Peer], workloads: list[Workload], options: argparse.Namespace) -> str:
    if shutil.which("wrk") is None and not options.check:
        sys.exit("wrk is not installed: apt-get install wrk")
    cores = sorted(os.sched_getaffinity(0))
    server_core, load_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    if server_core is None:
        _tell("one core only: the load generator shares it with the servers")
    busy = startup.wait_quiet(1)
    logs = cache_folder() / "logs"
    logs.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        servers = []
        for peer in peers:
            server = stack.enter_context(Server(peer, core=server_core, log=logs / f"{peer.name}.log"))
            for workload in workloads:
                if not workload.takes(peer.name):
                    continue
                try:
                    workload.check(server.port)
                except WrongAnswer as error:
                    sys.exit(f"{peer.name} does not do the work: {error}")
            _tell(f"{peer.name}: up after {server.seconds_to_answer * 1e3:.0f} ms, does the work ({peer.versions()})")
            servers.append(server)
        if options.check:
            return ""
        samples = measure(
            servers, workloads, rounds=options.rounds, seconds=options.seconds, core=load_core, tell=_tell
        )
        memory = {server.peer.name: server.memory() for server in servers}
        answers = {server.peer.name: server.seconds_to_answer for server in servers}
    kept = cache_folder() / f"result-{time.strftime('%Y%m%d-%H%M%S')}.json"
    kept.write_text(json.dumps({"samples": samples, "memory": memory, "answers": answers}, indent=1))
    reference = "demijohn" if any(peer.name == "demijohn" for peer in peers) else peers[0].name
    parts = [
        report.setting(peers, rounds=options.rounds, seconds=options.seconds, busy=busy),
        "CPU microseconds per request:\n\n" + report.cost_table(samples, peers),
        "Ratios, the median over the rounds (below 1: less CPU time than the peer):\n\n"
        + report.ratio_table(samples, peers, reference=reference),
        "Memory of the worker after the load, MiB, and milliseconds from the command to the first answer:",
        "| server | MiB | ms |\n|---|---:|---:|\n"
        + "\n".join(f"| {p.label} | {memory[p.name]:.0f} | {answers[p.name] * 1e3:.0f} |" for p in peers),
    ]
    if {"demijohn", "starlette"} <= memory.keys():
        parts.append(f"Memory, ratio to Starlette on uvicorn: {memory['demijohn'] / memory['starlette']:.2f}.")
    return "\n\n".join(parts)


def _startup(options: argparse.Namespace) -> str:
    known = {peer.name: peer for peer in PEERS}
    for name in ("demijohn", "starlette", "flask", "fastapi", "django"):
        known[name].install(options.python)
    statements = {
        "from demijohn import App": known["demijohn"].python,
        "import demijohn": known["demijohn"].python,
        "import starlette.applications": known["starlette"].python,
        "import flask": known["flask"].python,
        "import fastapi": known["fastapi"].python,
        "import django.core.handlers.wsgi": known["django"].python,
    }
    times = startup.import_times(statements, rounds=max(9, options.rounds))
    # It loads nothing yet: what a program pays is what its first line asks for.
    bare = times.pop("import demijohn")
    paid = times["from demijohn import App"]
    rows = [f"| `{name}` | {value:.0f} | {paid / value:.2f} |" for name, value in times.items()]
    head = "| import, fresh process | ms of CPU | `from demijohn import App` to it |\n|---|---:|---:|\n"
    parts = [head + "\n".join(rows)]
    parts.append(f"`import demijohn` alone: {bare:.1f} ms, since each name loads its room when it is asked for.")
    program = str(known["demijohn"].python.parent / "demijohn")
    parts.append(
        f"`demijohn --help`: {startup.command_cpu([program, '--help'], rounds=max(9, options.rounds)):.0f} ms of CPU."
    )
    few, many = startup.routing_times(known["demijohn"].python)
    parts.append(f"Routing: {few:.2f} µs with ten routes, {many:.2f} µs with ten thousand, {many / few:.2f} times.")
    return "\n\n".join(parts)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
