"""The objects of a list as CSV, streamed, safe to open in a spreadsheet."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from demijohn.admin.columns import Column, text_of
from demijohn.admin.listing import Listing
from demijohn.admin.naming import battery_of, text_key
from demijohn.app.tables import csv_rows
from demijohn.db import Model, now
from demijohn.http import StreamResponse
from demijohn.schema import to_builtins

__all__ = ["export"]


def export(listing: Listing) -> StreamResponse:
    """Return all objects that a list is about as a CSV file, in its order and with its columns.

    They are read in parts and sent while they are read, in a unit of work of their own.
    """
    name = f"{listing.admin.slug}-{now():%Y-%m-%d}.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamResponse(_lines(listing), headers=headers, content_type="text/csv; charset=utf-8")


async def _lines(listing: Listing) -> AsyncIterator[str]:
    plan = listing.plan
    columns = listing.columns
    names = ["key", *(column.name for column in columns)]
    yield "\ufeff"  # a spreadsheet reads it as UTF-8 then
    for line in csv_rows((), columns=names):
        yield line
    query = plan.join(listing.ordered(listing.filtered()))
    database = listing.visit.request.app.batteries[battery_of(listing.admin.model)]
    async with database.unit():
        async for obj in query.stream(chunk=500):
            for name in plan.loaded:
                if name not in vars(obj):
                    await obj.load(name)  # for all that were read with it
            for line in _body(columns, obj):
                yield line


def _body(columns: Any, obj: Any) -> Iterator[str]:
    row = [text_key(obj), *(_plain(column, obj) for column in columns)]
    yield from csv_rows([row], columns=())


def _plain(column: Column, obj: Any) -> Any:
    value = column.get(obj)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Model | list | dict | tuple | set):
        return text_of(value)
    if hasattr(value, "__html__"):
        return str(value)
    plain = to_builtins(value)
    return plain if isinstance(plain, str | int | float) else text_of(value)
