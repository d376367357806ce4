"""The fields of a model as the schema room describes them: read by binding, JSON, forms, the admin and OpenAPI."""

from typing import Annotated, Any, get_args, get_origin
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Computed, String
from sqlalchemy import Enum as SQLEnum
from sqlalchemy.ext.hybrid import HybridExtensionType

from demijohn._lib.sentinels import MISSING
from demijohn.db.columns import spec_of
from demijohn.db.declarative import Declarative, column_types
from demijohn.db.relations import Link, links_of
from demijohn.db.storage import DecimalType
from demijohn.schema import Field, field_of, register_reader
from demijohn.schema.reading import typed

__all__ = ["describe", "public_columns", "python_type", "typed"]

_described: WeakKeyDictionary[type, dict[str, Field]] = WeakKeyDictionary()


def describe(model: type[Declarative]) -> dict[str, Field]:
    """Return the description of every column and relation of a model.

    They are given by attribute, columns first.

    `extra["relation"]` is the `Link` of a relation; `extra["key_of"]` the name of the relation that a key column
    belongs to.
    """
    known = _described.get(model)
    if known is None:
        mapper = model.__mapper__
        found: dict[str, Field] = {}
        for attribute in mapper.column_attrs:
            column = attribute.columns[0]
            if isinstance(column, Column):
                found[attribute.key] = _of_column(model, attribute.key, column, inherited=len(attribute.columns) > 1)
        for link in links_of(model).values():
            found[link.name] = _of_link(link)
        known = _described[model] = found
    return dict(known)


def _of_column(model: type[Declarative], key: str, column: Column[Any], *, inherited: bool) -> Field:
    spec = spec_of(column)
    tp = python_type(model, key, column)
    field = field_of(tp, name=key).merge(spec.field)
    changes: dict[str, Any] = {"name": key, "alias": key, "type": field.type}
    if isinstance(column.type, String) and not isinstance(column.type, SQLEnum) and field.max_length is None:
        changes["max_length"] = column.type.length
    if isinstance(column.type, DecimalType) and field.decimal_places is None:
        changes["decimal_places"] = column.type.scale
    default: Any = column.default
    if field.default is MISSING and field.default_factory is None and default is not None and default.is_scalar:
        changes["default"] = default.arg
    filled = (
        changes.get("default", field.default) is not MISSING
        or field.default_factory is not None
        or column.default is not None
        or column.server_default is not None
        or (inherited and column.primary_key)  # the key of the table of the base class
        or column is model.__mapper__.polymorphic_on
        or (column.primary_key and column.autoincrement is not False and column is column.table.autoincrement_column)
    )
    changes["nullable"] = bool(column.nullable)
    changes["required"] = not filled and not column.nullable
    if column.nullable and not filled:
        changes["default"] = None
    if isinstance(column.server_default, Computed) or spec.discriminator:
        changes["readonly"] = True
        changes["required"] = False
    if spec.text and field.format is None:
        changes["format"] = "textarea"
    if spec.relation:
        changes["extra"] = {**field.extra, "key_of": spec.relation}
    return field.replace(**changes)


def _of_link(link: Link) -> Field:
    target = link.cls
    many = link.kind in {"has_many", "many_to_many"}
    writable = link.kind == "belongs_to" or (link.kind == "many_to_many" and link.options["through"] is None)
    required = link.kind == "belongs_to" and not link.target.nullable
    tp: Any = list[target] if many else target  # type: ignore[valid-type]
    return link.field.replace(
        name=link.name,
        alias=link.name,
        type=tp,
        required=required,
        nullable=not many and link.target.nullable,
        default=link.field.default if required else ([] if many else None),
        readonly=link.field.readonly or not writable,
        extra={**link.field.extra, "relation": link},
    )


def python_type(model: type[Declarative], key: str, column: Column[Any]) -> Any:
    """Return the annotation of a column, without `| None`.

    A column that has none gets what its SQL type makes (Any: either).
    """
    for base in model.__mro__:
        tp = column_types.get(base, {}).get(key)
        if tp is not None:
            return _without_none(tp)
    for foreign in column.foreign_keys:
        target = foreign.column
        for mapper in model.registry.mappers:
            if mapper.local_table is target.table:
                return python_type(mapper.class_, mapper.get_property_by_column(target).key, target)
    try:
        return column.type.python_type
    except NotImplementedError:
        return Any


def _without_none(tp: Any) -> Any:
    arguments = get_args(tp)
    if type(None) not in arguments or get_origin(tp) is Annotated:
        return tp
    rest = [argument for argument in arguments if argument is not type(None)]
    found = rest[0]
    for one in rest[1:]:
        found = found | one
    return found


_public: WeakKeyDictionary[type, list[str]] = WeakKeyDictionary()


def public_columns(model: type[Declarative]) -> list[str]:
    """Return the columns that a client may see, in order.

    Hybrids with a public `info` are among them.
    """
    known = _public.get(model)
    if known is None:
        known = [name for name, field in describe(model).items() if not field.private and "relation" not in field.extra]
        for name, descriptor in model.__mapper__.all_orm_descriptors.items():
            if descriptor.extension_type is HybridExtensionType.HYBRID_PROPERTY:
                info = getattr(descriptor, "info", {})
                known += [name] if info.get("public") else []
        _public[model] = known
    return known


register_reader(Declarative, describe)
