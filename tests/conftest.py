"""What every test of the house shares: groups for xdist, and a database of its own for each worker."""

import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

from tests import linting

# How long an example takes says more about the neighbours on the machine than about the code.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker of xdist its own databases (`scripts/servers` makes them): none sees the tables of another."""
    linting.install()
    if _WORKER and _WORKER[2:].isdigit() and int(_WORKER[2:]) < 4:
        for name in ("DEMIJOHN_TEST_POSTGRESQL", "DEMIJOHN_TEST_MARIADB"):
            if name in os.environ:
                os.environ[name] = urlsplit(os.environ[name])._replace(path=f"/{_WORKER}").geturl()
        if "DEMIJOHN_TEST_REDIS" in os.environ:
            url = urlsplit(os.environ["DEMIJOHN_TEST_REDIS"])
            os.environ["DEMIJOHN_TEST_REDIS"] = url._replace(path=f"/{int(_WORKER[2:]) + 1}").geturl()


@pytest.fixture(autouse=True)
def lint_responses(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that has a response pass which breaks a rule of HTTP (`tests/linting.py`)."""
    linting.complaints.clear()
    yield
    found = list(dict.fromkeys(linting.complaints))
    linting.complaints.clear()
    if found and not request.node.get_closest_marker("unlinted"):
        pytest.fail("httplint complains:\n" + "\n".join(found), pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file on one worker; skip what needs a server that is not there, and say which."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
        for marker, variable in (
            ("postgresql", "DEMIJOHN_TEST_POSTGRESQL"),
            ("mariadb", "DEMIJOHN_TEST_MARIADB"),
            ("redis", "DEMIJOHN_TEST_REDIS"),
            ("browser", "DEMIJOHN_TEST_CHROMIUM"),
        ):
            if item.get_closest_marker(marker) and not os.environ.get(variable):
                item.add_marker(pytest.mark.skip(reason=f"{variable} is not set; scripts/servers starts one"))


@pytest.fixture
def free_port() -> int:
    """A port on the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
