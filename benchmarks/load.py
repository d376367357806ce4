"""The load: wrk on a core of its own, one thread, thirty-two connections; rounds interleaved A B C A B C."""

import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from .server import Server
from .workload import Workload

__all__ = ["CONNECTIONS", "Samples", "measure"]

CONNECTIONS = 32
Samples = dict[str, dict[str, list[float]]]
"""Workload, then peer: CPU microseconds per request, one value per round."""


def measure(
    servers: Sequence[Server],
    workloads: Sequence[Workload],
    *,
    rounds: int,
    seconds: float,
    core: int | None,
    tell: Callable[[str], None],
) -> Samples:
    """Drive every workload against every server in turn, `rounds` times, after one short warm-up."""
    samples: Samples = {
        workload.name: {server.peer.name: [] for server in servers if workload.takes(server.peer.name)}
        for workload in workloads
    }
    with tempfile.TemporaryDirectory() as folder:
        for workload in workloads:
            script = Path(folder, f"{workload.name}.lua")
            script.write_text(workload.script())
            taking = [server for server in servers if workload.takes(server.peer.name)]
            for server in taking:
                _one(server, workload, seconds=0.5, core=core, script=script)
            for number in range(rounds):
                for server in taking:
                    sample = _one(server, workload, seconds=seconds, core=core, script=script)
                    samples[workload.name][server.peer.name].append(sample)
                costs = {name: values[-1] for name, values in samples[workload.name].items()}
                tell(f"{workload.name} {number + 1}/{rounds}: " + "  ".join(f"{n} {c:.1f}" for n, c in costs.items()))
            for name, values in samples[workload.name].items():
                spread = (max(values) - min(values)) / median(values)
                if spread > 0.5:
                    tell(f"   {workload.name}, {name}: the rounds differ by {spread:.0%}")
    return samples


def _one(server: Server, workload: Workload, *, seconds: float, core: int | None, script: Path) -> float:
    """CPU microseconds per request of one load."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", str(script)]
    if core is not None:
        command = ["taskset", "--cpu-list", str(core), *command]
    before = server.cpu()
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}{workload.target}"], capture_output=True, text=True, check=True
    ).stdout
    spent = server.cpu() - before
    requests = re.search(r"(\d+) requests in", output)
    if requests is None or "Non-2xx" in output or int(requests.group(1)) < 1:
        raise RuntimeError(f"{server.peer.name}, {workload.name}: the load went wrong:\n{output}")
    return spent / int(requests.group(1)) * 1e6
