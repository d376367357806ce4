"""`inspectdb` on a schema of the Chinook kind: the models that it prints map the tables that were there."""

from typing import Any

import sqlalchemy as sa

from demijohn.db import Model
from demijohn.db.storage import UTCDateTime
from demijohn.migrations.comparing import compare, own_tables
from demijohn.migrations.inspecting import models_of
from tests.migrations.conftest import Bench


def chinook() -> sa.MetaData:
    """A music shop: names in CamelCase, composite keys, self references, decimals and dates."""
    made = sa.MetaData()
    name = sa.String(120)
    sa.Table("Artist", made, sa.Column("ArtistId", sa.Integer, primary_key=True), sa.Column("Name", name))
    sa.Table(
        "Album",
        made,
        sa.Column("AlbumId", sa.Integer, primary_key=True),
        sa.Column("Title", sa.String(160), nullable=False),
        sa.Column("ArtistId", sa.ForeignKey("Artist.ArtistId"), nullable=False, index=True),
    )
    sa.Table(
        "Employee",
        made,
        sa.Column("EmployeeId", sa.Integer, primary_key=True),
        sa.Column("LastName", sa.String(20), nullable=False),
        sa.Column("ReportsTo", sa.ForeignKey("Employee.EmployeeId")),
        sa.Column("BirthDate", sa.DateTime),
    )
    sa.Table(
        "Track",
        made,
        sa.Column("TrackId", sa.Integer, primary_key=True),
        sa.Column("Name", sa.String(200), nullable=False, unique=True),
        sa.Column("AlbumId", sa.ForeignKey("Album.AlbumId", ondelete="CASCADE")),
        sa.Column("Bytes", sa.BigInteger),
        sa.Column("UnitPrice", sa.Numeric(10, 2), nullable=False, server_default="0.99"),
    )
    sa.Table("playlist", made, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", name))
    sa.Table(
        "PlaylistTrack",
        made,
        sa.Column("PlaylistId", sa.ForeignKey("playlist.id"), primary_key=True),
        sa.Column("TrackId", sa.ForeignKey("Track.TrackId"), primary_key=True),
    )
    return made


def test_models_of_a_music_shop(bench: Bench) -> None:
    """The models that are printed run, and a comparison finds no table or column to add or to drop."""
    bench.project.call(lambda c: (chinook().create_all(c), c.commit()), reading=False)
    source = bench.project.call(models_of)
    base = "class Old(Model, isolated=True):\n    pass\n\n\n"
    head, _, rest = source.partition("\n\n\n")
    values: dict[str, Any] = {"__name__": "shop"}
    exec(compile(f"{head}\n\n\n{base}{rest.replace('(Model)', '(Old)')}", "shop.py", "exec"), values)
    values["Old"].registry.configure()
    classes = {one.class_.__name__ for one in values["Old"].registry.mappers}
    assert {"Artist", "Album", "Employee", "Track", "Playlist", "PlaylistTrack"} <= classes
    assert issubclass(values["Album"], Model)
    assert 'artist: Mapped["Artist"] = belongs_to(' in source
    tables = own_tables([values["Old"].metadata], "default")
    made = bench.project.call(lambda c: compare(c, tables, bench.project.history))
    steps = [step for one in made.operations for step in getattr(one, "ops", [one])]
    kinds = {type(step).__name__ for step in steps}
    assert not kinds & {"CreateTableOp", "DropTableOp", "AddColumnOp", "DropColumnOp"}, (source, steps)
    # a moment without a zone becomes one in UTC; everything else has the type that it had
    changed = [step.modify_type for step in steps if getattr(step, "modify_type", None) is not None]
    assert all(isinstance(one, UTCDateTime) for one in changed), (source, changed)
