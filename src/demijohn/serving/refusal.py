"""Answers that the server gives by itself, before any handler is asked."""

from http import HTTPStatus

__all__ = ["Refusal", "refusal_bytes"]


class Refusal(Exception):
    """A request that is not handed on, with the status and the reason that the client is told."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


def refusal_bytes(status: int, reason: str, *, date: bytes, close: bool = True, extra: bytes = b"") -> bytes:
    """Return a whole response that says why a request was refused.

    Args:
        status: An error status.
        reason: A sentence for the client; never a part of what it sent.
        date: The line of the `Date` header, with its end.
        close: Whether the connection is closed after it.
        extra: More header lines, each with its end.
    """
    phrase = HTTPStatus(status).phrase
    body = f"{status} {phrase}\n{reason}\n".encode()
    return b"HTTP/1.1 %d %b\r\n%bcontent-type: text/plain; charset=utf-8\r\n%b%bcontent-length: %d\r\n\r\n%b" % (
        status,
        phrase.encode(),
        b"connection: close\r\n" if close else b"",
        extra,
        date,
        len(body),
        body,
    )
