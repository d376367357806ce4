"""ZIP archives: right, made while they are sent, and never whole when something failed."""

import io
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demijohn.http import BadArchive, ZipResponse


async def read(response: ZipResponse) -> bytes:
    """The whole body."""
    try:
        return b"".join([piece async for piece in response.body_iterator])
    finally:
        await response.aclose()


async def test_all_kinds_of_content(tmp_path: Path) -> None:
    """Text, bytes, files and iterators; what comes out is what went in, and the archive passes its own test."""
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 4000)

    def pieces() -> Iterator[bytes]:
        yield b"a" * 10
        yield b""
        yield b"b"

    async def later() -> AsyncIterator[bytes]:
        yield b"later"

    contents = {
        "text.txt": "Grüße",
        "bytes/empty": b"",
        "file.bin": tmp_path / "large.bin",
        "pieces": pieces(),
        "später/async": later(),
    }
    for compress in (True, False):
        response = ZipResponse(dict(contents), compress=compress, download_name="all.zip")
        assert response.content_type == "application/zip"
        assert response.headers["content-disposition"] == 'attachment; filename="all.zip"'
        archive = zipfile.ZipFile(io.BytesIO(await read(response)))
        assert archive.testzip() is None
        assert archive.namelist() == list(contents)
        assert archive.read("text.txt").decode() == "Grüße"
        assert archive.read("file.bin") == bytes(range(256)) * 4000
        contents |= {"pieces": pieces(), "später/async": later()}
    assert archive.read("pieces") == b"a" * 10 + b"b"
    assert archive.read("später/async") == b"later"


async def test_it_is_made_while_it_is_sent() -> None:
    """Whatever the size, a file is asked for no more than one piece ahead of the client."""
    given_out = 0

    def endless() -> Iterator[bytes]:
        nonlocal given_out
        while True:
            given_out += 1
            yield bytes(100_000)

    response = ZipResponse({"zeros": endless()}, compress=False)
    pieces = response.body_iterator
    for number in range(1, 20):
        assert len(await anext(pieces)) < 200_000
        assert given_out <= number + 1
    await response.aclose()


async def test_names_may_come_later() -> None:
    """Pairs from a generator: one by one, with whatever the generator does between them."""

    async def files() -> AsyncIterator[tuple[str, bytes]]:
        for number in range(3):
            yield f"{number}.txt", str(number).encode()

    archive = zipfile.ZipFile(io.BytesIO(await read(ZipResponse(files()))))
    assert [archive.read(name) for name in archive.namelist()] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a\\b", "C:x", "a\nb", "folder/"])
def test_no_name_leads_out(name: str) -> None:
    """Refused where the archive is made."""
    with pytest.raises(BadArchive):
        ZipResponse({name: b""})


@given(st.text(max_size=30))
def test_whatever_the_name_nothing_lands_outside(name: str) -> None:
    """A name that passes is relative and has no way up."""
    try:
        ZipResponse({name: b""})
    except BadArchive:
        return
    assert not name.startswith("/")
    assert ".." not in name.split("/")


async def test_a_failure_leaves_no_whole_archive() -> None:
    """What was sent by then has no directory at its end, so that nobody takes it for whole."""

    def broken() -> Iterator[bytes]:
        yield b"x" * 1000
        raise OSError("the disk is gone")

    def twice() -> Iterator[tuple[str, bytes]]:
        yield "a", b"1"
        yield "a", b"2"

    for response, error in ((ZipResponse({"a": "x", "b": broken()}), OSError), (ZipResponse(twice()), BadArchive)):
        pieces: list[bytes] = []

        async def drain(response: ZipResponse, pieces: list[bytes]) -> None:
            async for piece in response.body_iterator:
                pieces.append(piece)  # noqa: PERF401 - what came before the failure is looked at

        with pytest.raises(error):
            await drain(response, pieces)
        await response.aclose()
        assert not zipfile.is_zipfile(io.BytesIO(b"".join(pieces)))
