"""`Mailbox`: messages in a list, for tests and for the page of development."""

from collections.abc import Sequence

from demijohn.mail.message import Message

__all__ = ["Mailbox"]


class Mailbox(list[Message]):
    """A backend that keeps messages in memory: it is a list of them, the newest last.

    Args:
        most: How many are kept.

    Example:
        ```python notest
        def test_invitation(client, mailbox):
            client.post("/invite?email=ann@example.org")
            assert mailbox[-1].to == "ann@example.org"
        ```
    """

    is_immediate = True

    def __init__(self, *, most: int = 1000) -> None:
        super().__init__()
        self.most = most

    async def send(self, messages: Sequence[Message], /) -> list[Exception | None]:
        """Keep messages."""
        self.extend(messages)
        del self[: -self.most]
        return [None] * len(messages)

    def is_temporary(self, failure: Exception, /) -> bool:
        """A list does not get better."""
        return False

    def sent_to(self, address: str) -> list[Message]:
        """Return the messages that an address got."""
        return [message for message in self if address in message.recipients]
