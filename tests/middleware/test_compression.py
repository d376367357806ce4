"""Compression: negotiated, undone to the same bytes, and left alone where it does harm or no good."""

import gzip
import zlib
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn._lib.extras import MissingExtra, need
from demijohn.errors import ConfigurationError
from demijohn.http import EventStreamResponse, FileResponse, JSONResponse, Request, Response, StreamResponse
from demijohn.middleware import Compression, marks_of, uncompressed
from demijohn.middleware import compression as module
from tests.middleware.conftest import build, handler

zstd = module._module("zstd")
UNDO = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstd.decompress}
TEXT = b"All happy families are alike. " * 200


async def ask(
    response: Response, accept: str | None = "gzip, br, zstd", *, by: Compression | None = None, **more: Any
) -> Response:
    request = build(headers={} if accept is None else {"Accept-Encoding": accept}, **more)
    return await (by or Compression())(request, handler(response))


def page(body: bytes = TEXT, content_type: str = "text/html", **headers: str) -> Response:
    return Response(body, headers=headers, content_type=content_type)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_a_body_is_compressed_and_comes_back(coding: str) -> None:
    """Each coding makes the body smaller, and undoes to the same bytes."""
    response = await ask(page(), coding)
    assert response.headers["content-encoding"] == coding
    assert response.headers["vary"] == "Accept-Encoding"
    assert len(response.body) < len(TEXT) / 10
    assert UNDO[coding](response.body) == TEXT


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, br, zstd", "zstd"),
        ("gzip, br", "br"),
        ("*", "zstd"),
        ("gzip;q=1.0, br;q=0.5, zstd;q=0.1", "gzip"),
        ("zstd;q=0, *", "br"),
        ("br;q=0, zstd;q=0, gzip;q=0.001", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=0", None),
        ("deflate", None),
        ("", None),
        (None, None),
        ("nonsense;;q=x,,", None),
    ],
)
async def test_negotiation(accept: str | None, coding: str | None) -> None:
    """What the client wants most is sent, of equals what compresses best for its cost; nothing it refuses."""
    response = await ask(page(), accept)
    assert response.headers.get("content-encoding") == coding
    assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "response",
    [
        page(b"short"),
        page(content_type="image/png"),
        page(content_type="video/mp4"),
        page(content_type="application/zip"),
        page(**{"Content-Encoding": "br"}),
        page(**{"Cache-Control": "public, No-Transform"}),
        page(**{"Content-Range": "bytes 0-5999/9000"}),
        Response(TEXT, 206, content_type="text/plain"),
        Response(b"", 204),
        Response(TEXT),
    ],
    ids=["short", "png", "mp4", "zip", "encoded", "no-transform", "range", "206", "204", "no-type"],
)
async def test_left_alone(response: Response) -> None:
    """Small, compressed, partial and protected bodies are sent as they are."""
    before = response.body
    after = await ask(response)
    assert after.body == before
    assert after.headers.get("content-encoding") in (None, "br")
    assert "vary" not in after.headers


@pytest.mark.parametrize(
    "content_type",
    [
        "text/css",
        "application/json",
        "application/problem+json",
        "image/svg+xml",
        "application/javascript",
        "TEXT/HTML",
    ],
)
async def test_types_that_shrink(content_type: str) -> None:
    """Text of every kind is compressed, whatever its parameters and case."""
    response = await ask(page(content_type=content_type + "; charset=utf-8"))
    assert response.headers["content-encoding"] == "zstd"


async def test_further_types() -> None:
    """An app may add types."""
    kind = "application/x-mine"
    assert "content-encoding" not in (await ask(page(content_type=kind))).headers
    assert "content-encoding" in (await ask(page(content_type=kind), by=Compression(types=[kind]))).headers


async def test_tags_become_weak() -> None:
    """The compressed bytes are not those that the strong tag was made for."""
    assert (await ask(page(ETag='"v1"'))).headers["etag"] == 'W/"v1"'
    assert (await ask(page(ETag='W/"v1"'))).headers["etag"] == 'W/"v1"'
    assert (await ask(page(ETag='"v1"'), "identity")).headers["etag"] == '"v1"'


async def test_lengths_and_ranges_go() -> None:
    """Headers that speak of the bytes as they were are taken away."""
    response = await ask(page(**{"Accept-Ranges": "bytes", "Content-Digest": "sha-256=:x:"}))
    assert "accept-ranges" not in response.headers
    assert "content-digest" not in response.headers
    assert dict(response.header_lines())[b"content-length"] == str(len(response.body)).encode()


