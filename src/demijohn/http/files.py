"""Files as responses: whole, in parts, or not at all where the client has them."""

import os
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import IO, TYPE_CHECKING

from demijohn._lib.later import secrets
from demijohn.errors import NotFound
from demijohn.http.file_types import content_disposition, guess_content_type, is_passive
from demijohn.http.preconditions import conditional, range_applies
from demijohn.http.response import Response
from demijohn.http.streams import StreamResponse
from demijohn.http.threads import in_file_thread
from demijohn.types import HeadersLike

if TYPE_CHECKING:
    from demijohn.http.request import Request

__all__ = ["FileResponse", "send_file", "send_from_directory"]

_CHUNK = 256 * 1024
Segment = bytes | tuple[int, int]


class FileResponse(StreamResponse):
    """A file, read off the loop while it is sent.

    It is settled for a request where a handler returns it (`for_request`): ranges, `If-Range`, 304 and 412 are answered
    then. A tag is made of time and size.

    Args:
        path: A path, or a binary file that can be sought, which the response closes.
        headers: Further headers.
        content_type: Guessed by the suffix where it is not given.
        download_name: What the browser calls the file when it is saved; the file's own name otherwise.
        as_attachment: Whether the browser saves it instead of showing it.
        max_age: Seconds for which it may be kept without asking.
        untrusted: For what users uploaded: anything that a browser might run in your site's name is sent as an
            attachment, in a sandbox.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.

    Example:
        >>> response = FileResponse(BytesIO(b"a,b"), download_name="table.csv", as_attachment=True)
        >>> response.headers["content-disposition"]
        'attachment; filename="table.csv"'
    """

    __slots__ = ("_file", "_segments", "path", "size")

    path: str | None
    """Where it lies, or `None` for an open file."""
    size: int
    """Bytes of the whole file."""

    needs_request = True

    def __init__(
        self,
        path: str | os.PathLike[str] | IO[bytes],
        *,
        headers: HeadersLike | None = None,
        content_type: str | None = None,
        download_name: str | None = None,
        as_attachment: bool = False,
        max_age: int | timedelta | None = None,
        untrusted: bool = False,
    ) -> None:
        self._file: IO[bytes] | None = None
        self._segments: list[Segment] | None = None
        if isinstance(path, str | os.PathLike):
            self.path = os.fspath(path)
            about = os.stat(self.path)
            if not stat.S_ISREG(about.st_mode):
                raise IsADirectoryError(f"{self.path} is no file that can be sent.")
            name = os.path.basename(self.path)
        else:
            self.path, about, self._file = None, None, path
            given = getattr(path, "name", "")
            name = os.path.basename(given) if isinstance(given, str) else ""
        name = download_name or name
        super().__init__(self._read(), 200, headers, content_type=content_type or guess_content_type(name))
        if about is not None:
            self._know(about)
        elif self._file is not None:
            self.size = self._file.seek(0, os.SEEK_END)
        self._set_header(b"accept-ranges", "bytes", "accept-ranges")
        self._set_header(b"x-content-type-options", "nosniff", "x-content-type-options")
        if untrusted:
            self._set_header(
                b"content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox",
                "content-security-policy",
            )  # fmt: skip
            as_attachment = as_attachment or not is_passive(self.content_type or "")
        if as_attachment or download_name:
            kind = "attachment" if as_attachment else "inline"
            self._set_header(b"content-disposition", content_disposition(kind, name), "content-disposition")
        if max_age is not None:
            self.set_cache_control(max_age=max_age)

    def _know(self, about: os.stat_result) -> None:
        self.size = about.st_size
        self.set_etag(f"{about.st_mtime_ns:x}-{about.st_size:x}")
        self.last_modified = datetime.fromtimestamp(int(about.st_mtime), UTC)

    def for_request(self, request: "Request") -> Response:
        """Open the file and settle what of it is sent: all, parts, 304 or 416.

        Raises:
            PreconditionFailed: `If-Match` or `If-Unmodified-Since` does not hold.
            FileNotFoundError: The file has gone meanwhile.
        """
        if self.status != 200:
            return self
        if self._file is None and self.path is not None:
            file = open(self.path, "rb", buffering=0)  # noqa: SIM115 - aclose() closes it
            try:
                # What is open now is what will be read, whatever happens to the name.
                self._know(os.fstat(file.fileno()))
                self._settle(request)
            except BaseException:
                file.close()
                raise
            if self.status in (200, 206):
                self._file = file
                # Something may still take the place of this response.
                request.at_end(file.close)
            else:
                file.close()
        else:
            self._settle(request)
        return self

    def _settle(self, request: "Request") -> None:
        if conditional(request, self).status == 304:
            return
        wanted = request.range if request.method == "GET" else None
        if wanted is None or not range_applies(request, self.etag, self.last_modified):
            self._announce(self.size)
            return
        ranges = wanted.resolve(self.size)
        if not ranges:
            self.status = 416
            self.content_type = None
            self._set_header(b"content-range", f"bytes */{self.size}", "content-range")
            self._segments = []
            self._announce(0)
        elif len(ranges) == 1:
            start, stop = ranges[0]
            self.status = 206
            self._set_header(b"content-range", f"bytes {start}-{stop - 1}/{self.size}", "content-range")
            self._segments = [(start, stop)]
            self._announce(stop - start)
        else:
            self._several(ranges)

    def _several(self, ranges: list[tuple[int, int]]) -> None:
        boundary = secrets.token_hex(12)
        segments: list[Segment] = []
        kind = self.content_type or "application/octet-stream"
        for start, stop in ranges:
            head = (
                f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: bytes {start}-{stop - 1}/{self.size}\r\n\r\n"
            )
            segments += [head.encode("latin-1"), (start, stop), b"\r\n"]
        segments.append(f"--{boundary}--\r\n".encode())
        length = sum(len(part) if isinstance(part, bytes) else part[1] - part[0] for part in segments)
        if length >= self.size:
            # Two parts of a small file need more than the file.
            self._announce(self.size)
            return
        self.status = 206
        self.content_type = f"multipart/byteranges; boundary={boundary}"
        self._segments = segments
        self._announce(length)

    def _announce(self, length: int) -> None:
        self._set_header(b"content-length", str(length), "content-length")

    async def _read(self) -> AsyncIterator[bytes]:
        if self.is_bodyless or self._segments == []:
            return
        file = self._file
        if file is None and self.path is not None:
            file = self._file = await in_file_thread(open, self.path, "rb", 0)
        if file is None:
            return
        blocking = not isinstance(file, BytesIO)
        for segment in [(0, self.size)] if self._segments is None else self._segments:
            if isinstance(segment, bytes):
                yield segment
                continue
            position, stop = segment
            while position < stop:
                want = min(_CHUNK, stop - position)
                chunk = (
                    await in_file_thread(_read_at, file, position, want) if blocking else _read_at(file, position, want)
                )
                if not chunk:
                    # The head has promised more: the transport must not end this well.
                    raise EOFError(f"{self.path or 'The file'} became shorter while it was sent.")
                position += len(chunk)
                yield chunk

    async def aclose(self) -> None:
        """End the body and close the file; the transport awaits this in every case."""
        await super().aclose()
        if self._file is not None:
            self._file.close()


