"""What may be shown of a value: a bounded text, in which secrets are not."""

import dataclasses
import os
import reprlib
from collections import deque
from collections.abc import Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any

import msgspec

from demijohn._lib.redaction import HIDDEN, is_secret, redact, text_of
from demijohn.app import Secret

__all__ = ["HIDDEN", "is_secret", "redact", "shown", "text_of"]


class _Repr(reprlib.Repr):
    """A `repr` that ends: few levels, few items, short texts; what a secret's name stands beside is hidden."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = 20
        self.maxstring = limit
        self.maxother = limit
        self.maxlong = 60

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, Secret):
            return f"Secret({HIDDEN!r})"
        if isinstance(x, os._Environ):
            return "environ(<not shown>)"
        if isinstance(x, Mapping) and type(x) is not dict and not isinstance(x, msgspec.Struct):
            return self._mapping(x, level)
        if isinstance(x, msgspec.Struct):
            return self._fields(x, x.__struct_fields__, level)
        if dataclasses.is_dataclass(x) and not isinstance(x, type):
            return self._fields(x, [field.name for field in dataclasses.fields(x) if field.repr], level)
        if isinstance(x, str | bytes | bytearray) and type(x) not in (str, bytes):
            x = text_of(x) if isinstance(x, str) else bytes(x)
        if isinstance(x, bytes) and len(x) > self.maxstring:
            return f"{x[: self.maxstring]!r}… ({len(x):,} bytes)"
        if isinstance(x, str) and len(x) > self.maxstring:
            return f"{x[: self.maxstring]!r}… ({len(x):,} characters)"
        if isinstance(x, FunctionType):
            return f"<function {x.__qualname__}>"
        if isinstance(x, ModuleType):
            return f"<module {x.__name__}>"
        return super().repr1(x, level)

    def _mapping(self, x: Mapping[Any, Any], level: int) -> str:
        return f"{type(x).__name__}({self.repr_dict(dict(list(x.items())[: self.maxdict + 1]), level)})"

    def _fields(self, x: Any, names: Iterable[str], level: int) -> str:
        if level <= 0:
            return f"{type(x).__name__}(…)"
        parts = []
        for name in names:
            value = getattr(x, name, None)
            parts.append(f"{name}={HIDDEN if is_secret(name) and value else self.repr1(value, level - 1)}")
        return f"{type(x).__name__}({', '.join(parts)})"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if not x:
            return "{}"
        if level <= 0:
            return "{…}"
        parts = []
        for key, value in list(x.items())[: self.maxdict]:
            hidden = is_secret(key) and value not in (None, "", b"")
            parts.append(f"{self.repr1(key, level - 1)}: {HIDDEN if hidden else self.repr1(value, level - 1)}")
        if len(x) > self.maxdict:
            parts.append("…")
        return "{" + ", ".join(parts) + "}"

    def repr_tuple(self, x: tuple[Any, ...], level: int) -> str:
        # A pair of a name and a value, as header lines are.
        if len(x) == 2 and isinstance(x[0], str | bytes) and is_secret(x[0]) and len(x[0]) < 60:
            return f"({x[0]!r}, {HIDDEN})"
        return super().repr_tuple(x, level)

    def repr_deque(self, x: deque[Any], level: int) -> str:
        return super().repr_deque(x, level)

    def repr_instance(self, x: Any, level: int) -> str:
        text = text_of(repr(x))
        if len(text) > self.maxother:
            return f"{text[: self.maxother]}…"
        return text


def shown(value: Any, *, limit: int = 400) -> str:
    """Return a bounded `repr` of anything, without secrets; it never raises.

    Any: whatever a variable holds.

    Args:
        value: What is shown.
        limit: How many characters of one text are shown, and three times as many of the whole.

    Example:
        >>> shown({"user": "ann", "password": "hunter2"})
        "{'user': 'ann', 'password': ••••••}"
    """
    try:
        text = _Repr(limit).repr(value)
    except RecursionError:
        return f"<{type(value).__name__}: its repr never ends>"
    except Exception as error:
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"
    if len(text) > 3 * limit:
        text = f"{text[: 3 * limit]}…"
    return redact(text)
