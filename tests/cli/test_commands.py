"""The command line as people use it: a folder, a command, what it prints."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from demijohn.cli import cli

HELLO = '''
from demijohn import App

app = App()

class Greeter:
    def greet(self, name):
        return f"Hello, {name}!"

app.provide(Greeter)

@app.get("/")
def home():
    return "Hello, World!"

@app.get("/posts/{id:int}", name="post")
async def show(id: int):
    return {"id": id}

@app.command()
async def greet(name: str, greeter: Greeter, times: int = 1, loud: bool = False):
    """Greet somebody."""
    text = " ".join([greeter.greet(name)] * times)
    return text.upper() if loud else text

@app.command("count-up")
def count_up(numbers: list[int], no_total: bool = False, word: tuple[str, ...] = ()):
    return " ".join([",".join(map(str, numbers)) if no_total else str(sum(numbers)), *word])
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("DEMIJOHN_APP", raising=False)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name in ("app", "hello", "shop", "shop.main", "other"):
            del sys.modules[name]
    os.environ.pop("DEMIJOHN_APP", None)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_routes_lists_them(folder: Path) -> None:
    """Each route shows its methods, pattern, name, handler and where it stands."""
    (folder / "hello.py").write_text(HELLO)
    result = invoke("routes", "hello.py")
    assert result.exit_code == 0, result.output
    assert re.search(r"GET +/posts/\{id:int\} +post +show  hello\.py:\d+\n", result.output)
    assert "__demijohn__" not in result.output
    assert "__demijohn__" in invoke("routes", "hello.py", "--all").output
    assert "hello.py:" in result.output
    assert "home" not in invoke("routes", "hello.py", "--grep", "posts").output


def test_a_command_of_an_app_that_does_not_load(folder: Path) -> None:
    """What is wrong with the app is told with its place; where there is no app, a near command is."""
    (folder / "app.py").write_text("from demijohn import App\nfrom demijohn.db import Nothing\n")
    result = invoke("migrate")
    assert result.exit_code == 1
    assert "The app could not be loaded, so `demijohn migrate`" in result.output
    assert "app.py:2: from demijohn.db import Nothing" in result.output
    assert "ImportError: cannot import name 'Nothing'" in result.output
    assert "Did you mean" not in result.output
    (folder / "app.py").unlink()
    sys.modules.pop("app", None)
    assert "Did you mean 'routes'" in invoke("rutes").output


def test_the_app_is_found(folder: Path) -> None:
    """`app.py`, `[tool.demijohn]`, `DEMIJOHN_APP`, a file, a module and a factory all lead to the app."""
    (folder / "app.py").write_text(HELLO)
    assert "/posts" in invoke("routes").output
    package = folder / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "main.py").write_text(HELLO.replace("/posts", "/shop") + "\ndef make():\n    return app\n")
    assert "/shop" in invoke("routes", "shop.main:make").output
    (folder / "pyproject.toml").write_text('[tool.demijohn]\napp = "shop.main:app"\n')
    assert "/shop" in invoke("routes").output
    assert "/shop" in invoke("--app", "shop/main.py", "routes").output


@pytest.mark.parametrize(
    ("content", "target", "code", "text"),
    [
        (None, "helo.py", "DJN-601", "Did you mean 'hello.py'?"),
        ("x = 1", "other.py", "DJN-606", "app = App()"),
        ("from demijohn import App\none, two = App(), App()", "other.py", "DJN-605", "other.py:one"),
        ("app = 3", "other.py:app", "DJN-603", "'int'"),
        ("app = 3", "other.py:appp", "DJN-604", "Did you mean 'app'?"),
        ("def create_app(name): ...", "other.py", "DJN-602", "name"),
        (None, "no.such.module", "DJN-601", "no.such.module"),
    ],
)
def test_what_is_wrong_with_a_target(folder: Path, content: str | None, target: str, code: str, text: str) -> None:
    """Each mistake in naming the app gets its own message."""
    (folder / "hello.py").write_text(HELLO)
    if content is not None:
        (folder / "other.py").write_text(content)
    result = subprocess.run(
        [sys.executable, "-m", "demijohn", "routes", target], capture_output=True, text=True, cwd=folder, check=False
    )
    assert result.returncode == 1
    assert code in result.stderr
    assert text in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["run", "helo.py"], "Did you mean 'hello.py'?"),
        (["serve", "helo.py:app"], "Did you mean 'hello.py'?"),
        (["run", "hello.py", "--port", "99999"], "99999 is not in the range"),
    ],
)
def test_a_server_that_nothing_could_mend_does_not_start(folder: Path, arguments: list[str], text: str) -> None:
    """A wrong name or port ends the command at once; only what an editor can mend is waited for."""
    (folder / "hello.py").write_text(HELLO)
    result = subprocess.run(
        [sys.executable, "-m", "demijohn", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        timeout=60,
    )
    assert result.returncode != 0
    assert text in result.stderr


def test_a_failure_while_the_app_is_loaded(folder: Path) -> None:
    """The traceback begins in the file of the app: neither the command line nor the machinery of imports is in it."""
    (folder / "app.py").write_text("from demijohn import App\nfrom parts import rows\napp = App()\n")
    (folder / "parts.py").write_text('rows = {"a": 1}["b"]\n')
    result = subprocess.run(
        [sys.executable, "-m", "demijohn", "routes"], capture_output=True, text=True, cwd=folder, check=False
    )
    assert result.returncode == 1
    files = [line for line in result.stderr.splitlines() if line.startswith('  File "') and "importlib" not in line]
    assert [line.partition('"')[2].partition('"')[0] for line in files] == [
        str(folder.resolve() / "app.py"),
        str(folder.resolve() / "parts.py"),
    ]
    assert result.stderr.splitlines()[-1] == "KeyError: 'b'"


def test_commands_of_the_app(folder: Path) -> None:
    """Functions become commands with arguments, options, flags, lists and services; sync and async alike."""
    (folder / "app.py").write_text(HELLO)
    assert "Greet somebody." in invoke("--help").output
    assert invoke("greet", "Ann", "--times", "2", "--loud").output == "HELLO, ANN! HELLO, ANN!\n"
    assert invoke("count-up", "1", "2", "3").output == "6\n"
    told = invoke("count-up", "--help").output
    assert "--no-total" in told
    assert "--no-no-total" not in told
    assert invoke("count-up", "1", "2", "--no-total", "--word", "a", "--word", "b").output == "1,2 a b\n"
    missing = invoke("greet")
    assert missing.exit_code == 2
    assert "NAME" in missing.output


def test_unknown_commands_are_translated(folder: Path) -> None:
    """A word from elsewhere, or a typing error, is answered with the command that is meant."""
    (folder / "app.py").write_text(HELLO)
    assert "demijohn run" in invoke("runserver").output
    assert "Did you mean 'routes'" in invoke("rotes").output


def test_shell_runs_code_with_await(folder: Path) -> None:
    """`await` works at the prompt, the app is started, and `wait` is there."""
    (folder / "app.py").write_text(HELLO)
    result = invoke("shell", "-c", "import asyncio; print(app.url_for('post', id=3), await asyncio.sleep(0, 5))")
    assert result.output == "/posts/3 5\n", repr(result.exception)
    assert invoke("shell", "-c", "import asyncio; print(wait(asyncio.sleep(0, 6)))").output == "6\n"


def test_shell_prompt_keeps_names(folder: Path) -> None:
    """Lines of one prompt share their names, and an error does not end it."""
    (folder / "app.py").write_text(HELLO)
    lines = "import asyncio\nx = await asyncio.sleep(0, 4)\n1/0\nprint(x + 1)\n"
    result = subprocess.run(
        [sys.executable, "-m", "demijohn", "shell"],
        input=lines,
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert "5" in result.stdout
    assert "ZeroDivisionError" in result.stderr


def test_check_finds_wiring(folder: Path) -> None:
    """`check` says that all is well, or what is not, and its exit code tells."""
    (folder / "app.py").write_text(HELLO)
    assert "No mistakes found" in invoke("check").output
    judged = invoke("check", "--deploy")
    assert judged.exit_code == 0
    assert "warning [" in judged.output
    assert "No mistakes" not in judged.output
    (folder / "other.py").write_text(
        HELLO
        + """
