"""The options of models that come with the framework: users, groups, and what was done."""

from collections.abc import Sequence
from typing import Any, ClassVar

from demijohn._lib.translation import gettext as _
from demijohn._lib.translation import gettext_lazy
from demijohn.admin.models import LogEntry
from demijohn.admin.naming import key_of
from demijohn.admin.options import Columnlike, ModelAdmin, display
from demijohn.admin.showing import default_fields
from demijohn.auth import Group, User, all_permissions
from demijohn.db import Model

__all__ = ["GroupAdmin", "LogAdmin", "UserAdmin", "options_for"]

_RIGHTS = ("is_staff", "is_superuser", "groups", "permissions")


class LogAdmin(ModelAdmin):
    """What was done in the admin.

    To be read by those who may see it, and changed by nobody.
    """

    section = gettext_lazy("Accounts")
    list_display: ClassVar[Sequence[Columnlike]] = ("at", "user_label", "done", "model", "object_label")
    list_filter = ("action", "at")
    search_fields: ClassVar[Sequence[Columnlike] | None] = ("user_label", "object_label", "=object_key")
    date_hierarchy = "at"

    @display(label=gettext_lazy("Action"), ordering="action")
    def done(self, entry: LogEntry) -> str:
        """Return what was done, in words."""
        words = {"add": _("Added"), "change": _("Changed"), "delete": _("Deleted")}
        return words.get(entry.action, entry.action)

    def has_add_permission(self, user: Any, obj: Any = None) -> bool:
        """Nobody adds an entry by hand."""
        return False

    def has_change_permission(self, user: Any, obj: Any = None) -> bool:
        """Nobody changes what was done."""
        return False

    def has_delete_permission(self, user: Any, obj: Any = None) -> bool:
        """Nobody removes a trace."""
        return False


def _is_superuser(user: Any) -> bool:
    return bool(getattr(user, "is_superuser", False))


class GroupAdmin(ModelAdmin):
    """Groups and what they may; only superusers give rights away."""

    section = gettext_lazy("Accounts")
    list_display: ClassVar[Sequence[Columnlike]] = ("name", "rights")

    @display(label=gettext_lazy("Permissions"))
    def rights(self, group: Group) -> int:
        """Return how many permissions a group has."""
        return len(group.permissions)

    def readonly_for(self, user: Any, obj: Any = None) -> Sequence[Columnlike]:
        """Return what this user may not set (Any: of any class).

        Those are rights, unless they have all.
        """
        more = () if _is_superuser(user) else ("permissions",)
        return (*super().readonly_for(user, obj), *more)

    def choices_for(self, name: str) -> Sequence[str] | None:
        """Return the names of all permissions."""
        return all_permissions() if name == "permissions" else None


class UserAdmin(ModelAdmin):
    """Users, and a page for a new password.

    Only superusers give rights away.

    Options of a user model that is registered with a plain `ModelAdmin` come on top of these.
    """

    section = gettext_lazy("Accounts")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "last_login_at")
    after_adding = "password/"

    @property
    def noun(self) -> str:
        """Return what a user is called; a class by another name is called by that."""
        named = self.label or self.model.__name__ != "User" or hasattr(self.model, "__label__")
        return super().noun if named else _("user")

    @property
    def nouns(self) -> str:
        """Return what users are called."""
        named = self.label_plural or self.label or self.model.__name__ != "User" or hasattr(self.model, "__label__")
        return super().nouns if named else _("users")

    def fieldsets_for(self, user: Any, obj: Any = None) -> Any:
        """Return the groups of fields.

        Who they are, what they may, when they came (Any: as `fieldsets` has them).
        """
        if self.fieldsets is not None or self.fields is not None:
            return super().fieldsets_for(user, obj)
        names = default_fields(self)
        times = [name for name in names if name.endswith("_at")]
        rights = [name for name in ("is_active", *_RIGHTS) if name in names]
        own = [name for name in names if name not in {*times, *rights}]
        return [
            (None, {"fields": own}),
            (_("Rights"), {"fields": [tuple(rights[:3]), *rights[3:]]}),
            (_("Times"), {"fields": [tuple(times)], "collapse": True}),
        ]

    def has_change_permission(self, user: Any, obj: Any = None) -> bool:
        """Nobody but superusers changes a superuser (Any: of any class)."""
        if obj is not None and obj.is_superuser and not _is_superuser(user):
            return False
        return super().has_change_permission(user, obj)

    def has_delete_permission(self, user: Any, obj: Any = None) -> bool:
        """Nobody but superusers deletes a superuser.

        And nobody themselves (Any: of any class).
        """
        if obj is not None and obj.is_superuser and not _is_superuser(user):
            return False
        if obj is not None and type(obj) is type(user) and key_of(obj) == key_of(user):
            return False
        return super().has_delete_permission(user, obj)

    def readonly_for(self, user: Any, obj: Any = None) -> Sequence[Columnlike]:
        """Return what this user may not set (Any: of any class).

        Those are rights, unless they have all.
        """
        more: tuple[str, ...] = () if _is_superuser(user) else _RIGHTS
        if obj is not None and not self.may_take_over(user, obj):
            more = (*more, "email")  # a link to a new password goes there
        return (*super().readonly_for(user, obj), *more)

    def choices_for(self, name: str) -> Sequence[str] | None:
        """Return the names of all permissions."""
        return all_permissions() if name == "permissions" else None

    def object_pages(self, obj: Any, user: Any) -> Sequence[tuple[str, str]]:
        """Return the tab for a new password (Any: of any class)."""
        may = self.has_change_permission(user, obj) and self.may_take_over(user, obj)
        return [(_("Password"), "password/")] if may else []

    def may_take_over(self, user: Any, obj: Any) -> bool:
        """Return whether a user may set the password and address of another one.

        Whoever sets them has all that the other one may (Any: of any class).
        """
        if _is_superuser(user):
            return True
        if obj.is_superuser:
            return False
        held: frozenset[str] = getattr(user, "all_permissions", frozenset())
        return bool(obj.all_permissions <= held)


def options_for(model: type[Model], given: type[ModelAdmin] | None) -> type[ModelAdmin]:
    """Return the options of a model: those that were registered, over those that its kind needs."""
    kind: type[ModelAdmin] = ModelAdmin
    if issubclass(model, LogEntry):
        kind = LogAdmin
    elif issubclass(model, User):
        kind = UserAdmin
    elif issubclass(model, Group):
        kind = GroupAdmin
    if given is None or issubclass(given, kind):
        return given or kind
    return type(given.__name__, (given, kind), {"__module__": given.__module__, "__doc__": given.__doc__})
