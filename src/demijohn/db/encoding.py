"""Models as data: the public columns, and what a query computed; no relation is loaded for it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Row

from demijohn.db.declarative import Declarative
from demijohn.db.descriptions import public_columns
from demijohn.db.faults import QueryError
from demijohn.db.pages import KeysetPage, Paginated
from demijohn.db.querysets import EXTRA, QuerySet, RowSet
from demijohn.schema import register_encoder
from demijohn.schema.custom import find_encoder

__all__ = ["encode"]


def encode(instance: Declarative) -> dict[str, Any]:
    """Return the public columns of an object by name.

    The values that `annotate` added are among them.
    """
    cls = instance.__class__
    write = cls.__dict__.get(_WRITE) or _make_writer(cls)
    return write(instance)


def _with_extra(instance: Declarative, found: dict[str, Any]) -> dict[str, Any]:
    for name in instance.__dict__[EXTRA]:
        found[name] = instance.__dict__[name]
    return found


_WRITE = "__demijohn_write__"


def _make_writer(cls: type[Declarative]) -> Callable[[Declarative], dict[str, Any]]:
    """Write the function that makes a dict of an object of a class, and keep it with the class."""
    columns = public_columns(cls)
    loaded = cls.__mapper__.column_attrs
    parts = [f"{name!r}: " + (f"values[{name!r}]" if name in loaded else f"instance.{name}") for name in columns]
    lines = [
        "def write(instance):",
        "    if instance.__class__ is not MODEL: return encode(instance)",
        "    values = instance.__dict__",
        "    try:",
        f"        found = {{{', '.join(parts)}}}",
        "    except KeyError:  # deferred or expired: what is read loads itself, or says why not",
        "        found = {name: getattr(instance, name) for name in COLUMNS}",
        "    return with_extra(instance, found) if EXTRA in values else found",
    ]
    names: dict[str, Any] = {
        "COLUMNS": columns, "MODEL": cls, "EXTRA": EXTRA, "encode": encode, "with_extra": _with_extra
    }  # fmt: skip
    exec("\n".join(lines), names)  # noqa: S102 - every name in it is that of a mapped attribute
    write: Callable[[Declarative], dict[str, Any]] = names["write"]
    type.__setattr__(cls, _WRITE, write)
    if find_encoder(cls) is encode:  # so that the writers of JSON call it without asking here
        register_encoder(cls, write)
    return write


def _page(page: Paginated[Any]) -> dict[str, Any]:
    return {
        "items": page.items,
        "page": page.page,
        "per_page": page.per_page,
        "total": page.total,
        "pages": page.pages,
        "next_page": page.next_page,
        "previous_page": page.previous_page,
    }


def _keyset(page: KeysetPage[Any]) -> dict[str, Any]:
    return {"items": page.items, "next": page.next}


def _query(query: Any) -> Any:
    raise QueryError(
        "A query was returned that was never awaited.",
        why="A query is a question; its rows are there once it is awaited.",
        fix="return await query",
    )


register_encoder(Declarative, encode)
register_encoder(Paginated, _page)
register_encoder(KeysetPage, _keyset)
register_encoder(Row, lambda row: dict(row._mapping))
register_encoder(QuerySet, _query)
register_encoder(RowSet, _query)
