"""What a form sent: fields and files."""

from collections.abc import Iterable, Mapping

from demijohn.http.multidict import MultiDict
from demijohn.http.upload import UploadFile

__all__ = ["FormData"]


class FormData(MultiDict[str | UploadFile]):
    """The fields and files of a form, by name.

    The last value of a name wins, `getlist` returns all.

    A file input that was left empty is not there.

    Example:
        >>> form = FormData([("title", "Hello"), ("photo", UploadFile.from_bytes(b"x", filename="a.png"))])
        >>> form.fields["title"], form.files["photo"].filename
        ('Hello', 'a.png')
    """

    __slots__ = ("_fields", "_files")

    def __init__(self, pairs: Iterable[tuple[str, str | UploadFile]] | Mapping[str, str | UploadFile] = (), /) -> None:
        super().__init__(pairs)
        self._fields: MultiDict[str] | None = None
        self._files: MultiDict[UploadFile] | None = None

    @property
    def fields(self) -> MultiDict[str]:
        """The fields that are text."""
        if self._fields is None:
            self._fields = MultiDict([(name, value) for name, value in self._pairs if isinstance(value, str)])
        return self._fields

    @property
    def files(self) -> MultiDict[UploadFile]:
        """The files."""
        if self._files is None:
            self._files = MultiDict([(name, value) for name, value in self._pairs if isinstance(value, UploadFile)])
        return self._files

    def close(self) -> None:
        """Close every file."""
        for _, value in self._pairs:
            if isinstance(value, UploadFile):
                value.close()
