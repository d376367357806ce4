"""The history of one database: a folder of small Python files, each naming the one before it.

A file is read by its source for what the order needs (`revision`, `down_revision`), and is run only when it is
applied. `HEAD` holds the name of the last one, so that two branches which both add a migration conflict in git.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from demijohn.migrations.faults import BadHistory, MigrationUnknown, TwoHeads

__all__ = ["History", "Migration", "slug_of"]

PHASES = ("expand", "contract")
LENGTH = 32  # of alembic_version.version_num
_ORDINAL = re.compile(r"(\d{4,})_")


@dataclass(slots=True, frozen=True)
class Migration:
    """One file of the history.

    Attributes:
        name: The file without its suffix, which is the revision: `0002_add_author`.
        path: The file.
        parents: What it follows: one name, none for the first, two for a merge.
        texts: What the models said where a database cannot be asked: see `History.texts`.
        doc: The first line of its docstring.
        origin: The battery and file that it was copied from, if it was.
        replaces: The migrations that a squash put into this one.
        accepts: Kinds of findings of the linter that somebody accepted.
        changes_data: Whether it runs statements of its own, beside changes of the schema.
        phase: `expand` runs before the new code is live, `contract` when it is live everywhere.
    """

    name: str
    path: Path
    parents: tuple[str, ...]
    texts: dict[str, str | None] = field(default_factory=dict)
    doc: str = ""
    origin: str = ""
    replaces: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    changes_data: bool = False
    phase: str = "expand"

    @property
    def ordinal(self) -> int:
        """Return the number at the front of the name."""
        found = _ORDINAL.match(self.name)
        return int(found[1]) if found else 0

    @property
    def battery(self) -> str:
        """Return the battery that it was copied from; an empty text where it is the project's own."""
        return self.origin.partition("/")[0]

    @property
    def contracts(self) -> bool:
        """Return whether it takes away what the code before it needs."""
        return self.phase == "contract"

    def load(self) -> ModuleType:
        """Run the file and return its module; `upgrade` and `downgrade` are in it.

        Raises:
            BadHistory: It has no `upgrade`.
        """
        module = ModuleType(f"migrations.{self.name}")
        module.__file__ = str(self.path)
        exec(compile(self.path.read_bytes(), str(self.path), "exec"), module.__dict__)  # noqa: S102 - the project's own
        if not callable(getattr(module, "upgrade", None)):
            raise BadHistory(
                f"{self.path.name} has no function `upgrade`.",
                why="It is what `demijohn migrate` runs.",
                fix="def upgrade() -> None: ...",
            )
        return module


class History:
    """The migrations in a folder, in the order in which they run.

    Args:
        folder: The folder; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.migrations: dict[str, Migration] = {}
        self.read()

    def read(self) -> None:
        """Read the folder again."""
        found: dict[str, Migration] = {}
        if self.folder.is_dir():
            for path in sorted(self.folder.glob("[0-9]*.py")):
                one = _read(path)
                found[one.name] = one
        for one in found.values():
            for parent in one.parents:
                if parent not in found:
                    raise BadHistory(
                        f"{one.path.name} follows {parent!r}, which is not in {self.folder.name}/.",
                        why="Without it nobody knows what the schema was before.",
                        fix="Bring the file back, or correct `down_revision`.",
                    )
        self.migrations = _in_order(found)

    def __len__(self) -> int:
        return len(self.migrations)

    def __iter__(self) -> Iterator[Migration]:
        return iter(self.migrations.values())

    @property
    def heads(self) -> list[str]:
        """Return the migrations that none follows."""
        followed = {parent for one in self for parent in one.parents}
        return [name for name in self.migrations if name not in followed]

    @property
    def head(self) -> str | None:
        """Return the last migration, or None where there is none.

        Raises:
            TwoHeads: There are several.
        """
        heads = self.heads
        if len(heads) > 1:
            raise TwoHeads(heads)
        return heads[0] if heads else None

    def get(self, name: str) -> Migration:
        """Return a migration by its name, its number or the beginning of its name.

        Raises:
            MigrationUnknown: None or several are called so.
        """
        if name in self.migrations:
            return self.migrations[name]
        number = name.isdigit()
        found = [
            one for one in self if (number and one.ordinal == int(name)) or (not number and one.name.startswith(name))
        ]
        if len(found) != 1:
            raise MigrationUnknown(name, self.migrations)
        return found[0]

    def ancestors(self, names: set[str]) -> set[str]:
        """Return these migrations and all that come before them.

        Raises:
            MigrationUnknown: The database names one that is not here.
        """
        found: set[str] = set()
        waiting = list(names)
        replaced = {old: one.name for one in self for old in one.replaces}
        while waiting:
            name = waiting.pop()
            if name not in self.migrations and name in replaced:
                one = self.migrations[replaced[name]]
                if name != one.replaces[-1]:
                    raise BadHistory(
                        f"The database stands at {name}, in the middle of what {one.name} puts together.",
                        why="A squashed migration is applied as a whole or not at all.",
                        fix=f"Check out the version before the squash, migrate to {one.replaces[-1]}, and come back.",
                    )
                name = one.name
            if name not in self.migrations:
                raise MigrationUnknown(name, self.migrations, noted=True)
            if name not in found:
                found.add(name)
                waiting += self.migrations[name].parents
        return found

    def texts(self) -> dict[str, str]:
        """Return what the models said at the head of the history.

        The keys are `table` (the app owns it), `table.column default` and `table constraint`; the values are hashes of
        the text that the model had, which a database prints in a form of its own.
        """
        known: dict[str, str] = {}
        for one in self:
            for key, value in one.texts.items():
                if value is None:
                    known.pop(key, None)
                else:
                    known[key] = value
        return known

    def next_name(self, slug: str) -> str:
        """Return the name of the next migration."""
        number = max((one.ordinal for one in self), default=0) + 1
        return f"{number:04d}_{slug}"[:LENGTH].rstrip("_")

    def write_head(self) -> None:
        """Write the file `HEAD`: the last migration, one a line where there are several."""
        (self.folder / "HEAD").write_text("".join(f"{name}\n" for name in self.heads), encoding="utf-8")

    def add(self, name: str, source: str) -> Migration:
        """Write a file, and HEAD; returns the migration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.py").write_text(source, encoding="utf-8")
        self.read()
        self.write_head()
        return self.migrations[name]

    def rebase(self, name: str, *, applied: set[str] = frozenset()) -> list[tuple[str, str]]:  # type: ignore[assignment]
        """Put one branch behind the other: renames its files and returns pairs of old and new names.

        Args:
            name: The head of the branch that moves; it must not have left this machine.
            applied: The migrations that the database has; those cannot be renamed.

        Raises:
            BadHistory: There are not two heads, or what would move is applied.
        """
        head = self.get(name).name
        heads = self.heads
        if len(heads) != 2 or head not in heads:
            raise BadHistory(
                f"{head} cannot be put behind another head; the heads are {', '.join(heads)}.",
                why="There have to be two, and the one that moves is one of them.",
                fix="demijohn showmigrations",
            )
        other = heads[0] if heads[1] == head else heads[1]
        stays = self.ancestors({other})
        moving = [one for one in self if one.name in self.ancestors({head}) and one.name not in stays]
        taken = [one.name for one in moving if one.name in applied]
        if taken:
            raise BadHistory(
                f"{', '.join(taken)} would move, but this database has it already.",
                why="The database would know it by a name that is gone, and it ran in another order.",
                fix=f"demijohn rollback {moving[0].parents[0] if moving[0].parents else 'zero'}     and rebase again",
            )
        number = max(self.migrations[one].ordinal for one in stays)
        pairs: list[tuple[str, str]] = []
        before: dict[str, str] = {}
        for position, one in enumerate(moving, start=1):
            new = f"{number + position:04d}_{one.name.partition('_')[2]}"[:LENGTH]
            parents = tuple(before.get(parent, parent) for parent in one.parents) if position > 1 else (other,)
            source = one.path.read_text(encoding="utf-8")
            source = _replace(source, "revision", new)
            source = _replace(source, "down_revision", parents[0] if len(parents) == 1 else parents)
            one.path.unlink()
            (self.folder / f"{new}.py").write_text(source, encoding="utf-8")
            before[one.name] = new
            pairs.append((one.name, new))
        self.read()
        self.write_head()
        return pairs


