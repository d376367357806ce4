"""Accounts: the user model, login, permissions."""

from demijohn.auth.battery import Auth
from demijohn.auth.guards import login_required, public, requires
from demijohn.auth.logins import LoginRequired, end_other_sessions, log_in, log_out
from demijohn.auth.models import Group, User, normalize_email
from demijohn.auth.permissions import UnknownPermission, all_permissions, permission_for, policy

__all__ = [
    "Auth",
    "Group",
    "LoginRequired",
    "UnknownPermission",
    "User",
    "all_permissions",
    "end_other_sessions",
    "log_in",
    "log_out",
    "login_required",
    "normalize_email",
    "permission_for",
    "policy",
    "public",
    "requires",
]
