"""Reads `Mapped[...]` annotations, also those whose class does not exist yet."""

import inspect
import re
from collections.abc import Collection
from typing import Any, ForwardRef, NamedTuple, get_args, get_origin

__all__ = ["Target", "annotations_of", "target_of"]

_MAPPED = re.compile(r"^\s*(?:\w+\.)*(?:Mapped|WriteOnlyMapped|DynamicMapped)\s*\[(.*)\]\s*$", re.DOTALL)
_OPTIONAL = re.compile(r"^(?:\w+\.)*Optional\s*\[(.*)\]$", re.DOTALL)
_COLLECTION = re.compile(r"^(?:\w+\.)*(list|List|set|Set|Sequence|Collection)\s*\[(.*)\]$", re.DOTALL)


class Target(NamedTuple):
    """What a relation points to.

    That is a class or its name, whether there are many, and whether there may be none.
    """

    cls: type | str
    many: bool
    nullable: bool

    @property
    def name(self) -> str:
        """Return the name of the class, without its module."""
        return self.cls.rpartition(".")[2] if isinstance(self.cls, str) else self.cls.__name__


def annotations_of(cls: type) -> dict[str, Any]:
    """Return a class's own annotations, strings left as they are.

    Any: an annotation may be anything.
    """
    return inspect.get_annotations(cls)


def target_of(annotation: Any) -> Target | None:
    """Read the annotation of a relation; None where it is no `Mapped[...]` of a class.

    Any: any annotation.
    """
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        match = _MAPPED.match(annotation)
        return None if match is None else _of_text(match[1])
    arguments = get_args(annotation)
    if not arguments or "Mapped" not in getattr(get_origin(annotation), "__name__", ""):
        return None
    return _of_type(arguments[0])


def _of_text(text: str) -> Target:
    text = text.strip().strip("\"'").strip()
    nullable = False
    if (optional := _OPTIONAL.match(text)) is not None:
        text, nullable = optional[1], True
    parts = [part.strip().strip("\"'") for part in _split(text)]
    if "None" in parts:
        nullable = True
        parts = [part for part in parts if part != "None"]
    text = parts[0] if parts else text
    if (collection := _COLLECTION.match(text)) is not None:
        return Target(collection[2].strip().strip("\"'"), True, False)
    return Target(text, False, nullable)


def _split(text: str) -> list[str]:
    """Split at the `|` that stand outside of brackets."""
    parts, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "|" and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _of_type(tp: Any) -> Target | None:
    if isinstance(tp, ForwardRef):
        tp = tp.__forward_arg__
    if isinstance(tp, str):
        return _of_text(tp)
    origin = get_origin(tp)
    if origin is None:
        return Target(tp, False, False) if isinstance(tp, type) else None
    arguments = get_args(tp)
    if isinstance(origin, type) and issubclass(origin, Collection):
        inner = _of_type(arguments[-1])
        return None if inner is None else Target(inner.cls, True, False)
    rest = [argument for argument in arguments if argument is not type(None)]
    if len(rest) != 1:
        return None
    inner = _of_type(rest[0])
    return None if inner is None else Target(inner.cls, inner.many, len(rest) < len(arguments))
