"""Values as lists and pages show them."""

from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from demijohn._lib.translation import gettext as _
from demijohn.app import current
from demijohn.schema import Field, has_records, records_of

__all__ = ["Cell", "cell_of"]

_SHORT = 80


class Cell(NamedTuple):
    """A value as it is shown: its text, and what kind of value it is.

    `kind` is `text`, `number`, `moment`, `yes`, `no`, `empty`, `link` or `long`.
    """

    text: str
    kind: str = "text"

    @property
    def short(self) -> str:
        """The text as far as a list has room for it."""
        return self.text if len(self.text) <= _SHORT else self.text[: _SHORT - 1].rstrip() + "…"


def cell_of(value: Any, field: Field) -> Cell:
    """Return a value as it is shown (Any: values of all types)."""
    if value is None or value == "" or value == []:
        return Cell("—", "empty")
    if isinstance(value, bool):
        return Cell(_("Yes") if value else _("No"), "yes" if value else "no")
    for choice, label in field.choices or ():
        if choice == value:
            return Cell(_(str(label)) if label else str(choice))
    if isinstance(value, Enum):
        return Cell(str(getattr(value, "label", None) or value.name.replace("_", " ").capitalize()))
    if isinstance(value, int | float | Decimal):
        return Cell(_formatted("format_decimal", value, str(value)), "number")
    if isinstance(value, datetime):
        return Cell(_formatted("format_datetime", value, value.strftime("%Y-%m-%d %H:%M")), "moment")
    if isinstance(value, date):
        return Cell(_formatted("format_date", value, value.isoformat()), "moment")
    if isinstance(value, time):
        return Cell(_formatted("format_time", value, value.strftime("%H:%M")), "moment")
    if isinstance(value, list | tuple | set):
        return Cell(", ".join(cell_of(one, field).text for one in value))
    if has_records(type(value)):
        return Cell(records_of(type(value)).label_of(value))
    text = str(value)
    if field.format == "url" and text.startswith(("http://", "https://")):
        return Cell(text, "link")
    return Cell(text, "long" if "\n" in text or field.format == "textarea" else "text")


def _formatted(name: str, value: Any, plain: str) -> str:
    """Return a value as people of the present language write it.

    Where a battery knows how.
    """
    write = current.app.templates.filters.get(name)
    return plain if write is None else str(write(value))
