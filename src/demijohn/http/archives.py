"""ZIP archives that are made while they are sent."""

import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from io import RawIOBase
from typing import TYPE_CHECKING, TypeAlias, cast

from demijohn.errors import DemijohnError
from demijohn.http.file_types import content_disposition
from demijohn.http.streams import StreamResponse, as_async
from demijohn.http.threads import in_file_thread
from demijohn.types import HeadersLike

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

__all__ = ["ArchiveContent", "BadArchive", "ZipResponse"]

ArchiveContent: TypeAlias = "str | bytes | os.PathLike[str] | Iterable[bytes] | AsyncIterable[bytes]"
"""What a file of an archive holds: text, bytes, the file at a `Path`, or what an iterator yields."""

_PIECE = 256 * 1024


class BadArchive(DemijohnError, ValueError):
    """A file of an archive has a name that leads out of the folder, or a taken one."""

    code = "DJN-340"


class ZipResponse(StreamResponse):
    """A ZIP archive, made while it is sent.

    However large it is, a few hundred kilobytes of it are in memory. Files are read and packed in a worker thread, and
    no faster than the client takes them.

    Args:
        files: The content of each file by its name, or pairs of both, from an iterator, async or sync.
        download_name: What the browser calls the archive when it is saved.
        compress: Pack the files; without it they are stored as they are, which suits pictures and videos.
        headers: Further headers.

    Raises:
        BadArchive: A name is empty, absolute, has `..`, a backslash or a control character in it, or came twice. Where
            the names come from an iterator it is raised while the archive is sent, which cuts it.

    Example:
        >>> from pathlib import Path
        >>> response = ZipResponse({"read me.txt": "Hello", "reports/2026.csv": Path("2026.csv")})
        >>> response.headers["content-disposition"]
        'attachment; filename="files.zip"'
    """

    __slots__ = ()

    def __init__(
        self,
        files: Mapping[str, ArchiveContent]
        | Iterable[tuple[str, ArchiveContent]]
        | AsyncIterable[tuple[str, ArchiveContent]],
        *,
        download_name: str = "files.zip",
        compress: bool = True,
        headers: HeadersLike | None = None,
    ) -> None:
        pairs: Iterable[tuple[str, ArchiveContent]] | AsyncIterable[tuple[str, ArchiveContent]]
        if isinstance(files, Mapping):
            contents = cast("Mapping[str, ArchiveContent]", files)
            for name in contents:
                _check(name)
            pairs = contents.items()
        else:
            pairs = files
        super().__init__(_archive(pairs, compress=compress), 200, headers, content_type="application/zip")
        # What is wrapped is closed even if the wrapping never began.
        self._source = pairs  # type: ignore[assignment]
        disposition = content_disposition("attachment", download_name)
        self._set_header(b"content-disposition", disposition, "content-disposition")


class _Sink(RawIOBase):
    """Where the archive is written: a file that can only be written, whose content is taken piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


async def _archive(
    pairs: Iterable[tuple[str, ArchiveContent]] | AsyncIterable[tuple[str, ArchiveContent]], *, compress: bool
) -> AsyncGenerator[bytes, None]:
    from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

    sink = _Sink()
    archive = ZipFile(sink, "w", ZIP_DEFLATED if compress else ZIP_STORED, allowZip64=True)
    names: set[str] = set()
    entries = as_async(pairs)
    try:
        async for name, content in entries:
            _check(name)
            if name in names:
                raise BadArchive(
                    f"An archive was given two files of the name {name!r}.",
                    why="Whoever unpacks it would lose one of them.",
                    fix="Give each a name of its own; a number in front will do.",
                )
            names.add(name)
            async with aclosing(_packed(archive, sink, name, content)) as packed:
                async for piece in packed:
                    yield piece
    finally:
        archive.close()
        await _close(entries)
    # After a failure this is not reached: the directory at the end would make half of an archive look whole.
    yield sink.taken()


async def _packed(archive: "ZipFile", sink: _Sink, name: str, content: ArchiveContent) -> AsyncGenerator[bytes, None]:
    if isinstance(content, str | bytes):
        data = memoryview(content.encode() if isinstance(content, str) else content)
        content = (bytes(data[start : start + _PIECE]) for start in range(0, len(data), _PIECE))
    elif isinstance(content, os.PathLike):
        content = _pieces_of(os.fspath(content))
    source = as_async(content)
    entry = archive.open(_described(name, compress=archive.compression), "w", force_zip64=True)
    try:
        async for piece in source:
            await in_file_thread(entry.write, piece)
            if data_out := sink.taken():
                yield data_out
    finally:
        entry.close()
        await _close(source)
    if data_out := sink.taken():
        yield data_out


async def _close(iterator: AsyncIterator[object]) -> None:
    close = getattr(iterator, "aclose", None)
    if close is not None:
        await close()


def _described(name: str, *, compress: int) -> "ZipInfo":
    import time
    from zipfile import ZipInfo

    about = ZipInfo(name, date_time=time.localtime()[:6])
    about.compress_type = compress
    about.external_attr = 0o644 << 16
    return about


def _pieces_of(path: str) -> Iterable[bytes]:
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece


def _check(name: str) -> None:
    parts = name.split("/")
    if (
        not name
        or any(part in ("", ".", "..") for part in parts)
        or any(char < " " or char in "\\:\x7f" for char in name)
    ):
        raise BadArchive(
            f"An archive was given a file of the name {name[:80]!r}.",
            why="Unpacked, it would land outside of the folder, or nowhere.",
            fix='Write a plain path:  {"reports/2026.csv": ...}',
        )
