"""The supervisor over real processes: replacement, reload, recycling, ends."""

import os
import signal
import time
from pathlib import Path

import httpx2
import pytest

from tests.serving.program import HELLO, Asking, Program

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked here")


def test_workers_share_the_work_and_end_together(tmp_path: Path) -> None:
    """Two workers answer; SIGTERM ends all processes with exit code 0."""
    with Program(tmp_path, "workers=2") as program:
        program.match(r"Worker \d+ is ready", count=2)
        workers = program.children()
        assert len(workers) == 2
        pids = {int(program.get().text.split()[1]) for _ in range(50)}
        assert pids <= set(workers)
        program.send(signal.SIGTERM)
        assert program.wait() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    """After `kill -9` of one worker the other serves on, and a new one comes by itself."""
    with Program(tmp_path, "workers=2") as program:
        program.match(r"Worker \d+ is ready", count=2)
        victim = program.children()[0]
        os.kill(victim, signal.SIGKILL)
        program.match(r"Worker \d+ is ready", count=3)
        assert victim not in program.children()
        assert len(program.children()) == 2
        assert program.get().status_code == 200
        assert f"Worker {victim} ended (signal 9)" in program.log


def test_an_app_that_cannot_be_loaded_ends_the_start(tmp_path: Path) -> None:
    """The error is told once, with the line of the user's file, and the exit code is 3."""
    for workers in (1, 3):
        program = Program(tmp_path, f"workers={workers}")
        program.write("from demijohn import App\napp = App()\nimport no_such_module\n")
        assert program.run_to_end() == 3
        assert program.log.count("ModuleNotFoundError: No module named 'no_such_module'") == 1
        assert 'hello.py", line 3' in program.log


def test_reload_rolls_without_losing_a_request(tmp_path: Path) -> None:
    """SIGHUP brings the new code into one worker after the other; nobody is refused meanwhile."""
    with Program(tmp_path, "workers=2") as program:
        program.match(r"Worker \d+ is ready", count=2)
        before = set(program.children())
        with Asking(program) as asking:
            program.until(lambda: len(asking.answers) > 10)
            program.write(HELLO.replace('"one"', '"two"'))
            program.send(signal.SIGHUP)
            program.match(r"Worker \d+ is ready", count=4)
            program.until(lambda: not before & set(program.children()))
            done = len(asking.answers)
            program.until(lambda: len(asking.answers) > done + 10)
        assert asking.failures == []
        assert asking.answers[0].startswith("one ")
        assert asking.answers[-1].startswith("two ")


def test_reload_of_a_broken_app_keeps_the_old_workers(tmp_path: Path) -> None:
    """A mistake in the new code is told, and the old workers go on serving; the mended code is taken next time."""
    with Program(tmp_path, "workers=2") as program:
        program.match(r"Worker \d+ is ready", count=2)
        before = program.children()
        with Asking(program) as asking:
            program.write("def (")
            program.send(signal.SIGHUP)
            program.match("the old ones keep serving")
            assert program.children() == before
            program.write(HELLO.replace('"one"', '"two"'))
            program.send(signal.SIGHUP)
            program.until(lambda: not set(before) & set(program.children()))
        assert asking.failures == []
        assert program.log.count("SyntaxError") == 1


def test_a_crash_loop_backs_off(tmp_path: Path) -> None:
    """Workers that die young are restarted after growing pauses, not in a frenzy."""
    with Program(tmp_path, "workers=1, supervised=True") as program:
        text = HELLO + "\nimport threading\nthreading.Timer(0.05, lambda: os._exit(9)).start()\n"
        program.match(r"Worker \d+ is ready")
        program.write(text)
        os.kill(program.children()[0], signal.SIGKILL)
        program.match(r"a new one is started in (\d+\.\d) s", count=3)
        pauses = [float(found) for found in __import__("re").findall(r"is started in (\d+\.\d) s", program.log)]
        assert pauses[:2] == [0.5, pytest.approx(1.0, rel=0.2)]
        assert pauses[2] == pytest.approx(2.0, rel=0.2)
        program.write(HELLO)
        program.until(lambda: _answers(program))


def test_worn_workers_are_recycled_without_losing_a_request(tmp_path: Path) -> None:
    """After so many requests a worker is replaced, its successor ready before it goes."""
    with Program(tmp_path, "workers=2, recycling=Recycling(max_requests=30)") as program:
        program.match(r"Worker \d+ is ready", count=2)
        with Asking(program) as asking:
            program.match(r"Worker \d+ is ready", count=4, seconds=60)
        assert asking.failures == []
        assert len({answer.split()[1] for answer in asking.answers}) >= 3


