"""What can go wrong with migrations, each told in three beats."""

from collections.abc import Iterable

from demijohn._lib.text import did_you_mean
from demijohn.errors import DemijohnError

__all__ = [
    "AmbiguousRename",
    "BadFixture",
    "BadHistory",
    "Behind",
    "BrokenKeys",
    "ContractWaits",
    "DropRefused",
    "FillWanted",
    "LockTaken",
    "MigrationFailed",
    "MigrationUnknown",
    "NoSafeForm",
    "NotReversible",
    "TwoHeads",
    "UnsafeMigration",
]


class TwoHeads(DemijohnError):
    """Two migrations follow the same one."""

    code = "DJN-840"

    def __init__(self, heads: Iterable[str]) -> None:
        names = sorted(heads)
        super().__init__(
            f"The history of migrations ends in {len(names)} heads: {', '.join(names)}.",
            why="They were written on two branches, and nobody said in which order they run.",
            fix=f"demijohn rebase {names[-1]}     puts yours behind the other; where it was deployed already: "
            "demijohn merge",
        )


class BadHistory(DemijohnError):
    """The files of the history do not fit together."""

    code = "DJN-841"


class MigrationUnknown(DemijohnError):
    """A migration was named, or is noted in the database, that no file holds."""

    code = "DJN-842"

    def __init__(self, name: str, known: Iterable[str], *, noted: bool = False) -> None:
        names = sorted(known)
        where = "is noted in the database as applied" if noted else "was asked for"
        super().__init__(
            f"The migration {name!r} {where}.{did_you_mean(name, names)}",
            why="There is no file of that name in the folder of migrations.",
            fix="Bring the file back from the branch that has it, or restore the database from before it."
            if noted
            else "demijohn showmigrations",
        )


class AmbiguousRename(DemijohnError):
    """Something may be a rename or a drop, and nobody is there to ask."""

    code = "DJN-843"


class DropRefused(DemijohnError):
    """A migration would destroy data, and nobody said that it may."""

    code = "DJN-844"


class Behind(DemijohnError):
    """The database does not have all migrations yet, so models cannot be compared with it."""

    code = "DJN-845"

    def __init__(self, pending: Iterable[str], *, contract: bool = False) -> None:
        super().__init__(
            f"The database lacks {', '.join(pending)}.",
            why="New migrations are found by comparing the models with a database that has all the others.",
            fix="demijohn migrate --contract" if contract else "demijohn migrate",
        )


class LockTaken(DemijohnError):
    """Another runner of migrations is at work, and did not end in time."""

    code = "DJN-846"


class MigrationFailed(DemijohnError):
    """A migration raised."""

    code = "DJN-847"


class BrokenKeys(DemijohnError):
    """After a migration, rows point to rows that are not there."""

    code = "DJN-848"


class NotReversible(DemijohnError):
    """A migration that cannot be undone was to be."""

    code = "DJN-849"


class UnsafeMigration(DemijohnError):
    """The linter found what would lock or break a running site."""

    code = "DJN-850"


class BadFixture(DemijohnError):
    """A file of fixtures does not fit the models."""

    code = "DJN-851"


class ContractWaits(DemijohnError):
    """What the new code needs stands behind a migration that waits for the code before it to be gone."""

    code = "DJN-890"

    def __init__(self, waits: str, behind: Iterable[str]) -> None:
        super().__init__(
            f"{', '.join(behind)} cannot be applied yet: {waits} (contract) comes first.",
            why="It takes away what older code may still use, so somebody has to say that this code is gone.",
            fix=f"demijohn migrate {waits} --contract     where the release that brought it is live everywhere; then: "
            "demijohn migrate",
        )


class FillWanted(DemijohnError):
    """Nobody said what a required column holds in rows that are there."""

    code = "DJN-891"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"Rows that are there have no value for {where}, and it is required.",
            why="The model has no default that is one value for all rows, so SQL has to fill them.",
            fix=f'demijohn makemigrations --safe --fill {where}="lower(title)"     or let it be None',
        )


class NoSafeForm(DemijohnError):
    """This server cannot make a change without holding up or breaking the running code."""

    code = "DJN-892"
