"""The types that a checker sees for the errors."""

from typing import assert_type

from demijohn.errors import FieldError, ValidationFailed

assert_type(ValidationFailed([FieldError(("body", 0), "type", "Expected an integer.")]).errors, list[FieldError])
