"""What compiled binding code calls where straight code ends: slow paths, bodies, messages."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias, get_args, get_origin

import msgspec

from demijohn._lib.concurrency import run_in_thread
from demijohn._lib.sentinels import MISSING
from demijohn._lib.translation import gettext_lazy as _
from demijohn._lib.translation import ngettext_lazy
from demijohn.app.formats import Format, Formats
from demijohn.app.signatures import optional, stripped
from demijohn.errors import FieldError, MalformedBody, UnsupportedMediaType, ValidationFailed
from demijohn.http import FormData, Headers, MediaType, Request, UploadFile
from demijohn.http.request import FORM_TYPES, is_deeper, read_json, refuse_packed, unsupported
from demijohn.schema import (
    converter,
    field_error,
    fields_of,
    shape_of,
)
from demijohn.schema.shapes import AnyShape, CustomShape, MappingShape, ObjectShape, ScalarShape, Shape

__all__ = ["BodyReader", "TextReader", "WholeReader", "default_of", "join", "missing", "read_file", "read_files"]

Errors: TypeAlias = list[FieldError] | None

_LARGE = 32 * 1024
"""A body of XML, CSV or YAML from this size on is read in a thread: it takes milliseconds."""


def missing(errors: Errors, *place: str) -> list[FieldError]:
    """Add the error of a value that is not there."""
    error = field_error(place, "missing")
    return [error] if errors is None else [*errors, error]


def join(errors: Errors, failed: ValidationFailed) -> list[FieldError]:
    """Add the errors of a part to those of the whole."""
    if errors is None:
        return failed.errors
    # Two parameters may need the same dependency, and fail by it.
    return [*errors, *[error for error in failed.errors if error not in errors]]


def default_of(default: Any, tp: Any) -> Any:
    """Return what stands for a value that was not given: the default, `None` where that is allowed, or `MISSING`.

    Any: defaults are of many types.
    """
    if default is not MISSING:
        return default
    return None if optional(tp) else MISSING


class TextReader:
    """Reads one value from text, or many of a list; where straight code gave up."""

    __slots__ = ("blank", "default", "place", "quick", "read", "rules")

    def __init__(self, tp: Any, place: tuple[str, ...], default: Any) -> None:
        self.read = converter(tp, text=True, place=place)
        self.place = place
        self.default = default
        shape = shape_of(tp)
        self.blank = shape.blank
        # The one reader of a plain scalar, for which no walk is needed.
        self.quick = shape.scalar.from_text if isinstance(shape, ScalarShape) else None
        self.rules = shape.rules

    def __call__(self, raw: Any, errors: Errors) -> tuple[Any, Errors]:
        if self.quick is not None and raw.__class__ is str:
            try:
                value = self.quick(raw)
                if not self.rules or all(rule.holds(value) for rule in self.rules):
                    return value, errors
            except (ValueError, TypeError, OverflowError):
                pass  # the walk finds the words for it
        # A blank is nothing: None where the type allows it, as `converter` says, else the default.
        if self.blank and self.default is not MISSING and self.default is not None and _is_blank(raw):
            return self.default, errors
        try:
            return self.read(raw), errors
        except ValidationFailed as failed:
            return None, join(errors, failed)


class WholeReader:
    """Reads a class from all fields of a query, a form, the headers or the cookies."""

    __slots__ = ("names", "read", "source")

    def __init__(self, tp: Any, source: str) -> None:
        self.read = converter(stripped(tp) if optional(tp) else tp, text=True, form=source == "form", place=(source,))
        self.source = source
        self.names = [field.alias for field in fields_of(stripped(tp)).values()] if source == "header" else []

    def __call__(self, values: Any, errors: Errors) -> tuple[Any, Errors]:
        if self.source == "header":
            values = self._from_headers(values)
        try:
            return self.read(values), errors
        except ValidationFailed as failed:
            return None, join(errors, failed)

    def _from_headers(self, headers: Headers) -> dict[str, list[str]]:
        found = {name: headers.getlist(name.rstrip("_").replace("_", "-")) for name in self.names}
        return {name: lines for name, lines in found.items() if lines}


def read_file(form: FormData, name: str, default: Any, max_size: int | None, errors: Errors) -> tuple[Any, Errors]:
    """Return one file of a form."""
    value = form.get(name)
    if isinstance(value, UploadFile):
        return value, _too_large(value, name, max_size, errors)
    if value is None or not value:
        return (None, missing(errors, "form", name)) if default is MISSING else (default, errors)
    return None, [*(errors or ()), field_error(("form", name), "type", expected=_("a file"))]


def read_files(form: FormData, name: str, default: Any, max_size: int | None, errors: Errors) -> tuple[Any, Errors]:
    """Return all files of a name."""
    values = [value for value in form.getlist(name) if value != ""]
    files = [value for value in values if isinstance(value, UploadFile)]
    if len(files) < len(values):
        return None, [*(errors or ()), field_error(("form", name), "type", expected=_("a file"))]
    if not files:
        return (None, missing(errors, "form", name)) if default is MISSING else (default, errors)
    for file in files:
        errors = _too_large(file, name, max_size, errors)
    return files, errors


def _too_large(file: UploadFile, name: str, max_size: int | None, errors: Errors) -> Errors:
    if max_size is None or file.size <= max_size:
        return errors
    return [
        *(errors or ()),
        field_error(("form", name), "max_length", limit=max_size, unit=ngettext_lazy("byte", "bytes", max_size)),
    ]


class BodyReader:
    """Chooses by the content type how a body is read into a type.

    `known` maps the bytes of a `Content-Type` line to the decoder; `choose` fills it in. Where a part of the type is
    left open (`Any`, a plain `dict`), `is_open` is true, and `bound` holds what was read to the limit of nesting.
    """

    __slots__ = (
        "_has_objects",
        "_is_one",
        "allowed",
        "default",
        "formats",
        "is_open",
        "is_text",
        "known",
        "place",
        "takes_form",
        "tp",
    )

    def __init__(
        self,
        tp: Any,
        *,
        default: Any = MISSING,
        allowed: frozenset[str] | None = None,
        place: str = "body",
        formats: Formats | None = None,
    ) -> None:
        self.tp = tp
        self.formats = Formats() if formats is None else formats
        self.place = (place,)
        self.default = default
        self.allowed = allowed
        self.is_text = False
        self.takes_form = False
        shapes = list(_all_shapes(shape_of(tp), set()))
        self.is_open = any(isinstance(shape, AnyShape) for shape in shapes)
        self._is_one = isinstance(shapes[0], ObjectShape | MappingShape)
        self._has_objects = any(isinstance(shape, ObjectShape | CustomShape) for shape in shapes)
        read = self._decoder(self.formats.get("json"))
        self.known: dict[bytes | None, Callable[[bytes], Any]] = {None: read, b"application/json": read}

    def choose(self, kind: bytes) -> Callable[[bytes], Any]:
        """Return the decoder of a content type.

        Raises:
            UnsupportedMediaType: Nothing reads it here.
        """
        essence = kind.partition(b";")[0].strip().lower().decode("latin-1")
        if essence == "text/plain" and self.is_text:
            read: Callable[[bytes], Any] = partial(self._read_plain, _codec_of(kind))
        else:
            found = self.formats.find_reader(essence)
            if found is None or (self._is_one and found.reads_rows):
                raise self._refusal(kind)
            read = self.known[None] if found.name == "json" else self._decoder(found)
        if len(self.known) < 32:
            self.known[kind] = read
        return read

    async def ahead(self, request: Request, decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        """Read a large body of a slow format in a thread, and return what gives its value or raises its errors."""
        body = await request.body()
        if len(body) < _LARGE or request.app is None:
            return decode
        try:
            value = await run_in_thread(partial(decode, body), request.app.pool, label="reading a body")
        except ValidationFailed as failed:
            return partial(_raise, failed)
        return lambda _body: value

    def bound(self, value: Any, body: bytes, decode: Callable[[bytes], Any], limit: int) -> None:
        """Refuse what is nested deeper than `limit` where the type leaves that open.

        Raises:
            MalformedBody: It is.
        """
        if decode is self.known[None]:
            # With few brackets it cannot be deep.
            if body.count(b"[") + body.count(b"{") <= limit:
                return
            if self._has_objects:
                read_json(body, what="The body", depth=limit)
                return
        if value.__class__ in (dict, list) and len(body) > limit and is_deeper(value, limit):
            raise MalformedBody("The body is nested too deep.")

    async def read(self, request: Request, errors: Errors) -> tuple[Any, Errors]:
        """Read a body, whatever its format."""
        refuse_packed(request)
        kind = request.headers.line(b"content-type")
        decode = self.known.get(kind) or self.choose(kind or b"")
        if decode is not self.known[None]:
            decode = await self.ahead(request, decode)
        body = await request.body()
        value, errors = self(body, decode, errors)
        if self.is_open and value is not None:
            self.bound(value, body, decode, request.limits.json_depth)
        return value, errors

    async def read_any(self, request: Request, errors: Errors) -> tuple[Any, Errors]:
        """Read a form or a body, whichever came."""
        kind = request.headers.line(b"content-type")
        if kind is None or not kind.lower().startswith((b"multipart/form-data", b"application/x-www-form-urlencoded")):
            return await self.read(request, errors)
        form: Any = await request.form()
        if self.allowed is not None:
            form = {name: form.getlist(name) for name in form if name in self.allowed}
        try:
            return converter(self.tp, text=True, form=True, place=("form",))(form), errors
        except ValidationFailed as failed:
            return None, join(errors, failed)

    def __call__(self, body: bytes, decode: Callable[[bytes], Any], errors: Errors) -> tuple[Any, Errors]:
        """Read a body of which the decoder is known."""
        if not body:
            if self.default is MISSING:
                return None, missing(errors, *self.place)
            return self.default, errors
        try:
            return decode(body), errors
        except ValidationFailed as failed:
            return None, join(errors, failed)

    def _decoder(self, known: Format) -> Callable[[bytes], Any]:
        if self.allowed is None:
            return known.decoder(self.tp, place=self.place)
        parse = known.decoder(Any, place=self.place)
        return _Limited(self.tp, self.allowed, parse, self.place, text=known.is_text)

    def _refusal(self, kind: bytes) -> UnsupportedMediaType:
        readable = [known for known in self.formats.readable() if not (self._is_one and known.reads_rows)]
        kinds = [known.media_types[0] for known in readable]
        kinds = [*(["text/plain"] if self.is_text else []), *kinds, *(FORM_TYPES if self.takes_form else [])]
        return unsupported("Another format is expected", kinds, kind)

    def _read_plain(self, codec: str, body: bytes) -> str:
        try:
            return body.decode(codec)
        except UnicodeError:
            raise MalformedBody(f"The text is not {codec.upper()}.") from None


def _codec_of(kind: bytes) -> str:
    """Return the Python codec of a content type.

    Raises:
        UnsupportedMediaType: Nobody knows its charset.
    """
    media = MediaType.find(kind.decode("latin-1"))
    try:
        return "utf-8" if media is None else media.codec
    except LookupError:
        raise UnsupportedMediaType("The charset of the body is unknown.") from None


def _raise(error: Exception, _body: bytes) -> Any:
    raise error


def _all_shapes(shape: Shape, seen: set[int]) -> Iterator[Shape]:
    if id(shape) not in seen:
        seen.add(id(shape))
        yield shape
        for part in shape.parts():
            yield from _all_shapes(part, seen)


class _Limited:
    """Reads a class of which a client may set some fields only."""

    def __init__(
        self,
        tp: Any,
        allowed: frozenset[str],
        parse: Callable[[bytes], Any],
        place: tuple[str, ...],
        *,
        text: bool = False,
    ) -> None:
        self.parse = parse
        self.allowed = allowed
        self.place = place
        self.read = converter(tp, text=text, place=place)

    def __call__(self, body: bytes) -> Any:
        raw = self.parse(body)
        value: Any = None
        errors = [
            field_error((*self.place, *inner, name), "unknown")
            for inner, item in _objects(raw)
            for name in item
            if name not in self.allowed
        ]
        try:
            value = self.read(raw)
        except ValidationFailed as failed:
            errors = [*failed.errors, *errors]
        if errors:
            raise ValidationFailed(errors)
        return value


def _objects(raw: Any) -> Iterator[tuple[tuple[int, ...], Mapping[str, Any]]]:
    if isinstance(raw, dict):
        yield (), raw
    elif isinstance(raw, list):
        for index, item in enumerate(raw):
            if isinstance(item, dict):
                yield (index,), item


def allowed_fields(tp: Any, include: tuple[str, ...] | None, exclude: tuple[str, ...] | None) -> frozenset[str] | None:
    """Return the names on the wire that a client may send, or `None` for all."""
    if include is None and exclude is None:
        return None
    bare = stripped(tp)
    if get_origin(bare) in (list, tuple, set):
        bare = get_args(bare)[0]
    fields = fields_of(bare)
    names = set(include) if include is not None else set(fields) - set(exclude or ())
    return frozenset(field.alias for name, field in fields.items() if name in names)


def together(parts: list[tuple[str, str, Any, Any]]) -> type[msgspec.Struct]:
    """Make the Struct of a body of several values: `(name, wire, type, default)` each (Any: types and defaults)."""
    fields: list[Any] = []
    for name, _wire, tp, default in parts:
        if default is MISSING:
            fields.append((name, tp))
        elif isinstance(default, list | dict | set | bytearray):
            fields.append((name, tp, msgspec.field(default_factory=default.copy)))
        else:
            fields.append((name, tp, default))
    return msgspec.defstruct(
        "Body", fields, kw_only=True, rename={name: wire for name, wire, _, _ in parts if wire != name} or None
    )


def _is_blank(raw: Any) -> bool:
    return isinstance(raw, str) and not raw.strip()
