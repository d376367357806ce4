"""Rows that are read from the server some at a time."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import InvalidRequestError

from demijohn.db.faults import QueryError
from demijohn.db.units import STREAM, Unit, work

__all__ = ["stream_rows"]


async def stream_rows(unit: Unit, statement: Select[Any], *, chunk: int, of_objects: bool) -> AsyncIterator[Any]:
    """Yield the rows of a statement, `chunk` at a time (Any: objects or rows).

    On a server the rows come over a connection of their own, so that other statements of the unit go on meanwhile. A
    unit that has begun a transaction, or is a test's, reads over its own: MySQL and MariaDB then read all rows at once.
    """
    try:
        result, engine = await work(unit.scope, _start, unit, statement, chunk)
    except InvalidRequestError as error:
        if "yield_per" not in str(error):
            raise
        raise QueryError(
            "A query was streamed that loads a relation to many by a JOIN.",
            why="Each object of it stands in several rows, and a chunk may end between two of them.",
            fix="Load it by a statement of its own for each chunk: `.load(...)` without `join=True`.",
        ) from error
    try:
        parts = (result.scalars() if of_objects else result).partitions(chunk)
        while True:
            part: Sequence[Any] | None = await work(unit.scope, next, parts, None)
            if part is None:
                return
            for row in part:
                yield row
    finally:
        await work(unit.scope, _end, unit, result, engine)


def _start(unit: Unit, statement: Select[Any], chunk: int) -> tuple[Any, Engine | None]:
    backend = unit.database.backend
    session = unit.session
    if backend == "sqlite":
        return session.execute(statement.execution_options(yield_per=chunk)), None
    if unit.is_begun() or unit.database.pin is not None:  # a test's rows are seen in its transaction alone
        buffered = backend in {"mysql", "mariadb"}
        options = {} if buffered else {"yield_per": chunk}
        return session.execute(statement.execution_options(**options)), None
    engine = unit.database.resources(unit.scope.loop)[0].engine.execution_options(**{STREAM: True})
    try:
        connection = session.connection(bind_arguments={"bind": engine})
        if backend == "postgresql":  # a cursor lives in a transaction
            raw: Any = connection.connection.dbapi_connection
            raw.begin_now()
        arguments = {"bind": engine}
        return session.execute(statement.execution_options(yield_per=chunk), bind_arguments=arguments), engine
    except BaseException:
        unit.release(engine)
        raise


def _end(unit: Unit, result: Any, engine: Engine | None) -> None:
    try:
        result.close()
    finally:
        if engine is not None:
            unit.release(engine)
