"""Changing many rows in a migration: by batches, each committed on its own, so that nobody waits for all of them."""

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from alembic import op
from sqlalchemy import Column, Integer, MetaData, Table, and_, func, inspect, or_, select, text, true, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ColumnElement

from demijohn.migrations.journal import code_of

__all__ = ["backfill"]

_BUSY = {"55P03", "40P01", "40001", 1205, 1213}  # a lock that was not free, a deadlock, a conflict
_ATTEMPTS = 10


def backfill(
    table: str,
    values: Mapping[str, Any],
    *,
    where: ColumnElement[bool] | str | None = None,
    key: str | Sequence[str] = "id",
    size: int = 1000,
    pause: float = 0.0,
) -> int:
    """Set columns of many rows, a batch at a time; return how many were changed.

    Each batch is a transaction of its own where the server has several writers, so what came before it in the same
    migration is committed; a run that was stopped is run again, and goes on at the first row that `where` still finds.
    A batch whose rows somebody holds is tried again.

    Args:
        table: The name of the table.
        values: New values by column: plain values or SQL expressions (Any: both).
        where: Which rows; SQL as text or an expression. It should leave out the rows that are done.
        key: The column to go along, or several: those of the primary key, of any type that has an order.
        size: How many rows a batch has.
        pause: Seconds to rest after each batch, where replicas have to keep up.

    Example:
        backfill("post", {"slug": sa.func.lower(sa.column("title"))}, where="slug is null")
    """
    context = op.get_context()
    if context.as_sql:
        op.execute(f"-- in batches of {size}: {_statement(table, values, where)}")
        return 0
    own = op.get_bind().dialect.name == "postgresql"
    with context.autocommit_block() if own else nullcontext():
        connection = op.get_bind() if context.connection is None else context.connection
        names = [key] if isinstance(key, str) else list(key)
        walk = _Walk(connection, table, names, values, text(f"({where})") if isinstance(where, str) else where)
        return walk.run(size, pause)


class _Walk:
    """Goes along the keys of a table in their order, a batch at a time."""

    def __init__(
        self,
        connection: Connection,
        table: str,
        keys: Sequence[str],
        values: Mapping[str, Any],
        where: Any,
    ) -> None:
        self.connection = connection
        self.name = table
        # A key has the type that the server tells, so that it is sent back as it came.
        types = {one["name"]: one["type"] for one in inspect(connection).get_columns(table)}
        columns = [Column(name, types.get(name, Integer())) for name in keys]
        self.table = Table(table, MetaData(), *columns, *(Column(name) for name in values if name not in keys))
        self.keys = [self.table.c[name] for name in keys]
        self.values = dict(values)
        self.where = true() if where is None else where
        self.commits = connection.dialect.name != "sqlite"

    def run(self, size: int, pause: float) -> int:
        total = self._count() if sys.stderr.isatty() else 0
        began = time.monotonic()
        changed = 0
        last: tuple[Any, ...] | None = None
        while True:
            ahead = self.where if last is None else and_(self._beyond(last), self.where)
            ordered = select(*self.keys).where(ahead).order_by(*self.keys)
            row = self.connection.execute(ordered.offset(size - 1).limit(1)).first()
            bound = None if row is None else tuple(row)
            part = ahead if bound is None else and_(ahead, self._beyond(bound, back=True))
            changed += self._change(part)
            if total:
                _show(self.name, min(1.0, changed / total), changed, began)
            if bound is None:
                break
            last = bound
            if pause:
                time.sleep(pause)
        if total:
            sys.stderr.write("\n")
        return changed

    def _beyond(self, place: tuple[Any, ...], *, back: bool = False) -> ColumnElement[bool]:
        """Return the condition that a key comes after a place, or that it does not (`back`).

        It is said column by column, which every server finds by its index.
        """
        found: ColumnElement[bool] = self.keys[-1] <= place[-1] if back else self.keys[-1] > place[-1]
        for column, value in reversed(list(zip(self.keys[:-1], place[:-1], strict=True))):
            strictly = column < value if back else column > value
            found = and_(column <= value if back else column >= value, or_(strictly, found))
        return found

    def _change(self, part: ColumnElement[bool]) -> int:
        statement = update(self.table).where(part).values(self.values)
        for attempt in range(_ATTEMPTS):
            try:
                return max(0, self.connection.execute(statement).rowcount)
            except DBAPIError as error:
                if not self.commits or code_of(error) not in _BUSY or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(min(0.1 * 2**attempt, 5.0))
        return 0

    def _count(self) -> int:
        counted = select(func.count()).select_from(self.table).where(self.where)
        return int(self.connection.execute(counted).scalar_one())


def _statement(table: str, values: Mapping[str, Any], where: Any) -> str:
    shown = update(Table(table, MetaData(), *(Column(name) for name in values))).values(dict(values))
    if where is not None:
        shown = shown.where(text(where) if isinstance(where, str) else where)
    return " ".join(str(shown.compile(compile_kwargs={"literal_binds": True})).split())


def _show(table: str, part: float, changed: int, began: float) -> None:
    filled = int(part * 30)
    left = (time.monotonic() - began) / part * (1 - part) if part else 0.0
    sys.stderr.write(
        f"\r  {table} [{'#' * filled}{'.' * (30 - filled)}] {part:4.0%}  {changed} rows, {left:.0f} s left "
    )
    sys.stderr.flush()
