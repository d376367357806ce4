"""The members of a class, whatever kind of class it is."""

import sys
import typing
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from demijohn._lib.sentinels import MISSING
from demijohn._lib.source import place_of
from demijohn.errors import ConfigurationError

__all__ = ["Member", "is_pydantic", "kind_of", "members_of", "plain"]

_WRAPPERS = (typing.Required, typing.NotRequired, typing.Final)


class Member(NamedTuple):
    """One member of a class: its names, its annotation with metadata, and its default."""

    name: str
    wire: str
    annotation: Any
    required: bool
    default: Any
    default_factory: Callable[[], Any] | None
    settable: bool = True


def kind_of(cls: Any) -> str | None:
    """Return what kind of class it is: struct, dataclass, typeddict, namedtuple, attrs or pydantic; or `None`.

    Takes `Any`: an annotation may be anything.
    """
    if not isinstance(cls, type):
        return None
    if is_pydantic(cls):
        return "pydantic"
    if issubclass(cls, msgspec.Struct):
        return "struct"
    if hasattr(cls, "__attrs_attrs__"):
        return "attrs"
    if hasattr(cls, "__dataclass_fields__"):
        return "dataclass"
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return "namedtuple"
    if typing.is_typeddict(cls) or (issubclass(cls, dict) and hasattr(cls, "__required_keys__")):
        return "typeddict"
    return None


def is_pydantic(cls: Any) -> bool:
    """Return whether a class brings pydantic's validator (pydantic itself is never imported)."""
    return "pydantic" in sys.modules and isinstance(cls, type) and hasattr(cls, "__pydantic_validator__")


def plain(annotation: Any) -> Any:
    """Resolve what only renames a type: `NewType`, `type X = ...`, `Required`, `Final`."""
    while True:
        if hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif (origin := get_origin(annotation)) is not None and type(origin).__name__ == "TypeAliasType":
            annotation = origin.__value__[get_args(annotation)]
        elif origin in _WRAPPERS or getattr(origin, "__name__", "") == "ReadOnly":
            annotation = get_args(annotation)[0]
        else:
            return annotation


def members_of(tp: Any) -> tuple[Member, ...]:
    """Return the members of a class, or of a generic class with its arguments.

    Raises:
        ConfigurationError: DJN-011, an annotation names something that cannot be found.
    """
    cls = get_origin(tp) or tp
    kind = kind_of(cls)
    hints = _hints(tp, cls)
    return tuple(_READERS[kind or ""](cls, hints))


def _hints(tp: Any, cls: type) -> dict[str, Any]:
    try:
        hints = get_type_hints(cls, include_extras=True)
    except (NameError, TypeError) as error:
        raise ConfigurationError(
            f"The annotations of {cls.__qualname__} at {place_of(cls)} cannot be read: {error}.",
            why="Every type has to be importable where the class stands, and known when it is first used.",
            fix="Import the type at the top of that module, outside of `if TYPE_CHECKING:` and of functions.",
            code="DJN-011",
        ) from None
    hints = {name: hint for name, hint in hints.items() if get_origin(hint) is not ClassVar and hint is not ClassVar}
    bound = _bindings(tp, cls)
    if not any(bound.values()):
        return hints
    owners = {name: base for base in reversed(cls.__mro__) for name in getattr(base, "__annotations__", ())}
    return {name: _substitute(hint, bound.get(owners[name], {})) for name, hint in hints.items()}


def _bindings(tp: Any, cls: type) -> dict[type, dict[Any, Any]]:
    """Return for each class above what its type variables stand for: the same `T` may differ from base to base."""
    found: dict[type, dict[Any, Any]] = {cls: dict(zip(_variables(cls), get_args(tp), strict=False))}

    def climb(base: type) -> None:
        for parent in getattr(base, "__orig_bases__", ()):
            origin = get_origin(parent)
            if origin is None or origin is Generic or origin in found:
                continue
            arguments = [_substitute(argument, found[base]) for argument in get_args(parent)]
            found[origin] = dict(zip(_variables(origin), arguments, strict=False))
            climb(origin)

    climb(cls)
    return found


def _variables(cls: Any) -> tuple[Any, ...]:
    return getattr(cls, "__parameters__", ())


def _substitute(hint: Any, bound: dict[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return bound.get(hint, hint.__bound__ or Any)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(bound.get(parameter, getattr(parameter, "__bound__", None) or Any) for parameter in parameters)]


def _struct(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    names, defaults = cls.__struct_fields__, cls.__struct_defaults__
    for index, (name, wire) in enumerate(zip(names, cls.__struct_encode_fields__, strict=True)):
        position = index - (len(names) - len(defaults))
        default = defaults[position] if position >= 0 else msgspec.NODEFAULT
        if default is msgspec.NODEFAULT:
            yield Member(name, wire, hints[name], True, MISSING, None)
        elif type(default).__module__ == "msgspec._core" and hasattr(default, "factory"):
            yield Member(name, wire, hints[name], False, MISSING, default.factory)
        else:
            yield Member(name, wire, hints[name], False, default, None)


def _dataclass(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    for field in cls.__dataclass_fields__.values():
        if field._field_type.name != "_FIELD":
            continue
        default: Any = MISSING if type(field.default).__name__ == "_MISSING_TYPE" else field.default
        factory = None if type(field.default_factory).__name__ == "_MISSING_TYPE" else field.default_factory
        required = default is MISSING and factory is None
        yield Member(field.name, field.name, hints[field.name], required, default, factory, field.init)


def _attrs(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    for field in cls.__attrs_attrs__:
        default: Any = field.default
        factory: Any = None
        if type(default).__name__ == "_Nothing":
            default = MISSING
        elif type(default).__name__ == "Factory" or type(default).__name__ == "_CountingAttr":
            # A factory that takes the instance can only be called by the class itself.
            default, factory = MISSING, (None if default.takes_self else default.factory)
            yield Member(field.name, field.name, hints.get(field.name, Any), False, MISSING, factory, field.init)
            continue
        yield Member(field.name, field.name, hints.get(field.name, Any), default is MISSING, default, None, field.init)


def _typeddict(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    for name, hint in hints.items():
        required = name in cls.__required_keys__
        origin = get_origin(hint)
        if origin is typing.Required or origin is typing.NotRequired:
            required = origin is typing.Required
        yield Member(name, name, hint, required, MISSING, None)


def _namedtuple(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    for name in cls._fields:
        default = cls._field_defaults.get(name, MISSING)
        yield Member(name, name, hints.get(name, Any), default is MISSING, default, None)


def _pydantic(cls: Any, hints: dict[str, Any]) -> Iterator[Member]:
    fields = getattr(cls, "model_fields", None) or cls.__pydantic_fields__
    for name, field in fields.items():
        default = MISSING if field.is_required() or field.default_factory is not None else field.default
        annotation: Any = field.annotation
        for item in field.metadata:
            annotation = typing.Annotated[annotation, item]
        description = _described(field)
        if description is not None:
            annotation = typing.Annotated[annotation, description]
        wire = field.validation_alias if isinstance(field.validation_alias, str) else field.alias
        yield Member(name, wire or name, annotation, field.is_required(), default, field.default_factory)


def _described(field: Any) -> Any:
    if field.title is None and field.description is None and not field.examples:
        return None
    return msgspec.Meta(title=field.title, description=field.description, examples=field.examples)


_READERS: dict[str, Callable[[Any, dict[str, Any]], Iterator[Member]]] = {
    "struct": _struct,
    "dataclass": _dataclass,
    "attrs": _attrs,
    "typeddict": _typeddict,
    "namedtuple": _namedtuple,
    "pydantic": _pydantic,
}
