"""Credentials in the `Authorization` header (RFC 9110, section 11; RFC 7617; RFC 6750)."""

import re
from base64 import b64decode
from binascii import Error

__all__ = ["Authorization"]

_SHAPE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?: +(.*))?", re.DOTALL)


class Authorization:
    """A scheme and its credentials; they are not shown when it is printed.

    Example:
        >>> basic = Authorization.find("Basic YW5uOnNlY3JldA==")
        >>> basic.scheme, basic.username, basic.password
        ('basic', 'ann', 'secret')
    """

    __slots__ = ("credentials", "password", "scheme", "username")

    scheme: str
    """In lower case: `basic`, `bearer`, `digest`."""
    credentials: str
    """What follows the scheme."""
    username: str | None
    """Of Basic credentials that can be read."""
    password: str | None

    def __init__(self, scheme: str, credentials: str) -> None:
        self.scheme = scheme.lower()
        self.credentials = credentials
        self.username = self.password = None
        if self.scheme == "basic":
            try:
                user, colon, password = b64decode(credentials, validate=True).decode("utf-8").partition(":")
            except (Error, ValueError):
                return
            if colon:
                self.username, self.password = user, password

    @classmethod
    def find(cls, header: str) -> "Authorization | None":
        """Read the header; `None` for what has no scheme."""
        found = _SHAPE.fullmatch(header.strip())
        return None if found is None else cls(found[1], found[2] or "")

    @property
    def token(self) -> str | None:
        """The token of Bearer credentials, or `None`."""
        return self.credentials if self.scheme == "bearer" and self.credentials else None

    def __repr__(self) -> str:
        return f"<Authorization {self.scheme}>"
