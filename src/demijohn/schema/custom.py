"""Types that msgspec does not know: who reads them and who writes them."""

from collections.abc import Callable
from typing import Any, TypeVar, get_origin

from demijohn.errors import ConfigurationError
from demijohn.schema.classes import kind_of

__all__ = ["find_decoder", "find_encoder", "register_decoder", "register_encoder"]

T = TypeVar("T")

_decoders: dict[Any, Callable[[Any], Any]] = {}
_encoders: dict[type, Callable[[Any], Any]] = {}
_on_change: list[Callable[[], None]] = []
# Standard library types that are made from their text, by module and name, so that nothing is imported for them.
_FROM_TEXT = {
    ("ipaddress", name)
    for name in ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network", "IPv4Interface", "IPv6Interface")
} | {("zoneinfo", "ZoneInfo"), ("fractions", "Fraction")}


def register_decoder(cls: type[T], decode: Callable[[Any], T]) -> None:
    """Say how a type of yours is read from JSON data and from text.

    `decode` is given what JSON holds (a string, number, list or dict; a string from a form or query) and returns the
    value, or raises `ValueError` with the sentence for the client.

    Raises:
        ConfigurationError: DJN-013, msgspec reads this type by itself.

    Example:
        >>> class Money:
        ...     def __init__(self, text): self.amount, self.currency = text.split()
        >>> from demijohn.schema import convert
        >>> register_decoder(Money, Money)
        >>> convert("10 EUR", Money).currency
        'EUR'
    """
    _refuse_native(cls, "register_decoder")
    _decoders[cls] = decode
    for forget in _on_change:
        forget()


def register_encoder(cls: type[T], encode: Callable[[T], Any]) -> None:
    """Say how a type of yours is written: as something that JSON holds.

    It is used for subclasses too. `encode` may return anything that can be written in turn.

    Raises:
        ConfigurationError: DJN-013, msgspec writes this type by itself.

    Example:
        >>> class Celsius:
        ...     def __init__(self, degrees): self.degrees = degrees
        >>> from demijohn.schema import to_json
        >>> register_encoder(Celsius, lambda value: value.degrees)
        >>> to_json({"outside": Celsius(21)})
        b'{"outside":21}'
    """
    _refuse_native(cls, "register_encoder")
    _encoders[cls] = encode
    for forget in _on_change:
        forget()


def find_decoder(tp: Any) -> Callable[[Any], Any] | None:
    """Return the decoder of a type, or of the class of a generic alias; else `None`."""
    for candidate in (tp, get_origin(tp)):
        try:
            if candidate in _decoders:
                return _decoders[candidate]
        except TypeError:  # unhashable
            return None
    if isinstance(tp, type) and (tp.__module__.partition(".")[0], tp.__name__) in _FROM_TEXT:
        return _from_text(tp)
    return None


def find_encoder(cls: type) -> Callable[[Any], Any] | None:
    """Return the encoder of a class or of the nearest class above it; else `None`."""
    if not _encoders:
        return None
    for base in cls.__mro__:
        if base in _encoders:
            return _encoders[base]
    return None


def on_change(forget: Callable[[], None]) -> None:
    """Call a function whenever a registration may have made a cached decoder stale."""
    _on_change.append(forget)


def _from_text(tp: Any) -> Callable[[Any], Any]:
    def decode(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError("Expected a string.")
        try:
            return tp(value.strip())
        except (ValueError, LookupError, ArithmeticError, OSError):
            raise ValueError(f"This is not a valid {tp.__name__}.") from None

    return decode


def _refuse_native(cls: Any, function: str) -> None:
    native = kind_of(cls) not in (None, "pydantic") or cls in (str, int, float, bool, bytes, list, dict, tuple, set)
    if native:
        raise ConfigurationError(
            f"{function}({cls.__name__}, ...) was called.",
            why="Structs, dataclasses and builtin types are read and written by msgspec itself, not by it.",
            fix="Give the field a type of its own, or use `msgspec.field(name=...)` and `rename=` for names.",
            code="DJN-013",
        )
