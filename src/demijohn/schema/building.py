"""From an annotation to its shape."""

import collections.abc
import types
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from demijohn._lib.source import place_of
from demijohn.errors import ConfigurationError
from demijohn.schema.classes import kind_of, members_of, plain
from demijohn.schema.custom import find_decoder
from demijohn.schema.field import Field, split
from demijohn.schema.foreign import PydanticShape
from demijohn.schema.messages import field_error
from demijohn.schema.rules import refuse_misplaced, rules_of
from demijohn.schema.scalars import SCALARS, enum_scalar, literal_scalar
from demijohn.schema.shapes import (
    AnyShape,
    CustomShape,
    MappingShape,
    NoneShape,
    ObjectShape,
    ScalarShape,
    SequenceShape,
    Shape,
    TupleShape,
    UnionShape,
)

__all__ = ["build"]

_SEQUENCES: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_NOT_NATIVE_SEQUENCES: dict[Any, Callable[[list[Any]], Any]] = {deque: deque, collections.abc.Iterable: list}


def build(annotation: Any) -> Shape:
    """Return the shape of a type (Any: annotations are of many types).

    Raises:
        ConfigurationError: DJN-010 for a constraint that stands on the wrong type, DJN-011 for an annotation that
            cannot be read, DJN-012 for a type that nobody knows to read.
    """
    return _Builder().build(annotation)


class _Builder:
    def __init__(self) -> None:
        self.known: dict[Any, Shape] = {}

    def build(self, annotation: Any) -> Shape:
        metadata: tuple[Any, ...] = ()
        while True:
            annotation = plain(annotation)
            annotation, more = split(annotation)
            metadata = (*more, *metadata)
            if plain(annotation) is annotation and not hasattr(annotation, "__metadata__"):
                break
        shape = self._base(annotation)
        if not metadata:
            return shape
        field = Field.read(metadata)
        held = not any(isinstance(item, Field) or type(item).__module__ == "annotated_types" for item in metadata)
        refuse_misplaced(field, families_of(shape), annotation)
        return constrain(shape, field, held=held)

    def _base(self, tp: Any) -> Shape:
        if tp is Any or tp is object:
            return AnyShape()
        if tp is None or tp is type(None):
            return NoneShape()
        if isinstance(tp, TypeVar):
            return self.build(tp.__bound__ or Any)
        origin = get_origin(tp)
        if origin is Literal:
            return ScalarShape(literal_scalar(tp, get_args(tp)))
        if origin is Union or origin is types.UnionType:
            return self._union(tp)
        bare = origin or tp
        shape = self._collection(tp, bare)
        if shape is not None:
            return shape
        if tp in SCALARS:
            return ScalarShape(SCALARS[tp])
        decode = find_decoder(tp)
        if decode is not None:
            return CustomShape(bare, decode)
        if isinstance(tp, type) and issubclass(tp, Enum):
            return ScalarShape(enum_scalar(tp))
        kind = kind_of(bare)
        if kind == "pydantic":
            return PydanticShape(tp, lambda: _wants(tp))
        if kind is not None:
            return self._class(tp, bare, kind)
        if isinstance(tp, type) and issubclass(tp, (str, int, float)) and tp is not bool:
            return CustomShape(tp, _subclass_decoder(tp))
        if tp is msgspec.Raw:
            return AnyShape()
        raise unreadable(tp)

    def _union(self, tp: Any) -> Shape:
        members = [self.build(member) for member in get_args(tp) if member is not msgspec.UnsetType]
        if len(members) == 1:
            return members[0]
        return UnionShape(tuple(members))

    def _collection(self, tp: Any, bare: Any) -> Shape | None:
        arguments = get_args(tp)
        if bare is tuple:
            if not arguments and get_origin(tp) is None:
                return SequenceShape(AnyShape(), tuple)
            if len(arguments) == 2 and arguments[1] is Ellipsis:
                return SequenceShape(self.build(arguments[0]), tuple)
            return TupleShape(tuple(self.build(argument) for argument in arguments))
        make = _NOT_NATIVE_SEQUENCES.get(bare) or _SEQUENCES.get(bare)
        if make is not None:
            shape = SequenceShape(self.build(arguments[0]) if arguments else AnyShape(), make)
            shape.native = bare not in _NOT_NATIVE_SEQUENCES
            return shape
        if bare in _MAPPINGS:
            key, item = arguments or (Any, Any)
            return MappingShape(self.build(key), self.build(item))
        return None

    def _class(self, tp: Any, bare: Any, kind: str) -> Shape:
        if tp in self.known:
            return self.known[tp]
        shape = ObjectShape(bare, kind)
        self.known[tp] = shape
        shape.members = tuple((member, self.build(member.annotation)) for member in members_of(tp))
        return shape


def families_of(shape: Shape) -> set[str]:
    """Return the families of types that a description on this shape may be about."""
    if isinstance(shape, UnionShape):
        return set().union(*(families_of(member) for member in shape.members))
    return {shape.family}


def constrain(shape: Shape, field: Field, *, held: bool) -> Shape:
    """Lay the constraints of a description over a shape, where each makes sense."""
    if isinstance(shape, UnionShape):
        found = UnionShape(tuple(constrain(member, field, held=held) for member in shape.members))
        found.nullable = shape.nullable
        found.expected = shape.expected
        return found
    if isinstance(shape, SequenceShape) and field.choices is not None:
        # What may be chosen is said of the list, and meant of each of its items.
        item = constrain(shape.item, Field(choices=field.choices), held=held)
        several = SequenceShape(item, shape.make)
        several.rules, several.checked, several.native = shape.rules, shape.checked, shape.native
        shape = several
    rules = rules_of(field, shape.family)
    return shape.constrained(rules, held=held) if rules else shape


def _wants(tp: Any) -> dict[str, tuple[bool, bool]]:
    """Return for each name of a pydantic class whether it takes a list, and whether a blank means nothing."""
    wants: dict[str, tuple[bool, bool]] = {}
    for member in members_of(tp):
        try:
            shape = build(member.annotation)
        except ConfigurationError:  # a type that only pydantic knows
            wants[member.wire] = wants[member.name] = (False, False)
        else:
            wants[member.wire] = wants[member.name] = (shape.many, shape.blank)
    return wants


def _subclass_decoder(tp: Any) -> Callable[[Any], Any]:
    base = next(base for base in (str, int, float) if issubclass(tp, base))
    scalar = SCALARS[base]

    def decode(value: Any) -> Any:
        try:
            return tp(scalar.from_json(value))
        except TypeError:
            if isinstance(value, str):
                return tp(scalar.from_text(value))
            raise ValueError(field_error((), "type", expected=scalar.expected).message) from None

    return decode


def unreadable(tp: Any) -> ConfigurationError:
    """Return the error for a type that nobody knows to read (DJN-012)."""
    name = getattr(tp, "__qualname__", None) or repr(tp)
    where = f" at {place_of(tp)}" if isinstance(tp, type) and tp.__module__ != "builtins" else ""
    return ConfigurationError(
        f"The type {name}{where} cannot be read from JSON or text.",
        why="It is not a Struct, dataclass, TypedDict, attrs or pydantic class, nor a type with a decoder.",
        fix=f"Say how it is read:  register_decoder({name}, lambda value: {name}(value))",
        code="DJN-012",
    )
