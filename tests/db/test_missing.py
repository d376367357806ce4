"""A table that was not made: one error, with its code and the command, whichever way the statement came."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from demijohn import wait
from demijohn.app import App
from demijohn.db import Database, Mapped, Model, column
from demijohn.db.missing import SchemaMissing, is_schema_missing
from demijohn.testing import TestClient
from demijohn.testing.commands import CommandRunner
from tests.db.conftest import url_of


class Gone(Model, isolated=True):
    """A base of its own."""


class Parcel(Gone):
    label: Mapped[str] = column(max_length=40)


async def _stream() -> None:
    async for _ in Parcel.query().stream():
        pass


WAYS: dict[str, Callable[[Database], Any]] = {
    "get": lambda database: Parcel.get(1),
    "all": lambda database: Parcel.where(Parcel.label == "x").all(),
    "count": lambda database: Parcel.query().count(),
    "create": lambda database: Parcel.create(label="x"),
    "bulk": lambda database: Parcel.bulk_create([{"label": "x"}]),
    "update": lambda database: Parcel.where(Parcel.label == "x").update(label="y"),
    "stream": lambda database: _stream(),
    "sql": lambda database: database.execute(text("select * from parcel")),
}


@pytest.fixture
def app(backend: str, tmp_path: Path) -> App:
    """An app on each backend, whose tables were never made."""
    app = App(debug=False)
    app.root_path = tmp_path
    database = app.use(Database(url_of(backend, tmp_path)))

    @app.get("/")
    async def home() -> int:
        return await Parcel.query().count()

    with app.context():
        wait(database.execute(text("drop table if exists parcel")))
    return app


@pytest.mark.parametrize("way", WAYS)
async def test_every_statement_tells(database: Database, way: str) -> None:
    """Reads, writes, bulk, streams and SQL raise the same error, which names the table and the command."""
    async with database.unit():
        await database.execute(text("drop table if exists parcel"))
    with pytest.raises(SchemaMissing, match="parcel") as caught:
        async with database.unit():
            await WAYS[way](database)
    assert "demijohn migrate" in str(caught.value)
    assert "DJN-860" in str(caught.value)
    assert is_schema_missing(caught.value)


def test_a_handler_logs_it(app: App, caplog: pytest.LogCaptureFixture) -> None:
    """In production the visitor gets a plain 500, and the log has the code and the command."""
    with caplog.at_level(logging.ERROR), TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/")
    assert answer.status_code == 500
    assert "parcel" not in answer.text
    told = "".join(str(record.exc_info[1]) for record in caplog.records if record.exc_info)
    assert "DJN-860" in told
    assert "demijohn migrate" in told


def test_a_command_and_a_script_tell(app: App) -> None:
    """Commands and `with app.context()` raise the same."""

    @app.command()
    async def report() -> None:
        await Parcel.query().count()

    with pytest.raises(SchemaMissing, match="demijohn migrate"):
        CommandRunner(app)("report")
    with pytest.raises(SchemaMissing, match="demijohn migrate"), app.context():
        list(Parcel.query())


def test_other_errors_are_left_alone() -> None:
    """Words in an error of something else do not make it a missing table."""
    assert not is_schema_missing(RuntimeError("no such table: lamp"))