def test_memory_over_the_limit_is_a_reason_to_recycle(tmp_path: Path) -> None:
    """A worker over its memory is replaced."""
    with Program(tmp_path, "workers=1, supervised=True, recycling=Recycling(max_rss=1024**2)") as program:
        program.match(r"Worker \d+ holds \d+ MiB")
        program.match(r"Worker \d+ is ready", count=2)


def test_a_hung_worker_is_killed_and_replaced(tmp_path: Path) -> None:
    """A loop that does not turn is named by the watchdog, and its worker is replaced after the time for it."""
    config = "workers=1, supervised=True, timeouts=Timeouts(hang=4), block_warning=0.5"
    with Program(tmp_path, config) as program:
        victim = program.children()[0]
        with pytest.raises(httpx2.HTTPError):
            program.get("/block")
        program.match("its event loop has not turned")
        program.match(r"hello\.py:21 in `block` \(GET /block\): time\.sleep\(60\)")
        program.until(lambda: _answers(program))
        assert program.children() != [victim]


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    """No worker outlives a supervisor that was killed."""
    with Program(tmp_path, "workers=2") as program:
        program.match(r"Worker \d+ is ready", count=2)
        workers = program.children()
        program.process.kill()
        program.wait()
        program.until(lambda: not any(_is_running(pid) for pid in workers))


def test_requests_in_flight_are_finished_and_streams_are_ended(tmp_path: Path) -> None:
    """At SIGTERM a slow request is answered, and an open event stream holds nothing up."""
    import threading

    with Program(tmp_path, "workers=2, timeouts=Timeouts(stream_grace=0.1, grace=120)") as program:
        program.match(r"Worker \d+ is ready", count=2)
        answers: list[str] = []
        threads = [threading.Thread(target=lambda: answers.append(program.get("/slow").text)) for _ in range(4)]
        stream = httpx2.stream("GET", program.base + "/events", timeout=30)
        with stream as response:
            pieces = response.iter_bytes()
            assert next(pieces) == b"data: x\n\n"
            for thread in threads:
                thread.start()
            program.match("slow has begun", count=4)
            program.send(signal.SIGTERM)
            assert program.wait() == 0
            assert b"".join(pieces) == b""
        for thread in threads:
            thread.join()
        assert answers == ["slow one"] * 4


def test_a_second_signal_hurries(tmp_path: Path) -> None:
    """Whoever asks twice does not wait for the grace."""
    with Program(tmp_path, "workers=1, supervised=True, timeouts=Timeouts(grace=120)") as program:
        program.write(HELLO.replace("sleep(0.5)", "sleep(120)"))
        program.send(signal.SIGHUP)
        program.match(r"Worker \d+ is ready", count=2)
        program.until(lambda: len(program.children()) == 1)
        import threading

        def ask() -> None:
            with pytest.raises((httpx2.HTTPError, AssertionError)):
                assert program.get("/slow").status_code == 200

        thread = threading.Thread(target=ask)
        thread.start()
        program.match("slow has begun")
        program.send(signal.SIGTERM)
        program.match("Ending")
        time.sleep(0.2)
        program.send(signal.SIGTERM)
        assert program.wait() == 0
        thread.join()


def test_workers_are_added_and_removed_by_signal(tmp_path: Path) -> None:
    """SIGTTIN adds a worker, SIGTTOU takes one away."""
    with Program(tmp_path, "workers=1, supervised=True") as program:
        program.send(signal.SIGTTIN)
        program.match(r"Worker \d+ is ready", count=2)
        assert len(program.children()) == 2
        program.send(signal.SIGTTOU)
        program.until(lambda: len(program.children()) == 1)
        assert program.get().status_code == 200


@pytest.mark.parametrize("config", ["start_method='spawn', workers=2", "reuse_port=True, workers=2"])
def test_other_ways_to_start_workers(tmp_path: Path, config: str) -> None:
    """Spawned workers, and workers with sockets of their own, serve and end as forked ones do."""
    with Program(tmp_path, config) as program:
        program.match(r"Worker \d+ is ready", count=2, seconds=60)
        assert program.get().status_code == 200
        program.send(signal.SIGTERM)
        assert program.wait() == 0


def test_one_worker_is_served_in_the_first_process(tmp_path: Path) -> None:
    """Without a supervisor there is one process; SIGINT and SIGTERM end it with exit code 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with Program(tmp_path, "workers=1") as program:
            assert program.get().text == f"one {program.process.pid}"
            assert program.children() == []
            program.send(number)
            assert program.wait() == 0


def _answers(program: Program) -> bool:
    try:
        return program.get().status_code == 200
    except httpx2.HTTPError:
        return False


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
