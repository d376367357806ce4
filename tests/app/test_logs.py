"""The log: one pipeline, the request in each line, no forged lines and no secrets."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn import App, Secret, Settings
from demijohn.app.logs import JSONFormatter, PrettyFormatter, set_up_logging
from demijohn.errors import ConfigurationError
from demijohn.testing import TestClient

SITE = """
import logging
import sys

from demijohn import App, Secret, Settings
from demijohn.serving import ServerConfig, serve


class Shop(Settings):
    api_key: Secret = Secret("k-1234567890")


app = App(settings=Shop.load(env="production", secret_key="x" * 40, allowed_hosts=("localhost", "127.0.0.1")))
logger = logging.getLogger("shop.orders")


@app.get("/orders/{number:int}")
async def order(number: int):
    logger.info("Order %s with %s", number, app.settings.api_key.reveal(), extra={"amount": 3, "token": "abc"})
    return {}


@app.get("/thread")
def thread():
    logger.warning("two\\nlines")
    return ""


@app.get("/fail")
async def fail():
    raise RuntimeError("password=hunter2")
"""


def record(message: object, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.INFO, __file__, 1, message, args, None)  # type: ignore[arg-type]
    made.__dict__.update(extra)
    return made


@given(st.text(min_size=1, max_size=200))
def test_no_text_writes_a_line_of_its_own(text: str) -> None:
    """Whatever a visitor sends, each line of the pretty log begins with a time or with the bar of a continuation."""
    lines = re.split(
        r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", PrettyFormatter().format(record("%s", text, note=text))
    )
    assert re.match(r"\d\d:\d\d:\d\d info ", lines[0])
    assert all(line.startswith("    │ ") for line in lines[1:])
    assert "\x1b" not in "".join(lines)


@given(st.text(max_size=200))
def test_a_document_is_one_line(text: str) -> None:
    """Whatever is logged, JSON is one line that can be read back."""
    line = JSONFormatter().format(record("%s", text, note=text))
    assert line.count("\n") == 0
    assert json.loads(line)["level"] == "info"


def test_secrets_are_filtered() -> None:
    """Passwords of URLs, tokens, what is named like a secret, and the app's own secrets do not come into the log."""

    class Shop(Settings):
        api_key: Secret = Secret("k-1234567890")

    from demijohn.app import logs

    logs._hide(Shop.load({}, files=(), secret_key="s" * 40))
    try:
        made = record("postgresql://ann:hunter2@db with k-1234567890 and %s", "s" * 40, token="t-1", session={"a": 1})
        for formatter in (PrettyFormatter(), JSONFormatter()):
            line = formatter.format(made)
            for secret in ("hunter2", "k-1234567890", "s" * 40, "t-1", "'a'"):
                assert secret not in line
    finally:
        logs._hidden.clear()


def test_the_request_stands_in_each_line() -> None:
    """A line that is logged while a request is answered names its route and its id, in a thread too."""
    app = App(settings=Settings.load({}, files=(), env="test"))
    lines = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(JSONFormatter().format(record)))

    logger = logging.getLogger("tests.request")
    logger.setLevel(logging.INFO)
    logger.addHandler(Keep())

    @app.get("/sync/{name}")
    def sync(name: str):
        logger.info("one", extra={"amount": 3})
        logger.info("two")
        return name

    @app.get("/async")
    async def plain():
        logger.info("three")
        return ""

    with TestClient(app) as client:
        client.get("/sync/ann")
        client.get("/async")
    one, two, three = lines
    assert (one["route"], one["path"], one["method"], one["amount"]) == ("/sync/{name}", "/sync/ann", "GET", 3)
    assert one["request_id"] == two["request_id"] != three["request_id"]


def test_a_structlog_event_is_taken_apart() -> None:
    """structlog hands the event to the standard library as a dict; its text and its fields are told apart."""
    document = json.loads(
        JSONFormatter().format(record({"event": "paid", "amount": 3, "level": "info", "pin_token": "x"}))
    )
    assert (document["message"], document["amount"]) == ("paid", 3)
    assert document["pin_token"] != "x"


def test_a_broken_record_is_still_a_line() -> None:
    """Too few arguments, or a value whose repr raises, cost no line and no exception."""

    class Bad:
        def __repr__(self) -> str:
            raise ValueError

    for formatter in (PrettyFormatter(), JSONFormatter()):
        assert "%s and %s" in formatter.format(record("%s and %s", 1))
        assert "Bad" in formatter.format(record("x", value=Bad()))


