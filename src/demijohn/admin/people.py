"""The options of models that come with the framework: what was done."""

from typing import Any

from demijohn.admin.models import LogEntry
from demijohn.admin.options import ModelAdmin
from demijohn.db import Model

__all__ = ["LogAdmin", "options_for"]


class LogAdmin(ModelAdmin):
    """What was done in the admin: to be read, by those who may see it, and changed by nobody."""

    label = "log entry"
    label_plural = "log entries"
    section = "Accounts"
    list_display = ("at", "user_label", "action", "model", "object_label")
    list_filter = ("action", "at")
    search_fields = ("user_label", "object_label", "=object_key")
    date_hierarchy = "at"

    def has_add_permission(self, user: Any, obj: Any = None) -> bool:
        """Nobody adds an entry by hand."""
        return False

    def has_change_permission(self, user: Any, obj: Any = None) -> bool:
        """Nobody changes what was done."""
        return False

    def has_delete_permission(self, user: Any, obj: Any = None) -> bool:
        """Nobody removes a trace."""
        return False


def options_for(model: type[Model]) -> type[ModelAdmin]:
    """Return the options of a model that nobody registered."""
    return LogAdmin if issubclass(model, LogEntry) else ModelAdmin
