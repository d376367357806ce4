"""From types to JSON Schema (draft 2020-12), with the constraints, labels and help texts of their fields."""

import collections.abc
import inspect
import types
import typing
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin
from uuid import UUID

import msgspec

from demijohn._lib.sentinels import MISSING
from demijohn.errors import ConfigurationError
from demijohn.http import UploadFile
from demijohn.schema import Field, fields_of, has_fields, to_builtins
from demijohn.schema.classes import is_pydantic, kind_of, plain
from demijohn.schema.field import split

__all__ = ["Mode", "Schema", "Schemas"]

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema as plain data."""
Mode: TypeAlias = Literal["in", "out"]
"""Whether a client sends the value or gets it."""

_SIMPLE: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    bytearray: {"type": "string", "contentEncoding": "base64"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
    timedelta: {"type": "string", "format": "duration"},
    Decimal: {"type": "string", "format": "decimal"},
    UUID: {"type": "string", "format": "uuid"},
    UploadFile: {"type": "string", "contentMediaType": "application/octet-stream"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    dict: {"type": "object"},
    set: {"type": "array", "uniqueItems": True},
    frozenset: {"type": "array", "uniqueItems": True},
}
_TEXTS = {
    ("ipaddress", "IPv4Address"): "ipv4",
    ("ipaddress", "IPv6Address"): "ipv6",
    ("zoneinfo", "ZoneInfo"): None,
    ("pathlib", "Path"): None,
}
_FORMATS = {"email": "email", "url": "uri", "uri": "uri", "hostname": "hostname", "ipv4": "ipv4", "ipv6": "ipv6"}
_DRAWN = {"password": "password"}
_SETS = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
_LISTS = (list, collections.abc.Sequence, collections.abc.MutableSequence, collections.abc.Iterable, *_SETS)
_MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class Schemas:
    """Writes schemas, and collects those of classes under their names.

    Args:
        prefix: Where the collected ones will stand: `#/components/schemas/`.
        names: The names of classes, where they are known already (Any: types of many kinds).
    """

    def __init__(
        self, prefix: str = "#/components/schemas/", *, names: Mapping[tuple[Any, Mode], str] | None = None
    ) -> None:
        self.prefix = prefix
        self._known = names or {}
        self.components: dict[str, Schema] = {}
        self.undescribed: list[Any] = []
        """The types that could not be described."""
        self._names: dict[tuple[Any, Mode], str] = {}

    def of(self, annotation: Any, mode: Mode) -> Schema:
        """Return the schema of an annotation (Any: annotations are of many types)."""
        metadata: tuple[Any, ...] = ()
        tp = annotation
        while True:
            tp, more = split(plain(tp))
            metadata = (*more, *metadata)
            if plain(tp) is tp:
                break
        bare = self._bare(tp, mode)
        return self.described(bare, Field.read(metadata)) if metadata else bare

    def field(self, field: Field, mode: Mode) -> Schema:
        """Return the schema of a described field."""
        found = self.described(self._bare(field.type, mode), field)
        if field.nullable and not _takes_null(found):
            found = _any_of([found, {"type": "null"}])
        return found

    def described(self, schema: Schema, field: Field) -> Schema:
        """Return a schema with what a field says beyond its type."""
        found = _constrained(schema, field)
        about: Schema = {}
        if field.label is not None:
            about["title"] = str(field.label)
        if field.help is not None:
            about["description"] = str(field.help)
        if field.examples:
            about["examples"] = _data(list(field.examples))
        if field.default is not MISSING and field.default is not None:
            default = _data(field.default)
            if default is not MISSING:
                about["default"] = default
        if field.readonly:
            about["readOnly"] = True
        if field.deprecated:
            about["deprecated"] = True
        return {**found, **about}

    # -- by type ------------------------------------------------------------------------------------------------------

    def _bare(self, tp: Any, mode: Mode) -> Schema:
        if tp is Any or tp is object or tp is MISSING:
            return {}
        if isinstance(tp, TypeVar):
            return self.of(tp.__bound__, mode) if tp.__bound__ is not None else {}
        if tp is None:
            return {"type": "null"}
        try:
            if tp in _SIMPLE:
                return dict(_SIMPLE[tp])
        except TypeError:
            pass
        origin, arguments = get_origin(tp), get_args(tp)
        if origin in (Union, types.UnionType):
            return self._union(arguments, mode)
        if origin is Literal:
            return _literal(arguments)
        if origin is tuple:
            return self._tuple(arguments, mode)
        if origin in _LISTS:
            found: Schema = {"type": "array", "items": self.of(arguments[0], mode)}
            return {**found, "uniqueItems": True} if origin in _SETS else found
        if origin in _MAPS:
            return {"type": "object", "additionalProperties": self.of(arguments[1], mode)}
        if origin in (typing.Required, typing.NotRequired, typing.Final):
            return self.of(arguments[0], mode)
        cls = origin or tp
        if isinstance(cls, type):
            return self._class(tp, cls, mode)
        return self._unknown(tp)

    def _class(self, tp: Any, cls: type, mode: Mode) -> Schema:
        if issubclass(cls, Enum):
            return self._named(tp, mode, lambda: _enum(cls))
        if has_fields(tp) or has_fields(cls):
            if kind_of(cls) == "namedtuple":
                return self._tuple(tuple(field.type for field in fields_of(tp).values()), mode)
            return self._named(tp, mode, lambda: self._object(tp, cls, mode))
        for base, schema in _SIMPLE.items():
            if isinstance(base, type) and base is not type(None) and issubclass(cls, base):
                return dict(schema)
        key = (cls.__module__.partition(".")[0], cls.__name__)
        if key in _TEXTS:
            return {"type": "string", **({"format": _TEXTS[key]} if _TEXTS[key] else {})}
        if key[0] == "ipaddress":
            return {"type": "string"}
        return self._unknown(tp)

    def _unknown(self, tp: Any) -> Schema:
        if tp not in self.undescribed:
            self.undescribed.append(tp)
        return {}

    def _union(self, arguments: Iterable[Any], mode: Mode) -> Schema:
        # What may be left out is said by `required`.
        return _any_of([self.of(one, mode) for one in arguments if one is not msgspec.UnsetType])

    def _tuple(self, arguments: tuple[Any, ...], mode: Mode) -> Schema:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return {"type": "array", "items": self.of(arguments[0], mode)}
        items = [self.of(one, mode) for one in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}

    def _object(self, tp: Any, cls: type, mode: Mode) -> Schema:
        if is_pydantic(cls):
            return self._pydantic(cls, mode)
        properties: dict[str, Schema] = {}
        required = []
        config = getattr(cls, "__struct_config__", None)
        if config is not None and config.tag_field is not None:
            properties[config.tag_field] = {"const": config.tag}
            required.append(config.tag_field)
        sparse = kind_of(cls) == "typeddict" or (config is not None and config.omit_defaults)
        for name, field in fields_of(tp).items():
            if not _is_shown(field, mode):
                continue
            wire = field.alias or name
            properties[wire] = self.field(field, mode)
            if field.required or (mode == "out" and not sparse and not _may_be_unset(field.type)):
                required.append(wire)
        found: Schema = {"type": "object", "properties": properties}
        if required:
            found["required"] = required
        if mode == "in" and config is not None and config.forbid_unknown_fields:
            found["additionalProperties"] = False
        text = _text_of(cls)
        return {**found, "description": text} if text else found

    def _pydantic(self, cls: Any, mode: Mode) -> Schema:
        kind: Literal["validation", "serialization"] = "validation" if mode == "in" else "serialization"
        adapter = cls if hasattr(cls, "model_json_schema") else None
        if adapter is None:
            from pydantic import TypeAdapter

            schema: Schema = TypeAdapter(cls).json_schema(ref_template=f"{self.prefix}{{model}}", mode=kind)
        else:
            schema = adapter.model_json_schema(ref_template=f"{self.prefix}{{model}}", mode=kind)
        inner_schemas = schema.pop("$defs", {})
        if schema.get("$ref") == f"{self.prefix}{cls.__name__}":  # one that contains itself
            schema = inner_schemas.pop(cls.__name__)
        for name, inner in inner_schemas.items():
            self.components.setdefault(name, inner)
        schema.pop("title", None)
        return schema

    # -- names --------------------------------------------------------------------------------------------------------

    def _named(self, tp: Any, mode: Mode, make: Any) -> Schema:
        """Return a reference to the schema of a class, which is collected once for each way it is used."""
        key = (tp, mode)
        name = self._names.get(key)
        if name is None:
            other = self._names.get((tp, "out" if mode == "in" else "in"))
            name = self._known.get(key) or self._free(_name_of(tp))
            self._names[key] = name
            if name in self.components:  # the way in is known to be that out
                return {"$ref": f"{self.prefix}{name}"}
            self.components[name] = {}
            made = make()
            if other is not None and made == self.components[other]:
                del self.components[name]
                name = self._names[key] = other
            else:
                self.components[name] = made
        return {"$ref": f"{self.prefix}{name}"}

    def _free(self, wanted: str) -> str:
        """Return a name for now, of those that `distinct_names` will choose from."""
        name, number = wanted, 2
        while name in self.components:
            name, number = f"{wanted}{number}", number + 1
        return name

    def distinct_names(self, *, reserved: Sequence[str] = ()) -> dict[tuple[Any, Mode], str]:
        """Return a name for each class that was collected, which does not depend on the order.

        All classes whose names would clash get their module. Where a class is not the same in both directions, the way
        in is called `...Input`.

        Args:
            reserved: Names that no class gets.
        """
        kept = list(dict.fromkeys(tp for tp, _ in self._names))
        ours = set(self._names.values())
        avoided = {*reserved, *(name for name in self.components if name not in ours)}
        candidates = [_names_of(tp) for tp in kept]
        levels = [0] * len(kept)
        while True:
            names = [each[level] for each, level in zip(candidates, levels, strict=True)]
            taken = Counter(names)
            clashing = [
                index
                for index, name in enumerate(names)
                if (taken[name] > 1 or name in avoided) and levels[index] + 1 < len(candidates[index])
            ]
            if not clashing:
                break
            for index in clashing:
                levels[index] += 1
        found: dict[tuple[Any, Mode], str] = {}
        seen: dict[str, int] = {}
        for tp, name in zip(kept, names, strict=True):
            count = seen[name] = seen.get(name, 0) + 1
            if count > 1:  # two classes of one function: nothing else tells them apart
                name = f"{name}{count}"
            inward, outward = self._names.get((tp, "in")), self._names.get((tp, "out"))
            found[tp, "out"] = name
            found[tp, "in"] = name if None in (inward, outward) or inward == outward else f"{name}Input"
        return found


def _is_shown(field: Field, mode: Mode) -> bool:
    if field.private or (mode == "in" and field.readonly):
        return False
    # A relation is written where it was loaded only; its key always is.
    return not (mode == "out" and "relation" in field.extra)


def _may_be_unset(tp: Any) -> bool:
    return msgspec.UnsetType in get_args(tp)


def _name_of(tp: Any) -> str:
    arguments = get_args(tp)
    name: str = (get_origin(tp) or tp).__name__
    parts = [_name_of(one) if hasattr(one, "__name__") else str(one) for one in arguments]
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in "_".join([name, *parts]))


def _names_of(tp: Any) -> tuple[str, ...]:
    """Return what a class may be called, the short names first."""
    name, cls = _name_of(tp), get_origin(tp) or tp
    outer = cls.__qualname__.replace("<locals>.", "").rpartition(".")[0]
    module = str(cls.__module__).replace(".", "_")
    long = f"{module}_{outer.replace('.', '_')}_{name}" if outer else f"{module}_{name}"
    return name, f"{module}_{name}", long


def _text_of(cls: type) -> str:
    text = cls.__dict__.get("__doc__")
    if not isinstance(text, str) or text.startswith(f"{cls.__name__}("):  # what dataclasses write by themselves
        return ""
    return inspect.cleandoc(text)


def _any_of(schemas: list[Schema]) -> Schema:
    found: list[Schema] = []
    for schema in schemas:
        if schema not in found:
            found.append(schema)
    return found[0] if len(found) == 1 else {"anyOf": found}


def _takes_null(schema: Mapping[str, Any]) -> bool:
    if schema == {} or schema.get("type") == "null":
        return True
    return any(_takes_null(part) for part in schema.get("anyOf", ()))


def _literal(values: tuple[Any, ...]) -> Schema:
    data = [_data(value) for value in values]
    kinds = {type(value) for value in data}
    found: Schema = {"enum": data} if len(data) > 1 else {"const": data[0]}
    if len(kinds) == 1 and (kind := kinds.pop()) in (str, int, bool):
        found = {**_SIMPLE[kind], **found}
    return found


def _enum(cls: type[Enum]) -> Schema:
    found = _literal(tuple(member.value for member in cls))
    text = _text_of(cls)
    return {**found, "description": text} if text else found


def _data(value: Any) -> Any:
    try:
        return to_builtins(value)
    except (TypeError, ValueError, ConfigurationError):
        return MISSING


def _constrained(schema: Schema, field: Field) -> Schema:
    """Return a schema with the constraints of a field, each where it makes sense."""
    if "anyOf" in schema:
        parts = [part if part.get("type") == "null" else _constrained(part, field) for part in schema["anyOf"]]
        return {**schema, "anyOf": parts}
    kind = schema.get("type")
    found = dict(schema)
    lengths = {"string": "Length", "array": "Items", "object": "Properties"}
    if kind in lengths:
        for bound, word in (("min_length", "min"), ("max_length", "max")):
            limit = getattr(field, bound)
            if limit is not None:
                found[f"{word}{lengths[kind]}"] = limit
    if kind in ("integer", "number"):
        for bound, word in (
            ("gt", "exclusiveMinimum"),
            ("ge", "minimum"),
            ("lt", "exclusiveMaximum"),
            ("le", "maximum"),
        ):
            limit = getattr(field, bound)
            if isinstance(limit, int | float):
                found[word] = limit
        if isinstance(field.multiple_of, int | float):
            found["multipleOf"] = field.multiple_of
    if kind == "string":
        if field.pattern is not None:
            found["pattern"] = f"^(?:{field.pattern})$"
        known = {**_FORMATS, **_DRAWN}.get(field.format or "")
        if known is not None:
            found["format"] = known
    if field.choices is not None:
        values = [_data(value) for value, _ in field.choices]
        if kind == "array":
            found["items"] = {**found.get("items", {}), "enum": values}
        elif "$ref" not in found:
            found["enum"] = values
    return found
