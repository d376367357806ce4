"""What can go wrong with a session, for its developer; a client is never told."""

from demijohn.errors import ConfigurationError, DemijohnError

__all__ = ["SessionDataMistake", "SessionError", "SessionTooLarge", "SessionTooLate"]


class SessionError(DemijohnError):
    """Something is wrong with what was put into a session, or with how it was used."""

    code = "DJN-721"


class SessionTooLarge(SessionError):
    """A session that does not fit into a cookie."""

    code = "DJN-720"


class SessionTooLate(SessionError):
    """A session was changed when its response had been sent."""

    code = "DJN-724"


class SessionDataMistake(ConfigurationError):
    """A typed session is declared in a way that cannot work."""

    code = "DJN-725"
