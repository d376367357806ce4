"""A guestbook for sites on Demijohn."""

from demijohn_guestbook.battery import Guestbook
from demijohn_guestbook.models import Entry

__all__ = ["Entry", "Guestbook"]
