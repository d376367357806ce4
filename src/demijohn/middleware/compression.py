"""Compressed bodies: zstd, brotli and gzip, by what the client can undo."""

import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from functools import cache
from typing import Any, Literal, Protocol, TypeVar

from demijohn._lib.extras import MissingExtra, need
from demijohn._lib.later import asyncio
from demijohn.errors import ConfigurationError
from demijohn.http import FileResponse, Request, Response, StreamResponse
from demijohn.middleware.exchange import exchange_of
from demijohn.middleware.marks import Next, mark

__all__ = ["Coding", "Compression", "available_codings", "compress", "uncompressed"]

F = TypeVar("F", bound=Callable[..., Any])
Coding = Literal["zstd", "br", "gzip"]

_ALL: tuple[Coding, ...] = ("zstd", "br", "gzip")
_LEVELS: dict[str, int] = {"zstd": 3, "br": 4, "gzip": 6}
_TYPES = frozenset(
    (
        "application/javascript",
        "application/json",
        "application/ld+json",
        "application/manifest+json",
        "application/problem+json",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-ndjson",
        "application/x-yaml",
        "application/xhtml+xml",
        "application/xml",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/svg+xml",
        "image/x-icon",
    )
)
_EVENTS = "text/event-stream"
_IN_THREAD = 256 * 1024
"""Bodies of this size and over are compressed in a thread; below it that costs more than it saves the loop."""


class Compressor(Protocol):
    """One body being compressed piece by piece."""

    def feed(self, piece: bytes) -> bytes:
        """Take a piece and return all that can be undone so far: nothing is held back."""
        ...

    def finish(self) -> bytes:
        """Return the end."""
        ...


class Compression:
    """Compresses bodies, where the client can undo it and it pays.

    Left as they are: bodies under `minimum`, types that are compressed already, partial content, responses with a
    `Content-Encoding` of their own or with `Cache-Control: no-transform`, files (they have pre-compressed siblings),
    and handlers marked `@uncompressed`. A stream is flushed after each piece, so that nothing waits in the compressor.

    A page that shows a secret beside text that the visitor sent can leak the secret through its compressed length
    (BREACH). CSRF tokens are masked against that; mark other such handlers `@uncompressed`.

    Args:
        codings: In the order of our taste; those that need a package that is missing are left out unless named.
        minimum: The smallest body that is compressed, in bytes.
        types: Media types beside `text/*` and the usual ones.
        levels: The effort by coding; zstd 3, brotli 4 and gzip 6.
        events: Compress server-sent events too.

    Raises:
        MissingExtra: A coding was named whose package is not installed (`DJN-001`).
        ConfigurationError: A coding is unknown (`DJN-744`).
    """

    __slots__ = ("_codings", "_events", "_levels", "_minimum", "_types")

    def __init__(
        self,
        *,
        codings: Iterable[Coding] | None = None,
        minimum: int = 1024,
        types: Iterable[str] = (),
        levels: dict[Coding, int] | None = None,
        events: bool = False,
    ) -> None:
        self._codings = available_codings() if codings is None else tuple(codings)
        for coding in self._codings:
            if coding not in _ALL:
                raise ConfigurationError(
                    f"Compression was told the coding {coding!r}.",
                    why="Browsers undo zstd, br and gzip.",
                    fix='Write:  Compression(codings=["br", "gzip"])',
                    code="DJN-744",
                )
            _module(coding)
        self._minimum = minimum
        self._types = _TYPES | {item.lower() for item in types}
        self._levels = _LEVELS | dict(levels or {})
        self._events = events

    async def __call__(self, request: Request, next: Next) -> Response:  # noqa: A002 - the field's term
        """Await the response and compress its body."""
        response = await next(request)
        if not self._fits(request, response):
            return response
        headers = response.headers
        headers.add_vary("Accept-Encoding")
        if request.method == "HEAD" or response.status == 304:
            return response
        coding = request.accept_encodings.best_match((*self._codings, "identity"))
        if coding is None or coding == "identity":
            return response
        if isinstance(response, StreamResponse):
            response.body_iterator = _compressed(response.body_iterator, self._compressor(coding))
        elif len(response.body) >= _IN_THREAD:
            response.body = await asyncio.to_thread(self._whole, coding, response.body)
        else:
            response.body = self._whole(coding, response.body)
        for name in ("content-length", "accept-ranges", "content-md5", "digest", "content-digest"):
            if name in headers:
                del headers[name]
        headers["content-encoding"] = coding
        etag = headers.get("etag")
        if etag is not None and not etag.startswith("W/"):
            headers["etag"] = f"W/{etag}"
        return response

    def _fits(self, request: Request, response: Response) -> bool:
        status = response.status
        if status in (204, 206, 416) or (status != 304 and not self._takes(response.content_type)):
            return False
        if isinstance(response, FileResponse):
            return False
        whole = not isinstance(response, StreamResponse) and request.method != "HEAD" and status != 304
        if whole and len(response.body) < self._minimum:
            return False
        if response._headers:
            headers = response.headers
            if "content-encoding" in headers or "content-range" in headers:
                return False
            if "no-transform" in headers.get("cache-control", "").lower():
                return False
        exchange = request._exchange
        return exchange is None or not exchange.uncompressed

    def _takes(self, content_type: str | None) -> bool:
        if content_type is None:
            return False
        essence = content_type.partition(";")[0].strip(" \t").lower()
        if essence == _EVENTS:
            return self._events
        return essence.startswith("text/") or essence in self._types or essence.endswith(("+json", "+xml"))

    def _whole(self, coding: str, body: bytes) -> bytes:
        return compress(coding, body, level=self._levels[coding])

    def _compressor(self, coding: str) -> Compressor:
        return _COMPRESSORS[coding](self._levels[coding])


