"""The codes of field errors and the sentence for each."""

from collections.abc import Callable
from typing import Any

from demijohn.errors import FieldError

__all__ = ["MESSAGES", "field_error", "set_translator"]

MESSAGES: dict[str, str] = {
    "missing": "This field is required.",
    "unknown": "This field is not known here.",
    "type": "Expected {expected}.",
    "format": "This is not {expected}.",
    "choice": "Choose one of {choices}.",
    "min_length": "At least {limit} {unit} needed.",
    "max_length": "At most {limit} {unit} allowed.",
    "length": "Exactly {limit} items needed.",
    "pattern": "This does not have the expected form.",
    "gt": "Must be greater than {limit}.",
    "ge": "Must be at least {limit}.",
    "lt": "Must be less than {limit}.",
    "le": "Must be at most {limit}.",
    "multiple_of": "Must be a multiple of {limit}.",
    "timezone": "A UTC offset is needed, as in 2026-01-31T12:00:00Z.",
    "no_timezone": "No UTC offset is allowed here.",
    "range": "This number is out of range.",
    "value": "This value is not allowed.",
}
"""Every code that the framework gives, with its sentence; placeholders are filled in after translation."""


def _untranslated(template: str) -> str:
    return template


_translate: Callable[[str], str] = _untranslated


def set_translator(translate: Callable[[str], str] | None) -> None:
    """Have the templates of `MESSAGES` translated before they are filled in.

    `None` goes back to English.
    The function runs while an error is made, so it may look up the language of the present request.
    """
    global _translate
    _translate = translate or _untranslated


def field_error(place: tuple[str | int, ...], code: str, /, **values: Any) -> FieldError:
    """Make the error of a code, its sentence translated and filled in.

    Takes `Any`: what stands for the placeholders.
    """
    template = _translate(MESSAGES.get(code, MESSAGES["value"]))
    return FieldError(place, code, template.format_map(values) if values else template)
