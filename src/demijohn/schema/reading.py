"""The fields of a class, as everybody else wants to know them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Optional, TypeVar, get_origin

from demijohn._lib.sentinels import MISSING
from demijohn.errors import ConfigurationError
from demijohn.schema.classes import kind_of, members_of, plain
from demijohn.schema.decoding import shape_of
from demijohn.schema.field import Field, split

__all__ = ["field_of", "fields_of", "has_fields", "register_reader", "typed"]

T = TypeVar("T")

_readers: list[tuple[type, Callable[[Any], dict[str, Field]]]] = []


def register_reader(base: type[T], read: Callable[[type[T]], dict[str, Field]]) -> None:
    """Say how the fields of a family of classes are found.

    The last one registered for a class wins.
    `read` is called each time `fields_of` is, and may keep what it found.
    """
    _readers.insert(0, (base, read))


def fields_of(cls: Any) -> dict[str, Field]:
    """Return the fields of a class by name, in order, with types and defaults.

    Works for Structs, dataclasses, TypedDicts, NamedTuples, attrs and pydantic classes, generic ones too, and for
    whatever registered a reader (Any: a generic alias is no type to a checker).

    Raises:
        ConfigurationError: DJN-015, the class has no fields that can be read; DJN-011, an annotation cannot be read.

    Example:
        >>> import msgspec
        >>> from typing import Annotated
        >>> class Item(msgspec.Struct):
        ...     name: Annotated[str, Field(label="Name", max_length=40)]
        ...     price: int = 0
        >>> fields_of(Item)["price"].required
        False
    """
    read = _registered(cls)
    if read is not None:
        return read(cls)
    if kind_of(get_origin(cls) or cls) is None:
        raise ConfigurationError(
            f"{getattr(cls, '__qualname__', repr(cls))} has no fields.",
            why="Fields are read from Structs, dataclasses, TypedDicts, NamedTuples, attrs and pydantic classes.",
            fix="Make it one of them, or add a reader:  register_reader(Base, read)",
            code="DJN-015",
        )
    return dict(_fields(cls))


def has_fields(cls: Any) -> bool:
    """Return whether `fields_of` can read a class (Any: it may be any annotation)."""
    return _registered(cls) is not None or kind_of(get_origin(cls) or cls) is not None


def field_of(annotation: Any, *, name: str = "", default: Any = MISSING) -> Field:
    """Return the description of one annotation, as of a parameter.

    Takes `Any`: annotations and defaults are of many types.
    """
    metadata: tuple[Any, ...] = ()
    tp = annotation
    while True:
        tp, more = split(plain(tp))
        metadata = (*more, *metadata)
        if plain(tp) is tp:
            break
    field = Field.read(metadata)
    if default is MISSING:
        default = field.default
    return field.replace(
        name=name,
        alias=field.alias or name,
        type=tp,
        default=default,
        required=default is MISSING and field.default_factory is None,
        nullable=shape_of(tp).nullable,
    )


def typed(field: Field) -> Any:
    """Return the annotation of a field with its constraints.

    It is for decoders and converters (Any: annotations vary).
    """
    constraints = field.replace(
        name="", alias="", type=MISSING, default=MISSING, default_factory=None, required=True, nullable=False, extra={}
    )
    tp = field.type if constraints == Field() else Annotated[field.type, constraints]
    return Optional[tp] if field.nullable else tp  # noqa: UP045 - `|` does not take every annotation


def _registered(cls: Any) -> Callable[[Any], dict[str, Field]] | None:
    if isinstance(cls, type):
        for base, read in _readers:
            if issubclass(cls, base):
                return read
    return None


@lru_cache(maxsize=1024)
def _fields(cls: Any) -> tuple[tuple[str, Field], ...]:
    found = []
    for member in members_of(cls):
        field = field_of(member.annotation, name=member.name, default=member.default)
        found.append(
            (
                member.name,
                field.replace(
                    alias=member.wire,
                    required=member.required,
                    default_factory=member.default_factory or field.default_factory,
                ),
            )
        )
    return tuple(found)
