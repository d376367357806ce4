"""What can be wrong with a message, and with the way it is sent."""

from demijohn.errors import DemijohnError

__all__ = ["InvalidMessage", "MailUnavailable"]


class InvalidMessage(DemijohnError, ValueError):
    """A message that cannot be written: an address, a header or a file that is none."""

    code = "DJN-990"


class MailUnavailable(DemijohnError):
    """There is no way to send mail from here."""

    code = "DJN-991"
