"""Servers that several tests share."""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop

from tests.serving.running import Running, running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server with the small app on uvloop."""
    with running() as server:
        yield server


@pytest.fixture(scope="module", params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def any_server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server with the small app, on each kind of loop in turn."""
    with running(loop_factory=request.param) as server:
        yield server
