"""The physical connections to one SQLite file: an inline reader, reader threads, and one writer.

A short read runs where it is called, on the loop: a hop to a thread costs more than most statements. A progress handler
interrupts a read after 5 ms, and the statement runs again on a reader thread, so no request stalls the others. All
writes of a process go through one connection on one thread, in turns; other processes wait by SQLite's own busy
timeout, which never fails at once because every transaction that writes begins with BEGIN IMMEDIATE.
"""

import asyncio
import math
import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic, perf_counter
from typing import Any, Literal

from demijohn.db.dialects.threads import Worker

__all__ = ["Outcome", "Reader", "Store"]

INLINE_SECONDS = 0.005
running_loop = asyncio._get_running_loop
_STEPS = 10_000
_TRY_ELSEWHERE = (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

Outcome = tuple[Any, list[Any], int, "int | None"]
"""Description, rows, row count and last row id of a statement."""


def _regexp(pattern: str, value: object) -> bool | None:
    return None if value is None else re.search(pattern, str(value)) is not None


def _outcome(raw: sqlite3.Connection, statement: str, parameters: Any) -> Outcome:
    cursor = raw.execute(statement, parameters)
    description = cursor.description
    rows = cursor.fetchall() if description else []
    return description, rows, cursor.rowcount, cursor.lastrowid


def _outcome_of_many(raw: sqlite3.Connection, statement: str, parameters: Any) -> Outcome:
    cursor = raw.executemany(statement, parameters)
    return cursor.description, [], cursor.rowcount, cursor.lastrowid


class Reader:
    """A reader connection with its thread, for statements that take longer."""

    __slots__ = ("deadline", "raw", "worker")

    def __init__(self, raw: sqlite3.Connection, worker: Worker) -> None:
        self.raw = raw
        self.worker = worker
        self.deadline = math.inf
        raw.set_progress_handler(self._is_over, _STEPS)

    def _is_over(self) -> bool:
        return monotonic() > self.deadline


class Store:
    """All connections to one file for one event loop.

    Args:
        path: The file.
        loop: The event loop that the store works for.
        synchronous: `"FULL"` keeps each commit through a power cut; `"NORMAL"` may lose the last ones, never the file.
        busy_timeout: Seconds to wait for another writer.
        statement_timeout: Seconds that one read may take; `0` for no limit.
        readers: Threads for reads that take longer than 5 ms.
        prepare: Called with each new `sqlite3.Connection`, to add functions or pragmas.
    """

    def __init__(
        self,
        path: str,
        loop: asyncio.AbstractEventLoop,
        *,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        busy_timeout: float = 5.0,
        statement_timeout: float = 30.0,
        readers: int = 4,
        prepare: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        self.path = path
        self.synchronous = synchronous
        self.busy_timeout = busy_timeout
        self.statement_timeout = statement_timeout
        self.prepare = prepare
        self.loop = loop
        self.turn = asyncio.Lock()
        self.holder = ""
        self._deadline = 0.0
        self._inline: sqlite3.Connection | None = None
        self._spare: list[sqlite3.Connection] = []
        self._writer = Worker("demijohn-sqlite-writer", self.loop)
        self._write_raw: sqlite3.Connection | None = None
        self._idle: list[Reader] = []
        self._readers: list[Reader] = []
        self._room = asyncio.Semaphore(readers)

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(self, statement: str, parameters: Any) -> Outcome | None:
        """Read here and now.

        Returns None where the statement has to go to a reader thread instead.
        """
        if running_loop() is not self.loop:
            return self._read_in_thread(statement, parameters)
        raw = self._inline
        if raw is None:
            raw = self._inline = self._open(reader=True, busy_timeout=0.0)
            raw.set_progress_handler(self._is_over, _STEPS)
        self._deadline = perf_counter() + INLINE_SECONDS
        try:
            return _outcome(raw, statement, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in _TRY_ELSEWHERE:
                return None
            raise

    def read_rows(self, statement: str, parameters: Any) -> list[Any] | None:
        """Read here and now, and return nothing but the rows; None as in `read`."""
        if running_loop() is not self.loop or self._inline is None:
            outcome = self.read(statement, parameters)
            return None if outcome is None else outcome[1]
        self._deadline = perf_counter() + INLINE_SECONDS
        try:
            return self._inline.execute(statement, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in _TRY_ELSEWHERE:
                return None
            raise

    def _is_over(self) -> bool:
        return perf_counter() > self._deadline

    def _read_in_thread(self, statement: str, parameters: Any) -> Outcome:
        # The caller is a worker thread, which may take its time; connections are shared by threads, one at a time.
        try:
            raw = self._spare.pop()
        except IndexError:
            raw = self._open(reader=True, busy_timeout=self.busy_timeout)
        try:
            return _outcome(raw, statement, parameters)
        finally:
            self._spare.append(raw)

    async def read_elsewhere(self, statement: str, parameters: Any) -> Outcome:
        """Read on a reader thread."""
        reader = await self.take_reader()
        try:
            outcome: Outcome = await self.with_reader(reader, _outcome, reader.raw, statement, parameters)
            return outcome
        finally:
            self.give_back(reader)

    async def take_reader(self) -> Reader:
        """Wait for a reader thread of one's own."""
        await self._room.acquire()
        try:
            if self._idle:
                return self._idle.pop()
            worker = Worker(f"demijohn-sqlite-reader-{len(self._readers)}", self.loop)
            reader = Reader(await worker.run(self._open, True, self.busy_timeout), worker)
            self._readers.append(reader)
            return reader
        except BaseException:
            self._room.release()
            raise

    def give_back(self, reader: Reader) -> None:
        """Give a reader thread back."""
        self._idle.append(reader)
        self._room.release()

    async def with_reader(self, reader: Reader, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """Run a call on the reader's thread.

        A call that is cancelled is interrupted first (Any: of any function).
        """
        reader.deadline = monotonic() + self.statement_timeout if self.statement_timeout else math.inf
        future = reader.worker.run(function, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                reader.raw.interrupt()
                with suppress(sqlite3.Error, asyncio.CancelledError):
                    await asyncio.wait([future], timeout=0.05)
            if not future.cancelled():
                future.exception()
            raise

    # -- writing -----------------------------------------------------------------------------------------------------

    async def begin(self, holder: str, *, plain: bool = False) -> None:
        """Wait for the turn to write and send BEGIN IMMEDIATE; `plain` sends nothing.

        Raises:
            sqlite3.OperationalError: Somebody else in this or another process held the lock for too long.
        """
        try:
            async with asyncio.timeout(self.busy_timeout):
                await self.turn.acquire()
        except TimeoutError:
            error = sqlite3.OperationalError(f"database is locked: {self.holder or 'another transaction'} writes")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            error.sqlite_errorname = "SQLITE_BUSY"
            raise error from None
        self.holder = holder
        future = self._writer.run(self._begin, plain)
        try:
            await asyncio.shield(future)
        except BaseException:
            self._end(None)
            raise

    def _begin(self, plain: bool) -> None:
        raw = self._write_raw
        if raw is None:
            raw = self._write_raw = self._open(False, self.busy_timeout)
        if not plain:
            raw.execute("BEGIN IMMEDIATE")

    async def write(self, statement: str, parameters: Any, *, many: bool = False) -> Outcome:
        """Run a statement within the write transaction of the caller."""
        return await self._writer.run(self._write, _outcome_of_many if many else _outcome, statement, parameters)

    def _write(self, function: Callable[..., Outcome], statement: str, parameters: Any) -> Outcome:
        if self._write_raw is None:
            raise sqlite3.ProgrammingError("The database is closed.")
        return function(self._write_raw, statement, parameters)

    async def end(self, statement: Literal["COMMIT", "ROLLBACK"] | None) -> None:
        """Commit or roll back and pass the turn on.

        So it does when the caller is cancelled meanwhile.
        """
        await asyncio.shield(self._end(statement))

    def abandon(self) -> None:
        """Roll back without waiting, for connections that were dropped."""
        self.loop.call_soon_threadsafe(self._end, None)

    def _end(self, statement: str | None) -> "asyncio.Future[None]":
        future = self._writer.run(self._finish, statement)
        future.add_done_callback(self._pass_on)
        return future

    def _finish(self, statement: str | None) -> None:
        raw = self._write_raw
        if raw is None or not raw.in_transaction:
            return
        try:
            raw.execute(statement or "ROLLBACK")
        finally:
            if raw.in_transaction:
                raw.execute("ROLLBACK")

    async def finish_plain(self) -> None:
        """End a plain turn.

        Whatever was begun is rolled back, and foreign keys are enforced again.
        """
        await self._writer.run(self._finish, None)
        await self._writer.run(self._write, _outcome, "PRAGMA foreign_keys=ON", ())
        await self.end(None)

    def _pass_on(self, future: "asyncio.Future[None]") -> None:
        self.holder = ""
        self.turn.release()
        if not future.cancelled():
            future.exception()  # seen by the caller, where there still is one

    # -- opening and closing -----------------------------------------------------------------------------------------

    def _open(self, reader: bool, busy_timeout: float) -> sqlite3.Connection:
        raw = sqlite3.connect(
            self.path, timeout=busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=512,
            uri=self.path.startswith("file:"),
        )  # fmt: skip
        raw.create_function("regexp", 2, _regexp, deterministic=True)
        raw.create_function("floor", 1, math.floor, deterministic=True)
        pragmas: Sequence[str] = ("foreign_keys=ON", "temp_store=MEMORY", "cache_size=-16000")
        if not reader:
            # The mode lives in the file. Only the writer sets it: it needs a lock.
            pragmas = ("journal_mode=WAL", f"synchronous={self.synchronous}", *pragmas)
        try:
            for pragma in pragmas:
                raw.execute(f"PRAGMA {pragma}")
            if self.prepare is not None:
                self.prepare(raw)
            if reader:
                raw.execute("PRAGMA query_only=ON")
        except BaseException:
            raw.close()
            raise
        return raw

    async def close(self) -> None:
        """Close every connection and end the threads; waits for the statements that run."""
        futures = [reader.worker.run(reader.raw.close) for reader in self._readers]
        if self._write_raw is not None:
            futures.append(self._writer.run(self._close_writer))
        if futures:
            await asyncio.wait(futures)
        for reader in self._readers:
            reader.worker.close()
        self._writer.close()
        self._readers.clear()
        self._idle.clear()
        for raw in self._spare:
            raw.close()
        self._spare.clear()
        if self._inline is not None:
            self._inline.close()
            self._inline = None

    def _close_writer(self) -> None:
        raw, self._write_raw = self._write_raw, None
        if raw is not None:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            raw.close()

    def remove(self) -> None:
        """Delete the file and what SQLite keeps beside it."""
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(self.path + suffix)
