"""How much a request may bring: one frozen value, given by the app, read by the parsers."""

import msgspec

__all__ = ["DEFAULT_LIMITS", "Limits"]

KiB = 1024
MiB = 1024 * KiB


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a request may bring. Sizes are bytes, times are seconds.

    The defaults suit pages, forms and JSON; a route that takes uploads asks for more
    (`msgspec.structs.replace(limits, body=100 * 1024 * 1024)`).

    Example:
        >>> Limits(body=10_000_000).body
        10000000
    """

    body: int = 5 * MiB // 2
    """The whole body, files included: 2.5 MiB. Over it the answer is 413."""
    body_time: float | None = 30.0
    """How long the body may take to arrive; `None` for no limit. Over it the answer is 408."""
    form_fields: int = 1000
    """Fields of a form that are not files."""
    field_size: int = MiB
    """One such field."""
    parts: int = 1100
    """Parts of a multipart body, fields and files together."""
    files: int = 100
    """Files of a form."""
    file_size: int = 100 * MiB
    """One file; `body` is usually reached first."""
    part_header_size: int = 4 * KiB
    """One header line of a part."""
    part_headers: int = 8
    """Headers of a part."""
    spool_size: int = MiB
    """A file is kept in memory up to this size, on disk beyond it. What all files have above 128 KiB each is bounded
    too: when that is 64 MiB, further ones go to disk."""
    query_fields: int = 1000
    """Fields of the query string."""
    json_depth: int = 200
    """Arrays and objects inside each other, in JSON that is read without a type."""
    message_size: int = MiB
    """One WebSocket message. Over it the socket is closed with 1009."""
    message_rate: tuple[int, float] | None = None
    """So many WebSocket messages in so many seconds, of each socket. Over it the socket is closed with 1008."""


DEFAULT_LIMITS = Limits()
