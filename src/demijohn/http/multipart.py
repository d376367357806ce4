"""`multipart/form-data` (RFC 7578), read as it arrives."""

from collections.abc import AsyncIterable

from demijohn.errors import BadRequest, ContentTooLarge
from demijohn.http.headers import Headers
from demijohn.http.limits import Limits
from demijohn.http.media_type import MediaType
from demijohn.http.upload import Spool, UploadFile

__all__ = ["read_multipart"]


async def read_multipart(
    stream: AsyncIterable[bytes], media: MediaType, limits: Limits
) -> list[tuple[str, str | UploadFile]]:
    """Read the parts of a body into fields and files; every file is closed where it fails.

    Raises:
        BadRequest: It is malformed or truncated, or a field is not in its charset.
        ContentTooLarge: A limit on parts, files, fields or their sizes is reached.
    """
    from multipart import MultipartError, ParserLimitReached, PushMultipartParser

    boundary = media.params.get("boundary", "")
    if not 1 <= len(boundary) <= 200 or not boundary.isascii():
        raise BadRequest("The multipart body names no usable boundary.")
    reader = _Reader(limits)
    try:
        parser = PushMultipartParser(
            boundary,
            max_header_size=limits.part_header_size,
            max_header_count=limits.part_headers,
            max_segment_size=max(limits.file_size, limits.field_size),
            max_segment_count=limits.parts,
        )
        async for chunk in stream:
            for event in parser.parse(chunk):
                if event is None:
                    await reader.end()
                elif isinstance(event, bytes):
                    if reader.data(event):
                        await reader.flush()
                else:
                    reader.begin(event.name or "", event.filename, event.headerlist)
        parser.close()  # type: ignore[no-untyped-call]
    except ParserLimitReached as error:
        reader.close()
        raise ContentTooLarge(f"The multipart body is over a limit: {error}.") from None
    except MultipartError as error:
        reader.close()
        raise BadRequest(f"The multipart body cannot be read: {error}.") from None
    except BaseException:
        reader.close()
        raise
    return reader.pairs


class _Reader:
    """Collects the part that is arriving, and the parts that have arrived."""

    def __init__(self, limits: Limits) -> None:
        self.pairs: list[tuple[str, str | UploadFile]] = []
        self.limits = limits
        self.fields = 0
        self.files = 0
        self.name = ""
        self.filename: str | None = None
        self.headers = Headers()
        self.spool: Spool | None = None
        self.chunks: list[bytes] = []
        self.size = 0

    def begin(self, name: str, filename: str | None, headers: list[tuple[str, str]]) -> None:
        self.name, self.filename = name, filename
        self.headers = Headers.from_raw(
            [(key.lower().encode("latin-1", "replace"), value.encode("utf-8", "replace")) for key, value in headers]
        )
        self.size = 0
        self.chunks = []
        if filename is None:
            self.fields += 1
            if self.fields > self.limits.form_fields:
                raise ContentTooLarge(f"The form has more than {self.limits.form_fields} fields.")
        else:
            self.files += 1
            if self.files > self.limits.files:
                raise ContentTooLarge(f"The form has more than {self.limits.files} files.")
            self.spool = Spool(self.limits.spool_size)

    def data(self, chunk: bytes) -> bool:
        self.size += len(chunk)
        if self.spool is not None:
            if self.size > self.limits.file_size:
                raise ContentTooLarge(f"A file of the form is over {self.limits.file_size} bytes.")
            return self.spool.write(chunk)
        if self.size > self.limits.field_size:
            raise ContentTooLarge(f"A field of the form is over {self.limits.field_size} bytes.")
        self.chunks.append(chunk)
        return False

    async def flush(self) -> None:
        if self.spool is not None:
            await self.spool.flush()

    async def end(self) -> None:
        spool = self.spool
        content_type = self.headers.get("content-type")
        if spool is None:
            self.pairs.append((self.name, self._text(b"".join(self.chunks), content_type)))
            return
        if not self.filename and not spool.size:
            # What browsers send for a file input that was left empty.
            self.spool = None
            spool.close()
            return
        await spool.flush()
        self.spool = None
        upload = spool.finish(
            filename=self.filename or "",
            content_type=content_type or "application/octet-stream",
            headers=self.headers,
        )
        self.pairs.append((self.name, upload))

    def _text(self, data: bytes, content_type: str | None) -> str:
        media = None if content_type is None else MediaType.find(content_type)
        try:
            return data.decode("utf-8" if media is None else media.codec)
        except (LookupError, UnicodeError):
            raise BadRequest("A field of the form is not in its charset.") from None

    def close(self) -> None:
        if self.spool is not None:
            self.spool.close()
        for _, value in self.pairs:
            if isinstance(value, UploadFile):
                value.close()
