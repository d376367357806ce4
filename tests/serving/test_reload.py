"""The development server over real processes: reload, mistakes, streams, the kept socket."""

import os
import signal
import time
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.serving.program import HELLO, Asking, Program

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the serving process is forked here")

SOON = 20.0
"""Seconds; on an idle machine a small app is served anew within 0.3."""


SOCKET = """
from demijohn import WebSocket

@app.get("/paths")
async def paths():
    return "/ws"

@app.websocket("/ws")
async def talk(ws: WebSocket):
    await ws.accept()
    async for message in ws:
        await ws.send_text(message)
"""


def developing(folder: Path, options: str = "") -> Program:
    return Program(folder, call="run_development", options=options)


def test_a_change_is_served_soon(tmp_path: Path) -> None:
    """A saved file is served after a fraction of a second; each request is logged."""
    with developing(tmp_path) as program:
        assert program.get().text.startswith("one ")
        _until_watching(program)
        start = time.monotonic()
        program.write(HELLO.replace('"one"', '"two"'))
        program.until(lambda: program.get().text.startswith("two "))
        took = time.monotonic() - start
        assert took < SOON, program.log
        assert "hello.py changed, reloading" in program.log
        assert "200 GET / " in program.log


def test_no_connection_is_refused_while_it_reloads(tmp_path: Path) -> None:
    """Whoever comes during a reload waits a moment and is answered, by the old code or by the new."""
    with developing(tmp_path) as program:
        _until_watching(program)
        with Asking(program) as asking:
            for word in ("two", "three", "four"):
                program.write(HELLO.replace('"one"', f'"{word}"'))
                program.until(lambda word=word: asking.answers and asking.answers[-1].startswith(word))
        assert asking.failures == []


def test_a_mistake_is_shown_and_waited_for(tmp_path: Path) -> None:
    """A syntax error is printed and served with its line, as a page or as text; the mend brings the app back."""
    with developing(tmp_path) as program:
        _until_watching(program)
        program.write(HELLO + "\ndef (<b>):\n")
        program.match("The app cannot be loaded")
        program.until(lambda: program.get().status_code == 500)
        text = program.get()
        assert "SyntaxError" in text.text
        assert "def (<b>):" in text.text
        page = program.get("/any", headers={"accept": "text/html"})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "def (&lt;b&gt;):" in page.text
        assert "SyntaxError: invalid syntax" in program.log
        program.write(HELLO)
        program.until(lambda: program.get().status_code == 200)


def test_an_error_at_import_names_the_line(tmp_path: Path) -> None:
    """The traceback begins in the user's file: no frame of the framework or the import machinery stands before it."""
    program = developing(tmp_path)
    program.write("import os\nraise RuntimeError('at import')\n")
    with program:
        text = program.get().text
        assert text.splitlines()[0] == "Traceback (most recent call last):"
        assert 'hello.py", line 2, in <module>' in text.splitlines()[1]
        assert text.rstrip().endswith("RuntimeError: at import")


def test_a_failing_start_up_is_shown_too(tmp_path: Path) -> None:
    """What fails in a start-up hook is served as a mistake of the import is."""
    program = developing(tmp_path)
    program.write(HELLO + "\n@app.on_startup\ndef fail():\n    raise RuntimeError('at start-up')\n")
    with program:
        assert "RuntimeError: at start-up" in program.get().text


def test_an_open_stream_does_not_hold_it_up(tmp_path: Path) -> None:
    """With an event stream open the reload is as quick, and the stream ends whole."""
    with developing(tmp_path) as program:
        _until_watching(program)
        with httpx2.stream("GET", program.base + "/events", timeout=30) as response:
            pieces = response.iter_bytes()
            assert next(pieces) == b"data: x\n\n"
            start = time.monotonic()
            program.write(HELLO.replace('"one"', '"two"'))
            assert list(pieces) == []
            program.until(lambda: program.get().text.startswith("two "))
            assert time.monotonic() - start < SOON, program.log


def test_open_sockets_are_told_1001(tmp_path: Path) -> None:
    """Before a reload an open WebSocket is closed as going away, so that its page comes back by itself."""
    with developing(tmp_path) as program:
        _until_watching(program)  # what is written before that is not noticed
        program.write(HELLO + SOCKET)
        program.until(lambda: "/ws" in program.get("/paths").text)
        with connect(program.base.replace("http", "ws") + "/ws", origin=program.base) as socket:  # type: ignore[arg-type]
            socket.send("hello")
            assert socket.recv(timeout=30) == "hello"
            program.write(HELLO.replace('"one"', '"two"') + SOCKET)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        program.until(lambda: program.get().text.startswith("two "))


def test_a_process_that_ends_is_waited_for(tmp_path: Path) -> None:
    """When the app ends its process, that is told, and the next change starts it again."""
    with developing(tmp_path) as program:
        _until_watching(program)
        with pytest.raises(httpx2.HTTPError):
            program.get("/die")
        program.match(r"The serving process ended \(exit code 7\)")
        program.write(HELLO.replace('"one"', '"two"'))
        program.until(lambda: program.get().text.startswith("two "))


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    """SIGINT ends all processes at once, with exit code 0, an open stream or not."""
    with developing(tmp_path) as program:
        _until_watching(program)
        below = program.children()
        assert len(below) == 2
        with httpx2.stream("GET", program.base + "/events", timeout=30) as response:
            next(response.iter_bytes())
            program.send(signal.SIGINT)
            assert program.wait() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in below)


def test_other_files_count_only_where_asked(tmp_path: Path) -> None:
    """A data file changes nothing unless its ending is named; files in hidden folders never do."""
    (tmp_path / ".hidden").mkdir()
    with developing(tmp_path, "suffixes=('.py', '.toml')") as program:
        _until_watching(program)
        (tmp_path / "notes.txt").write_text("x")
        (tmp_path / ".hidden" / "module.py").write_text("x")
        (tmp_path / "data.toml").write_text("x = 1")
        program.match("data.toml changed, reloading")
        assert "notes.txt" not in program.log
        assert "module.py" not in program.log


def test_without_reload_one_process_serves(tmp_path: Path) -> None:
    """`reload=False` serves in the first process, with the manners of development."""
    with developing(tmp_path, "reload=False") as program:
        assert program.get().text == f"one {program.process.pid}"
        assert program.children() == []


def test_modules_can_be_loaded_ahead(tmp_path: Path) -> None:
    """The lasting process is told which modules the app has loaded, and what it loads is there at the next reload."""
    (tmp_path / "heavy.py").write_text("import os\nprint('heavy loaded in', os.getpid(), flush=True)\n")
    program = developing(tmp_path, "warm=lambda names: __import__('heavy') if 'heavy' in names else None")
    text = "import heavy\n" + HELLO
    program.write(text)
    with program:
        program.match("heavy loaded in", count=2)
        _until_watching(program)
        program.write(text.replace('"one"', '"two"'))
        program.until(lambda: program.get().text.startswith("two "))
        assert program.log.count("heavy loaded in") == 2
        assert f"heavy loaded in {program.process.pid}" in program.log


def _until_watching(program: Program) -> None:
    """Touch a file until the watcher, which starts last, has noticed."""
    extra = program.folder / "extra.py"
    end = time.monotonic() + 30
    number = 0
    while "extra.py changed" not in program.log:
        number += 1
        extra.write_text(f"# {number}\n")
        time.sleep(0.1)
        assert time.monotonic() < end, program.log
    time.sleep(0.3)
    program.until(lambda: program.get().status_code)
