"""The backend that sends: SMTP by aiosmtplib."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from demijohn.app import Secret
from demijohn.mail.message import Message, addresses

__all__ = ["SMTP", "Encryption"]

Encryption: TypeAlias = Literal["starttls", "tls", "none"]


class SMTP:
    """Sends messages to a server by SMTP.

    Messages that wait together go through one connection. The certificate of the server is checked.

    Args:
        host: The server.
        port: Its port; 465 with `tls`, 587 with `starttls`, 25 without either.
        user: The name to log in with.
        password: The password to log in with.
        encryption: `"starttls"`: the connection is encrypted before anything is said, or not used; `"tls"`: it is
            from the start; `"none"`: for a server on this machine.
        timeout: How long a step may take, in seconds.
        tls_context: An `ssl.SSLContext` of your own, for a server with a certificate of your own (Any: its module is
            loaded at first use).
    """

    is_immediate = False

    def __init__(
        self,
        host: str,
        *,
        port: int | None = None,
        user: str = "",
        password: Secret | None = None,
        encryption: Encryption = "starttls",
        timeout: float = 10.0,
        tls_context: Any = None,
    ) -> None:
        self.host = host
        self.port = port or {"starttls": 587, "tls": 465, "none": 25}[encryption]
        self.user = user
        self.password = password
        self.encryption: Encryption = encryption
        self.timeout = timeout
        self.tls_context = tls_context

    def __repr__(self) -> str:
        return f"SMTP({self.host!r}, port={self.port}, encryption={self.encryption!r})"

    async def send(self, messages: Sequence[Message], /) -> list[Exception | None]:
        """Send messages through one connection."""
        import aiosmtplib

        verdicts: list[Exception | None] = []
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user or None,
            password=self.password.reveal() if self.password is not None else None,
            timeout=self.timeout,
            use_tls=self.encryption == "tls",
            start_tls=self.encryption == "starttls",
            tls_context=self.tls_context,
        )
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as failure:
            return [failure] * len(messages)
        try:
            for message in messages:
                try:
                    if not client.is_connected:
                        await client.connect()
                    await client.send_message(
                        message.as_email(), sender=_sender(message), recipients=message.recipients
                    )
                except Exception as failure:
                    verdicts.append(failure)
                else:
                    verdicts.append(None)
        finally:
            try:
                await client.quit()
            except (aiosmtplib.SMTPException, OSError):
                client.close()
        return verdicts

    def is_temporary(self, failure: Exception, /) -> bool:
        """A server that is away, or says 4xx, may take the message later."""
        import aiosmtplib

        if isinstance(failure, aiosmtplib.SMTPAuthenticationError):
            return False
        if isinstance(failure, aiosmtplib.SMTPRecipientsRefused):
            return any(400 <= refused.code < 500 for refused in failure.recipients)
        if isinstance(failure, aiosmtplib.SMTPResponseException):
            return 400 <= failure.code < 500
        return isinstance(failure, aiosmtplib.SMTPException | OSError)


def _sender(message: Message) -> str:
    return addresses(message.sender)[0].addr_spec
