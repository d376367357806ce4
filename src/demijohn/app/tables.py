"""Rows as CSV (RFC 4180) and back, safe to open in a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from demijohn.errors import DemijohnError, MalformedBody
from demijohn.schema import to_builtins, to_json

__all__ = ["NoRows", "RowWriter", "csv_rows", "from_csv", "rows_of", "to_csv"]

# A spreadsheet runs what begins like this; a quote in front makes it text (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


class NoRows(DemijohnError):
    """A value that is no table was to be written as one."""

    code = "DJN-335"


def to_csv(value: object) -> bytes:
    """Write rows as CSV: a header line of all names in the order they appear, then a line per row.

    Rows are mappings, objects with fields, or lists. Nested values are written as JSON. Text that a spreadsheet would
    take for a formula gets a quote in front; numbers are left alone.

    Raises:
        NoRows: The value holds no list, or more than one.
        NotEncodable: Nobody knows to write a type in it.

    Example:
        >>> to_csv([{"name": "=1+1", "price": -5}]).decode()
        "name,price\\r\\n'=1+1,-5\\r\\n"
    """
    out = io.StringIO()
    for line in csv_rows(rows_of(to_builtins(value))):
        out.write(line)
    return out.getvalue().encode()


def csv_rows(rows: Iterable[object], *, columns: Iterable[str] | None = None) -> Iterator[str]:
    """Yield the lines of a table one by one, for a stream.

    Without `columns` all rows are looked at first for their names; with them, one at a time is.
    """
    if columns is None:
        plain = [to_builtins(row) for row in rows]
        known: dict[str, None] = {}
        for row in plain:
            if isinstance(row, Mapping):
                known.update(dict.fromkeys(map(str, row)))
        columns, rows = known, plain
    writer = RowWriter(columns)
    for row in rows:
        yield writer(row).decode()
    if rest := writer.end():
        yield rest.decode()


class RowWriter:
    """Writes the rows of one table as they come.

    Args:
        columns: The names of the header; those of the first row where they are not given.

    Example:
        >>> RowWriter(["id"])({"id": 1, "name": "left out"})
        b'id\\r\\n1\\r\\n'
    """

    __slots__ = ("_buffer", "_columns", "_write")

    def __init__(self, columns: Iterable[str] | None = None) -> None:
        self._columns = None if columns is None else list(columns)
        self._buffer = io.StringIO()
        self._write = csv.writer(self._buffer).writerow
        if self._columns:
            self._write([_cell(name) for name in self._columns])

    def __call__(self, row: object, /) -> bytes:
        """Return a row as its line, behind the header where it is the first."""
        data = to_builtins(row)
        if isinstance(data, Mapping):
            if self._columns is None:
                self._columns = list(map(str, data))
                self._write([_cell(name) for name in self._columns])
            self._write([_cell(data.get(name)) for name in self._columns])
        else:
            self._write([_cell(item) for item in (data if isinstance(data, list | tuple) else [data])])
        return self._taken()

    def end(self) -> bytes:
        """Return what is left: the header of a table without rows."""
        return self._taken()

    def _taken(self) -> bytes:
        text = self._buffer.getvalue()
        if text:
            self._buffer.seek(0)
            self._buffer.truncate()
        return text.encode()


def rows_of(value: Any) -> list[Any]:
    """Return the one list of a value: itself, the only list in a mapping, or its `items` (Any: plain data).

    Raises:
        NoRows: There is none, or more than one.
    """
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, Mapping):
        found = {name: item for name, item in value.items() if isinstance(item, list | tuple)}
        if "items" in found:
            return list(found["items"])
        nested = {
            name: item["items"]
            for name, item in value.items()
            if isinstance(item, Mapping) and isinstance(item.get("items"), list)
        }
        if len(found) + len(nested) == 1:
            return list(next(iter((found or nested).values())))
        which = ", ".join(map(str, [*found, *nested])) or "none"
        names = ", ".join(map(str, value)) or "(none)"
        raise NoRows(
            f"A table was asked for, and of the names {names} these are lists: {which}.",
            why="CSV holds one list of rows.",
            fix="Return one list, or leave `csv` out of the route's formats.",
        )
    raise NoRows(
        f"A table was asked for, and the value is {type(value).__name__}.",
        why="CSV holds one list of rows.",
        fix="Return a list of rows, or leave `csv` out of the route's formats.",
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        text = value.replace("\x00", "")
        if text.lstrip("'").startswith(_FORMULA) and not _NUMBER.fullmatch(text):
            return f"'{text}"
        return text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return to_json(value).decode()


def from_csv(data: bytes) -> list[dict[str, str]]:
    """Read CSV with a header line into one mapping of text per row; the quote before a formula is taken off.

    Raises:
        MalformedBody: It is not UTF-8, not CSV, or a row has more or fewer cells than the header.
    """
    try:
        text = data.decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except UnicodeDecodeError:
        raise MalformedBody("The body is not valid CSV: it is not UTF-8.") from None
    except csv.Error as error:
        raise MalformedBody(f"The body is not valid CSV: {error}.") from None
    lines = [line for line in lines if line]
    if not lines:
        return []
    header, *rows = lines
    header = [_uncell(name) for name in header]
    if len(set(header)) < len(header):
        raise MalformedBody("The body is not acceptable CSV: a column is named twice.")
    table = []
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise MalformedBody(
                f"The body is not acceptable CSV: row {number} has {len(row)} cells, the header has {len(header)}."
            )
        table.append({name: _uncell(cell) for name, cell in zip(header, row, strict=True)})
    return table


def _uncell(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell
