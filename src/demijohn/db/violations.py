"""What the database refused, told as errors of fields: 409 for what is taken, 422 for what points nowhere."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import MetaData, Table, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from demijohn._lib.translation import gettext
from demijohn._lib.translation import gettext_noop as _
from demijohn.db.declarative import Declarative
from demijohn.db.relations import links_of
from demijohn.errors import Conflict, FieldError, ValidationFailed, error_lines
from demijohn.schema import MESSAGES, field_error

__all__ = ["ForeignKeyViolation", "StillReferenced", "UniqueViolation", "ValueRefused", "refused_value", "translate"]

MESSAGES.setdefault("unique", _("This value is taken already."))
MESSAGES.setdefault("foreign_key", _("There is no such {target}."))
MESSAGES.setdefault("unfit", _("This value does not fit: it is too large, too long, or no text."))
MESSAGES.setdefault("check", _("This is not allowed: {constraint}."))


class UniqueViolation(Conflict):
    """409: a value that has to be unique is taken; `errors` names the fields."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = list(errors)
        super().__init__(gettext("A value that has to be unique is taken already."))

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *error_lines(self.errors)])

    def problem(self) -> dict[str, Any]:
        """Return the problem document, with `errors` as `ValidationFailed` has them."""
        document = super().problem()
        document["errors"] = [
            {"place": list(error.place), "code": error.code, "message": error.message} for error in self.errors
        ]
        return document


class ForeignKeyViolation(ValidationFailed):
    """422: a key points to a row that does not exist; `errors` names the field."""


class StillReferenced(Conflict):
    """409: a row cannot be deleted, since others point to it."""


class Refusal(NamedTuple):
    """What the server said.

    That is the kind of constraint, its name, table and columns, as far as it tells.
    """

    kind: str
    name: str = ""
    table: str = ""
    columns: tuple[str, ...] = ()


class ValueRefused(ValidationFailed):
    """422: no column can hold a value: it is too large, too long, or no text."""


_COLUMN = re.compile(r"for column [`']?(?:[^`'.]+[`']?\.[`']?)*([^`'.]+)[`']")
_STATES = {"22001", "22003", "22021", "22P05"}
_NUMBERS = {1406, 1264, 1366, 1292}


def refused_value(error: BaseException) -> ValueRefused | None:
    """Return the error to raise where a driver or server cannot take a value of the input, or None."""
    original: Any = getattr(error, "orig", None) or error
    text = str(original)
    first = original.args[0] if getattr(original, "args", None) else None
    refused = (
        isinstance(original, OverflowError | UnicodeEncodeError)
        or getattr(original, "sqlstate", None) in _STATES
        or (isinstance(first, int) and first in _NUMBERS)
        or ("invalid input for query argument" in text and ("out of int" in text or "can't encode" in text))
        or text.startswith(("ORA-12899", "ORA-01438"))
    )
    if not refused:
        return None
    match = _COLUMN.search(text)
    place = ("body", match[1]) if match else ("body",)
    return ValueRefused([field_error(place, "unfit")])


_SQLITE = re.compile(r"^(UNIQUE|NOT NULL|CHECK|FOREIGN KEY) constraint failed(?:: (.*))?$")
_MYSQL_KEY = re.compile(r"for key '(?:[^.']+\.)?([^']+)'")
_MYSQL_FOREIGN = re.compile(r"`([^`]+)`, CONSTRAINT `([^`]+)`")
_MYSQL_COLUMN = re.compile(r"[Cc]olumn '([^']+)'|[Ff]ield '([^']+)'")
_MYSQL_CHECK = re.compile(r"(?:CONSTRAINT `|Check constraint ')([^`']+)")
_ORACLE = re.compile(r"\(([^)]+)\)")


def read_refusal(error: IntegrityError) -> Refusal | None:
    """Return what a server's error says about the constraint, or None."""
    original: Any = error.orig
    driver: Any = getattr(original, "__cause__", None)
    state = getattr(driver, "sqlstate", None)
    if driver is not None and state is not None:
        kind = {"23505": "unique", "23503": "foreign", "23502": "null", "23514": "check", "23001": "foreign"}.get(state)
        if kind is None:
            return None
        columns = (driver.column_name,) if getattr(driver, "column_name", None) else ()
        if kind == "foreign" and "still referenced" in str(getattr(driver, "detail", "")):
            kind = "referenced"
        return Refusal(kind, driver.constraint_name or "", driver.table_name or "", columns)
    text = str(original.args[-1] if getattr(original, "args", None) else original)
    match = _SQLITE.match(text)
    if match is not None:
        return _of_sqlite(match[1], match[2] or "")
    if getattr(original, "args", None) and isinstance(original.args[0], int):
        return _of_mysql(original.args[0], text)
    if text.startswith("ORA-"):
        return _of_oracle(text)
    return None


def _of_sqlite(kind: str, rest: str) -> Refusal:
    if kind == "FOREIGN KEY":
        return Refusal("foreign?")
    if kind == "CHECK":
        return Refusal("check", rest)
    if rest.startswith("index '"):
        return Refusal("unique", rest[7:-1])
    names = [part.strip().rpartition(".") for part in rest.split(",")]
    table = names[0][0].rpartition(".")[2]
    return Refusal("unique" if kind == "UNIQUE" else "null", "", table, tuple(name for _, _, name in names))


def _of_mysql(number: int, text: str) -> Refusal | None:
    if number == 1062 and (key := _MYSQL_KEY.search(text)) is not None:
        return Refusal("unique", key[1])
    if number in {1451, 1452, 1216, 1217} and (foreign := _MYSQL_FOREIGN.search(text)) is not None:
        return Refusal("foreign" if number in {1452, 1216} else "referenced", foreign[2], foreign[1])
    if number in {1048, 1364} and (column := _MYSQL_COLUMN.search(text)) is not None:
        return Refusal("null", "", "", (column[1] or column[2],))
    if number in {3819, 4025} and (check := _MYSQL_CHECK.search(text)) is not None:
        return Refusal("check", check[1])
    return None


def _of_oracle(text: str) -> Refusal | None:
    match = _ORACLE.search(text)
    parts = [part.strip('"') for part in match[1].split(".")] if match else []
    name = parts[-1].lower() if parts else ""
    kind = {"ORA-00001": "unique", "ORA-02291": "foreign", "ORA-02292": "referenced", "ORA-02290": "check"}.get(
        text[:9]
    )
    if kind is not None:
        return Refusal(kind, name)
    if text.startswith("ORA-01400") and len(parts) == 3:
        return Refusal("null", "", parts[1].lower(), (name,))
    return None


def translate(
    error: IntegrityError, session: Session, suspects: Iterable[Any] = (), *, model: type[Declarative] | None = None
) -> Exception:
    """Return the error to raise instead of the driver's.

    Runs inside of a greenlet, after the rollback.

    Args:
        error: What the driver raised.
        session: To ask which foreign key points nowhere, where the server does not say.
        suspects: The objects that were being written (Any: models or others).
        model: The model whose rows were written by a statement.
    """
    refusal = read_refusal(error)
    if refusal is None:
        return error
    instances = [instance for instance in suspects if isinstance(instance, Declarative)]
    models = {type(instance) for instance in instances} | ({model} if model is not None else set())
    metadatas = {id(one.metadata): one.metadata for one in models} or {0: Declarative.metadata}
    if refusal.kind == "foreign?":
        refusal = _find_foreign(session, instances) or Refusal("referenced" if model is None else "foreign")
    table = _find_table(refusal, metadatas.values())
    columns = refusal.columns or (_columns_of(table, refusal.name) if table is not None else ())
    names = _attributes(table, columns, models)
    made: Exception = error
    if refusal.kind == "unique":
        made = UniqueViolation([field_error(("body", name), "unique") for name in names or ("",)])
    elif refusal.kind == "foreign":
        made = ForeignKeyViolation([_points_nowhere(name, models) for name in names or ("",)])
    elif refusal.kind == "referenced":
        made = StillReferenced(gettext("Other rows point to this one, so it cannot be deleted."))
    elif refusal.kind == "null":
        made = ValidationFailed([field_error(("body", name), "missing") for name in names or ("",)])
    elif refusal.kind == "check":
        place = ("body", *names[:1])
        made = ValidationFailed([field_error(place, "check", constraint=refusal.name)])
    return made


def _find_table(refusal: Refusal, metadatas: Iterable[MetaData]) -> Table | None:
    for metadata in metadatas:
        for table in metadata.tables.values():
            if refusal.table and table.name.lower() == refusal.table.lower():
                return table
            if not refusal.table and refusal.name and _columns_of(table, refusal.name):
                return table
    return None


def _columns_of(table: Table, name: str) -> tuple[str, ...]:
    wanted = name.lower()
    for constraint in table.constraints:
        if str(constraint.name or "").lower() == wanted:
            return tuple(column.name for column in getattr(constraint, "columns", ()))
    for index in table.indexes:
        if str(index.name or "").lower() == wanted:
            return tuple(column.name for column in index.columns)
    if wanted == "primary":
        return tuple(column.name for column in table.primary_key.columns)
    for column in table.columns:  # SQLite names the index of a UNIQUE column itself
        if isinstance(column.unique, bool) and column.unique and wanted == f"uq_{table.name}_{column.name}".lower():
            return (column.name,)
    return ()


def _attributes(table: Table | None, columns: Sequence[str], models: set[type[Declarative]]) -> list[str]:
    """Return the attributes of columns, the relation's name for a key column."""
    if table is not None:
        models = {model for model in models if table in inspect(model).tables} or _models_of(table)
    for model in models:
        mapper = model.__mapper__
        keys = {key: link.name for link in links_of(model).values() for key in link.keys}
        found = []
        for attribute in mapper.column_attrs:
            name = attribute.columns[0].name if attribute.columns else ""
            if name in columns:
                found.append(keys.get(attribute.key, attribute.key))
        if found:
            return list(dict.fromkeys(found))
    return list(columns)


def _models_of(table: Table) -> set[type[Declarative]]:
    return {
        mapper.class_
        for mapper in Declarative.registry.mappers
        if mapper.local_table is table and issubclass(mapper.class_, Declarative)
    }


def _points_nowhere(name: str, models: set[type[Declarative]]) -> FieldError:
    target = "row"
    for model in models:
        link = links_of(model).get(name)
        if link is not None:
            target = link.cls.__name__
    return field_error(("body", name), "foreign_key", target=target)


def _find_foreign(session: Session, instances: Sequence[Declarative]) -> Refusal | None:
    """Ask the database which key of the objects points nowhere; SQLite does not say."""
    for instance in instances:
        if inspect(instance).deleted or instance in session.deleted:
            continue
        for link in links_of(type(instance)).values():
            if link.kind != "belongs_to":
                continue
            values = [instance.__dict__.get(key) for key in link.keys]
            if not values or None in values:
                continue
            keys = link.cls.__mapper__.primary_key
            criteria = [key == value for key, value in zip(keys, values, strict=True)]
            with session.no_autoflush:
                if session.execute(select(*keys).where(*criteria)).first() is None:
                    table = link.owner.__table__
                    return Refusal("foreign", "", str(getattr(table, "name", "")), (link.column_name(link.keys[0]),))
    return None
