"""Changing many rows in a migration: by batches, each committed on its own, so that nobody waits for all of them."""

import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from alembic import op
from sqlalchemy import Column, Integer, MetaData, Table, and_, func, select, text, update
from sqlalchemy.sql import ColumnElement

__all__ = ["backfill"]


def backfill(
    table: str,
    values: Mapping[str, Any],
    *,
    where: ColumnElement[bool] | str | None = None,
    key: str = "id",
    size: int = 1000,
    pause: float = 0.0,
) -> int:
    """Set columns of many rows, a batch at a time; return how many were changed.

    Each batch is a transaction of its own where the server has several writers, so what came before it in the same
    migration is committed; a run that was stopped is run again, and `where` should leave out the rows that are done.

    Args:
        table: The name of the table.
        values: New values by column: plain values or SQL expressions (Any: both).
        where: Which rows; SQL as text or an expression.
        key: A column of whole numbers to go along, the primary key.
        size: How many keys a batch spans.
        pause: Seconds to rest after each batch, where replicas have to keep up.

    Example:
        backfill("post", {"slug": sa.func.lower(sa.column("title"))}, where="slug is null")
    """
    context = op.get_context()
    if context.as_sql:
        op.execute(f"-- in batches of {size}: {_statement(table, values, where)}")
        return 0
    connection = op.get_bind()
    block = context.autocommit_block() if connection.dialect.name == "postgresql" else nullcontext()
    chosen = text(where) if isinstance(where, str) else where
    with block:
        connection = op.get_bind()
        if context.connection is not None:
            connection = context.connection
        target = Table(table, MetaData(), Column(key, Integer), *(Column(name) for name in values))
        place = target.c[key]
        low, high = connection.execute(select(func.min(place), func.max(place))).one()
        if low is None:
            return 0
        changed = 0
        began = time.monotonic()
        for start in range(low, high + 1, size):
            bounds = and_(place >= start, place < start + size)
            condition = bounds if chosen is None else and_(bounds, chosen)
            result = connection.execute(update(target).where(condition).values(dict(values)))
            changed += max(0, result.rowcount)
            _show(table, min(1.0, (start + size - low) / (high - low + 1)), changed, began)
            if pause:
                time.sleep(pause)
        if sys.stderr.isatty():
            sys.stderr.write("\n")
        return changed


def _statement(table: str, values: Mapping[str, Any], where: Any) -> str:
    shown = update(Table(table, MetaData(), *(Column(name) for name in values))).values(dict(values))
    if where is not None:
        shown = shown.where(text(where) if isinstance(where, str) else where)
    return " ".join(str(shown.compile(compile_kwargs={"literal_binds": True})).split())


def _show(table: str, part: float, changed: int, began: float) -> None:
    if not sys.stderr.isatty():
        return
    filled = int(part * 30)
    left = (time.monotonic() - began) / part * (1 - part) if part else 0.0
    sys.stderr.write(
        f"\r  {table} [{'#' * filled}{'.' * (30 - filled)}] {part:4.0%}  {changed} rows, {left:.0f} s left "
    )
    sys.stderr.flush()
