"""The codes of field errors and the sentence for each."""

from typing import Any

from demijohn._lib.translation import gettext
from demijohn._lib.translation import gettext_noop as _
from demijohn.errors import FieldError

__all__ = ["MESSAGES", "field_error"]

MESSAGES: dict[str, str] = {
    "missing": _("This field is required."),
    "unknown": _("This field is not known here."),
    "type": _("Expected {expected}."),
    "format": _("This is not {expected}."),
    "choice": _("Choose one of {choices}."),
    "min_length": _("At least {limit} {unit} needed."),
    "max_length": _("At most {limit} {unit} allowed."),
    "length": _("Exactly {limit} items needed."),
    "pattern": _("This does not have the expected form."),
    "gt": _("Must be greater than {limit}."),
    "ge": _("Must be at least {limit}."),
    "lt": _("Must be less than {limit}."),
    "le": _("Must be at most {limit}."),
    "multiple_of": _("Must be a multiple of {limit}."),
    "decimal_places": _("At most {limit} {unit} allowed."),
    "timezone": _("A UTC offset is needed, as in 2026-01-31T12:00:00Z."),
    "no_timezone": _("No UTC offset is allowed here."),
    "range": _("This number is out of range."),
    "value": _("This value is not allowed."),
}
"""Every code that the framework gives, with its sentence; placeholders are filled in after translation."""


def field_error(place: tuple[str | int, ...], code: str, /, **values: Any) -> FieldError:
    """Make the error of a code, its sentence translated and filled in.

    Takes `Any`: what stands for the placeholders.
    """
    source = MESSAGES.get(code, MESSAGES["value"])
    template = gettext(source)
    if not values:
        return FieldError(place, code, template)
    try:
        return FieldError(place, code, template.format_map(values))
    except (KeyError, ValueError, IndexError):  # a slip of a translator
        if template == source:
            raise
        return FieldError(place, code, source.format_map(values))