def test_a_traceback_for_people_begins_in_the_app() -> None:
    """What led from the server to the handler is left out for people; the document of production has all of it."""
    app = App()

    @app.get("/")
    def fail() -> str:
        raise KeyError("pear")

    kept: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    keep = Keep()
    logging.getLogger("demijohn.error").addHandler(keep)
    try:
        with TestClient(app, raise_server_exceptions=False) as client:
            assert client.get("/").status_code == 500
    finally:
        logging.getLogger("demijohn.error").removeHandler(keep)
    lines = PrettyFormatter().format(kept[0]).splitlines()
    frames = [line for line in lines if line.startswith('  File "')]
    assert [line.partition('"')[2].partition('"')[0] for line in frames] == [__file__]
    assert lines[-1] == "KeyError: 'pear'"
    assert "run_in_thread" in JSONFormatter().format(kept[0])


def test_a_cause_in_a_library_is_its_message_alone() -> None:
    """Of a chain the steps from the app's own code on are told, and of what failed inside of a library what it said."""
    library = "try:\n    {}['a']\nexcept KeyError as error:\n    raise LookupError('no such shelf') from error"
    try:
        exec(compile(library, "<generated>", "exec"))
    except LookupError as error:
        caught = (LookupError, error, error.__traceback__)
    told = PrettyFormatter().format(logging.LogRecord("x", logging.ERROR, "x.py", 1, "x", (), caught))
    lines = [line.strip("│ ") for line in told.splitlines()]
    assert lines.count("Traceback (most recent call last):") == 1
    assert "KeyError: 'a'" in lines
    assert lines[-1] == "LookupError: no such shelf"


def test_an_unknown_level_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level that there is not stops the start, with what may be meant."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with pytest.raises(ConfigurationError, match="Did you mean 'warning'") as caught:
        set_up_logging(Settings.load({"DEMIJOHN_LOG_LEVEL": "warn"}, files=()))
    assert caught.value.code == "DJN-773"


def test_a_program_with_its_own_logging_is_left_alone() -> None:
    """Where the root logger has a handler already, nothing is changed."""
    own = logging.getLogger().handlers
    assert own, "pytest listens"
    before = list(own)
    assert set_up_logging(Settings.load({}, files=())) is None
    assert logging.getLogger().handlers == before


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_server_and_app_write_one_log(tmp_path: Path, form: str) -> None:
    """The served site writes access lines, its own lines and failures through one handler, in the form asked for."""
    (tmp_path / "shop_site.py").write_text(SITE)
    script = (
        "import os, signal, threading, time, urllib.request, urllib.error\n"
        "from demijohn.serving import ServerConfig, serve\n"
        "import socket\n"
        "import sys\n"
        "sys.path.insert(0, '.')\n"
        "import shop_site as site\n"
        "s = socket.socket(); s.bind(('127.0.0.1', 0)); port = s.getsockname()[1]; s.close()\n"
        "def ask():\n"
        "    for path in ('/orders/7?token=abc&x=1', '/thread', '/fail', '/missing'):\n"
        "        for _ in range(100):\n"
        "            try:\n"
        "                urllib.request.urlopen(f'http://127.0.0.1:{port}{path}'); break\n"
        "            except urllib.error.HTTPError: break\n"
        "            except OSError: time.sleep(0.05)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "threading.Thread(target=ask).start()\n"
        "serve(site.app, ServerConfig(bind=f'127.0.0.1:{port}', access_log=True))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "", "DEMIJOHN_LOG_FORMAT": form},
    )
    text = done.stderr
    assert done.returncode == 0, text
    for secret in ("k-1234567890", "hunter2", "token=abc"):
        assert secret not in text
    if form == "pretty":
        assert "Order 7" in text
        assert " 404 GET /missing" in text
        return
    lines = [json.loads(line) for line in text.splitlines()]
    of = {(line["logger"], line.get("path")): line for line in lines}
    told, access = of["shop.orders", "/orders/7"], of["demijohn.access", "/orders/7"]
    assert told["route"] == access["route"] == "/orders/{number:int}"
    assert told["request_id"] == access["request_id"]
    assert (access["status"], access["method"], access["duration_ms"] > 0) == (200, "GET", True)
    assert access["size"] > 0
    assert of["shop.orders", "/thread"]["message"] == "two\nlines"
    failure = of["demijohn.error", "/fail"]
    assert "RuntimeError" in failure["exception"]
    assert failure["level"] == "error"
    assert of["demijohn.access", "/missing"]["status"] == 404
