"""Rows as JSON: what is dumped is what is loaded, on every backend; what does not fit is told."""

import json

import pytest

from demijohn.migrations.faults import BadFixture
from demijohn.migrations.fixtures import dump, load
from tests.migrations.conftest import Bench
from tests.migrations.test_comparing import Zoo

ROWS = [
    {"table": "keeper", "fields": {"id": 1, "name": "Ann", "boss_id": None}},
    {"table": "keeper", "fields": {"id": 2, "name": "Bob", "boss_id": 1}},
    {"table": "food", "fields": {"id": 5, "name": "hay"}},
    {
        "table": "animal",
        "fields": {
            "id": 3,
            "name": "Zoë",
            "about": "…",
            "mood": "wild",
            "rank": 2,
            "price": "10.50",
            "data": {"legs": 4},
            "span": "PT90S",
            "blob": "AAEC",
            "tame": True,
            "weight": 1.5,
            "views": 12345678901,
            "born": "2020-02-29",
            "woken": "06:30:00",
            "chip": "12345678-1234-5678-1234-567812345678",
            "seen": "2026-01-02T03:04:05.000006Z",
            "keeper_id": 2,
        },
    },
    {"table": "animal_eats", "fields": {"animal_id": 3, "food_id": 5}},
]


def test_dump_and_load_are_each_other_back(bench: Bench) -> None:
    """Values of every type come back from JSON as they were, and keys go on behind the highest."""
    Zoo.registry.configure()
    bench.step(Zoo.metadata)
    tables = bench.project.tables()
    content = json.dumps(ROWS).encode()
    assert bench.project.call(lambda c: load(c, tables, content), reading=False) == len(ROWS)
    dumped = bench.project.call(lambda c: dump(c, tables))
    assert sorted(json.loads(dumped), key=str) == sorted(ROWS, key=str)
    assert bench.project.call(lambda c: load(c, tables, dumped), reading=False) == len(ROWS)
    assert json.loads(bench.project.call(lambda c: dump(c, tables))) == json.loads(dumped)
    bench.sql("insert into food (name) values ('oats')")
    assert bench.sql("select max(id) from food") == [(6,)]


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"{", "cannot be read"),
        (b'[{"table": "foood", "fields": {}}]', "no table 'foood'"),
        (b'[{"table": "food", "fields": {"nam": 1}}]', "no column 'nam'"),
        (b'[{"table": "food"}]', "has no `fields`"),
        (b'[{"table": "animal", "fields": {"born": "yesterday"}}]', "animal.born cannot be"),
        (b'[{"table": "keeper", "fields": {"id": 1, "name": "x", "boss_id": 9}}]', "point to rows that are not there"),
    ],
)
def test_a_file_that_does_not_fit(sqlite: Bench, content: bytes, seen: str) -> None:
    """A file that names what is not there, or holds other kinds of values, writes nothing."""
    Zoo.registry.configure()
    sqlite.step(Zoo.metadata)
    with pytest.raises(BadFixture, match=seen):
        sqlite.project.call(lambda c: load(c, sqlite.project.tables(), content), reading=False)
    assert sqlite.sql("select count(*) from keeper") == [(0,)]
