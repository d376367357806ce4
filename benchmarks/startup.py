"""What is paid before the first request: imports, the command line, the first answer; and the price of many routes."""

import os
import subprocess
import time
from pathlib import Path
from statistics import median

__all__ = ["command_cpu", "import_times", "routing_times"]

_IMPORT = "import time; start = time.process_time(); {statement}; print((time.process_time() - start) * 1e3)"

# Times look-ups of a hundred different requests, half of them static and half with a parameter, in a small and in a
# large app. The paths are decoded anew each time, as a server does, so that no hash is remembered.
_ROUTING = """
import time
from demijohn.routing import Route, Router

def cost(count):
    router = Router()
    for n in range(count // 2):
        router.add(Route(f"/static{n}/list", methods=["GET"], endpoint=lambda: None, name=f"s{n}"))
        router.add(Route(f"/dynamic{n}/{{id:int}}/edit", methods=["GET"], endpoint=lambda: None, name=f"d{n}"))
    router.compile()
    numbers = [n * (count // 2) // 50 for n in range(50)]
    paths = [f"/static{n}/list".encode() for n in numbers]
    paths += [f"/dynamic{n}/{n + place}/edit".encode() for place, n in enumerate(numbers)]
    match, best = router.match, 1e9
    for _ in range(400):
        start = time.process_time()
        for path in paths:
            match("GET", path.decode())
        best = min(best, time.process_time() - start)
    return best / len(paths) * 1e6

print(cost(10), cost(10000))
"""


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}}


def import_times(statements: dict[str, Path], *, rounds: int) -> dict[str, float]:
    """CPU milliseconds of each import in a fresh process: the median of interleaved rounds, byte code compiled."""
    samples: dict[str, list[float]] = {name: [] for name in statements}
    for number in range(rounds + 2):
        for name, python in statements.items():
            command = [str(python), "-c", _IMPORT.format(statement=name)]
            output = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment()).stdout
            if number >= 2:  # the first two write byte code and warm the file cache
                samples[name].append(float(output))
    return {name: median(values) for name, values in samples.items()}


def command_cpu(command: list[str], *, rounds: int) -> float:
    """Milliseconds of CPU, user and system, that a command takes, the median of the rounds."""
    samples = []
    for number in range(rounds + 2):
        before = os.times()
        subprocess.run(command, capture_output=True, check=True, env=_environment())
        after = os.times()
        if number >= 2:
            samples.append(
                (after.children_user + after.children_system - before.children_user - before.children_system) * 1e3
            )
    return median(samples)


def routing_times(python: Path) -> tuple[float, float]:
    """Microseconds per look-up with ten routes and with ten thousand."""
    output = subprocess.run(
        [str(python), "-c", _ROUTING], capture_output=True, text=True, check=True, env=_environment()
    )
    few, many = map(float, output.stdout.split())
    return few, many


def wait_quiet(seconds: float, *, limit: float = 0.3) -> float:
    """Return the share of both cores that others used during some seconds; a run on a busy machine says so."""
    before = _busy()
    time.sleep(seconds)
    after = _busy()
    share = (after[0] - before[0]) / max(1, after[1] - before[1])
    return share if share > limit else 0.0


def _busy() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)
