"""Formats: the same answer as HTML, JSON, XML, CSV, YAML or MessagePack, bodies in each of them, and streams.

A route lists the formats that it offers. Which one a client gets is said by the path's suffix (`/posts.json`), by the
query (`?format=json`) or by `Accept`, in this order; what nobody offers is refused before the handler runs.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Self, TypeAlias

from demijohn._lib.later import html
from demijohn._lib.text import did_you_mean, listing
from demijohn.app.encoding import Encoder, from_tuple
from demijohn.app.page import Page
from demijohn.app.streaming import ItemWriter, JSONArray, Streamer, json_line, separate, stream, written
from demijohn.errors import ConfigurationError, NotAcceptable
from demijohn.http import EventStreamResponse, Request, Response, ServerSentEvent
from demijohn.http.streams import as_async
from demijohn.schema import converter, json_decoder, msgpack_decoder, to_json, to_msgpack, to_yaml, yaml_decoder

__all__ = ["Answers", "Format", "Formats", "Offer", "is_partial"]

Encode: TypeAlias = Callable[[Any], bytes]
"""Writes a value (Any: whatever a handler returned)."""
Decode: TypeAlias = Callable[[bytes], Any]
"""Reads a body (Any: plain data, or a value of the type that was asked for)."""
Place: TypeAlias = tuple[str | int, ...]


class Format:
    """One way to write an answer and to read a body.

    Args:
        name: The name that routes list, and the suffix and the word in the query.
        media_types: What `Accept` and `Content-Type` call it; the first is sent.
        encode: Writes a value; without it the format is only read.
        decode: Reads a body into plain data; without it the format is only written.
        encode_item: Writes one item of a generator; without it a generator is read to its end first.
        is_text: Whether `decode` gives text where a number or date is meant, as XML and CSV do.
        suffix: The suffix of paths, where it is not the name.

    Example:
        >>> text = Format("lines", ["text/plain"], encode=lambda value: "\\n".join(value).encode())
        >>> text.content_type
        'text/plain; charset=utf-8'
    """

    __slots__ = (
        "_make_decoder",
        "content_type",
        "decode",
        "encode",
        "is_text",
        "media_types",
        "name",
        "reads_rows",
        "streamer",
        "suffix",
    )

    reads_rows: bool
    """Whether what is read is always a list of rows, which can be no single object."""
    streamer: Streamer | None
    """Makes the response of a generator, or `None` where it is read to its end first."""

    def __init__(
        self,
        name: str,
        media_types: Sequence[str],
        *,
        encode: Encode | None = None,
        decode: Decode | None = None,
        encode_item: Encode | None = None,
        is_text: bool = False,
        suffix: str | None = None,
    ) -> None:
        self.name = name
        self.media_types = tuple(kind.lower() for kind in media_types)
        self.encode = encode
        self.decode = decode
        self.is_text = is_text
        self.suffix = suffix or name
        self._make_decoder: Callable[..., Decode] | None = None
        self.reads_rows = False
        first = self.media_types[0]
        has_charset = first.startswith("text/") or first in ("application/xml", "application/yaml")
        self.content_type = f"{first}; charset=utf-8" if has_charset else first
        self.streamer = None if encode_item is None else self._streams(separate(encode_item))

    def __repr__(self) -> str:
        return f"Format({self.name!r}, {list(self.media_types)!r})"

    @property
    def is_readable(self) -> bool:
        """Whether bodies may be sent in it."""
        if self.name == "yaml" and not _has_yaml():
            return False
        return self.decode is not None or self._make_decoder is not None

    def decoder(self, tp: Any, *, place: Place = ("body",)) -> Decode:
        """Return what reads a body into a type (Any: annotations are of many types).

        What it returns raises `MalformedBody` and `ValidationFailed`.
        """
        if self._make_decoder is not None:
            return self._make_decoder(tp, place=place)
        decode = self.decode
        if decode is None:
            raise TypeError(f"The format {self.name!r} cannot be read.")
        read = converter(tp, text=self.is_text, place=place)
        return lambda data: read(decode(data))

    def _of_rows(self) -> Self:
        self.reads_rows = True
        return self

    def _streams(self, make_writer: Callable[[], ItemWriter]) -> Streamer:
        return lambda items: written(items, make_writer(), content_type=self.content_type)

    def _streaming(self, make_writer: Callable[[], ItemWriter]) -> Self:
        self.streamer = self._streams(make_writer)
        return self

    @classmethod
    def _known(
        cls, name: str, media_types: Sequence[str], encode: Encode, make_decoder: Callable[..., Decode]
    ) -> "Format":
        made = cls(name, media_types, encode=encode)
        made._make_decoder = make_decoder
        return made


def _has_yaml() -> bool:
    from importlib.util import find_spec

    return find_spec("yaml") is not None


# What few apps use is imported when it is first asked for.


def _to_xml(value: Any) -> bytes:
    from demijohn.app.xml import to_xml

    return to_xml(value)


def _from_xml(data: bytes) -> Any:
    from demijohn.app.xml import from_xml

    return from_xml(data)


def _to_csv(value: Any) -> bytes:
    from demijohn.app.tables import to_csv

    return to_csv(value)


def _from_csv(data: bytes) -> Any:
    from demijohn.app.tables import from_csv

    return from_csv(data)


def _to_html(value: Any) -> bytes:
    """Write a plain value for a browser: its JSON, readable."""
    text = html.escape(to_json(value, indent=2).decode())
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Data</title><pre>{text}</pre></html>\n'.encode()
    )


def _row_writer() -> ItemWriter:
    from demijohn.app.tables import RowWriter

    return RowWriter()


def _to_lines(value: Any) -> bytes:
    return b"".join(map(json_line, value if isinstance(value, list | tuple) else [value]))


def _lines_decoder(tp: Any, *, place: Place = ("body",)) -> Decode:
    """Return what reads a line of JSON for each item of a list (Any: annotations are of many types)."""
    read = converter(tp, place=place)
    plain = json_decoder(Any, place=place)
    return lambda data: read([plain(line) for line in data.splitlines() if line.strip()])


def _to_events(value: Any) -> bytes:
    items = value if isinstance(value, list | tuple) else [value]
    return b"".join((item if isinstance(item, ServerSentEvent) else ServerSentEvent(item)).encode() for item in items)


_QUICK = frozenset(("json", "msgpack"))
"""Formats that are written by C code."""
_LONG = 500
"""Rows from which on others are written in a thread."""

HTML = Format("html", ["text/html", "application/xhtml+xml"], encode=_to_html)


def _events() -> Format:
    events = Format("events", ["text/event-stream"], encode=_to_events)
    events.streamer = EventStreamResponse
    return events


class Formats:
    """The formats of an app, by name.

    There are html, json, jsonl, xml, csv, yaml, msgpack, events, and its own.
    """

    def __init__(self) -> None:
        self._formats: dict[str, Format] = {}
        for known in (
            HTML,
            Format._known("json", ["application/json"], to_json, json_decoder)._streaming(JSONArray),
            Format("xml", ["application/xml", "text/xml"], encode=_to_xml, decode=_from_xml, is_text=True),
            Format("csv", ["text/csv"], encode=_to_csv, decode=_from_csv, is_text=True)
            ._streaming(_row_writer)
            ._of_rows(),
            Format._known(
                "jsonl",
                ["application/jsonl", "application/x-ndjson", "application/x-jsonlines"],
                _to_lines,
                _lines_decoder,
            )
            ._streaming(separate(json_line))
            ._of_rows(),
            _events(),
            Format._known("yaml", ["application/yaml", "application/x-yaml", "text/yaml"], to_yaml, yaml_decoder),
            Format._known(
                "msgpack",
                ["application/msgpack", "application/vnd.msgpack", "application/x-msgpack"],
                to_msgpack,
                msgpack_decoder,
            ),
        ):
            self._formats[known.name] = known

    def add(self, format: Format) -> Format:  # noqa: A002 - the word for it
        """Add a format, or put another one in the place of that name."""
        self._formats[format.name] = format
        return format

    def get(self, name: str) -> Format:
        """Return the format of that name.

        Raises:
            ConfigurationError: There is none (DJN-430).
        """
        try:
            return self._formats[name]
        except KeyError:
            raise ConfigurationError(
                f"The format {name!r} is not known.{did_you_mean(name, self._formats)}",
                why=f"This app has {listing(self._formats, last='and')}.",
                fix=f'app.formats.add(Format("{name}", ["application/..."], encode=...))',
                code="DJN-430",
            ) from None

    def offer(self, names: Iterable[str]) -> "Offer":
        """Return what a route that lists these formats offers.

        Raises:
            ConfigurationError: One is not known, cannot be written, or none is listed.
        """
        formats = [self.get(name) for name in names]
        if not formats:
            raise ConfigurationError(
                "A route lists no format.",
                why="It could answer nobody.",
                fix='formats=["html", "json"], or leave `formats` out for the usual answer',
                code="DJN-430",
            )
        for known in formats:
            if known.encode is None:
                raise ConfigurationError(
                    f"A route offers the format {known.name!r}, which can only be read.",
                    why="Its `encode` was not given.",
                    fix=f'Format("{known.name}", [...], encode=...)',
                    code="DJN-430",
                )
        return Offer(formats)

    def readable(self) -> list[Format]:
        """Return the formats that a body may have."""
        return [known for known in self._formats.values() if known.is_readable]

    def find_reader(self, media_type: str) -> Format | None:
        """Return the format that reads bodies of a media type, or None."""
        kind = media_type.lower()
        if kind == "text/json" or kind.endswith("+json"):
            kind = "application/json"
        elif kind.endswith("+xml"):
            kind = "application/xml"
        return next((known for known in self.readable() if kind in known.media_types), None)


class Offer:
    """The formats of one route, in the order of its list; the first is given to who has no wish."""

    __slots__ = ("_by_name", "_by_type", "_types", "formats", "query")

    def __init__(self, formats: Sequence[Format], *, query: str = "format") -> None:
        self.formats = tuple(formats)
        self.query = query
        self._by_name = {name: known for known in reversed(self.formats) for name in (known.name, known.suffix)}
        self._by_type: dict[str, Format] = {}
        for known in self.formats:
            for kind in known.media_types:
                self._by_type.setdefault(kind, known)
        # All first types come before the second ones: `*/*` takes the first format, by its own name.
        self._types = sorted(self._by_type, key=lambda kind: self._by_type[kind].media_types.index(kind) > 0)

    def find(self, suffix: str) -> Format | None:
        """Return the format of a path's suffix, or None."""
        return self._by_name.get(suffix)

    def choose(self, request: Request, *, suffix: str | None = None) -> tuple[Format, tuple[str, ...]]:
        """Return the format for a request, and the names that its answer has to list in `Vary`.

        Raises:
            NotAcceptable: The client takes none of these formats; the problem lists them as `available`.
        """
        if suffix is not None:
            return self._by_name[suffix], ()
        if self.query and request.query_string and self.query in request.query:
            name = request.query[self.query]
            wanted = self._by_name.get(name)
            if wanted is None:
                raise self._refusal(f"The format {name[:40]!r} is not offered.")
            return wanted, ()
        if len(self.formats) > 1 and "html" in self._by_name and request.headers.get("hx-request") == "true":
            return self._by_name["html"], ("accept", "hx-request")
        kind = request.accept.best_match(self._types)
        if kind is None:
            raise self._refusal("None of the formats in `Accept` is offered.")
        vary = ("accept", "hx-request") if "html" in self._by_name else ("accept",)
        return self._by_type[kind], vary if len(self.formats) > 1 else ()

    def _refusal(self, why: str) -> NotAcceptable:
        available = [known.media_types[0] for known in self.formats]
        names = listing([known.name for known in self.formats], last="and")
        return NotAcceptable(
            f"{why} There {'is' if len(available) == 1 else 'are'} {names}.",
            headers=[("vary", "accept")],
            extensions={"available": available},
        )


