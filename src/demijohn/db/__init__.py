"""Models and queries, units of work: SQLAlchemy 2.1 all the way down.

```python
import asyncio

from demijohn.db import Database, Mapped, Model, column


class Tag(Model, isolated=True):  # a base of its own keeps this example apart from your models
    pass


class Label(Tag):
    name: Mapped[str] = column(max_length=40, unique=True)


db = Database("sqlite://")


async def main():
    await db.create_all(Tag)
    await Label.create(name="python")
    assert await Label.where(Label.name == "python").exists()


asyncio.run(db.run(main()))
```
"""

from sqlalchemy.orm import Mapped

from demijohn.db.columns import column, foreign_key
from demijohn.db.database import Database
from demijohn.db.engines import DatabaseTimeouts
from demijohn.db.events import on_change
from demijohn.db.faults import (
    AlreadyBegun,
    ModelError,
    NoDatabase,
    NotLoaded,
    NoUnit,
    OtherTask,
    QueryError,
    TransactionLost,
)
from demijohn.db.generic import belongs_to_any
from demijohn.db.idempotency import Idempotency, NotRepeatable, idempotent
from demijohn.db.mixins import Ordered, SoftDelete, Timestamps
from demijohn.db.models import Model, UUIDModel
from demijohn.db.outages import (
    ConnectionLost,
    LockNotAvailable,
    OutcomeUnknown,
    PoolExhausted,
    StatementTimeout,
    Unreachable,
)
from demijohn.db.pages import KeysetPage, Paginated
from demijohn.db.querysets import QuerySet, RowSet
from demijohn.db.related import avg_of, count_of, exists_of, max_of, min_of, sum_of
from demijohn.db.relations import belongs_to, has_many, has_one, many_to_many
from demijohn.db.storage import now, uuid7
from demijohn.db.violations import ForeignKeyViolation, StillReferenced, UniqueViolation, ValueRefused
from demijohn.db.watching import max_queries

__all__ = [
    "AlreadyBegun",
    "ConnectionLost",
    "Database",
    "DatabaseTimeouts",
    "ForeignKeyViolation",
    "Idempotency",
    "KeysetPage",
    "LockNotAvailable",
    "Mapped",
    "Model",
    "ModelError",
    "NoDatabase",
    "NoUnit",
    "NotLoaded",
    "NotRepeatable",
    "Ordered",
    "OtherTask",
    "OutcomeUnknown",
    "Paginated",
    "PoolExhausted",
    "QueryError",
    "QuerySet",
    "RowSet",
    "SoftDelete",
    "StatementTimeout",
    "StillReferenced",
    "Timestamps",
    "TransactionLost",
    "UUIDModel",
    "UniqueViolation",
    "Unreachable",
    "ValueRefused",
    "avg_of",
    "belongs_to",
    "belongs_to_any",
    "column",
    "count_of",
    "exists_of",
    "foreign_key",
    "has_many",
    "has_one",
    "idempotent",
    "many_to_many",
    "max_of",
    "max_queries",
    "min_of",
    "now",
    "on_change",
    "sum_of",
    "uuid7",
]
