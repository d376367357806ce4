"""`Accounts`: who may, by the accounts of `demijohn.auth`."""

from typing import Any

from demijohn.app import url_for
from demijohn.http import Request

__all__ = ["Accounts"]


class Accounts:
    """Lets staff and superusers in who are active; asks `user.can` for everything else.

    Users are `Any`: of the project's model.
    """

    async def user(self, request: Request) -> Any:
        """Return who is logged in, or None."""
        model = request.app.batteries["auth"].model
        return await request.app.scope_of(request).get(model | None)

    def may_enter(self, user: Any) -> bool:
        """Return whether a user is active, and staff or a superuser."""
        return bool(user.is_active and (user.is_staff or user.is_superuser))

    def may(self, user: Any, permission: str, *, obj: Any = None) -> bool:
        """Return whether a user has a permission, for an object where one is given."""
        return bool(user.can(permission, obj))

    def logout_url(self, request: Request) -> str:
        """Return where a post logs out, or an empty text where the app has pages of its own."""
        return "" if request.app.batteries["auth"].prefix is None else url_for("auth.logout")

    def login_url(self, request: Request) -> str:
        """Return the login page, which leads back to the page that was asked for."""
        path = f"{request.root_path}{request.path}" if request.method in ("GET", "HEAD") else ""
        if path and request.query_string:
            path += f"?{request.query_string.decode('latin-1')}"
        return str(request.app.batteries["auth"].login_url(path))
