"""Who may do what: the protocol that accounts fulfil, and the visit that asks it."""

import logging
from typing import Any, NoReturn, Protocol, runtime_checkable

from demijohn._lib.translation import gettext as _
from demijohn.admin.naming import text_key
from demijohn.errors import Forbidden
from demijohn.http import Request

__all__ = ["Access", "Visit", "logger"]

logger = logging.getLogger("demijohn.admin")


@runtime_checkable
class Access(Protocol):
    """What the admin has to know of accounts.

    `demijohn.auth` brings it; write one for accounts of your own.

    An object may have `logout_url(request)` besides: where a post logs out. Users are `Any`: whatever the accounts
    have.
    """

    async def user(self, request: Request) -> Any:
        """Return who sends a request, or None."""

    def may_enter(self, user: Any) -> bool:
        """Return whether a user comes into the admin at all."""
        raise NotImplementedError

    def may(self, user: Any, permission: str, *, obj: Any = None) -> bool:
        """Return whether a user has a permission (`post.edit`), for an object where one is given."""
        raise NotImplementedError

    def login_url(self, request: Request) -> str:
        """Return where to log in and come back from, or an empty text where there is no such page."""
        raise NotImplementedError


class Visit:
    """One request of a user: asks what they may, and refuses with a line in the log.

    Users and objects are `Any`: of any model.

    Attributes:
        base: What the address of every page begins with: where the app lives, and the admin's own prefix.
    """

    __slots__ = ("access", "base", "request", "user")

    def __init__(self, request: Request, user: Any, access: Access, *, prefix: str) -> None:
        self.request = request
        self.user = user
        self.access = access
        self.base = request.root_path + prefix

    def url(self, *parts: str) -> str:
        """Return the address of a page by the parts of its path: `visit.url("post", "3", "delete")`."""
        return "/".join((self.base, *parts, ""))

    @property
    def user_key(self) -> str:
        """What the user is kept by in a history: their key, or their name where they are no row."""
        return (text_key(self.user) if hasattr(type(self.user), "__mapper__") else str(self.user))[:100]

    def may(self, admin: Any, action: str, obj: Any = None) -> bool:
        """Return whether the user may do one of `view add change delete` to a model's objects, or to one of them."""
        if action == "view":
            return bool(admin.has_view_permission(self.user, obj) or admin.has_change_permission(self.user, obj))
        return bool(getattr(admin, f"has_{action}_permission")(self.user, obj))

    def sees(self, admin: Any, obj: Any = None) -> bool:
        """Return whether the user may see the objects of a model, or this one; others are shown by their key."""
        return self.may(admin, "view") or (obj is not None and self.may(admin, "view", obj))

    def sees_path(self, admin: Any, path: Any, *, to_key: bool = False) -> bool:
        """Return whether the user may see all objects that a path of a model goes over (Any: a `Path`).

        Args:
            admin: The options of the model where it begins.
            path: Where it goes.
            to_key: Only keys are told of a relation that it ends at, so it is enough to see what is before that.
        """
        links = path.links[:-1] if to_key and path.link is not None else path.links
        return all(self.sees(admin.site.admin_for(link.cls)) for link in links)

    def has(self, permission: str, obj: Any = None) -> bool:
        """Return whether the user has a permission by its full name."""
        return self.access.may(self.user, permission, obj=obj)

    def require(self, admin: Any, action: str, obj: Any = None) -> None:
        """Go on only if the user may.

        Raises:
            Forbidden: They may not; it is logged.
        """
        if not self.may(admin, action, obj):
            self.refuse(f"{action} {admin.name}", obj)

    def refuse(self, what: str, obj: Any = None) -> NoReturn:
        """Log what was tried and answer 403.

        Raises:
            Forbidden: Always.
        """
        of = "" if obj is None else f" ({obj!r})"
        logger.warning("Refused %r to %s: %s %s%s", what, self.user, self.request.method, self.request.path, of)
        raise Forbidden(_("Your account may not do this."))

    def note(self, what: str) -> None:
        """Log a part of a request that names what there is not."""
        logger.warning("Refused %r to %s: %s %s", what[:200], self.user, self.request.method, self.request.path)
