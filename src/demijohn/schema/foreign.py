"""pydantic models and dataclasses, through the validator that each class brings along."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_origin

from demijohn._lib.sentinels import MISSING
from demijohn.errors import FieldError
from demijohn.schema.shapes import FAILED, Shape, Walk, fetch, is_blank, unfold

__all__ = ["PydanticShape", "translate"]

# pydantic's words for what went wrong, and ours.
_CODES = {
    "missing": "missing",
    "missing_argument": "missing",
    "extra_forbidden": "unknown",
    "string_too_short": "min_length",
    "too_short": "min_length",
    "bytes_too_short": "min_length",
    "string_too_long": "max_length",
    "too_long": "max_length",
    "bytes_too_long": "max_length",
    "string_pattern_mismatch": "pattern",
    "greater_than": "gt",
    "greater_than_equal": "ge",
    "less_than": "lt",
    "less_than_equal": "le",
    "multiple_of": "multiple_of",
    "decimal_max_places": "decimal_places",
    "enum": "choice",
    "literal_error": "choice",
    "union_tag_invalid": "choice",
    "union_tag_not_found": "missing",
    "timezone_aware": "timezone",
    "timezone_naive": "no_timezone",
    "finite_number": "range",
    "value_error": "value",
    "assertion_error": "value",
}
_FORMATS = ("_parsing", "_from_date_parsing", "url_", "uuid_", "datetime_", "date_", "time_", "bytes_invalid", "ip_")


def translate(error: Any, place: tuple[str | int, ...] = ()) -> Iterable[FieldError]:
    """Turn pydantic's `ValidationError` into our errors (Any: pydantic is not imported here)."""
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        kind: str = item["type"]
        code = _CODES.get(kind)
        if code is None:
            code = "format" if kind.endswith(_FORMATS[0]) or kind.startswith(_FORMATS[2:]) else "type"
            if kind in ("int_parsing", "float_parsing", "bool_parsing") or kind.endswith("_type"):
                code = "type"
        message: str = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        where = tuple(step if isinstance(step, str | int) else str(step) for step in item["loc"])
        yield FieldError((*place, *where), code, message if message.endswith((".", "!", "?")) else f"{message}.")


def is_validation_error(error: BaseException) -> bool:
    """Return whether an exception is pydantic's, by its shape."""
    return type(error).__module__.startswith("pydantic") and hasattr(error, "errors")


class PydanticShape(Shape):
    """A pydantic model or dataclass: validated by itself, with all its errors."""

    expected = "an object"
    blank = False
    nested = True

    def __init__(self, tp: Any, describe: Callable[[], dict[str, tuple[bool, bool]]]) -> None:
        self.tp = tp
        self._describe = describe
        self._wants: dict[str, tuple[bool, bool]] | None = None
        self.cls = get_origin(tp) or tp
        # msgspec would read a pydantic dataclass as a plain one; a model it leaves to its hook.
        self.native = not hasattr(self.cls, "__dataclass_fields__")
        self.validate: Callable[[Any], Any] = self.cls.__pydantic_validator__.validate_python

    def takes(self, value: Any) -> bool:
        return isinstance(value, Mapping | self.cls)

    def parse(self, value: Any, place: tuple[str | int, ...], walk: Walk) -> Any:
        if walk.text and isinstance(value, Mapping):
            value = self._from_text(value)
        try:
            return self.validate(value)
        except ValueError as error:
            if not is_validation_error(error):
                raise
            for found in translate(error, place):
                walk.add(found)
            return FAILED

    def _from_text(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """Choose the last value or all of them, by what the model wants, and leave out what is blank."""
        if self._wants is None:
            self._wants = self._describe()
        found: dict[str, Any] = {}
        source = unfold(source)
        for name in source:
            many, blank = self._wants.get(name, (False, False))
            value = fetch(source, name, many=many)
            if value is not MISSING and not (blank and is_blank(value)):
                found[name] = value
        return found
