"""In production there is no way to the debugger: it is not even imported, whatever fails."""

import subprocess
import sys
import textwrap

import pytest

from demijohn import App, Settings
from demijohn.app.debug_door import is_open, show_error
from demijohn.http import Request
from demijohn.testing import TestClient

PROGRAM = """
import asyncio, sys
from demijohn import App, Settings

app = App(settings=Settings.load({{}}, files=(), env={env!r}, debug=False, secret_key="k" * 40,
          allowed_hosts=("localhost",)), debug={debug})

@app.errorhandler(500)
async def broken_handler(error):
    hidden_local = "hidden-value"
    raise RuntimeError("the handler is broken too")

@app.get("/")
async def fail():
    hidden_local = "hidden-value"
    raise ValueError("hidden-message")

async def ask(path, accept, method="GET"):
    sent = []
    async def receive():
        return {{"type": "http.request", "body": b"{{}}", "more_body": False}}
    async def send(message):
        sent.append(message)
    scope = {{"type": "http", "asgi": {{"version": "3.0"}}, "http_version": "1.1", "method": method, "path": path,
             "raw_path": path.encode(), "query_string": b"", "scheme": "https", "root_path": "",
             "headers": [(b"host", b"localhost"), (b"accept", accept), (b"origin", b"https://localhost"),
                         (b"sec-fetch-site", b"same-origin"), (b"content-type", b"application/json")],
             "client": ("127.0.0.1", 1), "server": ("localhost", 443)}}
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

async def main():
    for accept in (b"text/html", b"application/json", b"text/markdown", b"*/*"):
        status, body = await ask("/", accept)
        assert status == 500, status
        for word in (b"hidden", b"Traceback", b"fail", b"broken", b"RuntimeError", b"ValueError", b".py"):
            assert word not in body, (word, body)
        for name in ("console", "unlock", "action", "abc"):
            for method in ("GET", "POST"):
                status, body = await ask("/__demijohn__/debug/" + name, accept, method)
                assert status == 404, (status, body)
    await app.shutdown()

asyncio.run(main())
assert not [name for name in sys.modules if name.startswith("demijohn.debug")], sys.modules
print("clean")
"""


@pytest.mark.parametrize(
    ("env", "debug"), [("production", False), ("production", True), ("development", False), (None, False)]
)
def test_nothing_leaks(env: str | None, debug: bool) -> None:
    """With a failing 500 handler no answer holds source, names, messages or values, and the debugger is not loaded.

    In production that is so even where the program says `debug=True`.
    """
    program = textwrap.dedent(PROGRAM).format(env=env, debug=debug)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "clean\n", done.stderr


def test_program_can_fail() -> None:
    """The same program fails where the door is open: otherwise the test above would prove nothing."""
    program = textwrap.dedent(PROGRAM).format(env="development", debug=True)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0


def test_door_is_shut_late() -> None:
    """An app that is switched to production after it was built shows nothing any more."""
    app = App(settings=Settings.load({}, files=(), env="development"), debug=True)
    request = Request("GET", "/", b"/", b"", [])
    assert is_open(app)
    with app.override_settings(env="production"):
        assert not is_open(app)
        assert show_error(app, request, ValueError()) is None
        assert app.show_error(request, ValueError()) is None


def test_routes_exist_in_debug_only() -> None:
    """The debugger's route is there in debug mode, and is not where debug is off."""
    for debug in (True, False):
        app = App(settings=Settings.load({}, files=(), env="development"), debug=debug)
        client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        client.get("/")
        assert any(route.name == "demijohn.debug" for route in app.router.routes) is debug
