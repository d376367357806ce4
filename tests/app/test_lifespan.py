"""Parts of the lifespan: generators and context managers that take services and end in reverse order."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from demijohn import App, current, wait
from demijohn.errors import ConfigurationError


class Client:
    def __init__(self) -> None:
        self.is_open = True


async def test_parts_take_services_and_end_in_order() -> None:
    """Each kind of part gets what it asks for; services live until their part has ended, and parts end in reverse."""
    app = App()
    log: list[str] = []

    async def client() -> AsyncIterator[Client]:
        made = Client()
        yield made
        made.is_open = False
        log.append("client closed")

    app.provide(Client, client)

    @app.lifespan.add
    async def generator(client: Client, app: App) -> AsyncIterator[None]:
        assert client.is_open
        assert current.app is app
        log.append("generator")
        yield
        assert client.is_open
        assert current.app is app
        log.append("generator ended")

    @app.lifespan.add
    def threaded(client: Client) -> Iterator[None]:
        assert threading.current_thread() is not threading.main_thread()
        log.append(wait(asyncio.sleep(0, "threaded")))
        yield
        assert client.is_open
        log.append(wait(asyncio.sleep(0, "threaded ended")))

    @app.lifespan.add
    @asynccontextmanager
    async def managed(app: Any, client: Client) -> AsyncIterator[None]:
        assert app is current.app
        log.append("managed")
        yield
        log.append("managed ended")

    @app.lifespan.add
    @contextmanager
    def plain() -> Iterator[None]:
        log.append("plain")
        yield
        log.append("plain ended")

    for _ in range(2):
        await app.startup()
        assert log == ["generator", "threaded", "managed", "plain"]
        log.clear()
        await app.shutdown()
        assert log == [
            "plain ended",
            "managed ended",
            "client closed",
            "threaded ended",
            "client closed",
            "generator ended",
            "client closed",
        ]
        log.clear()


async def test_a_part_that_fails_ends_those_before_it() -> None:
    """What a failing part took is cleaned up, then the parts that had begun end."""
    app = App()
    log: list[str] = []

    def client() -> Iterator[Client]:
        yield Client()
        log.append("client closed")

    app.provide(Client, client)

    @app.lifespan.add
    async def first() -> AsyncIterator[None]:
        yield
        log.append("first ended")

    @app.lifespan.add
    async def second(client: Client) -> AsyncIterator[None]:
        try:
            raise OSError("no connection")
            yield
        finally:
            log.append("second failed")

    with pytest.raises(OSError, match="no connection"):
        await app.startup()
    assert log[0] == "second failed"
    assert log[-1] == "first ended"
    assert not app.lifespan.is_running


async def test_wrong_wiring_is_told_before_anything_begins() -> None:
    """A parameter that nobody provides, and a function without an end, are named with the line to write."""
    app = App()
    log: list[str] = []

    @app.lifespan.add
    async def first() -> AsyncIterator[None]:
        log.append("first")
        yield

    @app.lifespan.add
    async def second(client: Client) -> AsyncIterator[None]:
        yield

    with pytest.raises(ConfigurationError, match=r"`client: Client`.*test_lifespan\.py") as caught:
        await app.startup()
    assert "app.provide(Client, make_client)" in str(caught.value)
    assert log == []

    other = App()
    other.lifespan.add(lambda: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(ConfigurationError, match="yield") as caught:
        await other.startup()
    assert caught.value.code == "DJN-422"


async def test_a_part_that_cannot_be_committed_is_ended() -> None:
    """What has begun is ended where its commit fails, before its services are, and the start-up raises."""
    app = App()
    log: list[str] = []

    def client() -> Iterator[Client]:
        try:
            yield Client()
        finally:
            log.append("client closed")

    app.provide(Client, client)

    async def commit(unit: Any, error: BaseException | None) -> None:
        if error is None and log == ["begun"]:
            raise OSError("the database is gone")

    app.before_send.append(commit)

    @app.lifespan.add
    async def part(client: Client) -> AsyncIterator[None]:
        log.append("begun")
        yield
        log.append("ended")

    with pytest.raises(OSError, match="the database is gone"):
        await app.startup()
    assert log == ["begun", "ended", "client closed"]


async def test_what_fails_at_its_end_after_a_failed_commit_cleans_up() -> None:
    """An end that fails as well is told with the first error behind it, and services are closed all the same."""
    app = App()
    log: list[str] = []

    def client() -> Iterator[Client]:
        try:
            yield Client()
        finally:
            log.append("client closed")

    app.provide(Client, client)

    async def commit(unit: Any, error: BaseException | None) -> None:
        if error is None:
            raise OSError("the database is gone")

    app.before_send.append(commit)

    @app.lifespan.add
    async def part(client: Client) -> AsyncIterator[None]:
        yield
        raise ValueError("it cannot end")

    with pytest.raises(ValueError, match="it cannot end") as caught:
        await app.startup()
    assert isinstance(caught.value.__context__, OSError)
    assert log == ["client closed"]
