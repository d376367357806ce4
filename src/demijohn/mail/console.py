"""The backend of development: messages are printed."""

import sys
from collections.abc import Sequence
from typing import TextIO

from demijohn.mail.message import Message

__all__ = ["Console"]


class Console:
    """Prints messages instead of sending them.

    Args:
        stream: Where to; the standard error of the process otherwise.
    """

    is_immediate = True

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, messages: Sequence[Message], /) -> list[Exception | None]:
        """Print messages."""
        stream = self._stream or sys.stderr
        for message in messages:
            stream.write(printed(message))
        stream.flush()
        return [None] * len(messages)

    def is_temporary(self, failure: Exception, /) -> bool:
        """A console does not get better."""
        return False


def printed(message: Message) -> str:
    """Return a message as people read it in a terminal; control characters of the text are shown, not obeyed."""
    to = message.to if isinstance(message.to, str) else ", ".join(message.to)
    lines = [f"From: {message.sender}", f"To: {to}", f"Subject: {message.subject}"]
    lines += [f"Attached: {file.name} ({file.content_type}, {len(file.content)} bytes)" for file in message.attachments]
    lines += ["", *message.text.splitlines()]
    if message.html is not None:
        lines += ["", f"(and as HTML, {len(message.html)} characters)"]
    shown = ["".join(char if char.isprintable() else repr(char)[1:-1] for char in line) for line in lines]
    return "\n".join(["", "── mail ".ljust(72, "─"), *shown, "─" * 72, ""])
