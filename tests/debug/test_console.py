"""The console: Python in the place of a frame, with `await`, bounded in time and text, and leaving nothing behind."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from contextvars import ContextVar
from pathlib import Path

import pytest

from demijohn import App, Settings, current
from demijohn.debug import Grant
from demijohn.debug.console import run_code

from .conftest import Pages, make_app

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


def run(pages: Pages, code: str, frame: str = "inner") -> dict[str, str]:
    """Run code in a frame."""
    response = pages.call("console", frame=pages.frame(frame), code=code)
    assert response.status_code == 200, response.text
    answer: dict[str, str] = response.json()
    return answer


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("item", "'pear'"),
        ("prices['apple'] * 2", "6"),
        ("sorted(prices)", "['apple']"),
        ("await asyncio.sleep(0, 'slept')", "'slept'"),
        ("[x async for x in (y async for y in __import__('types').AsyncGeneratorType)] if False else 7", "7"),
        ("type(error).__name__", "'KeyError'"),
        ("current.request.path", "'/fail'"),
        ("app.debug", "True"),
        ("x = 3\nx + 1", "4"),
        ("None", ""),
        ("x = 3", ""),
        ("", ""),
    ],
)
def test_expressions(unlocked: Pages, code: str, result: str) -> None:
    """Variables, `await`, the exception, the request and the app can be had; the last expression is shown."""
    answer = run(unlocked, code)
    assert (answer["result"], answer["error"]) == (result, "")


def test_each_frame_has_its_variables(unlocked: Pages) -> None:
    """A frame sees its own variables and those of its module, not those of another one."""
    assert run(unlocked, "hunter", "fail")["result"] == "'hunter'"
    assert "NameError" in run(unlocked, "hunter", "inner")["error"]
    assert run(unlocked, "make_app.__name__")["result"] == "'make_app'"


def test_names_are_kept(unlocked: Pages) -> None:
    """What was assigned stands in the next input, and nothing of it in the module."""
    run(unlocked, "here = 40\ndef add(n):\n    return here + n")
    assert run(unlocked, "add(2)")["result"] == "42"
    assert "here" not in globals()


def test_output_is_shown(unlocked: Pages) -> None:
    """What is printed is shown, that of functions that are called too; others print where they always did."""
    assert run(unlocked, "print('a', 1)\nimport pprint\npprint.pprint({'b': 2})")["output"] == "a 1\n{'b': 2}\n"
    assert sys.stdout.__class__.__name__ != "_Switch"


def test_output_is_bounded(unlocked: Pages) -> None:
    """A flood is cut, in what is printed and in a value."""
    assert len(run(unlocked, "print('x' * 10_000_000)")["output"]) < 30_000
    assert len(run(unlocked, "'x' * 10_000_000")["result"]) < 20_000


def test_values_are_redacted(unlocked: Pages) -> None:
    """A secret inside of a value is not shown by accident."""
    assert "hunter2" not in run(unlocked, "locals_ = {'password': password}; locals_")["result"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("x = ", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("exit()", "SystemExit"),
        ("await asyncio.sleep(0); raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise asyncio.CancelledError", "CancelledError"),
        ("def f(): yield\n" * 4000, "too long"),
    ],
)
def test_mistakes_are_told(unlocked: Pages, code: str, error: str) -> None:
    """A mistake is told as Python does, and ends nothing but the input."""
    assert error in run(unlocked, code)["error"]
    assert run(unlocked, "1 + 1")["result"] == "2"


def test_trace_begins_in_the_input(unlocked: Pages) -> None:
    """Frames of ours are not in the traceback of an input."""
    error = run(unlocked, "def f():\n    return 1 / 0\nf()")["error"]
    assert error.count("File") == 2
    assert "demijohn" not in error


def test_context_of_the_request(grant: Grant) -> None:
    """Context variables have the values that they had when the request failed."""
    app = App(settings=Settings.load({}, files=(), env="development"), debug=True)

    @app.get("/fail")
    async def fail() -> None:
        tenant.set("acme")
        current.g.user = "ann"
        raise ValueError

    from . import test_console

    pages = Pages(app)
    pages.call("unlock", pin=grant.pin)
    assert test_console.tenant is tenant
    assert run(pages, "tenant.get()", "fail")["result"] == "'acme'"
    assert run(pages, "current.g.user", "fail")["result"] == "'ann'"
    assert tenant.get() == "nobody"


def test_sync_handlers_have_consoles(grant: Grant) -> None:
    """The frames of a plain `def` handler, which ran in a thread, have consoles too, where `await` works."""
    app = App(settings=Settings.load({}, files=(), env="development"), debug=True)

    @app.get("/fail")
    def fail() -> None:
        number = 41
        raise ValueError(number)

    pages = Pages(app)
    pages.call("unlock", pin=grant.pin)
    assert run(pages, "await asyncio.sleep(0, number + 1)", "fail")["result"] == "42"


def test_names_of_batteries(grant: Grant) -> None:
    """What batteries offer to shells can be had, and the frame's own names win."""
    app = make_app()
    app.shell_names.add("shop", lambda: {"Basket": dict, "item": "hidden"})
    pages = Pages(app)
    pages.call("unlock", pin=grant.pin)
    assert run(pages, "Basket(a=1)")["result"] == "{'a': 1}"
    assert run(pages, "item")["result"] == "'pear'"