def _read_at(file: IO[bytes], position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)


def send_file(
    path: str | os.PathLike[str] | IO[bytes],
    *,
    content_type: str | None = None,
    download_name: str | None = None,
    as_attachment: bool = False,
    max_age: int | timedelta | None = None,
    untrusted: bool = False,
) -> FileResponse:
    """Send a file of yours; `send_from_directory` is for paths that a client sent.

    All arguments are those of `FileResponse`.
    """
    return FileResponse(
        path,
        content_type=content_type,
        download_name=download_name,
        as_attachment=as_attachment,
        max_age=max_age,
        untrusted=untrusted,
    )


def send_from_directory(
    directory: str | os.PathLike[str],
    path: str,
    *,
    content_type: str | None = None,
    download_name: str | None = None,
    as_attachment: bool = False,
    max_age: int | timedelta | None = None,
    untrusted: bool = False,
) -> FileResponse:
    """Send a file below a folder, by a path that a client sent.

    Args:
        directory: The folder; nothing outside of it is sent, not by `..`, and not by a link that leads out.
        path: With `/` between its parts.

    Raises:
        NotFound: There is no such file below the folder.
    """
    try:
        return FileResponse(
            join_safely(os.fspath(directory), path),
            content_type=content_type,
            download_name=download_name,
            as_attachment=as_attachment,
            max_age=max_age,
            untrusted=untrusted,
        )
    except (OSError, ValueError):
        raise NotFound from None


def join_safely(directory: str, path: str) -> str:
    """Return the real path of a file below a folder.

    Raises:
        ValueError: The path leads out, or is none.
    """
    parts = path.split("/")
    if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise ValueError("no plain path")
    if os.sep != "/" and any(os.sep in part or ":" in part for part in parts):
        raise ValueError("no plain path")
    root = os.path.realpath(directory)
    real = os.path.realpath(os.path.join(root, *parts))
    if os.path.commonpath((root, real)) != root or real == root:
        raise ValueError("outside of the folder")
    return real
