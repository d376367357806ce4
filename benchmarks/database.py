"""`scripts/bench db`: what a row by key, twenty rows and ten thousand inserts cost, called and over HTTP."""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from statistics import median
from types import TracebackType
from typing import Any, Self

from . import report, startup
from .load import Samples, measure
from .peer import ROOT, Peer, cache_folder
from .server import Server
from .workload import Workload, WrongAnswer

__all__ = ["main"]

PAGE = ROOT / "docs" / "explanation" / "speed.md"
TIMES = {"one": 400, "twenty": 200, "bulk": 1}
"""How often a workload is called in a round."""
_DRIVERS = ("asyncpg==0.32.0", "uvloop==0.23.0")
_UVICORN = ("{bin}/uvicorn", "hello:app", "--port", "{port}", "--no-access-log", "--log-level", "warning")
_GUNICORN = ("{bin}/gunicorn", "hello:app", "--bind", "127.0.0.1:{port}", "--workers", "1", "--log-level", "error")
_CALLS = ("{bin}/python", "calls.py")
_SQLALCHEMY = ("sqlalchemy[asyncio]==2.1.9", "aiosqlite==0.22.1", "psycopg[binary]==3.3.9", *_DRIVERS)

CALLERS = (
    Peer("db-demijohn", "Demijohn", "db_demijohn", ("asyncpg==0.32.0",), _CALLS),
    Peer("db-raw", "the bare driver: sqlite3, asyncpg", "db_raw", _DRIVERS, _CALLS),
    Peer("db-django", "Django", "db_django", ("django==6.1.3", "psycopg[binary]==3.3.9", "gunicorn==27.0.1"), _CALLS),
    Peer("db-sqlalchemy", "SQLAlchemy, plain (psycopg)", "db_sqlalchemy", _SQLALCHEMY, _CALLS),
    Peer(
        "db-sqlalchemy-async",
        "SQLAlchemy, asyncio (aiosqlite, asyncpg)",
        "db_sqlalchemy",
        _SQLALCHEMY,
        ("{bin}/python", "calls_async.py"),
    ),
    Peer("db-piccolo", "Piccolo", "db_piccolo", ("piccolo[sqlite,postgres]==1.38.0", "uvloop==0.23.0"), _CALLS),
    Peer("db-tortoise", "Tortoise", "db_tortoise", ("tortoise-orm[asyncpg]==1.1.9", "uvloop==0.23.0"), _CALLS),
)
SERVERS = (
    Peer(
        "db-demijohn",
        "Demijohn",
        "db_demijohn",
        ("asyncpg==0.32.0",),
        ("{bin}/demijohn", "serve", "hello.py", "--workers", "1", "--port", "{port}"),
    ),
    Peer(
        "db-starlette",
        "Starlette on uvicorn, the bare driver",
        "db_starlette",
        ("starlette==1.10.0", "uvicorn[standard]==0.54.0", "asyncpg==0.32.0"),
        _UVICORN,
    ),
    Peer(
        "db-fastapi",
        "FastAPI on uvicorn, SQLAlchemy asyncio",
        "db_fastapi",
        ("fastapi==0.165.0", "uvicorn[standard]==0.54.0", *_SQLALCHEMY),
        _UVICORN,
    ),
    Peer(
        "db-django",
        "Django on gunicorn",
        "db_django",
        ("django==6.1.3", "psycopg[binary]==3.3.9", "gunicorn==27.0.1"),
        _GUNICORN,
    ),
)


def _row(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "title": f"Title {number}",
        "slug": f"slug-{number}",
        "body": "Some words. " * 10,
        "published": number % 2 == 0,
        "stars": number % 6,
    }


def _is_right(data: Any, numbers: Sequence[int]) -> bool:
    """Whether the rows are those with the numbers, moments included, however they are written."""
    rows = data if isinstance(data, list) else [data]
    moments = {datetime.fromisoformat(row.pop("created_at")).replace(tzinfo=UTC) for row in rows}
    return rows == [_row(number) for number in numbers] and moments == {datetime(2026, 1, 31, 12, 30, tzinfo=UTC)}


_TWENTY = range(2, 42, 2)
WORKLOADS = (
    Workload("one", "GET", "/posts/43", lambda data: _is_right(data, [43]), bad=("/posts/5000", b"")),
    Workload("twenty", "GET", "/posts", lambda data: _is_right(data, _TWENTY)),
)


