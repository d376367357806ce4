"""From typed values to bytes or plain data."""

import collections.abc
import os
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from demijohn._lib.extras import need
from demijohn._lib.source import place_of
from demijohn._lib.translation import LazyString
from demijohn.errors import DemijohnError
from demijohn.schema.classes import is_pydantic
from demijohn.schema.custom import find_encoder, on_change

__all__ = ["NotEncodable", "to_builtins", "to_json", "to_msgpack", "to_yaml"]


class NotEncodable(DemijohnError, TypeError):
    """A value of a type that nobody knows to write."""

    code = "DJN-014"


def _pydantic(value: Any) -> Any:
    return value.__pydantic_serializer__.to_python(value, mode="json", by_alias=True)


@lru_cache(maxsize=1024)
def _writer(cls: type) -> Callable[[Any], Any] | None:
    """Choose once per class how its instances are written."""
    found = find_encoder(cls)
    if found is not None:
        return found
    if is_pydantic(cls):
        return _pydantic
    if cls is LazyString:
        return str
    if issubclass(cls, str):
        return str.__str__
    if issubclass(cls, Enum):
        return lambda value: value.value
    for base in (bool, int, float, bytes, bytearray):
        if issubclass(cls, base):
            return base
    if issubclass(cls, Mapping):
        return dict
    if issubclass(cls, (collections.abc.Set, collections.abc.Sequence, collections.abc.ValuesView, deque)):
        return list
    if cls.__module__.partition(".")[0] in ("numpy", "pandas", "polars", "array") and hasattr(cls, "tolist"):
        return lambda value: value.tolist()
    if cls.__module__ != "builtins" and hasattr(cls, "dtype") and hasattr(cls, "item"):
        return lambda value: value.item()
    if hasattr(cls, "__fspath__"):
        return os.fspath
    if cls.__module__.partition(".")[0] in ("ipaddress", "zoneinfo", "fractions"):
        return str
    return None


on_change(_writer.cache_clear)


def _hook(value: Any) -> Any:
    cls = type(value)
    write = _writer(cls)  # type: ignore[arg-type]  # mypy doubts that a class of Any is hashable
    if write is not None:
        return write(value)
    name = cls.__qualname__
    where = "" if cls.__module__ == "builtins" else f" at {place_of(cls)}"
    raise NotEncodable(
        f"A value of type {name}{where} cannot be written as data.",
        why="It is no dict, list, string, number, date, Struct, dataclass or pydantic model, and has no encoder.",
        fix=f"Say how it is written:  register_encoder({name}, lambda value: {{...}})",
    )


write_json = msgspec.json.Encoder(enc_hook=_hook).encode
"""`to_json` without its options, for code that runs for every request."""
_msgpack = msgspec.msgpack.Encoder(enc_hook=_hook).encode


def to_json(value: object, *, indent: int | None = None) -> bytes:
    """Write a value as JSON (RFC 8259), in UTF-8.

    Decimals, dates, UUIDs and enumerations become strings; NaN becomes null; a class with an encoder of its own
    (`register_encoder`) is written by it.

    Raises:
        NotEncodable: DJN-014, nobody knows to write a type in it.

    Example:
        >>> to_json({"id": 3, "tags": {"new"}})
        b'{"id":3,"tags":["new"]}'
    """
    data = write_json(value)
    return data if indent is None else msgspec.json.format(data, indent=indent)


def to_msgpack(value: object) -> bytes:
    """Write a value as MessagePack."""
    return _msgpack(value)


def to_builtins(value: object) -> Any:
    """Turn a value into dicts, lists, strings, numbers, booleans and `None`.

    Raises:
        NotEncodable: DJN-014, nobody knows to write a type in it.
    """
    return msgspec.to_builtins(value, enc_hook=_hook, str_keys=True)


def to_yaml(value: object) -> bytes:
    """Write a value as YAML.

    Raises:
        MissingExtra: PyYAML is not installed.
        NotEncodable: DJN-014, nobody knows to write a type in it.
    """
    yaml = need("yaml", extra="yaml", wanted_for="Writing YAML")
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(to_builtins(value), Dumper=dumper, allow_unicode=True, sort_keys=False)
    return text.encode()