class Answers:
    """What a route with formats answers: negotiated before its handler runs, encoded after it."""

    __slots__ = ("_encoder", "_offer", "_suffix")

    def __init__(self, offer: Offer, encoder: Encoder, *, suffix: str | None = None) -> None:
        self._offer = offer
        self._encoder = encoder
        self._suffix = suffix

    @property
    def offer(self) -> Offer:
        """The formats of the route."""
        return self._offer

    @property
    def suffix(self) -> str | None:
        """The suffix of the path, for a route that has one."""
        return self._suffix

    def check(self, request: Request) -> None:
        """Refuse a request that no format of the route suits.

        Raises:
            NotAcceptable: The client takes none of them.
        """
        self._offer.choose(request, suffix=self._suffix)

    def encode(self, value: Any, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Return the response for what the handler returned, in the format that the client gets.

        A response and `None` are taken as they are; of a generator each item is written as it comes (Any: of any type).
        """
        if isinstance(value, Response) or value is None:
            return self._encoder.encode(value, request)
        if isinstance(value, Iterator | AsyncIterator):
            known, vary = self._offer.choose(request, suffix=self._suffix)
            if known.streamer is None:
                return self._collect(value, request)
            response = stream(value, known.streamer)
            if vary:
                response.headers.add_vary(*vary)
            return response
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            return from_tuple(value, request, self.encode)
        known, vary = self._offer.choose(request, suffix=self._suffix)
        if known.name == "html" and (isinstance(value, Page | str) or hasattr(value, "__html__")):
            made = self._encoder.encode(value, request)
            if not isinstance(made, Response):
                return _varied(made, vary)
        elif isinstance(value, Page) and value.is_pending:
            return self._encode_later(value, request)
        elif known.name not in _QUICK and _is_long(value):
            # It takes Python code many milliseconds, in which the others shall be served.
            return _varied(request.app.run_sync(partial(_written, known, value), finishing=True), vary)
        else:
            made = _written(known, value)
        if vary:
            made.headers.add_vary(*vary)
        return made

    async def _collect(self, items: Iterator[Any] | AsyncIterator[Any], request: Request) -> Response:
        """Read a generator to its end, for a format that has no form for items that come one by one."""
        made = self.encode([item async for item in as_async(items)], request)
        return made if isinstance(made, Response) else await made

    async def _encode_later(self, page: Page, request: Request) -> Response:
        await page.settle()
        made = self.encode(page, request)
        return made if isinstance(made, Response) else await made


async def _varied(making: Coroutine[Any, Any, Response], vary: tuple[str, ...]) -> Response:
    response = await making
    if vary:
        response.headers.add_vary(*vary)
    return response


def _is_long(value: Any) -> bool:
    """Whether a value is a long list, or has one among its own values."""
    if isinstance(value, Page):
        value = value.context
    parts = [value, *value.values()] if isinstance(value, Mapping) else [value]
    return any(isinstance(part, list | tuple) and len(part) >= _LONG for part in parts)


def _written(known: Format, value: Any) -> Response:
    encode = known.encode or _to_html
    if not isinstance(value, Page):
        return Response(encode(value), content_type=known.content_type)
    response = Response(encode(value.context), value.status, content_type=known.content_type)
    value.dress(response.headers)
    return response


def is_partial(request: Request) -> bool:
    """Whether htmx asks for a part of a page.

    A boosted link is none, nor is the page that its history restores.

    htmx 4 says so by `HX-Request-Type`; htmx 2 by what else it sends.
    """
    headers = request.headers
    if headers.get("hx-request") != "true" or headers.get("hx-history-restore-request") == "true":
        return False
    kind = headers.get("hx-request-type")
    return kind == "partial" if kind is not None else headers.get("hx-boosted") != "true"
