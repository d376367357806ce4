"""Metrics, traces and slow requests: counted by route, told to the right people, right with several workers."""

import logging
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from demijohn import App, Secret, Settings
from demijohn.errors import ConfigurationError
from demijohn.monitoring import Metrics, SlowRequests, Tracing
from demijohn.testing import TestClient
from demijohn.types import Receive, Scope, Send


def site() -> App:
    app = App(settings=Settings.load({}, files=(), env="test"))

    @app.get("/things/{number:int}")
    async def thing(number: int) -> dict[str, int]:
        return {"number": number}

    @app.get("/fail")
    def fail() -> str:
        raise RuntimeError("no")

    return app


@contextmanager
def asking(app: App, address: str) -> Iterator[TestClient]:
    """A client whose requests come from an address."""

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "client": (address, 4)} if scope["type"] == "http" else scope, receive, send)

    with TestClient(elsewhere) as client:  # type: ignore[arg-type]
        yield client


def series(text: str, name: str, **labels: str) -> float:
    """Return the value of a series in the text format."""
    for line in text.splitlines():
        if line.startswith(f"{name}{{") and all(f'{key}="{value}"' in line for key, value in labels.items()):
            return float(line.rpartition(" ")[2])
    return 0.0


def test_made_up_methods_are_kept_as_one() -> None:
    """Nothing grows with the methods that a client makes up, whatever the server lets through."""
    app = site()
    metrics = app.use(Metrics())
    with TestClient(app, raise_server_exceptions=False) as client:
        for number in range(20):
            assert client.request(f"BREW{number}", "/coffee").status_code == 404
    assert [method for method, _, _ in metrics._counts] == ["other"]


def test_requests_are_counted_by_route() -> None:
    """A thousand URLs of one route are one series; made-up methods and paths make none."""
    app = site()
    app.use(Metrics())
    with TestClient(app, raise_server_exceptions=False) as client:
        before = client.get("/metrics").text
        for number in range(5):
            client.get(f"/things/{number}")
        client.get("/fail")
        client.request("BREW", "/coffee-1")
        client.request("BREW2", "/coffee-2")
        after = client.get("/metrics").text
    labels = {"method": "GET", "route": "/things/{number:int}", "status": "200"}
    counted = "http_requests_total"
    assert series(after, counted, **labels) - series(before, counted, **labels) == 5
    failed = {"method": "GET", "route": "/fail", "status": "500"}
    assert series(after, counted, **failed) - series(before, counted, **failed) == 1
    assert "coffee" not in after
    assert "BREW" not in after
    assert series(after, "http_request_duration_seconds_count", method="GET", route="/fail") >= 1
    assert "event_loop_lag_seconds" in after


def test_who_may_ask() -> None:
    """Without a token the private network alone, and nobody through a proxy; with one, whoever has it."""
    app = site()
    app.use(Metrics())
    with asking(app, "203.0.113.9") as client:
        assert client.get("/metrics").status_code == 403
    with asking(app, "10.2.3.4") as client:
        assert client.get("/metrics").status_code == 200
        for header in ("x-forwarded-for", "x-forwarded-proto", "forwarded", "x-real-ip", "via", "cf-connecting-ip"):
            assert client.get("/metrics", headers={header: "203.0.113.9"}).status_code == 403, header
    app = site()
    app.use(Metrics(token=Secret("t-123")))
    with asking(app, "203.0.113.9") as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"authorization": "Bearer t-124"}).status_code == 401
        assert client.get("/metrics", headers={"authorization": "Bearer t-123"}).status_code == 200


WORKERS = """
import os
from demijohn import App
from demijohn.monitoring import Metrics

app = App()
app.use(Metrics())

@app.get("/")
async def home():
    return str(os.getpid())
"""


@pytest.mark.slow
def test_several_workers_add_up(tmp_path: Path) -> None:
    """Whichever worker is asked tells what all have counted, and a dead one's counts stay."""
    (tmp_path / "app.py").write_text(WORKERS)
    log = tmp_path / "log"
    environment = {**os.environ, "SECRET_KEY": "k" * 40, "ALLOWED_HOSTS": "127.0.0.1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "demijohn", "serve", "app.py", "--port", "0", "--workers", "2"],
            cwd=tmp_path,
            env=environment,
            stderr=output,
            stdout=output,
        )
    try:
        url = ""
        for _ in range(200):
            found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
            if found:
                url = found[0]
                break
            time.sleep(0.1)
        assert url, log.read_text()
        # Each question comes by a connection of its own, so that both workers get some.
        workers = {urllib.request.urlopen(f"{url}/", timeout=10).read() for _ in range(60)}
        for _ in range(5):
            text = urllib.request.urlopen(f"{url}/metrics", timeout=10).read().decode()
            assert series(text, "http_requests_total", route="/", status="200") == 60
        os.kill(int(min(workers)), signal.SIGKILL)
        time.sleep(3)
        text = urllib.request.urlopen(f"{url}/metrics", timeout=10).read().decode()
        assert series(text, "http_requests_total", route="/", status="200") == 60
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_spans_follow_the_conventions() -> None:
    """A request has a span with its route and status, in the trace of the caller; a failure is recorded."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = site()
    app.use(Tracing(provider=provider))
    with TestClient(app, raise_server_exceptions=False) as client:
        parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        client.get("/things/7", headers={"traceparent": parent})
        client.get("/fail")
    good, bad = exporter.get_finished_spans()
    assert good.name == "GET /things/{number:int}"
    assert good.attributes is not None
    assert good.attributes["http.response.status_code"] == 200
    assert good.attributes["http.route"] == "/things/{number:int}"
    assert format(good.context.trace_id, "032x") == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert bad.attributes is not None
    assert bad.attributes["error.type"] == "RuntimeError"
    assert not bad.status.is_ok
    assert [event.name for event in bad.events] == ["exception"]


def test_slow_requests_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """What takes longer than the threshold is in the log, and nothing else."""
    app = site()
    app.use(SlowRequests(0.05))

    @app.get("/slow")
    def slow() -> str:
        time.sleep(0.06)
        return ""

    with TestClient(app) as client, caplog.at_level(logging.WARNING, "demijohn.slow"):
        client.get("/things/1")
        client.get("/slow")
    assert [record.getMessage()[:14] for record in caplog.records] == ["GET /slow took"]


def test_a_threshold_of_nothing_is_refused() -> None:
    """Zero seconds would log everything."""
    with pytest.raises(ConfigurationError) as caught:
        SlowRequests(0)
    assert caught.value.code == "DJN-774"
