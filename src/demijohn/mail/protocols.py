"""What a backend of mail is."""

from collections.abc import Sequence
from typing import Protocol

from demijohn.mail.message import Message

__all__ = ["MailBackend"]


class MailBackend(Protocol):
    """Takes messages away.

    A backend whose messages are there at once (memory, console) sets `is_immediate = True`.
    """

    @property
    def is_immediate(self) -> bool:
        """Whether sending neither waits nor fails, so that no queue is needed before it."""
        ...

    async def send(self, messages: Sequence[Message], /) -> list[Exception | None]:
        """Send complete messages, with a sender each, and return what became of each: None, or why it failed."""
        ...

    def is_temporary(self, failure: Exception, /) -> bool:
        """Tell whether a message that failed so may be sent again later."""
        ...
