"""Building an index while everybody reads and writes, so that it can be done again where it failed."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op
from sqlalchemy import text

__all__ = ["concurrently"]

_BROKEN = text(
    "select 1 from pg_index join pg_class on pg_class.oid = pg_index.indexrelid "
    "where pg_class.relname = :name and not pg_index.indisvalid and pg_table_is_visible(pg_class.oid)"
)


@contextmanager
def concurrently(name: str) -> Iterator[None]:
    """Build or drop an index outside of the migration's transaction.

    It goes around `op.create_index(..., postgresql_concurrently=True)`. A half-built index of that name, which a failed
    run left behind, is dropped first. The building waits for transactions that are older than it, and nobody waits for
    it, so there is no limit for its locks. Other databases do what is within as usual.

    Args:
        name: The index.

    Example:
        with concurrently("ix_post_slug"):
            op.create_index("ix_post_slug", "post", ["slug"], postgresql_concurrently=True, if_not_exists=True)
    """
    context = op.get_context()
    if context.dialect.name != "postgresql":
        yield
        return
    with context.autocommit_block():
        connection = None if context.as_sql else context.connection
        if connection is None:
            yield
            return
        limit = str(connection.execute(text("show lock_timeout")).scalar_one())
        connection.execute(text("set lock_timeout = 0"))
        try:
            if connection.execute(_BROKEN, {"name": name}).first() is not None:
                quoted = connection.dialect.identifier_preparer.quote(name)
                connection.execute(text(f"drop index concurrently if exists {quoted}"))
            yield
        finally:
            connection.execute(text("select set_config('lock_timeout', :limit, false)"), {"limit": limit})
