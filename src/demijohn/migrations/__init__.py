"""Migrations: one readable history for each database, over Alembic.

```python
from demijohn.migrations import Migrations

history = Migrations("migrations")  # app.use(...) it only to configure it: it comes with a Database
```

A migration is a small Python file that says `from demijohn.migrations import kinds, op`.
"""

import typing as _typing

from demijohn.migrations.battery import Migrations

if _typing.TYPE_CHECKING:
    from alembic import op

    from demijohn.migrations.backfilling import backfill
    from demijohn.migrations.connecting import MigrationLimits
    from demijohn.migrations.indexing import concurrently

__all__ = ["MigrationLimits", "Migrations", "backfill", "concurrently", "op"]


def __getattr__(name: str) -> _typing.Any:
    # Alembic is loaded by those who migrate, not by a server that merely has the battery.
    if name == "op":
        from alembic import op as found

        return found
    if name == "backfill":
        from demijohn.migrations.backfilling import backfill as function

        return function
    if name == "concurrently":
        from demijohn.migrations.indexing import concurrently as manager

        return manager
    if name == "MigrationLimits":
        from demijohn.migrations.connecting import MigrationLimits as Found

        return Found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
