"""A visitor's session in a test: what is changed is there for the next request."""

from collections.abc import Iterator
from typing import Any

import pytest

from demijohn import App
from demijohn.sessions import MemorySessionStore, Session, Sessions
from demijohn.testing import AsyncClient, TestClient

from .conftest import settings


@pytest.fixture(params=["cookie", "store"])
def app(request: pytest.FixtureRequest) -> Iterator[App]:
    """An app that shows and counts what is in the session."""
    app = App(settings=settings())
    app.use(Sessions(store=MemorySessionStore() if request.param == "store" else None))

    @app.get("/")
    async def show(session: Session) -> dict[str, Any]:
        session["visits"] = session.get("visits", 0) + 1
        return dict(session)

    return app


def test_a_sync_test_changes_the_session(client: TestClient, session_transaction: Any) -> None:
    """`with session_transaction()` sees what requests put in, and requests see what it puts in."""
    with session_transaction() as session:
        assert dict(session) == {}
        session["user"] = 5
    assert client.get("/").json() == {"user": 5, "visits": 1}
    with session_transaction() as session:
        assert session["visits"] == 1
        session["visits"] = 10
    assert client.get("/").json() == {"user": 5, "visits": 11}
    with session_transaction() as session:
        session.clear()
    assert client.get("/").json() == {"visits": 1}


async def test_an_async_test_changes_the_session(async_client: AsyncClient, session_transaction: Any) -> None:
    """`async with` does the same in an async test."""
    async with session_transaction() as session:
        session["user"] = 5
    assert (await async_client.get("/")).json() == {"user": 5, "visits": 1}


def test_a_failing_block_changes_nothing(client: TestClient, session_transaction: Any) -> None:
    """What a block that raises has changed is not kept."""

    def fail() -> None:
        with session_transaction() as session:
            session["user"] = 5
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert client.get("/").json() == {"visits": 1}