def compress(coding: str, body: bytes, *, level: int) -> bytes:
    """Return a whole body packed by `gzip`, `br` or `zstd`."""
    if coding == "gzip":
        packer = zlib.compressobj(level, zlib.DEFLATED, 31)
        return packer.compress(body) + packer.flush()
    if coding == "br":
        packed: bytes = _module("br").compress(body, quality=level)
    else:
        packed = _module("zstd").compress(body, level)
    return packed


def uncompressed(function: F) -> F:
    """Keep `Compression` away from a handler (BREACH).

    For a page that shows a secret beside what the visitor sent.
    """
    mark(function).guards.append(_Uncompressed())
    return function


class _Uncompressed:
    __slots__ = ()

    name = "uncompressed"

    def applies(self, methods: frozenset[str]) -> bool:
        return True

    def __call__(self, request: Request) -> None:
        exchange_of(request).uncompressed = True


async def _compressed(source: AsyncIterator[bytes], compressor: Compressor) -> AsyncIterator[bytes]:
    try:
        async for piece in source:
            packed = compressor.feed(piece)
            if packed:
                yield packed
        yield compressor.finish()
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


class _Gzip:
    __slots__ = ("_packer",)

    def __init__(self, level: int) -> None:
        self._packer = zlib.compressobj(level, zlib.DEFLATED, 31)

    def feed(self, piece: bytes) -> bytes:
        return self._packer.compress(piece) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._packer.flush()


class _Brotli:
    __slots__ = ("_packer",)

    def __init__(self, level: int) -> None:
        self._packer = _module("br").Compressor(quality=level)

    def feed(self, piece: bytes) -> bytes:
        packed: bytes = self._packer.process(piece) + self._packer.flush()
        return packed

    def finish(self) -> bytes:
        packed: bytes = self._packer.finish()
        return packed


class _Zstd:
    __slots__ = ("_flush", "_packer")

    def __init__(self, level: int) -> None:
        packer = _module("zstd").ZstdCompressor
        self._packer = packer(level=level)
        self._flush = packer.FLUSH_BLOCK

    def feed(self, piece: bytes) -> bytes:
        packed: bytes = self._packer.compress(piece, mode=self._flush)
        return packed

    def finish(self) -> bytes:
        packed: bytes = self._packer.flush()
        return packed


_COMPRESSORS: dict[str, Callable[[int], Compressor]] = {"gzip": _Gzip, "br": _Brotli, "zstd": _Zstd}


def _module(coding: str) -> Any:
    """Return the module of a coding; what is in it the checker may not have."""
    if coding == "br":
        return need("brotli", extra="compression", wanted_for="brotli")
    if coding == "zstd":
        name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
        return need(name, extra="compression", wanted_for="zstd")
    return zlib


@cache
def available_codings() -> tuple[Coding, ...]:
    """Return the codings whose packages are installed, the best first."""
    found: list[Coding] = []
    for coding in _ALL:
        try:
            _module(coding)
        except MissingExtra:
            continue
        found.append(coding)
    return tuple(found)