def slug_of(text: str) -> str:
    """Return words as they stand in the name of a file."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[: LENGTH - 5].rstrip("_") or "changes"


def digest(text: str) -> str:
    """Return the short hash under which a text of the models is kept."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:12]


def _read(path: Path) -> Migration:
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source, str(path))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise BadHistory(
            f"{path.name} cannot be read: {error}.",
            why="It is not Python; a merge may have left its marks in it.",
            fix="Mend the file.",
        ) from None
    values: dict[str, Any] = {}
    for node in tree.body:
        target = (
            node.targets[0]
            if isinstance(node, ast.Assign)
            else node.target
            if isinstance(node, ast.AnnAssign)
            else None
        )
        if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            try:
                values[target.id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    name = values.get("revision")
    if not isinstance(name, str) or name != path.stem:
        raise BadHistory(
            f"{path.name} says `revision = {name!r}`.",
            why="The revision is the name of the file, so that the two are never confused.",
            fix=f'revision = "{path.stem}"',
        )
    phase = values.get("phase", "expand")
    if phase not in PHASES:
        raise BadHistory(
            f"{path.name} says `phase = {phase!r}`.",
            why="A migration runs before the new code is live (expand), or when it is live everywhere (contract).",
            fix='phase = "contract"',
        )
    down = values.get("down_revision")
    parents = () if down is None else (down,) if isinstance(down, str) else tuple(down)
    doc = (ast.get_docstring(tree) or "").partition("\n")[0]
    return Migration(
        name,
        path,
        parents,
        texts=dict(values.get("texts") or {}),
        doc=doc,
        origin=values.get("origin") or "",
        replaces=tuple(values.get("replaces") or ()),
        accepts=tuple(values.get("accepts") or ()),
        phase=phase,
        changes_data=bool(re.search(r"\b(op\.execute|op\.get_bind|op\.bulk_insert|backfill)\(", source)),
    )


def _in_order(found: dict[str, Migration]) -> dict[str, Migration]:
    """Put parents before children; among equals the lower number comes first."""
    ordered: dict[str, Migration] = {}
    waiting = sorted(found.values(), key=lambda one: (one.ordinal, one.name))
    while waiting:
        ready = [one for one in waiting if all(parent in ordered for parent in one.parents)]
        if not ready:
            raise BadHistory(
                f"{', '.join(one.name for one in waiting)} follow each other in a circle.",
                why="None of them can be the first.",
                fix="Correct `down_revision` in one of them.",
            )
        ordered[ready[0].name] = ready[0]
        waiting.remove(ready[0])
    return ordered


def _replace(source: str, name: str, value: Any) -> str:
    return re.sub(rf"^{name}\b.*=.*$", lambda _: f"{name} = {_quoted(value)}", source, count=1, flags=re.MULTILINE)


def _quoted(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_quoted, value)) + ")"
    return f'"{value}"' if isinstance(value, str) else repr(value)
