"""Checks: two heads, and migrations that a database lacks."""

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy.exc import DBAPIError

from demijohn.app import CheckMessage
from demijohn.errors import DemijohnError
from demijohn.migrations.project import Project

__all__ = ["check_all"]


def check_all(projects: Mapping[str, Callable[[str], Project]]) -> Iterator[CheckMessage]:
    """Yield what is wrong with the migrations of each database."""
    for alias, find in projects.items():
        try:
            project = find(alias)
            heads = project.history.heads
            if len(heads) > 1:
                yield CheckMessage(
                    level="error",
                    id="DJN-840",
                    text=f"The migrations of {alias!r} end in {len(heads)} heads: {', '.join(heads)}.",
                    hint=f"demijohn rebase {heads[-1]}, or demijohn merge",
                )
                continue
            pending = project.pending()
        except DemijohnError as error:
            yield CheckMessage(level="error", id=error.code or "DJN-841", text=str(error))
            continue
        except (DBAPIError, OSError) as error:
            yield CheckMessage(
                level="warning",
                id="DJN-847",
                text=f"The database {alias!r} cannot be asked for its migrations: {type(error).__name__}.",
                hint="Start the server, or correct its URL.",
            )
            continue
        if pending:
            waits = all(one.contracts for one in pending)
            yield CheckMessage(
                level="info" if waits else "warning",
                id="DJN-845",
                text=f"The database {alias!r} lacks {', '.join(one.name for one in pending)}.",
                hint="demijohn migrate --contract, when the new code is live everywhere"
                if waits
                else "demijohn migrate",
            )
