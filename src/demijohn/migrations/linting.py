"""The safety linter: what locks a table, and what breaks the code that still runs while the new one is deployed.

It reads the SQL of a migration as this database gets it, so that hand-written statements are seen too. Tables that the
same migration makes are left alone: nobody uses them yet.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["Filled", "Finding", "lint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a migration does to a running site.

    Attributes:
        kind: Its name, which `accepts = ("...",)` in the file silences.
        danger: `locks` (everybody waits) or `breaks` (old code fails).
        statement: The SQL.
        why: What happens.
        instead: The form in several steps that avoids it.
        written: Whether `demijohn makemigrations --safe` writes that form.
    """

    kind: str
    danger: Literal["locks", "breaks"]
    statement: str
    why: str
    instead: str
    written: bool = False

    def __str__(self) -> str:
        lines = [f"{self.kind} ({self.danger}): {self.statement}", self.why, f"Instead: {self.instead}"]
        if self.written:
            lines.append("It is written by: demijohn makemigrations --safe")
        return "\n    ".join(lines)


class Filled:
    """Which columns hold a value in every row, as a constraint says that the server has looked at.

    Args:
        checks: Such constraints, as SQL by table: `(slug IS NOT NULL)`.
    """

    def __init__(self, checks: Iterable[tuple[str, str]] = ()) -> None:
        self._known = {(table, match[1]) for table, sql in checks if (match := _HELD.search(sql))}
        self._waiting: dict[tuple[str, str], str] = {}

    def note(self, statement: str) -> None:
        """Learn from a statement that will have run."""
        if match := _ADDED.match(statement):
            self._waiting[match["table"], match["name"]] = match["column"]
        elif (match := _VALIDATED.match(statement)) and (match["table"], match["name"]) in self._waiting:
            self._known.add((match["table"], self._waiting[match["table"], match["name"]]))

    def has(self, table: str, statement: str) -> bool:
        """Return whether a `SET NOT NULL` finds what it would look for."""
        match = re.search(r'ALTER (?:COLUMN )?"?(\w+)"? SET NOT NULL', statement, re.IGNORECASE)
        return match is not None and (table, match[1]) in self._known


