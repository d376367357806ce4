"""Accounts: the user model, login, permissions."""

from demijohn.auth.battery import Auth
from demijohn.auth.guards import fresh_login_required, login_required, public, requires
from demijohn.auth.hashing import PasswordHasher
from demijohn.auth.logins import (
    FreshLoginRequired,
    LoginRequired,
    authenticate,
    current_user,
    end_other_sessions,
    log_in,
    log_out,
    require_fresh_login,
)
from demijohn.auth.models import Group, User, normalize_email
from demijohn.auth.passwords import Passwords
from demijohn.auth.permissions import UnknownPermission, all_permissions, permission_for, policy
from demijohn.auth.rules import PasswordRules
from demijohn.auth.throttle import Throttle

__all__ = [
    "Auth",
    "FreshLoginRequired",
    "Group",
    "LoginRequired",
    "PasswordHasher",
    "PasswordRules",
    "Passwords",
    "Throttle",
    "UnknownPermission",
    "User",
    "all_permissions",
    "authenticate",
    "current_user",
    "end_other_sessions",
    "fresh_login_required",
    "log_in",
    "log_out",
    "login_required",
    "normalize_email",
    "permission_for",
    "policy",
    "public",
    "require_fresh_login",
    "requires",
]
