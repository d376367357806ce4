"""Servers that a test may restart or kill: throw-away folders, free ports, 127.0.0.1 only."""

import asyncio
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

QUIET: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OwnServer:
    """A PostgreSQL or MariaDB that belongs to one test."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.top = Path(tempfile.mkdtemp(prefix="demijohn-server-", dir="/tmp"))
        self.top.chmod(0o755)  # the servers' own users must be able to pass
        self.folder = folder = self.top / "home"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        user = "postgres" if backend == "postgresql" else "mysql"
        self.who: dict[str, Any] = {}
        folder.mkdir()
        if os.getuid() == 0:  # these servers refuse to run as root
            found = pwd.getpwnam(user)
            self.who = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
            os.chown(folder, found.pw_uid, found.pw_gid)
        self.bin = max(glob.glob("/usr/lib/postgresql/*/bin"), default="") if backend == "postgresql" else ""
        if backend == "postgresql":
            words = [
                f"{self.bin}/initdb",
                "-D",
                f"{folder}/data",
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
                "--locale=C.UTF-8",
            ]
        else:
            words = [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={folder}/data",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ]
        subprocess.run(words, cwd=folder, check=True, **QUIET, **self.who)

    @property
    def url(self) -> str:
        """Where it listens."""
        if self.backend == "postgresql":
            return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        return f"mariadb://root@127.0.0.1:{self.port}/mysql"

    def start(self) -> None:
        """Start it, and wait until its port is open."""
        if self.backend == "postgresql":
            words = [
                f"{self.bin}/postgres",
                "-D",
                f"{self.folder}/data",
                "-p",
                str(self.port),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                f"unix_socket_directories={self.folder}",
                "-c",
                "fsync=off",
                "-c",
                "shared_buffers=32MB",
            ]
        else:
            path = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
            words = [
                str(path),
                "--no-defaults",
                f"--datadir={self.folder}/data",
                f"--port={self.port}",
                "--bind-address=127.0.0.1",
                f"--socket={self.folder}/socket",
                "--skip-log-bin",
                "--skip-name-resolve",
                "--innodb-buffer-pool-size=32M",
            ]
        self.process = subprocess.Popen(words, cwd=self.folder, **QUIET, **self.who)
        for _ in range(600):
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, "the server ended"
            time.sleep(0.02)
        raise AssertionError("the server does not listen")

    def kill(self) -> None:
        """End it at once, as a crash does."""
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT if self.backend == "postgresql" else signal.SIGKILL)
            process.wait(30)

    def remove(self) -> None:
        """End it and delete its folder."""
        self.kill()
        shutil.rmtree(self.top, ignore_errors=True)

    async def restart(self) -> None:
        """Crash it and start it again, while the loop goes on."""
        await asyncio.to_thread(self.kill)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(self.start)