class Caller:
    """A peer that is asked for calls: a process on one core, asked by lines on its stdin."""

    def __init__(self, peer: Peer, *, core: int | None) -> None:
        self.peer = peer
        self._core = core

    def __enter__(self) -> Self:
        command = [part.format(bin=self.peer.environment / "bin", port=0) for part in self.peer.command]
        if self._core is not None:
            command = ["taskset", "--cpu-list", str(self._core), *command]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._process = subprocess.Popen(
            command,
            cwd=self.peer.home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.peer.name} has ended: see what it said above")
        return json.loads(line)

    def call(self, name: str, times: int) -> tuple[float, Any]:
        """Return the CPU seconds of one call, and what the last one gave."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name} {times}\n")
        self._process.stdin.flush()
        answer = self._answer()
        return answer["seconds"] / times, answer["answer"]


def main(arguments: list[str]) -> None:
    """Read the options and run what they ask for."""
    options = _options(arguments)
    cores = sorted(os.sched_getaffinity(0))
    core, load_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    wanted = set(filter(None, options.peers.split(",")))
    callers = [peer for peer in CALLERS if not wanted or peer.name.removeprefix("db-") in wanted]
    servers = [peer for peer in SERVERS if not wanted or peer.name.removeprefix("db-") in wanted]
    raw = next(peer for peer in CALLERS if peer.name == "db-raw")
    everybody = list({peer.name: peer for peer in (raw, *callers, *servers)}.values())
    for peer in everybody:
        peer.install(options.python)
    busy = startup.wait_quiet(1)
    parts = [report.setting(everybody, rounds=options.rounds, seconds=options.seconds, busy=busy)]
    for backend in options.backends.split(","):
        with _database(backend) as url:
            os.environ["BENCH_URL"] = url
            with Caller(raw, core=core) as filler:
                filler.call("fill", 1)
            title = "SQLite" if backend == "sqlite" else "PostgreSQL"
            if not options.only_http:
                parts += [f"### {title}, called", _calls(callers, options, core)]
            if not options.only_calls:
                parts += [f"### {title}, over HTTP as JSON", _http(servers, options, core, load_core)]
    text = "\n\n".join(parts)
    print("\n" + text)
    if options.write:
        report.write_between_markers(PAGE, text, name="bench-db")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench db", description=__doc__)
    names = dict.fromkeys(peer.name.removeprefix("db-") for peer in (*CALLERS, *SERVERS))
    parser.add_argument("--peers", default="", help="only these, by comma: " + ", ".join(names))
    parser.add_argument("--backends", default="sqlite,postgresql", help="sqlite,postgresql by default")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of all peers for each workload (default: 7)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of load in each round over HTTP (default: 2)")
    parser.add_argument("--python", default=sys.executable, help="the Python of all environments")
    parser.add_argument("--only-calls", action="store_true", help="nothing over HTTP")
    parser.add_argument("--only-http", action="store_true", help="only over HTTP")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/explanation/speed.md")
    return parser.parse_args(arguments)


@contextlib.contextmanager
def _database(backend: str) -> Iterator[str]:
    """A database for the run: a file in a folder of its own, or a server that is started for it."""
    if backend == "sqlite":
        with tempfile.TemporaryDirectory(prefix="demijohn-bench-") as folder:
            yield f"sqlite:///{folder}/bench.db"
        return
    given = os.environ.get("DEMIJOHN_TEST_POSTGRESQL")
    if given:
        yield given
        return
    script = str(ROOT / "scripts" / "servers")
    said = subprocess.run([script, "start"], stdout=subprocess.PIPE, text=True, check=True).stdout
    exported = dict(re.findall(r"export (\w+)=(\S+)", said))
    try:
        yield exported["DEMIJOHN_TEST_POSTGRESQL"]
    finally:
        subprocess.run([script, "stop"], env=os.environ | exported, check=False)


def _calls(peers: Sequence[Peer], options: argparse.Namespace, core: int | None) -> str:
    samples: Samples = {name: {peer.name: [] for peer in peers} for name in TIMES}
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(Caller(peer, core=core)) for peer in peers]
        for name, times in TIMES.items():
            _check(callers, name)
            for number in range(options.rounds):
                for caller in callers:
                    spent, _ = caller.call(name, times)
                    if name == "bulk":
                        caller.call("clear", 1)
                    # Ten thousand inserts are told in milliseconds.
                    samples[name][caller.peer.name].append(spent * (1e3 if name == "bulk" else 1e6))
                _tell(f"{name} {number + 1}/{options.rounds}: " + _line(samples[name]))
    return _tables(samples, peers)


def _check(callers: Sequence[Caller], name: str) -> None:
    """Call each a few times, which warms it up, and see that all give the same."""
    for caller in callers:
        for _ in range(3 if name != "bulk" else 1):
            _, answer = caller.call(name, 5 if name != "bulk" else 1)
            if name == "bulk":
                caller.call("clear", 1)
        wanted: Any = 10_000
        if name != "bulk":
            rows = [_row(number) for number in ([29] if name == "one" else _TWENTY)]
            shown = [
                [row["id"], row["title"], row["slug"], len(row["body"]), row["published"], row["stars"]] for row in rows
            ]
            wanted = shown[0] if name == "one" else shown
        if answer != wanted:
            sys.exit(f"{caller.peer.name} does not do the work: {name}: {answer!r}")


def _http(peers: Sequence[Peer], options: argparse.Namespace, core: int | None, load_core: int | None) -> str:
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    logs = cache_folder() / "logs"
    logs.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        servers = []
        for peer in peers:
            server = stack.enter_context(Server(peer, core=core, log=logs / f"{peer.name}.log"))
            for workload in WORKLOADS:
                try:
                    workload.check(server.port)
                except WrongAnswer as error:
                    sys.exit(f"{peer.name} does not do the work: {error}")
            _tell(f"{peer.name}: up, does the work ({peer.versions()})")
            servers.append(server)
        samples = measure(
            servers, WORKLOADS, rounds=options.rounds, seconds=options.seconds, core=load_core, tell=_tell
        )
    return _tables(samples, peers)


def _tables(samples: Samples, peers: Sequence[Peer]) -> str:
    kept = cache_folder() / f"result-db-{time.strftime('%Y%m%d-%H%M%S')}.json"
    kept.write_text(json.dumps(samples, indent=1))
    tables = [report.cost_table(samples, list(peers))]
    if any(peer.name == "db-demijohn" for peer in peers):
        tables.append(report.ratio_table(samples, list(peers), reference="db-demijohn"))
    return "\n\n".join(tables)


def _line(costs: dict[str, list[float]]) -> str:
    return "  ".join(f"{name.removeprefix('db-')} {median(values):.1f}" for name, values in costs.items() if values)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
