"""Engines from URLs: one for each process and event loop, with the limits that a server needs."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from uuid import uuid4

import msgspec
from sqlalchemy import create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from demijohn.db.dialects.store import Store
from demijohn.db.driver import spawn
from demijohn.errors import ConfigurationError

__all__ = ["DatabaseTimeouts", "Plan", "Resources", "make_plan", "temporary_path"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseTimeouts:
    """How long the database may take, in seconds; 0 switches a limit off.

    Attributes:
        checkout: For a free connection of the pool, before the client gets 503.
        statement: For one statement (PostgreSQL, MariaDB; SQLite: reads). None is five seconds where the app serves
            requests, and no limit in commands, scripts and the shell.
        lock: For a lock that somebody else holds (SQLite: for the other writers). None is two seconds, and five on
            SQLite, where all writers share one lock.
        idle: For a transaction in which nothing happens (PostgreSQL). None is ten seconds where the app serves
            requests, and no limit elsewhere.
        recycle: The age at which a connection is replaced.
        replica: How long a client that wrote reads from the primary, where there are replicas.
    """

    checkout: float = 2.0
    statement: float | None = None
    lock: float | None = None
    idle: float | None = None
    recycle: float = 1800.0
    replica: float = 2.0

    def for_backend(self, backend: str, *, serves: bool) -> "_Limits":
        """Return the limits of a backend, where requests are served or not."""
        statement, idle = (5.0, 10.0) if serves else (0.0, 0.0)
        return _Limits(
            statement if self.statement is None else self.statement,
            (5.0 if backend == "sqlite" else 2.0) if self.lock is None else self.lock,
            idle if self.idle is None else self.idle,
        )


class _Limits(NamedTuple):
    statement: float
    lock: float
    idle: float


def _load_sqlite() -> Any:
    from demijohn.db.dialects.sqlite import SQLiteDialect

    return SQLiteDialect


def _load_postgresql() -> Any:
    from demijohn.db.dialects.postgresql import PostgreSQLDialect

    return PostgreSQLDialect


def _load_mysql() -> Any:
    from demijohn.db.dialects.mysql import MySQLDialect

    return MySQLDialect


def _load_mariadb() -> Any:
    from demijohn.db.dialects.mysql import MariaDBDialect

    return MariaDBDialect


def _load_oracle() -> Any:
    from demijohn.db.dialects.oracle import OracleDialect

    return OracleDialect


_LOADERS: dict[str, Callable[[], Any]] = {
    "sqlite": _load_sqlite,
    "postgresql": _load_postgresql,
    "mysql": _load_mysql,
    "mariadb": _load_mariadb,
    "oracle": _load_oracle,
}
_OTHER_NAMES = {"postgres": "postgresql"}
for _name, _load in _LOADERS.items():
    registry.impls[f"{_name}.demijohn"] = _load


@dataclass(slots=True)
class Resources:
    """What one event loop has of a database.

    Attributes:
        recipes: What is known of the shapes of queries (Any: keys and values are those of `lanes`).
    """

    engine: Engine
    store: Store | None = None
    recipes: dict[Any, Any] = field(default_factory=dict)

    def is_watched(self) -> bool:
        """Return whether somebody listens to the statements of the engine, which SQLAlchemy tells."""
        engine: Any = self.engine
        pool = engine.pool.dispatch
        return bool(engine._has_events or engine._should_log_info() or pool.checkout or pool.checkin)

    async def close(self) -> None:
        """Close every connection."""
        await spawn(self.engine.dispose)
        if self.store is not None:
            await self.store.close()


@dataclass(slots=True)
class Plan:
    """A checked URL with its limits, from which engines are made."""

    url: URL
    connections: int
    timeouts: DatabaseTimeouts
    pooler: Literal["none", "pgbouncer"]
    options: Mapping[str, Any]
    temporary: bool = False

    @property
    def backend(self) -> str:
        """Return `sqlite`, `postgresql`, `mysql`, `mariadb` or `oracle`."""
        return self.url.get_backend_name()

    def make(self, loop: asyncio.AbstractEventLoop, *, serves: bool = False) -> Resources:
        """Make the engine for a loop, on which requests are served or not; no connection is opened yet."""
        limits = self.timeouts.for_backend(self.backend, serves=serves)
        common: dict[str, Any] = {
            "json_serializer": _to_json,
            "json_deserializer": msgspec.json.decode,
            "query_cache_size": 1000,
            # The message of a failure goes into logs; what was written may be anybody's secret.
            "hide_parameters": True,
        }
        if self.backend == "sqlite":
            return self._make_sqlite(loop, common, limits)
        if self.backend == "oracle":
            common = {"hide_parameters": True}
        arguments = {**self._arguments(limits), **self.options}
        if self.pooler == "pgbouncer":
            # The server side changes with each transaction: no statement outlives it, and the pooler does the pooling.
            common |= {"poolclass": NullPool}
            arguments |= {
                "statement_cache_size": 0,
                "prepared_statement_cache_size": 0,
                "prepared_statement_name_func": lambda: f"__demijohn_{uuid4()}__",
            }
            arguments.pop("server_settings", None)
        else:
            common |= {
                "poolclass": AsyncAdaptedQueuePool,
                "pool_size": self.connections,
                "max_overflow": 0,
                "pool_timeout": self.timeouts.checkout or None,
                "pool_recycle": self.timeouts.recycle or -1,
                "pool_use_lifo": True,
                "pool_pre_ping": True,
            }
        return Resources(create_engine(self.url, connect_args=arguments, **common))

    def _make_sqlite(self, loop: asyncio.AbstractEventLoop, common: dict[str, Any], limits: _Limits) -> Resources:
        options = dict(self.options)
        store = Store(
            str(self.url.database),
            loop,
            busy_timeout=limits.lock,
            statement_timeout=limits.statement,
            **options,
        )
        # A connection of this pool costs nothing: readers and the writer are shared by all of them.
        engine = create_engine(self.url, connect_args={"store": store}, pool_size=64, max_overflow=-1, **common)
        return Resources(engine, store)

    def _arguments(self, limits: _Limits) -> dict[str, Any]:
        if self.backend == "postgresql":
            settings = {
                "application_name": "demijohn",
                "jit": "off",
                "statement_timeout": str(int(limits.statement * 1000)),
                "lock_timeout": str(int(limits.lock * 1000)),
                "idle_in_transaction_session_timeout": str(int(limits.idle * 1000)),
            }
            return {"server_settings": settings, "timeout": max(self.timeouts.checkout, 5.0)}
        if self.backend in {"mysql", "mariadb"}:
            # InnoDB takes 0 for "do not wait", and counts in whole seconds.
            lock = max(1, int(limits.lock)) if limits.lock else 100_000_000
            return {"statement_limit": limits.statement, "lock_limit": lock}
        return {}


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def temporary_path() -> str:
    """Return the path of a file that only this process knows.

    It lies in memory where the system offers it.
    """
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()  # noqa: S108
    return os.path.join(folder, f"demijohn-{os.getpid()}-{uuid4().hex}.db")


def make_plan(
    url: str | URL,
    *,
    connections: int,
    timeouts: DatabaseTimeouts,
    pooler: Literal["none", "pgbouncer"],
    options: Mapping[str, Any],
) -> Plan:
    """Check a URL and put our driver in.

    Raises:
        ConfigurationError: The URL cannot be read, or names a database or a driver that is not supported.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "The URL of the database cannot be read.",  # never shown: it may hold a password
            why="It has to be `scheme://user:password@host:port/name`, with special characters percent-encoded.",
            fix='Database("sqlite:///app.db")',
            code="DJN-808",
        ) from error
    name, _, driver = parsed.drivername.partition("+")
    name = _OTHER_NAMES.get(name, name)
    if name not in _LOADERS or driver not in {"", "demijohn"}:
        raise ConfigurationError(
            f"The URL of the database begins with {parsed.drivername!r}.",
            why="The databases are sqlite, postgresql, mysql, mariadb and oracle, each with the driver that it comes "
            "with.",
            fix=f"Write {name}:// without a driver." if name in _LOADERS else 'Database("postgresql://user@host/name")',
            code="DJN-808",
        )
    if pooler == "pgbouncer" and name != "postgresql":
        raise ConfigurationError(
            f'pooler="pgbouncer" was given for {name}.', why="PgBouncer speaks PostgreSQL only.", code="DJN-808"
        )
    temporary = False
    if name == "sqlite" and parsed.database in {None, "", ":memory:"}:
        parsed = parsed.set(database=temporary_path())
        temporary = True
    parsed = parsed.set(drivername=f"{name}+demijohn")
    return Plan(parsed, connections, timeouts, pooler, options, temporary)