_NAME = r"[`\"]?(?P<table>\w+)[`\"]?"
_ALTER = rf"^ALTER TABLE (?:ONLY )?{_NAME} "
_RENAME = (
    rf"{_ALTER}(?:RENAME (?:COLUMN )?[`\"\w]+ TO|CHANGE (?:COLUMN )?[`\"]?(?P<old>\w+)[`\"]? (?![`\"]?(?P=old)\b))"
)
_VOLATILE = rf"{_ALTER}ADD (?:COLUMN )?[^;]*DEFAULT [^;]*(?:random|gen_random_uuid|clock_timestamp|nextval)\s*\("
_UPDATE = rf"^(?:UPDATE {_NAME} SET|DELETE FROM (?P<other>\w+))"  # noqa: S608 - a pattern
_EXPAND = (
    "add the new one, write to both, `backfill(...)`, deploy code that reads the new one, and drop the old one in a "
    "later migration"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: str
    danger: Literal["locks", "breaks"]
    pattern: re.Pattern[str]
    why: str
    instead: str
    families: tuple[str, ...] = ()
    unless: Callable[[str, tuple[int, ...]], bool] | None = None


def _rule(
    kind: str,
    danger: Literal["locks", "breaks"],
    pattern: str,
    why: str,
    instead: str,
    *,
    families: tuple[str, ...] = (),
    unless: Callable[[str, tuple[int, ...]], bool] | None = None,
) -> _Rule:
    return _Rule(kind, danger, re.compile(pattern, re.IGNORECASE | re.DOTALL), why, instead, families, unless)


_PG = ("postgresql",)
_MY = ("mysql", "mariadb")

_RULES = (
    _rule("drop-table", "breaks", rf"^DROP TABLE (?:IF EXISTS )?{_NAME}",
          "Code that still runs reads and writes this table.",
          "deploy code without it first, and drop it in a migration of the next release"),
    _rule("drop-column", "breaks", rf"{_ALTER}DROP (?:COLUMN )?(?!CONSTRAINT|INDEX|FOREIGN|PRIMARY|KEY|CHECK|DEFAULT)",
          "Code that still runs names this column in every SELECT and INSERT.",
          "deploy code without it first, and drop it in a migration of the next release"),
    _rule("rename-column", "breaks", _RENAME,
          "Code that still runs asks for the old name.", _EXPAND),
    _rule("rename-table", "breaks", rf"^(?:ALTER TABLE {_NAME} RENAME TO|RENAME TABLE )",
          "Code that still runs asks for the old name.",
          "keep the table and give the model `__tablename__`; or leave a view of the old name for a release"),
    _rule("required-column", "breaks", rf"{_ALTER}ADD (?!CONSTRAINT)(?:COLUMN )?[`\"\w]+ [^;]*NOT NULL(?![^;]*DEFAULT)",
          "Code that still runs inserts rows without it, and rows that are there have no value.",
          "add it with `server_default=...`, or as nullable, `backfill(...)`, and require it in a later migration",
          unless=lambda sql, version: bool(re.search(r"\bDEFAULT\b|GENERATED|AS \(", sql, re.IGNORECASE))),
    _rule("index-locks", "locks", rf"^CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)(?:IF NOT EXISTS )?[`\"\w]+ ON {_NAME}",
          "Nobody can write to the table until the index is built.",
          "with op.get_context().autocommit_block(): op.create_index(..., postgresql_concurrently=True), in a "
          "migration of its own", families=_PG),
    _rule("not-null-scans", "locks", rf"{_ALTER}ALTER (?:COLUMN )?[`\"\w]+ SET NOT NULL",
          "Nobody can use the table while all its rows are looked at; and old code may still write NULL.",
          'op.execute("ALTER TABLE t ADD CONSTRAINT c CHECK (x IS NOT NULL) NOT VALID"), validate it in a second '
          "migration, then SET NOT NULL, which finds the constraint and scans nothing", families=_PG),
    _rule("foreign-key-locks", "locks", rf"{_ALTER}ADD (?:CONSTRAINT [`\"\w]+ )?FOREIGN KEY(?![^;]*NOT VALID)",
          "Nobody can write to either table while all rows are checked.",
          "op.create_foreign_key(..., postgresql_not_valid=True), and in a second migration "
          'op.execute("ALTER TABLE t VALIDATE CONSTRAINT c")', families=_PG),
    _rule("check-locks", "locks", rf"{_ALTER}ADD (?:CONSTRAINT [`\"\w]+ )?CHECK(?![^;]*NOT VALID)",
          "Nobody can use the table while all rows are checked.",
          "op.create_check_constraint(..., postgresql_not_valid=True), and VALIDATE CONSTRAINT in a second migration",
          families=_PG),
    _rule("unique-locks", "locks", rf"{_ALTER}ADD (?:CONSTRAINT [`\"\w]+ )?(?:UNIQUE|PRIMARY KEY)(?! USING INDEX)",
          "Nobody can use the table while the index under it is built.",
          "create the unique index CONCURRENTLY first, then ALTER TABLE ... ADD CONSTRAINT ... UNIQUE USING INDEX",
          families=_PG),
    _rule("type-rewrites", "locks", rf"{_ALTER}ALTER (?:COLUMN )?[`\"\w]+ TYPE",
          "The table may be written anew, row by row, while nobody can use it; and old code sends the old type. Only "
          "more room for a VARCHAR, or TEXT for it, costs nothing.", _EXPAND, families=_PG,
          unless=lambda sql, version: bool(re.search(r"TYPE (?:TEXT|VARCHAR)\s*$", sql, re.IGNORECASE))),
    _rule("volatile-default", "locks", _VOLATILE,
          "A default that differs for each row writes the whole table anew while nobody can use it.",
          "add it without the default, set the default, and `backfill(...)` the rows", families=_PG),
    _rule("default-rewrites", "locks", rf"{_ALTER}ADD (?:COLUMN )?[^;]*DEFAULT",
          "Before PostgreSQL 11 a column with a default writes the whole table anew.",
          "add it without the default, set the default, and `backfill(...)` the rows", families=_PG,
          unless=lambda sql, version: version >= (11,)),
    _rule("type-rewrites", "locks", rf"{_ALTER}(?:MODIFY|CHANGE)",
          "A changed type copies the whole table, and writes wait; more room for a VARCHAR below 256 bytes does not.",
          "ask the server: add `, ALGORITHM=INSTANT` or `ALGORITHM=INPLACE, LOCK=NONE` by op.execute; or " + _EXPAND,
          families=_MY, unless=lambda sql, version: "LOCK=NONE" in sql.upper() or "ALGORITHM=INSTANT" in sql.upper()),
    _rule("foreign-key-locks", "locks", rf"{_ALTER}ADD (?:CONSTRAINT [`\"\w]+ )?FOREIGN KEY",
          "The table is copied while writes wait, as its rows are checked.",
          "do it in a quiet hour, or by pt-online-schema-change", families=_MY),
    _rule("check-locks", "locks", rf"{_ALTER}ADD (?:CONSTRAINT [`\"\w]+ )?CHECK",
          "The table is copied while writes wait, as its rows are checked.",
          "do it in a quiet hour", families=_MY),
    _rule("copies-table", "locks", r"^CREATE TABLE [`\"]?_alembic_tmp_(?P<table>\w+)",
          "SQLite changes this by copying the table; nobody writes to the database until it is done (about a second "
          "for a million short rows).", "nothing, where the table is small; else do it in a quiet hour",
          families=("sqlite",)),
    _rule("unbounded-write", "locks", _UPDATE,
          "All rows that it changes stay locked until the end of the migration.",
          'backfill("table", {"column": ...}, where="..."), which goes by batches, in a migration of its own'),
)  # fmt: skip


_HELD = re.compile(r'^(?:CHECK )?\(*"?(\w+)"? IS NOT NULL\)*$', re.IGNORECASE)
_ADDED = re.compile(
    r'ALTER TABLE "?(?P<table>\w+)"? ADD CONSTRAINT "?(?P<name>\w+)"? '
    r'CHECK \("?(?P<column>\w+)"? IS NOT NULL\) NOT VALID',
    re.IGNORECASE,
)
_VALIDATED = re.compile(r'ALTER TABLE "?(?P<table>\w+)"? VALIDATE CONSTRAINT "?(?P<name>\w+)"?', re.IGNORECASE)

# What `makemigrations --safe` writes; the plain form of the rest is all that there is.
_WRITTEN: dict[str, tuple[str, ...]] = {
    "drop-table": (*_PG, *_MY, "sqlite"),
    "drop-column": (*_PG, *_MY, "sqlite"),
    "rename-column": (*_PG, *_MY),
    "rename-table": _PG,
    "required-column": (*_PG, *_MY, "sqlite"),
    "index-locks": _PG,
    "not-null-scans": _PG,
    "foreign-key-locks": _PG,
    "check-locks": _PG,
    "unique-locks": _PG,
    "volatile-default": _PG,
}


def lint(
    statements: Iterable[str],
    *,
    family: str,
    version: tuple[int, ...] = (),
    accepts: Iterable[str] = (),
    is_empty: Callable[[str], bool] = lambda table: False,
    filled: Filled | None = None,
) -> Iterator[Finding]:
    """Yield what a migration does to a running site.

    Args:
        statements: Its SQL, as this database gets it.
        family: `sqlite`, `postgresql`, `mysql` or `mariadb`.
        version: The version of the server.
        accepts: Kinds that somebody looked at and accepted.
        is_empty: Whether a table has so few rows that no lock is long.
        filled: Which columns are known to hold a value in every row; it learns from the statements.
    """
    filled = filled or Filled()
    silent = set(accepts)
    found = [" ".join(one.split()).rstrip(";") for one in statements]
    made = (re.match(r"CREATE TABLE (?:IF NOT EXISTS )?[`\"]?(\w+)", one, re.IGNORECASE) for one in found)
    new = {match[1] for match in made if match}
    copied = {name.removeprefix("_alembic_tmp_") for name in new if name.startswith("_alembic_tmp_")}
    for statement in found:
        filled.note(statement)
        if family == "sqlite" and _is_copy(statement, copied):
            continue
        for rule in _RULES:
            if rule.kind in silent or (rule.families and family not in rule.families):
                continue
            match = rule.pattern.search(statement)
            if match is None or (rule.unless is not None and rule.unless(statement, version)):
                continue
            groups = match.groupdict()
            table = groups.get("table") or groups.get("other") or ""
            if table in new or (rule.danger == "locks" and table and is_empty(table)):
                continue
            if rule.kind == "not-null-scans" and filled.has(table, statement):
                continue
            shown = statement if len(statement) < 160 else f"{statement[:157]}..."
            yield Finding(
                kind=rule.kind,
                danger=rule.danger,
                statement=shown,
                why=rule.why,
                instead=rule.instead,
                written=family in _WRITTEN.get(rule.kind, ()),
            )


def _is_copy(statement: str, copied: set[str]) -> bool:
    """Return whether this is the end of a copy of SQLite, which is told by its beginning."""
    match = re.match(r"(?:DROP TABLE|ALTER TABLE) [`\"]?(?:_alembic_tmp_)?(\w+)[`\"]?(?P<rest>.*)", statement)
    if match is None or match[1] not in copied:
        return False
    return statement.startswith("DROP TABLE") or " RENAME TO " in match["rest"]