from demijohn.app import CheckMessage
@app.check
def broken(app):
    yield CheckMessage(level="error", id="shop.E001", text="The till is open.", hint="Close it.")
"""
    )
    result = invoke("check", "other.py")
    assert result.exit_code == 1
    assert "[shop.E001] The till is open." in result.output
    assert "Close it." in result.output


def test_explain_prints_a_page() -> None:
    """A code, in any spelling, prints its page; an unknown one says so."""
    assert invoke("explain", "DJN-402").output.startswith("# DJN-402")
    assert invoke("explain", "402").output.startswith("# DJN-402")
    assert "DJN-402" in invoke("explain").output
    assert "There is no code" in invoke("explain", "DJN-999").output


def test_version_names_what_it_stands_on() -> None:
    """The versions of Demijohn, Python and the packages below are told."""
    output = invoke("version").output
    assert output.startswith("Demijohn ")
    assert "msgspec " in output


def wait_for(url: str) -> bytes:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                body: bytes = response.read()
                return body
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")


@pytest.mark.parametrize("command", ["run", "serve"])
def test_run_and_serve(folder: Path, free_port: int, command: str) -> None:
    """Both serve the app on the port they are given, and a signal ends them cleanly."""
    (folder / "hello.py").write_text(HELLO)
    process = subprocess.Popen(
        [sys.executable, "-m", "demijohn", command, "hello.py", "--port", str(free_port)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        assert wait_for(f"http://127.0.0.1:{free_port}/") == b"Hello, World!"
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors.decode()


def test_serve_refuses_on_failed_deploy_checks(folder: Path, free_port: int) -> None:
    """A failed check of the deployment keeps `serve` from starting, unless told otherwise."""
    (folder / "hello.py").write_text(
        HELLO
        + """
from demijohn.app import CheckMessage
def broken(app):
    yield CheckMessage(level="error", id="shop.E002", text="No insurance.")
app.checks.add(broken, deploy=True)
"""
    )
    result = subprocess.run(
        [sys.executable, "-m", "demijohn", "serve", "hello.py", "--port", str(free_port)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 3
    assert "No insurance." in result.stderr
    assert "DJN-610" in result.stderr


def test_test_runs_pytest_with_the_fixtures_of_the_app(folder: Path) -> None:
    """`demijohn test` finds the app of the folder, gives `client` to its tests, and tells by its exit code."""
    (folder / "app.py").write_text(HELLO)
    (folder / "test_app.py").write_text(
        "def test_home(client):\n    assert client.get('/').text == 'Hello, World!'\n"
        "async def test_post(async_client):\n    assert (await async_client.get('/posts/3')).json() == {'id': 3}\n"
    )
    command = [sys.executable, "-m", "demijohn", "test", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    passed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert passed.returncode == 0, passed.stdout
    assert "2 passed" in passed.stdout
    (folder / "test_app.py").write_text("def test_home(client):\n    assert client.get('/').text == 'x'\n")
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 1
