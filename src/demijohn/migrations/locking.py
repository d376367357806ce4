"""One runner of migrations at a time; the lock goes with the connection, however it ends."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.engine import Connection

from demijohn.migrations.faults import LockTaken

__all__ = ["runner_lock"]

NAME = "demijohn migrations"


@contextmanager
def runner_lock(connection: Connection, *, wait: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of this database: pg_advisory_lock, GET_LOCK.

    On SQLite each migration runs within BEGIN IMMEDIATE, which is the lock.

    Args:
        connection: The connection that migrates.
        wait: How long to wait for the other runner, in seconds.
        say: Is told that there is another.

    Raises:
        LockTaken: The other did not end in time.
    """
    family = connection.dialect.name
    if family not in {"postgresql", "mysql", "mariadb"}:
        yield
        return
    name = f"{NAME}: {connection.engine.url.database}"
    deadline = time.monotonic() + wait
    told = False
    while not _try(connection, family, name):
        if time.monotonic() >= deadline:
            raise LockTaken(
                f"Another runner of migrations has held the database for {wait:g} s.",
                why="Two at once would run every migration twice.",
                fix="Wait for it, or look for it in the list of connections: it is called `demijohn migrate`.",
            )
        if not told:
            say("Another runner is migrating this database; waiting for it to end.")
            told = True
        time.sleep(0.1)
    try:
        yield
    finally:
        if not connection.invalidated and not connection.closed:
            connection.rollback()
            if family == "postgresql":
                connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _key(name)})
            else:
                connection.execute(text("select release_lock(:name)"), {"name": name[-64:]})
            connection.commit()


def _try(connection: Connection, family: str, name: str) -> bool:
    if family == "postgresql":
        taken = connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": _key(name)}).scalar_one()
    else:
        taken = connection.execute(text("select get_lock(:name, 0)"), {"name": name[-64:]}).scalar_one()
    connection.commit()
    return bool(taken)


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
