"""`LogEntry`: one thing that somebody did in the admin."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index

from demijohn._lib.translation import gettext_lazy as _
from demijohn.db import Mapped, Model, column, now

__all__ = ["LogEntry"]


class LogEntry(Model):
    """One thing that was done: who, when, to what, and what was there before.

    It is written in the transaction of the change. Users and objects stand in it by text, so that it outlives both.
    """

    __tablename__ = "admin_log_entry"
    __label__ = _("log entry")
    __label_plural__ = _("log entries")
    __order_by__ = "-id"
    __table_args__ = (Index(None, "model", "object_key"),)

    at: Mapped[datetime] = column(default=now, readonly=True, index=True, label=_("When"))
    user_key: Mapped[str] = column(max_length=100, default="", readonly=True, index=True)
    user_label: Mapped[str] = column(max_length=200, default="", readonly=True, label=_("Who"))
    action: Mapped[str] = column(max_length=40, readonly=True, label=_("Action"))
    model: Mapped[str] = column(max_length=100, readonly=True, label=_("Model"))
    object_key: Mapped[str] = column(max_length=200, default="", readonly=True, label=_("Key"))
    object_label: Mapped[str] = column(max_length=200, default="", readonly=True, label=_("Object"))
    token: Mapped[str | None] = column(max_length=40, unique=True, private=True, readonly=True)
    changes: Mapped[dict[str, Any]] = column(default=dict, readonly=True, label=_("Changes"))

    def __str__(self) -> str:
        return f"{self.user_label}: {self.action} {self.object_label}"
