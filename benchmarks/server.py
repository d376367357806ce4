"""A server under test: started on one core, its CPU time and memory read from /proc, ended by its id."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from .peer import Peer

__all__ = ["Server"]

_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """The process tree of one peer, from the command to its end."""

    def __init__(self, peer: Peer, *, core: int | None, log: Path) -> None:
        self.peer = peer
        self.port = _free_port()
        self._core = core
        self._log = log

    def __enter__(self) -> Self:
        command = [part.format(bin=self.peer.environment / "bin", port=self.port) for part in self.peer.command]
        if self._core is not None:
            command = ["taskset", "--cpu-list", str(self._core), *command]
        environment = {
            key: value for key, value in os.environ.items() if key not in {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}
        }
        environment |= {"PORT": str(self.port), "PATH": f"{self.peer.environment / 'bin'}:{os.environ['PATH']}"}
        environment |= {"SECRET_KEY": "a-key-for-measuring-on-this-machine-only"}
        self._started = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.peer.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.seconds_to_answer = self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tree = self.tree()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        for pid in tree:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()

    def _wait(self) -> float:
        while time.perf_counter() - self._started < 30:
            if self._process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                    if connection.recv(12).startswith(b"HTTP/1.1 200"):
                        return time.perf_counter() - self._started
            except OSError:
                pass
            time.sleep(0.005)
        text = self._log.read_text(errors="replace")[-2000:]
        self._process.kill()
        raise RuntimeError(f"{self.peer.name} does not answer:\n{text}")

    def tree(self) -> list[int]:
        """The ids of the server's processes, the first one first."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = _stat(int(entry.name))
                except OSError:
                    continue
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        found = [self._process.pid]
        for pid in found:
            found.extend(children.get(pid, ()))
        return found

    def cpu(self) -> float:
        """The CPU seconds, user and system, of the tree so far, children that have ended included."""
        ticks = 0
        for pid in self.tree():
            try:
                ticks += sum(int(field) for field in _stat(pid)[11:15])
            except OSError:
                continue
        return ticks / _TICKS

    def memory(self) -> float:
        """The MiB that the largest process holds, shared pages counted in part (Pss)."""
        return max(_pss(pid) for pid in self.tree()) / 1024


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: state, parent, ..., utime, stime, cutime, cstime at 11 to 14."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
