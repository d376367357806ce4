"""The peers: what each installs, and how it is run in production, with one worker process."""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["PAGE_PEERS", "PEERS", "ROOT", "Peer", "cache_folder"]

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Peer:
    """One framework with its server.

    `command` is run in `benchmarks/peers/<folder>`; in it `{bin}` is the folder of the programs of its own environment
    and `{port}` the port to listen on, which is in the variable PORT too.
    """

    name: str
    label: str
    folder: str
    requirements: tuple[str, ...]
    command: tuple[str, ...]

    def with_pages(self) -> "Peer":
        """The same with its program of pages."""
        command = tuple(part.replace("hello", "pages") for part in self.command)
        return replace(self, command=command)

    @property
    def home(self) -> Path:
        """The folder of its program."""
        return ROOT / "benchmarks" / "peers" / self.folder

    @property
    def environment(self) -> Path:
        """Its own virtual environment, outside of the repository."""
        return cache_folder() / f"venv-{self.name}"

    @property
    def python(self) -> Path:
        """The Python of its environment."""
        return self.environment / "bin" / "python"

    def install(self, interpreter: str) -> None:
        """Make its environment with that Python and install what it needs, unless that is already there."""
        stamp = self.environment / "stamp"
        wanted = "\n".join((interpreter, *self.requirements))
        ours = self.folder.endswith("demijohn")
        if not ours and stamp.is_file() and stamp.read_text() == wanted:
            return
        if not (stamp.is_file() and stamp.read_text().startswith(interpreter)):
            _run("uv", "venv", "--quiet", "--clear", "--python", interpreter, str(self.environment))
        extra = ("--constraints", str(ROOT / "constraints.txt"), "--editable", str(ROOT)) if ours else ()
        _run("uv", "pip", "install", "--quiet", "--python", str(self.python), *self.requirements, *extra)
        stamp.write_text(wanted)

    def versions(self) -> str:
        """What is installed, as `name version` of each of its requirements."""
        names = [item.partition("==")[0].partition("[")[0] for item in self.requirements] or ["demijohn"]
        probe = "import sys, importlib.metadata as m; print(', '.join(n + ' ' + m.version(n) for n in sys.argv[1:]))"
        return subprocess.run(
            [self.python, "-c", probe, *names], capture_output=True, text=True, check=True
        ).stdout.strip()


def cache_folder() -> Path:
    """Where the environments and the results of all runs are kept."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "demijohn-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(*command: str) -> None:
    environment = os.environ | {"UV_COMPILE_BYTECODE": "1", "UV_PYTHON_DOWNLOADS": "never"}
    environment.pop("VIRTUAL_ENV", None)
    if subprocess.run(command, env=environment, check=False).returncode:
        sys.exit(f"failed: {' '.join(command)}")


_UVICORN = ("{bin}/uvicorn", "hello:app", "--port", "{port}", "--no-access-log", "--log-level", "warning")
_GUNICORN = ("{bin}/gunicorn", "hello:app", "--bind", "127.0.0.1:{port}", "--workers", "1", "--log-level", "error")

PEERS = (
    Peer(
        "demijohn",
        "Demijohn",
        "demijohn",
        (),
        ("{bin}/demijohn", "serve", "hello.py", "--workers", "1", "--port", "{port}"),
    ),
    Peer(
        "fastpysgi",
        "C floor: a WSGI function in fastpysgi",
        "fastpysgi",
        ("fastpysgi==0.6", "msgspec==0.22.0"),
        ("{bin}/python", "hello.py"),
    ),
    Peer(
        "django-bolt",
        "django-bolt (Rust)",
        "django_bolt",
        ("django-bolt==0.13.0", "django==6.1.3"),
        (
            "{bin}/python",
            "manage.py",
            "runbolt",
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
            "--processes",
            "1",
            "--no-admin",
        ),
    ),
    Peer("raw-asgi", "bare ASGI on uvicorn", "raw_asgi", ("uvicorn[standard]==0.54.0",), _UVICORN),
    Peer(
        "blacksheep",
        "BlackSheep on Granian (Rust)",
        "blacksheep",
        ("blacksheep==2.6.4", "granian==2.8.7", "uvloop==0.23.0"),
        (
            "{bin}/granian",
            "--interface",
            "asgi",
            "--port",
            "{port}",
            "--workers",
            "1",
            "--log-level",
            "warning",
            "hello:app",
        ),
    ),
    Peer(
        "starlette",
        "Starlette on uvicorn",
        "starlette",
        (
            "starlette==1.10.0",
            "uvicorn[standard]==0.54.0",
            "jinja2==3.1.6",
            "python-multipart==0.0.21",
            "itsdangerous==2.2.0",
        ),
        _UVICORN,
    ),
    Peer("litestar", "Litestar on uvicorn", "litestar", ("litestar==2.25.0", "uvicorn[standard]==0.54.0"), _UVICORN),
    Peer(
        "robyn",
        "Robyn (Rust)",
        "robyn",
        ("robyn==0.88.0", "pydantic==2.14.3"),
        ("{bin}/python", "hello.py", "--processes", "1", "--workers", "1", "--log-level", "ERROR", "--disable-openapi"),
    ),
    Peer("fastapi", "FastAPI on uvicorn", "fastapi", ("fastapi==0.165.0", "uvicorn[standard]==0.54.0"), _UVICORN),
    Peer(
        "flask",
        "Flask on gunicorn, threads",
        "flask",
        ("flask==3.1.3", "gunicorn==27.0.1"),
        (*_GUNICORN, "--worker-class", "gthread", "--threads", "8"),
    ),
    Peer(
        "django", "Django on gunicorn", "django", ("django==6.1.3", "gunicorn==27.0.1", "whitenoise==6.11.0"), _GUNICORN
    ),
)

PAGE_PEERS = tuple(peer.with_pages() for peer in PEERS if peer.name in ("demijohn", "flask", "starlette", "django"))
