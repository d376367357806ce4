"""What a developer can do wrong with forms, told in three beats."""

from demijohn.errors import ConfigurationError, DemijohnError

__all__ = ["FormError", "FormMistake"]


class FormMistake(ConfigurationError):
    """A form that cannot be made as it was declared; found at start-up."""

    code = "DJN-900"


class FormError(DemijohnError):
    """A form was used in a way that has no meaning."""

    code = "DJN-905"
