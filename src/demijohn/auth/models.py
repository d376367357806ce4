"""`User`, the base of the project's own model, and `Group`."""

import secrets
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy.orm import validates

from demijohn._lib.translation import gettext_lazy as _
from demijohn.auth.passwords import passwords_here
from demijohn.auth.permissions import permissions_here
from demijohn.db import Mapped, Model, column, many_to_many, now

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Group", "User", "new_stamp", "normalize_email"]


def normalize_email(email: str) -> str:
    """Return an e-mail address in the one form that is stored and compared.

    Example:
        >>> normalize_email(" Ann@Example.ORG ")
        'ann@example.org'
    """
    return unicodedata.normalize("NFKC", email).strip().lower()


def new_stamp() -> str:
    """Return a new stamp; sessions that hold another one have ended."""
    return secrets.token_hex(16)


class _Holder:
    """What holds permissions: a user, a group."""

    if TYPE_CHECKING:
        permissions: Any

    def grant(self, *permissions: str) -> None:
        """Add permissions; they are written with the object.

        Raises:
            UnknownPermission: Nothing has a permission of that name.
        """
        known = permissions_here(self if isinstance(self, User) else None)
        for name in permissions:
            known.check(name)
        self.permissions = sorted({*self.permissions, *permissions})

    def revoke(self, *permissions: str) -> None:
        """Take permissions away; one that is not held is no mistake."""
        self.permissions = [name for name in self.permissions if name not in permissions]


class Group(_Holder, Model):
    """A named set of permissions; whoever is in it has them.

    Example:
        editors = await Group.create(name="Editors", permissions=["post.edit", "post.add"])
    """

    __tablename__ = "auth_group"
    __label__ = _("group")
    __label_plural__ = _("groups")
    __order_by__ = "name"

    name: Mapped[str] = column(max_length=150, min_length=1, unique=True, label=_("Name"))
    permissions: Mapped[list[str]] = column(default=list, label=_("Permissions"))

    def __str__(self) -> str:
        return self.name


class User(_Holder, Model):
    """The base of a project's user model: e-mail login, groups and permissions.

    The project's class adds what it needs; its table is the project's own.

    Class attributes:
        __permissions__: Actions beside `view add edit delete`, as on every model.

    Example:
        class User(BaseUser):
            display_name: Mapped[str] = column(max_length=60)
    """

    __abstract__ = True
    __permissions__: ClassVar[tuple[str, ...]] = ()

    email: Mapped[str] = column(max_length=254, unique=True, format="email", label=_("E-mail address"))
    password_hash: Mapped[str] = column(max_length=255, default="", private=True, readonly=True)
    session_stamp: Mapped[str] = column(max_length=32, default=new_stamp, private=True, readonly=True)
    is_active: Mapped[bool] = column(default=True, label=_("Active"), help=_("Off: no login, and no session goes on."))
    is_staff: Mapped[bool] = column(default=False, label=_("Staff"), help=_("May enter the admin."))
    is_superuser: Mapped[bool] = column(default=False, label=_("Superuser"), help=_("Has every permission."))
    email_verified_at: Mapped[datetime | None] = column(default=None, readonly=True, label=_("E-mail verified"))
    created_at: Mapped[datetime] = column(default=now, readonly=True, label=_("Joined"))
    last_login_at: Mapped[datetime | None] = column(default=None, readonly=True, label=_("Last login"))
    permissions: Mapped[list[str]] = column(default=list, label=_("Permissions"), help=_("Beside those of the groups."))
    groups: Mapped[list[Group]] = many_to_many(label=_("Groups"))

    def __str__(self) -> str:
        return self.email

    @validates("email")
    def _normalize(self, key: str, value: Any) -> Any:
        return normalize_email(value) if isinstance(value, str) else value

    # -- finding -------------------------------------------------------------------------------------------------------

    @classmethod
    async def find_by_email(cls, email: str) -> "Self | None":
        """Return the user with this e-mail address, in any case, or None."""
        wanted = normalize_email(email)
        found = await cls.where(email=wanted).first()
        # A server that compares without accents may have found another one's address.
        return found if found is not None and found.email == wanted else None

    # -- passwords -----------------------------------------------------------------------------------------------------

    @classmethod
    async def create_user(cls, *, email: str, password: str, verified: bool = True, **values: Any) -> "Self":
        """Make a user with a password, and write it.

        Args:
            email: The e-mail address.
            password: The password, which no rule is asked about: code knows what it does.
            verified: Whether the address counts as theirs.
            values: The other fields (Any: of their types).

        Raises:
            ValidationFailed: A constraint of a field does not hold.
            UniqueViolation: The address is taken.
        """
        user = cls(email=email, email_verified_at=now() if verified else None, **values)
        await user.set_password(password)
        return await user.save()

    async def set_password(self, password: str) -> None:
        """Set a new password, which ends all sessions; it is written by `save`."""
        self.set_password_hash(await passwords_here().hasher.hash(password))

    def set_password_hash(self, password_hash: str) -> None:
        """Set the hash of a new password, which ends all sessions; written by `save`.

        For a password that was hashed before the row was locked, or somewhere else.
        """
        self.password_hash = password_hash
        self.session_stamp = new_stamp()

    @property
    def has_password(self) -> bool:
        """Return whether they have a password; who comes in another way may have none."""
        return not self.password_hash.startswith("!") and self.password_hash != ""  # "!" is Django's sign for none

    async def check_password(self, password: str) -> bool:
        """Return whether it is their password; who has none has no right one."""
        good, better = await passwords_here().hasher.verify(password, self.password_hash)
        if better is not None:
            self.password_hash = better
        return good

    # -- permissions ---------------------------------------------------------------------------------------------------

    @property
    def is_verified(self) -> bool:
        """Return whether the e-mail address was shown to be theirs."""
        return self.email_verified_at is not None

    @property
    def all_permissions(self) -> frozenset[str]:
        """Return the names of what they and their groups hold."""
        return frozenset(self.permissions).union(*(group.permissions for group in self.groups))

    def can(self, permission: str, obj: object = None) -> bool:
        """Return whether they may do something: in general, or to one object.

        A superuser may do everything, one who is not active nothing. Where an object is given and a policy is
        registered for the permission, the policy decides; otherwise what they and their groups hold.

        Args:
            permission: Its name: `"post.edit"`.
            obj: What it is to be done to.

        Raises:
            UnknownPermission: Nothing has a permission of that name.

        Example:
            if user.can("post.edit", post): ...
        """
        known = permissions_here(self)
        known.check(permission)
        if not self.is_active:
            return False
        if self.is_superuser:
            return True
        if obj is not None:
            policy = known.find_policy(permission, self)
            if policy is not None:
                return bool(policy(self, obj))
        return permission in self.all_permissions
