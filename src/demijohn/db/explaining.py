"""The plan of the database for a query."""

from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement, Executable

from demijohn.db.units import Unit

__all__ = ["explain"]


class _Explained(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, statement: Select[Any], prefix: str) -> None:
        self.statement = statement
        self.prefix = prefix


@compiles(_Explained)
def _compile(element: _Explained, compiler: Any, **options: Any) -> str:
    return f"{element.prefix} {compiler.process(element.statement, **options)}"


def explain(unit: Unit, statement: Select[Any], analyze: bool) -> str:
    """Return what the database says about a statement, a line for each step.

    Runs inside of a greenlet.
    """
    backend = unit.database.backend
    if backend == "sqlite":
        prefix = "EXPLAIN QUERY PLAN"
    elif backend == "mariadb" and analyze:
        prefix = "ANALYZE"
    else:
        prefix = "EXPLAIN ANALYZE" if analyze else "EXPLAIN"
    rows = unit.session.connection().execute(_Explained(statement, prefix)).all()
    if backend == "sqlite":
        depths = {0: -1}
        lines = []
        for step, parent, _, text in rows:
            depths[step] = depths.get(parent, -1) + 1
            lines.append("  " * depths[step] + text)
        return "\n".join(lines)
    return "\n".join("  ".join("" if value is None else str(value) for value in row) for row in rows)
