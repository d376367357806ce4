"""The backend that writes a file for each message."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

from demijohn.mail.message import Message

__all__ = ["MailFolder"]


class MailFolder:
    """Writes messages into a folder, one `.eml` file each, as mail programs open them.

    Args:
        path: The folder; it is made where it is missing.
    """

    is_immediate = False

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._count = 0

    async def send(self, messages: Sequence[Message], /) -> list[Exception | None]:
        """Write messages."""
        return await asyncio.to_thread(self._write, messages)

    def is_temporary(self, failure: Exception, /) -> bool:
        """A full disk may be emptied."""
        return isinstance(failure, OSError)

    def _write(self, messages: Sequence[Message]) -> list[Exception | None]:
        verdicts: list[Exception | None] = []
        for message in messages:
            self._count += 1
            name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{self._count:06}"
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                # Mails hold links that let people in: nobody else reads them.
                half = os.open(self.path / f".{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with open(half, "wb") as file:
                    file.write(message.as_email().as_bytes())
                (self.path / f".{name}").rename(self.path / f"{name}.eml")
            except Exception as failure:
                verdicts.append(failure)
            else:
                verdicts.append(None)
        return verdicts
