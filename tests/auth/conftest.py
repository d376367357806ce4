"""What the tests of accounts share: a database on each backend, the app of the site, people, a browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demijohn import App
from demijohn.db import Database, now
from demijohn.mail import Mailbox
from demijohn.testing import AsyncClient
from tests.auth.site import PASSWORD, WEAK, User, make_app, make_tables
from tests.db.conftest import BACKENDS, url_of


@pytest.fixture(params=BACKENDS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """The tables of the site, empty, on each backend."""
    database = Database(url_of(request.param, tmp_path), connections=5)
    await make_tables(database)
    yield database
    await database.dispose()


@pytest.fixture
async def app(database: Database) -> App:
    """The site."""
    return make_app(database)


@pytest.fixture
async def visitor(app: App) -> AsyncIterator[AsyncClient]:
    """A browser of the site, nobody in it."""
    client = AsyncClient(app)  # started by its first request, so that a test may add routes before
    yield client
    await client.aclose()
    await app.shutdown()


@pytest.fixture
async def ann(database: Database) -> User:
    """A user."""

    hashed = await WEAK.hash(PASSWORD)

    async def make() -> User:
        return await User.create(
            email="Ann@Example.org", display_name="Ann", password_hash=hashed, email_verified_at=now()
        )

    return await database.run(make())


@pytest.fixture
async def mailbox(visitor: AsyncClient) -> AsyncIterator[Mailbox]:
    """What the site sends."""
    async with visitor.harness.open("mailbox") as mailbox:
        yield mailbox
