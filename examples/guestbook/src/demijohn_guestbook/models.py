"""What visitors wrote."""

from datetime import datetime

from demijohn.db import Mapped, Model, column, now


class Entry(Model):
    """One entry; it is shown once somebody approved it."""

    __tablename__ = "guestbook_entry"

    name: Mapped[str] = column(max_length=80, label="Your name")
    message: Mapped[str] = column(text=True, max_length=2000, min_length=3)
    approved: Mapped[bool] = column(default=False)
    written_at: Mapped[datetime] = column(default=now, readonly=True)

    def __str__(self) -> str:
        return f"{self.name}, {self.written_at:%Y-%m-%d}"
