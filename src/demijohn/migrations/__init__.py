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

__all__ = ["MigrationLimits", "Migrations", "backfill", "op"]


def __getattr__(name: str) -> _typing.Any:
    # Alembic is loaded by those who migrate, not by a server that merely has the battery.
    if name == "op":
        from alembic import op as found

        return found
    if name == "backfill":
        from demijohn.migrations.backfilling import backfill as function

        return function
    if name == "MigrationLimits":
        from demijohn.migrations.connecting import MigrationLimits as Found

        return Found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
