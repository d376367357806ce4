"""A file that a client sent: in memory while it is small, on disk beyond that."""

import os
from io import BytesIO
from threading import Lock
from typing import IO
from unicodedata import category, normalize

from demijohn._lib.later import secrets, shutil, tempfile
from demijohn._lib.translation import gettext as _
from demijohn.http.headers import Headers
from demijohn.http.threads import in_file_thread
from demijohn.schema import register_decoder

__all__ = ["UploadFile", "safe_filename"]

_DEVICES = frozenset(("CON", "PRN", "AUX", "NUL", *[f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10)]))
_LONGEST = 200


def safe_filename(name: str) -> str:
    """Return a name that can be joined to a folder of yours.

    Folders, control and direction characters, what Windows forbids, dots and spaces at the ends and names of devices
    are taken away; letters of any script stay; `"unnamed"` is what is left of nothing.
    It is safe to write, not unique: two clients may send the same name.

    Example:
        >>> safe_filename("..\\\\..\\\\etc/passwd"), safe_filename("Übersicht 2024.pdf")
        ('passwd', 'Übersicht 2024.pdf')
    """
    name = normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    name = "".join([c for c in name if c not in '<>:"|?*' and category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")])
    name = " ".join(name.split()).strip(" .")
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        stem, suffix = name, ""
    if name.partition(".")[0].strip().upper() in _DEVICES:
        stem = "_" + stem
    while len((stem + dot + suffix).encode()) > _LONGEST:
        if len(suffix) > 20:
            stem, dot, suffix = name[:60], "", ""
        else:
            stem = stem[:-1]
    return (stem + dot + suffix).strip(" .") or "unnamed"


class UploadFile:
    """A file of a form. It is closed, and removed from disk, when the request ends.

    Args:
        file: A binary file that can be sought; the upload owns it.
        filename: As the client sent it.
        content_type: As the client claims; look at the bytes before you believe it.
        headers: Of the part.
        on_disk: Whether reading may block, so that it is done in a worker thread.

    Example:
        >>> import asyncio
        >>> upload = UploadFile.from_bytes(b"data", filename="../a.txt")
        >>> upload.filename, upload.size, asyncio.run(upload.read())
        ('a.txt', 4, b'data')
    """

    __slots__ = ("_on_disk", "client_filename", "content_type", "file", "headers", "size")

    file: IO[bytes]
    """The file itself, for sync code; reading from it may block."""
    client_filename: str
    """The name as the client sent it, which may hold a path or worse."""
    content_type: str
    """What the client claims it to be."""
    headers: Headers
    """The header fields of the part."""
    size: int
    """Bytes."""

    def __init__(
        self,
        file: IO[bytes],
        *,
        filename: str,
        content_type: str = "application/octet-stream",
        headers: Headers | None = None,
        size: int | None = None,
        on_disk: bool = True,
    ) -> None:
        self.file = file
        self.client_filename = filename
        self.content_type = content_type
        self.headers = Headers() if headers is None else headers
        self._on_disk = on_disk
        if size is None:
            position = file.tell()
            size = file.seek(0, os.SEEK_END)
            file.seek(position)
        self.size = size

    @classmethod
    def from_bytes(cls, data: bytes, *, filename: str, content_type: str = "application/octet-stream") -> "UploadFile":
        """Make an upload of bytes, as for a test."""
        return cls(BytesIO(data), filename=filename, content_type=content_type, size=len(data), on_disk=False)

    @property
    def filename(self) -> str:
        """The name without path and tricks, safe to join to a folder; not unique."""
        return safe_filename(self.client_filename)

    @property
    def is_on_disk(self) -> bool:
        """Whether it outgrew memory."""
        return self._on_disk

    async def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes from where the file stands, or all that is left."""
        if self._on_disk:
            return await in_file_thread(self.file.read, size)
        return self.file.read(size)

    async def seek(self, position: int) -> None:
        """Go to a place in the file."""
        if self._on_disk:
            await in_file_thread(self.file.seek, position)
        else:
            self.file.seek(position)

    async def write(self, data: bytes) -> None:
        """Write where the file stands."""
        if self._on_disk:
            await in_file_thread(self.file.write, data)
        else:
            self.file.write(data)
        self.size = max(self.size, self.file.tell())

    async def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> str:
        """Copy the file to a path or into a folder, and return where it went.

        In a folder it gets its safe name.

        Where it cannot be written in full nothing is left behind.

        Raises:
            FileExistsError: Something is there already, and `overwrite` was not asked for.
            OSError: As the system says (no space, no permission).
        """
        return await in_file_thread(self._save, os.fspath(path), overwrite)

    def _save(self, path: str, overwrite: bool) -> str:
        if os.path.isdir(path):
            path = os.path.join(path, self.filename)
        self.file.seek(0)
        target = f"{path}.{secrets.token_hex(6)}.part" if overwrite else path
        with open(target, "xb") as copy:
            try:
                shutil.copyfileobj(self.file, copy, 1024 * 1024)
                copy.flush()
                if overwrite:
                    os.replace(target, path)
            except BaseException:
                os.unlink(target)
                raise
        return path

    def close(self) -> None:
        """Close the file and give its space back. The end of the request does so."""
        self.file.close()

    def __repr__(self) -> str:
        return f"<UploadFile {self.filename!r} {self.content_type} {self.size} bytes>"


class _Memory(BytesIO):
    """A file in memory. Above what is any file's due, it takes from what all files of the process share."""

    DUE = 128 * 1024
    SHARED = 64 * 1024 * 1024

    _taken = 0
    _lock = Lock()

    def __init__(self) -> None:
        super().__init__()
        self._share = 0

    def grows_to(self, size: int) -> bool:
        """Return whether there is room for it to grow so large, which is then taken."""
        more = size - self.DUE - self._share
        if more > 0:
            with _Memory._lock:
                if _Memory._taken + more > self.SHARED:
                    return False
                _Memory._taken += more
                self._share += more
        return True

    def close(self) -> None:
        """Give its room back; what nobody closes gives it back when it is collected."""
        super().close()
        with _Memory._lock:
            _Memory._taken -= self._share
            self._share = 0


class Spool:
    """A file in the making: in memory up to a size, on disk from there on."""

    __slots__ = ("_file", "_limit", "_on_disk", "_pending", "_waiting", "size")

    _BATCH = 256 * 1024

    def __init__(self, limit: int) -> None:
        self._file: IO[bytes] = _Memory()
        self._limit = limit
        self._on_disk = False
        self._waiting: list[bytes] = []
        self._pending = 0
        self.size = 0

    def write(self, data: bytes) -> bool:
        """Take bytes; where it answers true `flush` must be awaited before more is written."""
        self.size += len(data)
        file = self._file
        if self.size <= self._limit and isinstance(file, _Memory) and not self._waiting and file.grows_to(self.size):
            file.write(data)
            return False
        self._waiting.append(data)
        self._pending += len(data)
        return self._pending >= self._BATCH

    async def flush(self) -> None:
        """Write what waits for the disk, in a worker thread."""
        if self._waiting:
            await in_file_thread(self._flush)

    def _flush(self) -> None:
        if not self._on_disk:
            memory = self._file
            disk = tempfile.TemporaryFile("w+b", prefix="demijohn-upload-")
            try:
                memory.seek(0)
                shutil.copyfileobj(memory, disk)
            except BaseException:
                disk.close()
                raise
            memory.close()
            self._file = disk
            self._on_disk = True
        for data in self._waiting:
            self._file.write(data)
        self._waiting.clear()
        self._pending = 0

    def finish(self, *, filename: str, content_type: str, headers: Headers) -> UploadFile:
        """Return the upload, standing at its beginning; all must have been flushed."""
        self._file.seek(0)
        return UploadFile(
            self._file,
            filename=filename,
            content_type=content_type,
            headers=headers,
            size=self.size,
            on_disk=self._on_disk,
        )

    def close(self) -> None:
        """Throw it away."""
        self._file.close()


def _as_field(value: object) -> UploadFile:
    """Read a file as a field of a class; only a form has files."""
    if isinstance(value, UploadFile):
        return value
    raise ValueError(_("A file is expected."))


register_decoder(UploadFile, _as_field)
