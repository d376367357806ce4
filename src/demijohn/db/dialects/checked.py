"""What SQLAlchemy writes into SQL as it is given, and a client might have chosen."""

from typing import Any

from demijohn.db.faults import QueryError

__all__ = ["CheckedNames"]


class CheckedNames:
    """Mixed into a statement compiler: the field of `extract(...)` is a word, and nothing else."""

    def visit_extract(self, extract: Any, **options: Any) -> str:
        """Compile EXTRACT (Any: constructs and options of SQLAlchemy).

        Raises:
            QueryError: The field is no word.
        """
        field = str(extract.field)
        if not field.isidentifier() or not field.isascii():
            raise QueryError(
                f"extract({field[:80]!r}, ...) was asked for.",
                why="The part of a date is a word: year, month, day, hour, dow, week, epoch.",
                fix='extract("year", Post.created_at)',
            )
        return super().visit_extract(extract, **options)  # type: ignore[misc, no-any-return]
