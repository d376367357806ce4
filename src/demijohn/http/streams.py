"""Responses whose body is produced while it is sent."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from demijohn.http.headers import Raw
from demijohn.http.response import Response
from demijohn.http.threads import in_stream_thread
from demijohn.types import HeadersLike

__all__ = ["StreamResponse", "as_async"]

T = TypeVar("T")

_DONE = object()


class StreamResponse(Response):
    """A response whose body is an iterator, sent piece by piece.

    Args:
        body_iterator: An async iterator (a generator, mostly), or a sync one, which is stepped in a worker thread.
            Pieces are bytes, or text that is sent as UTF-8.

    The transport iterates over `body_iterator` and awaits `aclose()` at the end, whether the client stayed or not.

    Example:
        >>> async def numbers():
        ...     for number in range(3):
        ...         yield f"{number}\\n"
        >>> response = StreamResponse(numbers(), content_type="text/plain")
    """

    __slots__ = ("_source", "body_iterator", "opening")

    body_iterator: AsyncIterator[bytes]
    opening: Callable[[], Awaitable[Any]] | None

    def __init__(
        self,
        body_iterator: AsyncIterable[bytes | str] | Iterable[bytes | str],
        status: int = 200,
        headers: HeadersLike | None = None,
        *,
        content_type: str | None = "application/octet-stream",
    ) -> None:
        super().__init__(b"", status, headers, content_type=content_type)
        self._source = body_iterator
        self.opening = None
        self.body_iterator = _pieces(as_async(body_iterator))

    def add_etag(self, *, weak: bool = False) -> None:
        """Do nothing: what will be streamed is not known yet; `set_etag` takes a version."""

    def _length_lines(self, method: str) -> Raw:
        if self.is_bodyless or not self._headers:
            return []
        return [line for line in self._headers if line[0] == b"content-length"]

    async def aclose(self) -> None:
        """End the iterator, whether it was started or not.

        The transport awaits this in every case.
        """
        close = getattr(self.body_iterator, "aclose", None)
        if close is not None:
            await close()
        # A generator that was never started closes nothing.
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()
            return
        close = getattr(self._source, "close", None)
        if close is not None:
            await in_stream_thread(close)


async def _pieces(source: AsyncIterable[bytes | str]) -> AsyncIterator[bytes]:
    try:
        async for piece in source:
            if piece:
                yield piece.encode() if isinstance(piece, str) else piece
    finally:
        # Leaving the loop early does not close what it iterates over.
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


def as_async(source: AsyncIterable[T] | Iterable[T]) -> AsyncIterator[T]:
    """Return an async iterator over anything that can be iterated over; a sync one is stepped in a worker thread."""
    return aiter(source) if isinstance(source, AsyncIterable) else _stepped(source)


async def _stepped(source: Iterable[T]) -> AsyncIterator[T]:
    iterator = iter(source)
    try:
        while True:
            piece: Any = await in_stream_thread(next, iterator, _DONE)
            if piece is _DONE:
                return
            yield piece
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            await in_stream_thread(close)
