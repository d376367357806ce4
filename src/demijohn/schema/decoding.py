"""From bytes or plain data to typed values, with every error at once."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, overload

import msgspec

from demijohn._lib.extras import need
from demijohn.errors import ConfigurationError, ContentTooLarge, FieldError, MalformedBody, ValidationFailed
from demijohn.schema.building import build
from demijohn.schema.checks import compile_check
from demijohn.schema.custom import on_change
from demijohn.schema.foreign import PydanticShape, is_validation_error, translate
from demijohn.schema.shapes import FAILED, CustomShape, Shape, TooManyErrors, Walk

__all__ = ["convert", "converter", "json_decoder", "msgpack_decoder", "shape_of", "yaml_decoder"]

T = TypeVar("T")
Place = tuple[str | int, ...]

_CACHE = 1024
_YAML_DEPTH = 100
# YAML takes a hundred times as long to read as JSON of the same size, and nothing else is served meanwhile.
_YAML_SIZE = 256 * 1024
_YAML_EVENTS = 20_000
_YAML_TAGS = frozenset((None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "binary", "seq", "map"))))
_YAML_WORD = 128
"""The longest plain word that may mean something else than text, such as a number."""


@lru_cache(maxsize=_CACHE, typed=True)
def _cached_shape(tp: Any) -> Shape:
    return build(tp)


def shape_of(tp: Any) -> Shape:
    """Return the shape of a type; recent ones are kept (Any: annotations vary)."""
    try:
        return _cached_shape(tp)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return build(tp)


class _Reader:
    """What is prepared once per type: its shape, msgspec's fast reader and the remaining check."""

    __slots__ = ("check", "native", "shape", "tp")

    def __init__(self, tp: Any) -> None:
        self.tp = tp
        self.shape = shape_of(tp)
        self.native = _is_native(self.shape, set()) and _msgspec_reads(tp)
        self.check = compile_check(self.shape)

    def walk(self, value: Any, place: Place, *, text: bool = False, form: bool = False) -> Any:
        """Read with every error gathered, and raise them together."""
        walk = Walk(text=text, form=form)
        try:
            found = self.shape.read(value, place, walk)
        except TooManyErrors:
            found = FAILED
        except RecursionError:
            raise MalformedBody("The data is nested too deeply.") from None
        if walk.errors:
            raise ValidationFailed(walk.errors)
        return found

    def keeps(self, value: Any) -> bool:
        """Return whether a value that msgspec has read keeps the remaining constraints."""
        check = self.check
        if check is None:
            return True
        try:
            return check(value)
        except (ValueError, TypeError, ArithmeticError, RecursionError):
            return False  # the walk finds out what it was


@lru_cache(maxsize=_CACHE, typed=True)
def _cached_reader(tp: Any) -> _Reader:
    return _Reader(tp)


def _reader(tp: Any) -> _Reader:
    try:
        return _cached_reader(tp)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return _Reader(tp)


def _forget() -> None:
    _cached_shape.cache_clear()
    _cached_reader.cache_clear()


on_change(_forget)


def _is_native(shape: Shape, seen: set[int]) -> bool:
    if id(shape) in seen:
        return True
    seen.add(id(shape))
    return shape.native and all(_is_native(part, seen) for part in shape.parts())


def _msgspec_reads(tp: Any) -> bool:
    try:
        msgspec.json.Decoder(tp, dec_hook=_read_custom)
    except TypeError as error:
        if str(error).endswith("is invalid"):
            raise ConfigurationError(
                f"msgspec refuses the type {tp!r}: {error}.",
                why="A constraint has to stand on a type that it can hold for.",
                fix="Move the `Meta` to the part of the type that it is meant for.",
                code="DJN-010",
            ) from None
        return False
    return True


def _read_custom(tp: Any, value: Any) -> Any:
    """The hook of msgspec for the types that it does not know."""
    shape = _cached_shape(tp)
    if isinstance(shape, CustomShape):
        return value if isinstance(value, shape.cls) else shape.decode(value)
    if isinstance(shape, PydanticShape):
        return shape.validate(value)
    walk = Walk(text=False)
    found = shape.read(value, (), walk)
    if walk.errors:
        raise ValueError(walk.errors[0].message)
    return found


