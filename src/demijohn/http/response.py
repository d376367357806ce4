"""Responses: values that a transport writes."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from demijohn.errors import DemijohnError
from demijohn.http.caching import CacheControl, CacheDirectives
from demijohn.http.cookies import SameSite, encode_cookie
from demijohn.http.dates import format_http_date, parse_http_date
from demijohn.http.etag import ETag
from demijohn.http.headers import MutableHeaders, Raw, encode_lines, encode_name, encode_value
from demijohn.schema import to_json
from demijohn.types import HeadersLike

__all__ = ["BadStatus", "HTMLResponse", "JSONResponse", "PlainTextResponse", "Response", "ResponseHeaders"]

if TYPE_CHECKING:
    from demijohn.http.request import Request


class BadStatus(DemijohnError, ValueError):
    """A status that no response can have."""

    code = "DJN-306"


def check_status(status: int) -> int:
    """Return the status.

    Raises:
        BadStatus: It is not between 200 and 599.
    """
    if not 200 <= status <= 599:
        raise BadStatus(
            f"A response was given the status {status!r}.",
            why="The status of a response is a number from 200 to 599; a 1xx is sent by the server.",
            fix="Write one of them:  return Response(body, 200)",
        )
    return status


class ResponseHeaders(MutableHeaders):
    """The headers of a response, a view.

    `Content-Type` lives in `response.content_type`.

    `Content-Length` is computed from the body by the transport, so setting it has no effect where there is a body.
    """

    __slots__ = ("_response",)

    def __init__(self, response: "Response", /) -> None:
        raw = response._headers
        if raw is None:
            raw = response._headers = []
        self.raw = raw
        self._index = None
        self._response = response

    def _by_name(self) -> dict[bytes, bytes]:
        index = super()._by_name()
        content_type = self._response.content_type
        if content_type is not None:
            index = {b"content-type": content_type.encode("latin-1")} | index
        # Not kept: the response may change beside this view.
        self._index = None
        return index

    def __setitem__(self, name: str, value: str, /) -> None:
        self._response._set_header(encode_name(name), value, name)

    def __delitem__(self, name: str, /) -> None:
        if encode_name(name) == b"content-type" and self._response.content_type is not None:
            self._response.content_type = None
            return
        super().__delitem__(name)

    def add(self, name: str, value: str) -> None:
        """Add a line, beside those of the same name."""
        key = encode_name(name)
        if key in _ONE_ONLY:
            self._response._set_header(key, value, name)
        else:
            self.raw.append((key, encode_value(value, name)))

    def getlist(self, name: str) -> list[str]:
        """Return the value of each line of that name, in their order."""
        content_type = self._response.content_type
        if name.lower() == "content-type" and content_type is not None:
            return [content_type]
        return super().getlist(name)

    def multi_items(self) -> list[tuple[str, str]]:
        """Return every line as a pair, in their order."""
        content_type = self._response.content_type
        first = [] if content_type is None else [("content-type", content_type)]
        return first + super().multi_items()


_ONE_ONLY = frozenset(
    (b"content-type", b"content-length", b"transfer-encoding", b"location", b"etag", b"last-modified")
)


class Response:
    """A response with a body of bytes.

    Args:
        body: Bytes, or text that is sent as UTF-8.
        status: 200 to 599.
        headers: A mapping, or pairs where a name may come more than once.
        content_type: With its charset; text gets `text/plain; charset=utf-8` where nothing is said.

    Raises:
        BadStatus: The status is none of a response.
        BadHeader: A header would break out of its line.

    Example:
        >>> response = Response("Hello", headers={"X-One": "1"})
        >>> response.body, response.content_type
        (b'Hello', 'text/plain; charset=utf-8')
    """

    __slots__ = ("__weakref__", "_headers", "body", "content_type", "status")

    needs_request: ClassVar[bool] = False
    """Whether `for_request` has something to settle: ranges and conditions of a file."""

    opening: Callable[[], Awaitable[None]] | None = None
    """What is awaited right before the first byte; a failure of it is answered in place of this."""

    status: int
    body: bytes
    content_type: str | None
    """The media type as it is sent, or `None` for none."""
    _headers: Raw | None
    """Lines for the wire; `None` until a header is touched. `Content-Type` is never among them."""

    def __init__(
        self,
        body: bytes | str = b"",
        status: int = 200,
        headers: HeadersLike | None = None,
        *,
        content_type: str | None = None,
    ) -> None:
        if isinstance(body, str):
            body = body.encode()
            if content_type is None:
                content_type = "text/plain; charset=utf-8"
        if status != 200:
            check_status(status)
        self.status = status
        self.body = body
        self.content_type = content_type if content_type is None else check_content_type(content_type)
        self._headers = None
        if headers is not None:
            self._take(headers)

    def _take(self, headers: HeadersLike) -> None:
        for key, value in encode_lines(headers):
            if key in _ONE_ONLY:
                self._set_header(key, value.decode("latin-1"), key.decode())
            elif self._headers is None:
                self._headers = [(key, value)]
            else:
                self._headers.append((key, value))

    def _set_header(self, key: bytes, value: str, name: str) -> None:
        encoded = encode_value(value, name)
        if key == b"content-type":
            self.content_type = check_content_type(value)
            return
        if key == b"transfer-encoding":
            return
        raw = self._headers
        if raw is None:
            self._headers = [(key, encoded)]
            return
        for position, line in enumerate(raw):
            if line[0] == key:
                raw[position] = (key, encoded)
                tail = position + 1
                raw[tail:] = [line for line in raw[tail:] if line[0] != key]
                return
        raw.append((key, encoded))

    def for_request(self, request: "Request") -> "Response":
        """Settle what depends on the request.

        The app calls it where `needs_request` is true, when a handler has returned the response.
        """
        return self

    @property
    def headers(self) -> MutableHeaders:
        """The headers, to read and to set."""
        return ResponseHeaders(self)

    @property
    def is_bodyless(self) -> bool:
        """Whether the status forbids a body and its `Content-Length` (204, 304)."""
        return self.status in (204, 304)

    def header_lines(self, *, method: str = "GET", defaults: Raw | tuple[()] = ()) -> Raw:
        """Return every line of the head, for a transport.

        Args:
            method: Of the request.
            defaults: The default headers of the app; one that the response sets itself is left out, and one that it
                sets to nothing is not sent at all.
        """
        lines: Raw = []
        own = self._headers
        if self.content_type is not None and self.status != 304:
            lines.append((b"content-type", self.content_type.encode("latin-1")))
        lines.extend(self._length_lines(method))
        if own:
            lines.extend([line for line in own if line[0] != b"content-length"])
        if defaults:
            names = {line[0] for line in lines}
            if own:
                known = {line[0] for line in defaults}
                lines = [line for line in lines if line[1] or line[0] not in known]
            lines.extend([line for line in defaults if line[0] not in names])
        return lines

    def _length_lines(self, method: str) -> Raw:
        if self.is_bodyless:
            return []
        if not self.body and method == "HEAD" and self._headers:
            announced = [line for line in self._headers if line[0] == b"content-length"]
            if announced:
                return announced
        return [(b"content-length", b"%d" % len(self.body))]

    def set_cookie(
        self,
        name: str,
        value: str = "",
        *,
        max_age: int | timedelta | None = None,
        expires: datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = True,
        samesite: SameSite | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Set a cookie.

        Args:
            name: A prefix `__Host-` or `__Secure-` is held to what it promises.
            value: Text; what a cookie cannot carry as it is, is quoted and escaped.
            max_age: Seconds, or a timedelta; without it and `expires` the cookie ends with the browser's session.
            expires: A moment, aware or in UTC.
            path: The cookie is sent below it.
            domain: Sent to it and its subdomains; without it to this host alone.
            secure: Over TLS only.
            httponly: Hidden from scripts.
            samesite: `"lax"`, `"strict"`, `"none"` (which needs `secure`), or `None` for the browser's default.
            partitioned: One jar for each top-level site (CHIPS; needs `secure`).

        Raises:
            BadCookie: Browsers would refuse it, or it would break out of its header.
        """
        line = encode_cookie(
            name,
            value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        ).encode("ascii")
        if self._headers is None:
            self._headers = [(b"set-cookie", line)]
        else:
            self._headers.append((b"set-cookie", line))

    def delete_cookie(
        self,
        name: str,
        *,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = True,
        samesite: SameSite | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Tell the browser to forget a cookie.

        Path, domain and prefix must be those it was set with.

        Raises:
            BadCookie: Browsers would refuse it.
        """
        if name.lower().startswith(("__host-", "__secure-")):
            secure = True
        self.set_cookie(
            name,
            "",
            max_age=0,
            expires=datetime(1970, 1, 1),  # noqa: DTZ001 - naive is UTC here
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )

    @property
    def etag(self) -> ETag | None:
        """The entity tag, or `None`."""
        text = self.headers.get("etag")
        return None if text is None else ETag.find(text)

    def set_etag(self, value: str, *, weak: bool = False) -> None:
        """Set the entity tag: a version, or a hash of what is sent.

        Raises:
            BadHeader: It has spaces, quotes or letters outside of ASCII.
        """
        self._set_header(b"etag", str(ETag(value, weak=weak)), "etag")

    def add_etag(self, *, weak: bool = False) -> None:
        """Set an entity tag made of the body, where there is none."""
        if self.etag is None:
            from hashlib import blake2b

            self.set_etag(blake2b(self.body, digest_size=12).hexdigest(), weak=weak)

    def set_cache_control(self, **directives: Unpack[CacheDirectives]) -> None:
        """Say what caches may keep of this response.

        Raises:
            ConfigurationError: Two directives contradict each other, or a time is negative (`DJN-747`).

        Example:
            response.set_cache_control(private=True, max_age=60)
        """
        self._set_header(b"cache-control", str(CacheControl(**directives)), "cache-control")

    @property
    def last_modified(self) -> datetime | None:
        """When the content was last changed, in whole seconds.

        It reads as an aware datetime; set it to a moment, aware or in UTC.
        """
        text = self.headers.get("last-modified")
        return None if text is None else parse_http_date(text)

    @last_modified.setter
    def last_modified(self, moment: datetime | None) -> None:
        if moment is None:
            self.headers.pop("last-modified", None)
        else:
            self._set_header(b"last-modified", format_http_date(moment), "last-modified")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} {self.content_type}>"


_new = object.__new__


def ready(body: bytes, content_type: str) -> Response:
    """Return a 200 whose content type is known to be right.

    The same as `Response(body, content_type=...)`, in a third of the time: encoders make one for every request.
    """
    response = _new(Response)
    response.status = 200
    response.body = body
    response.content_type = content_type
    response._headers = None
    return response


_content_types: dict[str, str] = {}


def check_content_type(value: str) -> str:
    """Return the content type as it is sent: text without a charset gets UTF-8.

    Raises:
        BadHeader: It would break out of its line.
    """
    known = _content_types.get(value)
    if known is not None:
        return known
    checked = encode_value(value, "content-type").decode("latin-1")
    lower = checked.lower()
    if "charset" not in lower and (lower.startswith("text/") or lower in _TEXTUAL):
        checked += "; charset=utf-8"
    if len(_content_types) < 256:
        _content_types[value] = checked
    return checked


_TEXTUAL = frozenset(("application/javascript", "application/xml", "application/xhtml+xml", "image/svg+xml"))


class PlainTextResponse(Response):
    """Text, as `text/plain; charset=utf-8`."""

    __slots__ = ()

    def __init__(
        self,
        body: str | bytes = "",
        status: int = 200,
        headers: HeadersLike | None = None,
        *,
        content_type: str = "text/plain; charset=utf-8",
    ) -> None:
        super().__init__(body, status, headers, content_type=content_type)


class HTMLResponse(Response):
    """HTML, as `text/html; charset=utf-8`.

    The text is sent as it is: what people typed must be escaped before.
    """

    __slots__ = ()

    def __init__(
        self,
        body: str | bytes = "",
        status: int = 200,
        headers: HeadersLike | None = None,
        *,
        content_type: str = "text/html; charset=utf-8",
    ) -> None:
        super().__init__(body, status, headers, content_type=content_type)


class JSONResponse(Response):
    """A value as JSON (Any: whatever the encoder knows).

    Example:
        >>> JSONResponse({"a": [1, 2]}).body
        b'{"a":[1,2]}'
    """

    __slots__ = ()

    def __init__(
        self,
        content: Any,
        status: int = 200,
        headers: HeadersLike | None = None,
        *,
        content_type: str = "application/json",
    ) -> None:
        if status != 200:
            check_status(status)
        self.status = status
        self.body = to_json(content)
        self.content_type = content_type if content_type == "application/json" else check_content_type(content_type)
        self._headers = None
        if headers is not None:
            self._take(headers)