async def test_not_modified_varies_too() -> None:
    """A 304 says what the 200 would vary by."""
    response = await ask(Response(b"", 304))
    assert response.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in response.headers


async def test_head() -> None:
    """HEAD says what it varies by, and claims no coding for a body that is not there."""
    response = await ask(page(b""), method="HEAD")
    assert response.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in response.headers


async def test_files_are_left_to_their_siblings() -> None:
    """Files answer ranges and have pre-compressed siblings."""
    response = await ask(FileResponse(BytesIO(TEXT), download_name="a.txt"))
    assert "content-encoding" not in response.headers


async def test_large_bodies_in_a_thread() -> None:
    """A body that would hold up the loop is compressed beside it, to the same bytes."""
    body = TEXT * 100
    assert len(body) > module._IN_THREAD
    response = await ask(page(body), "gzip")
    assert gzip.decompress(response.body) == body


@given(st.binary(max_size=5000), st.sampled_from(["gzip", "br", "zstd"]))
def test_any_bytes_come_back(body: bytes, coding: str) -> None:
    """Whatever is compressed, whole or in pieces, undoes to itself."""
    compression = Compression()
    assert UNDO[coding](compression._whole(coding, body)) == body
    pieces = compression._compressor(coding)
    packed = b"".join([pieces.feed(body[:100]), pieces.feed(body[100:]), pieces.finish()])
    assert UNDO[coding](packed) == body


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_streams_are_flushed_piece_by_piece(coding: str) -> None:
    """Each piece of a stream can be undone before the next one is made."""
    undo = {"gzip": zlib.decompressobj(31).decompress, "br": brotli.Decompressor().process}.get(coding)
    undo = undo or zstd.ZstdDecompressor().decompress
    seen: list[bytes] = []

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            assert len(seen) == number, "a piece was held back"
            yield b"piece %d " % number

    response = await ask(StreamResponse(pieces(), content_type="text/plain"), coding)
    assert response.headers["content-encoding"] == coding
    assert isinstance(response, StreamResponse)
    async for packed in response.body_iterator:
        text = undo(packed)
        if text:
            seen.append(text)
    assert seen == [b"piece 0 ", b"piece 1 ", b"piece 2 "]


async def test_a_stream_that_is_left_is_closed() -> None:
    """When the client leaves, the generator behind the compressor is closed too."""
    closed = []

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100
        finally:
            closed.append(True)

    response = await ask(StreamResponse(pieces(), content_type="text/plain"), "gzip")
    assert isinstance(response, StreamResponse)
    await anext(response.body_iterator)
    await response.aclose()
    assert closed == [True]


async def test_events_are_left_alone_unless_asked() -> None:
    """Server-sent events are compressed only where the app says so, and then flushed one by one."""

    async def events() -> AsyncIterator[Any]:
        yield "one"

    plain = await ask(EventStreamResponse(events()))
    assert "content-encoding" not in plain.headers
    assert isinstance(plain, StreamResponse)
    await plain.aclose()
    packed = await ask(EventStreamResponse(events()), "gzip", by=Compression(events=True))
    assert packed.headers["content-encoding"] == "gzip"
    assert isinstance(packed, StreamResponse)
    assert b"data: one" in gzip.decompress(b"".join([piece async for piece in packed.body_iterator]))


async def test_secrets_beside_user_input() -> None:
    """A handler marked `@uncompressed` is left alone (BREACH)."""

    @uncompressed
    async def show(request: Request) -> Response:
        return page()

    (guard,) = marks_of(show).guards
    assert guard.applies(frozenset({"GET"}))
    request = build(headers={"Accept-Encoding": "gzip"})

    async def route(request: Request) -> Response:
        guard(request)
        return await show(request)

    response = await Compression()(request, route)
    assert response.body == TEXT


async def test_json() -> None:
    """JSON is compressed like text."""
    response = await ask(JSONResponse(["value"] * 1000), "br")
    assert brotli.decompress(response.body).startswith(b'["value","value"')


def test_codings_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown coding is refused; a missing package is left out, or named where it was asked for."""
    with pytest.raises(ConfigurationError, match="DJN-744"):
        Compression(codings=["deflate"])  # type: ignore[list-item]

    def without_brotli(name: str, **more: str) -> Any:
        if name == "brotli":
            raise MissingExtra("brotli is not installed")
        return need(name, **more)

    monkeypatch.setattr(module, "need", without_brotli)
    module.available_codings.cache_clear()
    try:
        assert Compression()._codings == ("zstd", "gzip")
        with pytest.raises(MissingExtra):
            Compression(codings=["br"])
    finally:
        module.available_codings.cache_clear()
