"""The request: a value that reads itself as far as it is asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, ClassVar, TypeVar, overload

import msgspec

from demijohn._lib.later import asyncio
from demijohn._lib.sentinels import MISSING
from demijohn.errors import (
    BadRequest,
    ContentTooLarge,
    DemijohnError,
    MalformedBody,
    RequestTimeout,
    UnsupportedMediaType,
)
from demijohn.http.authorization import Authorization
from demijohn.http.connection import Connection
from demijohn.http.dates import parse_http_date
from demijohn.http.etag import ETags
from demijohn.http.forms import FormData
from demijohn.http.headers import Lines
from demijohn.http.htmx import HTMX
from demijohn.http.limits import DEFAULT_LIMITS
from demijohn.http.media_type import MediaType
from demijohn.http.negotiation import Accept, AcceptEncodings
from demijohn.http.query import parse_pairs
from demijohn.http.ranges import Range
from demijohn.schema import json_decoder

__all__ = ["BodyConsumed", "ClientDisconnected", "Request", "read_json"]

T = TypeVar("T")

_NESTING = (list, dict)


class ClientDisconnected(BadRequest):
    """The client left before its body was complete."""


class BodyConsumed(DemijohnError):
    """The body of a request was wanted a second time, after it had been streamed."""

    code = "DJN-305"


def is_deeper(value: Any, limit: int) -> bool:
    """Whether more than `limit` lists and dicts lie inside each other; level by level, so that each is seen once."""
    level = [value]
    for _ in range(limit):
        level = [
            child
            for each in level
            for child in (each.values() if each.__class__ is dict else each)
            if child.__class__ in _NESTING
        ]
        if not level:
            return False
    return True


def read_json(data: bytes | str, *, what: str, depth: int) -> Any:
    """Read JSON of a client.

    Raises:
        MalformedBody: It is no JSON, not UTF-8, or nested deeper than `depth`.
    """
    try:
        value = msgspec.json.decode(data)
        if value.__class__ in _NESTING:
            # With few brackets it cannot be deep.
            found = data.count("[") + data.count("{") if isinstance(data, str) else data.count(b"[") + data.count(b"{")
            if found > depth and is_deeper(value, depth):
                raise RecursionError
        return value
    except msgspec.DecodeError as error:
        raise MalformedBody(f"{what} is not JSON: {error}.") from None
    except UnicodeDecodeError:
        raise MalformedBody(f"{what} is not UTF-8.") from None
    except RecursionError:
        raise MalformedBody(f"{what} is nested too deep.") from None


def _content_type(request: "Request") -> MediaType | None:
    value = request.headers.get("content-type")
    return None if value is None else MediaType.find(value)


class Request(Connection):
    """What a client asks for, read as far as it is needed.

    Transports build it from five values and set further slots where they know more.

    Args:
        method: In upper case.
        path: The path that is routed, percent-decoded once.
        raw_path: The same as it came from the client.
        query_string: What stands behind the question mark, without it.
        raw_headers: The header lines, names in lower case.

    Example:
        >>> request = Request("GET", "/posts", b"/posts", b"page=2", [(b"host", b"example.org")])
        >>> request.query["page"], str(request.url)
        ('2', 'http://example.org/posts?page=2')
    """

    __slots__ = (
        "_body",
        "_form",
        "_json",
        "_receiver",
        "_streamed",
        "accept",
        "accept_encodings",
        "content_type",
        "method",
        "timed_out",
    )

    method: str
    _body: bytes | None
    _receiver: Callable[[], Awaitable[bytes]] | None
    _streamed: bool
    _json: Any
    timed_out: bool
    """Whether the server cancels it because its time is over."""
    _form: FormData | None

    accept: Accept
    """The media types that the client takes."""
    accept_encodings: AcceptEncodings
    """The content codings that the client can undo."""
    content_type: MediaType | None
    """The media type of the body, or `None` where none is named."""

    _lazy: ClassVar[dict[str, Callable[[Any], Any]]] = Connection._lazy | {
        "_body": lambda self: None,
        "_json": lambda self: MISSING,
        "_receiver": lambda self: None,
        "_streamed": lambda self: False,
        "timed_out": lambda self: False,
        "accept": lambda self: Accept(self.headers.get("accept")),
        "accept_encodings": lambda self: AcceptEncodings(self.headers.get("accept-encoding")),
        "content_type": _content_type,
    }

    def __init__(self, method: str, path: str, raw_path: bytes, query_string: bytes, raw_headers: Lines) -> None:
        # Not by super(): this runs for every request.
        self.method = method
        self.path = path
        self.raw_path = raw_path
        self.query_string = query_string
        self.raw_headers = raw_headers
        # Read for every request, so not lazily.
        self.after = self.ending = None
        self.scheme = "http"
        self.limits = DEFAULT_LIMITS
        self._headers = self._query = self._cookies = self._g = self._form = self._exchange = None

    @property
    def content_length(self) -> int | None:
        """The size of the body as announced, or `None`.

        Raises:
            BadRequest: It is no number.
        """
        text = self.headers.get("content-length")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()) or len(text) > 18:
            raise BadRequest("Content-Length is no number.")
        return int(text)

    @property
    def charset(self) -> str:
        """The Python codec of the body: `utf-8` unless `Content-Type` names another.

        Raises:
            BadRequest: The charset is unknown.
        """
        media = self.content_type
        if media is None:
            return "utf-8"
        try:
            return media.codec
        except LookupError:
            raise BadRequest("The charset of the body is unknown.") from None

    @property
    def if_match(self) -> ETags | None:
        """The tags of `If-Match`, or `None`."""
        text = self.headers.get("if-match")
        return None if text is None else ETags(text)

    @property
    def if_none_match(self) -> ETags | None:
        """The tags of `If-None-Match`, or `None`."""
        text = self.headers.get("if-none-match")
        return None if text is None else ETags(text)

    @property
    def if_modified_since(self) -> datetime | None:
        """The moment of `If-Modified-Since`; `None` where there is no date."""
        text = self.headers.get("if-modified-since")
        return None if text is None else parse_http_date(text)

    @property
    def if_unmodified_since(self) -> datetime | None:
        """The moment of `If-Unmodified-Since`; `None` where there is no date."""
        text = self.headers.get("if-unmodified-since")
        return None if text is None else parse_http_date(text)

    @property
    def range(self) -> Range | None:
        """The ranges that are asked for; `None` for all, or for what is to be ignored."""
        text = self.headers.get("range")
        return None if text is None else Range.find(text)

    @property
    def authorization(self) -> Authorization | None:
        """The credentials of the `Authorization` header, or `None`."""
        text = self.headers.get("authorization")
        return None if text is None else Authorization.find(text)

    @property
    def htmx(self) -> HTMX:
        """What htmx says about the request; false where it was not htmx that sent it."""
        return HTMX(self.headers)

    @property
    def is_htmx(self) -> bool:
        """Whether htmx sent the request."""
        return self.headers.get("hx-request") == "true"

    async def body(self) -> bytes:
        """Return the whole body; it is kept, and may be asked for again.

        Raises:
            ContentTooLarge: It is over the limit.
            RequestTimeout: It did not arrive in time.
            ClientDisconnected: The client left before its end.
            BodyConsumed: It was streamed before.
        """
        body = self._body
        if body is None:
            body = b"".join([chunk async for chunk in self.stream()])
            self._body = body
        elif len(body) > self.limits.body:
            raise ContentTooLarge(f"The body is over {self.limits.body} bytes.")
        return body

    async def stream(self) -> AsyncIterator[bytes]:
        """Iterate over the body as it arrives; it is not kept.

        Raises:
            ContentTooLarge: It is over the limit.
            RequestTimeout: The time spent waiting for it is over the limit.
            ClientDisconnected: The client left before its end.
            BodyConsumed: It was streamed before.
        """
        limits = self.limits
        if self._body is not None:
            if len(self._body) > limits.body:
                raise ContentTooLarge(f"The body is over {limits.body} bytes.")
            if self._body:
                yield self._body
            return
        receiver = self._receiver
        if receiver is None:
            return
        if self._streamed:
            raise BodyConsumed(
                f"The body of {self.method} {self.path} was asked for a second time.",
                why="It was streamed before, or is being read by another task; a stream is not kept.",
                fix="Read it once and keep it:  body = await request.body()",
            )
        announced = self.content_length
        if announced is not None and announced > limits.body:
            raise ContentTooLarge(f"The body is over {limits.body} bytes.")
        self._streamed = True
        size, waited = 0, 0.0
        clock = asyncio.get_running_loop().time
        while True:
            if limits.body_time is None:
                chunk = await receiver()
            else:
                start = clock()
                try:
                    async with asyncio.timeout(limits.body_time - waited):
                        chunk = await receiver()
                except TimeoutError:
                    raise RequestTimeout(f"The body did not arrive within {limits.body_time:g} seconds.") from None
                waited += clock() - start
            if not chunk:
                return
            size += len(chunk)
            if size > limits.body:
                raise ContentTooLarge(f"The body is over {limits.body} bytes.")
            yield chunk

    async def text(self) -> str:
        """Return the body as text, in its charset.

        Raises:
            BadRequest: The charset is unknown, or the body is not in it.
            UnsupportedMediaType: It is packed, by gzip for example.
        """
        refuse_packed(self)
        body = await self.body()
        try:
            return body.decode(self.charset)
        except UnicodeError:
            raise BadRequest(f"The body is not {self.charset}.") from None

    @overload
    async def json(self) -> Any: ...
    @overload
    async def json(self, type: type[T]) -> T: ...
    async def json(self, type: type[T] | None = None) -> T | Any:  # noqa: A002 - what it will be
        """Return the body read as JSON.

        Args:
            type: What it is to be; it is validated. Without it the value is whatever JSON holds, read once and kept.

        Raises:
            MalformedBody: It is no JSON, not UTF-8, or nested too deep.
            UnsupportedMediaType: It is said to be something else than JSON, or it is packed. A body that says nothing
                is read as JSON.
            ValidationFailed: It is not of that type; all errors are in it.

        Example:
            item = await request.json(Item)
        """
        kind = self.headers.line(b"content-type")
        if kind and kind != b"application/json" and not (self.content_type and self.content_type.is_json):
            raise unsupported("JSON is expected", ["application/json"], kind)
        refuse_packed(self)
        if type is not None:
            return json_decoder(type)(await self.body())
        if self._json is not MISSING:
            return self._json
        value = self._json = read_json(await self.body(), what="The body", depth=self.limits.json_depth)
        return value

    async def form(self) -> FormData:
        """Return the fields and files of a form; it is read once, files as they arrive.

        Without a body the form is empty. Files are closed and removed at the end of the request.

        Raises:
            BadRequest: It is malformed or truncated, or not in its charset.
            ContentTooLarge: A limit on the body, on fields or on files is reached.
            UnsupportedMediaType: There is a body, and it is no form, or it is packed.
            RequestTimeout: It did not arrive in time.
            ClientDisconnected: The client left before its end.

        Example:
            form = await request.form()
            title, photo = form.fields["title"], form.files["photo"]
        """
        form = self._form
        if form is None:
            form = self._form = await self._read_form()
            if form.files:
                self.at_end(self.close)
        return form

    async def _read_form(self) -> FormData:
        media = self.content_type
        refuse_packed(self)
        if media is not None and media.essence == "multipart/form-data":
            from demijohn.http.multipart import read_multipart

            return FormData(await read_multipart(self.stream(), media, self.limits))
        if media is not None and media.essence == "application/x-www-form-urlencoded":
            codec = self.charset
            if "&=+%".encode(codec, "replace") != b"&=+%":
                raise BadRequest("The charset of the form is no superset of ASCII.")
            body = await self.body()
            limits = self.limits
            pairs = parse_pairs(body, limit=limits.form_fields, codec=codec, what="form")
            if len(body) > limits.field_size and any(len(value) > limits.field_size for _, value in pairs):
                raise ContentTooLarge(f"A field of the form is over {limits.field_size} bytes.")
            return FormData(pairs)
        if await self.body():
            raise unsupported("A form is expected", FORM_TYPES, self.headers.line(b"content-type") or b"")
        return FormData()

    def close(self) -> None:
        """Close the files of the form; the end of the request does so."""
        form = self._form
        if form is not None:
            form.close()

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"


FORM_TYPES = ["application/x-www-form-urlencoded", "multipart/form-data"]
"""What a form may come in."""


def unsupported(expected: str, kinds: list[str], kind: bytes) -> UnsupportedMediaType:
    """Return the error of a body in another format, which says what is read instead (RFC 9110, 15.5.16)."""
    named = kind.partition(b";")[0].strip().decode("latin-1")[:80]
    return UnsupportedMediaType(
        f"{expected}, and the body is {named or 'of no named type'}; read here: {', '.join(kinds)}.",
        headers=[("accept", ", ".join(kinds)), ("accept-post", ", ".join(kinds))],
        extensions={"accepted": kinds},
    )


def refuse_packed(request: Connection) -> None:
    """Refuse a body with a `Content-Encoding`: nothing is unpacked here, so that no bomb can go off.

    Raises:
        UnsupportedMediaType: It has one.
    """
    packed = request.headers.line(b"content-encoding")
    if packed is not None and packed.strip().lower() not in (b"", b"identity"):
        raise UnsupportedMediaType(
            f"The body is packed by {packed.decode('latin-1')[:80]}; it is read as it is only.",
            headers=[("accept-encoding", "identity")],
        )