@overload
def json_decoder(tp: type[T], *, place: Place = ()) -> Callable[[bytes], T]: ...
@overload
def json_decoder(tp: Any, *, place: Place = ()) -> Callable[[bytes], Any]: ...
def json_decoder(tp: Any, *, place: Place = ()) -> Callable[[bytes], Any]:
    """Return a function that reads JSON into a type, with every error at once.

    Prepare it once and keep it. `place` stands before the place of each error.

    Raises (the function): `ValidationFailed` with all errors; `MalformedBody` (400) for what is not JSON, not UTF-8,
    truncated, or nested too deeply.

    Raises:
        ConfigurationError: DJN-010, DJN-011 or DJN-012, the type cannot be read.

    Example:
        >>> json_decoder(list[int])(b"[1, 2]")
        [1, 2]
    """
    reader = _reader(tp)
    shape = reader.shape
    if isinstance(shape, PydanticShape) and not shape.rules:
        return _pydantic_json(shape, place)
    native = msgspec.json.Decoder(tp, dec_hook=_read_custom).decode if reader.native else None
    return _decoder(reader, native, msgspec.json.decode, "JSON", place)


@overload
def msgpack_decoder(tp: type[T], *, place: Place = ()) -> Callable[[bytes], T]: ...
@overload
def msgpack_decoder(tp: Any, *, place: Place = ()) -> Callable[[bytes], Any]: ...
def msgpack_decoder(tp: Any, *, place: Place = ()) -> Callable[[bytes], Any]:
    """Return a function that reads MessagePack; errors as in `json_decoder`."""
    reader = _reader(tp)
    native = msgspec.msgpack.Decoder(tp, dec_hook=_read_custom).decode if reader.native else None
    return _decoder(reader, native, msgspec.msgpack.decode, "MessagePack", place)


@overload
def yaml_decoder(tp: type[T], *, place: Place = ()) -> Callable[[bytes], T]: ...
@overload
def yaml_decoder(tp: Any, *, place: Place = ()) -> Callable[[bytes], Any]: ...
def yaml_decoder(tp: Any, *, place: Place = ()) -> Callable[[bytes], Any]:
    """Return a function that reads YAML into a type; errors as in `json_decoder`.

    Only plain data is read: no tags but `!!str` and `!!binary`, and no aliases, which could blow a small document up
    to any size. A document may have 256 KiB and 20,000 marks (values, and the begin and end of each list and mapping);
    a plain word over 128 characters is text, whatever it looks like.

    Raises:
        MissingExtra: PyYAML is not installed.
    """
    yaml = need("yaml", extra="yaml", wanted_for="Reading YAML")
    loader = _yaml_loader()
    reader = _reader(tp)

    def parse(data: bytes) -> Any:
        if len(data) > _YAML_SIZE:
            raise ContentTooLarge(f"A body of YAML may have {_YAML_SIZE} bytes; larger ones are sent as JSON.")
        try:
            depth = 0
            for count, event in enumerate(yaml.parse(data, Loader=loader)):
                if count > _YAML_EVENTS:
                    raise ContentTooLarge("A body of YAML may not have so many values; larger ones are sent as JSON.")
                if isinstance(event, yaml.AliasEvent):
                    raise MalformedBody("The body is not acceptable YAML: aliases are not read here.")
                if getattr(event, "tag", None) not in _YAML_TAGS:
                    # PyYAML lets a tag force a number or moment of any text, and fails in many ways.
                    raise MalformedBody("The body is not acceptable YAML: of tags, !!str and !!binary are read here.")
                if isinstance(event, yaml.CollectionStartEvent):
                    depth += 1
                    if depth > _YAML_DEPTH:
                        # libyaml's loader would end the process, by using up the stack.
                        raise MalformedBody("The body is not acceptable YAML: it is nested too deeply.")
                elif isinstance(event, yaml.CollectionEndEvent):
                    depth -= 1
            return yaml.load(data, Loader=loader)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            if isinstance(error, MalformedBody):
                raise
            raise msgspec.DecodeError(str(error).partition("\n")[0]) from None

    return _decoder(reader, None, parse, "YAML", place)


@lru_cache(maxsize=1)
def _yaml_loader() -> Any:
    """Return PyYAML's safe loader, which takes a long word for text.

    Its numbers to the base of sixty, and its patterns for numbers and moments, take time by the square of the length.
    """
    yaml = need("yaml", extra="yaml", wanted_for="Reading YAML")
    safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG

    class Loader(safe):  # type: ignore[misc]
        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
            if kind is yaml.ScalarNode and implicit[0] and len(value) > _YAML_WORD:
                return text
            return super().resolve(kind, value, implicit)

    return Loader


