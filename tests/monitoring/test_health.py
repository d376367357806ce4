"""Health probes: what they answer, to whom, and that nobody can make the databases busy by them."""

import asyncio
import logging
import time

import pytest

from demijohn import App, Settings, abort
from demijohn.monitoring import Health
from demijohn.testing import TestClient


def site(**settings: object) -> tuple[App, Health]:
    app = App(settings=Settings.load({}, files=(), env="test", **settings))
    return app, app.use(Health(kept=0.0))


def test_a_site_without_probes_is_ready() -> None:
    """Both paths answer 200 and are never kept by a cache."""
    app, _ = site()
    with TestClient(app) as client:
        for path in ("/livez", "/readyz"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-store"
        assert client.get("/readyz").json() == {"status": "ok", "probes": []}


def test_a_failing_probe_takes_the_site_out(caplog: pytest.LogCaptureFixture) -> None:
    """One failure is a 503 that names the probe, and not what it said: that is in the log."""
    app, health = site()

    @health.probe("good")
    def good() -> None: ...

    @health.probe("disk")
    async def disk() -> None:
        raise OSError("/secret/path is full")

    with TestClient(app) as client, caplog.at_level(logging.WARNING):
        answer = client.get("/readyz")
        assert client.get("/livez").status_code == 200
    assert answer.status_code == 503
    assert {each["name"]: each["ok"] for each in answer.json()["probes"]} == {"good": True, "disk": False}
    assert "secret" not in answer.text
    assert "/secret/path is full" in caplog.text


def test_a_probe_that_hangs_is_a_failure() -> None:
    """A probe without an answer in time fails; the others are asked meanwhile."""
    app = App(settings=Settings.load({}, files=(), env="test"))
    health = app.use(Health(timeout=0.05))

    @health.probe("queue")
    async def queue() -> None:
        await asyncio.sleep(30)

    with TestClient(app) as client:
        started = time.monotonic()
        assert client.get("/readyz").status_code == 503
        assert time.monotonic() - started < 5


def test_answers_hold_for_a_moment() -> None:
    """A hundred questions in one second ask each probe once."""
    app = App(settings=Settings.load({}, files=(), env="test"))
    health = app.use(Health(kept=60))
    asked = []
    health.probe("db")(lambda: asked.append(1))
    with TestClient(app) as client:
        for _ in range(100):
            assert client.get("/readyz").status_code == 200
    assert len(asked) == 1


def test_whoever_probes_knows_no_host() -> None:
    """Neither the allowed hosts nor https nor a hook that wants a login keep a probe from its answer."""
    app, _ = site(allowed_hosts=("example.org",))

    @app.before_request
    def login() -> None:
        abort(401)

    @app.get("/")
    def home() -> str:
        return ""

    with TestClient(app) as client:
        assert client.get("/livez", headers={"host": "10.0.0.7:8000"}).status_code == 200
        assert client.get("/readyz", headers={"host": "10.0.0.7:8000"}).status_code == 200
        assert client.get("/", headers={"host": "10.0.0.7:8000"}).status_code == 400
        assert client.get("/", headers={"host": "example.org"}).status_code in (308, 401)


def test_a_server_that_goes_down_is_not_ready() -> None:
    """While it drains, no new work is wanted; the process still lives."""
    app, _ = site()
    with TestClient(app) as client:
        app.drain()
        assert client.get("/readyz").status_code == 503
        assert client.get("/readyz").json()["status"] == "going down"
        assert client.get("/livez").status_code == 200
