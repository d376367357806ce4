"""Typed sessions: a class whose fields are kept in the visitor's session."""

import re
from typing import ClassVar

import msgspec

__all__ = ["SessionData", "key_of"]

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class SessionData(msgspec.Struct, kw_only=True):
    """A part of the session with typed fields: ask for it by annotation and change it.

    Every field has a default, since a visitor comes without one. It is kept under `session_key`, the name of the
    class in lower case where that is not set; what does not fit the class any more begins anew.

    Example:
        >>> class Cart(SessionData):
        ...     items: list[int] = []
        ...     coupon: str | None = None
        >>> Cart().items
        []
    """

    __battery__: ClassVar[str] = "sessions"
    session_key: ClassVar[str] = ""


def key_of(cls: type[SessionData]) -> str:
    """Return the key under which a class is kept."""
    return cls.session_key or _WORDS.sub("_", cls.__name__).lower()
