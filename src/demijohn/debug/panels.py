"""What panels tell, as HTML."""

from collections.abc import Iterable, Mapping
from typing import Any

from demijohn.debug.markup import escaped
from demijohn.debug.page import rows
from demijohn.debug.redaction import HIDDEN, is_secret, redact, shown, text_of
from demijohn.http import Markup

__all__ = ["cell", "panel_html"]


def cell(name: object, value: object) -> tuple[str, str]:
    """Return a name and what is shown of its value."""
    if is_secret(name) and value:
        return text_of(name), HIDDEN
    return text_of(name), redact(text_of(value))[:4000] if isinstance(value, str | int | float) else shown(value)


def panel_html(told: Any) -> str:
    """Return what a panel tells as HTML (Any: whatever it tells).

    Markup is taken as it is, mappings and pairs become rows, mappings in a list a table.
    """
    if isinstance(told, Markup):
        return f'<div class="html">{str.__str__(told)}</div>'
    if isinstance(told, Mapping):
        return rows([cell(name, value) for name, value in told.items()])
    if isinstance(told, str):
        return f'<div class="html">{escaped(redact(told))}</div>'
    if isinstance(told, Iterable):
        items = list(told)[:500]
        if items and all(isinstance(item, Mapping) for item in items):
            names = list(dict.fromkeys(name for item in items for name in item))
            head = "".join(f"<th>{escaped(name)}</th>" for name in names)
            body = "".join(
                "<tr>" + "".join(f"<td>{escaped(cell(name, item.get(name, ''))[1])}</td>" for name in names) + "</tr>"
                for item in items
            )
            return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        if items and all(isinstance(item, tuple) and len(item) == 2 for item in items):
            return rows([cell(name, value) for name, value in items])
        return rows([(str(index), cell("", item)[1]) for index, item in enumerate(items, 1)])
    return f'<div class="html">{escaped(shown(told))}</div>'