def _decoder(
    reader: _Reader,
    native: Callable[[bytes], Any] | None,
    parse: Callable[[bytes], Any],
    form: str,
    place: Place,
) -> Callable[[bytes], Any]:
    check = reader.check

    def slowly(data: bytes, cause: BaseException | None) -> Any:
        try:
            raw = parse(data)
        except RecursionError:
            raise MalformedBody(f"The body is not acceptable {form}: it is nested too deeply.") from None
        except UnicodeDecodeError:
            raise MalformedBody(f"The body is not valid {form}: it is not UTF-8.") from None
        except msgspec.ValidationError as error:
            raise ValidationFailed([_from_message(str(error), place, "range")]) from None
        except msgspec.DecodeError as error:
            raise MalformedBody(_malformed(str(error), form)) from None
        found = reader.walk(raw, place)
        if cause is not None and reader.native:
            raise ValidationFailed([_from_message(str(cause), place, "value")]) from None
        return found

    if native is None:

        def decode_slowly(data: bytes) -> Any:
            return slowly(data, None)

        return decode_slowly

    if check is None:

        def decode(data: bytes) -> Any:
            try:
                return native(data)
            except (ValueError, RecursionError) as error:
                cause = error
            return slowly(data, cause)

        return decode

    def decode_and_check(data: bytes) -> Any:
        try:
            value = native(data)
        except (ValueError, RecursionError) as error:
            cause: BaseException | None = error
        else:
            cause = None
            try:
                if check(value):
                    return value
            except (ValueError, TypeError, ArithmeticError, RecursionError):
                pass  # the walk finds out what it was
        return slowly(data, cause)

    return decode_and_check


_PATH = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def _from_message(message: str, place: Place, code: str) -> FieldError:
    """Read the place from the end of msgspec's message, for what only msgspec knows to refuse."""
    match = _PATH.search(message)
    steps: list[str | int] = []
    if match is not None:
        message = message[: match.start()]
        for name, index in _STEP.findall(match["path"]):
            if name or index.isdecimal():
                steps.append(name or int(index))
    message = message.replace("`", "'")
    return FieldError((*place, *steps), code, message if message.endswith((".", "!", "?")) else f"{message}.")


def _malformed(message: str, form: str) -> str:
    if "truncated" in message:
        return f"The body is not valid {form}: it ends too early."
    return f"The body is not valid {form}: {message.removeprefix('JSON is malformed: ')}."


def _pydantic_json(shape: PydanticShape, place: Place) -> Callable[[bytes], Any]:
    validate = shape.cls.__pydantic_validator__.validate_json

    def decode(data: bytes) -> Any:
        try:
            return validate(data)
        except ValueError as error:
            if not is_validation_error(error):
                raise
            failed: Any = error
        errors = failed.errors(include_url=False, include_input=False)
        if any(item["type"] == "json_invalid" for item in errors):
            raise MalformedBody(_malformed(str(errors[0]["ctx"]["error"]), "JSON"))
        raise ValidationFailed(translate(failed, place))

    return decode


@overload
def convert(value: object, tp: type[T], *, text: bool = False, place: Place = ()) -> T: ...
@overload
def convert(value: object, tp: Any, *, text: bool = False, place: Place = ()) -> Any: ...
def convert(value: object, tp: Any, *, text: bool = False, place: Place = ()) -> Any:
    """Turn plain data into a type, with every error at once.

    With `text`, strings are read as forms and queries send them: numbers are trimmed, `on`, `yes`, `true` and `1` are
    true, a blank is nothing (`None`, the default, or an error for a field that is required) except for a `str`,
    a list is made of repeated keys, and `address.city` or `items[0].name` reach inside.

    Raises:
        ValidationFailed: With all errors.
        ConfigurationError: DJN-010, DJN-011 or DJN-012, the type cannot be read.

    Example:
        >>> convert({"page": " 3"}, dict[str, int], text=True)
        {'page': 3}
    """
    return converter(tp, text=text, place=place)(value)


@overload
def converter(tp: type[T], *, text: bool = False, form: bool = False, place: Place = ()) -> Callable[[object], T]: ...
@overload
def converter(tp: Any, *, text: bool = False, form: bool = False, place: Place = ()) -> Callable[[object], Any]: ...
def converter(tp: Any, *, text: bool = False, form: bool = False, place: Place = ()) -> Callable[[object], Any]:
    """Return `convert` for one type, prepared once.

    With `form`, a `bool` that is missing is `False`, since browsers do not send a check box that was not ticked.
    """
    reader = _reader(tp)
    if text:

        def read_text(value: object) -> Any:
            shape = reader.shape
            if shape.blank and isinstance(value, str) and not value.strip():
                if shape.nullable:
                    return None
                walk = Walk(text=True)
                walk.fail(place, "missing")
                raise ValidationFailed(walk.errors)
            return reader.walk(value, place, text=True, form=form)

        return read_text

    def read(value: object) -> Any:
        if not reader.native:
            return reader.walk(value, place)
        try:
            found = msgspec.convert(value, tp, str_keys=True, dec_hook=_read_custom)
        except (ValueError, RecursionError, TypeError) as error:
            cause: BaseException | None = error
        else:
            if reader.keeps(found):
                return found
            cause = None
        found = reader.walk(value, place)
        if cause is not None:
            if not isinstance(cause, ValueError):
                raise cause
            raise ValidationFailed([_from_message(str(cause), place, "value")])
        return found

    return read
