"""`Passwords`: how passwords are judged and hashed, and the hasher that is in charge where code stands."""

from typing import Any

from demijohn.app.context import find_unit
from demijohn.auth.hashing import PasswordHasher
from demijohn.auth.rules import PasswordRules

__all__ = ["Passwords", "passwords_here"]


class Passwords:
    """The rules for new passwords, and how they are hashed.

    Args:
        rules: What a new password has to be.
        hasher: How it is hashed.

    Example:
        >>> passwords = Passwords(rules=PasswordRules(min_length=15))
    """

    def __init__(self, *, rules: PasswordRules | None = None, hasher: PasswordHasher | None = None) -> None:
        self.rules = rules or PasswordRules()
        self.hasher = hasher or PasswordHasher()


_default = Passwords()


def passwords_here() -> Passwords:
    """Return the passwords of the running app, or the defaults where nothing is running."""
    unit = find_unit()
    battery: Any = None if unit is None else unit.app.batteries.get("auth")
    found: Passwords = _default if battery is None else battery.passwords
    return found