def test_work_is_rolled_back(grant: Grant) -> None:
    """Batteries are told to roll back after each input."""
    app = make_app()
    told: list[BaseException | None] = []

    async def finish(unit: object, error: BaseException | None) -> None:
        told.append(error)

    app.before_send.append(finish)
    pages = Pages(app)
    pages.call("unlock", pin=grant.pin)
    told.clear()
    run(pages, "1")
    assert [error is not None for error in told if error is not None] == [True]


async def test_waiting_is_bounded() -> None:
    """Code that awaits for too long is cancelled."""
    outcome = await run_code("await asyncio.sleep(60)", {"asyncio": asyncio}, app=make_app(), limit=0.05)
    assert "Interrupted after 0.05 seconds" in outcome.error


async def test_own_timeout_is_told() -> None:
    """A timeout of the code itself is its own exception."""
    code = "async with asyncio.timeout(0):\n    await asyncio.sleep(1)"
    outcome = await run_code(code, {"asyncio": asyncio}, app=make_app(), limit=5)
    assert "TimeoutError" in outcome.error


PROGRAM = """
import asyncio, sys, time
from demijohn import App
from demijohn.debug.console import run_code

async def main():
    app = App()
    for code in ("while True: pass", "time.sleep(60)", "try:\\n    time.sleep(60)\\nfinally:\\n    print('ended')"):
        started = time.perf_counter()
        outcome = await run_code(code, {"time": time}, app=app, limit=0.2)
        assert "Interrupted after 0.2 seconds" in outcome.error, outcome
        assert time.perf_counter() - started < 5
    outcome = await run_code("await asyncio.to_thread(sum, [1, 2])", {"asyncio": asyncio}, app=app, limit=5)
    assert outcome.result == "3", outcome
    print("fine")

if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_blocking_is_bounded(loop: str) -> None:
    """Code that blocks the loop is interrupted on the main thread, a sleeping call of C included."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, loop], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "fine\n", done.stderr


SERVED = """
from demijohn import App

app = App()

@app.get("/")
async def fail():
    number = 41
    raise ValueError(number)
"""


def test_served_console(tmp_path: Path, free_port: int) -> None:
    """`demijohn run --console` prints a PIN, and the serving process, which it forked, takes it."""
    (tmp_path / "app.py").write_text(SERVED)
    command = [sys.executable, "-m", "demijohn", "run", "app.py", "--console", "--port", str(free_port)]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            pin = ""
            for line in process.stdout:
                found = re.search(r"PIN: \D*(\d{3}-\d{3}-\d{3})", line)
                pin = found[1] if found else pin
                if "Serving at" in line:
                    break
            url = f"http://127.0.0.1:{free_port}"
            text = fetch(f"{url}/", None, {"accept": "text/html"})[1]
            token, trace = (re.search(rf'data-{name}="([^"]+)"', text)[1] for name in ("token", "trace"))  # type: ignore[index]
            number = re.search(r'class="console" data-frame="(\d+)" data-name="fail"', text)[1]  # type: ignore[index]
            base = {"token": token, "trace": trace}
            headers, answer = fetch(f"{url}/__demijohn__/debug/unlock", base | {"pin": pin}, {"origin": url})
            assert "Unlocked" in answer
            cookie = headers["set-cookie"].partition(";")[0]
            _, answer = fetch(
                f"{url}/__demijohn__/debug/console",
                base | {"frame": int(number), "code": "await __import__('asyncio').sleep(0, number + 1)"},
                {"origin": url, "cookie": cookie},
            )
            assert '"result":"42"' in answer
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def fetch(url: str, data: dict[str, object] | None, headers: dict[str, str]):
    """Ask a server, and take errors for answers."""
    import json

    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(
        url, body, {"content-type": "application/json", "sec-fetch-site": "same-origin", **headers}
    )
    until = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.headers, error.read().decode()
        except OSError:
            if time.monotonic() > until:
                raise


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--host", "0.0.0.0"], "DJN-770"), (["--no-debug"], "DJN-772"), (["--bind", "0.0.0.0:0"], "DJN-770")],
)
def test_refusals_at_the_start(tmp_path: Path, options: list[str], code: str) -> None:
    """Where a console would not be safe the server does not start, and says why."""
    (tmp_path / "app.py").write_text(SERVED)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEMIJOHN")}
    done = subprocess.run(
        [sys.executable, "-m", "demijohn", "run", "app.py", "--console", "--port", "0", *options],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert code in done.stdout + done.stderr
