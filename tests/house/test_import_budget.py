"""What an import costs: each room, imported in a fresh process, loads only what it is allowed to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .repository import rooms

pytestmark = pytest.mark.house

# msgspec looks for typing_extensions itself
KERNEL = {"demijohn", "msgspec", "typing_extensions"}

_WEB = {"uvicorn", "httptools", "uvloop", "click", "h11", "websockets", "dotenv", "yaml"}
_SQL = {"sqlalchemy", "greenlet", "typing_extensions"}
_HTTP_CLIENT = {"httpx2", "httpcore2", "anyio", "h11", "idna", "truststore", "certifi", "typing_extensions", "h2"}
_TEMPLATES = {"jinja2", "markupsafe"}

# What a room may load when it is imported, beside the standard library and the kernel. Everything else: at first use.
ALLOWED: dict[str, set[str]] = {
    "admin": _SQL | _TEMPLATES | {"cython_runtime"},
    "auth": _SQL | {"cython_runtime"},  # `User` is a model
    "cache": set(),
    "cli": {"click"},
    "db": _SQL | {"cython_runtime"},  # what SQLAlchemy is compiled with
    "debug": set(),
    "forms": {"markupsafe"},
    "i18n": {"babel"},
    "migrations": _SQL | {"alembic", "mako", "markupsafe"},
    "templating": _TEMPLATES,
    "testing": _HTTP_CLIENT,
}

# Modules of the standard library that wait until something runs (demijohn._lib.later).
LATER = {
    "asyncio",
    "difflib",
    "hashlib",
    "hmac",
    "html",
    "json",
    "logging",
    "secrets",
    "shutil",
    "ssl",
    "subprocess",
    "tempfile",
    "tomllib",
}

# New modules of `from demijohn import App`, the standard library's included; a number that may only be moved with a
# reason. Modules and no times: milliseconds fail on a busy machine, and `scripts/bench --only-startup` measures those.
MODULES = 225

# All modules of `demijohn --help`, those that Python loads by itself included.
HELP_MODULES = 300

_PROBE = """
import sys
before = set(sys.modules)
{statement}
new = [name for name in sys.modules if name not in before]
top = {{name.partition(".")[0] for name in new}}
import json
print(json.dumps([len(new), sorted(top), [name for name in new if name.startswith("demijohn")]]))
"""


def _loaded(statement: str) -> tuple[int, set[str], list[str]]:
    """How many modules a fresh process loads for a statement, their top names, and which of them are ours."""
    command = [sys.executable, "-X", "utf8", "-I", "-c", _PROBE.format(statement=statement)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    count, loaded, ours = json.loads(done.stdout)
    return count, set(loaded), ours


def _imported(module: str) -> tuple[int, set[str], set[str]]:
    """How many modules a fresh process loads for it, of which third parties, and of which of the standard library."""
    return _split(*_loaded(f"import {module}")[:2])


def _split(count: int, loaded: set[str]) -> tuple[int, set[str], set[str]]:
    ours = sys.stdlib_module_names | set(sys.builtin_module_names)
    return count, {name for name in loaded if not name.startswith("_")} - ours, loaded & ours


def test_root_loads_nothing_by_itself() -> None:
    """`import demijohn` loads no other module; each name loads the room that it lives in."""
    count, _loaded_names, ours = _loaded("import demijohn")
    assert (count, ours) == (1, ["demijohn"])
    rooms = {name.split(".")[1] for name in _loaded("from demijohn import abort")[2] if "." in name}
    assert "errors" in rooms
    assert rooms.isdisjoint({"app", "http", "middleware", "routing", "schema"})


def test_app_loads_msgspec_only() -> None:
    """`from demijohn import App` loads the standard library, msgspec and nothing else, and not much of those."""
    count, foreign, standard = _split(*_loaded("from demijohn import App")[:2])
    assert foreign - KERNEL == set()
    assert standard & LATER == set(), "take it from demijohn._lib.later"
    assert count <= MODULES


def test_help_loads_the_kernel_and_click(tmp_path: Path) -> None:
    """`demijohn --help` starts no event loop, server or battery: it answers while one looks at the prompt."""
    command = [sys.executable, "-X", "importtime", "-m", "demijohn", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert "Commands" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "demijohn.cli" in loaded
    heavy = LATER - {"shutil", "tomllib"} | {"uvicorn", "httptools", "jinja2", "sqlalchemy", "demijohn.serving"}
    assert loaded & heavy == set()
    assert len(loaded) <= HELP_MODULES


def test_a_server_loads_no_more_than_it_needs() -> None:
    """What a worker holds in memory for as long as it lives: no archives, no temporary files, no tables of Python."""
    _count, _foreign, standard = _split(
        *_loaded("from demijohn.cli import serving; from demijohn.serving import worker")[:2]
    )
    assert standard & {"bz2", "lzma", "shutil", "sysconfig", "tempfile", "tomllib", "html"} == set()


@pytest.mark.parametrize("room", rooms())
def test_room_keeps_its_budget(room: str) -> None:
    """A room loads the third parties on its list; `import demijohn.testing` starts no database."""
    _count, foreign, _standard = _imported(f"demijohn.{room}")
    assert foreign - KERNEL - ALLOWED.get(room, set()) == set()
