"""Pictures that people upload: what is one, and where it is kept."""

from pathlib import Path
from secrets import token_hex

from demijohn.http import FileResponse, UploadFile, send_from_directory

_BEGINNINGS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png", b"GIF8": ".gif"}


async def _suffix(upload: UploadFile) -> str | None:
    # What a file begins with tells what it is; its name and its type are the client's word.
    head = await upload.read(8)
    await upload.seek(0)
    return next((suffix for beginning, suffix in _BEGINNINGS.items() if head.startswith(beginning)), None)


async def checked(upload: UploadFile) -> UploadFile:
    """Return a picture, or refuse what is none."""
    if await _suffix(upload) is None:
        raise ValueError("This is no picture: a JPEG, PNG or GIF file.")
    return upload


class Pictures:
    """A folder of pictures under names of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def keep(self, upload: UploadFile) -> str:
        """Store a picture and return its name."""
        name = token_hex(16) + (await _suffix(upload) or "")
        self.folder.mkdir(parents=True, exist_ok=True)
        await upload.save(self.folder / name)
        return name

    def send(self, name: str) -> FileResponse:
        return send_from_directory(self.folder, name, untrusted=True, max_age=86400)
